/* log: a line is built in a bounded stack buffer and written with one write(2). */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, VALUE_MAX = 1024 };

static atomic_int level_min = LOG_INFO;
static const char *const level_name[] = {"debug", "info", "warn", "error"};

struct line {
    char p[LINE_MAX_BYTES];
    size_t n;
};

static void put(struct line *l, const char *p, size_t n) {
    if (n > sizeof l->p - 4 - l->n) n = sizeof l->p - 4 - l->n;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_escaped(struct line *l, str s) {
    static const char hex[] = "0123456789abcdef";
    bool utf8 = str_utf8(s);
    s = str_take(s, VALUE_MAX);
    while (utf8 && s.n && !str_utf8(s)) s.n--; /* the cut may have split a sequence */
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            put(l, (char[]){'\\', (char)c}, 2);
        else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            put(l, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        else
            put(l, (const char *)&s.p[i], 1);
    }
}

void log_level_set(enum log_level min) { atomic_store_explicit(&level_min, (int)min, memory_order_relaxed); }

void log_write(enum log_level level, const char *event, const struct log_field *f) {
    if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed)) return;
    struct line l;
    char when[28], num[24];
    l.n = 0;
    clock_iso(when, clock_wall_us());
    put(&l, "{\"time\":\"", 9);
    put(&l, when, 27);
    put(&l, "\",\"level\":\"", 11);
    put(&l, level_name[level], strlen(level_name[level]));
    put(&l, "\",\"event\":\"", 11);
    put(&l, event, strlen(event));
    put(&l, "\"", 1);
    for (; f && f->key; f++) {
        if (l.n > sizeof l.p - 2 * VALUE_MAX * 3) break; /* a whole field or none: the line stays JSON */
        put(&l, ",\"", 2);
        put(&l, f->key, strlen(f->key));
        put(&l, "\":", 2);
        if (f->type == LOG_F_STR) {
            put(&l, "\"", 1);
            put_escaped(&l, f->s);
            put(&l, "\"", 1);
        } else if (f->type == LOG_F_BOOL) {
            put(&l, f->i ? "true" : "false", f->i ? 4 : 5);
        } else {
            if (f->i < 0) put(&l, "-", 1);
            put(&l, num, fmt_u64(num, f->i < 0 ? 0 - (uint64_t)f->i : (uint64_t)f->i));
        }
    }
    l.p[l.n++] = '}';
    l.p[l.n++] = '\n';
    ssize_t w = write(STDERR_FILENO, l.p, l.n);
    (void)w; /* nowhere left to complain */
}
