/* books: the thread between spool and store.
 *
 * It works in slices (slice.c): read what the writers appended, fold it, write the calls that ended in
 * one transaction together with how far each segment was read. A segment stays on disk until all
 * calls that began in it are in the store; then it is unlinked. After a crash (recover.c) the
 * segments are read again from their start: events before the store's mark ("applied") belong to
 * calls that are stored, if they ended, or are still wanted, if not; so nothing is missing and nothing
 * twice, without a single lookup. Calls without an end in a dead process's segments were cut.
 *
 * A call that lasts longer than SEGMENTS_HELD segments is copied into the store (table open_call), so
 * that one long stream doesn't pin the spool.
 *
 * When the store fails (locked, full, gone), the slice is kept and tried again; meanwhile nothing more
 * is read, so memory stays bounded and the backlog is on disk, where it is counted. A store that was
 * deleted or replaced under us is noticed by its inode; the segments at hand are read again into the new
 * one. */
#include "books/books-private.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    BUSY_SLICE_US = 250000, /* between slices under load: large batches are cheaper */
    IDLE_SLICE_US = 40000,  /* between slices otherwise */
    BUSY_EVENTS = 200,      /* so many events in a slice are load */
    RETRY_US = 250000,
    STOP_US = 1000,        /* between the last ones */
    CHECK_US = 1000000,    /* looks at the store's file */
    ORPHANS_US = 10000000, /* looks for dead processes' segments */
    IDLE_CHECKPOINT_US = 5000000,
    WAL_CHECKPOINT = 8000, /* pages of log that trigger copying it over: 32 MB */
    EXPIRE_ROWS = 500,     /* deleted at a time */
    EXPIRE_US = 250000,    /* between such deletions */
    EXPIRE_IDLE_US = 60000000,
    NICE = 5,
    ASIDE_MAX = 5, /* broken ledgers kept */
};

/* ---- how it stands ---- */

void books_error(struct books *b, const char *event, const err *e) {
    atomic_fetch_add(&b->failures, 1);
    pthread_mutex_lock(&b->error_lock);
    bool news = strncmp(b->error, e->msg, sizeof b->error - 1) != 0;
    snprintf(b->error, sizeof b->error, "%.159s", e->msg);
    pthread_mutex_unlock(&b->error_lock);
    bool was = atomic_exchange(&b->store_ok, false);
    if (was || news) log_event(LOG_ERROR, event, log_z("error", e->msg), log_z("ledger", b->path));
}

void books_fine(struct books *b) {
    if (atomic_exchange(&b->store_ok, true)) return;
    pthread_mutex_lock(&b->error_lock);
    memset(b->error, 0, sizeof b->error);
    pthread_mutex_unlock(&b->error_lock);
    log_event(LOG_INFO, "ledger_ok", log_z("ledger", b->path));
}

void books_status(const struct books *cb, struct books_status *out) {
    struct books *b = (struct books *)(uintptr_t)cb; /* the lock is no state */
    uint64_t appended = 0, lost = 0;
    *out = (struct books_status){0};
    uint64_t handled = atomic_load(&b->handled);
    for (uint32_t i = 0; i < b->spool->count; i++) {
        appended += atomic_load_explicit(&b->spool->writer[i].events, memory_order_relaxed);
        lost += atomic_load_explicit(&b->spool->writer[i].lost, memory_order_relaxed);
    }
    out->backlog_events = appended > handled ? appended - handled : 0;
    out->backlog_events += atomic_load(&b->waiting);
    if (atomic_load(&b->recovering)) out->backlog_events++;
    out->backlog_bytes = atomic_load(&b->bytes);
    out->rows = atomic_load(&b->rows);
    out->lost = lost;
    out->known = atomic_load(&b->known);
    out->cut = atomic_load(&b->cut);
    out->unknown = atomic_load(&b->unknown);
    out->corrupt = atomic_load(&b->corrupt);
    out->failures = atomic_load(&b->failures);
    out->wal_bytes = atomic_load(&b->wal_bytes);
    out->open_calls = atomic_load(&b->open_calls);
    out->segments = atomic_load(&b->spool->segments);
    out->store_ok = atomic_load(&b->store_ok);
    out->spool_ok = atomic_load(&b->spool->ok);
    pthread_mutex_lock(&b->error_lock);
    memcpy(out->error, b->error, sizeof out->error);
    pthread_mutex_unlock(&b->error_lock);
    if (!out->error[0]) spool_error(b->spool, out->error);
}

