/* embed_import: model2vec's two files into a table.
 *
 * model.safetensors: u64 length of a JSON head, the head {name: {dtype, shape, data_offsets}}, the data. Read are
 * "embeddings" (F32 or F16: rows x dims) and, where a model has them, "weights" (one factor for each piece) and
 * "mapping" (piece to row). tokenizer.json: the model's vocabulary, WordPiece or Unigram, and whether the
 * normalizer lower-cases. Texts are split by words.c, not by the file's own rules: for BERT's that is the same; a
 * unigram tokenizer may see marks apart that its own rules would have kept at a word.
 *
 * Rows become int8 by one scale, that of the value which all but 0.02 % stay below. Both files are hostile. */
#include "brain/embed.h"

#include "base/hash.h"
#include "base/json.h"

#include <math.h>

enum { HEAD_MAX = 16 << 20, PIECES_LEAST = 2, BINS = 4096, NAMES_MAX = 256 << 20 };
static const double outliers = 0.0002;
static const float unknown_penalty = 10; /* below the least likely piece, as SentencePiece has it */

struct tensor {
    str data;
    char dtype[8];
    uint64_t rows, columns;
};

/* ---- safetensors ---- */

static bool read_shape(jval shape, struct tensor *out) {
    jiter it = json_iter(shape);
    jval v;
    int64_t n[2] = {1, 1};
    unsigned count = 0;
    while (json_item(&it, &v))
        if (count == 2 || !json_i64(v, &n[count++]) || n[count - 1] < 1 || n[count - 1] > EMBED_FILE_MAX)
            return false;
    out->rows = (uint64_t)n[0];
    out->columns = (uint64_t)n[1];
    return count > 0;
}

static unsigned width(const char *dtype) {
    static const struct {
        const char *name;
        unsigned bytes;
    } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"I64", 8}, {"I32", 4}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, dtype) == 0) return types[i].bytes;
    return 0;
}

/* A tensor of the head; `out->data` stays empty where there is none of that name. */
static bool read_tensor(jval head, str data, const char *name, struct tensor *out, err *e) {
    jval t = json_get(head, str_from(name));
    int64_t at[2] = {0, 0};
    unsigned n = 0;
    *out = (struct tensor){.data = STR_NONE};
    if (t.type == J_NONE) return true;
    jiter it = json_iter(json_get(t, STR("data_offsets")));
    jval v, dtype = json_get(t, STR("dtype"));
    while (json_item(&it, &v))
        if (n == 2 || !json_i64(v, &at[n++])) return fail(e, "the tensor %s has no good place", name);
    if (dtype.type != J_STRING || dtype.esc || dtype.raw.n >= sizeof out->dtype)
        return fail(e, "the tensor %s has no type", name);
    memcpy(out->dtype, dtype.raw.p, dtype.raw.n);
    unsigned bytes = width(out->dtype);
    if (!bytes) return fail(e, "the tensor %s is of type %s, which is not read", name, out->dtype);
    if (n != 2 || at[0] < 0 || at[1] < at[0] || (uint64_t)at[1] > data.n ||
        !read_shape(json_get(t, STR("shape")), out) ||
        (uint64_t)(at[1] - at[0]) != out->rows * out->columns * bytes)
        return fail(e, "the tensor %s does not fit its file", name);
    out->data = str_make(data.p + at[0], (size_t)(at[1] - at[0]));
    return true;
}

static double half(uint16_t h) {
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double m = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return exponent == 31 ? NAN : h >> 15 ? -m : m;
}

/* Element `i` as a number. Little-endian machines only, as everything here. */
static double number(const struct tensor *t, size_t i) {
    union {
        double f64;
        float f32;
        uint16_t f16;
        int64_t i64;
        int32_t i32;
    } u = {0};
    unsigned n = width(t->dtype);
    memcpy(&u, t->data.p + i * n, n);
    if (t->dtype[0] == 'I') return n == 8 ? (double)u.i64 : (double)u.i32;
    return n == 8 ? u.f64 : n == 4 ? (double)u.f32 : half(u.f16);
}

struct source {
    struct tensor embeddings, weights, mapping;
    uint64_t pieces;
};

