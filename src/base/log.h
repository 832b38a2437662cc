/* log: one JSON object a line on stderr: {"time":…,"level":…,"event":…, fields…}.
 *
 * Event names are fixed strings in snake_case; what varies goes into fields. Strings are escaped,
 * bounded to 1 kB each, and must not be secrets. Thread-safe: one write() per line. */
#ifndef DRAY_BASE_LOG_H
#define DRAY_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;
    enum { LOG_F_STR, LOG_F_INT, LOG_F_BOOL } type;
    str s;
    int64_t i;
};

static inline struct log_field log_s(const char *key, str v) { return (struct log_field){key, LOG_F_STR, v, 0}; }
static inline struct log_field log_z(const char *key, const char *v) {
    return (struct log_field){key, LOG_F_STR, str_from(v), 0};
}
static inline struct log_field log_i(const char *key, int64_t v) {
    return (struct log_field){key, LOG_F_INT, STR_NONE, v};
}
static inline struct log_field log_b(const char *key, bool v) {
    return (struct log_field){key, LOG_F_BOOL, STR_NONE, v};
}

/* Lines below this level are dropped (default LOG_INFO). */
void log_level_set(enum log_level min);
void log_write(enum log_level level, const char *event, const struct log_field *fields);
#define log_event(level, event, ...) log_write((level), (event), (const struct log_field[]){__VA_ARGS__, {0}})

#endif