/* ---- the store's file ---- */

/* Of the files put aside the newest ASIDE_MAX stay: a disk that goes bad again and again must not fill itself. */
static void bound_aside(struct books *b) {
    char pattern[4300];
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s.corrupt-*Z", b->path);
    if (glob(pattern, 0, NULL, &g) != 0) return; /* sorted: by time */
    for (size_t i = 0; i + ASIDE_MAX < g.gl_pathc; i++) {
        log_event(LOG_WARN, "ledger_aside_removed", log_z("file", g.gl_pathv[i]));
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        for (int k = 0; k < 3; k++) {
            char path[4300];
            snprintf(path, sizeof path, "%.4200s%s", g.gl_pathv[i], suffixes[k]);
            unlink(path);
        }
    }
    globfree(&g);
}

/* Puts aside a file that is no database, with its log. */
static void put_aside(struct books *b) {
    char iso[28];
    clock_iso(iso, clock_wall_us()); /* to the microsecond: none takes another's place */
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        char from[4200], to[4300];
        snprintf(from, sizeof from, "%s%s", b->path, suffixes[i]);
        snprintf(to, sizeof to, "%s.corrupt-%s%s", b->path, iso, suffixes[i]);
        if (rename(from, to) == 0 && i == 0)
            log_event(LOG_ERROR, "ledger_corrupt", log_z("ledger", b->path), log_z("moved_to", to));
    }
    bound_aside(b);
}

static int wal_grew(void *ctx, sqlite3 *db, const char *name, int pages) {
    (void)db;
    (void)name;
    ((struct books *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static bool open_store(struct books *b, err *e) {
    bool garbage;
    b->store = store_open(b->path, b->c.fsync, &garbage, e);
    if (!b->store && garbage) {
        put_aside(b);
        b->store = store_open(b->path, b->c.fsync, &garbage, e);
    }
    if (!b->store) return false;
    sqlite3_wal_hook(store_db(b->store), wal_grew, b);
    struct stat st;
    b->inode = stat(b->path, &st) == 0 ? st.st_ino : 0;
    return true;
}

static void close_store(struct books *b) {
    store_close(b->store);
    b->store = NULL;
}

/* Whether the file still begins as a database does; read through SQLite's own descriptor, because closing
 * another one would drop its locks. */
static bool still_database(sqlite3 *db) {
    static const char magic[16] = "SQLite format 3";
    char head[16];
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods)
        return true;
    int rc = f->pMethods->xRead(f, head, sizeof head, 0);
    return rc == SQLITE_IOERR_SHORT_READ || (rc == SQLITE_OK && memcmp(head, magic, sizeof head) == 0);
}

/* Deleted, replaced or overwritten under us, or never open: open what is there now and read the segments
 * again. */
static bool check_store(struct books *b, err *e) {
    struct stat st;
    bool same = b->store && stat(b->path, &st) == 0 && st.st_ino == b->inode;
    if (same && still_database(store_db(b->store))) return true;
    if (same) put_aside(b);
    if (b->store) {
        log_event(LOG_ERROR, "ledger_replaced", log_z("ledger", b->path));
        close_store(b);
    }
    if (!open_store(b, e)) return false;
    slice_rewind(b);
    b->next_orphans = 0;
    return true;
}

/* What SQLite says is broken is put aside like garbage: the calls go on into a new ledger. */
static void on_failure(struct books *b, const err *e) {
    books_error(b, "ledger_failed", e);
    int code = b->store ? sqlite3_errcode(store_db(b->store)) & 0xff : 0;
    if (code != SQLITE_CORRUPT && code != SQLITE_NOTADB) return;
    close_store(b);
    put_aside(b);
    b->next_check = 0;
}

/* ---- upkeep ---- */

/* The log is copied into the database when it is long, or when it is quiet. All copied: the next write begins the
 * log anew, if no reader is in it. */
static void checkpoint(struct books *b, uint64_t now) {
    bool idle = b->wal_pages > 0 && now > b->last_write + IDLE_CHECKPOINT_US;
    if (b->wal_pages < WAL_CHECKPOINT && !idle) return;
    int left = 0;
    err e;
    if (!store_checkpoint(b->store, &left, &e)) on_failure(b, &e);
    if (left == 0 && idle) b->wal_pages = 0;
    if (idle) b->last_write = now;
}

bool books_bound_log(struct books *b, err *e) {
    int left = 0;
    if (b->wal_pages >= WAL_CHECKPOINT && !store_checkpoint(b->store, &left, e)) return false;
    if (b->wal_pages <= b->wal_max) return true;
    if (store_restart_log(b->store)) {
        b->wal_pages = 0;
        return true;
    }
    return fail(e, "a long read of the ledger holds back its log, which is at its bound of %d MB",
                b->wal_max / (1 << 20 >> 12));
}

static void expire(struct books *b, uint64_t now) {
    if (!b->c.keep_calls_us || now < b->next_expire) return;
    uint64_t wall = clock_wall_us();
    err e;
    int n = 0;
    if (wall > b->c.keep_calls_us && store_begin(b->store, &e)) {
        n = store_expire(b->store, wall - b->c.keep_calls_us, EXPIRE_ROWS, &e);
        if (n < 0 || !store_commit(b->store, &e)) {
            if (n < 0) store_rollback(b->store);
            on_failure(b, &e);
        }
    }
    b->next_expire = now + (n == EXPIRE_ROWS ? EXPIRE_US : EXPIRE_IDLE_US);
}

/* ---- the thread ---- */

static void be_modest(void) {
    pthread_setname_np(pthread_self(), "books");
    struct sched_param p = {0};
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &p);
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE); /* of this thread alone, on Linux */
}