static bool read_source(str file, struct source *out, err *e) {
    uint64_t head;
    jval root;
    const char *why;
    size_t at;
    if (file.n < 8) return fail(e, "model.safetensors is cut");
    memcpy(&head, file.p, 8);
    if (head > HEAD_MAX || head > file.n - 8) return fail(e, "model.safetensors is cut, or not one");
    if (!json_check(str_make(file.p + 8, head), &root, &why, &at))
        return fail(e, "model.safetensors: its head: %s at byte %zu", why, at);
    str data = str_skip(file, 8 + head);
    if (!read_tensor(root, data, "embeddings", &out->embeddings, e) ||
        !read_tensor(root, data, "weights", &out->weights, e) ||
        !read_tensor(root, data, "mapping", &out->mapping, e))
        return false;
    if (!out->embeddings.data.p) return fail(e, "model.safetensors has no tensor \"embeddings\"");
    out->pieces = out->mapping.data.p ? out->mapping.rows : out->embeddings.rows;
    if (out->embeddings.columns > EMBED_DIMS_MAX || out->pieces > EMBED_PIECES_MAX || out->pieces < PIECES_LEAST ||
        out->pieces * out->embeddings.columns > EMBED_ROWS_MAX)
        return fail(e, "a table of %llu pieces x %llu is more than is read", (unsigned long long)out->pieces,
                    (unsigned long long)out->embeddings.columns);
    if (out->embeddings.dtype[0] == 'I') return fail(e, "quantised embeddings are not read");
    if (out->weights.data.p && out->weights.rows * out->weights.columns != out->pieces)
        return fail(e, "model.safetensors: \"weights\" does not fit");
    return true;
}

/* The row of a piece, with its weight; false for one that isn't there or isn't numbers. */
static bool row_of(const struct source *s, size_t piece, float *out) {
    double row = s->mapping.data.p ? number(&s->mapping, piece) : (double)piece;
    double weight = s->weights.data.p ? number(&s->weights, piece) : 1;
    if (!(row >= 0) || row >= (double)s->embeddings.rows || !isfinite(weight)) return false;
    for (uint64_t k = 0; k < s->embeddings.columns; k++) {
        double x = number(&s->embeddings, (size_t)row * s->embeddings.columns + k) * weight;
        if (!(fabs(x) < 1e9)) return false;
        out[k] = (float)x;
    }
    return true;
}

/* The value that all but a few stay below. */
static bool find_scale(const struct source *s, double *out, err *e) {
    float row[EMBED_DIMS_MAX];
    uint64_t bin[BINS] = {0}, dims = s->embeddings.columns, above = 0;
    double most = 0;
    for (size_t i = 0; i < s->pieces; i++) {
        if (!row_of(s, i, row)) return fail(e, "row %zu of the embeddings is not numbers", i);
        for (uint64_t k = 0; k < dims; k++)
            if (fabs((double)row[k]) > most) most = fabs((double)row[k]);
    }
    if (!(most > 1e-12)) return fail(e, "the embeddings are all zero");
    for (size_t i = 0; i < s->pieces; i++) {
        row_of(s, i, row);
        for (uint64_t k = 0; k < dims; k++) bin[(int)(fabs((double)row[k]) / most * (BINS - 1))]++;
    }
    unsigned b = BINS;
    while (b > 1 && (double)(above += bin[b - 1]) <= outliers * (double)(s->pieces * dims)) b--;
    *out = most * b / BINS / 127;
    return true;
}

static bool quantise(const struct source *s, arena *a, struct embed *out, err *e) {
    float row[EMBED_DIMS_MAX];
    double scale;
    uint64_t dims = s->embeddings.columns;
    if (!find_scale(s, &scale, e)) return false;
    int8_t *rows = arena_alloc(a, s->pieces * dims);
    for (size_t i = 0; i < s->pieces; i++) {
        row_of(s, i, row);
        for (uint64_t k = 0; k < dims; k++) {
            double x = (double)row[k] / scale;
            rows[i * dims + k] = (int8_t)(x > 127 ? 127 : x < -127 ? -127 : x < 0 ? x - 0.5 : x + 0.5);
        }
    }
    out->row = rows;
    out->pieces = (uint32_t)s->pieces;
    out->dims = (uint32_t)dims;
    return true;
}

/* ---- tokenizer ---- */

