/* classify: what is asked, from cues.
 *
 * Phrases of the lexicon vote for tasks, weighted by where they stand: the begin of the turn and the
 * system prompt say most, the end often repeats the order, the middle is mostly pasted matter. Shapes add
 * what words don't say: fences and braces are code, a short turn without an order is chat, a question mark
 * a question. The best task wins; its confidence grows with its lead over the second. Nothing to go by
 * (no cue, no question, no talk) is TASK_UNKNOWN: the policy sends it to the frontier.
 *
 * With a model (model.h) that is what its heads see beside the words, and they decide; the lexicon alone
 * remains where the words are none that the model knows. */
#include "brain/classify.h"

#include "base/hash.h"
#include "brain/model.h"
#include "brain/router.h"
#include "brain/semantic.h"

/* Score that one point of weight is worth by zone, in sixteenths. */
static const int16_t zone_worth[ZONES] = {
    [ZONE_HEAD] = 16, [ZONE_TAIL] = 10, [ZONE_MIDDLE] = 2, [ZONE_SYSTEM] = 12};

enum {
    READ_HEAD = 384, /* bytes of the user turn that are read */
    READ_TAIL = 160,
    MIDDLE_MAX = 12,  /* points of one task that the middle can give */
    FIRST_PLACES = 4, /* a cue this early is the order itself */
    FIRST_BONUS = 32,
    SHORT_TOKENS = 24,   /* talk is short */
    LEAST = 20,          /* score below which nothing was found */
    TEMPLATE_TOKENS = 6, /* of the turn's begin: the shape of a prompt without a system prompt */
    SYSTEM_SHAPE = 40,   /* bytes of a system prompt that is a template by itself */
};

/* Share of known words below which the heads are not asked, from which they are believed; and the least
 * probability that a task needs when the lexicon has nothing. */
static const float KNOWN_LEAST = 0.34f, KNOWN_ALL = 0.7f, SURE_LEAST = 0.3f;

struct scores {
    int32_t s[CLASSIFY_TASKS + 1];
};

static void score_cues(const struct cues *c, struct scores *out) {
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
        int32_t middle = c->sum[ZONE_MIDDLE][k] < MIDDLE_MAX ? c->sum[ZONE_MIDDLE][k] : MIDDLE_MAX;
        out->s[k] = c->sum[ZONE_HEAD][k] * zone_worth[ZONE_HEAD] + c->sum[ZONE_TAIL][k] * zone_worth[ZONE_TAIL] +
                    middle * zone_worth[ZONE_MIDDLE] + c->sum[ZONE_SYSTEM][k] * zone_worth[ZONE_SYSTEM];
        if (c->first[k] < FIRST_PLACES) out->s[k] += FIRST_BONUS;
    }
}

static void score_shapes(const struct text *t, struct scores *out) {
    const union counts *c = &t->c;
    unsigned marks = (unsigned)c->braces + c->semicolons + c->backticks / 2u + c->underscores;
    if (c->fences) out->s[TASK_CODE] += 48;
    if (marks >= 4 && marks * 12 > c->bytes) out->s[TASK_CODE] += 40;
    if (c->backslashes + c->dollars + c->carets > 3 && c->numbers) out->s[TASK_REASON] += 32;
    if (c->options >= 3) out->s[TASK_QA] += 24;
    if (c->numbers >= 4 && c->questions && t->n < 120) out->s[TASK_REASON] += 24;
    if (c->questions) out->s[TASK_QA] += 16;
    if (t->n > 150 && !c->questions) out->s[TASK_QA] -= 16;
}

/* A short turn in whole words of a language that orders nothing. */
static bool talk(const struct brain *b, const struct text *t) {
    const union counts *c = &t->c;
    return t->n <= SHORT_TOKENS && c->words >= 3 && c->numbers <= 1 && c->other == 0 && c->braces == 0 &&
           common_word(b, t);
}

struct guess {
    uint8_t task;
    double confidence;
};

static struct guess lexicon_guess(const struct brain *b, const struct text *t, const struct cues *cues) {
    struct scores s;
    score_cues(cues, &s);
    score_shapes(t, &s);
    unsigned best = 0;
    int32_t score = 0, next = 0;
    for (unsigned k = 1; k <= CLASSIFY_TASKS; k++) {
        if (s.s[k] > score) {
            next = score;
            best = k, score = s.s[k];
        } else if (s.s[k] > next) {
            next = s.s[k];
        }
    }
    if (score >= LEAST)
        return (struct guess){(uint8_t)best, 0.35 + 0.6 * (double)(score - next) / (double)(score + 32)};
    return talk(b, t) ? (struct guess){TASK_CHAT, 0.4} : (struct guess){TASK_UNKNOWN, 0};
}