/* books_close ends the wait; what its turns then find is soon all. */
static void wait_us(struct books *b, uint64_t us) {
    if (atomic_load(&b->stop_at)) us = STOP_US;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    us += (uint64_t)until.tv_nsec / 1000;
    until.tv_sec += (time_t)(us / 1000000);
    until.tv_nsec = (long)(us % 1000000 * 1000);
    pthread_mutex_lock(&b->wait_lock);
    bool stopping = atomic_load(&b->stop_at) != 0;
    while (stopping == (atomic_load(&b->stop_at) != 0) &&
           pthread_cond_timedwait(&b->wait, &b->wait_lock, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&b->wait_lock);
}

/* One turn; *drained: nothing was left to read. Returns how long to wait. */
static uint64_t turn(struct books *b, uint64_t now, bool *drained) {
    err e = {{0}};
    *drained = false;
    if (!b->store || now >= b->next_check) {
        b->next_check = now + CHECK_US;
        if (!check_store(b, &e)) {
            books_error(b, "ledger_failed", &e);
            return RETRY_US;
        }
    }
    if (now >= b->next_orphans) {
        b->next_orphans = now + ORPHANS_US;
        bool good = recover(b, &e);
        if (!good) {
            b->next_orphans = 0;
            on_failure(b, &e);
            return RETRY_US;
        }
        atomic_store(&b->recovering, false);
    }
    if (b->wal_pages > b->wal_max && !books_bound_log(b, &e)) {
        books_error(b, "ledger_log_full", &e);
        return RETRY_US;
    }
    bool all = b->queue.count > 0 || slice_read(b); /* a slice that failed is tried before more is read */
    uint64_t events = b->slice_events;
    if (!slice_write(b, &e)) {
        on_failure(b, &e);
        return RETRY_US;
    }
    books_fine(b);
    if (events) b->last_write = now;
    atomic_store(&b->wal_bytes, (uint64_t)b->wal_pages * 4096);
    if (events == 0 && !store_flush(b->store, &e)) on_failure(b, &e); /* when it is quiet */
    if (!b->store) return 0;
    checkpoint(b, now);
    expire(b, now);
    *drained = all && events == 0;
    if (!all) return 0;
    return events > BUSY_EVENTS ? BUSY_SLICE_US : IDLE_SLICE_US;
}

static void *books_main(void *arg) {
    struct books *b = arg;
    be_modest();
    for (;;) {
        /* Only a turn that began after the writers stopped may find that all is done. */
        uint64_t stop_at = atomic_load(&b->stop_at), now = clock_mono_us();
        bool drained;
        uint64_t pause = turn(b, now, &drained);
        if (stop_at && (drained || now >= stop_at)) break;
        if (pause) wait_us(b, pause);
    }
    return NULL;
}

/* ---- life ---- */

static char *copy(str s) {
    char *p = xmalloc(s.n + 1);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static void books_free(struct books *b) {
    store_close(b->store);
    if (b->spool) spool_close(b->spool);
    if (b->fold.bucket) fold_free(&b->fold);
    pthread_mutex_destroy(&b->amend_lock);
    pthread_mutex_destroy(&b->error_lock);
    pthread_mutex_destroy(&b->wait_lock);
    pthread_cond_destroy(&b->wait);
    free(b->dropped.name);
    free(b->path);
    free(b->gateway);
    free(b);
}

struct books *books_open(const struct books_config *c, err *e) {
    struct books *b = xcalloc(1, sizeof *b);
    b->c = *c;
    b->path = copy(c->path);
    b->gateway = copy(c->gateway);
    b->wal_max = c->wal_max ? (int)c->wal_max : WAL_MAX;
    pthread_mutex_init(&b->amend_lock, NULL);
    pthread_mutex_init(&b->error_lock, NULL);
    pthread_mutex_init(&b->wait_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&b->wait, &monotonic);
    pthread_condattr_destroy(&monotonic);
    fold_init(&b->fold);
    queue_init(&b->queue);
    atomic_store(&b->store_ok, true);
    atomic_store(&b->recovering, true);
    struct books_config with_amend = *c;
    with_amend.writers = c->writers + 1;
    b->spool = spool_open(&with_amend, e);
    bool good = b->spool != NULL;
    if (good && !open_store(b, e)) {
        /* Locked by somebody: that passes, and the spool holds until then. */
        good = strstr(e->msg, "locked") != NULL;
        if (good) books_error(b, "ledger_failed", e);
    }
    if (good) {
        readers_open(b);
        good = pthread_create(&b->thread, NULL, books_main, b) == 0 || fail(e, "can't start the books thread");
    }
    if (!good) {
        books_free(b);
        return NULL;
    }
    b->started = true;
    return b;
}

uint64_t books_close(struct books *b, uint64_t wait) {
    uint64_t now = clock_mono_us();
    pthread_mutex_lock(&b->wait_lock);
    atomic_store(&b->stop_at, now + wait + 1);
    pthread_cond_signal(&b->wait);
    pthread_mutex_unlock(&b->wait_lock);
    pthread_join(b->thread, NULL);
    struct books_status st;
    books_status(b, &st);
    readers_close(b);
    if (b->store) {
        err e;
        int left;
        if (b->dropped.count && store_begin(b->store, &e)) {
            for (size_t i = 0; i < b->dropped.count; i++) store_drop_segment(b->store, b->dropped.name[i], &e);
            store_commit(b->store, &e);
        }
        store_flush(b->store, &e);
        store_checkpoint(b->store, &left, &e);
    }
    books_free(b);
    return st.backlog_events;
}

struct spool *books_writer(struct books *b, unsigned i) {
    invariant(i + 1 < b->spool->count);
    return &b->spool->writer[i];
}

bool books_amend(struct books *b, const struct record_amend *m) {
    pthread_mutex_lock(&b->amend_lock);
    bool good = spool_amend(&b->spool->writer[b->spool->count - 1], m);
    pthread_mutex_unlock(&b->amend_lock);
    return good;
}
