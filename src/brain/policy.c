/* policy: compiles `policy:` and `labels:` into flat arrays.
 *
 * A `when` map is a list of conditions that must all hold. Conditions of all rules lie in one array and
 * name each other by place, so that evaluation (decide.c) follows indices, allocates nothing and needs no
 * recursion deeper than ROUTER_NEST_MAX. Everything that can be wrong in a rule is found here, with its
 * position; evaluation has no errors. What a rule can ask is the table in policy.h. */
#include "brain/policy.h"
#include "brain/classify.h"
#include "brain/semantic.h"

#include <math.h>
#include <stdlib.h>

static const struct {
    const char *name;
    enum ask ask;
    bool label;
} keys[KEY_COUNT] = {
#define X(id, name, ask, label) {name, ask, label},
    POLICY_KEYS(X)
#undef X
};

enum { NUMBER_TEXT_MAX = 32 };

const char *policy_key_name(enum policy_key k) { return keys[k].name; }
enum ask policy_key_ask(enum policy_key k) { return keys[k].ask; }

struct compiler {
    struct router *r;
    arena *a;
    err *e;
    struct cond *cond;
    uint32_t count, cap;
    bool label; /* compiling labels: fewer keys */
};

/* ---- conditions ---- */

static uint32_t cond_new(struct compiler *c, const ynode *at) {
    if (c->count >= ROUTER_CONDITIONS_MAX) {
        yaml_fail(c->e, at, "more than %d conditions", ROUTER_CONDITIONS_MAX);
        return 0;
    }
    if (c->count == c->cap) {
        uint32_t cap = c->cap ? c->cap * 2 : 64;
        c->cond = arena_grow(c->a, c->cond, c->cap * sizeof *c->cond, cap * sizeof *c->cond);
        c->cap = cap;
        if (!c->count) c->cond[c->count++] = (struct cond){0};
    }
    c->cond[c->count] = (struct cond){0};
    return c->count++;
}

/* The texts of a scalar or of a list of scalars, for messages of explain: "a, b". */
static str node_text(struct compiler *c, const ynode *n) {
    if (n->type == Y_SCALAR) return n->value;
    str all = STR_NONE;
    for (const ynode *i = n->child; i; i = i->next)
        if (i->type == Y_SCALAR)
            all = all.n ? arena_printf(c->a, STR_FMT ", " STR_FMT, STR_ARG(all), STR_ARG(i->value)) : i->value;
    return all;
}

/* First of the wanted values: the node itself, or the items of a list. */
static const ynode *first_value(struct compiler *c, const ynode *n) {
    if (n->type == Y_SCALAR) return n;
    if (n->type == Y_SEQ && n->child) return n->child;
    yaml_fail(c->e, n, "%.*s: a value or a list of values is expected", STR_ARG(n->key));
    return NULL;
}

static const ynode *next_value(const ynode *n, const ynode *i) { return n->type == Y_SEQ ? i->next : NULL; }

static uint16_t value_count(const ynode *n) { return n->type == Y_SEQ ? (uint16_t)yaml_count(n) : 1; }

static bool scalar_only(struct compiler *c, const ynode *i) {
    return i->type == Y_SCALAR || yaml_fail(c->e, i, "a plain value is expected here");
}

static bool word_bit(struct compiler *c, const ynode *i, enum policy_key key, uint64_t *mask) {
    enum task t;
    enum stakes s;
    if (!scalar_only(c, i)) return false;
    if (key == KEY_TASK) {
        if (task_parse(i->value, &t)) return *mask |= 1ull << t, true;
        return yaml_fail(c->e, i, "there is no task \"%.*s\"", STR_ARG(str_take(i->value, 40)));
    }
    if (stakes_parse(i->value, &s)) return *mask |= 1ull << s, true;
    return yaml_fail(c->e, i, "stakes are low, normal or high, not \"%.*s\"", STR_ARG(str_take(i->value, 40)));
}

static bool compile_set(struct compiler *c, const ynode *n, struct cond *out) {
    const ynode *i = first_value(c, n);
    if (!i) return false;
    for (; i; i = next_value(n, i))
        if (!word_bit(c, i, out->key, &out->mask)) return false;
    return true;
}