/* The heads have seen the lexicon's cues beside the words. Where neither has anything to go by, nothing is said.
 */
static struct guess model_guess(const struct text *t, const float *p, float known, struct guess lexicon) {
    unsigned best = 0;
    for (unsigned k = 1; k < CLASSIFY_TASKS; k++)
        if (p[k] > p[best]) best = k;
    double trust = known > KNOWN_ALL ? 1 : (double)known / (double)KNOWN_ALL;
    double confidence = trust * (double)p[best];
    bool words = t->c.words || t->c.ideographs || t->system_n;
    if (known < KNOWN_LEAST || (lexicon.task == TASK_UNKNOWN && (!words || p[best] < SURE_LEAST))) return lexicon;
    return (struct guess){(uint8_t)(best + 1), confidence};
}

/* The model's opinion of the task, and, whoever said the task, how hard the work is. */
static void ask_model(const struct router *r, const struct text *t, const struct cues *cues, bool said,
                      struct facts *f, struct guess *g) {
    struct features x;
    struct model_scores s;
    float p[CLASSIFY_TASKS] = {0};
    const struct routing_model *m = r->model;
    features_make(r->brain, t, cues, &x);
    model_logits(m, &x, &s);
    if (!said && m->head->tasks) {
        model_tasks(m, s.logit, p);
        *g = model_guess(t, p, s.known, *g);
        if (g->task == TASK_UNKNOWN) {
            f->difficulty =
                m->head->light == m->head->frontier ? -1 : facts_share((double)m->head->task_difficulty[0]);
            return;
        }
    } else {
        unsigned task = said ? f->task : g->task;
        if (task == TASK_UNKNOWN || task > CLASSIFY_TASKS) return;
        p[task - 1] = 1;
    }
    double d = model_difficulty_of(m, &s, p);
    f->difficulty = d < 0 ? -1 : facts_share(d);
}

/* What calls of the same make have in common: the system prompt, or else the first words of the turn. */
static uint64_t shape_of(const struct text *t) {
    uint64_t shape[2] = {t->system_hash, TEXT_CHAIN};
    uint32_t h = TEXT_CHAIN;
    if (t->system_bytes < SYSTEM_SHAPE)
        for (unsigned i = 0; i < t->n && i < TEMPLATE_TOKENS; i++) h = text_chain(h, t->tok[i].hash);
    shape[1] = h;
    return t->n || t->system_n ? fingerprint(str_make((const char *)shape, sizeof shape)) : 0;
}

bool router_model(struct router *r, str block, arena *a, err *e) {
    struct routing_model *m = arena_new(a, struct routing_model);
    if (!model_open(block.p ? block : model_shipped(), m, e)) return false;
    r->model = m;
    return true;
}

void classify(const struct router *r, const struct prompt *p, struct facts *f) {
    struct text t;
    bool said = f->task_source != TASK_BY_NONE && f->task_source != TASK_BY_CLASSIFIER;
    text_read(p, r->model ? FEATURES_READ_HEAD : READ_HEAD, r->model ? FEATURES_READ_TAIL : READ_TAIL,
              !f->system_hash, &t);
    if (!f->system_hash) f->system_hash = t.system_hash; /* a dialect reader may have made it of the whole */
    f->template_hash = shape_of(&t);
    if (r->semantic) semantic_facts(r->semantic, p, f);
    if (said && !r->model) return;
    struct cues cues;
    struct guess g = {TASK_UNKNOWN, 0};
    cues_find(r->brain, &t, &cues);
    if (!said) g = lexicon_guess(r->brain, &t, &cues);
    if (r->model) ask_model(r, &t, &cues, said, f, &g);
    if (said) return;
    f->task = g.task;
    f->task_source = TASK_BY_CLASSIFIER;
    f->task_confidence = facts_share(g.confidence);
}

void classify_text(const struct router *r, str text, struct facts *f) {
    struct prompt p = {.user_count = 1, .turns = 1};
    p.user[0].raw = text;
    classify(r, &p, f);
}