/* What a normalizer, or those in its sequence, do to letters. */
static enum fold fold_of(jval normalizer, unsigned depth) {
    jval type = json_get(normalizer, STR("type"));
    if (type.type != J_STRING) return FOLD_NONE;
    if (str_eqz(type.raw, "Lowercase")) return FOLD_CASE;
    if (str_eqz(type.raw, "StripAccents")) return FOLD_ALL;
    if (str_eqz(type.raw, "BertNormalizer")) {
        jval accents = json_get(normalizer, STR("strip_accents"));
        if (!json_true(json_get(normalizer, STR("lowercase")))) return FOLD_NONE;
        return accents.type == J_FALSE ? FOLD_CASE : FOLD_ALL;
    }
    enum fold most = FOLD_NONE;
    jiter it = json_iter(json_get(normalizer, STR("normalizers")));
    jval v;
    while (depth < 4 && json_item(&it, &v)) {
        enum fold f = fold_of(v, depth + 1);
        if (f > most) most = f;
    }
    return most;
}

static bool read_wordpieces(jval model, struct embed_name *name, uint32_t n, arena *a, err *e) {
    jval prefix = json_get(model, STR("continuing_subword_prefix")), v;
    str mark = prefix.type == J_STRING ? json_text(prefix, a) : STR("##"), key;
    jiter it = json_iter(json_get(model, STR("vocab")));
    bool esc, any = false;
    int64_t id;
    while (json_next(&it, &key, &esc, &v)) {
        if (!json_i64(v, &id) || id < 0 || id >= n) continue; /* a piece without a row is never found */
        str text = json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, a);
        bool continues = mark.n && text.n > mark.n && str_starts(text, mark);
        if (name[id].text.n) return fail(e, "tokenizer.json: two pieces are number %lld", (long long)id);
        name[id] = (struct embed_name){continues ? str_skip(text, mark.n) : text, continues};
        any = true;
    }
    return any || fail(e, "tokenizer.json has no vocabulary for these embeddings");
}

static bool read_unigrams(jval model, struct embed_name *name, uint32_t n, float *score, float *unknown, arena *a,
                          err *e) {
    jiter it = json_iter(json_get(model, STR("vocab")));
    jval pair, v[2];
    float least = 0;
    uint32_t id = 0;
    for (; json_item(&it, &pair) && id < n; id++) {
        jiter in = json_iter(pair);
        double x;
        if (!json_item(&in, &v[0]) || !json_item(&in, &v[1]) || v[0].type != J_STRING || !json_f64(v[1], &x) ||
            !(fabs(x) < 1e6))
            return fail(e, "tokenizer.json: piece %u of the vocabulary is malformed", id);
        name[id].text = json_text(v[0], a);
        score[id] = (float)x;
        if (score[id] < least) least = score[id];
    }
    *unknown = least - unknown_penalty;
    return id > 0 || fail(e, "tokenizer.json has no vocabulary");
}

static bool read_tokenizer(str file, arena *a, arena *names, struct embed *out, err *e) {
    jval root;
    const char *why;
    size_t at;
    if (!json_check(file, &root, &why, &at)) return fail(e, "tokenizer.json: %s at byte %zu", why, at);
    jval model = json_get(root, STR("model")), type = json_get(model, STR("type"));
    struct embed_name *name = arena_array(names, struct embed_name, out->pieces);
    out->fold = (uint8_t)fold_of(json_get(root, STR("normalizer")), 0);
    if (type.type == J_STRING && str_eqz(type.raw, "Unigram")) {
        float *score = arena_array(a, float, out->pieces);
        out->kind = EMBED_UNIGRAM;
        out->score = score;
        if (!read_unigrams(model, name, out->pieces, score, &out->unknown, names, e)) return false;
    } else if (type.type == J_STRING && str_eqz(type.raw, "WordPiece")) {
        out->kind = EMBED_WORDPIECE;
        if (!read_wordpieces(model, name, out->pieces, names, e)) return false;
    } else {
        return fail(e, "tokenizer.json: only WordPiece and Unigram vocabularies are read");
    }
    if (arena_failed(names)) return fail(e, "tokenizer.json is too large");
    return embed_index(out, name, out->pieces, a, e);
}

bool embed_import(str safetensors, str tokenizer, arena *a, struct embed *out, err *e) {
    struct source s = {0};
    arena names;
    *out = (struct embed){0};
    if (!read_source(safetensors, &s, e) || !quantise(&s, a, out, e)) return false;
    arena_init(&names, 64 << 10, NAMES_MAX);
    bool good = read_tokenizer(tokenizer, a, &names, out, e);
    arena_free(&names);
    uint64_t both[2] = {fingerprint(safetensors), fingerprint(tokenizer)};
    out->version = fingerprint(str_make((const char *)both, sizeof both));
    return good;
}
