/* semantic: see the header. Measured (ten routes of ten examples, at 5 % false accepts, right and accepted):
 * lexical alone CLINC150 0.67, banking77 0.50; with the table 0.80 and 0.61; script/shows-semantic prints it.
 *
 * What similarity does not see is guarded. Numbers and identifiers are kept out of the embedding and of character
 * triples: "order 4711" is as near as "order 12", and only an example with that very number is nearer. An order
 * that is turned round ("do not cancel it") is not alike to one that is not, although all their other words are:
 * such a pair scores 0. */
#include "brain/semantic.h"

#include "base/hash.h"
#include "base/yaml.h"
#include "brain/lexical.h"
#include "brain/text.h"

#include <stdlib.h>

enum {
    METHOD = 1, /* raise when the same examples and text give another score */
    EXAMPLE_BYTES_MAX = WORDS_TEXT_MAX,
    SUGGEST_EXAMPLES = 1024, /* examples that are looked at for the suggestion, evenly spread */
    PRIOR_EXAMPLES = 60,     /* examples whose word the usual threshold is worth */
    SHORT_WORDS = 16,        /* in a text this short an order may be turned round anywhere */
};
static const double usual_threshold = 0.45, usual_lexical = 0.29; /* with a table; without */
static const double stranger_share = 0.05;                        /* of the others' examples, accepted */

struct example_vector {
    float inverse;
    bool turned;
};

struct semantic_set {
    uint32_t count, lanes;
    const struct embed *table;
    const struct lexical *lexical;
    const str *text;
    const uint16_t *route;
    const struct example_vector *example;
    const int16_t *vector; /* count x lanes */
};

/* ---- orders turned round ---- */

static bool is(const struct words *w, unsigned i, const char *z) {
    return i < w->n && str_eqz(word_text(w, i), z);
}

static bool is_one(const struct words *w, unsigned i, const char *const *list) {
    for (; *list; list++)
        if (is(w, i, *list)) return true;
    return false;
}

/* Words that "do not" takes up at place i in one of its spellings, 0: it doesn't stand there. */
static unsigned do_not(const struct words *w, unsigned i) {
    static const char *const verbs[] = {"do", "did", NULL}, *const cut[] = {"don", "didn", NULL},
                             *const joined[] = {"dont", "didnt", NULL};
    if (is_one(w, i, joined)) return 1;
    if (is_one(w, i, verbs) && is(w, i + 1, "not")) return 2;
    bool mark = i + 1 < w->n && w->word[i + 1].kind == WORD_MARK && !w->word[i + 1].spaced;
    return is_one(w, i, cut) && mark && is(w, i + 2, "t") ? 3 : 0;
}

static bool clause_begins(const struct words *w, unsigned i) {
    static const char *const lead[] = {"please", "just", "so", "then", "wait", "no", "kindly", "actually", NULL};
    if (!i || is_one(w, i - 1, lead)) return true;
    char mark = w->text[w->word[i - 1].at];
    return w->word[i - 1].kind == WORD_MARK && mark != '\'' && mark != '-' && mark != '"';
}

/* "Do not cancel it", "please don't …", "no need to …", "I don't want …"; not "I don't know", "never seen". */
static bool turned_round(const struct words *w) {
    static const char *const wants[] = {"want", "need", "wish", NULL};
    static const char *const states[] = {"know", "see",  "seen",     "have",  "had", "understand",
                                         "you",  "mind", "received", "think", "we",  NULL};
    for (unsigned i = 0; i < w->n; i++) {
        if (w->n > SHORT_WORDS && w->word[i].kind == WORD_MARK && strchr(".!?", w->text[w->word[i].at])) break;
        if (is(w, i, "no") && is(w, i + 1, "need")) return true;
        unsigned n = do_not(w, i);
        if (n && is_one(w, i + n, wants)) return true;
        if (!n && is(w, i, "never")) n = 1;
        if (n && clause_begins(w, i) && !is_one(w, i + n, states)) return true;
    }
    return false;
}

