/* What classify costs: a 450-byte prompt, and the 2 kB of a usual chat request. Best and median of many runs. */
#include "brain/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 20000 };

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct router *r, const char *what, size_t bytes) {
    static const char text[] =
        "We have a customer who writes that the invoice of last month lists the same item twice, once "
        "with tax and once without. Please check the attached lines and say which one is right; the "
        "contract says net 30 days, prices in euros. ";
    static double took[ROUNDS];
    static char user[8192];
    for (size_t i = 0; i < bytes; i++) user[i] = text[i % (sizeof text - 1)];
    struct prompt p = {.user_count = 1, .system_count = 1, .turns = 2};
    p.system[0].raw = STR("You are a helpful assistant for the accounts department. Answer briefly.");
    p.user[0].raw = str_make(user, bytes);
    struct facts f;
    struct plan plan;
    for (int i = 0; i < ROUNDS; i++) {
        facts_init(&f);
        double t = now_us();
        classify(r, &p, &f);
        decide(r, &f, 0, &plan);
        took[i] = now_us() - t;
    }
    qsort(took, ROUNDS, sizeof *took, by_value);
    printf("%-12s best %.2f us, median %.2f us, p99 %.2f us (%s, %.2f)\n", what, took[0], took[ROUNDS / 2],
           took[ROUNDS / 100 * 99], task_name((enum task)f.task), (double)f.task_confidence);
}

int main(void) {
    static struct router r;
    arena a;
    err e;
    arena_init(&a, 1 << 16, 1 << 26);
    if (!router_compile(&r, NULL, NULL, &a, &e) || !router_model(&r, STR_NONE, &a, &e))
        return fprintf(stderr, "%s\n", e.msg), 1;
    measure(&r, "450 bytes", 450);
    measure(&r, "2 kB", 1900);
    measure(&r, "4 kB", 4000);
    arena_free(&a);
    return 0;
}
