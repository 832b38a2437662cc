/* bpe: ranks in a hash table, merges in one of two ways.
 *
 * Most pieces are tokens themselves: one look-up. The others are merged from bytes, lowest rank first, leftmost of
 * equals: short ones by going over an array of boundaries, long ones (a line of dashes, base64) by a heap, since
 * going over them would take the square of their length. Both give what the reference gives. */
#include "catalog/bpe.h"

#include "base/base64.h"
#include "catalog/bpe_split.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLOTS = 1 << 19, /* over twice the tokens of the largest encoding */
    FILE_MAX = 8 << 20,
    TOKEN_MAX = 255, /* bytes; the longest has 128 */
    NO_RANK = -1
};

struct slot {
    uint32_t tag; /* upper bits of the hash */
    uint32_t at;  /* in `bytes` */
    int32_t rank;
    uint32_t len; /* 0: free */
};

struct bpe {
    enum bpe_encoding encoding;
    struct bpe_classes classes;
    uint32_t used; /* of bytes */
    struct slot slot[SLOTS];
    unsigned char bytes[];
};

/* ---- which, and where ---- */

static const struct {
    const char *name, *sha256;
} encodings[] = {
#define X(id, name, sha256) {name, sha256},
    BPE_ENCODINGS(X)
#undef X
};

const char *bpe_encoding_name(enum bpe_encoding e) { return e < BPE_NONE ? encodings[e].name : "none"; }

enum bpe_encoding bpe_encoding_of(str model) {
    static const struct {
        str prefix;
        enum bpe_encoding encoding;
    } rows[] = {
        {STR_INIT("gpt-4o"), BPE_O200K},       {STR_INIT("gpt-4."), BPE_O200K},
        {STR_INIT("gpt-5"), BPE_O200K},        {STR_INIT("gpt-oss"), BPE_O200K},
        {STR_INIT("chatgpt-"), BPE_O200K},     {STR_INIT("codex-"), BPE_O200K},
        {STR_INIT("computer-use"), BPE_O200K}, {STR_INIT("o1"), BPE_O200K},
        {STR_INIT("o3"), BPE_O200K},           {STR_INIT("o4"), BPE_O200K},
        {STR_INIT("gpt-4"), BPE_CL100K},       {STR_INIT("gpt-3.5"), BPE_CL100K},
        {STR_INIT("gpt-35"), BPE_CL100K},      {STR_INIT("text-embedding-"), BPE_CL100K},
        {STR_INIT("davinci-002"), BPE_CL100K}, {STR_INIT("babbage-002"), BPE_CL100K},
    };
    if (str_starts(model, STR("openai/"))) model = str_skip(model, 7);
    if (str_starts(model, STR("ft:"))) model = str_skip(model, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_starts(model, rows[i].prefix)) return rows[i].encoding;
    return BPE_NONE;
}

/* ---- the table ---- */

static inline uint64_t hash(const unsigned char *p, size_t n) {
    uint64_t h = 1469598103934665603u ^ n, v = 0;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&v, p, 8);
        h = (h ^ v) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    v = 0;
    memcpy(&v, p, n);
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

static inline int32_t rank_of(const struct bpe *b, const unsigned char *p, size_t n) {
    if (n > TOKEN_MAX) return NO_RANK;
    uint64_t h = hash(p, n);
    for (uint32_t i = (uint32_t)h & (SLOTS - 1);; i = (i + 1) & (SLOTS - 1)) {
        const struct slot *s = &b->slot[i];
        if (!s->len) return NO_RANK;
        if (s->tag == h >> 32 && s->len == n && memcmp(b->bytes + s->at, p, n) == 0) return s->rank;
    }
}

/* One line of a rank file: base64 of the token, a space, its rank. */
static bool add_line(struct bpe *b, str line, uint32_t *tokens) {
    str text, rest = line;
    uint64_t rank;
    size_t n;
    if (!str_cut(&rest, ' ', &text) || !str_u64(rest, &rank) || rank >= SLOTS) return false;
    unsigned char *p = b->bytes + b->used; /* there is room: base64 is longer than what it stands for */
    if (!base64_decode_strict(text, p, &n) || n == 0 || n > TOKEN_MAX || ++*tokens > SLOTS / 2) return false;
    uint64_t h = hash(p, n);
    uint32_t i = (uint32_t)h & (SLOTS - 1);
    while (b->slot[i].len) i = (i + 1) & (SLOTS - 1);
    b->slot[i] = (struct slot){(uint32_t)(h >> 32), b->used, (int32_t)rank, (uint32_t)n};
    b->used += (uint32_t)n;
    return true;
}

