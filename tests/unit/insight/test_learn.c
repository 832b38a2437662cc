/* learn, model, metrics: a signal that is there is learnt, the same data gives the same bytes, damaged models are
 * refused, and the metrics have known answers. */
#include "insight/learn.h"

#include "brain/model.h"
#include "insight/metrics.h"
#include "insight/peers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 400, BITS = 12 };

/* Half of the rows are about maths: there only the strong model is right. Everything else both can. */
static void write_rows(FILE *f, bool groups) {
    for (int i = 0; i < ROWS; i++)
        fprintf(f,
                "{\"set\":\"s\",\"group\":\"%s\",\"cluster\":%d,\"label\":\"%s\",\"prompt\":\"%s item "
                "%d\",\"weak\":%d,\"strong\":1}\n",
                !groups ? ""
                : i % 2 ? "maths"
                        : "talk",
                i, i % 2 ? "reason" : "chat",
                i % 2 ? "integrate the polynomial over the complex plane" : "good morning to everyone here", i,
                i % 2 ? 0 : 1);
    fputs("{\"set\":\"s\"}\n", f); /* no prompt: skipped and counted */
}

static void load(struct dataset *d, bool groups) {
    char path[] = "/tmp/dray-test-learn-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    write_rows(f, groups);
    fclose(f);
    err e;
    dataset_init(d);
    assert_true(dataset_read(d, path, &e));
    unlink(path);
    assert_int_equal(d->count, ROWS);
    assert_int_equal(d->skipped, 1);
}

static void learn(const struct dataset *d, bool balance, buf *out) {
    static uint32_t row[ROWS];
    for (uint32_t i = 0; i < ROWS; i++) row[i] = i;
    struct learn_plan p = {.row = row,
                           .count = ROWS,
                           .bits = BITS,
                           .balance = balance,
                           .card = STR("{}"),
                           .light_count = 1,
                           .frontier_count = 1};
    p.light[0] = (uint16_t)dataset_model(d, STR("weak"));
    p.frontier[0] = (uint16_t)dataset_model(d, STR("strong"));
    err e;
    buf_init(out, MODEL_SIZE_MAX);
    if (!learn_model(d, &p, out, &e)) fail_msg("%s", e.msg);
}

static void logits_of(const struct routing_model *m, const struct example *x, struct model_scores *out) {
    struct features f = {.n = x->n, .base = x->base, .words = x->words};
    memcpy(f.code, x->code, x->n * sizeof *f.code);
    memcpy(f.dense, x->dense, sizeof f.dense);
    model_logits(m, &f, out);
}

static void test_learns(void **state) {
    (void)state;
    struct dataset d;
    struct routing_model m;
    buf one, two;
    err e;
    struct model_scores scores;
    float task[CLASSIFY_TASKS];
    load(&d, false);
    learn(&d, false, &one);
    learn(&d, false, &two);
    assert_true(one.n == two.n && memcmp(one.p, two.p, one.n) == 0);
    if (!model_open(buf_view(&one), &m, &e)) fail_msg("%s", e.msg);
    assert_true(model_column_find(&m, STR("weak")) >= 0 && model_column_find(&m, STR("other")) < 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        logits_of(&m, &d.row[i], &scores);
        assert_true(scores.known > 0.8f); /* all but the number of the item, or its place */
        double difficulty = model_difficulty(&m, model_gain(&m, scores.logit), NULL);
        assert_true(i % 2 ? difficulty > 0.8 : difficulty < 0.2);
        model_tasks(&m, scores.logit, task);
        float sum = 0;
        for (unsigned k = 0; k < CLASSIFY_TASKS; k++) sum += task[k];
        assert_true(sum > 0.999f && sum < 1.001f);
        assert_true(i % 2 ? task[TASK_REASON - 1] > 0.5f : task[TASK_CHAT - 1] > 0.5f);
    }
    buf_free(&one);
    buf_free(&two);
    dataset_free(&d);
}

/* Groups of the rows are kinds of work: recognised, and what models reach on them counts. Not so in a model for
 * strangers' traffic. */
static void test_kinds(void **state) {
    (void)state;
    struct dataset d;
    struct routing_model m;
    buf own, strangers;
    err e;
    struct model_scores scores;
    float kind[MODEL_KINDS_MAX];
    load(&d, true);
    learn(&d, false, &own);
    learn(&d, true, &strangers);
    if (!model_open(buf_view(&strangers), &m, &e)) fail_msg("%s", e.msg);
    assert_int_equal(m.head->kinds, 0);
    if (!model_open(buf_view(&own), &m, &e)) fail_msg("%s", e.msg);
    assert_int_equal(m.head->kinds, 2); /* talk was met first */
    int weak = model_column_find(&m, STR("weak"));
    assert_true(weak >= 0 && m.kind_quality[weak * 2] > 0.9f && m.kind_quality[weak * 2 + 1] < 0.1f);
    for (uint32_t i = 0; i < ROWS; i++) {
        logits_of(&m, &d.row[i], &scores);
        model_kinds(scores.logit + m.head->tasks, m.head->kinds, kind);
        assert_true(kind[i % 2] > 0.8f && fabsf(kind[0] + kind[1] - 1) < 1e-5f);
        double q = model_quality(&m, scores.logit, kind, (unsigned)weak);
        assert_true(i % 2 ? q < 0.2 : q > 0.8);
        double head = model_sigmoid((double)scores.logit[weak]);
        float mean = kind[0] * m.kind_quality[weak * 2] + kind[1] * m.kind_quality[weak * 2 + 1];
        assert_true(q > fmin(head, (double)mean) - 1e-6 && q < fmax(head, (double)mean) + 1e-6);
    }
    buf_free(&own);
    buf_free(&strangers);
    dataset_free(&d);
}

