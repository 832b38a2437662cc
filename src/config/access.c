/* access: where clients come in, what they must show, and the rule between the two: what other machines can
 * reach needs keys. Keys are kept as SHA-256 and compared in constant time (resolve.c). */
#include "config/build.h"
#include "config/sections.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/un.h>

enum { PORT_MAX = 65535, KEY_MAX = 1024 };

/* ---- listen ---- */

static bool loopback(str host, bool *out) {
    char z[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (!host.n || host.n >= sizeof z) return false;
    memcpy(z, host.p, host.n);
    z[host.n] = 0;
    if (inet_pton(AF_INET, z, &v4) == 1) {
        *out = (ntohl(v4.s_addr) >> 24) == 127;
        return true;
    }
    if (inet_pton(AF_INET6, z, &v6) != 1) return false;
    *out = IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return true;
}

/* "127.0.0.1:4000", "[::1]:4000", "localhost:4000", ":4000" (all addresses), "unix:PATH"; NULL when good. */
static const char *parse_listen(str text, struct listen_addr *l) {
    *l = (struct listen_addr){.text = text};
    if (str_starts(text, STR("unix:"))) {
        l->host = str_skip(text, 5);
        l->is_unix = l->loopback = true;
        if (!l->host.n || l->host.n >= sizeof((struct sockaddr_un *)0)->sun_path ||
            memchr(l->host.p, 0, l->host.n))
            return "the path of a unix socket has 1 to 107 bytes";
        return NULL;
    }
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':') colon--;
    uint64_t port;
    if (!colon || !str_u64(str_skip(text, colon), &port) || port > PORT_MAX)
        return "expected address:port, for example 127.0.0.1:4000, [::1]:4000 or unix:/run/dray.sock";
    l->port = (uint16_t)port;
    l->host = str_take(text, colon - 1);
    bool bracketed = l->host.n > 2 && l->host.p[0] == '[' && l->host.p[l->host.n - 1] == ']';
    if (bracketed)
        l->host = str_make(l->host.p + 1, l->host.n - 2);
    else if (str_chr(l->host, ':') >= 0)
        return "an IPv6 address needs brackets: [::1]:4000";
    if (!l->host.n) l->host = STR("0.0.0.0");
    if (str_eq(l->host, STR("localhost"))) l->host = STR("127.0.0.1");
    if (str_eq(l->host, STR("*"))) l->host = STR("0.0.0.0");
    if (!loopback(l->host, &l->loopback)) return "expected an address, not a name";
    return NULL;
}

static bool add_listen(struct build *b, const ynode *at, str text) {
    struct config *c = b->c;
    struct listen_addr l;
    text = arena_str(b->a, str_trim(text));
    const char *wrong = parse_listen(text, &l);
    if (wrong && at) return yaml_fail(b->e, at, "%s", wrong);
    if (wrong) return fail(b->e, "$DRAY_LISTEN: %s", wrong);
    if (c->listen_count == CONFIG_LISTEN_MAX)
        return at ? yaml_fail(b->e, at, "more than %d addresses", CONFIG_LISTEN_MAX)
                  : fail(b->e, "$DRAY_LISTEN: more than %d addresses", CONFIG_LISTEN_MAX);
    for (unsigned i = 0; i < c->listen_count; i++)
        if (str_eq(c->listen[i].host, l.host) && c->listen[i].port == l.port && (l.port || l.is_unix))
            return at ? yaml_fail(b->e, at, "this address is here twice")
                      : fail(b->e, "$DRAY_LISTEN: an address is there twice");
    if (l.is_unix && at) l.host = build_path(b, l.host);
    c->listen[c->listen_count++] = l;
    return true;
}

