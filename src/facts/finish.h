/* finish: why an answer ended, in one vocabulary for all dialects. */
#ifndef DRAY_FACTS_FINISH_H
#define DRAY_FACTS_FINISH_H

enum finish {
    FINISH_NONE,   /* not said (yet) */
    FINISH_STOP,   /* the model was done, or met a stop sequence */
    FINISH_LENGTH, /* a token limit */
    FINISH_TOOLS,  /* it calls tools */
    FINISH_FILTER, /* refused or filtered */
    FINISH_OTHER,  /* a word that fits none of these */
};

#endif
