/* providers: who answers: address, credential, headers, prices. What is missing in the file comes from the
 * kind's row in the catalogue. A credential is never sent to an address it was not given for: the kind's
 * environment variable counts only without a base_url of one's own. */
#include "config/build.h"
#include "config/sections.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

enum { NAME_MAX_LEN = 64, HOST_MAX = 253, PATH_MAX_LEN = 512, HEADER_VALUE_MAX = 4096 };

/* ---- base_url ---- */

static bool host_good(str host, bool bracketed) {
    char z[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    if (!host.n || host.n > HOST_MAX) return false;
    if (bracketed) {
        if (host.n >= sizeof z) return false;
        memcpy(z, host.p, host.n);
        z[host.n] = 0;
        return inet_pton(AF_INET6, z, &v6) == 1;
    }
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && !strchr("-._", host.p[i])) return false;
    return true;
}

static str lower(arena *a, str s) {
    str out = arena_str(a, s);
    for (size_t i = 0; i < out.n; i++) ((char *)out.p)[i] = (char)tolower((unsigned char)out.p[i]);
    return out;
}

/* Cuts "host[:port]" off the front of *rest; NULL when good. */
static const char *parse_authority(struct provider *p, str *rest, arena *a) {
    size_t end = 0;
    while (end < rest->n && !strchr("/?#", rest->p[end])) end++;
    str authority = str_take(*rest, end), port = STR_NONE;
    *rest = str_skip(*rest, end);
    if (str_chr(authority, '@') >= 0) return "a user name or password can't be part of it: use api_key or headers";
    bool bracketed = authority.n && authority.p[0] == '[';
    ptrdiff_t close = bracketed ? str_chr(authority, ']') : -1;
    if (bracketed && close < 0) return "\"[\" without \"]\"";
    str host = bracketed ? str_make(authority.p + 1, (size_t)close - 1) : authority;
    str after = bracketed ? str_skip(authority, (size_t)close + 1) : STR_NONE;
    ptrdiff_t colon = bracketed ? (after.n ? 0 : -1) : str_chr(authority, ':');
    if (bracketed && after.n && after.p[0] != ':') return "expected a port behind \"]\"";
    if (!bracketed && colon >= 0) host = str_take(authority, (size_t)colon);
    if (colon >= 0) port = bracketed ? str_skip(after, 1) : str_skip(authority, (size_t)colon + 1);
    if (!host_good(host, bracketed)) return "no valid host name or address";
    uint64_t number = p->tls ? 443 : 80;
    if (colon >= 0 && (!str_u64(port, &number) || number == 0 || number > 65535))
        return "the port must be 1 to 65535";
    p->host = lower(a, host);
    p->port = (uint16_t)number;
    bool standard = number == (p->tls ? 443u : 80u);
    p->host_header =
        standard ? arena_printf(a, "%s%.*s%s", bracketed ? "[" : "", STR_ARG(p->host), bracketed ? "]" : "")
                 : arena_printf(a, "%s%.*s%s:%u", bracketed ? "[" : "", STR_ARG(p->host), bracketed ? "]" : "",
                                (unsigned)number);
    return NULL;
}

/* Path of a kind's standard URL: "/v1". */
static str kind_path(const struct provider *p, arena *a) {
    str url = cloud_fill(p, str_from(p->kind->base_url), a);
    ptrdiff_t scheme = str_find(url, STR("://"));
    if (scheme >= 0) url = str_skip(url, (size_t)scheme + 3);
    ptrdiff_t slash = str_chr(url, '/');
    return slash < 0 ? STR_NONE : str_skip(url, (size_t)slash);
}

const char *provider_url(struct provider *p, str url, arena *a) {
    if (str_istarts(url, STR("https://")))
        p->tls = true;
    else if (!str_istarts(url, STR("http://")))
        return "expected http:// or https://";
    str rest = str_skip(url, p->tls ? 8 : 7);
    const char *wrong = parse_authority(p, &rest, a);
    if (wrong) return wrong;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '?' || rest.p[i] == '#') return "a query or fragment can't be part of it";
        if ((unsigned char)rest.p[i] <= ' ' || (unsigned char)rest.p[i] > '~')
            return "it has characters that can't stand in a URL";
    }
    if (rest.n > PATH_MAX_LEN) return "its path is too long";
    while (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    p->base_path = rest.n ? arena_str(a, rest) : kind_path(p, a);
    return NULL;
}

