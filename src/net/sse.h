/* sse: server-sent events (WHATWG HTML, section 9.2), pure. A resumable splitter that keeps the
 * exact bytes of every event, so that what is passed on is what came. */
#ifndef DRAY_NET_SSE_H
#define DRAY_NET_SSE_H

#include "base/buf.h"
#include "base/str.h"

/* One event as it stood in the stream. */
struct sse_event {
    str bytes; /* the whole event, comments and blank line included */
    str event; /* the last `event:` value, empty when none */
    str data;  /* the `data:` value; lines joined with \n (rare; then a view of the splitter's own buffer) */
    bool has_data;
    uint32_t data_at; /* offset of `data` in `bytes` when the event has exactly one data line */
    bool single;      /* exactly one data line: `data` is a view of `bytes` */
};

/* Splitter: holds the incomplete tail between feeds (bounded by `max`). LF, CRLF and CR line ends;
 * a byte order mark at the start is skipped. */
struct sse {
    buf held;    /* incomplete event */
    buf joined;  /* multi-line data */
    size_t scan; /* how far `held` has been searched for an end */
    bool begun;
};
void sse_init(struct sse *s, size_t max);
void sse_free(struct sse *s);
/* Takes the next complete event out of held + `*in`; advances `*in`. False when there is none yet
 * (the rest of `*in` is then held) or held.failed (event larger than max). The event's views are
 * valid until the next call. When nothing is held, events are views of the input: no copy. */
bool sse_next(struct sse *s, str *in, struct sse_event *out);
/* What is left at the end of the stream: bytes that never became a complete event. */
str sse_rest(const struct sse *s);

#endif
