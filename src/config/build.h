/* build: what the files of this layer share while a snapshot is being made. Private to src/config. */
#ifndef DRAY_CONFIG_BUILD_H
#define DRAY_CONFIG_BUILD_H

#include "base/yaml.h"
#include "config/config.h"

#include <sys/types.h>

/* What the top level says: nodes still to be read, in the order of the builder, not of the file. */
struct top {
    const ynode *listen, *keys, *admin_key, *providers, *models, *tiers, *policy, *labels, *semantic, *baseline,
        *ledger, *spool;
    const ynode *prices, *routing_model, *timeout, *limits, *keep, *ca_file, *include, *fetch_allow;
    unsigned mode, reroute, stream_usage, on_full, on_disconnect, log_level, translation;
    uint64_t workers;
    bool fsync;
    str gateway;
};

struct build {
    struct config *c;
    arena *a; /* the snapshot's */
    err *e;
    str dir; /* of the file, with a slash at the end; empty: the working directory */
    struct top top;
    uint32_t target_cap;
    const struct config_parts *parts; /* not NULL: no I/O, no environment, no credentials; see config_parse_pure */
};

/* ---- options.c ---- */
enum section {
    SECTION_TOP,
    SECTION_PROVIDER,
    SECTION_MODEL,
    SECTION_TIER,
    SECTION_TARGET,
    SECTION_KEY,
    SECTION_TIMEOUT,
    SECTION_LIMITS,
    SECTION_KEEP,
    SECTION_GPU,
    SECTION_SEMANTIC,
    SECTION_COUNT
};
/* Reads every key of `map` by the table into `values`, the section's struct, whose defaults are set already. */
bool options_read(struct build *b, enum section s, const ynode *map, void *values);

/* ---- one file each ---- */
bool build_listen(struct build *b);      /* access.c */
bool build_keys(struct build *b);        /* access.c */
bool build_access_rule(struct build *b); /* access.c: after listen and keys */
bool build_providers(struct build *b);   /* providers.c */
bool build_price_list(struct build *b);  /* prices.c */
/* The bytes of a file of at most `max`, in the snapshot's arena; an error points at `at`. prices.c */
bool build_slurp(struct build *b, const ynode *at, str path, size_t max, str *text);
bool build_fetch(struct build *b); /* cloud.c: fetch_allow, ca_file */
/* cloud.c: kinds whose address and credential are a cloud's. `in` is the provider's struct provider_in. */
struct provider_in;
bool cloud_where(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in);
bool cloud_credential(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in);
/* {region} and {project} replaced by what the provider has. */
str cloud_fill(const struct provider *p, str text, arena *a);
/* Parts of a URL as parse_url has them: whether TLS, host, port, path. NULL when good. providers.c */
const char *provider_url(struct provider *p, str url, arena *a);
bool build_models(struct build *b);   /* models.c: names and their targets */
bool build_semantic(struct build *b); /* semantic.c: before the policy, which names its routes */
bool build_tiers(struct build *b);    /* models.c: tiers, default tiers, baseline */
/* "free", {gpu_hour, tokens_per_hour} or {class: dollars}; prices.c */
bool build_price(struct build *b, const ynode *n, const struct price **out);
/* Id of the target of a configured name, provider/model, or bare name; -1 when it means none. models.c */
int build_target(struct build *b, str name);
enum { SECRET_MS = 10000 }; /* time that a file or a command has */
/* Reads to the end, at most CONFIG_SECRET_MAX bytes into CONFIG_SECRET_MAX + 1; the bytes, or -1 with errno. */
ssize_t secret_read(int fd, char *to);
/* A credential from a file (secret.c) or a command (command.c). `at` is where it was asked for. */
bool secret_file(struct build *b, const ynode *at, str *out);
bool secret_command(struct build *b, const ynode *at, str *out);
/* Whether text can stand in a header; fails at `at` without showing it. */
bool secret_check(struct build *b, const ynode *at, str secret);
/* YAML that says what the environment says: the providers whose keys are set, or the simulated one. env.c */
str env_providers(arena *a, bool *simulated);
/* Text of the whole zero configuration. */
str env_config(arena *a);

/* A path as written, beside the file that says it unless absolute. */
str build_path(struct build *b, str path);
void build_warn(struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct price_list; /* prices.c */
const struct price *price_list_find(const struct price_list *l, str provider, str model);

#endif
