/* http1: heads.
 *
 * A head is parsed in one pass, line by line. Names are taken 16 bytes at a time while they are letters, digits
 * and hyphens, anything else byte by byte through a table that says whether it may stand in a name; values are
 * searched 16 bytes at a time for the control character that ends them. A name's number comes from comparing its
 * length with all lengths of the table at once, then the few names of that length: no hash, nothing to keep in
 * step with HTTP_NAMES. A head of ten headers, finding its end included, takes 3,690 instructions (4,770 with
 * names byte by byte).
 *
 * Where HTTP/1 can be read in two ways, two parsers can be made to disagree about where a message ends; so
 * everything ambiguous is refused (list in http1.h), on the upstream side too. */
#include "net/http1.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { LINE_END = 2, NAME_LEN_MAX = 32, LENGTH_DIGITS_MAX = 18 };

static const char *const error_text[] = {
    [HTTP_OK] = "no error",
    [HTTP_BAD_LINE] = "malformed request or status line",
    [HTTP_BAD_HEADER] = "malformed header",
    [HTTP_BAD_LENGTH] = "malformed or ambiguous body length",
    [HTTP_BAD_CODING] = "transfer coding not supported",
    [HTTP_TOO_MANY] = "too many headers",
    [HTTP_BAD_VERSION] = "not HTTP/1",
    [HTTP_BAD_CHUNK] = "malformed chunked body",
};

const char *http_error_text(enum http_error e) { return error_text[e]; }

/* ---- characters ---- */

/* Lower case of what may stand in a token (RFC 9110 5.6.2), 0 for all else. */
static const unsigned char token_char[256] = {
#define SAME(c) [c] = c
    SAME('!'),        SAME('#'),        SAME('$'),        SAME('%'),        SAME('&'),        SAME('\''),
    SAME('*'),        SAME('+'),        SAME('-'),        SAME('.'),        SAME('^'),        SAME('_'),
    SAME('`'),        SAME('|'),        SAME('~'),        SAME('0'),        SAME('1'),        SAME('2'),
    SAME('3'),        SAME('4'),        SAME('5'),        SAME('6'),        SAME('7'),        SAME('8'),
    SAME('9'),
#undef SAME
#define LETTER(up, low) [up] = low, [low] = low
    LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'), LETTER('F', 'f'),
    LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
    LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'),
    LETTER('S', 's'), LETTER('T', 't'), LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
    LETTER('Y', 'y'), LETTER('Z', 'z'),
#undef LETTER
};

bool http_token_char(unsigned char c) { return token_char[c] != 0; }

static inline bool control(char c) { return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f; }

/* First control character (but the tab) from p on. */
static inline const char *value_end(const char *p, const char *end) {
#if defined(__SSE2__)
    const __m128i top = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f), tab = _mm_set1_epi8('\t');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), _mm_cmpeq_epi8(_mm_min_epu8(v, top), v));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(v, del)));
        if (mask) return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && !control(*p)) p++;
    return p;
}

static inline bool line_ends(const char *p, const char *end) {
    return end - p >= LINE_END && p[0] == '\r' && p[1] == '\n';
}

static inline bool blank(char c) { return c == ' ' || c == '\t'; }

static inline str trimmed(const char *p, const char *end) {
    while (p < end && blank(*p)) p++;
    while (p < end && blank(end[-1])) end--;
    return str_make(p, (size_t)(end - p));
}

/* ---- names ---- */

static const char names[HTTP_NAME_COUNT][NAME_LEN_MAX] = {
#define X(id, text) [HTTP_##id] = text,
    HTTP_NAMES(X)
#undef X
};

/* Their lengths, filled up with zeros to whole vectors. */
static const uint8_t name_len[(HTTP_NAME_COUNT + 15) / 16 * 16] = {
#define X(id, text) [HTTP_##id] = sizeof(text) - 1,
    HTTP_NAMES(X)
#undef X
};

#if defined(__SSE2__)
static inline unsigned same16(const char *a, const char *b) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)a),
            y = _mm_loadu_si128((const __m128i *)(const void *)b);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y));
}

