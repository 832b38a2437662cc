/* Compressed data. The first byte chooses the coding. Claims: any split gives the same bytes and the same verdict;
 * no more comes out than the bound; all input is used unless the verdict is bad; what is whole is what gunzip
 * says. */
#include "fuzz.h"

#include "base/gzip.h"

enum { MAX = 1 << 18 };

static bool decode(enum coding coding, str in, struct cuts *c, buf *out, bool *whole) {
    struct decoder *d = decoder_new(coding, MAX, 500);
    bool good = true;
    err e;
    while (in.n && good) {
        size_t n = c ? cut(c, in.n) : in.n;
        char *p = exact(in.p, n);
        str feed = {p, n}, piece;
        enum decoded r;
        while ((r = decoder_next(d, &feed, &piece, &e)) == DECODED_PIECE) {
            MUST(piece.n > 0);
            buf_str(out, piece);
        }
        good = r == DECODED_MORE;
        MUST(feed.n == 0 || !good);
        if (!good) MUST(decoder_next(d, &feed, &piece, &e) == DECODED_BAD);
        free(p);
        in = str_skip(in, n);
    }
    *whole = decoder_whole(d);
    MUST(good || !*whole);
    decoder_free(d);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str in = {(const char *)data, size};
    struct cuts c = take_cuts(&in);
    enum coding coding = in.n ? (enum coding)((unsigned char)in.p[0] % 4) : CODING_NONE;
    in = str_skip(in, 1);
    buf a, b, d;
    bool awhole, bwhole;
    buf_init(&a, MAX);
    buf_init(&b, MAX);
    buf_init(&d, MAX);
    bool agood = decode(coding, in, NULL, &a, &awhole), bgood = decode(coding, in, &c, &b, &bwhole);
    MUST(!a.failed && !b.failed && agood == bgood && awhole == bwhole);
    /* Where it went bad, a split may have given out more of what came before. */
    if (agood) MUST(str_eq(buf_view(&a), buf_view(&b)));
    if (coding == CODING_GZIP && gunzip(in, &d, NULL))
        MUST(!agood || (awhole && str_eq(buf_view(&a), buf_view(&d))));
    if (coding == CODING_GZIP && awhole) MUST(d.n == a.n);
    buf_free(&a);
    buf_free(&b);
    buf_free(&d);
    return 0;
}
