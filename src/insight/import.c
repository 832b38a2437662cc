/* import: see import.h; what the importers share, and the writing of the result.
 *
 * A name with one deployment becomes a model. A name with several, or with fallbacks, becomes a tier of
 * its own and a rule that sends calls for the name to it: the first rules of the policy. Deployments that
 * differ in the key only become one provider with several keys. */
#include "insight/import.h"

#include <stdio.h>

const char *import_fit_name(enum import_fit f) {
    static const char *const names[] = {"exact", "approximate", "manual", "unsupported"};
    return names[f];
}

void import_init(struct import *m) {
    memset(m, 0, sizeof *m);
    arena_init(&m->a, 16 << 10, 64 << 20);
}

void import_free(struct import *m) { arena_free(&m->a); }

void import_note(struct import *m, enum import_fit fit, str setting, unsigned line, const char *note) {
    if (m->lines == IMPORT_LINES_MAX) return;
    m->line[m->lines++] =
        (struct import_line){fit, arena_str(&m->a, setting), arena_str(&m->a, str_from(note)), line};
}

unsigned import_provider(struct import *m, str kind, str base_url, str key, str timeout) {
    unsigned same_kind = 0, i;
    for (i = 0; i < m->providers; i++) {
        struct import_provider *p = &m->provider[i];
        if (!str_eq(p->kind, kind)) continue;
        if (str_eq(p->base_url, base_url)) break;
        same_kind++;
    }
    if (i == m->providers) {
        if (i == IMPORT_PROVIDERS_MAX) return 0;
        str name =
            same_kind ? arena_printf(&m->a, STR_FMT "-%u", STR_ARG(kind), same_kind + 1) : arena_str(&m->a, kind);
        m->provider[m->providers++] = (struct import_provider){
            .name = name, .kind = arena_str(&m->a, kind), .base_url = arena_str(&m->a, base_url)};
    }
    struct import_provider *p = &m->provider[i];
    bool known = key.n == 0;
    for (unsigned k = 0; k < p->keys; k++) known = known || str_eq(p->key[k], key);
    if (!known && p->keys < IMPORT_KEYS_MAX) p->key[p->keys++] = arena_str(&m->a, key);
    if (timeout.n && p->timeout.n == 0) p->timeout = arena_str(&m->a, timeout);
    return i;
}

struct import_model *import_model(struct import *m, str group, unsigned provider, str model) {
    unsigned n = 0;
    for (unsigned i = 0; i < m->models; i++) {
        struct import_model *o = &m->model[i];
        if (!str_eq(o->group, group)) continue;
        if (o->provider == provider && str_eq(o->model, model)) return o; /* the same with another key */
        n++;
    }
    if (m->models == IMPORT_MODELS_MAX) return &m->model[0];
    struct import_model *o = &m->model[m->models++];
    *o = (struct import_model){
        .group = arena_str(&m->a, group), .provider = provider, .model = arena_str(&m->a, model), .weight = 1};
    o->name = n ? arena_printf(&m->a, STR_FMT "@%u", STR_ARG(group), n + 1) : o->group;
    return o;
}

/* ---- writing ---- */

/* A scalar that YAML reads back as this text, whatever is in it. */
static void scalar(buf *o, str s) {
    buf_char(o, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') buf_char(o, '\\');
        if (c >= 0x20) buf_char(o, (char)c);
    }
    buf_char(o, '"');
}

static void write_provider(buf *o, const struct import_provider *p) {
    buf_strz(o, "  ");
    scalar(o, p->name);
    buf_printf(o, ": {kind: " STR_FMT, STR_ARG(p->kind));
    if (p->base_url.n) buf_strz(o, ", base_url: "), scalar(o, p->base_url);
    if (p->keys == 1) buf_strz(o, ", api_key: "), scalar(o, p->key[0]);
    if (p->keys > 1) {
        buf_strz(o, ", api_keys: [");
        for (unsigned k = 0; k < p->keys; k++) {
            if (k) buf_strz(o, ", ");
            scalar(o, p->key[k]);
        }
        buf_char(o, ']');
    }
    if (p->timeout.n) buf_printf(o, ", timeout: " STR_FMT, STR_ARG(p->timeout));
    buf_strz(o, "}\n");
}

static unsigned members(const struct import *m, str group) {
    unsigned n = 0;
    for (unsigned i = 0; i < m->models; i++) n += str_eq(m->model[i].group, group) && m->model[i].alias_of.n == 0;
    return n;
}

static const struct import_chain *chain_of(const struct import *m, str group) {
    for (unsigned i = 0; i < m->chains; i++)
        if (str_eq(m->chain[i].group, group)) return &m->chain[i];
    return NULL;
}