/* Both have room for NAME_LEN_MAX bytes. */
static inline bool same_name(const char *a, const char *b, size_t n) {
    uint64_t same = same16(a, b) | (uint64_t)same16(a + 16, b + 16) << 16, want = (1ull << n) - 1;
    return (same & want) == want;
}

static inline unsigned lengths_like(const uint8_t *len, size_t n) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)len);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)n)));
}

/* One bit for each of the 16 bytes at p that is a letter, a digit or a hyphen; their lower case in `lower`. */
static inline unsigned simple16(const char *p, char *lower) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p), low = _mm_or_si128(v, _mm_set1_epi8(0x20));
    __m128i letter =
        _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)), _mm_cmplt_epi8(low, _mm_set1_epi8('z' + 1)));
    __m128i digit =
        _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)), _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
    __m128i good = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
    _mm_storeu_si128((__m128i *)(void *)lower, low);
    return (unsigned)_mm_movemask_epi8(good);
}
#else
static bool same_name(const char *a, const char *b, size_t n) { return memcmp(a, b, n) == 0; }

static unsigned lengths_like(const uint8_t *len, size_t n) {
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++) mask |= (unsigned)(len[i] == n) << i;
    return mask;
}
#endif

/* Number of a name of up to NAME_LEN_MAX bytes in lower case, in memory with room for as many. */
static uint8_t id_of(const char *lower, size_t n) {
    for (uint8_t base = 0; base < sizeof name_len; base = (uint8_t)(base + 16))
        for (unsigned mask = lengths_like(name_len + base, n); mask; mask &= mask - 1) {
            uint8_t id = (uint8_t)(base + __builtin_ctz(mask));
            if (same_name(names[id], lower, n)) return id;
        }
    return HTTP_OTHER;
}

/* Behind the token at p; its first NAME_LEN_MAX bytes in lower case in `lower`. */
static inline const char *token_end(const char *p, const char *end, char *lower) {
    size_t n = 0;
#if defined(__SSE2__)
    while (end - p >= 16) {
        char rest[16];
        unsigned mask = simple16(p, n < NAME_LEN_MAX ? lower + n : rest);
        unsigned good = (unsigned)__builtin_ctz(~mask);
        p += good;
        n += good;
        if (good < 16) break;
    }
#endif
    for (unsigned char c; p < end && (c = token_char[(unsigned char)*p]) != 0; p++, n++)
        if (n < NAME_LEN_MAX) lower[n] = (char)c;
    return p;
}

uint8_t http_name_id(str name) {
    char lower[NAME_LEN_MAX] = {0};
    if (!name.n || name.n > sizeof lower || token_end(name.p, name.p + name.n, lower) != name.p + name.n)
        return HTTP_OTHER;
    return id_of(lower, name.n);
}

/* ---- the end ---- */

size_t http1_head_end(str bytes, size_t *from) {
    const char *p = bytes.p + (bytes.n ? *from : 0), *end = bytes.p + bytes.n;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        /* A blank line without CR ends a head too: http1_request and _response then refuse it at once. */
        const char *q = p + 1;
        if (q < end && *q == '\r') q++;
        if (q == end) {
            *from = (size_t)(p - bytes.p);
            return 0;
        }
        if (*q == '\n') return (size_t)(q + 1 - bytes.p);
        p = q;
    }
    *from = bytes.n;
    return 0;
}

/* ---- headers ---- */

/* What the headers said so far, beyond what `http_head` keeps. */
struct seen {
    bool close, stay, coding;
    uint8_t hosts;
};

static enum http_error take_length(struct http_head *h, str v) {
    if (h->has_length || !v.n || v.n > LENGTH_DIGITS_MAX || !str_u64(v, &h->length)) return HTTP_BAD_LENGTH;
    h->has_length = true;
    return HTTP_OK;
}

static void take_connection(struct seen *seen, str list) {
    str item;
    while (str_cut(&list, ',', &item)) {
        item = trimmed(item.p, item.p + item.n);
        if (str_ieq(item, STR("close"))) seen->close = true;
        if (str_ieq(item, STR("keep-alive"))) seen->stay = true;
    }
}