/* ---- scores ---- */

/* A text, ready to be compared. */
struct query {
    struct words words;
    struct grams grams;
    struct embed_vector vector;
    bool turned;
};

static void query_make(const struct embed *table, str plain, struct query *q) {
    words_split(plain, FOLD_ALL, &q->words);
    grams_make(&q->words, &q->grams);
    q->turned = turned_round(&q->words);
    q->vector.inverse = 0;
    if (!table) return;
    if (table->fold != FOLD_ALL) words_split(plain, (enum fold)table->fold, &q->words);
    embed_words(table, &q->words, &q->vector);
}

/* Likeness to each example: out[set->count]. */
static void score_examples(const struct semantic_set *s, const struct query *q, float *out) {
    lexical_scores(s->lexical, &q->grams, out);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->table) {
            int32_t dot = embed_dot(q->vector.v, s->vector + (size_t)i * s->lanes, s->lanes);
            out[i] = (out[i] + (float)dot * q->vector.inverse * s->example[i].inverse) / 2;
        }
        if (s->example[i].turned != q->turned || out[i] < 0) out[i] = 0;
    }
}

/* Mean of the best examples of a route; `but` is left out. */
static float route_score(const struct semantic_route *r, const float *example, uint32_t but) {
    float first = 0, second = 0;
    unsigned n = 0;
    for (uint32_t i = r->first; i < r->first + r->count; i++) {
        if (i == but) continue;
        n++;
        if (example[i] > first)
            second = first, first = example[i];
        else if (example[i] > second)
            second = example[i];
    }
    return n < SEMANTIC_BEST ? first : (first + second) / SEMANTIC_BEST;
}

static int nearest(const struct semantic *s, const float *example, uint32_t but, int not_route, float *score) {
    int best = -1;
    *score = 0;
    for (uint32_t r = 0; r < s->route_count; r++) {
        if ((int)r == not_route) continue;
        float x = route_score(&s->route[r], example, but);
        if (x > *score) *score = x, best = (int)r;
    }
    return best;
}

int semantic_nearest(const struct semantic *s, str plain, double *score) {
    struct query q;
    float example[SEMANTIC_EXAMPLES_MAX], best;
    *score = 0;
    query_make(s->set->table, plain, &q);
    if (!q.grams.n) return -1; /* no word in it */
    score_examples(s->set, &q, example);
    int r = nearest(s, example, UINT32_MAX, -1, &best);
    *score = (double)facts_share((double)best);
    return r;
}

void semantic_facts(const struct semantic *s, const struct prompt *p, struct facts *f) {
    char plain[SEMANTIC_HEAD + SEMANTIC_TAIL + TEXT_PLAIN_SLACK];
    double score;
    size_t n = text_plain(p, SEMANTIC_HEAD, SEMANTIC_TAIL, plain);
    int r = semantic_nearest(s, str_make(plain, n), &score);
    f->semantic_version = s->version;
    f->semantic = r < 0 ? STR_NONE : s->route[r].name;
    f->semantic_score = r < 0 ? 0 : (float)score;
}

int semantic_find(const struct semantic *s, str name) {
    for (uint32_t r = 0; r < s->route_count; r++)
        if (str_eq(s->route[r].name, name)) return (int)r;
    return -1;
}

int semantic_accepted(const struct semantic *s, const struct facts *f) {
    if (!semantic_known(s, f) || !f->semantic.n) return -1;
    int r = semantic_find(s, f->semantic);
    return r >= 0 && f->semantic_score >= s->route[r].threshold ? r : -1;
}

/* ---- what the examples say of themselves ---- */

str semantic_example(const struct semantic *s, uint32_t example, uint32_t *route) {
    *route = s->set->route[example];
    return s->set->text[example];
}

