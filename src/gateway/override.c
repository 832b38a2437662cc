/* override: the last line of the audit log is the state. */
#include "gateway/override.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TIER_MAX = 64, WHY_MAX = 500, LINE_MAX_BYTES = 4096 };

struct override {
    pthread_mutex_t lock;
    _Atomic uint64_t until; /* wall clock; 0: off */
    char tier[TIER_MAX];
    char why[WHY_MAX + 1];
    char *path;
};

static void keep(char *to, size_t cap, str s) {
    s = str_take(s, cap - 1);
    memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

/* The last line of the log; its numbers decide. */
static void restore(struct override *o) {
    char text[LINE_MAX_BYTES + 1];
    int fd = open(o->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    off_t end = lseek(fd, 0, SEEK_END), from = end > LINE_MAX_BYTES ? end - LINE_MAX_BYTES : 0;
    ssize_t n = pread(fd, text, LINE_MAX_BYTES, from);
    close(fd);
    str s = str_trim(str_make(text, n > 0 ? (size_t)n : 0)), line = s;
    for (str rest = s, part; str_cut(&rest, '\n', &part);) line = part;
    jval root;
    int64_t until;
    if (!json_check(line, &root, NULL, NULL) || !json_is(json_get(root, STR("action")), STR("override"))) return;
    jval tier = json_get(root, STR("tier")), why = json_get(root, STR("why"));
    if (tier.type != J_STRING || !json_i64(json_get(root, STR("until_us")), &until) || until < 0) return;
    keep(o->tier, sizeof o->tier, tier.raw);
    keep(o->why, sizeof o->why, why.raw);
    atomic_store(&o->until, (uint64_t)until);
}

struct override *override_open(str ledger_path) {
    struct override *o = xcalloc(1, sizeof *o);
    pthread_mutex_init(&o->lock, NULL);
    o->path = xmalloc(ledger_path.n + 16);
    snprintf(o->path, ledger_path.n + 16, STR_FMT ".audit.jsonl", STR_ARG(ledger_path));
    restore(o);
    return o;
}

void override_free(struct override *o) {
    if (!o) return;
    pthread_mutex_destroy(&o->lock);
    free(o->path);
    free(o);
}

/* Appends a line and makes sure that it is on disk before the switch moves. */
static bool audit(struct override *o, const char *action, str tier, uint64_t until, str why, uint64_t now,
                  err *e) {
    buf b;
    jw w;
    char when[28];
    buf_init(&b, LINE_MAX_BYTES);
    jw_init(&w, &b);
    clock_iso(when, now);
    jw_object(&w);
    jw_key(&w, "time");
    jw_string(&w, str_from(when));
    jw_key(&w, "action");
    jw_string(&w, str_from(action));
    jw_key(&w, "tier");
    jw_string(&w, tier);
    jw_key(&w, "until_us");
    jw_u64(&w, until);
    jw_key(&w, "why");
    jw_string(&w, why);
    jw_object_end(&w);
    buf_char(&b, '\n');
    int fd = open(o->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    bool ok = fd >= 0 && !b.failed && write(fd, b.p, b.n) == (ssize_t)b.n && fsync(fd) == 0;
    if (!ok) fail(e, "audit log %s: %s", o->path, strerror(errno));
    if (fd >= 0) close(fd);
    buf_free(&b);
    return ok;
}

bool override_set(struct override *o, str tier, uint64_t for_us, str why, uint64_t now, err *e) {
    if (!tier.n || tier.n >= TIER_MAX) return fail(e, "tier: a name of 1 to %d characters", TIER_MAX - 1);
    if (!why.n || why.n > WHY_MAX) return fail(e, "why: say in 1 to %d bytes", WHY_MAX);
    if (!for_us || for_us > (uint64_t)OVERRIDE_MAX_S * 1000000u)
        return fail(e, "for: a duration up to 31d, such as 2h");
    pthread_mutex_lock(&o->lock);
    bool ok = audit(o, "override", tier, now + for_us, why, now, e);
    if (ok) {
        keep(o->tier, sizeof o->tier, tier);
        keep(o->why, sizeof o->why, why);
        atomic_store(&o->until, now + for_us);
        log_event(LOG_WARN, "override_on", log_s("tier", tier), log_i("for_s", (int64_t)(for_us / 1000000)),
                  log_s("why", why));
    }
    pthread_mutex_unlock(&o->lock);
    return ok;
}

bool override_off(struct override *o, uint64_t now, err *e) {
    pthread_mutex_lock(&o->lock);
    bool ok = audit(o, "override_off", STR_NONE, 0, STR_NONE, now, e);
    if (ok) {
        atomic_store(&o->until, 0);
        log_write(LOG_WARN, "override_off", NULL);
    }
    pthread_mutex_unlock(&o->lock);
    return ok;
}

bool override_tier(struct override *o, uint64_t now, char tier[64]) {
    if (atomic_load_explicit(&o->until, memory_order_relaxed) <= now) return false;
    pthread_mutex_lock(&o->lock);
    bool on = atomic_load(&o->until) > now;
    memcpy(tier, o->tier, TIER_MAX);
    pthread_mutex_unlock(&o->lock);
    return on;
}

void override_write(struct override *o, uint64_t now, buf *out) {
    jw w;
    char when[28];
    jw_init(&w, out);
    pthread_mutex_lock(&o->lock);
    uint64_t until = atomic_load(&o->until);
    jw_object(&w);
    jw_key(&w, "override");
    if (until <= now) {
        jw_null(&w);
    } else {
        clock_iso(when, until);
        jw_object(&w);
        jw_key(&w, "tier");
        jw_string(&w, str_from(o->tier));
        jw_key(&w, "until");
        jw_string(&w, str_from(when));
        jw_key(&w, "why");
        jw_string(&w, str_from(o->why));
        jw_object_end(&w);
    }
    jw_object_end(&w);
    pthread_mutex_unlock(&o->lock);
}