/* Six models are right on every other prompt; the seventh too, but for every fifth, by chance. */
static void load_peers(struct dataset *d, int rows) {
    char path[] = "/tmp/dray-test-peers-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    for (int i = 0; i < rows; i++) {
        fprintf(f, "{\"set\":\"s\",\"cluster\":%d,\"prompt\":\"item %d\",\"scores\":{\"own\":%d", i, i,
                i % 5 ? i % 2 : 1 - i % 2);
        for (int k = 0; k < 6; k++) fprintf(f, ",\"peer %d\":%d", k, i % 2);
        fputs("}}\n", f);
    }
    fclose(f);
    err e;
    dataset_init(d);
    assert_true(dataset_read(d, path, &e));
    unlink(path);
}

static void test_peers(void **state) {
    (void)state;
    for (int rows = 50; rows <= ROWS; rows += ROWS - 50) {
        struct dataset d;
        uint32_t row[ROWS];
        float target[ROWS], few[ROWS];
        bool but[DATASET_MODELS_MAX] = {false}, all_but[DATASET_MODELS_MAX];
        load_peers(&d, rows);
        memset(all_but, 1, sizeof all_but);
        int own = dataset_model(&d, STR("own"));
        but[own] = true;
        for (uint32_t i = 0; i < d.count; i++) {
            row[i] = i;
            target[i] = few[i] = example_score(&d.row[i], (unsigned)own);
        }
        peers_lean(&d, row, d.count, but, target);
        peers_lean(&d, row, d.count, all_but, few);
        for (uint32_t i = 0; i < d.count; i++) {
            float was = example_score(&d.row[i], (unsigned)own);
            assert_true(few[i] == was); /* nobody to ask */
            if (rows < ROWS)
                assert_true(target[i] == was);
            else if (i % 5)
                assert_true(fabsf(target[i] - was) < 0.13f);
            else
                assert_true(fabsf(target[i] - was) > 0.25f && fabsf(target[i] - was) < 0.4f);
        }
        dataset_free(&d);
    }
}

static void test_damaged_models_are_refused(void **state) {
    (void)state;
    struct dataset d;
    struct routing_model m;
    buf b;
    err e;
    load(&d, false);
    learn(&d, false, &b);
    assert_false(model_open(str_make(b.p, 10), &m, &e));
    assert_false(model_open(str_make(b.p, b.n - 1), &m, &e));
    for (size_t at = 0; at < b.n; at += b.n / 97) { /* any flipped bit shows */
        b.p[at] ^= 0x10;
        e.msg[0] = 0;
        if (model_open(buf_view(&b), &m, &e)) fail_msg("byte %zu", at);
        assert_true(e.msg[0]);
        b.p[at] ^= 0x10;
    }
    assert_true(model_open(buf_view(&b), &m, &e));
    buf_free(&b);
    dataset_free(&d);
}

static void test_metrics(void **state) {
    (void)state;
    enum { N = 1000 };
    static float score[N], weak[N], strong[N];
    static uint32_t cluster[N];
    for (uint32_t i = 0; i < N; i++) {
        score[i] = (float)i;
        weak[i] = i < N / 2; /* the upper half gains: the score is an oracle */
        strong[i] = 1;
        cluster[i] = i;
    }
    struct routed r = {.n = N, .score = score, .weak = weak, .strong = strong, .ratio = 10};
    struct routed_metrics m;
    metrics_routed(&r, &m);
    assert_true(fabs(m.weak - 0.5) < 1e-9 && fabs(m.strong - 1) < 1e-9);
    assert_true(fabs(m.apgr - 0.75) < 1e-6); /* rises to 1 at half the calls, flat after */
    assert_true(fabs(m.cpt50 - 0.25) < 1e-6 && fabs(m.cpt80 - 0.4) < 1e-6);
    assert_true(m.saved95 > 0.49 &&
                m.saved95 < 0.5); /* 45 % of the calls at the full price, the rest at a tenth */
    double lo, hi;
    metrics_apgr_interval(&r, cluster, 200, &lo, &hi);
    assert_true(lo < 0.75 && hi > 0.75 && hi - lo < 0.1);
    for (uint32_t i = 0; i < N; i++) score[i] = (float)((i * 7919u) % N); /* as good as random */
    assert_true(fabs(metrics_apgr(&r, NULL) - 0.5) < 0.03);
    static const uint8_t truth[] = {1, 1, 2, 2}, said[] = {1, 2, 2, 2};
    double accuracy, f1;
    metrics_tasks(truth, said, 4, &accuracy, &f1);
    assert_true(fabs(accuracy - 0.75) < 1e-9 && fabs(f1 - (2.0 / 3 + 0.8) / 2) < 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns), cmocka_unit_test(test_kinds), cmocka_unit_test(test_peers),
        cmocka_unit_test(test_damaged_models_are_refused), cmocka_unit_test(test_metrics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