void semantic_review(const struct semantic *s, struct semantic_review *out) {
    struct query q;
    float score[SEMANTIC_EXAMPLES_MAX], best;
    *out = (struct semantic_review){0};
    for (uint32_t i = 0; i < s->set->count; i++) {
        int own = s->set->route[i];
        query_make(s->set->table, s->set->text[i], &q);
        score_examples(s->set, &q, score);
        int r = nearest(s, score, i, own, &best);
        if (r >= 0 && best >= s->route[r].threshold) out->strangers++;
        if (s->route[own].count < 2) continue;
        out->examples++;
        r = nearest(s, score, i, -1, &best);
        out->right += r == own;
        out->accepted += r == own && best >= s->route[own].threshold;
        if (r >= 0 && r != own && out->astray_count < sizeof out->astray / sizeof *out->astray) {
            out->astray[out->astray_count].example = i;
            out->astray[out->astray_count++].route = (uint32_t)r;
        }
    }
}

static int by_value(const void *x, const void *y) {
    float a = *(const float *)x, b = *(const float *)y;
    return (a > b) - (a < b);
}

/* The score that all but 5 % of the examples stay below when their own route is not there: such prompts of other
 * matters are what a threshold keeps out. Few examples say little, so the usual threshold has a word too. */
static float suggest(const struct semantic *s) {
    struct query q;
    float score[SEMANTIC_EXAMPLES_MAX], stranger[SUGGEST_EXAMPLES];
    uint32_t n = 0, step = (s->set->count + SUGGEST_EXAMPLES - 1) / SUGGEST_EXAMPLES;
    double usual = s->set->table ? usual_threshold : usual_lexical;
    for (uint32_t i = 0; s->route_count > 1 && i < s->set->count; i += step) {
        query_make(s->set->table, s->set->text[i], &q);
        score_examples(s->set, &q, score);
        nearest(s, score, i, s->set->route[i], &stranger[n++]);
    }
    if (!n) return (float)usual;
    qsort(stranger, n, sizeof *stranger, by_value);
    double at = stranger[(uint32_t)((1 - stranger_share) * (n - 1) + 0.5)];
    double x = (at * n + usual * PRIOR_EXAMPLES) / (n + PRIOR_EXAMPLES);
    return (float)((double)(int)(x * 100 + 0.5) / 100);
}

/* ---- compiling ---- */

struct reading {
    const ynode *at; /* of the example */
    str text;
};

static bool read_examples(const ynode *n, struct reading *all, uint32_t *count, err *e) {
    if (n->type != Y_SEQ || !n->child) return yaml_fail(e, n, "a list of example sentences is expected");
    for (const ynode *i = n->child; i; i = i->next) {
        struct words w;
        str text;
        if (!yaml_str(i, &text, e)) return false;
        words_split(text, FOLD_ALL, &w);
        unsigned k = 0;
        while (k < w.n && w.word[k].kind == WORD_MARK) k++;
        if (k == w.n) return yaml_fail(e, i, "an example sentence has words");
        if (text.n > EXAMPLE_BYTES_MAX)
            return yaml_fail(e, i, "an example sentence has at most %d bytes", EXAMPLE_BYTES_MAX);
        if (*count == SEMANTIC_EXAMPLES_MAX)
            return yaml_fail(e, i, "more than %d example sentences", SEMANTIC_EXAMPLES_MAX);
        for (uint32_t x = 0; x < *count; x++)
            if (str_eq(all[x].text, text))
                return yaml_fail(e, i, "this example stands on line %u already", all[x].at->line);
        all[(*count)++] = (struct reading){i, text};
    }
    return true;
}

