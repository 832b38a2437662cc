/* config: from text to snapshot. Reading goes in a fixed order, whatever the order in the file: where clients
 * come in, who answers, names, tiers, policy. What the environment says goes through the same text form
 * (env.c), so there is one way in and one kind of error.
 *
 * Everything of a snapshot, the parsed text included, is in its one arena, which is wiped before it is
 * freed: credentials don't outlive the last pin. */
#include "config/build.h"
#include "config/sections.h"

#include "base/log.h"
#include "brain/semantic.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ARENA_FIRST = 16 << 10,
    ARENA_MAX = 256 << 20,
    WORKERS_USUAL = 4,
    GATEWAY_NAME_MAX = 64,
    VERSION_TEXT_MAX = 64 << 20
};

str build_path(struct build *b, str path) {
    if (!path.n || path.p[0] == '/') return arena_str(b->a, path);
    return arena_printf(b->a, "%.*s%.*s", STR_ARG(b->dir), STR_ARG(path));
}

void build_warn(struct build *b, const char *fmt, ...) {
    struct config *c = b->c;
    if (c->warning_count == CONFIG_WARNINGS_MAX) return;
    va_list ap;
    va_start(ap, fmt);
    c->warning[c->warning_count++] = arena_vprintf(b->a, fmt, ap);
    va_end(ap);
}

/* ---- include ---- */

static str dir_of(arena *a, const char *file) {
    const char *slash = strrchr(file, '/');
    return slash ? arena_str(a, str_make(file, (size_t)(slash - file) + 1)) : STR_NONE;
}

