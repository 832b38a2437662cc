/* What the tests of the books share: a folder of their own, calls to book, questions to the ledger. */
#ifndef DRAY_TESTS_BOOKS_FIXTURE_H
#define DRAY_TESTS_BOOKS_FIXTURE_H

#include "base/clock.h"
#include "books/books-private.h"
#include "books/books.h"
#include "books/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct place {
    char dir[64], db[96], spool[96];
};

static inline void place_make(struct place *p) {
    snprintf(p->dir, sizeof p->dir, "/tmp/dray-books-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->db, sizeof p->db, "%s/dray.db", p->dir);
    snprintf(p->spool, sizeof p->spool, "%s/spool", p->dir);
}

static inline void place_remove(const struct place *p) {
    char cmd[256];
    snprintf(cmd, sizeof cmd, "chmod -R u+w %s; rm -rf %s", p->dir, p->dir);
    assert_int_equal(system(cmd), 0);
}

static inline struct books_config config_of(const struct place *p) {
    return (struct books_config){.path = str_from(p->db),
                                 .spool_dir = str_from(p->spool),
                                 .gateway = STR("gw-1"),
                                 .writers = 2,
                                 .segment_size = SEGMENT_SIZE_MIN};
}

static inline struct books *open_or_die(const struct books_config *c) {
    err e = {{0}};
    struct books *b = books_open(c, &e);
    if (!b) fail_msg("books_open: %s", e.msg);
    return b;
}

/* A call as the gateway books it: one good attempt, 1,000 + 200 cached input and 50 + 30 reasoning tokens. */
struct sample {
    struct record r;
    struct facts f;
    struct record_attempt t;
    struct fact_named named[1];
};

static inline void usage_sample(struct usage *u, struct usage_cost *c) {
    *u = (struct usage){.source = TOKENS_PROVIDER};
    memset(c, 0, sizeof *c);
    static const struct {
        unsigned class;
        int64_t units, rate;
    } lines[] = {{USAGE_INPUT, 1000, 2500000000},
                 {USAGE_CACHED_INPUT, 200, 1250000001},
                 {USAGE_OUTPUT, 50, 10000000000},
                 {USAGE_REASONING, 30, 10000000000}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        u->units[lines[i].class] = lines[i].units;
        c->rate[lines[i].class] = lines[i].rate;
        c->cost[lines[i].class] = (lines[i].units * lines[i].rate + 500000) / 1000000;
        c->total += c->cost[lines[i].class];
    }
}

static inline void sample_make(struct sample *s, struct uuid_gen *gen, uint64_t wall) {
    *s = (struct sample){0};
    facts_init(&s->f);
    struct record *r = &s->r;
    *r = (struct record){
        .id = uuid_v7(gen, wall),
        .time_us = wall,
        .key = STR("billing-bot"),
        .team = STR("finance"),
        .user = STR("u-17"),
        .session = STR("sess-4711"),
        .dialect = STR("openai"),
        .endpoint = STR("/v1/chat/completions"),
        .requested_model = STR("auto"),
        .rule = STR("short-structured"),
        .tier = STR("light"),
        .candidate = {{STR("openai/gpt-5-nano"), 12345, -1},
                      {STR("anthropic/claude-haiku-4-5"), COST_UNKNOWN, 0.75f}},
        .candidate_count = 2,
        .propensity = 0.5,
        .baseline_model = STR("openai/gpt-4o"),
        .config_version = STR("c0ffee"),
        .prompt_hash = 0xdeadbeefcafef00d,
        .observed_cost = COST_UNKNOWN,
        .provider = STR("openai"),
        .model = STR("gpt-5-nano"),
        .status = 200,
        .attempts = 1,
        .ttft_us = 250000,
        .duration_us = 900000,
        .overhead_us = 80,
        .cache = CACHE_MISS,
        .finish = FINISH_STOP,
        .service_tier = STR("default"),
        .price_version = STR("catalog 2026-07-24"),
        .answer_id = STR("chatcmpl-abc"),
    };
    usage_sample(&r->usage, &r->cost_lines);
    r->cost = r->cost_lines.total;
    r->baseline_cost = r->cost * 10;
    r->facts = &s->f;
    s->f.task = TASK_EXTRACT;
    s->f.task_source = TASK_BY_CLASSIFIER;
    s->f.task_confidence = facts_share(0.9312);
    s->f.difficulty = facts_share(0.125);
    s->f.hour = (uint8_t)(wall / 3600000000u % 24);
    s->f.input_length = 4321;
    s->f.input_tokens = 1200;
    s->f.turns = 2;
    s->f.system_hash = 77;
    s->f.template_hash = 0x8000000000000001;
    s->f.model = r->requested_model;
    s->f.key = r->key;
    s->f.team = r->team;
    s->f.user = r->user;
    s->f.session = r->session;
    s->f.tag[s->f.tag_count++] = STR("nightly");
    s->f.tag[s->f.tag_count++] = STR("eu");
    s->named[0] = (struct fact_named){STR("header.x-app"), STR("invoice reader")};
    s->f.named = s->named;
    s->f.named_count = 1;
    s->t = (struct record_attempt){.n = 1,
                                   .status = 200,
                                   .target = STR("openai/gpt-5-nano"),
                                   .start_us = 60,
                                   .first_byte_us = 250000,
                                   .end_us = 899990,
                                   .usage = r->usage,
                                   .cost = r->cost_lines};
}

static inline void book(struct spool *w, struct sample *s) {
    assert_true(spool_begin(w, &s->r));
    assert_true(spool_attempt(w, &s->r, &s->t));
    assert_true(spool_end(w, &s->r));
}

/* One integer by SQL. */
static inline int64_t ask(const struct place *p, const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

/* One text by SQL; valid until the next call. */
static inline const char *ask_text(const struct place *p, const char *sql) {
    static char out[8192];
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    const char *t = (const char *)sqlite3_column_text(q, 0);
    snprintf(out, sizeof out, "%s", t ? t : "NULL");
    sqlite3_finalize(q);
    sqlite3_close(db);
    return out;
}

/* The ledger's money by the independent checker (from the source's root, where tests run). */
static inline void check_money(const struct place *p) {
    char cmd[256];
    snprintf(cmd, sizeof cmd, "python3 tests/check_money.py %s", p->db);
    assert_int_equal(system(cmd), 0);
}

/* Waits (bounded) until everything appended is in the store. */
static inline void settle_books(struct books *b) {
    struct books_status st;
    for (int i = 0; i < 20000; i++) {
        books_status(b, &st);
        if (st.backlog_events == 0) return;
        usleep(1000);
    }
    fail_msg("the backlog stays at %llu: %s", (unsigned long long)st.backlog_events, st.error);
}

#endif
