/* spool: see the header and books.h.
 *
 * The writer's road has no lock and, but for one eventfd write per half segment, no system call: it
 * encodes straight into the mapped segment and commits. When a segment is full it takes the one that
 * the helper left in `ready`; if there is none (disk full, backlog at its bound), the event is lost,
 * counted, and the caller knows.
 *
 * Each process has an instance number. Its segments are named by it, and it holds a lock on
 * INSTANCE.lock as long as it lives: whoever gets that lock knows that the process is gone and its
 * segments are to be recovered. Two gateways may thus share a folder, also while one replaces the other. */
#include "books/spool.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "books/event.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETRY_MS = 500, FSYNC_MS = 20 };

static void wake_helper(struct spool_set *set) {
    uint64_t one = 1;
    if (write(set->wake, &one, sizeof one) < 0) return; /* EAGAIN: it is awake anyway */
}

/* ---- the writer's road ---- */

static bool next_segment(struct spool *s) {
    struct segment *n = atomic_exchange_explicit(&s->ready, NULL, memory_order_acquire);
    if (!n) return false;
    s->current->next = n;
    atomic_store_explicit(&s->current->head->sealed, 1, memory_order_release);
    s->current = n;
    s->at = SEGMENT_HEAD;
    atomic_store_explicit(&s->asked, false, memory_order_relaxed);
    wake_helper(s->set);
    return true;
}

static bool lost(struct spool *s) {
    atomic_fetch_add_explicit(&s->lost, 1, memory_order_relaxed);
    return false;
}