static bool joined(str key) {
    static const char *const keys[] = {"providers", "models", "tiers", "keys", "policy", "labels"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (str_eqz(key, keys[i])) return true;
    return false;
}

/* Appends the children of `more` to those of `to`; the same key of two maps is an error. */
static bool join(struct build *b, ynode *to, const ynode *more) {
    if (yaml_is_null(to)) {
        str key = to->key;
        ynode *next = to->next;
        *to = *more;
        to->key = key;
        to->next = next;
        return true;
    }
    if (yaml_is_null(more)) return true;
    if (to->type != more->type || to->type == Y_SCALAR)
        return yaml_fail(b->e, more, "\"%.*s\" is of another form than on line %u of %s", STR_ARG(to->key),
                         to->line, to->file);
    if (to->type == Y_MAP)
        for (const ynode *x = more->child; x; x = x->next)
            for (const ynode *y = to->child; y; y = y->next)
                if (str_eq(x->key, y->key))
                    return yaml_fail_key(b->e, x, "\"%.*s\" is on line %u of %s already", STR_ARG(x->key),
                                         y->key_line, y->file);
    ynode **tail = &to->child;
    while (*tail) tail = &(*tail)->next;
    *tail = more->child;
    return true;
}

static bool merge(struct build *b, ynode *into, ynode *from) {
    for (ynode *n = from->child, *next; n; n = next) {
        next = n->next;
        n->next = NULL;
        ynode **tail = &into->child;
        while (*tail && !str_eq((*tail)->key, n->key)) tail = &(*tail)->next;
        if (!*tail)
            *tail = n;
        else if (!joined(n->key))
            return yaml_fail_key(b->e, n, "\"%.*s\" is on line %u of %s already", STR_ARG(n->key),
                                 (*tail)->key_line, (*tail)->file);
        else if (!join(b, *tail, n))
            return false;
    }
    return true;
}

static bool include_all(struct build *b, ynode *root, unsigned *files, ynode *into);

static bool include_one(struct build *b, const ynode *at, unsigned *files, ynode *into) {
    str path;
    ynode *root;
    char shown[64];
    if (b->parts) return yaml_fail(b->e, at, "files are not read here: give the configuration in one piece");
    if (!yaml_str(at, &path, b->e)) return false;
    if (++*files > CONFIG_INCLUDES_MAX)
        return yaml_fail(b->e, at, "more than %d included files (does one include itself?)", CONFIG_INCLUDES_MAX);
    str dir = dir_of(b->a, at->file);
    path = path.p[0] == '/' ? path : arena_printf(b->a, "%.*s%.*s", STR_ARG(dir), STR_ARG(path));
    err why = {{0}};
    if (!yaml_load(arena_strz(b->a, path), b->a, &root, &why)) return yaml_fail(b->e, at, "included: %s", why.msg);
    if (root->type != Y_MAP) return yaml_fail(b->e, root, "expected a map, not %s", yaml_shown(root, shown));
    return include_all(b, root, files, into);
}

/* Puts the files that `root` includes, then root itself, into `into`. */
static bool include_all(struct build *b, ynode *root, unsigned *files, ynode *into) {
    for (ynode **p = &root->child; *p; p = &(*p)->next) {
        if (!str_eq((*p)->key, STR("include"))) continue;
        const ynode *n = *p;
        *p = n->next; /* taken out; `n` still knows its own place */
        for (const ynode *i = n->type == Y_SEQ ? n->child : n; i; i = n->type == Y_SEQ ? i->next : NULL)
            if (!include_one(b, i, files, into)) return false;
        break; /* a key is there once */
    }
    return merge(b, into, root);
}

/* ---- the top level ---- */

static void limits_init(struct limits *l) {
    *l = (struct limits){.body_max = 64u << 20,
                         .head_max = 64u << 10,
                         .hold_max = 1u << 20,
                         .client_head_us = 10000000,
                         .client_body_us = 30000000,
                         .client_idle_us = 75000000,
                         .client_write_us = 60000000,
                         .client_connections = 16384,
                         .drain_us = 30000000};
}

static bool build_ledger(struct build *b) {
    struct config *c = b->c;
    str text = STR("sqlite:dray.db");
    const ynode *n = b->top.ledger;
    if (n && !yaml_str(n, &text, b->e)) return false;
    if (n && (str_starts(text, STR("postgres:")) || str_starts(text, STR("postgresql:"))))
        return yaml_fail(b->e, n,
                         "a PostgreSQL ledger is not supported yet in this version of dray; use sqlite:PATH");
    if (!str_starts(text, STR("sqlite:"))) {
        if (str_find(text, STR("://")) >= 0) return yaml_fail(b->e, n, "expected sqlite:PATH");
    } else {
        text = str_skip(text, 7);
    }
    if (!text.n || memchr(text.p, 0, text.n)) return yaml_fail(b->e, n, "expected sqlite:PATH");
    c->ledger_path = build_path(b, text);
    c->spool_dir = arena_printf(b->a, "%.*sspool", STR_ARG(dir_of(b->a, c->ledger_path.p)));
    if (!b->top.spool) return true;
    if (!yaml_str(b->top.spool, &text, b->e)) return false;
    if (!text.n) return yaml_fail(b->e, b->top.spool, "expected a directory");
    c->spool_dir = build_path(b, text);
    return true;
}

static str host_name(arena *a) {
    char name[GATEWAY_NAME_MAX + 1];
    if (gethostname(name, sizeof name) != 0) return STR("dray");
    name[sizeof name - 1] = 0;
    return name[0] ? arena_str(a, str_from(name)) : STR("dray");
}

static bool build_plain(struct build *b) {
    struct config *c = b->c;
    const struct top *t = &b->top;
    struct keep_in keep = {0};
    c->mode = (uint8_t)t->mode;
    c->reroute = (uint8_t)t->reroute;
    c->on_full = (uint8_t)t->on_full;
    c->on_disconnect = (uint8_t)t->on_disconnect;
    c->translation = (uint8_t)t->translation;
    c->log_level = (uint8_t)t->log_level;
    c->ledger_fsync = t->fsync;
    c->gateway = t->gateway.n ? t->gateway : b->parts ? STR("dray") : host_name(b->a);
    c->workers = (uint16_t)t->workers;
    if (!c->workers) {
        long cores = b->parts ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
        c->workers = (uint16_t)(cores < 1 ? 1 : cores < WORKERS_USUAL ? cores : WORKERS_USUAL);
    }
    limits_init(&c->limits);
    if (t->limits && !options_read(b, SECTION_LIMITS, t->limits, &c->limits)) return false;
    if (t->keep && !options_read(b, SECTION_KEEP, t->keep, &keep)) return false;
    c->keep_calls_us = keep.calls;
    c->keep_bodies_us = keep.bodies;
    if (keep.bodies) build_warn(b, "keep.bodies has no effect: texts of requests and answers are not kept yet");
    return true;
}

/* An empty `policy:` or `labels:` is none. */
static const ynode *unless_null(const ynode *n) { return n && yaml_is_null(n) ? NULL : n; }

static bool build_root(struct build *b, ynode *root) {
    char shown[64];
    unsigned files = 0;
    ynode *all = arena_new(b->a, ynode);
    *all = (ynode){.type = Y_MAP, .line = 1, .col = 1, .file = root->file};
    if (root->type != Y_MAP)
        return yaml_fail(b->e, root, "expected a map of options, not %s", yaml_shown(root, shown));
    if (!include_all(b, root, &files, all)) return false;
    b->top.log_level = 1; /* info */
    if (!options_read(b, SECTION_TOP, all, &b->top)) return false;
    b->top.policy = unless_null(b->top.policy);
    b->top.labels = unless_null(b->top.labels);
    if (!build_plain(b)) return false;
    bool serves = !b->parts; /* else it only decides */
    if (serves && !(build_ledger(b) && build_listen(b) && build_keys(b) && build_access_rule(b))) return false;
    return build_price_list(b) && build_fetch(b) && build_providers(b) && build_models(b) && build_semantic(b) &&
           build_tiers(b);
}

/* ---- version ---- */

static void add_node(buf *o, const ynode *n) {
    if (!n) return;
    buf_printf(o, "%.*s=", STR_ARG(n->key));
    if (n->type == Y_SCALAR)
        buf_printf(o, "%.*s;", STR_ARG(n->value));
    else {
        buf_char(o, n->type == Y_MAP ? '{' : '[');
        for (const ynode *i = n->child; i; i = i->next) add_node(o, i);
        buf_char(o, n->type == Y_MAP ? '}' : ']');
    }
}

static void add_price(buf *o, const struct price *p) {
    if (!p) return;
    for (unsigned s = 0; s < 4; s++)
        for (unsigned c = 0; c < USAGE_CLASSES; c++) buf_printf(o, "%lld,", (long long)p->rate[s][c]);
    for (unsigned t = 0; t < PRICE_CONTEXT_TIERS && p->context[t].above; t++) {
        buf_printf(o, ">%u:", p->context[t].above);
        for (unsigned c = 0; c < USAGE_CLASSES; c++) buf_printf(o, "%lld,", (long long)p->context[t].rate[c]);
    }
}

/* What decides calls and their cost: same version, same decisions. No credential is in it. */
static void set_version(struct build *b) {
    struct config *c = b->c;
    const struct router *r = &c->router;
    buf o;
    buf_init(&o, VERSION_TEXT_MAX);
    buf_printf(&o, "1 %s mode %u reroute %u baseline %d\n", catalog_version(), c->mode, c->reroute,
               r->has_baseline ? r->baseline : -1);
    for (unsigned i = 0; i < c->provider_count; i++) {
        const struct provider *p = &c->provider[i];
        buf_printf(&o, "provider %.*s %s %.*s%.*s%.*s %u %u\n", STR_ARG(p->name), p->kind->name,
                   STR_ARG(p->host_header), STR_ARG(p->base_path), STR_ARG(p->sim), p->tls, p->stream_usage);
    }
    for (uint32_t i = 0; i < r->target_count; i++) {
        buf_printf(&o, "target %.*s %u ", STR_ARG(r->target[i].name), r->target[i].context);
        add_price(&o, r->target[i].price);
        buf_char(&o, '\n');
    }
    for (uint32_t i = 0; i < c->name_count; i++)
        buf_printf(&o, "name %.*s %u %u\n", STR_ARG(c->name[i].name), c->name[i].target, c->name[i].reroute);
    for (uint32_t i = 0; i < r->tier_count; i++) {
        buf_printf(&o, "tier %.*s %u", STR_ARG(r->tier[i].name), r->tier[i].balance);
        for (unsigned t = 0; t < r->tier[i].count; t++)
            buf_printf(&o, " %u*%u", r->tier[i].target[t], r->tier[i].weight[t]);
        buf_char(&o, '\n');
    }
    add_node(&o, b->top.policy);
    add_node(&o, b->top.labels);
    add_node(&o, b->top.semantic);
    if (r->semantic) buf_printf(&o, "semantic %016llx\n", (unsigned long long)r->semantic->version);
    uint8_t hash[32];
    SHA256((const unsigned char *)o.p, o.n, hash);
    c->version =
        arena_printf(b->a, "%02x%02x%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
    buf_free(&o);
}

void config_announce(const struct config *c) {
    log_level_set((enum log_level)c->log_level);
    for (uint32_t i = 0; i < c->warning_count; i++)
        log_event(LOG_WARN, "configuration", log_s("notice", c->warning[i]));
}

static bool same_listen(const struct config *x, const struct config *y) {
    if (x->listen_count != y->listen_count) return false;
    for (unsigned i = 0; i < x->listen_count; i++)
        if (!str_eq(x->listen[i].text, y->listen[i].text)) return false;
    return true;
}

str config_needs_restart(const struct config *before, const struct config *now) {
    static _Thread_local char text[128];
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"listen", same_listen(before, now)},
        {"workers", before->workers == now->workers},
        {"ledger", str_eq(before->ledger_path, now->ledger_path)},
        {"spool", str_eq(before->spool_dir, now->spool_dir)},
        {"ledger_fsync", before->ledger_fsync == now->ledger_fsync},
        {"keep", before->keep_calls_us == now->keep_calls_us && before->keep_bodies_us == now->keep_bodies_us},
        {"gateway", str_eq(before->gateway, now->gateway)}};
    text[0] = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n = strlen(text);
        if (!keys[i].same) snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", keys[i].key);
    }
    return str_from(text);
}

