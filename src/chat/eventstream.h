/* eventstream: AWS event-stream frames (application/vnd.amazon.eventstream), pure.
 *
 * A frame: total length, length of headers, CRC-32 of those 8 bytes; headers; payload; CRC-32 of all
 * before it. Both checks are made; a frame that fails them ends the stream. */
#ifndef DRAY_CHAT_EVENTSTREAM_H
#define DRAY_CHAT_EVENTSTREAM_H

#include "base/buf.h"
#include "base/str.h"

enum { EVENTSTREAM_FRAME_MAX = 16 << 20 };

struct eventstream {
    buf held;    /* the incomplete frame */
    size_t used; /* of `held`, by the frame given last */
    bool bad;
};
struct eventstream_frame {
    str event;   /* :event-type, or :exception-type, or :error-code */
    bool failed; /* the message is an exception or error */
    str payload;
};

void eventstream_init(struct eventstream *s);
void eventstream_free(struct eventstream *s);
/* Takes the next frame out of what is held and `*in`, which is advanced. False when there is none yet,
 * or `bad`. Views are valid until the next call. */
bool eventstream_next(struct eventstream *s, str *in, struct eventstream_frame *out);
/* Whether the stream ends inside a frame. */
bool eventstream_cut(const struct eventstream *s);

#endif
