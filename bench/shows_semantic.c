/* How good semantic routes are: shows-semantic DIR, with intents-clinc150.jsonl.gz and intents-banking77.jsonl.gz
 * in DIR ({text, intent, split} lines; script/data fetches their sources).
 *
 * A draw takes ten intents of ten training sentences each as routes, fixes one threshold at 5 % false accepts on
 * ten other intents' routes, and then counts which test sentences of its own ten are nearest to the right route
 * and at or above the threshold. False accepts are counted on the test sentences of all intents that are no route,
 * and on the out-of-scope ones. Means over the draws, with 95 % bootstrap intervals over them. Everything is
 * scored by the gateway's own function. --json prints one object. */
#include "base/gzip.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/yaml.h"
#include "brain/semantic.h"
#include "config/shipped.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUTES = 10,
    EXAMPLES = 10,
    DRAWS = 100,
    STRANGERS = 600,
    OUTSIDERS = 200,
    INTENTS_MAX = 200,
    RESAMPLES = 2000
};
enum { FILE_MAX = 64 << 20 };
static const double false_accepts = 0.05;

struct row {
    str text;
    int intent; /* -1: out of scope */
    bool train, test;
};

struct data {
    arena a;
    struct row *row;
    unsigned count;
    str intent[INTENTS_MAX];
    unsigned intents;
};

/* ---- reading ---- */

static void add_line(struct data *d, str line) {
    jval root;
    if (!json_check(line, &root, NULL, NULL)) return;
    str intent = json_text(json_get(root, STR("intent")), &d->a), split = json_get(root, STR("split")).raw;
    struct row *r = &d->row[d->count++];
    *r = (struct row){.text = json_text(json_get(root, STR("text")), &d->a), .intent = -1};
    r->train = str_eqz(split, "train");
    r->test = str_eqz(split, "test") || str_starts(split, STR("oos"));
    if (str_eqz(intent, "oos")) return;
    for (unsigned i = 0; i < d->intents && r->intent < 0; i++)
        if (str_eq(d->intent[i], intent)) r->intent = (int)i;
    if (r->intent < 0 && d->intents < INTENTS_MAX) d->intent[r->intent = (int)d->intents++] = intent;
}

static bool read_data(const char *path, struct data *d) {
    buf zipped, plain;
    err e;
    char piece[65536];
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    buf_init(&zipped, FILE_MAX);
    buf_init(&plain, FILE_MAX);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_add(&zipped, piece, n);
    fclose(f);
    if (!gunzip(buf_view(&zipped), &plain, &e)) return fprintf(stderr, "%s: %s\n", path, e.msg), false;
    arena_init(&d->a, 1 << 20, FILE_MAX * 2);
    d->row = xcalloc(65536, sizeof *d->row);
    str line;
    for (str rest = buf_view(&plain); d->count < 65536 && str_cut(&rest, '\n', &line);)
        if (line.n) add_line(d, arena_str(&d->a, line));
    buf_free(&zipped);
    buf_free(&plain);
    return d->count > 0;
}

/* ---- one draw ---- */

static void shuffle(unsigned *x, unsigned n, struct rng *r) {
    for (unsigned i = n; i > 1; i--) {
        unsigned k = (unsigned)(rng_next(r) % i), t = x[i - 1];
        x[i - 1] = x[k];
        x[k] = t;
    }
}

/* Places of the rows that `want` wants, shuffled. */
static unsigned pick(const struct data *d, const bool *intent, bool train, bool outside, struct rng *r,
                     unsigned *out) {
    unsigned n = 0;
    for (unsigned i = 0; i < d->count; i++) {
        const struct row *x = &d->row[i];
        bool is = outside ? x->intent < 0 : x->intent >= 0 && intent[x->intent];
        if (is && (train ? x->train : x->test)) out[n++] = i;
    }
    shuffle(out, n, r);
    return n;
}