static bool is_published(enum bpe_encoding e, str file) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    if (!EVP_Digest(file.p, file.n, sum, &n, EVP_sha256(), NULL)) return false;
    for (unsigned i = 0; i < n; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return strcmp(hex, encodings[e].sha256) == 0;
}

static struct bpe *table_of(enum bpe_encoding encoding, str file, err *e) {
    struct bpe *b = xcalloc(1, sizeof *b + file.n + 8);
    uint32_t tokens = 0;
    str line;
    b->encoding = encoding;
    bpe_classes_fill(&b->classes);
    while (file.n && str_cut(&file, '\n', &line))
        if (line.n && !add_line(b, line, &tokens)) {
            bpe_free(b);
            fail(e, "line %u is not a token and its rank", tokens + 1);
            return NULL;
        }
    return b;
}

static struct bpe *load(enum bpe_encoding encoding, const char *path, FILE *f, err *e) {
    char *text = xmalloc(FILE_MAX + 1);
    size_t n = fread(text, 1, FILE_MAX + 1, f);
    struct bpe *b = NULL;
    if (ferror(f))
        fail(e, "%s: %s", path, strerror(errno));
    else if (!is_published(encoding, str_make(text, n)))
        fail(e, "%s is not the published rank file of %s (its SHA-256 differs)", path, encodings[encoding].name);
    else
        b = table_of(encoding, str_make(text, n), e);
    free(text);
    return b;
}

struct bpe *bpe_load(enum bpe_encoding encoding, const char *path, err *e) {
    FILE *f = encoding < BPE_NONE ? fopen(path, "rbe") : NULL;
    if (!f) {
        fail(e, "%s: %s", path, encoding < BPE_NONE ? strerror(errno) : "not an encoding");
        return NULL;
    }
    struct bpe *b = load(encoding, path, f, e);
    fclose(f);
    return b;
}

/* The folders in their order; false past the last. `out` is empty where one doesn't apply. */
static bool folder(unsigned i, char *out, size_t room) {
    static const char *const usual[] = {"/usr/local/share/dray", "/usr/share/dray"};
    char exe[PATH_MAX];
    const char *env = getenv("DRAY_DATA");
    *out = 0;
    if (i == 0) {
        if (env && *env) snprintf(out, room, "%s", env);
        return true;
    }
    if (i == 1) {
        ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        if (n <= 0) return true;
        exe[n] = 0;
        for (int up = 0; up < 2 && strrchr(exe, '/'); up++) *strrchr(exe, '/') = 0;
        snprintf(out, room, "%s/data", exe);
        return true;
    }
    if (i - 2 >= sizeof usual / sizeof *usual) return false;
    snprintf(out, room, "%s", usual[i - 2]);
    return true;
}

struct bpe *bpe_open(enum bpe_encoding encoding, err *e) {
    char dir[PATH_MAX + 8], path[PATH_MAX + 64];
    for (unsigned i = 0; encoding < BPE_NONE && folder(i, dir, sizeof dir); i++) {
        snprintf(path, sizeof path, "%s/tokenizers/%s.tiktoken", dir, encodings[encoding].name);
        if (*dir && access(path, R_OK) == 0) return bpe_load(encoding, path, e);
    }
    fail(e, "no rank file of %s: script/tokenizers fetches it", bpe_encoding_name(encoding));
    return NULL;
}

void bpe_free(struct bpe *b) { free(b); }

/* ---- merging ---- */

