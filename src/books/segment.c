/* segment: see the header.
 *
 * Layout: segment_head, then events back to back, each aligned to 8 bytes. The writer copies an
 * event's payload behind `committed`, fills in its head, and release-stores the new `committed`: the
 * reader (same process or, after a crash, the next one) sees whole events only. The checksum is for
 * what the page cache can't promise: power loss, disk errors, another program's scribbles.
 *
 * Live segments are mapped shared. Left-over ones are read into private memory, because a mapped
 * file that is shorter than its mapping raises SIGBUS. */
#include "books/segment.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct segment_head) == SEGMENT_HEAD, "the head is part of the file format");
_Static_assert(sizeof(struct event_head) == EVENT_HEAD, "the head is part of the file format");

enum { CRC_FROM = 4 /* behind the checksum itself */ };

static size_t align8(size_t n) { return (n + 7) & ~(size_t)7; }

static struct segment *segment_map(int fd, size_t size, err *e, const char *name) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        fail(e, "can't map spool segment %s: %s", name, strerror(errno));
        return NULL;
    }
    /* Else one fault reads ahead, by megabytes on some machines, and what was never written looks as if it were.
     */
    (void)madvise(p, size, MADV_RANDOM);
    struct segment *s = xcalloc(1, sizeof *s);
    s->head = p;
    s->size = s->mapped = size;
    snprintf(s->name, sizeof s->name, "%s", name);
    return s;
}

struct segment *segment_create(int dirfd, uint64_t instance, uint32_t writer, uint64_t seq, size_t size,
                               str gateway, err *e) {
    char name[SEGMENT_NAME_MAX];
    snprintf(name, sizeof name, "%016" PRIx64 "-%03u-%010" PRIu64 ".seg", instance, writer, seq);
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        fail(e, "can't create spool segment %s: %s", name, strerror(errno));
        return NULL;
    }
    int rc = posix_fallocate(fd, 0, (off_t)size);
    struct segment *s = NULL;
    if (rc != 0)
        fail(e, "can't allocate spool segment %s: %s", name, strerror(rc));
    else
        s = segment_map(fd, size, e, name);
    close(fd);
    if (!s) {
        unlinkat(dirfd, name, 0);
        return NULL;
    }
    struct segment_head *h = s->head;
    memcpy(h->magic, SEGMENT_MAGIC, sizeof h->magic);
    h->version = SEGMENT_VERSION;
    h->writer = writer;
    h->instance = instance;
    h->seq = seq;
    h->size = size;
    gateway = str_take(gateway, sizeof h->gateway - 1);
    if (gateway.n) memcpy(h->gateway, gateway.p, gateway.n);
    atomic_store_explicit(&h->committed, SEGMENT_HEAD, memory_order_release);
    return s;
}

void segment_touch(struct segment *s, size_t from) {
    enum { PAGE = 4096 };
    from = (from + PAGE - 1) & ~(size_t)(PAGE - 1);
    /* An optimisation only: kernels before 5.14 don't know it, then the writer takes the faults. */
    if (from < s->size) (void)madvise((char *)s->head + from, s->size - from, MADV_POPULATE_WRITE);
}

void segment_shed(struct segment *s, size_t *from, size_t to) {
    enum { PAGE = 4096, STEP = 256 * 1024 };
    size_t begin = (*from + PAGE - 1) & ~(size_t)(PAGE - 1), end = to & ~(size_t)(PAGE - 1);
    if (end < begin + STEP) return;
    (void)madvise((char *)s->head + begin, end - begin, MADV_DONTNEED); /* the file keeps them */
    *from = end;
}

void segment_sync(struct segment *s, size_t *synced) {
    enum { PAGE = 4096 };
    size_t committed = (size_t)atomic_load_explicit(&s->head->committed, memory_order_acquire);
    if (committed == *synced) return;
    size_t from = *synced & ~(size_t)(PAGE - 1);
    if (msync((char *)s->head + from, committed - from, MS_SYNC) != 0) return; /* tried again next time */
    if (from > 0) (void)msync(s->head, PAGE, MS_SYNC);
    *synced = committed;
}

static bool read_range(int fd, char *base, size_t at, size_t end) {
    while (at < end) {
        ssize_t r = pread(fd, base + at, end - at, (off_t)at);
        if (r < 0 && errno == EINTR) continue;
        if (r <= 0) return false;
        at += (size_t)r;
    }
    return true;
}

/* Most of a segment was allocated and never written: only what was is read, into memory that is zero
 * otherwise. Where the file system can't tell, all is. *used: where the last written byte may lie. */