static bool parse_number(str s, double *out) {
    char text[NUMBER_TEXT_MAX], *end;
    s = str_trim(s);
    if (!s.n || s.n >= sizeof text || !((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '.')) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.')) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out = strtod(text, &end);
    return !*end && isfinite(*out);
}

/* "< 2000", ">= 10", "= 3", "100..200" (both included), "5". */
static bool parse_range(str s, struct range *out) {
    static const struct {
        str sign;
        bool upper, lower, open;
    } signs[] = {{STR_INIT("<="), true, false, false}, {STR_INIT(">="), false, true, false},
                 {STR_INIT("<"), true, false, true},   {STR_INIT(">"), false, true, true},
                 {STR_INIT("="), true, true, false},   {STR_INIT(""), true, true, false}};
    s = str_trim(s);
    ptrdiff_t dots = str_find(s, STR(".."));
    if (dots >= 0) {
        *out = (struct range){0};
        return parse_number(str_take(s, (size_t)dots), &out->lo) &&
               parse_number(str_skip(s, (size_t)dots + 2), &out->hi) && out->lo <= out->hi;
    }
    for (unsigned k = 0; k < sizeof signs / sizeof *signs; k++) {
        if (!str_starts(s, signs[k].sign)) continue;
        double x;
        if (!parse_number(str_skip(s, signs[k].sign.n), &x)) return false;
        *out = (struct range){.lo = signs[k].lower ? x : -INFINITY,
                              .hi = signs[k].upper ? x : INFINITY,
                              .lo_open = signs[k].lower && signs[k].open,
                              .hi_open = signs[k].upper && signs[k].open};
        return true;
    }
    return false;
}

static bool compile_number(struct compiler *c, const ynode *n, struct cond *out) {
    const ynode *i = first_value(c, n);
    if (!i) return false;
    struct range *all = arena_array(c->a, struct range, value_count(n));
    out->range = all;
    for (; i; i = next_value(n, i)) {
        if (!scalar_only(c, i)) return false;
        if (!parse_range(i->value, &all[out->count++]))
            return yaml_fail(c->e, i, "%s is compared like \"< 2000\", \">= 10\" or \"100..200\", not \"%.*s\"",
                             keys[out->key].name, STR_ARG(str_take(i->value, 40)));
    }
    return true;
}

/* A rule that waits for a route which isn't there never holds: that is a mistake, found here. */
static bool route_known(struct compiler *c, const ynode *i) {
    const struct semantic *s = c->r->semantic;
    if (!s) return yaml_fail(c->e, i, "there are no semantic routes: say them under `semantic: {routes: …}`");
    if (str_chr(i->value, '*') >= 0 || semantic_find(s, i->value) >= 0) return true;
    const char *names[SEMANTIC_ROUTES_MAX + 1] = {NULL};
    for (uint32_t r = 0; r < s->route_count; r++) names[r] = s->route[r].name.p;
    const char *near = yaml_nearest(i->value, names);
    if (near)
        return yaml_fail(c->e, i, "there is no semantic route \"%.*s\", did you mean \"%s\"?",
                         STR_ARG(str_take(i->value, 60)), near);
    return yaml_fail(c->e, i, "there is no semantic route \"%.*s\"", STR_ARG(str_take(i->value, 60)));
}

static bool compile_text(struct compiler *c, const ynode *n, struct cond *out) {
    const ynode *i = first_value(c, n);
    if (!i) return false;
    str *all = arena_array(c->a, str, value_count(n));
    out->pattern = all;
    for (; i; i = next_value(n, i)) {
        if (!scalar_only(c, i) || (out->key == KEY_SEMANTIC && !route_known(c, i))) return false;
        all[out->count++] = arena_str(c->a, i->value);
    }
    return true;
}

static bool compile_list(struct compiler *c, const ynode *when, unsigned depth, uint32_t *first);

/* `all` and `any` take a list of maps (each a list of conditions that must all hold) or one map (any:
 * one of its keys); `not` takes a map. */
static bool compile_nest(struct compiler *c, const ynode *n, unsigned depth, uint32_t place) {
    if (depth >= ROUTER_NEST_MAX)
        return yaml_fail(c->e, n, "conditions are nested more than %d deep", ROUTER_NEST_MAX);
    if (n->type == Y_MAP) {
        uint32_t inner = 0;
        if (!compile_list(c, n, depth + 1, &inner)) return false;
        c->cond[place].first = inner;
        return true;
    }
    if (n->type != Y_SEQ || !n->child) return yaml_fail(c->e, n, "%.*s takes conditions", STR_ARG(n->key));
    uint32_t last = 0;
    for (const ynode *i = n->child; i; i = i->next) {
        uint32_t group = cond_new(c, i), inner = 0;
        if (!group) return false;
        c->cond[group].key = KEY_ALL;
        if (!compile_list(c, i, depth + 1, &inner)) return false;
        c->cond[group].first = inner;
        if (last)
            c->cond[last].next = group;
        else
            c->cond[place].first = group;
        last = group;
    }
    return true;
}

/* The place of "header.x" or "metadata.x" among the router's names, made when new. */
static int name_place(struct compiler *c, const ynode *n) {
    struct router *r = c->r;
    str name = arena_str(c->a, n->key);
    if (str_starts(name, STR("header.")))
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] >= 'A' && name.p[i] <= 'Z') ((char *)name.p)[i] |= 0x20;
    for (uint32_t i = 0; i < r->name_count; i++)
        if (str_eq(r->name[i], name)) return (int)i;
    if (r->name_count == FACTS_NAMED_MAX) {
        yaml_fail_key(c->e, n, "more than %d different headers and metadata names", FACTS_NAMED_MAX);
        return -1;
    }
    r->name[r->name_count] = name;
    return (int)r->name_count++;
}

