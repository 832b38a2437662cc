/* segment: one preallocated, memory-mapped file of events. One writer appends, one reader tails;
 * they share nothing but `committed` and `sealed` in the head of the file.
 *
 * A segment is written once, from its start to its end, then sealed and unlinked; it is never
 * truncated or used again, so that a mapping of it stays valid as long as somebody holds it. */
#ifndef DRAY_BOOKS_SEGMENT_H
#define DRAY_BOOKS_SEGMENT_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>

enum {
    SEGMENT_SIZE = 8 * 1024 * 1024, /* bytes of a segment unless configured */
    SEGMENT_SIZE_MIN = 256 * 1024,
    SEGMENT_HEAD = 256, /* events begin here */
    EVENT_HEAD = 32,
    EVENT_MAX = 64 * 1024, /* bytes of one event, head included */
    SEGMENT_NAME_MAX = 64,
};

/* The first bytes of the file. Writer and reader each touch their own cache line. */
struct segment_head {
    char magic[8]; /* SEGMENT_MAGIC */
    uint32_t version;
    uint32_t writer;
    uint64_t instance; /* of the process that wrote it */
    uint64_t seq;      /* order among this writer's segments, from 1 */
    uint64_t size;
    char gateway[64]; /* NUL-terminated: name in the rows */
    char pad[128 - 104];
    _Atomic uint64_t committed; /* events up to this offset are complete; release-stored */
    char pad2[64 - 8];
    _Atomic uint32_t sealed; /* nothing follows `committed` */
    char pad3[64 - 4];
};
#define SEGMENT_MAGIC "DRAYSPL1"
enum { SEGMENT_VERSION = 1 };

/* In front of each event; `crc` covers everything behind it up to the end of the payload. Events
 * begin at multiples of 8. */
struct event_head {
    uint32_t crc;
    uint32_t len;  /* payload bytes */
    uint8_t type;  /* enum event_type */
    uint8_t flags; /* enum event_flag */
    uint16_t n;    /* number within the call: the same number again is the same event again */
    uint32_t pad;
    unsigned char id[16];
};

struct segment {
    struct segment_head *head; /* the mapping */
    size_t size;               /* bytes that may hold events; of a loaded one, up to the last that was written */
    size_t mapped;
    char name[SEGMENT_NAME_MAX]; /* file name within the spool folder */
    bool touched;                /* its pages were brought into memory */
    struct segment *next;        /* the writer's following one, set before this is sealed */
    struct segment *next_done;   /* the helper's list of those to be removed */
};

/* Creates, allocates on disk and maps a segment. NULL on failure (disk full, no rights). */
struct segment *segment_create(int dirfd, uint64_t instance, uint32_t writer, uint64_t seq, size_t size,
                               str gateway, err *e);
/* Brings the pages from `from` on into memory, so that the writer doesn't fault on them. */
void segment_touch(struct segment *s, size_t from);
/* The pages of [*from, to) were read and are not this process's memory any more (they come back from the file when
 * they are read again); in large steps: moves *from behind what was shed. Not for loaded segments. */
void segment_shed(struct segment *s, size_t *from, size_t to);
/* Makes what was committed since *synced durable on the medium, and moves *synced up to it. */
void segment_sync(struct segment *s, size_t *synced);
/* Opens a segment that another process left, read into private memory (a file that shrinks under a
 * mapping would kill the process). NULL when it isn't a segment. */
struct segment *segment_load(int dirfd, const char *name, err *e);
/* Removes the mapping or memory; the file stays. */
void segment_close(struct segment *s);

/* The event at `*at`, whose bytes end at `limit`; moves *at behind it. False when there is none.
 * With `resync`, bytes that are no valid event are skipped (and counted in *bad, once per gap), else
 * they end the walk. */
bool segment_next(const struct segment *s, size_t *at, size_t limit, bool resync, uint64_t *bad,
                  struct event_head *head, str *payload);
/* Fills in the head, checksums and commits the event whose payload of `len` bytes lies at
 * offset `at` + EVENT_HEAD already. Returns the offset behind it. */
size_t segment_commit(struct segment *s, size_t at, uint8_t type, uint8_t flags, uint16_t n,
                      const unsigned char id[16], size_t len);

#endif
