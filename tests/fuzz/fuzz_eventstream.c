/* AWS's frames. Claims: any split gives the same frames; payloads lie in the stream; a stream whose frames all
 * pass has nothing left over, and one changed byte is always found. */
#include "fuzz.h"

#include "chat/eventstream.h"

#include <zlib.h>

static void put32(char *to, uint32_t v) {
    for (int i = 0; i < 4; i++) to[i] = (char)(v >> (24 - 8 * i));
}

/* Frames as text; how the stream ended. */
static void feed(str in, struct cuts *c, buf *out) {
    struct eventstream s;
    struct eventstream_frame f;
    eventstream_init(&s);
    while (in.n) {
        size_t n = c ? cut(c, in.n) : in.n;
        char *p = exact(in.p, n);
        str piece = {p, n};
        while (eventstream_next(&s, &piece, &f)) {
            buf_printf(out, "<%d %zu ", f.failed, f.payload.n);
            buf_str(out, f.event);
            buf_char(out, ' ');
            buf_str(out, f.payload);
        }
        free(p);
        in = str_skip(in, n);
    }
    buf_printf(out, "%s%s", s.bad ? "bad" : "", eventstream_cut(&s) ? "cut" : "");
    eventstream_free(&s);
}

/* The input as it is, and as a good frame's headers and payload (its first byte says how many headers). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in), again = c;
    buf whole, pieces;
    buf_init(&whole, 8 << 20);
    buf_init(&pieces, 8 << 20);
    data = (const uint8_t *)in.p;
    size = in.n;
    feed(in, NULL, &whole);
    feed(in, &c, &pieces);
    MUST(str_eq(buf_view(&whole), buf_view(&pieces)));
    if (size) {
        size_t n = size + 15, headers = data[0] < size - 1 ? data[0] : size - 1;
        char *frame = malloc(n);
        put32(frame, (uint32_t)n);
        put32(frame + 4, (uint32_t)headers);
        put32(frame + 8, (uint32_t)crc32(0, (const unsigned char *)frame, 8));
        memcpy(frame + 12, data + 1, size - 1);
        put32(frame + n - 4, (uint32_t)crc32(0, (const unsigned char *)frame, (unsigned)(n - 4)));
        buf_clear(&whole);
        buf_clear(&pieces);
        feed(str_make(frame, n), NULL, &whole);
        feed(str_make(frame, n), &again, &pieces);
        MUST(str_eq(buf_view(&whole), buf_view(&pieces)));
        frame[data[0] % n] ^= 1;
        buf_clear(&pieces);
        feed(str_make(frame, n), NULL, &pieces);
        MUST(str_ends(buf_view(&pieces), STR("badcut")) || str_eqz(buf_view(&pieces), "cut"));
        free(frame);
    }
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
