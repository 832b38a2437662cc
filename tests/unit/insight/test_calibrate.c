/* calibrate: what is promised holds in 200 samples drawn from a world that is known; little data promises nothing.
 */
#include "insight/calibrate.h"

#include "base/hash.h"
#include "insight/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORLD = 20000, SAMPLE = 600, ROUNDS = 200 };

static float difficulty[WORLD], light[WORLD], frontier[WORLD];

static double uniform(struct rng *r) { return (double)(rng_next(r) >> 11) * 0x1p-53; }

/* A difficulty that is right on average, and answers that are right or wrong. */
static void make_world(struct rng *r) {
    for (int i = 0; i < WORLD; i++) {
        double d = uniform(r) * 0.6;
        difficulty[i] = (float)d;
        frontier[i] = uniform(r) < 0.85;
        light[i] = frontier[i] > 0 && uniform(r) < d ? 0 : frontier[i] > 0 ? 1 : (float)(uniform(r) < 0.05);
    }
}

/* Share of the frontier's quality that a threshold keeps in the whole world. */
static double truth(double threshold) {
    double routed = 0, all = 0;
    for (int i = 0; i < WORLD; i++) {
        routed += (double)((double)difficulty[i] < threshold ? light[i] : frontier[i]);
        all += (double)frontier[i];
    }
    return routed / all;
}

static struct calibrate_out draw(struct rng *r, uint32_t n, double target, double confidence) {
    static float d[SAMPLE], l[SAMPLE], f[SAMPLE];
    for (uint32_t i = 0; i < n; i++) {
        size_t at = (size_t)(rng_next(r) % WORLD);
        d[i] = difficulty[at], l[i] = light[at], f[i] = frontier[at];
    }
    struct calibrate_out out;
    calibrate(
        &(struct calibrate_in){
            .n = n, .difficulty = d, .light = l, .frontier = f, .target = target, .confidence = confidence},
        &out);
    return out;
}

static void test_promises_hold(void **state) {
    (void)state;
    static const double targets[] = {0.9, 0.95, 0.98}, confidences[] = {0.8, 0.9};
    struct rng r;
    rng_seed(&r, 11);
    make_world(&r);
    for (unsigned t = 0; t < 3; t++)
        for (unsigned c = 0; c < 2; c++) {
            unsigned broken = 0, promised = 0;
            for (unsigned i = 0; i < ROUNDS; i++) {
                struct calibrate_out o = draw(&r, SAMPLE, targets[t], confidences[c]);
                promised += o.promised;
                broken += o.promised && truth(o.threshold) < targets[t];
            }
            print_message("target %.2f confidence %.1f: %u of %u promised, %u broken\n", targets[t],
                          confidences[c], promised, ROUNDS, broken);
            assert_true(broken <= (1 - confidences[c]) * ROUNDS);
            if (targets[t] < 0.98) assert_true(promised > ROUNDS / 2);
        }
}

static void test_little_data_promises_nothing(void **state) {
    (void)state;
    struct rng r;
    rng_seed(&r, 12);
    make_world(&r);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct calibrate_out o = draw(&r, 20, 0.95, 0.9);
        assert_false(o.promised);
        assert_true(o.wanted == 0 || o.wanted > 20);
    }
    struct calibrate_out o = draw(&r, 0, 0.95, 0.9);
    assert_false(o.promised);
}

/* Rows of one id are one prompt, answered by several models. */
static void test_answers_of_one_prompt_join(void **state) {
    (void)state;
    char path[] = "/tmp/dray-test-calibrate-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs(
        "{\"id\":\"a\",\"model\":\"p/one\",\"task\":\"qa\",\"prompt\":\"what is it\",\"label\":null,\"score\":0.5,"
        "\"cost\":{\"p/one\":0.1}}\n"
        "{\"id\":\"b\",\"model\":\"p/one\",\"prompt\":\"and this\",\"label\":\"qa\",\"score\":1}\n"
        "{\"id\":\"a\",\"model\":\"p/two\",\"prompt\":\"what is it\",\"label\":null,\"score\":1}\n"
        "{\"id\":\"a\",\"model\":\"p/one\",\"prompt\":\"what is it\",\"label\":null,\"score\":0.25}\n"
        "{\"id\":\"c\",\"model\":\"p/one\",\"prompt\":\"not yet judged\",\"label\":null,\"score\":null}\n",
        f);
    fclose(f);
    struct dataset d;
    err e;
    dataset_init(&d);
    assert_true(dataset_read(&d, path, &e));
    unlink(path);
    assert_int_equal(d.count, 2);
    assert_int_equal(d.skipped, 1);
    unsigned one = (unsigned)dataset_model(&d, STR("p/one")), two = (unsigned)dataset_model(&d, STR("p/two"));
    assert_true(fabsf(example_score(&d.row[0], one) - 0.25f) < 1e-6f); /* the last word */
    assert_true(fabsf(example_score(&d.row[0], two) - 1) < 1e-6f);
    assert_true(isnan(example_score(&d.row[1], two)));
    assert_int_equal(d.row[1].task, TASK_QA);
    dataset_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promises_hold),
        cmocka_unit_test(test_little_data_promises_nothing),
        cmocka_unit_test(test_answers_of_one_prompt_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