static bool read_written(int fd, char *base, size_t size, size_t *used) {
    *used = 0;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* no reading ahead into what was never written */
    while (*used < size) {
        off_t from = lseek(fd, (off_t)*used, SEEK_DATA);
        if (from < 0 && errno == ENXIO) break; /* nothing more */
        off_t end = from < 0 ? -1 : lseek(fd, from, SEEK_HOLE);
        if (end < 0 || (size_t)end > size) end = (off_t)size;
        if (from < 0) from = (off_t)*used;
        if (!read_range(fd, base, (size_t)from, (size_t)end)) return false;
        *used = (size_t)end;
    }
    return true;
}

/* Where the last byte that isn't zero lies, to a block. */
static size_t trim_zeros(const char *base, size_t n) {
    enum { BLOCK = 4096 };
    static const char zero[BLOCK];
    while (n > SEGMENT_HEAD) {
        size_t k = n % BLOCK ? n % BLOCK : BLOCK;
        if (memcmp(base + n - k, zero, k) != 0) break;
        n -= k;
    }
    return n < SEGMENT_HEAD ? SEGMENT_HEAD : n;
}

struct segment *segment_load(int dirfd, const char *name, err *e) {
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        fail(e, "can't open spool segment %s: %s", name, strerror(errno));
        return NULL;
    }
    struct stat st;
    struct segment *s = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < SEGMENT_HEAD) {
        fail(e, "spool segment %s is too short to be one", name);
    } else {
        size_t used = 0;
        s = xcalloc(1, sizeof *s);
        s->mapped = align8((size_t)st.st_size);
        s->head = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        snprintf(s->name, sizeof s->name, "%s", name);
        if (s->head == MAP_FAILED || !read_written(fd, (char *)s->head, (size_t)st.st_size, &used) ||
            memcmp(s->head->magic, SEGMENT_MAGIC, sizeof s->head->magic) != 0 ||
            s->head->version != SEGMENT_VERSION) {
            fail(e, "spool segment %s can't be read or is not a segment of version %d", name, SEGMENT_VERSION);
            if (s->head == MAP_FAILED) s->head = NULL;
            segment_close(s);
            s = NULL;
        } else {
            s->head->gateway[sizeof s->head->gateway - 1] = 0;
            s->size = align8(trim_zeros((char *)s->head, used));
        }
    }
    close(fd);
    return s;
}

void segment_close(struct segment *s) {
    if (!s) return;
    if (s->head) munmap(s->head, s->mapped);
    free(s);
}

static bool event_valid(const struct segment *s, size_t at, size_t limit) {
    struct event_head h;
    if (at + EVENT_HEAD > limit) return false;
    memcpy(&h, (const char *)s->head + at, sizeof h);
    if (h.type == 0 || h.len > EVENT_MAX || at + EVENT_HEAD + h.len > limit) return false;
    return crc32c(0, (const char *)s->head + at + CRC_FROM, EVENT_HEAD - CRC_FROM + h.len) == h.crc;
}

bool segment_next(const struct segment *s, size_t *at, size_t limit, bool resync, uint64_t *bad,
                  struct event_head *head, str *payload) {
    static const char zero[EVENT_HEAD];
    bool gap = false;
    if (limit > s->size) limit = s->size;
    while (*at + EVENT_HEAD <= limit && !event_valid(s, *at, limit)) {
        if (!resync) return false;
        if (!gap && memcmp((const char *)s->head + *at, zero, sizeof zero) != 0) {
            gap = true;
            ++*bad;
        }
        *at += 8;
    }
    if (*at + EVENT_HEAD > limit) return false;
    memcpy(head, (const char *)s->head + *at, sizeof *head);
    *payload = str_make((const char *)s->head + *at + EVENT_HEAD, head->len);
    *at = align8(*at + EVENT_HEAD + head->len);
    return true;
}

size_t segment_commit(struct segment *s, size_t at, uint8_t type, uint8_t flags, uint16_t n,
                      const unsigned char id[16], size_t len) {
    char *base = (char *)s->head + at;
    struct event_head h = {.len = (uint32_t)len, .type = type, .flags = flags, .n = n};
    memcpy(h.id, id, sizeof h.id);
    memcpy(base, &h, sizeof h);
    uint32_t crc = crc32c(0, base + CRC_FROM, EVENT_HEAD - CRC_FROM + len);
    memcpy(base, &crc, sizeof crc);
    size_t end = align8(at + EVENT_HEAD + len);
    atomic_store_explicit(&s->head->committed, end, memory_order_release);
    return end;
}