static bool read_route(const ynode *n, double threshold, struct reading *all, uint32_t *count,
                       struct semantic_route *out, err *e) {
    static const char *const known[] = {"examples", "threshold", NULL};
    if (!n->key.n || n->key.n > SEMANTIC_NAME_MAX || str_chr(n->key, '*') >= 0)
        return yaml_fail_key(e, n, "a route's name has 1 to %d characters and no star", SEMANTIC_NAME_MAX);
    *out = (struct semantic_route){.name = n->key, .first = *count, .stated = threshold >= 0};
    out->threshold = (float)threshold;
    const ynode *examples = n;
    if (n->type == Y_MAP) {
        if (!yaml_known(n, known, e)) return false;
        examples = yaml_get(n, "examples");
        const ynode *t = yaml_get(n, "threshold");
        double x = 0;
        if (!examples) return yaml_fail(e, n, "the route has no `examples:`");
        if (t && !yaml_f64(t, 0, 1, &x, e)) return false;
        if (t) out->threshold = (float)x, out->stated = true;
    }
    if (!read_examples(examples, all, count, e)) return false;
    out->count = *count - out->first;
    return true;
}

static uint64_t chain(uint64_t h, str s) {
    uint64_t both[2] = {h, fingerprint(s)};
    return fingerprint(str_make((const char *)both, sizeof both));
}

/* Vectors and grams of all examples, and the version. */
static void build_set(struct semantic *s, const struct reading *all, uint32_t count, const struct embed *table,
                      arena *a) {
    struct semantic_set *set = arena_new(a, struct semantic_set);
    struct grams *grams = xcalloc(count, sizeof *grams);
    struct query *q = xcalloc(1, sizeof *q);
    uint32_t lanes = table ? embed_lanes(table) : 0;
    str *text = arena_array(a, str, count);
    uint16_t *route = arena_array(a, uint16_t, count);
    struct example_vector *example = arena_array(a, struct example_vector, count);
    int16_t *vector = arena_array(a, int16_t, (size_t)count * lanes + 1);
    uint64_t version = chain(METHOD, STR_NONE) ^ (table ? table->version : 0);
    for (uint32_t r = 0; r < s->route_count; r++) {
        version = chain(version, s->route[r].name);
        for (uint32_t i = s->route[r].first; i < s->route[r].first + s->route[r].count; i++) {
            text[i] = arena_str(a, all[i].text);
            route[i] = (uint16_t)r;
            version = chain(version, text[i]);
            query_make(table, text[i], q);
            grams[i] = q->grams;
            example[i] = (struct example_vector){q->vector.inverse, q->turned};
            if (lanes) memcpy(vector + (size_t)i * lanes, q->vector.v, lanes * sizeof *vector);
        }
    }
    *set = (struct semantic_set){.count = count,
                                 .lanes = lanes,
                                 .table = table,
                                 .lexical = lexical_build(grams, count, a),
                                 .text = text,
                                 .route = route,
                                 .example = example,
                                 .vector = vector};
    s->set = set;
    s->version = version ? version : 1;
    free(grams);
    free(q);
}

const struct semantic *semantic_compile(const ynode *routes, double threshold, const struct embed *table, arena *a,
                                        err *e) {
    struct semantic *s = arena_new(a, struct semantic);
    if (routes->type != Y_MAP || !routes->child)
        return yaml_fail(e, routes, "routes is a map: names with example sentences"), NULL;
    unsigned n = yaml_count(routes);
    if (n > SEMANTIC_ROUTES_MAX) return yaml_fail(e, routes, "more than %d routes", SEMANTIC_ROUTES_MAX), NULL;
    struct semantic_route *route = arena_array(a, struct semantic_route, n);
    struct reading *all = xcalloc(SEMANTIC_EXAMPLES_MAX, sizeof *all);
    uint32_t count = 0;
    bool good = true;
    for (const ynode *i = routes->child; i && good; i = i->next) {
        good = read_route(i, threshold, all, &count, &route[s->route_count], e);
        route[s->route_count].name = arena_str(a, route[s->route_count].name);
        s->route_count++;
    }
    if (good) {
        s->route = route;
        build_set(s, all, count, table, a);
        s->suggested = suggest(s);
        for (uint32_t r = 0; r < s->route_count; r++)
            if (!route[r].stated) route[r].threshold = s->suggested;
    }
    free(all);
    return good ? s : NULL;
}
