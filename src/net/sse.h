/* sse: server-sent events (WHATWG HTML, section 9.2), pure. A resumable splitter that keeps the
 * exact bytes of every event, so that what is passed on is what came: the `bytes` of all events, and sse_rest,
 * are the stream. */
#ifndef DRAY_NET_SSE_H
#define DRAY_NET_SSE_H

#include "base/buf.h"
#include "base/str.h"

/* One event as it stood in the stream. A blank line more than needed is an event without data; so is a comment
 * with a blank line behind it. */
struct sse_event {
    str bytes; /* the whole event, comments, byte order mark and blank line included */
    str event; /* the last `event:` value, empty when none */
    str data;  /* the `data:` value; lines joined with \n (rare; then a view of the splitter's own buffer) */
    bool has_data;
    uint32_t data_at; /* offset of `data` in `bytes` when the event has exactly one data line */
    bool single;      /* exactly one data line: `data` is a view of `bytes` */
};

/* Splitter: holds the incomplete tail between feeds (bounded by `max`). LF, CRLF and CR line ends;
 * a byte order mark at the start is skipped. */
struct sse {
    buf held;   /* incomplete event */
    buf joined; /* multi-line data */
    /* private from here */
    uint8_t state;
    bool begun, given; /* the first event is out; `held` is the event that was given out last */
};
void sse_init(struct sse *s, size_t max);
void sse_free(struct sse *s);
/* Takes the next complete event out of held + `*in`; advances `*in`. False when there is none yet
 * (the rest of `*in` is then held) or held.failed (event larger than max; `*in` then stays, nothing
 * comes any more, and the stream goes on with sse_rest, then `*in`). The event's views are valid
 * until the next call. When nothing is held, events are views of the input: no copy.
 *
 * An event whose blank line is a single CR at the end of the input waits for the next byte, which may be the LF
 * that belongs to it. */
bool sse_next(struct sse *s, str *in, struct sse_event *out);
/* At the end of the stream: an event that still waited for that LF. */
bool sse_finish(struct sse *s, struct sse_event *out);
/* What is left at the end of the stream: bytes that never became a complete event. */
str sse_rest(const struct sse *s);

#endif