static const struct semantic *routes(const struct data *d, const unsigned *intent, const struct embed *table,
                                     struct rng *r, arena *a) {
    static unsigned place[65536];
    ynode *root = arena_new(a, ynode);
    err e;
    root->type = Y_MAP;
    for (unsigned k = ROUTES; k-- > 0;) {
        bool one[INTENTS_MAX] = {false};
        one[intent[k]] = true;
        ynode *n = arena_new(a, ynode);
        *n = (ynode){.type = Y_SEQ, .key = d->intent[intent[k]], .next = root->child};
        root->child = n;
        unsigned count = pick(d, one, true, false, r, place);
        for (unsigned i = 0; i < EXAMPLES && i < count; i++) {
            ynode *s = arena_new(a, ynode);
            *s = (ynode){.type = Y_SCALAR, .value = d->row[place[i]].text, .next = n->child, .file = "data"};
            n->child = s;
        }
    }
    const struct semantic *s = semantic_compile(root, -1, table, a, &e);
    if (!s) fprintf(stderr, "%s\n", e.msg), exit(1);
    return s;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

struct outcome {
    double right, nearest, false_accepts, suggested, suggested_right, suggested_false;
};

/* Scores of sentences that belong to none of the routes; the number of them. */
static unsigned strangers(const struct data *d, const struct semantic *s, const unsigned *route, struct rng *r,
                          double *out) {
    static unsigned place[65536];
    bool other[INTENTS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < INTENTS_MAX; i++) other[i] = true;
    for (unsigned k = 0; k < ROUTES; k++) other[route[k]] = false;
    unsigned count = pick(d, other, false, false, r, place);
    for (unsigned i = 0; i < STRANGERS && i < count; i++) semantic_nearest(s, d->row[place[i]].text, &out[n++]);
    count = pick(d, other, false, true, r, place);
    for (unsigned i = 0; i < OUTSIDERS && i < count; i++) semantic_nearest(s, d->row[place[i]].text, &out[n++]);
    qsort(out, n, sizeof *out, by_value);
    return n;
}

static double share_from(const double *sorted, unsigned n, double at) {
    unsigned below = 0;
    while (below < n && sorted[below] < at) below++;
    return n ? (double)(n - below) / n : 0;
}

static struct outcome one_draw(const struct data *d, const struct embed *table, uint64_t seed) {
    static unsigned place[65536];
    static double score[STRANGERS + OUTSIDERS];
    unsigned order[INTENTS_MAX], n;
    struct rng r;
    arena a;
    struct outcome o = {0};
    rng_seed(&r, seed);
    for (unsigned i = 0; i < d->intents; i++) order[i] = i;
    shuffle(order, d->intents, &r);
    arena_init(&a, 1 << 20, 256 << 20);
    const struct semantic *fix = routes(d, order + ROUTES, table, &r, &a);
    n = strangers(d, fix, order + ROUTES, &r, score);
    double threshold = score[(unsigned)((1 - false_accepts) * (n - 1) + 0.5)];
    const struct semantic *s = routes(d, order, table, &r, &a);
    n = strangers(d, s, order, &r, score);
    o.false_accepts = share_from(score, n, threshold);
    o.suggested = (double)s->suggested;
    o.suggested_false = share_from(score, n, o.suggested);
    bool own[INTENTS_MAX] = {false};
    for (unsigned k = 0; k < ROUTES; k++) own[order[k]] = true;
    unsigned count = pick(d, own, false, false, &r, place);
    for (unsigned i = 0; i < count; i++) {
        double x;
        int at = semantic_nearest(s, d->row[place[i]].text, &x);
        if (at < 0 || !str_eq(s->route[at].name, d->intent[d->row[place[i]].intent])) continue;
        o.nearest += 1.0 / count;
        o.right += (x >= threshold) * 1.0 / count;
        o.suggested_right += (x >= o.suggested) * 1.0 / count;
    }
    arena_free(&a);
    return o;
}

/* ---- printing ---- */

static double mean(const double *x, unsigned n) {
    double s = 0;
    for (unsigned i = 0; i < n; i++) s += x[i];
    return s / n;
}

static void interval(const double *x, double *lo, double *hi) {
    static double sample[RESAMPLES];
    struct rng r;
    rng_seed(&r, 1);
    for (unsigned i = 0; i < RESAMPLES; i++) {
        sample[i] = 0;
        for (unsigned k = 0; k < DRAWS; k++) sample[i] += x[rng_next(&r) % DRAWS] / DRAWS;
    }
    qsort(sample, RESAMPLES, sizeof *sample, by_value);
    *lo = sample[RESAMPLES * 25 / 1000];
    *hi = sample[RESAMPLES * 975 / 1000];
}

static void measure(const struct data *d, const char *set, const struct embed *table, double bar, double plain,
                    bool json, bool *first) {
    double column[6][DRAWS], lo, hi;
    for (unsigned i = 0; i < DRAWS; i++) {
        struct outcome o = one_draw(d, table, i + 1);
        const double *x = &o.right;
        for (unsigned k = 0; k < 6; k++) column[k][i] = x[k];
    }
    interval(column[0], &lo, &hi);
    const char *method = table ? "mean" : "lexical";
    if (json)
        printf(
            "%s{\"set\":\"%s\",\"method\":\"%s\",\"right\":%.4f,\"lo\":%.4f,\"hi\":%.4f,\"nearest\":%.4f,"
            "\"false_accepts\":%.4f,\"suggested\":%.4f,\"suggested_right\":%.4f,\"suggested_false_accepts\":%.4f,"
            "\"bar\":%.2f,\"random\":0.005,\"plain\":%.2f}",
            *first ? "" : ",", set, method, mean(column[0], DRAWS), lo, hi, mean(column[1], DRAWS),
            mean(column[2], DRAWS), mean(column[3], DRAWS), mean(column[4], DRAWS), mean(column[5], DRAWS), bar,
            plain);
    else
        printf("%-10s %-8s %.3f [%.3f, %.3f]  %.2f    %.3f    %.3f   %.3f      %.2f: %.3f, %.3f\n", set, method,
               mean(column[0], DRAWS), lo, hi, plain, mean(column[1], DRAWS), bar, mean(column[2], DRAWS),
               mean(column[3], DRAWS), mean(column[4], DRAWS), mean(column[5], DRAWS));
    *first = false;
}

/* What a prompt of `bytes` costs against `s`. */
static void time_it(const struct semantic *s, const struct data *d, unsigned bytes, bool json) {
    enum { ROUNDS = 4000 };
    static double took[ROUNDS];
    char text[1024];
    double score;
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t n = 0;
        for (unsigned k = i; n < bytes; k++) {
            str t = str_take(d->row[k * 7919u % d->count].text, bytes - n);
            memcpy(text + n, t.p, t.n);
            n += t.n;
            if (n < bytes) text[n++] = ' ';
        }
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        semantic_nearest(s, str_make(text, n), &score);
        clock_gettime(CLOCK_MONOTONIC, &to);
        took[i] = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
    }
    qsort(took, ROUNDS, sizeof *took, by_value);
    if (json)
        printf(",{\"prompt_bytes\":%u,\"p50_us\":%.2f,\"p99_us\":%.2f}", bytes, took[ROUNDS / 2],
               took[ROUNDS * 99 / 100]);
    else
        printf("a prompt of %u bytes against %d routes of %d examples: p50 %.1f us, p99 %.1f us\n", bytes, ROUTES,
               EXAMPLES, took[ROUNDS / 2], took[ROUNDS * 99 / 100]);
}