static bool read_address(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    if (in->base_url) {
        str url;
        if (!yaml_str(in->base_url, &url, b->e)) return false;
        const char *wrong = provider_url(p, url, b->a);
        return !wrong || yaml_fail(b->e, in->base_url, "base_url of \"%.*s\": %s", STR_ARG(p->name), wrong);
    }
    if (strcmp(p->kind->name, "sim") == 0) {
        p->sim = STR("openai");
        p->host = STR("127.0.0.1");
        p->host_header = STR("simulated");
        p->base_path = kind_path(p, b->a);
        return true;
    }
    if (p->kind->base_url[0] == '/')
        return yaml_fail_key(b->e, map, "provider \"%.*s\" needs a base_url: kind %s has no address of its own",
                             STR_ARG(p->name), p->kind->name);
    p->standard = true;
    return !provider_url(p, cloud_fill(p, str_from(p->kind->base_url), b->a), b->a) ||
           fail(b->e, "base_url of kind %s", p->kind->name);
}

/* ---- credential ---- */

static bool add_credential(struct build *b, struct provider *p, const ynode *at, str secret) {
    if (p->key_count == CONFIG_KEYS_MAX) return yaml_fail(b->e, at, "more than %d keys", CONFIG_KEYS_MAX);
    if (!secret_check(b, at, secret)) return false;
    p->key[p->key_count++] = secret;
    return true;
}

static bool read_api_key(struct build *b, struct provider *p, const ynode *n) {
    str secret;
    if (!yaml_str(n, &secret, b->e)) return false;
    if (!n->secret && !n->quoted && str_eq(secret, STR("client"))) {
        p->key_from_client = true;
        return true;
    }
    return add_credential(b, p, n, secret);
}

/* The kind's environment variable, when nothing else is said and the address is the kind's own. */
static bool key_from_environment(struct build *b, struct provider *p, const ynode *map,
                                 const struct provider_in *in) {
    const struct provider_kind *k = p->kind;
    if (in->base_url || k->local || !k->key_env) {
        p->auth = AUTH_NONE;
        return true;
    }
    for (unsigned i = 0; i < p->header_count; i++) /* a header of one's own says who calls */
        if (str_eq(p->header[i].name, STR("authorization")) || str_eq(p->header[i].name, STR("x-api-key"))) {
            p->auth = AUTH_NONE;
            return true;
        }
    const char *value = getenv(k->key_env);
    if ((!value || !*value) && k->key_env2) value = getenv(k->key_env2);
    if (!value || !*value)
        return yaml_fail_key(b->e, map, "provider \"%.*s\" has no api_key, and %s is not set", STR_ARG(p->name),
                             k->key_env);
    return add_credential(b, p, map, arena_str(b->a, str_from(value)));
}

static bool read_credential(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    const ynode *const ways[] = {in->api_key, in->api_keys, in->api_key_file, in->api_key_command};
    const ynode *first = NULL;
    if (b->parts) return p->auth = AUTH_NONE, true;
    for (unsigned i = 0; i < 4; i++) {
        if (ways[i] && first)
            return yaml_fail_key(b->e, ways[i],
                                 "one way to give the credential is enough: there is \"%.*s\" already",
                                 STR_ARG(first->key));
        if (ways[i]) first = ways[i];
    }
    bool cloud = p->kind->auth == AUTH_AWS || p->kind->auth == AUTH_GOOGLE;
    p->auth = (p->kind->auth == AUTH_NONE || cloud) && first ? (uint8_t)AUTH_BEARER : p->kind->auth;
    if (!first) return cloud ? cloud_credential(b, p, map, in) : key_from_environment(b, p, map, in);
    str secret;
    if (in->api_key) return read_api_key(b, p, in->api_key);
    if (in->api_key_file) {
        p->key_file = in->api_key_file->value;
        return secret_file(b, in->api_key_file, &secret) && add_credential(b, p, in->api_key_file, secret);
    }
    if (in->api_key_command) {
        p->key_command = in->api_key_command->value;
        return secret_command(b, in->api_key_command, &secret) &&
               add_credential(b, p, in->api_key_command, secret);
    }
    if (in->api_keys->type != Y_SEQ || !in->api_keys->child)
        return yaml_fail(b->e, in->api_keys, "expected a list of keys");
    for (const ynode *i = in->api_keys->child; i; i = i->next)
        if (!yaml_str(i, &secret, b->e) || !add_credential(b, p, i, secret)) return false;
    return true;
}

/* ---- headers ---- */

/* Header names that are the wire's or dray's own business. */
static const char *const reserved[] = {"host",
                                       "content-length",
                                       "transfer-encoding",
                                       "connection",
                                       "keep-alive",
                                       "te",
                                       "trailer",
                                       "upgrade",
                                       "expect",
                                       "proxy-authorization",
                                       "proxy-connection",
                                       "accept-encoding",
                                       "content-encoding",
                                       "cookie",
                                       NULL};