/* Whether clients that ask for this name need a tier. */
static bool needs_tier(const struct import *m, const struct import_model *o) {
    return str_eq(o->name, o->group) && o->alias_of.n == 0 && (members(m, o->group) > 1 || chain_of(m, o->group));
}

static void write_model(const struct import *m, buf *o, const struct import_model *x) {
    buf_strz(o, "  ");
    scalar(o, x->name);
    if (x->alias_of.n) {
        buf_strz(o, ": ");
        scalar(o, x->alias_of);
        buf_char(o, '\n');
        return;
    }
    buf_strz(o, ": {provider: ");
    scalar(o, m->provider[x->provider].name);
    buf_strz(o, ", model: ");
    scalar(o, x->model);
    if (x->price.n) buf_printf(o, ", price: " STR_FMT, STR_ARG(x->price));
    if (needs_tier(m, x)) buf_strz(o, ", reroute: always");
    buf_strz(o, "}\n");
}

/* A tier's name: at most 32 characters of a small alphabet; made unique by its number where that bites. */
static str tier_name(struct import *m, const struct import_model *x) {
    enum { KEPT = 20 };
    char clean[KEPT + 1];
    size_t n = 0;
    bool same = x->group.n <= KEPT;
    for (; n < x->group.n && n < KEPT; n++) {
        char c = x->group.p[n];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '.' || c == '_';
        clean[n] = good ? c : '-';
        same = same && good;
    }
    clean[n] = 0;
    if (same) return arena_printf(&m->a, "for-%s", clean);
    return arena_printf(&m->a, "for-%s-%u", clean, (unsigned)(x - m->model));
}

static void write_tier(struct import *m, buf *o, const struct import_model *x) {
    const struct import_chain *c = chain_of(m, x->group);
    bool group = members(m, x->group) > 1, weighted = group && !c && m->weighted;
    buf_strz(o, "  ");
    scalar(o, tier_name(m, x));
    buf_strz(o, ": {targets: [");
    bool comma = false;
    for (unsigned i = 0; i < m->models; i++) {
        const struct import_model *d = &m->model[i];
        if (!str_eq(d->group, x->group) || d->alias_of.n) continue;
        if (comma) buf_strz(o, ", ");
        comma = true;
        if (weighted) buf_strz(o, "{model: ");
        scalar(o, d->name);
        if (weighted) buf_printf(o, ", weight: %u}", d->weight);
    }
    for (unsigned i = 0; c && i < c->count; i++) {
        buf_strz(o, ", ");
        scalar(o, c->to[i]);
    }
    buf_printf(o, "], balance: %s}\n", weighted ? "weighted" : "priority");
}

void import_yaml(struct import *m, buf *o) {
    unsigned tiers = 0;
    buf_strz(o, "# Made by dray import. Check it with: dray check -c FILE\nproviders:\n");
    for (unsigned i = 0; i < m->providers; i++) write_provider(o, &m->provider[i]);
    if (m->master_key.n) {
        buf_strz(o, "keys: [{name: master, admin: true, key: ");
        scalar(o, m->master_key);
        buf_strz(o, "}]\n");
    }
    if (m->timeout.n) buf_printf(o, "timeout: " STR_FMT "\n", STR_ARG(m->timeout));
    if (m->models) buf_strz(o, "models:\n");
    for (unsigned i = 0; i < m->models; i++) {
        write_model(m, o, &m->model[i]);
        tiers += needs_tier(m, &m->model[i]);
    }
    if (tiers == 0) return;
    buf_strz(o, "tiers:\n");
    for (unsigned i = 0; i < m->models; i++)
        if (needs_tier(m, &m->model[i])) write_tier(m, o, &m->model[i]);
    buf_strz(o, "policy:\n");
    for (unsigned i = 0; i < m->models; i++) {
        if (!needs_tier(m, &m->model[i])) continue;
        const struct import_model *x = &m->model[i];
        buf_strz(o, "  - {name: ");
        scalar(o, tier_name(m, x));
        buf_strz(o, ", when: {model: [");
        scalar(o, x->group);
        for (unsigned k = 0; k < m->models; k++) {
            if (!str_eq(m->model[k].alias_of, x->name)) continue;
            buf_strz(o, ", ");
            scalar(o, m->model[k].name);
        }
        buf_strz(o, "]}, use: ");
        scalar(o, tier_name(m, x));
        buf_strz(o, "}\n");
    }
    buf_strz(o, "  - {name: default, use: ");
    scalar(o, m->model[0].name);
    buf_strz(o, "}\n");
}
