/* Tables of others: model2vec's two files, made here, word-piece and unigram, with weights and a mapping; and
 * every refusal. */
#include "brain/embed.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct files {
    buf weights;
    arena a;
    struct embed t;
    err e;
};

static int setup(void **state) {
    struct files *f = calloc(1, sizeof *f);
    arena_init(&f->a, 4096, 64 << 20);
    buf_init(&f->weights, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct files *f = *state;
    arena_free(&f->a);
    buf_free(&f->weights);
    free(f);
    return 0;
}

/* A safetensors file of this head and these bytes. */
static void make(struct files *f, const char *head, const void *data, size_t n) {
    uint64_t len = strlen(head);
    f->weights.n = 0;
    buf_add(&f->weights, &len, 8);
    buf_add(&f->weights, head, len);
    buf_add(&f->weights, data, n);
}

static bool import(struct files *f, const char *tokenizer) {
    f->e.msg[0] = 0;
    return embed_import(buf_view(&f->weights), str_from(tokenizer), &f->a, &f->t, &f->e);
}

static unsigned pieces(struct files *f, const char *text, uint32_t *out) {
    struct words w;
    return embed_pieces(&f->t, str_from(text), &w, out, 16);
}

static const char wordpieces[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":true},\"model\":{\"type\":\"WordPiece\","
    "\"continuing_subword_prefix\":\"##\",\"vocab\":{\"[UNK]\":0,\"play\":1,\"##ing\":2,\"##s\":3}}}";
static const char unigrams[] =
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"}]},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0.0],"
    "[\"\\u2581play\",-2.0],[\"ing\",-3.0],[\"\\u2581pl\",-1.5]]}}";
static const float rows[4][2] = {{9, 9}, {1, 0}, {0, 1}, {-1, 0}};
static const char f32_head[] = "{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,32]}}";

static void test_wordpieces(void **state) {
    struct files *f = *state;
    uint32_t id[16];
    make(f, f32_head, rows, sizeof rows);
    if (!import(f, wordpieces)) fail_msg("%s", f->e.msg);
    assert_int_equal(f->t.fold, FOLD_ALL);
    assert_int_equal(pieces(f, "Playing plays", id), 4);
    assert_int_equal(id[0], 1);
    assert_int_equal(id[1], 2);
    assert_int_equal(id[3], 3);
    assert_int_equal(pieces(f, "unknown", id), 0);
    struct words w;
    struct embed_vector v;
    words_split(STR("playing"), FOLD_ALL, &w);
    embed_words(&f->t, &w, &v); /* {1, 0} + {0, 1}: both lanes alike */
    assert_int_equal(v.v[0], v.v[1]);
    assert_true(v.v[0] > 100 && v.v[2] == 0);
}

static void test_unigrams(void **state) {
    struct files *f = *state;
    uint32_t id[16];
    make(f, f32_head, rows, sizeof rows);
    if (!import(f, unigrams)) fail_msg("%s", f->e.msg);
    assert_int_equal(f->t.kind, EMBED_UNIGRAM);
    assert_int_equal(f->t.fold, FOLD_CASE);
    assert_int_equal(pieces(f, "Playing", id), 2); /* the best sum, not the longest or likeliest first */
    assert_int_equal(id[0], 1);
    assert_int_equal(id[1], 2);
    assert_int_equal(pieces(f, "zzz", id), 0);
}

static void test_half_weights_and_mapping(void **state) {
    struct files *f = *state;
    static const char head[] = "{\"embeddings\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
                               "\"weights\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,24]},"
                               "\"mapping\":{\"dtype\":\"I32\",\"shape\":[4],\"data_offsets\":[24,40]}}";
    struct {
        uint16_t half[4];
        float weight[4];
        int32_t row[4];
    } data = {{0x3c00, 0, 0, 0x3c00}, {1, 1, 0.5f, 1}, {0, 0, 1, 1}}; /* 1 is 0x3c00 */
    make(f, head, &data, sizeof data);
    if (!import(f, wordpieces)) fail_msg("%s", f->e.msg);
    assert_int_equal(f->t.pieces, 4);
    assert_int_equal(f->t.row[1 * 2], 127);
    assert_int_equal(f->t.row[1 * 2 + 1], 0);
    assert_true(f->t.row[2 * 2 + 1] >= 63 && f->t.row[2 * 2 + 1] <= 64); /* half as much */
    data.row[3] = 2;                                                     /* beyond the rows */
    make(f, head, &data, sizeof data);
    assert_false(import(f, wordpieces));
}

static void test_refusals(void **state) {
    struct files *f = *state;
    static const struct {
        const char *head, *tokenizer, *want;
    } bad[] = {
        {"{}", wordpieces, "no tensor"},
        {"{", wordpieces, "its head"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[4,3],\"data_offsets\":[0,32]}}", wordpieces,
         "does not fit"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,320]}}", wordpieces,
         "does not fit"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[-4,2],\"data_offsets\":[0,32]}}", wordpieces,
         "does not fit"},
        {"{\"embeddings\":{\"dtype\":\"BF16\",\"shape\":[4,2],\"data_offsets\":[0,32]}}", wordpieces, "BF16"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]}}",
         "{\"model\":{\"type\":\"BPE\"}}", "only WordPiece and Unigram"},
        {f32_head, "{\"model\"", "tokenizer.json"},
        {f32_head, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "no vocabulary"},
        {f32_head, "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1,\"b\":1}}}", "two pieces are number 1"},
        {f32_head, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "malformed"},
        {f32_head, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[\"a\",0]]}}", "there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make(f, bad[i].head, rows, sizeof rows);
        if (import(f, bad[i].tokenizer)) fail_msg("%s / %s is not refused", bad[i].head, bad[i].tokenizer);
        if (!strstr(f->e.msg, bad[i].want)) fail_msg("\"%s\" lacks \"%s\"", f->e.msg, bad[i].want);
    }
    float nan[4][2] = {{1, 1}, {(float)(0.0 / 0.0), 1}, {1, 1}, {1, 1}};
    make(f, f32_head, nan, sizeof nan);
    assert_false(import(f, wordpieces));
    assert_non_null(strstr(f->e.msg, "not numbers"));
    memset(nan, 0, sizeof nan);
    make(f, f32_head, nan, sizeof nan);
    assert_false(import(f, wordpieces));
    assert_false(embed_import(STR("short"), STR_NONE, &f->a, &f->t, &f->e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wordpieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unigrams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_weights_and_mapping, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
