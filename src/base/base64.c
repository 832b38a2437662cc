/* base64: see base64.h. */
#include "base/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value(unsigned char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

static size_t decode(str in, unsigned char *out, size_t *used) {
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    *used = 0;
    for (size_t i = 0; i < in.n; i++) {
        int v = value((unsigned char)in.p[i]);
        if (v < 0) continue;
        ++*used;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        out[n++] = (unsigned char)(bits >> have);
    }
    return n;
}

size_t base64_decode(str in, void *out) {
    size_t used;
    return decode(in, out, &used);
}

bool base64_decode_strict(str in, void *out, size_t *n) {
    size_t used;
    while (in.n && in.p[in.n - 1] == '=') in.n--;
    *n = decode(in, out, &used);
    return used == in.n && in.n % 4 != 1;
}

static void encode(const unsigned char *p, size_t n, const char *alphabet, bool padded, buf *out) {
    for (; n; p += n < 3 ? n : 3, n -= n < 3 ? n : 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        char four[4];
        for (unsigned i = 0; i < 4; i++) four[i] = i <= n ? alphabet[v >> (18 - 6 * i) & 63] : '=';
        buf_add(out, four, padded || n >= 3 ? 4 : n + 1);
    }
}

void base64_encode(const void *bytes, size_t n, buf *out) { encode(bytes, n, standard, true, out); }
void base64url_encode(const void *bytes, size_t n, buf *out) { encode(bytes, n, url_safe, false, out); }