static bool commit(struct spool *s, uint8_t type, uint8_t flags, uint16_t n, struct uuid id, size_t len) {
    s->at = segment_commit(s->current, s->at, type, flags, n, id.b, len);
    atomic_store_explicit(&s->events, atomic_load_explicit(&s->events, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    if (s->at > s->current->size / 2 && !atomic_load_explicit(&s->asked, memory_order_relaxed)) {
        atomic_store_explicit(&s->asked, true, memory_order_relaxed);
        wake_helper(s->set);
    }
    return true;
}

/* Encodes with `put` into the current segment, or the next one when it is full. */
#define APPEND(s, type, flags, n, id, put, arg)                                                                   \
    for (int try = 0; try < 2; try++) {                                                                           \
        unsigned char *base = (unsigned char *)(s)->current->head, *end = base + (s)->current->size;              \
        unsigned char *p = base + (s)->at + EVENT_HEAD;                                                           \
        size_t len = p < end ? put(p, end, arg) : 0;                                                              \
        if (len) return commit(s, type, flags, n, id, len);                                                       \
        if (try == 1 || !next_segment(s)) break;                                                                  \
    }                                                                                                             \
    return lost(s)

bool spool_begin(struct spool *s, const struct record *r) {
    APPEND(s, EVENT_BEGIN, r->label_pending ? EVENT_LABEL_PENDING : 0, 0, r->id, event_put_begin, r);
}
bool spool_attempt(struct spool *s, const struct record *r, const struct record_attempt *t) {
    APPEND(s, EVENT_ATTEMPT, 0, t->n, r->id, event_put_attempt, t);
}
bool spool_end(struct spool *s, const struct record *r) {
    APPEND(s, EVENT_END, 0, EVENT_N_END, r->id, event_put_end, r);
}
bool spool_amend(struct spool *s, const struct record_amend *m) {
    APPEND(s, EVENT_AMEND, m->facts ? EVENT_LABEL : 0, EVENT_N_AMEND, m->id, event_put_amend, m);
}

/* ---- the helper ---- */

static bool prepare(struct spool_set *set, struct spool *s, err *e) {
    if (atomic_load_explicit(&s->ready, memory_order_relaxed)) return true;
    if (atomic_load(&set->segments) >= set->segments_max)
        return fail(e, "the spool's backlog is at its bound of %u segments", set->segments_max);
    struct segment *n = segment_create(set->dirfd, set->instance, s->writer, s->seq + 1, set->segment_size,
                                       str_from(set->gateway), e);
    if (!n) return false;
    s->seq++;
    atomic_fetch_add(&set->segments, 1);
    atomic_store_explicit(&s->ready, n, memory_order_release);
    return true;
}

static void prepare_all(struct spool_set *set) {
    err e = {{0}};
    bool ok = true;
    for (uint32_t i = 0; i < set->count; i++) ok &= prepare(set, &set->writer[i], &e);
    bool was = atomic_exchange(&set->ok, ok);
    if (was == ok) return;
    pthread_mutex_lock(&set->lock);
    memset(set->error, 0, sizeof set->error);
    if (!ok) snprintf(set->error, sizeof set->error, "%.159s", e.msg);
    pthread_mutex_unlock(&set->lock);
    if (ok)
        log_event(LOG_INFO, "spool_ok", log_z("dir", set->dir));
    else
        log_event(LOG_ERROR, "spool_full", log_z("dir", set->dir), log_z("error", e.msg));
}

/* Power-loss durability: what was appended is on the medium FSYNC_MS later. */
static void sync_all(struct spool_set *set) {
    for (uint32_t i = 0; set->fsync && i < set->count; i++) {
        struct spool *w = &set->writer[i];
        while (w->sync) {
            bool sealed = atomic_load_explicit(&w->sync->head->sealed, memory_order_acquire);
            segment_sync(w->sync, &w->synced);
            if (!sealed || !w->sync->next) break;
            w->sync = w->sync->next;
            w->synced = SEGMENT_HEAD;
        }
    }
}

/* A segment that is in the store and goes needs no durability of its own. */
static void stop_sync(struct spool_set *set, const struct segment *s) {
    for (uint32_t i = 0; i < set->count; i++) {
        struct spool *w = &set->writer[i];
        if (w->sync != s) continue;
        w->sync = s->next;
        w->synced = SEGMENT_HEAD;
    }
}

static void remove_done(struct spool_set *set) {
    pthread_mutex_lock(&set->lock);
    struct segment *s = set->done;
    set->done = NULL;
    pthread_mutex_unlock(&set->lock);
    while (s) {
        struct segment *next = s->next_done;
        stop_sync(set, s);
        if (unlinkat(set->dirfd, s->name, 0) != 0 && errno != ENOENT)
            log_event(LOG_WARN, "spool_unlink_failed", log_z("segment", s->name), log_z("error", strerror(errno)));
        segment_close(s);
        atomic_fetch_sub(&set->segments, 1);
        s = next;
    }
}

/* A segment half full asks for its successor's pages, so that the writer won't fault on them. The
 * writer may take the segment meanwhile; it lives until this very thread removes it. */
static void touch_asked(struct spool_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        struct segment *ready = atomic_load_explicit(&set->writer[i].ready, memory_order_acquire);
        if (!ready || ready->touched || !atomic_load(&set->writer[i].asked)) continue;
        segment_touch(ready, SEGMENT_HEAD);
        ready->touched = true;
    }
}

static void *helper_main(void *arg) {
    struct spool_set *set = arg;
    pthread_setname_np(pthread_self(), "spool");
    for (;;) {
        struct pollfd p = {set->wake, POLLIN, 0};
        poll(&p, 1, set->fsync ? FSYNC_MS : atomic_load(&set->ok) ? -1 : RETRY_MS);
        uint64_t n;
        if (read(set->wake, &n, sizeof n) < 0) n = 0;
        pthread_mutex_lock(&set->lock);
        bool stop = set->stop;
        pthread_mutex_unlock(&set->lock);
        sync_all(set);
        remove_done(set);
        if (stop) return NULL;
        prepare_all(set);
        touch_asked(set);
    }
}

/* ---- opening ---- */

static int lock_file(int dirfd, uint64_t instance, int flags) {
    char name[SEGMENT_NAME_MAX];
    snprintf(name, sizeof name, "%016" PRIx64 ".lock", instance);
    int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | flags, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool open_dir(struct spool_set *set, err *e) {
    if (mkdir(set->dir, 0700) != 0 && errno != EEXIST)
        return fail(e, "can't make the spool folder %s: %s", set->dir, strerror(errno));
    set->dirfd = open(set->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (set->dirfd < 0) return fail(e, "can't open the spool folder %s: %s", set->dir, strerror(errno));
    random_bytes(&set->instance, sizeof set->instance);
    set->lockfd = lock_file(set->dirfd, set->instance, O_CREAT | O_EXCL);
    if (set->lockfd < 0) return fail(e, "can't lock the spool folder %s: %s", set->dir, strerror(errno));
    return true;
}

static bool open_writers(struct spool_set *set, err *e) {
    for (uint32_t i = 0; i < set->count; i++) {
        struct spool *s = &set->writer[i];
        s->set = set;
        s->writer = i;
        if (!prepare(set, s, e)) return false;
        s->first = s->current = s->sync = atomic_exchange(&s->ready, NULL);
        s->synced = SEGMENT_HEAD;
        s->at = SEGMENT_HEAD;
    }
    return true;
}

struct spool_set *spool_open(const struct books_config *c, err *e) {
    struct spool_set *set = xcalloc(1, sizeof *set);
    set->dir = xmalloc(c->spool_dir.n + 1);
    memcpy(set->dir, c->spool_dir.p, c->spool_dir.n);
    set->dir[c->spool_dir.n] = 0;
    set->dirfd = set->lockfd = -1;
    set->segment_size = c->segment_size ? c->segment_size : SEGMENT_SIZE;
    if (set->segment_size < SEGMENT_SIZE_MIN) set->segment_size = SEGMENT_SIZE_MIN;
    set->segments_max = c->segments_max ? c->segments_max : SPOOL_SEGMENTS_MAX;
    set->count = c->writers;
    set->fsync = c->fsync;
    if (set->segments_max < 2 * set->count) set->segments_max = 2 * set->count;
    snprintf(set->gateway, sizeof set->gateway, STR_FMT, STR_ARG(c->gateway));
    set->writer = xcalloc(set->count, sizeof *set->writer);
    pthread_mutex_init(&set->lock, NULL);
    atomic_store(&set->ok, true);
    set->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (set->wake < 0 || !open_dir(set, e) || !open_writers(set, e) ||
        pthread_create(&set->helper, NULL, helper_main, set) != 0) {
        spool_close(set);
        return NULL;
    }
    set->started = true;
    wake_helper(set);
    return set;
}

void spool_seal(struct spool_set *set) {
    for (uint32_t i = 0; i < set->count; i++)
        atomic_store_explicit(&set->writer[i].current->head->sealed, 1, memory_order_release);
}

static void drop_segment(struct spool_set *set, struct segment *s) {
    if (!s) return;
    unlinkat(set->dirfd, s->name, 0);
    segment_close(s);
    atomic_fetch_sub(&set->segments, 1);
}

void spool_close(struct spool_set *set) {
    if (set->started) {
        pthread_mutex_lock(&set->lock);
        set->stop = true;
        pthread_mutex_unlock(&set->lock);
        wake_helper(set);
        pthread_join(set->helper, NULL);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        drop_segment(set, atomic_exchange(&set->writer[i].ready, NULL));
        drop_segment(set, set->writer[i].first); /* nobody came to read it: the open failed */
    }
    if (set->lockfd >= 0) {
        if (atomic_load(&set->segments) == 0) spool_remove(set, set->instance, NULL);
        close(set->lockfd);
    }
    if (set->dirfd >= 0) close(set->dirfd);
    if (set->wake >= 0) close(set->wake);
    pthread_mutex_destroy(&set->lock);
    free(set->writer);
    free(set->dir);
    free(set);
}

void spool_done(struct spool_set *set, struct segment *s) {
    pthread_mutex_lock(&set->lock);
    s->next_done = set->done;
    set->done = s;
    pthread_mutex_unlock(&set->lock);
    wake_helper(set);
}

void spool_error(struct spool_set *set, char out[160]) {
    pthread_mutex_lock(&set->lock);
    memcpy(out, set->error, 160);
    pthread_mutex_unlock(&set->lock);
}

/* ---- what other processes left ---- */

static bool parse_instance(const char *name, const char *suffix, uint64_t *instance) {
    size_t n = strlen(name), k = strlen(suffix);
    if (n < 16 + k || strcmp(name + n - k, suffix) != 0) return false;
    char hex[17], *end;
    memcpy(hex, name, 16);
    hex[16] = 0;
    *instance = strtoull(hex, &end, 16);
    return *end == 0;
}

static DIR *open_folder(const struct spool_set *set) {
    int fd = openat(set->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    return dir;
}

bool spool_orphans(struct spool_set *set, void (*each)(void *ctx, uint64_t instance), void *ctx) {
    DIR *dir = open_folder(set);
    if (!dir) return false;
    for (struct dirent *d; (d = readdir(dir));) {
        uint64_t instance;
        if (!parse_instance(d->d_name, ".lock", &instance) || instance == set->instance) continue;
        int lock = lock_file(set->dirfd, instance, 0);
        if (lock < 0) continue; /* alive, or somebody else recovers it */
        each(ctx, instance);
        close(lock);
    }
    closedir(dir);
    return true;
}

static int name_cmp(const void *a, const void *b) { return strcmp(a, b); }

char (*spool_list(struct spool_set *set, uint64_t instance, size_t *count))[SEGMENT_NAME_MAX] {
    *count = 0;
    DIR *dir = open_folder(set);
    if (!dir) return NULL;
    char(*list)[SEGMENT_NAME_MAX] = NULL;
    for (struct dirent *d; (d = readdir(dir));) {
        uint64_t of;
        if (!parse_instance(d->d_name, ".seg", &of) || of != instance || strlen(d->d_name) >= SEGMENT_NAME_MAX)
            continue;
        list = xrealloc(list, (*count + 1) * sizeof *list);
        strcpy(list[(*count)++], d->d_name);
    }
    closedir(dir);
    if (*count) qsort(list, *count, sizeof *list, name_cmp);
    return list;
}

void spool_remove(struct spool_set *set, uint64_t instance, const char *name) {
    char lock[SEGMENT_NAME_MAX];
    if (!name) snprintf(lock, sizeof lock, "%016" PRIx64 ".lock", instance);
    unlinkat(set->dirfd, name ? name : lock, 0);
}

struct aside {
    char name[SEGMENT_NAME_MAX + 8];
    struct timespec changed;
    uint64_t bytes;
};

static int newest_first(const void *a, const void *b) {
    const struct aside *x = a, *y = b;
    if (x->changed.tv_sec != y->changed.tv_sec) return x->changed.tv_sec < y->changed.tv_sec ? 1 : -1;
    if (x->changed.tv_nsec != y->changed.tv_nsec) return x->changed.tv_nsec < y->changed.tv_nsec ? 1 : -1;
    return -strcmp(x->name, y->name);
}

static struct aside *list_aside(struct spool_set *set, size_t *count) {
    struct aside *list = NULL;
    *count = 0;
    DIR *dir = open_folder(set);
    if (!dir) return NULL;
    for (struct dirent *d; (d = readdir(dir));) {
        size_t n = strlen(d->d_name);
        struct stat st;
        if (n < 8 || n >= sizeof list->name || strcmp(d->d_name + n - 8, ".seg.bad") != 0) continue;
        if (fstatat(set->dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) continue;
        list = xrealloc(list, (*count + 1) * sizeof *list);
        struct aside *a = &list[(*count)++];
        *a = (struct aside){.changed = st.st_ctim, .bytes = (uint64_t)st.st_blocks * 512};
        memcpy(a->name, d->d_name, n);
    }
    closedir(dir);
    return list;
}

/* Somebody may look into them, but a disk that goes bad again and again must not fill itself with them. */
static void bound_aside(struct spool_set *set) {
    size_t count;
    struct aside *list = list_aside(set, &count);
    if (count) qsort(list, count, sizeof *list, newest_first);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += list[i].bytes;
        if (i == 0 || (i < SPOOL_BAD_MAX && bytes <= SPOOL_BAD_BYTES)) continue;
        if (unlinkat(set->dirfd, list[i].name, 0) != 0) continue;
        log_event(LOG_ERROR, "spool_bad_removed", log_z("segment", list[i].name),
                  log_i("bytes", (int64_t)list[i].bytes), log_i("kept", SPOOL_BAD_MAX));
    }
    free(list);
}

void spool_set_aside(struct spool_set *set, const char *name) {
    char to[SEGMENT_NAME_MAX + 8];
    snprintf(to, sizeof to, "%s.bad", name);
    renameat(set->dirfd, name, set->dirfd, to);
    bound_aside(set);
}