/* ---- a snapshot's life ---- */

static struct config *config_new(void) {
    struct config *c = xcalloc(1, sizeof *c);
    arena_init(&c->a, ARENA_FIRST, ARENA_MAX);
    atomic_init(&c->pins, 1);
    return c;
}

static void config_free(struct config *c) {
    arena_wipe(&c->a);
    explicit_bzero(c, sizeof *c);
    free(c);
}

static struct config *finish(struct build *b, ynode *root) {
    bool good = build_root(b, root);
    if (good && arena_failed(b->a)) good = fail(b->e, "the configuration needs more than %d MB", ARENA_MAX >> 20);
    if (!good) {
        config_free(b->c);
        return NULL;
    }
    set_version(b);
    return b->c;
}

struct config *config_parse(str text, const char *name, err *e) {
    struct config *c = config_new();
    struct build b = {.c = c, .a = &c->a, .e = e, .dir = dir_of(&c->a, name)};
    ynode *root;
    c->source = arena_str(&c->a, str_from(name));
    if (yaml_parse(text, name, &c->a, &root, e)) return finish(&b, root);
    config_free(c);
    return NULL;
}

struct config *config_parse_pure(str text, const char *name, const struct config_parts *parts, err *e) {
    struct config *c = config_new();
    struct build b = {.c = c, .a = &c->a, .e = e, .dir = STR_NONE, .parts = parts};
    ynode *root;
    c->source = arena_str(&c->a, str_from(name));
    if (yaml_parse_plain(text, name, &c->a, &root, e)) return finish(&b, root);
    config_free(c);
    return NULL;
}

static struct config *load_file(const char *path, err *e) {
    struct config *c = config_new();
    struct build b = {.c = c, .a = &c->a, .e = e, .dir = dir_of(&c->a, path)};
    ynode *root;
    c->source = arena_str(&c->a, str_from(path));
    if (yaml_load(path, &c->a, &root, e)) return finish(&b, root);
    config_free(c);
    return NULL;
}

struct config *config_load(const char *path, err *e) {
    const char *env = getenv("DRAY_CONFIG");
    if (!path && env && *env) path = env;
    if (!path && access("dray.yaml", F_OK) == 0) path = "dray.yaml";
    if (path) return load_file(path, e);
    struct config *c = config_new();
    struct build b = {.c = c, .a = &c->a, .e = e, .dir = STR_NONE};
    ynode *root;
    if (yaml_parse(env_config(&c->a), "environment", &c->a, &root, e)) return finish(&b, root);
    config_free(c);
    return NULL;
}

struct config *config_pin(struct config *c) {
    atomic_fetch_add_explicit(&c->pins, 1, memory_order_relaxed);
    return c;
}

void config_unpin(struct config *c) {
    if (c && atomic_fetch_sub_explicit(&c->pins, 1, memory_order_acq_rel) == 1) config_free(c);
}
