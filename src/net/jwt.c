#include "net/jwt.h"

#include "base/base64.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { SIGNATURE_MAX = 2048 }; /* of a 16,384-bit key */

bool jwt_rs256(str header, str claims, str pem, buf *out, err *e) {
    unsigned char signature[SIGNATURE_MAX];
    size_t n = sizeof signature, at = out->n;
    base64url_encode(header.p, header.n, out);
    buf_char(out, '.');
    base64url_encode(claims.p, claims.n, out);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *c = key ? EVP_MD_CTX_new() : NULL;
    bool good = c && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_size(key) <= SIGNATURE_MAX &&
                EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(c, signature, &n, (const unsigned char *)out->p + at, out->n - at) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (!good) return fail(e, "the private key can't sign: it is no RSA key in PEM form");
    buf_char(out, '.');
    base64url_encode(signature, n, out);
    return !out->failed || fail(e, "the claims are too long");
}