static enum http_error take_header(struct http_head *h, struct seen *seen, uint8_t id, str v) {
    switch (id) {
    case HTTP_CONTENT_LENGTH: return take_length(h, v);
    case HTTP_TRANSFER_ENCODING:
        if (seen->coding || !str_ieq(v, STR("chunked"))) return HTTP_BAD_CODING;
        seen->coding = true;
        break;
    case HTTP_CONNECTION: take_connection(seen, v); break;
    case HTTP_EXPECT: h->expect_continue = str_ieq(v, STR("100-continue")); break;
    case HTTP_HOST: seen->hosts = (uint8_t)(seen->hosts < 2 ? seen->hosts + 1 : 2); break;
    default: break;
    }
    return HTTP_OK;
}

static enum http_error finish(struct http_head *h, const struct seen *seen) {
    if (seen->coding && h->minor == 0) return HTTP_BAD_CODING;
    if (seen->coding && h->has_length) return HTTP_BAD_LENGTH;
    h->chunked = seen->coding;
    h->keep_alive = !seen->close && (h->minor > 0 || seen->stay);
    if (h->minor == 0) h->expect_continue = false;
    return HTTP_OK;
}

/* The header lines from p on and the blank line, which must be the last of the head. */
static enum http_error headers(struct http_head *h, struct seen *seen, const char *p, const char *end) {
    char lower[NAME_LEN_MAX] = {0};
    while (!line_ends(p, end)) {
        const char *name = p;
        p = token_end(p, end, lower);
        size_t n = (size_t)(p - name);
        if (!n || p == end || *p != ':') return HTTP_BAD_HEADER;
        const char *value = ++p;
        p = value_end(p, end);
        if (!line_ends(p, end)) return HTTP_BAD_HEADER;
        if (h->count == HTTP_HEADERS_MAX) return HTTP_TOO_MANY;
        struct http_header *x = &h->header[h->count++];
        x->name = str_make(name, n);
        x->value = trimmed(value, p);
        x->id = n <= sizeof lower ? id_of(lower, n) : HTTP_OTHER;
        enum http_error e = x->id ? take_header(h, seen, x->id, x->value) : HTTP_OK;
        if (e != HTTP_OK) return e;
        p += LINE_END;
    }
    return p + LINE_END == end ? finish(h, seen) : HTTP_BAD_HEADER;
}

/* ---- first lines ---- */

/* "HTTP/1.x" at p. */
static enum http_error version(struct http_head *h, const char *p, size_t n) {
    if (n < 8 || memcmp(p, "HTTP/", 5) != 0 || p[6] != '.') return HTTP_BAD_LINE;
    if (p[5] < '0' || p[5] > '9' || p[7] < '0' || p[7] > '9') return HTTP_BAD_LINE;
    if (p[5] != '1') return HTTP_BAD_VERSION;
    h->minor = (uint8_t)(p[7] - '0');
    return HTTP_OK;
}

static uint8_t method_of(str m) {
    static const str known[] = {
        [HTTP_GET] = STR_INIT("GET"),        [HTTP_HEAD] = STR_INIT("HEAD"),   [HTTP_POST] = STR_INIT("POST"),
        [HTTP_PUT] = STR_INIT("PUT"),        [HTTP_PATCH] = STR_INIT("PATCH"), [HTTP_DELETE] = STR_INIT("DELETE"),
        [HTTP_OPTIONS] = STR_INIT("OPTIONS")};
    for (uint8_t i = 0; i < HTTP_METHOD_OTHER; i++)
        if (str_eq(m, known[i])) return i;
    return HTTP_METHOD_OTHER;
}

