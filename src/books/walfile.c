/* walfile: see the header.
 *
 * SQLite writes each page of a transaction as a frame: a head of 24 bytes, then the page. Each is a system call
 * here and touches a page of the file's cache more than it must; at a few hundred frames a transaction that was a
 * tenth of what booking costs.
 *
 * Frames are kept until they are 64 kB, or until the frame that ends a transaction is complete: its head says how
 * many pages the database has then, all others' say 0. Only after it does SQLite tell readers, in the log's index,
 * that the frames are there. Whatever else is done to the log writes out first what is kept.
 *
 * What a transaction leaves that is rolled back must never be written: another process may have put its own frames
 * there. So nothing is written before the commit (cache_spill is off), and a rollback drops what is kept. */
#include "books/walfile.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_HEAD = 24, KEPT_MAX = 64 * 1024 };

struct wal_file {
    sqlite3_file base;
    sqlite3_file *real;
    char *kept;         /* KEPT_MAX bytes, NULL: nothing can be kept */
    int n;              /* of them used */
    bool ends;          /* the last head that was written ends its transaction */
    sqlite3_int64 from; /* where they belong */
};

static sqlite3_vfs *under, over;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct wal_file *wal(sqlite3_file *f) { return (struct wal_file *)f; }

static int write_out(struct wal_file *w) {
    int n = w->n;
    w->n = 0; /* also when it fails: the transaction is given up then */
    return n ? w->real->pMethods->xWrite(w->real, w->kept, n, w->from) : SQLITE_OK;
}

static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    struct wal_file *w = wal(f);
    int rc = SQLITE_OK;
    if (w->n && (at != w->from + w->n || w->n + n > KEPT_MAX)) rc = write_out(w);
    if (rc != SQLITE_OK) return rc;
    if (!w->kept || n > KEPT_MAX) return w->real->pMethods->xWrite(w->real, p, n, at);
    if (w->n == 0) w->from = at;
    memcpy(w->kept + w->n, p, (size_t)n);
    w->n += n;
    if (n == FRAME_HEAD) {
        static const char none[4];
        w->ends = memcmp((const char *)p + 4, none, sizeof none) != 0;
        return SQLITE_OK;
    }
    bool all = w->ends;
    w->ends = false;
    return all ? write_out(w) : SQLITE_OK;
}

/* What is kept now was never committed. */
static int wal_close(sqlite3_file *f) {
    free(wal(f)->kept);
    return wal(f)->real->pMethods->xClose(wal(f)->real);
}

/* Everything else, after what is kept. */
#define AFTER(call)                                                                                               \
    struct wal_file *w = wal(f);                                                                                  \
    int rc = write_out(w);                                                                                        \
    return rc == SQLITE_OK ? w->real->pMethods->call : rc

static int wal_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { AFTER(xRead(w->real, p, n, at)); }
static int wal_truncate(sqlite3_file *f, sqlite3_int64 n) { AFTER(xTruncate(w->real, n)); }
static int wal_sync(sqlite3_file *f, int flags) { AFTER(xSync(w->real, flags)); }
static int wal_size(sqlite3_file *f, sqlite3_int64 *n) { AFTER(xFileSize(w->real, n)); }
static int wal_lock(sqlite3_file *f, int how) { AFTER(xLock(w->real, how)); }
static int wal_unlock(sqlite3_file *f, int how) { AFTER(xUnlock(w->real, how)); }
static int wal_locked(sqlite3_file *f, int *out) { AFTER(xCheckReservedLock(w->real, out)); }
static int wal_control(sqlite3_file *f, int op, void *arg) { AFTER(xFileControl(w->real, op, arg)); }
static int wal_sector(sqlite3_file *f) { return wal(f)->real->pMethods->xSectorSize(wal(f)->real); }
static int wal_device(sqlite3_file *f) { return wal(f)->real->pMethods->xDeviceCharacteristics(wal(f)->real); }

static const sqlite3_io_methods methods = {.iVersion = 1,
                                           .xClose = wal_close,
                                           .xRead = wal_read,
                                           .xWrite = wal_write,
                                           .xTruncate = wal_truncate,
                                           .xSync = wal_sync,
                                           .xFileSize = wal_size,
                                           .xLock = wal_lock,
                                           .xUnlock = wal_unlock,
                                           .xCheckReservedLock = wal_locked,
                                           .xFileControl = wal_control,
                                           .xSectorSize = wal_sector,
                                           .xDeviceCharacteristics = wal_device};

static int over_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL)) return under->xOpen(under, name, f, flags, out);
    struct wal_file *w = wal(f);
    memset(w, 0, sizeof *w);
    w->real = (sqlite3_file *)(w + 1);
    int rc = under->xOpen(under, name, w->real, flags, out);
    if (rc != SQLITE_OK && !w->real->pMethods) return rc;
    w->kept = malloc(KEPT_MAX);
    w->base.pMethods = &methods;
    return rc;
}

static void make(void) {
    under = sqlite3_vfs_find(NULL);
    if (!under) return;
    over = *under;
    over.pNext = NULL;
    over.zName = "dray";
    over.szOsFile += (int)sizeof(struct wal_file);
    over.xOpen = over_open;
    if (sqlite3_vfs_register(&over, 0) != SQLITE_OK) under = NULL;
}

static void drop(void *ctx) {
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(ctx, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f) != SQLITE_OK || !f) return;
    if (f->pMethods == &methods) wal(f)->n = 0;
}

void walfile_attach(sqlite3 *db) { sqlite3_rollback_hook(db, drop, db); }

const char *walfile_vfs(void) {
    pthread_once(&once, make);
    return under ? over.zName : NULL;
}
