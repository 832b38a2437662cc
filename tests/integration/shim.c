/* Preloaded into dray by tests: a wall clock that runs ahead, and a disk that is slow.
 *
 *     DRAY_SHIM_CLOCK=OFFSET_S,FACTOR   CLOCK_REALTIME starts OFFSET_S from now and runs FACTOR times as fast
 *     DRAY_SHIM_DISK_MS=MS              each pwrite, fsync and fdatasync takes so long more */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static double offset, factor;
static int64_t began;
static long disk_ms;

static int64_t real_ns(clockid_t id) {
    struct timespec t = {0};
    syscall(SYS_clock_gettime, id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

__attribute__((constructor)) static void start(void) {
    const char *clock = getenv("DRAY_SHIM_CLOCK"), *disk = getenv("DRAY_SHIM_DISK_MS");
    began = real_ns(CLOCK_REALTIME);
    if (clock && sscanf(clock, "%lf,%lf", &offset, &factor) != 2) factor = 0;
    if (disk) disk_ms = atol(disk);
}

int clock_gettime(clockid_t id, struct timespec *t) {
    int64_t now = real_ns(id);
    if (id == CLOCK_REALTIME && factor > 0) now = began + (int64_t)(offset * 1e9 + (double)(now - began) * factor);
    *t = (struct timespec){.tv_sec = now / 1000000000, .tv_nsec = now % 1000000000};
    return 0;
}

static void wait_for_disk(void) {
    if (disk_ms) usleep((useconds_t)disk_ms * 1000);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) {
    wait_for_disk();
    return REAL(pwrite64)(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at) {
    wait_for_disk();
    return REAL(pwrite)(fd, p, n, at);
}

int fsync(int fd) {
    wait_for_disk();
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    wait_for_disk();
    return REAL(fdatasync)(fd);
}