/* Cuts the target into path and query; false when it is neither of a known form. */
static bool cut_target(struct http_head *h) {
    str t = h->target;
    if (h->method == HTTP_OPTIONS && str_eq(t, STR("*"))) {
        h->path = t;
        return true;
    }
    if (t.p[0] != '/') { /* absolute-form: what a client of a proxy sends */
        size_t scheme = str_istarts(t, STR("http://")) ? 7 : str_istarts(t, STR("https://")) ? 8 : 0;
        size_t at = scheme;
        while (at < t.n && t.p[at] != '/' && t.p[at] != '?') at++;
        if (!scheme || at == scheme) return false;
        t = str_skip(t, at);
    }
    ptrdiff_t q = str_chr(t, '?');
    h->path = q < 0 ? t : str_take(t, (size_t)q);
    if (!h->path.n) h->path = STR("/");
    if (q >= 0) h->query = str_skip(t, (size_t)q + 1);
    return true;
}

enum http_error http1_request(str head, struct http_head *h) {
    const char *p = head.p, *end = p + head.n, *start = p;
    struct seen seen = {0};
    memset(h, 0, offsetof(struct http_head, header));
    while (p < end && token_char[(unsigned char)*p]) p++;
    if (p == start || p == end || *p != ' ') return HTTP_BAD_LINE;
    h->method = method_of(str_make(start, (size_t)(p - start)));
    /* Printable ASCII. A fragment is never sent; whoever sends one hopes for a parser that cuts it off. */
    for (start = ++p; p<end && * p> ' ' && *p < 0x7f && *p != '#'; p++) {
    }
    if (p == start || p == end || *p != ' ') return HTTP_BAD_LINE;
    h->target = str_make(start, (size_t)(p - start));
    p++;
    enum http_error e = version(h, p, (size_t)(end - p));
    if (e != HTTP_OK) return e;
    p += 8;
    if (!line_ends(p, end) || !cut_target(h)) return HTTP_BAD_LINE;
    e = headers(h, &seen, p + LINE_END, end);
    if (e != HTTP_OK) return e;
    /* RFC 9112 3.2: exactly one Host in HTTP/1.1, never two. */
    return seen.hosts > 1 || (seen.hosts == 0 && h->minor > 0) ? HTTP_BAD_HEADER : HTTP_OK;
}

enum http_error http1_response(str head, struct http_head *h) {
    const char *p = head.p, *end = p + head.n;
    struct seen seen = {0};
    memset(h, 0, offsetof(struct http_head, header));
    enum http_error e = version(h, p, head.n);
    if (e != HTTP_OK) return e;
    p += 8;
    if (end - p < 4 || *p++ != ' ') return HTTP_BAD_LINE;
    uint64_t status;
    if (!str_u64(str_make(p, 3), &status) || status < 100 || status > 599) return HTTP_BAD_LINE;
    h->status = (uint16_t)status;
    p += 3;
    /* The reason may be missing, and by some servers its space is too. */
    if (p < end && *p != ' ' && *p != '\r') return HTTP_BAD_LINE;
    p = value_end(p, end);
    return line_ends(p, end) ? headers(h, &seen, p + LINE_END, end) : HTTP_BAD_LINE;
}

/* ---- looking up ---- */

str http_get(const struct http_head *h, enum http_name id) {
    for (unsigned i = 0; i < h->count; i++)
        if (h->header[i].id == id) return h->header[i].value;
    return STR_NONE;
}

str http_get_name(const struct http_head *h, str lower_name) {
    for (unsigned i = 0; i < h->count; i++)
        if (str_ieq(h->header[i].name, lower_name)) return h->header[i].value;
    return STR_NONE;
}

bool http_hop_by_hop(const struct http_head *h, const struct http_header *x) {
    switch (x->id) {
    case HTTP_CONNECTION:
    case HTTP_KEEP_ALIVE:
    case HTTP_PROXY_AUTHENTICATE:
    case HTTP_PROXY_AUTHORIZATION:
    case HTTP_PROXY_CONNECTION:
    case HTTP_TE:
    case HTTP_TRAILER:
    case HTTP_TRANSFER_ENCODING:
    case HTTP_UPGRADE: return true;
    default: break;
    }
    for (unsigned i = 0; i < h->count; i++) {
        if (h->header[i].id != HTTP_CONNECTION) continue;
        str list = h->header[i].value, item;
        while (str_cut(&list, ',', &item))
            if (str_ieq(trimmed(item.p, item.p + item.n), x->name)) return true;
    }
    return false;
}