static bool is_named(str key) {
    return (str_starts(key, STR("header.")) && key.n > 7) || (str_starts(key, STR("metadata.")) && key.n > 9);
}

static bool find_key(struct compiler *c, const ynode *n, enum policy_key *out) {
    if (is_named(n->key)) return *out = KEY_NAMED, true;
    unsigned best = 3;
    const char *near = NULL;
    for (unsigned k = 0; k < KEY_COUNT; k++) {
        if (k == KEY_NAMED) continue;
        if (str_eqz(n->key, keys[k].name)) {
            *out = (enum policy_key)k;
            return !c->label || keys[k].label ||
                   yaml_fail_key(c->e, n, "labels are set before %s is known", keys[k].name);
        }
        unsigned d = str_distance(n->key, str_from(keys[k].name), 2);
        if (d < best) best = d, near = keys[k].name;
    }
    if (near)
        return yaml_fail_key(c->e, n, "unknown condition \"%.*s\", did you mean \"%s\"?", STR_ARG(n->key), near);
    return yaml_fail_key(c->e, n, "unknown condition \"%.*s\"", STR_ARG(str_take(n->key, 60)));
}

static bool compile_one(struct compiler *c, const ynode *n, unsigned depth, uint32_t place) {
    struct cond made = {0};
    enum policy_key key = KEY_ALL;
    if (!find_key(c, n, &key)) return false;
    made.key = (uint8_t)key;
    made.text = node_text(c, n);
    bool good = true;
    switch (keys[key].ask) {
    case ASK_SET: good = compile_set(c, n, &made); break;
    case ASK_NUMBER: good = compile_number(c, n, &made); break;
    case ASK_FLAG: good = yaml_bool(n, &made.flag, c->e); break;
    case ASK_TEXT:
        if (key == KEY_NAMED) {
            int at = name_place(c, n);
            if (at < 0) return false;
            made.named = (uint8_t)at;
        }
        good = compile_text(c, n, &made);
        break;
    case ASK_NEST: c->cond[place] = made; return compile_nest(c, n, depth, place);
    }
    c->cond[place] = made;
    return good;
}

/* A map of conditions; `first` becomes the place of the first. */
static bool compile_list(struct compiler *c, const ynode *when, unsigned depth, uint32_t *first) {
    if (when->type != Y_MAP || !when->child) return yaml_fail(c->e, when, "a map of conditions is expected");
    uint32_t last = 0;
    for (const ynode *n = when->child; n; n = n->next) {
        uint32_t place = cond_new(c, n);
        if (!place || !compile_one(c, n, depth, place)) return false;
        if (last)
            c->cond[last].next = place;
        else
            *first = place;
        last = place;
    }
    return true;
}