/* Boundaries in an array; rank[i] is that of the token from boundary i to i + 2. */
static uint64_t merge_short(const struct bpe *b, const unsigned char *p, size_t n) {
    uint16_t edge[BPE_SHORT + 1];
    int32_t rank[BPE_SHORT + 1];
    size_t edges = n + 1;
    for (size_t i = 0; i < edges; i++) edge[i] = (uint16_t)i;
    for (size_t i = 0; i + 2 < edges; i++) rank[i] = rank_of(b, p + i, 2);
    for (;;) {
        size_t at = edges;
        for (size_t i = 0; i + 2 < edges; i++)
            if (rank[i] != NO_RANK && (at == edges || rank[i] < rank[at])) at = i;
        if (at == edges) return edges - 1;
        memmove(edge + at + 1, edge + at + 2, (edges - at - 2) * sizeof *edge);
        memmove(rank + at + 1, rank + at + 2, (edges - at - 2) * sizeof *rank);
        edges--;
        if (at + 2 < edges) rank[at] = rank_of(b, p + edge[at], (size_t)(edge[at + 2] - edge[at]));
        if (at) rank[at - 1] = rank_of(b, p + edge[at - 1], (size_t)(edge[at + 1] - edge[at - 1]));
    }
}

/* A pair of neighbours that may merge; out of date when its first token has changed since. */
struct pair {
    int32_t rank;
    uint32_t at, version;
};

struct merge {
    const struct bpe *b;
    const unsigned char *p;
    uint32_t n, heaped;
    uint32_t *next, *prev, *version; /* of the token that begins at a byte; version UINT32_MAX: merged away */
    struct pair *heap;
};

static inline bool before(const struct pair *x, const struct pair *y) {
    return x->rank < y->rank || (x->rank == y->rank && x->at < y->at);
}

static void push(struct merge *m, uint32_t at) {
    uint32_t mid = m->next[at], i = m->heaped;
    if (mid >= m->n) return;
    struct pair x = {rank_of(m->b, m->p + at, m->next[mid] - at), at, m->version[at]};
    if (x.rank == NO_RANK) return;
    for (m->heaped++; i && before(&x, &m->heap[(i - 1) / 2]); i = (i - 1) / 2) m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = x;
}

static struct pair pop(struct merge *m) {
    struct pair top = m->heap[0], x = m->heap[--m->heaped];
    uint32_t i = 0;
    for (uint32_t k; (k = 2 * i + 1) < m->heaped; i = k) {
        if (k + 1 < m->heaped && before(&m->heap[k + 1], &m->heap[k])) k++;
        if (!before(&m->heap[k], &x)) break;
        m->heap[i] = m->heap[k];
    }
    m->heap[i] = x;
    return top;
}

static uint64_t merge_long(const struct bpe *b, const unsigned char *p, uint32_t n) {
    /* each merge adds two pairs at most */
    struct merge m = {.b = b, .p = p, .n = n, .heap = xmalloc((3 * (size_t)n + 1) * sizeof(struct pair))};
    uint64_t count = n;
    m.next = xcalloc(3 * (size_t)n + 1, sizeof *m.next);
    m.prev = m.next + n + 1;
    m.version = m.prev + n;
    for (uint32_t i = 0; i < n; i++) {
        m.next[i] = i + 1;
        m.prev[i] = i ? i - 1 : UINT32_MAX;
    }
    for (uint32_t i = 0; i < n; i++) push(&m, i);
    while (m.heaped) {
        struct pair top = pop(&m);
        if (m.version[top.at] != top.version) continue;
        uint32_t gone = m.next[top.at], behind = m.next[gone];
        m.version[gone] = UINT32_MAX;
        m.next[top.at] = behind;
        if (behind < n) m.prev[behind] = top.at;
        count--;
        m.version[top.at]++;
        push(&m, top.at);
        if (m.prev[top.at] == UINT32_MAX) continue;
        m.version[m.prev[top.at]]++;
        push(&m, m.prev[top.at]);
    }
    free(m.next);
    free(m.heap);
    return count;
}

static uint64_t piece(const struct bpe *b, const unsigned char *p, size_t n) {
    if (n == 1 || rank_of(b, p, n) != NO_RANK) return 1;
    if (n <= BPE_SHORT) return merge_short(b, p, n);
    uint64_t count = 0;
    for (; n > BPE_PIECE_MAX; p += BPE_PIECE_MAX, n -= BPE_PIECE_MAX) count += merge_long(b, p, BPE_PIECE_MAX);
    return count + merge_long(b, p, (uint32_t)n);
}

uint64_t bpe_count(const struct bpe *b, str text) {
    const unsigned char *p = (const unsigned char *)text.p, *end = p + text.n, *next;
    uint64_t count = 0;
    for (; p < end; p = next) {
        next = bpe_next(&b->classes, b->encoding, p, end);
        count += piece(b, p, (size_t)(next - p));
    }
    return count;
}