int main(int argc, char **argv) {
    static const struct {
        const char *set;
        double bar, lexical, mean; /* bars of issue 12; FINDINGS' section 10 */
    } sets[] = {{"clinc150", 0.70, 0.67, 0.70}, {"banking77", 0.57, 0.49, 0.57}};
    bool json = argc > 2 && strcmp(argv[2], "--json") == 0, first = true;
    struct embed table;
    struct data d;
    arena a;
    err e;
    char path[4096];
    if (argc < 2) return fprintf(stderr, "usage: shows-semantic DIR [--json]\n"), 2;
    arena_init(&a, 1 << 20, 64 << 20);
    if (!embed_open(shipped_table(), &a, &table, &e)) return fprintf(stderr, "%s\n", e.msg), 1;
    if (json)
        printf("[");
    else
        printf("set        method   right and accepted    plain  nearest  bar     false acc. suggested: right, "
               "false\n");
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
        snprintf(path, sizeof path, "%s/intents-%s.jsonl.gz", argv[1], sets[i].set);
        d = (struct data){0};
        if (!read_data(path, &d) || d.intents < 2 * ROUTES) return fprintf(stderr, "%s: can't be read\n", path), 1;
        measure(&d, sets[i].set, NULL, sets[i].bar, sets[i].lexical, json, &first);
        measure(&d, sets[i].set, &table, sets[i].bar, sets[i].mean, json, &first);
        if (i + 1 == sizeof sets / sizeof *sets) {
            unsigned order[ROUTES];
            struct rng r;
            rng_seed(&r, 7);
            for (unsigned k = 0; k < ROUTES; k++) order[k] = k;
            const struct semantic *s = routes(&d, order, &table, &r, &a);
            time_it(s, &d, 60, json);
            time_it(s, &d, 450, json);
        }
        arena_free(&d.a);
        free(d.row);
    }
    printf(json ? "]\n" : "(random: 0.005; plain: the same method in FINDINGS section 10)\n");
    arena_free(&a);
    return 0;
}
