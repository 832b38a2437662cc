/* resolve: what a model name in a request means, who a credential belongs to. On the road of every call, so
 * nothing is allocated. */
#include "config/build.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>

enum { MODEL_ID_MAX = 512 };

const struct provider *config_provider(const struct config *c, str name) {
    for (unsigned i = 0; i < c->provider_count; i++)
        if (str_eq(c->provider[i].name, name)) return &c->provider[i];
    return NULL;
}

/* `info` is what the catalogue knows of it, or NULL. */
static const struct price *price_of(const struct config *c, const struct provider *p, str model,
                                    const struct model_info *info) {
    uint32_t lo = 0, hi = p->price_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = str_cmp(p->prices[mid].model, model);
        if (order == 0) return p->prices[mid].price;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (p->price) return p->price;
    if (!p->kind->catalog) return NULL;
    const struct price *listed = price_list_find(c->price_list, str_from(p->kind->catalog), model);
    return listed ? listed : info ? info->price : NULL;
}

static const struct model_info *info_of(const struct provider *p, str model) {
    return p->kind->catalog ? catalog_model(str_from(p->kind->catalog), model) : NULL;
}

const struct price *config_price(const struct config *c, const struct provider *p, str model) {
    return price_of(c, p, model, info_of(p, model));
}

static const struct model_name *find_name(const struct config *c, str name) {
    uint32_t lo = 0, hi = c->name_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = str_cmp(c->name[mid].name, name);
        if (order == 0) return &c->name[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void resolve_target(const struct config *c, const struct provider *p, str model, str name,
                           struct resolution *out) {
    out->what = RESOLVED_TARGET;
    const struct model_info *info = info_of(p, model);
    const struct price *price = price_of(c, p, model, info);
    for (uint32_t i = 0; i < c->router.target_count; i++) {
        const struct target *t = &c->router.target[i];
        if (t->provider_id != p->id || t->price != price || !str_eq(t->model, model)) continue;
        out->id = (int32_t)i;
        out->target = *t;
        return;
    }
    out->id = -1;
    out->target = (struct target){.name = name,
                                  .provider = p->name,
                                  .model = model,
                                  .price = price,
                                  .context = info ? info->context : 0,
                                  .flags = info ? info->flags : 0,
                                  .provider_id = p->id};
}

/* The configured provider of a catalogue's models: at its maker's own address before one elsewhere. */
static const struct provider *provider_of_catalog(const struct config *c, str catalog) {
    const struct provider *elsewhere = NULL;
    for (unsigned i = 0; i < c->provider_count; i++) {
        const struct provider *p = &c->provider[i];
        if (!p->kind->catalog || !str_eqz(catalog, p->kind->catalog)) continue;
        if (p->standard) return p;
        if (!elsewhere) elsewhere = p;
    }
    return elsewhere;
}

static const struct provider *only_of_dialect(const struct config *c, enum dialect dialect) {
    const struct provider *only = NULL;
    for (unsigned i = 0; i < c->provider_count; i++) {
        if (c->provider[i].kind->native != dialect) continue;
        if (only) return NULL;
        only = &c->provider[i];
    }
    return only;
}

void config_resolve(const struct config *c, str model, enum dialect dialect, struct resolution *out) {
    *out = (struct resolution){.what = RESOLVED_NONE, .id = -1};
    if (!model.n) return;
    if (str_eq(model, STR("auto"))) {
        out->what = RESOLVED_AUTO;
        return;
    }
    if (str_starts(model, STR("auto:"))) {
        int tier = router_tier(&c->router, str_skip(model, 5));
        if (tier >= 0) *out = (struct resolution){.what = RESOLVED_TIER, .tier = (uint32_t)tier, .id = -1};
        return;
    }
    const struct model_name *named = find_name(c, model);
    if (named) {
        *out = (struct resolution){.what = RESOLVED_TARGET,
                                   .target = c->router.target[named->target],
                                   .id = named->target,
                                   .reroute = named->reroute == REROUTE_ALWAYS,
                                   .fixed = named->reroute == REROUTE_NEVER};
        return;
    }
    ptrdiff_t slash = str_chr(model, '/');
    const struct provider *p = slash > 0 ? config_provider(c, str_take(model, (size_t)slash)) : NULL;
    if (p && (size_t)slash + 1 < model.n) {
        resolve_target(c, p, str_skip(model, (size_t)slash + 1), model, out);
        out->fixed = c->reroute == REROUTE_NEVER;
        out->addressed = true;
        return;
    }
    str catalog = catalog_provider_of(model);
    p = catalog.n ? provider_of_catalog(c, catalog) : NULL;
    if (!p) p = only_of_dialect(c, dialect);
    if (!p) return;
    resolve_target(c, p, model, STR_NONE, out);
    out->reroute = c->reroute == REROUTE_ALWAYS;
    out->fixed = c->reroute == REROUTE_NEVER;
}

str config_target_name(const struct target *t, arena *a) {
    return t->name.n ? t->name : arena_printf(a, "%.*s/%.*s", STR_ARG(t->provider), STR_ARG(t->model));
}

/* ---- GET /v1/models ---- */

struct listing {
    void (*each)(void *ctx, str id, str owner);
    void *ctx;
    str provider;
};

static void list_model(void *ctx, const struct model_info *m) {
    struct listing *l = ctx;
    char id[MODEL_ID_MAX];
    int n = snprintf(id, sizeof id, "%.*s/%.*s", STR_ARG(l->provider), STR_ARG(m->name));
    if (n > 0 && (size_t)n < sizeof id) l->each(l->ctx, str_make(id, (size_t)n), l->provider);
}

void config_each_model(const struct config *c, void (*each)(void *ctx, str id, str owner), void *ctx) {
    char id[MODEL_ID_MAX];
    each(ctx, STR("auto"), STR("dray"));
    for (uint32_t i = 0; i < c->router.tier_count; i++) {
        int n = snprintf(id, sizeof id, "auto:%.*s", STR_ARG(c->router.tier[i].name));
        each(ctx, str_make(id, (size_t)n), STR("dray"));
    }
    for (uint32_t i = 0; i < c->name_count; i++)
        each(ctx, c->name[i].name, c->router.target[c->name[i].target].provider);
    for (unsigned i = 0; i < c->provider_count; i++) {
        struct listing l = {each, ctx, c->provider[i].name};
        if (c->provider[i].kind->catalog) catalog_each(str_from(c->provider[i].kind->catalog), list_model, &l);
    }
}

/* ---- keys ---- */

static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

/* Fetched once: OpenSSL's one-call SHA256() looks it up each time, which costs more than the hash. */
static void fetch_sha256(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    invariant(sha256 != NULL);
}

const struct client_key *config_key(const struct config *c, str credential) {
    uint8_t hash[32];
    const struct client_key *found = NULL;
    if (!c->key_count) return NULL;
    pthread_once(&sha256_once, fetch_sha256);
    if (EVP_Digest(credential.n ? credential.p : "", credential.n, hash, NULL, sha256, NULL) != 1) return NULL;
    for (uint32_t i = 0; i < c->key_count; i++) /* all of them: the time says nothing about which */
        if (CRYPTO_memcmp(c->key[i].sha256, hash, sizeof hash) == 0) found = &c->key[i];
    return found;
}