static bool header_name(struct build *b, const ynode *at, str text, str *name) {
    if (!text.n || text.n > NAME_MAX_LEN * 2)
        return yaml_fail(b->e, at, "a header's name has 1 to %d characters", NAME_MAX_LEN * 2);
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum((unsigned char)text.p[i]) && !strchr("!#$%&'*+-.^_`|~", text.p[i])) /* RFC 9110 token */
            return yaml_fail(b->e, at, "\"%.*s\" is no name of a header", STR_ARG(str_take(text, 64)));
    *name = lower(b->a, text);
    for (const char *const *r = reserved; *r; r++)
        if (str_eqz(*name, *r)) return yaml_fail(b->e, at, "the header %s can't be set or passed on", *r);
    if (str_starts(*name, STR("x-dray-")))
        return yaml_fail(b->e, at, "x-dray- headers are dray's own and never go up");
    return true;
}

static bool read_headers(struct build *b, struct provider *p, const ynode *n) {
    if (n->type != Y_MAP) return yaml_fail(b->e, n, "expected a map of headers");
    for (const ynode *i = n->child; i; i = i->next) {
        struct header_pair h;
        ynode key = *i; /* errors about the name belong to the key's place */
        key.line = i->key_line;
        key.col = i->key_col;
        if (p->header_count == CONFIG_HEADERS_MAX)
            return yaml_fail(b->e, i, "more than %d headers", CONFIG_HEADERS_MAX);
        if (!header_name(b, &key, i->key, &h.name) || !yaml_str(i, &h.value, b->e)) return false;
        if (h.value.n > HEADER_VALUE_MAX) return yaml_fail(b->e, i, "longer than %d bytes", HEADER_VALUE_MAX);
        for (size_t k = 0; k < h.value.n; k++)
            if ((unsigned char)h.value.p[k] < ' ' || h.value.p[k] == 127)
                return yaml_fail(b->e, i, "a header can't have control characters");
        p->header[p->header_count++] = h;
    }
    return true;
}

static bool read_forward(struct build *b, struct provider *p, const ynode *n) {
    if (n->type != Y_SEQ) return yaml_fail(b->e, n, "expected a list of header names");
    for (const ynode *i = n->child; i; i = i->next) {
        str text, name;
        if (p->forward_count == CONFIG_HEADERS_MAX)
            return yaml_fail(b->e, i, "more than %d headers", CONFIG_HEADERS_MAX);
        if (!yaml_str(i, &text, b->e) || !header_name(b, i, text, &name)) return false;
        if (str_eq(name, STR("authorization")) || str_eq(name, STR("x-api-key")) ||
            str_eq(name, STR("x-goog-api-key")) || str_eq(name, STR("api-key")))
            return yaml_fail(b->e, i, "the client's credential is passed on with `api_key: client`");
        p->forward[p->forward_count++] = name;
    }
    return true;
}

/* ---- the rest ---- */

static bool read_timeout(struct build *b, const ynode *n, struct timeouts *t) {
    if (n->type == Y_SCALAR) return yaml_duration(n, &t->total, b->e);
    return options_read(b, SECTION_TIMEOUT, n, t);
}

static int by_model(const void *x, const void *y) {
    return str_cmp(((const struct model_price *)x)->model, ((const struct model_price *)y)->model);
}

static bool read_prices(struct build *b, struct provider *p, const struct provider_in *in) {
    if (in->price && !build_price(b, in->price, &p->price)) return false;
    if (!in->prices) return true;
    if (in->prices->type != Y_MAP) return yaml_fail(b->e, in->prices, "expected a map of models to prices");
    struct model_price *list = arena_array(b->a, struct model_price, yaml_count(in->prices));
    for (const ynode *i = in->prices->child; i; i = i->next) {
        list[p->price_count].model = i->key;
        if (!build_price(b, i, &list[p->price_count++].price)) return false;
    }
    if (p->price_count) qsort(list, p->price_count, sizeof *list, by_model);
    p->prices = list;
    return true;
}

static bool read_ca_file(struct build *b, const ynode *n, str *out) {
    if (!yaml_str(n, out, b->e)) return false;
    *out = build_path(b, *out);
    return true;
}

static bool find_kind(struct build *b, struct provider *p, const ynode *map, const ynode *kind) {
    str name = p->name;
    if (kind && !yaml_str(kind, &name, b->e)) return false;
    p->kind = provider_kind_find(name);
    if (p->kind) return true;
    const struct provider_kind *k;
    str list = STR_NONE;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++)
        list = arena_printf(b->a, "%.*s%s%s", STR_ARG(list), i ? ", " : "", k->name);
    char shown[64];
    if (!kind)
        return yaml_fail_key(b->e, map, "provider \"%.*s\" needs a kind: one of %.*s", STR_ARG(p->name),
                             STR_ARG(list));
    return yaml_fail(b->e, kind, "there is no kind %s; known are %.*s", yaml_shown(kind, shown), STR_ARG(list));
}

static bool name_good(str name) {
    if (!name.n || name.n > NAME_MAX_LEN || str_eq(name, STR("auto"))) return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && !strchr("-._", name.p[i])) return false;
    return true;
}

