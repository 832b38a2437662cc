/* dataset: see the header. Prompts become features at once; their text is not kept. */
#include "insight/dataset.h"

#include "base/hash.h"
#include "base/json.h"
#include "insight/input.h"

#include <math.h>
#include <stdlib.h>

enum { SCRATCH_MAX = 64 << 20, TEN = 10 };

static const size_t memory_max = (size_t)16 << 30;

void dataset_init(struct dataset *d) {
    *d = (struct dataset){0};
    arena_init(&d->a, 1 << 16, memory_max);
    d->brain = brain_new(&d->a);
}

void dataset_free(struct dataset *d) {
    free(d->id);
    free(d->id_row);
    arena_free(&d->a);
}

static int find(const str *names, unsigned count, str name) {
    for (unsigned i = 0; i < count; i++)
        if (str_eq(names[i], name)) return (int)i;
    return -1;
}

int dataset_model(const struct dataset *d, str name) { return find(d->model, d->model_count, name); }
int dataset_set(const struct dataset *d, str name) { return find(d->set, d->set_count, name); }

/* The place of a name, added when new; -1 when there are too many. */
static int place(struct dataset *d, str *names, uint16_t *count, unsigned max, str name) {
    int at = find(names, *count, name);
    if (at >= 0 || *count == max) return at;
    names[*count] = arena_str(&d->a, name);
    return (*count)++;
}

struct scores {
    uint16_t model[DATASET_MODELS_MAX];
    float score[DATASET_MODELS_MAX], cost[DATASET_MODELS_MAX];
    unsigned n;
};

static void add_score(struct dataset *d, struct scores *s, str name, double score, double cost) {
    int m = place(d, d->model, &d->model_count, DATASET_MODELS_MAX, name);
    if (m < 0 || s->n == DATASET_MODELS_MAX || !(score >= 0)) return;
    for (unsigned i = 0; i < s->n; i++)
        if (s->model[i] == m) return; /* the first one said counts */
    unsigned k = s->n++;
    while (k > 0 && s->model[k - 1] > m) {
        s->model[k] = s->model[k - 1], s->score[k] = s->score[k - 1], s->cost[k] = s->cost[k - 1];
        k--;
    }
    s->model[k] = (uint16_t)m;
    s->score[k] = (float)(score > 1 ? score / TEN : score);
    s->cost[k] = (float)cost;
}

static void read_scores(struct dataset *d, jval root, arena *scratch, struct scores *s) {
    static const char *const pair[] = {"weak", "strong"};
    jval costs = json_get(root, STR("cost")), v;
    jiter it = json_iter(json_get(root, STR("scores")));
    str key;
    bool esc;
    double x, cost;
    while (json_next(&it, &key, &esc, &v)) {
        str name = json_text((jval){.raw = key, .type = J_STRING, .esc = esc}, scratch);
        if (!json_f64(v, &x)) continue;
        if (!json_f64(json_get(costs, name), &cost)) cost = -1;
        add_score(d, s, name, x, cost);
    }
    for (unsigned i = 0; i < 2; i++)
        if (json_f64(json_get(root, str_from(pair[i])), &x)) add_score(d, s, str_from(pair[i]), x, -1);
}

/* A row that says one model's score of one prompt: {"id", "model", "score"}. */
static bool read_single(struct dataset *d, jval root, arena *scratch, struct scores *s) {
    jval model = json_get(root, STR("model"));
    double x, cost;
    if (model.type != J_STRING || !json_f64(json_get(root, STR("score")), &x)) return false;
    str name = json_text(model, scratch);
    jval costs = json_get(root, STR("cost"));
    if (!json_f64(json_get(costs, name), &cost)) cost = -1;
    add_score(d, s, name, x, cost);
    return true;
}

/* ---- rows of one id ---- */

static uint32_t id_slot(const struct dataset *d, uint64_t h) {
    uint32_t i = (uint32_t)h & (d->id_cap - 1);
    while (d->id[i] && d->id[i] != h) i = (i + 1) & (d->id_cap - 1);
    return i;
}

static void id_grow(struct dataset *d) {
    uint64_t *old = d->id;
    uint32_t *row = d->id_row, cap = d->id_cap;
    d->id_cap = cap ? cap * 2 : 1024;
    d->id = xcalloc(d->id_cap, sizeof *d->id);
    d->id_row = xcalloc(d->id_cap, sizeof *d->id_row);
    for (uint32_t i = 0; i < cap; i++) {
        if (!old[i]) continue;
        uint32_t at = id_slot(d, old[i]);
        d->id[at] = old[i];
        d->id_row[at] = row[i];
    }
    free(old);
    free(row);
}

/* The row that has this id, made the place of the next one when none has; false then. */
static bool id_known(struct dataset *d, str id, uint32_t *row) {
    if (d->ids * 2 >= d->id_cap) id_grow(d);
    uint64_t h = fingerprint(id) | 1; /* 0 is free */
    uint32_t at = id_slot(d, h);
    *row = d->id_row[at];
    if (d->id[at]) return true;
    d->id[at] = h;
    d->id_row[at] = d->count;
    d->ids++;
    return false;
}

static uint32_t number_or(jval v, uint32_t none) {
    int64_t x;
    return json_i64(v, &x) && x >= 0 && x < UINT32_MAX ? (uint32_t)x : none;
}

static struct example *next_row(struct dataset *d) {
    if (d->count == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 1024;
        d->row = arena_grow(&d->a, d->row, d->cap * sizeof *d->row, cap * sizeof *d->row);
        d->cap = cap;
    }
    struct example *x = &d->row[d->count];
    memset(x, 0, sizeof *x);
    return x;
}

