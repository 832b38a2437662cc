/* Embedding tables of others: a compact table, or (two bytes: length of the first) model.safetensors and
 * tokenizer.json; and texts through whatever was opened. Bounded work, and nothing read beyond. */
#include "brain/embed.h"
#include "fuzz.h"

#include "base/arena.h"

static void use(const struct embed *t, str text) {
    static struct words w;
    static struct embed_vector v;
    uint32_t id[EMBED_READ_MAX];
    unsigned n = embed_pieces(t, text, &w, id, EMBED_READ_MAX);
    MUST(n <= EMBED_READ_MAX);
    for (unsigned i = 0; i < n; i++) MUST(id[i] < t->pieces);
    embed_words(t, &w, &v);
    int32_t self = embed_dot(v.v, v.v, embed_lanes(t));
    float cosine = (float)self * v.inverse * v.inverse;
    MUST(v.inverse == 0 ? self == 0 : cosine > 0.999f && cosine < 1.001f);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    static const char text[] =
        "Hello, world! Caf\xC3\xA9 abc ab a1 \xE4\xB8\xAD\xE5\x9B\xBD aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    if (n < 2 || n > 1 << 16) return 0;
    arena a;
    struct embed t;
    err e = {{0}};
    arena_init(&a, 4096, 256 << 20);
    size_t first = (size_t)p[0] << 8 | p[1];
    str all = str_make((const char *)p + 2, n - 2), x = str_take(all, first), y = str_skip(all, first);
    char *left = exact(x.p, x.n), *right = exact(y.p, y.n);
    bool good = first == 0xffff ? embed_open(str_make(left, x.n), &a, &t, &e)
                                : embed_import(str_make(left, x.n), str_make(right, y.n), &a, &t, &e);
    if (good) {
        use(&t, str_make(text, sizeof text - 1));
        use(&t, str_make(right, y.n));
    } else {
        MUST(e.msg[0]);
    }
    free(left);
    free(right);
    arena_free(&a);
    return 0;
}
