/* What is said of a call later: labels of named calls, scores, words. */
#include "fixture.h"

static const uint64_t NOON = 1795608000000000;

static void named_call(struct sample *s, struct facts *label, struct uuid_gen *gen, uint64_t at) {
    sample_make(s, gen, at);
    *label = s->f;
    s->f.task = TASK_UNKNOWN;
    s->f.task_source = TASK_BY_NONE;
    s->f.task_confidence = 0;
    s->f.difficulty = -1;
    s->r.prompt_hash = 0;
    s->r.label_pending = true;
}

/* The label of another thread comes before the end, after it, before the begin, and never. */
static void test_label(void **state) {
    (void)state;
    enum { BEFORE_END, BEHIND_END, FIRST, LATE, NEVER, CASES };
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct spool *w = books_writer(b, 0), *labeler = books_writer(b, 1);
    for (int i = 0; i < CASES; i++) {
        struct sample s;
        struct facts label;
        named_call(&s, &label, &gen, NOON + (uint64_t)i);
        struct record_amend m = {.id = s.r.id, .facts = &label, .quality = -1, .prompt_hash = 99};
        if (i == FIRST) assert_true(spool_amend(labeler, &m));
        if (i == FIRST) usleep(100000); /* it is read before its call */
        assert_true(spool_begin(w, &s.r));
        if (i == BEFORE_END) assert_true(spool_amend(labeler, &m));
        assert_true(spool_attempt(w, &s.r, &s.t));
        assert_true(spool_end(w, &s.r));
        if (i == LATE) usleep(2300000); /* longer than it is waited for */
        if (i == BEHIND_END || i == LATE) assert_true(spool_amend(labeler, &m));
        if (i == FIRST || i == BEFORE_END || i == BEHIND_END) settle_books(b);
    }
    assert_int_equal(books_close(b, 10000000), 0);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), CASES);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls WHERE task='extract' AND prompt_hash=99"), CASES - 1);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM hours WHERE dimension='task' AND value='extract'"),
                     CASES - 1);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM days WHERE dimension='all'"), CASES);
    place_remove(&p);
}

static void score(struct books *b, struct uuid id, const char *source, float quality, const char *comment) {
    struct record_amend m = {.id = id,
                             .time_us = NOON,
                             .quality = quality,
                             .quality_source = str_from(source),
                             .comment = str_from(comment)};
    assert_true(books_amend(b, &m));
    settle_books(b);
}

static void test_quality(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample s;
    sample_make(&s, &gen, NOON);
    book(books_writer(b, 0), &s);
    struct record_amend check = {.id = s.r.id, .quality = 1, .quality_source = STR("check")};
    assert_true(spool_amend(books_writer(b, 0), &check));
    settle_books(b);
    assert_string_equal(ask_text(&p, "SELECT quality||quality_source FROM calls"), "1.0check");
    assert_int_equal(ask(&p, "SELECT count(*) FROM quality"), 0); /* a check costs no row of its own */

    score(b, s.r.id, "feedback", 0.25f, "wrong \"total\"");
    score(b, s.r.id, "judge", 0.5f, NULL); /* less trusted: doesn't replace */
    assert_string_equal(ask_text(&p, "SELECT quality||quality_source FROM calls"), "0.25feedback");
    assert_string_equal(ask_text(&p, "SELECT group_concat(source||':'||score) FROM quality"),
                        "1:1.0,3:0.5,4:0.25");
    assert_string_equal(ask_text(&p, "SELECT comment FROM quality WHERE source=4"), "wrong \"total\"");
    score(b, s.r.id, "feedback", 0.75f, NULL); /* a second thought */
    score(b, s.r.id, "feedback", 0.75f, NULL); /* the same event twice */
    assert_string_equal(ask_text(&p, "SELECT quality||quality_source FROM calls"), "0.75feedback");

    struct uuid unknown = uuid_v7(&gen, NOON + 1000);
    score(b, unknown, "feedback", 1, NULL);
    struct books_status st;
    books_status(b, &st);
    assert_int_equal(st.unknown, 1);
    assert_int_equal(books_close(b, 5000000), 0);
    assert_string_equal(ask_text(&p, "SELECT sum(calls)||' '||sum(feedback)||' '||sum(feedback_score)||' "
                                     "'||sum(checked) FROM days WHERE dimension='all'"),
                        "1 1 750000 0");
    place_remove(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_label), cmocka_unit_test(test_quality)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