bool build_listen(struct build *b) {
    const ynode *n = b->top.listen;
    const char *env = getenv("DRAY_LISTEN");
    if (env && *env) {
        str rest = str_from(env), part;
        while (str_cut(&rest, ',', &part))
            if (!add_listen(b, NULL, part)) return false;
        return true;
    }
    if (!n || yaml_is_null(n)) return add_listen(b, NULL, STR("127.0.0.1:4000"));
    str text;
    if (n->type != Y_SEQ) return yaml_str(n, &text, b->e) && add_listen(b, n, text);
    if (!n->child) return yaml_fail(b->e, n, "an empty list: dray has to listen somewhere");
    for (const ynode *i = n->child; i; i = i->next)
        if (!yaml_str(i, &text, b->e) || !add_listen(b, i, text)) return false;
    return true;
}

/* ---- keys ---- */

static bool add_key(struct build *b, const ynode *at, str secret, struct client_key k) {
    struct config *c = b->c;
    if (!secret.n) return yaml_fail(b->e, at, "an empty key would let everybody in");
    if (secret.n > KEY_MAX) return yaml_fail(b->e, at, "a key has at most %d bytes", KEY_MAX);
    if (!secret_check(b, at, secret)) return false;
    SHA256((const unsigned char *)secret.p, secret.n, k.sha256);
    for (uint32_t i = 0; i < c->key_count; i++) {
        if (memcmp(c->key[i].sha256, k.sha256, sizeof k.sha256) == 0)
            return yaml_fail(b->e, at, "this key is here twice");
        if (str_eq(c->key[i].name, k.name))
            return yaml_fail(b->e, at, "there is another key with the name \"%.*s\"", STR_ARG(k.name));
    }
    c->key[c->key_count++] = k;
    return true;
}

static bool read_key(struct build *b, const ynode *n, unsigned number) {
    struct key_in in = {0};
    str secret;
    if (n->type != Y_MAP)
        in.key = n;
    else if (!options_read(b, SECTION_KEY, n, &in))
        return false;
    if (!in.key) return yaml_fail(b->e, n, "\"key\" is missing");
    if (!yaml_str(in.key, &secret, b->e)) return false;
    if (!in.name.n) in.name = arena_printf(b->a, "key-%u", number);
    return add_key(b, in.key, secret, (struct client_key){.name = in.name, .team = in.team, .admin = in.admin});
}

bool build_keys(struct build *b) {
    struct config *c = b->c;
    const ynode *n = b->top.keys;
    unsigned count = n && n->type == Y_SEQ ? yaml_count(n) : 0;
    if (count > CONFIG_CLIENT_KEYS_MAX) return yaml_fail(b->e, n, "more than %d keys", CONFIG_CLIENT_KEYS_MAX);
    if (n && n->type != Y_SEQ && !yaml_is_null(n)) return yaml_fail(b->e, n, "expected a list of keys");
    c->key = arena_array(b->a, struct client_key, count + 1);
    unsigned number = 0;
    for (const ynode *i = n ? n->child : NULL; i; i = i->next)
        if (!read_key(b, i, ++number)) return false;
    c->keys_required = c->key_count > 0;
    n = b->top.admin_key;
    if (n) {
        str secret;
        if (!yaml_str(n, &secret, b->e)) return false;
        if (!add_key(b, n, secret, (struct client_key){.name = STR("admin"), .admin = true})) return false;
    }
    for (uint32_t i = 0; i < c->key_count; i++) c->admin_required |= c->key[i].admin;
    c->admin_required |= c->keys_required;
    return true;
}

bool build_access_rule(struct build *b) {
    const struct config *c = b->c;
    for (unsigned i = 0; i < c->listen_count && !c->keys_required; i++) {
        const struct listen_addr *l = &c->listen[i];
        if (l->loopback) continue;
        static const char why[] =
            "other machines can reach %.*s, and without `keys` anybody there could spend your credit; "
            "add keys (for example keys: [${DRAY_KEY}]) or listen on 127.0.0.1";
        const ynode *at = getenv("DRAY_LISTEN") && *getenv("DRAY_LISTEN") ? NULL : b->top.listen;
        return at ? yaml_fail(b->e, at, why, STR_ARG(l->text)) : fail(b->e, why, STR_ARG(l->text));
    }
    return true;
}