static void *keep(struct dataset *d, const void *p, size_t n) {
    return n ? memcpy(arena_alloc(&d->a, n), p, n) : NULL;
}

static void keep_scores(struct dataset *d, const struct scores *s, struct example *x) {
    x->scored = (uint16_t)s->n;
    x->model = keep(d, s->model, s->n * sizeof *s->model);
    x->score = keep(d, s->score, s->n * sizeof *s->score);
    x->cost = keep(d, s->cost, s->n * sizeof *s->cost);
}

/* One more model's score for a row that is there. The last word on a model counts. */
static void join_score(struct dataset *d, struct example *x, const struct scores *one) {
    struct scores all = {.n = 0};
    for (unsigned i = 0; i < x->scored; i++)
        if (x->model[i] != one->model[0])
            add_score(d, &all, d->model[x->model[i]], (double)x->score[i], (double)x->cost[i]);
    add_score(d, &all, d->model[one->model[0]], (double)one->score[0], (double)one->cost[0]);
    keep_scores(d, &all, x);
}

static void make_features(struct dataset *d, str system, str prompt, struct example *x) {
    struct prompt p = {.user_count = 1, .turns = 1};
    struct text t;
    struct cues c;
    struct features f;
    p.user[0].raw = prompt;
    if (system.n) p.system[p.system_count++].raw = system;
    text_read(&p, FEATURES_READ_HEAD, FEATURES_READ_TAIL, false, &t);
    cues_find(d->brain, &t, &c);
    features_make(d->brain, &t, &c, &f);
    x->n = (uint16_t)f.n;
    x->base = (uint16_t)f.base;
    x->words = (uint16_t)f.words;
    x->bytes = t.bytes;
    x->code = keep(d, f.code, f.n * sizeof *f.code);
    memcpy(x->dense, f.dense, sizeof x->dense);
}

static bool read_row(struct dataset *d, str rec, arena *scratch, err *e) {
    jval root;
    const char *why;
    size_t at;
    if (!json_check(rec, &root, &why, &at)) return fail(e, "%s at byte %zu", why, at);
    jval prompt = json_get(root, STR("prompt")), label = json_get(root, STR("label")),
         system = json_get(root, STR("system"));
    if (prompt.type != J_STRING) prompt = json_get(root, STR("text"));
    if (prompt.type != J_STRING) return fail(e, "no prompt");
    if (d->count == DATASET_ROWS_MAX) return fail(e, "more than %d rows", DATASET_ROWS_MAX);
    struct scores s = {.n = 0};
    jval id = json_get(root, STR("id"));
    uint32_t there;
    int set = place(d, d->set, &d->set_count, DATASET_SETS_MAX, json_text(json_get(root, STR("set")), scratch));
    if (set < 0) return fail(e, "more than %d sets", DATASET_SETS_MAX);
    bool single = read_single(d, root, scratch, &s);
    read_scores(d, root, scratch, &s); /* a judge may have scored other models' answers to it beside */
    if (single && s.n && id.type == J_STRING && id_known(d, json_text(id, scratch), &there)) {
        join_score(d, &d->row[there], &s);
        return true;
    }
    struct example *x = next_row(d);
    enum task t = TASK_UNKNOWN;
    double weight;
    if (label.type == J_STRING) task_parse(json_text(label, scratch), &t);
    if ((t == TASK_UNKNOWN || t > (enum task)CLASSIFY_TASKS) && !s.n)
        return fail(e, "neither a task label nor scores");
    str group = json_text(json_get(root, STR("group")), scratch);
    make_features(d, system.type == J_STRING ? json_text(system, scratch) : STR_NONE, json_text(prompt, scratch),
                  x);
    x->task = (uint8_t)t;
    x->set = (uint16_t)set;
    x->contaminated = json_true(json_get(root, STR("contaminated")));
    x->group = (uint32_t)fingerprint(group);
    x->cluster = number_or(json_get(root, STR("cluster")), UINT32_MAX - d->count); /* none: its own */
    x->weight = json_f64(json_get(root, STR("weight")), &weight) && weight > 0 && weight < 1e6 ? (float)weight : 1;
    keep_scores(d, &s, x);
    d->count++;
    return true;
}

bool dataset_read(struct dataset *d, const char *path, err *e) {
    struct input *in = input_open(path, e);
    if (!in) return false;
    arena scratch;
    arena_init(&scratch, 1 << 16, SCRATCH_MAX);
    bool good = true;
    for (;;) {
        str rec;
        uint64_t line;
        enum input_what what = input_next(in, &rec, &line, e);
        if (what == INPUT_END) break;
        if (what == INPUT_ERROR) {
            good = false;
            break;
        }
        err why = {"too long or broken"};
        if ((what != INPUT_RECORD || !read_row(d, rec, &scratch, &why)) && !d->skipped++)
            fail(&d->first_skipped, "%s:%llu: %s", path, (unsigned long long)line, why.msg);
        arena_free(&scratch);
    }
    arena_free(&scratch);
    input_close(in);
    return good && (!arena_failed(&d->a) || fail(e, "%s: too much data", path));
}

float example_score(const struct example *x, unsigned model) {
    for (unsigned i = 0; i < x->scored; i++)
        if (x->model[i] == model) return x->score[i];
    return NAN;
}

float example_cost(const struct example *x, unsigned model) {
    for (unsigned i = 0; i < x->scored; i++)
        if (x->model[i] == model) return x->cost[i];
    return -1;
}
