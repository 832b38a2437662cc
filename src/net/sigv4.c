/* sigv4: see sigv4.h. A request is made one text (the canonical request), whose hash is signed with a key that is
 * derived from the secret by day, region and service. */
#include "net/sigv4.h"

#include "base/err.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

enum { HASH = 32, HEX = 2 * HASH, DATE = 8, TIME = 16 };

struct hash {
    unsigned char b[HASH];
};

static void hex(const struct hash *h, char out[HEX]) {
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < HASH; i++) {
        out[2 * i] = digits[h->b[i] >> 4];
        out[2 * i + 1] = digits[h->b[i] & 15];
    }
}

static struct hash sha256(const struct iovec *v, unsigned n) {
    struct hash h;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    for (unsigned i = 0; good && i < n; i++) good = EVP_DigestUpdate(c, v[i].iov_base, v[i].iov_len);
    if (!good || !EVP_DigestFinal_ex(c, h.b, NULL)) panic("SHA-256 failed");
    EVP_MD_CTX_free(c);
    return h;
}

static struct hash hmac(const void *key, size_t key_n, str text) {
    struct hash h;
    unsigned n = HASH;
    if (!HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, h.b, &n))
        panic("HMAC-SHA-256 failed");
    return h;
}

/* The path encoded once more, as every service but S3 wants it. */
static void canonical_path(str path, buf *out) {
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-_.~/", c);
        if (plain && c)
            buf_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

static struct hash canonical(const struct sigv4_key *k, str method, str host, str path, str when,
                             const struct hash *body) {
    char body_hex[HEX];
    buf text;
    hex(body, body_hex);
    buf_init(&text, 1 << 16);
    buf_str(&text, method);
    buf_char(&text, '\n');
    canonical_path(path, &text);
    buf_printf(&text, "\n\nhost:" STR_FMT "\nx-amz-date:" STR_FMT "\n", STR_ARG(host), STR_ARG(when));
    if (k->session.n) buf_printf(&text, "x-amz-security-token:" STR_FMT "\n", STR_ARG(k->session));
    buf_printf(&text, "\nhost;x-amz-date%s\n%.*s", k->session.n ? ";x-amz-security-token" : "", HEX, body_hex);
    struct hash h = sha256(&(struct iovec){text.p, text.n}, 1);
    if (text.p) explicit_bzero(text.p, text.n);
    buf_free(&text);
    return h;
}

static struct hash signing_key(const struct sigv4_key *k, str day) {
    char first[512];
    int n = snprintf(first, sizeof first, "AWS4" STR_FMT, STR_ARG(k->secret));
    invariant(n > 0 && (size_t)n < sizeof first); /* the configuration's limit */
    struct hash h = hmac(first, (size_t)n, day);
    explicit_bzero(first, sizeof first);
    h = hmac(h.b, HASH, k->region);
    h = hmac(h.b, HASH, k->service);
    return hmac(h.b, HASH, STR("aws4_request"));
}

void sigv4_sign(const struct sigv4_key *k, str method, str host, str path, const struct iovec *body,
                unsigned pieces, uint64_t wall_us, buf *out) {
    time_t seconds = (time_t)(wall_us / 1000000);
    char when[TIME + 1], scope[256], to_sign[512], hash_hex[HEX];
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
    struct hash body_hash = sha256(body, pieces);
    struct hash request = canonical(k, method, host, path, str_from(when), &body_hash);
    hex(&request, hash_hex);
    int n = snprintf(scope, sizeof scope, "%.*s/" STR_FMT "/" STR_FMT "/aws4_request", DATE, when,
                     STR_ARG(k->region), STR_ARG(k->service));
    invariant(n > 0 && (size_t)n < sizeof scope);
    n = snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%.*s", when, scope, HEX, hash_hex);
    struct hash key = signing_key(k, str_make(when, DATE));
    struct hash signature = hmac(key.b, HASH, str_make(to_sign, (size_t)n));
    explicit_bzero(&key, sizeof key);
    hex(&signature, hash_hex);
    buf_printf(out, "x-amz-date: %s\r\n", when);
    if (k->session.n) buf_printf(out, "x-amz-security-token: " STR_FMT "\r\n", STR_ARG(k->session));
    buf_printf(out,
               "authorization: AWS4-HMAC-SHA256 Credential=" STR_FMT "/%s, SignedHeaders=host;x-amz-date%s, "
               "Signature=%.*s\r\n",
               STR_ARG(k->id), scope, k->session.n ? ";x-amz-security-token" : "", HEX, hash_hex);
}
