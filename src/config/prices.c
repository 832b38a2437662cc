/* prices: what the user states: a price in the configuration, or a file in LiteLLM's format. Where a price
 * is unknown it stays unknown; only `free` is zero. */
#include "config/build.h"
#include "config/sections.h"

#include "base/json.h"
#include "catalog/litellm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MILLION = 1000000, PRICE_FILE_MAX = 16 << 20, PRICE_MODELS_MAX = 20000 };

static bool read_rate(struct build *b, const ynode *n, int64_t per, int64_t *rate) {
    char shown[64];
    if (n->type == Y_SCALAR && price_parse(n->value, per, rate)) return true;
    return yaml_fail(b->e, n, "expected dollars, like 0.15, not %s", yaml_shown(n, shown));
}

/* Tokens by the million; what is counted in pieces by the piece. */
static bool read_class(struct build *b, const ynode *n, int64_t rate[USAGE_CLASSES]) {
    enum usage_class c = usage_class_find(n->key);
    return read_rate(b, n, usage_class_side(c) ? MILLION : 1, &rate[c]);
}

static const char *const service_names[] = {"default", "flex", "priority", "batch"};

static bool price_known(struct build *b, const ynode *n, bool whole) {
    const char *known[USAGE_CLASSES + 6];
    unsigned count = 0;
    for (unsigned c = 0; c < USAGE_CLASSES; c++) known[count++] = usage_class_name((enum usage_class)c);
    for (unsigned s = SERVICE_FLEX; whole && s <= SERVICE_BATCH; s++) known[count++] = service_names[s];
    if (whole) known[count++] = "context";
    known[count] = NULL;
    return yaml_known(n, known, b->e);
}

static bool read_classes(struct build *b, const ynode *map, int64_t rate[USAGE_CLASSES]) {
    if (!price_known(b, map, false)) return false;
    for (const ynode *i = map->child; i; i = i->next)
        if (!read_class(b, i, rate)) return false;
    return true;
}

/* context: [{above: 200000, input: 6, output: 22.5}] */
static bool read_context(struct build *b, const ynode *list, struct price *p) {
    unsigned tier = 0;
    if (list->type != Y_SEQ) return yaml_fail(b->e, list, "expected a list of {above: TOKENS, input: …}");
    for (const ynode *i = list->child; i; i = i->next, tier++) {
        uint64_t above;
        const ynode *at = yaml_get(i, "above");
        if (tier == PRICE_CONTEXT_TIERS) return yaml_fail(b->e, i, "more than %d steps", PRICE_CONTEXT_TIERS);
        if (!at) return yaml_fail(b->e, i, "\"above\" is missing");
        if (!yaml_u64(at, 1, UINT32_MAX, &above, b->e)) return false;
        if (tier && above <= p->context[tier - 1].above) return yaml_fail(b->e, at, "steps must ascend");
        p->context[tier].above = (uint32_t)above;
        for (const ynode *k = i->child; k; k = k->next) {
            if (k == at) continue;
            if (usage_class_find(k->key) == USAGE_CLASSES) return yaml_fail_key(b->e, k, "no class of usage");
            if (!read_class(b, k, p->context[tier].rate)) return false;
        }
    }
    return true;
}

static bool read_gpu(struct build *b, const ynode *n, struct price *p) {
    struct gpu_in in = {0};
    int64_t rate;
    if (!options_read(b, SECTION_GPU, n, &in)) return false;
    if (!in.gpu_hour) return yaml_fail(b->e, n, "\"gpu_hour\" is missing");
    if (!in.tokens_per_hour) return yaml_fail(b->e, n, "\"tokens_per_hour\" is missing");
    if (!read_rate(b, in.gpu_hour, (int64_t)in.tokens_per_hour, &rate)) return false;
    p->rate[SERVICE_DEFAULT][USAGE_INPUT] = p->rate[SERVICE_DEFAULT][USAGE_OUTPUT] = rate;
    return true;
}

static bool read_map(struct build *b, const ynode *n, struct price *p) {
    if (yaml_get(n, "gpu_hour") || yaml_get(n, "tokens_per_hour")) return read_gpu(b, n, p);
    if (!price_known(b, n, true)) return false;
    for (const ynode *i = n->child; i; i = i->next) {
        if (str_eq(i->key, STR("context"))) {
            if (!read_context(b, i, p)) return false;
            continue;
        }
        unsigned s = SERVICE_FLEX;
        while (s <= SERVICE_BATCH && !str_eqz(i->key, service_names[s])) s++;
        bool good =
            s <= SERVICE_BATCH ? read_classes(b, i, p->rate[s]) : read_class(b, i, p->rate[SERVICE_DEFAULT]);
        if (!good) return false;
    }
    return true;
}