static bool read_provider(struct build *b, const ynode *map, struct provider *p) {
    struct provider_in in = {.stream_usage = b->top.stream_usage};
    p->name = map->key;
    p->verify = true;
    if (!name_good(p->name))
        return yaml_fail_key(
            b->e, map, "a provider's name has 1 to %d letters, digits, - . _ (and is not \"auto\")", NAME_MAX_LEN);
    if (!options_read(b, SECTION_PROVIDER, map, &in) || !find_kind(b, p, map, in.kind)) return false;
    if (!b->parts && (!cloud_where(b, p, map, &in) || !read_address(b, p, map, &in))) return false;
    if (in.headers && !read_headers(b, p, in.headers)) return false;
    if (in.forward_headers && !read_forward(b, p, in.forward_headers)) return false;
    if (!read_credential(b, p, map, &in)) return false;
    p->timeout = (struct timeouts){5000000, 600000000, 120000000, 3600000000u};
    if (b->top.timeout && !read_timeout(b, b->top.timeout, &p->timeout)) return false;
    if (in.timeout && !read_timeout(b, in.timeout, &p->timeout)) return false;
    const ynode *ca = in.ca_file ? in.ca_file : b->top.ca_file;
    if (ca && !read_ca_file(b, ca, &p->ca_file)) return false;
    p->max_connections = in.max_connections;
    p->stream_usage = p->kind->stream_options ? (uint8_t)in.stream_usage : (uint8_t)STREAM_USAGE_OBSERVE;
    return read_prices(b, p, &in);
}

/* What is allowed, but likely not meant. */
static void look_over(struct build *b, const struct provider *p) {
    bool local =
        str_eq(p->host, STR("127.0.0.1")) || str_eq(p->host, STR("localhost")) || str_eq(p->host, STR("::1"));
    if (!p->tls && !local && (p->key_count || p->key_from_client))
        build_warn(b, "provider %.*s: its key goes over http, in clear text", STR_ARG(p->name));
    if (p->kind->local && !p->price && !p->price_count)
        build_warn(b,
                   "provider %.*s: what its models cost is unknown; say `price: free` or {gpu_hour: …, "
                   "tokens_per_hour: …}",
                   STR_ARG(p->name));
}

/* Somebody relies on a proxy that is not asked yet. */
static void look_over_proxy(struct build *b) {
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy"};
    bool tls = false;
    for (unsigned i = 0; i < b->c->provider_count; i++) tls |= b->c->provider[i].tls;
    for (unsigned i = 0; i < 2; i++) {
        const char *v = getenv(names[i]);
        if (!v || !*v || !tls) continue;
        build_warn(b, "%s is set, but proxies are not supported yet: providers are called directly", names[i]);
        return;
    }
}

/* A provider whose address is where dray itself listens would make each call call dray again. */
static bool not_dray(struct build *b, const ynode *map, const struct provider *p) {
    bool local =
        str_eq(p->host, STR("127.0.0.1")) || str_eq(p->host, STR("localhost")) || str_eq(p->host, STR("::1"));
    for (unsigned i = 0; local && !p->sim.n && i < b->c->listen_count; i++)
        if (!b->c->listen[i].is_unix && b->c->listen[i].port == p->port)
            return yaml_fail_key(b->e, map, "provider \"%.*s\" is at %.*s, where dray itself listens",
                                 STR_ARG(p->name), STR_ARG(p->host_header));
    return true;
}

bool build_providers(struct build *b) {
    struct config *c = b->c;
    const ynode *n = b->top.providers;
    char shown[64];
    if (!n || yaml_is_null(n)) { /* those of the environment */
        ynode *root;
        if (b->parts) return fail(b->e, "\"providers\" is missing: say at least {openai: {}}");
        if (!yaml_parse(env_providers(b->a, &c->simulated), "environment", b->a, &root, b->e)) return false;
        n = yaml_get(root, "providers");
    }
    if (n->type != Y_MAP) return yaml_fail(b->e, n, "expected a map of providers, not %s", yaml_shown(n, shown));
    unsigned count = yaml_count(n);
    if (count > CONFIG_PROVIDERS_MAX) return yaml_fail(b->e, n, "more than %d providers", CONFIG_PROVIDERS_MAX);
    if (!count) return yaml_fail(b->e, n, "no provider: nobody could answer a call");
    c->provider = arena_array(b->a, struct provider, count);
    for (const ynode *i = n->child; i; i = i->next) {
        struct provider *p = &c->provider[c->provider_count];
        p->id = c->provider_count++;
        if (!read_provider(b, i, p) || !not_dray(b, i, p)) return false;
        look_over(b, p);
    }
    if (!b->parts) look_over_proxy(b);
    return true;
}
