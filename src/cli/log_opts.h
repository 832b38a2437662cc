/* log_opts: the options of every command that reads logs, as rows of its table. */
#ifndef DRAY_CLI_LOG_OPTS_H
#define DRAY_CLI_LOG_OPTS_H

#include "cli/cli.h"

/* `T` has members `const char *format, *map`. */
#define LOG_OPTS(T)                                                                                               \
    {"format", 0,                                                                                                 \
     OPT_STR,  OPT(T, format),                                                                                    \
     "NAME",   "Reads the files as this format instead of telling it by content; --format help lists them."},     \
    {                                                                                                             \
        "map", 0, OPT_STR, OPT(T, map), "LIST",                                                                   \
            "Reads any CSV or JSONL: in=COLUMN,out=COLUMN,model=COLUMN,time=COLUMN,text=COLUMN and so on; "       \
            "dotted "                                                                                             \
            "paths go into objects."                                                                              \
    }

#endif