/* ---- rules ---- */

uint16_t policy_usual_tier(const struct router *r, const char *name) {
    int t = router_tier(r, str_from(name));
    if (t >= 0) return (uint16_t)t;
    if (!r->tier_count || strcmp(name, "light") == 0) return 0;
    return (uint16_t)(strcmp(name, "frontier") == 0 ? r->tier_count - 1 : r->tier_count / 2);
}

static bool compile_use(struct compiler *c, const ynode *n, struct rule *out) {
    if (!n || n->type != Y_SCALAR || !n->value.n) return false;
    int t = router_tier(c->r, n->value);
    if (t >= 0) {
        out->use = USE_TIER;
        out->id = (uint16_t)t;
        return true;
    }
    out->use = USE_TARGET;
    int found = c->r->resolve ? c->r->resolve(c->r->resolve_ctx, n->value) : -1;
    for (uint32_t i = 0; found < 0 && i < c->r->target_count; i++)
        if (str_eq(c->r->target[i].name, n->value)) found = (int)i;
    out->id = (uint16_t)(found < 0 ? 0 : found);
    return found >= 0;
}

static bool compile_rule(struct compiler *c, const ynode *n, uint32_t i, struct rule *out) {
    static const char *const known[] = {"name", "when", "use", NULL};
    if (n->type != Y_MAP) return yaml_fail(c->e, n, "a rule is a map: {name: …, when: {…}, use: …}");
    if (!yaml_known(n, known, c->e)) return false;
    const ynode *name = yaml_get(n, "name"), *when = yaml_get(n, "when"), *use = yaml_get(n, "use");
    if (name && (name->type != Y_SCALAR || !name->value.n))
        return yaml_fail(c->e, name, "a rule's name is a word");
    out->name = name ? arena_str(c->a, name->value) : arena_printf(c->a, "rule-%u", i + 1);
    if (!use) return yaml_fail(c->e, n, "the rule says no `use:` (a tier or a model)");
    if (!compile_use(c, use, out))
        return yaml_fail(c->e, use, "\"%.*s\" is no tier, model or configured name",
                         STR_ARG(use->type == Y_SCALAR ? str_take(use->value, 60) : STR("")));
    return !when || compile_list(c, when, 0, &out->when);
}

static bool compile_policy(struct compiler *c, const ynode *n, struct policy *out) {
    if (n->type != Y_SEQ) return yaml_fail(c->e, n, "policy is a list of rules");
    unsigned count = yaml_count(n);
    if (count > ROUTER_RULES_MAX) return yaml_fail(c->e, n, "more than %d rules", ROUTER_RULES_MAX);
    struct rule *rule = arena_array(c->a, struct rule, count ? count : 1);
    out->rule = rule;
    for (const ynode *i = n->child; i; i = i->next) {
        if (!compile_rule(c, i, out->count, &rule[out->count])) return false;
        for (uint32_t k = 0; k < out->count; k++)
            if (str_eq(rule[k].name, rule[out->count].name))
                return yaml_fail(c->e, i, "two rules are called \"%.*s\"", STR_ARG(str_take(rule[k].name, 60)));
        out->count++;
    }
    return true;
}

/* ---- the built-in rules of CONTRACT section 6 ---- */

#define BIT(t) (1ull << TASK_##t)

static const struct range short_input = {.lo = -INFINITY, .hi = 2000, .hi_open = true};

static const struct cond usual_cond[] = {
    {0},
    {.key = KEY_STAKES, .mask = 1ull << STAKES_HIGH, .text = STR_INIT("high")},
    {.key = KEY_TASK,
     .next = 3,
     .mask = BIT(CLASSIFY) | BIT(EXTRACT) | BIT(SUMMARIZE),
     .text = STR_INIT("classify, extract, summarize")},
    {.key = KEY_INPUT_TOKENS, .count = 1, .range = &short_input, .text = STR_INIT("< 2000")},
    {.key = KEY_TASK,
     .mask = BIT(REASON) | BIT(PLAN) | BIT(SYNTHESIZE),
     .text = STR_INIT("reason, plan, synthesize")},
    {.key = KEY_TASK, .mask = BIT(UNKNOWN), .text = STR_INIT("unknown")},
};