bool build_price(struct build *b, const ynode *n, const struct price **out) {
    char shown[64];
    struct price *p = arena_new(b->a, struct price);
    price_init(p);
    if (n->type == Y_SCALAR && str_eq(n->value, STR("free"))) {
        price_free_of_charge(p);
    } else if (n->type == Y_MAP && n->child) {
        if (!read_map(b, n, p)) return false;
    } else {
        return yaml_fail(b->e, n,
                         "expected `free`, {input: …, output: …} in dollars per million tokens, or {gpu_hour: …, "
                         "tokens_per_hour: …}, not %s",
                         yaml_shown(n, shown));
    }
    p->version = STR("config");
    *out = p;
    return true;
}

/* ---- the prices file ---- */

struct listed {
    str provider, model; /* of the catalogue; upstream name */
    struct price price;
};

struct price_list {
    uint32_t count;
    struct listed *item; /* sorted by provider and model */
};

/* What LiteLLM calls the providers that have another name here. */
static const struct {
    const char *theirs, *ours;
} names[] = {{"together_ai", "together"},
             {"fireworks_ai", "fireworks"},
             {"cohere_chat", "cohere"},
             {"dashscope", "alibaba"},
             {"text-completion-openai", "openai"}};

static int by_name(const void *x, const void *y) {
    const struct listed *p = x, *q = y;
    int c = str_cmp(p->provider, q->provider);
    return c ? c : str_cmp(p->model, q->model);
}

const struct price *price_list_find(const struct price_list *l, str provider, str model) {
    if (!l || !l->count) return NULL;
    struct listed want = {.provider = provider, .model = model};
    const struct listed *found = bsearch(&want, l->item, l->count, sizeof want, by_name);
    return found ? &found->price : NULL;
}

static bool read_list(struct build *b, const ynode *at, jval root, struct price_list *l) {
    uint32_t cap = 0;
    jiter it = json_iter(root);
    jval v;
    str key;
    bool esc;
    while (json_next(&it, &key, &esc, &v)) {
        jval from = json_get(v, STR("litellm_provider"));
        if (from.type != J_STRING || esc) continue;
        if (l->count == PRICE_MODELS_MAX) return yaml_fail(b->e, at, "more than %d models", PRICE_MODELS_MAX);
        if (l->count == cap) {
            uint32_t more = cap ? cap * 2 : 256;
            l->item = arena_grow(b->a, l->item, cap * sizeof *l->item, more * sizeof *l->item);
            cap = more;
        }
        struct listed *x = &l->item[l->count++];
        *x = (struct listed){.provider = from.raw, .model = key};
        if (str_starts(key, from.raw) && key.n > from.raw.n && key.p[from.raw.n] == '/')
            x->model = str_skip(key, from.raw.n + 1);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (str_eqz(from.raw, names[i].theirs)) x->provider = str_from(names[i].ours);
        litellm_price(v, &x->price);
        str refused = litellm_refused(v);
        if (refused.n)
            build_warn(b, "prices: %.*s of %.*s is no price: it stays unknown", STR_ARG(str_take(refused, 64)),
                       STR_ARG(str_take(key, 64)));
        x->price.version = STR("prices");
    }
    if (!l->count) return yaml_fail(b->e, at, "no model with a \"litellm_provider\" is in this file");
    qsort(l->item, l->count, sizeof *l->item, by_name);
    return true;
}

bool build_slurp(struct build *b, const ynode *at, str path, size_t max, str *text) {
    if (b->parts) return yaml_fail(b->e, at, "files are not read here");
    int fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(errno));
    buf all;
    buf_init(&all, max);
    ssize_t n = 1;
    char *room;
    while (n > 0 && (room = buf_room(&all, 65536))) {
        n = read(fd, room, 65536);
        if (n > 0) all.n += (size_t)n;
    }
    int why = errno;
    close(fd);
    bool good = true;
    if (n < 0)
        good = yaml_fail(b->e, at, "%.*s: %s", STR_ARG(str_take(path, 128)), strerror(why));
    else if (all.failed)
        good = yaml_fail(b->e, at, "%.*s: larger than %zu bytes", STR_ARG(str_take(path, 128)), max);
    if (good) *text = arena_str(b->a, buf_view(&all));
    buf_free(&all);
    return good;
}

bool build_price_list(struct build *b) {
    const ynode *n = b->top.prices;
    str path, text;
    if (!n) return true;
    if (!yaml_str(n, &path, b->e)) return false;
    path = build_path(b, path);
    if (!build_slurp(b, n, path, PRICE_FILE_MAX, &text)) return false;
    jval root;
    const char *wrong;
    size_t offset;
    if (!json_check(text, &root, &wrong, &offset))
        return yaml_fail(b->e, n, "%.*s: %s at byte %zu", STR_ARG(str_take(path, 128)), wrong, offset);
    struct price_list *l = arena_new(b->a, struct price_list);
    if (!read_list(b, n, root, l)) return false;
    b->c->price_list = l;
    return true;
}
