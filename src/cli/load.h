/* load: an HTTP/1.1 load generator, one thread, one epoll loop.
 *
 * closed: every connection sends its next request when the answer is complete: saturation.
 * open:   requests are due at a constant rate (or Poisson); latency counts from the time a request was *due*,
 *         so that a server that stalls is charged for everything it kept waiting (no coordinated omission).
 *         What is unanswered at the end is counted with the age it has reached.
 * stream: closed loop of event streams: time to the first chunk, delay of each stamped chunk, gaps.
 *         (Its unanswered streams are counted, but in no histogram: they may be meant to be long.)
 * idle:   one request on each connection, then the connections are held open. */
#ifndef DRAY_CLI_LOAD_H
#define DRAY_CLI_LOAD_H

#include "base/err.h"
#include "base/str.h"
#include "cli/histogram.h"

#include <sys/socket.h>

#define LOAD_MODES(X) X(CLOSED, "closed") X(OPEN, "open") X(STREAM, "stream") X(IDLE, "idle")
enum load_mode {
#define X(id, name) LOAD_##id,
    LOAD_MODES(X)
#undef X
};

struct load_options {
    enum load_mode mode;
    uint32_t connections;
    double rate;             /* requests a second (open) */
    double seconds, warm_up; /* measured time, and the time before it that is not counted */
    uint32_t ramp_ms;        /* connections are opened over this time */
    bool poisson, progress;  /* progress: a line a second on stderr */
    struct sockaddr_storage address;
    socklen_t address_len;
    str request; /* head and body, ready to send */
};

struct load_result {
    double seconds; /* measured */
    uint64_t ok, http_errors, errors, connections, sent, bytes;
    uint64_t ok_counted, bytes_counted; /* within the measured time */
    uint64_t chunks, done;              /* stamped chunks; streams that ended with [DONE] */
    uint64_t unanswered;                /* open: due, but not answered when the run ended */
    uint64_t held;                      /* idle: connections open at the end */
    int last_status;
    double cpu_seconds;                /* of this process */
    struct histogram latency, service; /* from the due time; from the moment it was sent */
    struct histogram first_chunk, one_way, gap;
};

/* Runs; fills `*r`. False when the load could not be made at all (no sockets). */
bool load_run(const struct load_options *o, struct load_result *r, err *e);

#endif