static const struct {
    str name;
    uint32_t when;
    const char *use;
} usual_rule[] = {
    {STR_INIT("high-stakes"), 1, "frontier"}, {STR_INIT("short-structured"), 2, "light"},
    {STR_INIT("hard-work"), 4, "frontier"},   {STR_INIT("ambiguous"), 5, "frontier"},
    {STR_INIT("default"), 0, "mid"},
};
enum { USUAL_RULES = sizeof usual_rule / sizeof *usual_rule };

static void usual_policy(struct compiler *c, struct policy *out) {
    struct rule *rule = arena_array(c->a, struct rule, USUAL_RULES);
    for (unsigned i = 0; i < USUAL_RULES; i++)
        rule[i] = (struct rule){.name = usual_rule[i].name,
                                .when = usual_rule[i].when,
                                .use = USE_TIER,
                                .id = policy_usual_tier(c->r, usual_rule[i].use)};
    *out = (struct policy){.count = USUAL_RULES, .rule = rule, .cond = usual_cond};
}

/* ---- labels ---- */

static bool compile_label(struct compiler *c, const ynode *n, struct label *out) {
    static const char *const known[] = {"when", "set", NULL}, *const settable[] = {"task", "stakes", NULL};
    if (n->type != Y_MAP) return yaml_fail(c->e, n, "a label is a map: {when: {…}, set: {…}}");
    if (!yaml_known(n, known, c->e)) return false;
    const ynode *when = yaml_get(n, "when"), *set = yaml_get(n, "set");
    if (!when || !set) return yaml_fail(c->e, n, "a label needs `when:` and `set:`");
    if (set->type != Y_MAP || !set->child) return yaml_fail(c->e, set, "set takes task or stakes");
    if (!yaml_known(set, settable, c->e)) return false;
    const ynode *t = yaml_get(set, "task"), *s = yaml_get(set, "stakes");
    enum task task = TASK_UNKNOWN;
    enum stakes stakes = STAKES_NORMAL;
    if (t && (!scalar_only(c, t) || !task_parse(t->value, &task)))
        return yaml_fail(c->e, t, "there is no task \"%.*s\"", STR_ARG(str_take(t->value, 40)));
    if (s && (!scalar_only(c, s) || !stakes_parse(s->value, &stakes)))
        return yaml_fail(c->e, s, "stakes are low, normal or high, not \"%.*s\"", STR_ARG(str_take(s->value, 40)));
    *out = (struct label){
        .sets_task = t != NULL, .sets_stakes = s != NULL, .task = (uint8_t)task, .stakes = (uint8_t)stakes};
    return compile_list(c, when, 0, &out->when);
}

static bool compile_labels(struct compiler *c, const ynode *n, struct labels *out) {
    if (n->type != Y_SEQ) return yaml_fail(c->e, n, "labels is a list: [{when: {…}, set: {…}}]");
    unsigned count = yaml_count(n);
    if (count > ROUTER_RULES_MAX) return yaml_fail(c->e, n, "more than %d labels", ROUTER_RULES_MAX);
    struct label *label = arena_array(c->a, struct label, count ? count : 1);
    out->label = label;
    for (const ynode *i = n->child; i; i = i->next)
        if (!compile_label(c, i, &label[out->count++])) return false;
    return true;
}

bool router_compile(struct router *r, const ynode *policy, const ynode *labels, arena *a, err *e) {
    struct policy *p = arena_new(a, struct policy);
    struct labels *l = arena_new(a, struct labels);
    struct compiler rules = {.r = r, .a = a, .e = e}, label = {.r = r, .a = a, .e = e, .label = true};
    r->name_count = 0;
    if (!policy)
        usual_policy(&rules, p);
    else if (!compile_policy(&rules, policy, p))
        return false;
    else
        p->cond = rules.cond;
    if (labels && !compile_labels(&label, labels, l)) return false;
    l->cond = label.cond;
    r->policy = p;
    r->labels = l;
    r->brain = brain_new(a);
    return !arena_failed(a) || fail(e, "the policy is too large");
}
