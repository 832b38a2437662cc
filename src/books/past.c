/* past: see past.h.
 *
 * One statement over the narrow row alone; the words behind its numbers (who, route, kind, names) are few, so
 * each is read once and kept by its id. Nine joins a row, fifty columns and two more statements for the narrow
 * tables were nine tenths of a replay's time. */
#include "books/past.h"

#include "books/names.h"
#include "books/schema.h"

#include <stdlib.h>

enum { WORDS_MAX = 16, IDS_MAX = 1 << 20, USERS = 1 << 14 };

/* A dictionary table: its words by id, read when first asked for. */
enum table { TABLE_WHO, TABLE_ROUTE, TABLE_KIND, TABLE_NAME, TABLE_USER, TABLE_CANDIDATES, TABLE_COUNT };
static const struct {
    const char *sql;
    unsigned words;
} tables[TABLE_COUNT] = {
    [TABLE_WHO] = {"SELECT key, team FROM who WHERE id=?", 2},
    [TABLE_ROUTE] = {"SELECT dialect, requested_model, rule, tier, provider, model, service_tier, observed_tier,"
                     " observed_model FROM route WHERE id=?",
                     9},
    [TABLE_KIND] = {"SELECT task, task_source, stakes, stream, token_source, suspect FROM kind WHERE id=?", 6},
    [TABLE_NAME] = {"SELECT name FROM name WHERE id=?", 1},
    [TABLE_USER] = {"SELECT name FROM user WHERE id=?", 1},
    [TABLE_CANDIDATES] = {"SELECT targets FROM candidates WHERE id=?", 1},
};
enum { WHO_KEY, WHO_TEAM };
enum {
    ROUTE_DIALECT,
    ROUTE_REQUESTED,
    ROUTE_RULE,
    ROUTE_TIER,
    ROUTE_PROVIDER,
    ROUTE_MODEL,
    ROUTE_SERVICE,
    ROUTE_OBSERVED_TIER,
    ROUTE_OBSERVED_MODEL
};
enum { KIND_TASK, KIND_SOURCE, KIND_STAKES, KIND_STREAM, KIND_TOKENS, KIND_SUSPECT };

struct words {
    str w[WORDS_MAX];
    uint8_t task, source, stakes, service, tokens; /* parsed once */
};

struct cache {
    sqlite3_stmt *q;
    const struct words **by_id;
    int64_t cap;
};

struct past {
    struct cache table[TABLE_COUNT];
    sqlite3_stmt *calls, *lines;
    arena keep; /* words by id */
    arena a;    /* of this call */
    struct {
        int64_t id;
        str name;  /* malloc'd */
    } user[USERS]; /* too many to keep all: the last ones, by the low bits of the id */
    struct facts facts;
    struct record decided;
};

#define CALL_SQL                                                                                                  \
    "SELECT at, id, who, route, kind, user, tags, error, cost, input_tokens, cached_tokens, output_tokens,"       \
    " reasoning_tokens, rates, quality, task_confidence, difficulty, propensity, template_hash, facts,"           \
    " observed_cost, candidates, expected"                                                                        \
    " FROM call WHERE at>=? AND at<? AND duration_us IS NOT NULL ORDER BY at"
enum {
    C_AT,
    C_ID,
    C_WHO,
    C_ROUTE,
    C_KIND,
    C_USER,
    C_TAGS,
    C_ERROR,
    C_COST,
    C_INPUT,
    C_CACHED,
    C_OUTPUT,
    C_REASONING,
    C_RATES,
    C_QUALITY,
    C_CONFIDENCE,
    C_DIFFICULTY,
    C_PROPENSITY,
    C_TEMPLATE,
    C_FACTS,
    C_OBSERVED,
    C_CANDIDATES,
    C_EXPECTED,
};

static str column_text(sqlite3_stmt *q, int i) {
    const char *p = (const char *)sqlite3_column_text(q, i);
    return (str){p, p ? (size_t)sqlite3_column_bytes(q, i) : 0};
}

static void parse_words(struct words *w, enum table t) {
    if (t == TABLE_KIND) {
        enum task task;
        enum stakes stakes = STAKES_NORMAL;
        task_parse(w->w[KIND_TASK], &task);
        stakes_parse(w->w[KIND_STAKES], &stakes);
        w->task = (uint8_t)task;
        w->stakes = (uint8_t)stakes;
        w->tokens = (uint8_t)name_index(token_source_names, 4, w->w[KIND_TOKENS]);
        for (unsigned i = TASK_BY_NONE; i <= TASK_BY_ENDPOINT; i++)
            if (str_eqz(w->w[KIND_SOURCE], task_source_name((enum task_source)i))) w->source = (uint8_t)i;
    }
    if (t == TABLE_ROUTE) {
        static const char *const names[] = {"default", "flex", "priority", "batch"};
        for (unsigned i = 0; i < 4; i++)
            if (str_eqz(w->w[ROUTE_SERVICE], names[i])) w->service = (uint8_t)i;
    }
}

static const struct words *read_words(struct past *p, enum table t, int64_t id, arena *a) {
    struct words *w = arena_new(a, struct words);
    sqlite3_stmt *q = p->table[t].q;
    sqlite3_bind_int64(q, 1, id);
    if (sqlite3_step(q) == SQLITE_ROW)
        for (unsigned i = 0; i < tables[t].words; i++) {
            str s = column_text(q, (int)i);
            if (s.n) w->w[i] = arena_str(a, s);
        }
    sqlite3_reset(q);
    parse_words(w, t);
    return w;
}

static const struct words *words_of(struct past *p, enum table t, int64_t id) {
    static const struct words none;
    struct cache *c = &p->table[t];
    if (id <= 0) return &none;
    if (id >= IDS_MAX) return read_words(p, t, id, &p->a);
    if (id >= c->cap) {
        int64_t cap = c->cap ? c->cap : 256;
        while (cap <= id) cap *= 2;
        c->by_id = xrealloc(c->by_id, sizeof *c->by_id * (size_t)cap);
        memset(c->by_id + c->cap, 0, sizeof *c->by_id * (size_t)(cap - c->cap));
        c->cap = cap;
    }
    if (!c->by_id[id]) c->by_id[id] = read_words(p, t, id, &p->keep);
    return c->by_id[id];
}

static str user_of(struct past *p, int64_t id) {
    if (id <= 0) return STR_NONE;
    unsigned at = (unsigned)(id % USERS);
    if (p->user[at].id != id) {
        const struct words *w = read_words(p, TABLE_USER, id, &p->a);
        free((char *)p->user[at].name.p);
        char *copy = xmalloc(w->w[0].n + 1);
        memcpy(copy, w->w[0].p ? w->w[0].p : "", w->w[0].n);
        p->user[at].name = (str){copy, w->w[0].n};
        p->user[at].id = id;
    }
    return p->user[at].name;
}

static bool open_past(struct past *p, sqlite3 *db, err *e) {
    bool good =
        sqlite3_prepare_v3(db, CALL_SQL, -1, SQLITE_PREPARE_PERSISTENT, &p->calls, NULL) == SQLITE_OK &&
        sqlite3_prepare_v3(db,
                           "SELECT class, sum(units) FROM usage_line WHERE at=? AND attempt=(SELECT attempts "
                           "FROM call WHERE at=?1) GROUP BY class",
                           -1, SQLITE_PREPARE_PERSISTENT, &p->lines, NULL) == SQLITE_OK;
    for (unsigned t = 0; t < TABLE_COUNT && good; t++)
        good = sqlite3_prepare_v3(db, tables[t].sql, -1, SQLITE_PREPARE_PERSISTENT, &p->table[t].q, NULL) ==
               SQLITE_OK;
    return good || fail(e, "%s", sqlite3_errmsg(db));
}

static void close_past(struct past *p) {
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        sqlite3_finalize(p->table[t].q);
        free(p->table[t].by_id);
    }
    for (unsigned i = 0; i < USERS; i++) free((char *)p->user[i].name.p);
    sqlite3_finalize(p->calls);
    sqlite3_finalize(p->lines);
    arena_free(&p->keep);
    arena_free(&p->a);
    free(p);
}

/* ---- one call ---- */

static int64_t column_or(sqlite3_stmt *q, int i, int64_t none) {
    return sqlite3_column_type(q, i) == SQLITE_NULL ? none : sqlite3_column_int64(q, i);
}

static bool read_usage(struct past *p, const struct words *kind, const struct words *route, struct past_call *c,
                       err *e) {
    sqlite3_stmt *q = p->calls;
    int64_t in = sqlite3_column_int64(q, C_INPUT), cached = sqlite3_column_int64(q, C_CACHED),
            out = sqlite3_column_int64(q, C_OUTPUT), reasoning = sqlite3_column_int64(q, C_REASONING);
    c->usage = (struct usage){
        .source = kind->tokens, .service_tier = route->service, .suspect = str_eqz(kind->w[KIND_SUSPECT], "1")};
    if (sqlite3_column_type(q, C_RATES) != SQLITE_NULL) { /* told by the row alone */
        c->usage.units[USAGE_INPUT] = in - cached;
        c->usage.units[USAGE_CACHED_INPUT] = cached;
        c->usage.units[USAGE_OUTPUT] = out - reasoning;
        c->usage.units[USAGE_REASONING] = reasoning;
        return true;
    }
    sqlite3_bind_int64(p->lines, 1, (int64_t)c->time_us);
    int rc;
    while ((rc = sqlite3_step(p->lines)) == SQLITE_ROW) {
        int64_t class = sqlite3_column_int64(p->lines, 0);
        if (class >= 0 && class < USAGE_CLASSES) c->usage.units[class] = sqlite3_column_int64(p->lines, 1);
    }
    sqlite3_reset(p->lines);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(sqlite3_db_handle(p->lines)));
}

static float share_or(sqlite3_stmt *q, int i, float none) {
    int64_t v = column_or(q, i, COST_UNKNOWN);
    return v == COST_UNKNOWN ? none : (float)v / 10000.0f;
}

/* What store.c left out of the text because a column says it comes back. */
static void read_facts(struct past *p, const struct words *kind, const struct words *route, struct past_call *c) {
    sqlite3_stmt *q = p->calls;
    struct facts *f = &p->facts;
    str json = column_text(q, C_FACTS);
    if (!json.n || !facts_read(f, json, &p->a, NULL)) return;
    const struct words *who = words_of(p, TABLE_WHO, sqlite3_column_int64(q, C_WHO));
    f->task = kind->task;
    f->task_source = kind->source;
    f->stakes = kind->stakes;
    f->task_confidence = share_or(q, C_CONFIDENCE, 0);
    f->difficulty = share_or(q, C_DIFFICULTY, -1);
    f->template_hash = (uint64_t)sqlite3_column_int64(q, C_TEMPLATE);
    f->stream ^= str_eqz(kind->w[KIND_STREAM], "1");
    f->hour = (uint8_t)((f->hour + c->time_us / 3600000000u) % 24);
    f->model = route->w[ROUTE_REQUESTED];
    f->key = who->w[WHO_KEY];
    f->team = who->w[WHO_TEAM];
    f->user = user_of(p, sqlite3_column_int64(q, C_USER));
    f->tag_count = 0;
    str tags = words_of(p, TABLE_NAME, sqlite3_column_int64(q, C_TAGS))->w[0];
    for (str part; tags.n && f->tag_count < FACTS_TAGS_MAX && str_cut(&tags, ',', &part);)
        f->tag[f->tag_count++] = part;
    c->facts = f;
}

static void read_decision(struct past *p, const struct words *route) {
    sqlite3_stmt *q = p->calls;
    struct record *r = &p->decided;
    r->dialect = route->w[ROUTE_DIALECT];
    r->requested_model = route->w[ROUTE_REQUESTED];
    r->tier = route->w[ROUTE_TIER];
    r->rule = route->w[ROUTE_RULE];
    r->observed_tier = route->w[ROUTE_OBSERVED_TIER];
    r->observed_model = route->w[ROUTE_OBSERVED_MODEL];
    r->observed_cost = column_or(q, C_OBSERVED, COST_UNKNOWN);
    r->propensity =
        sqlite3_column_type(q, C_PROPENSITY) == SQLITE_NULL ? 1 : sqlite3_column_double(q, C_PROPENSITY);
    str targets = words_of(p, TABLE_CANDIDATES, sqlite3_column_int64(q, C_CANDIDATES))->w[0];
    ledger_candidates(targets, column_text(q, C_EXPECTED), &p->a, r);
}

static bool read_call(struct past *p, struct past_call *c, err *e) {
    sqlite3_stmt *q = p->calls;
    const struct words *route = words_of(p, TABLE_ROUTE, sqlite3_column_int64(q, C_ROUTE)),
                       *kind = words_of(p, TABLE_KIND, sqlite3_column_int64(q, C_KIND));
    *c = (struct past_call){.time_us = (uint64_t)sqlite3_column_int64(q, C_AT),
                            .provider = route->w[ROUTE_PROVIDER],
                            .model = route->w[ROUTE_MODEL],
                            .cost = column_or(q, C_COST, COST_UNKNOWN),
                            .decided = &p->decided,
                            .quality = -1,
                            .failed = sqlite3_column_type(q, C_ERROR) != SQLITE_NULL};
    if (sqlite3_column_type(q, C_QUALITY) != SQLITE_NULL) c->quality = (float)sqlite3_column_double(q, C_QUALITY);
    ledger_id(&c->id, c->time_us, sqlite3_column_blob(q, C_ID), sqlite3_column_bytes(q, C_ID));
    read_facts(p, kind, route, c);
    read_decision(p, route);
    return read_usage(p, kind, route, c, e);
}

bool past_each(struct ledger *l, uint64_t from, uint64_t to, bool (*each)(void *ctx, const struct past_call *c),
               void *ctx, err *e) {
    struct past *p = xcalloc(1, sizeof *p);
    arena_init(&p->keep, 8192, SIZE_MAX);
    arena_init(&p->a, 8192, 4 << 20);
    bool good = open_past(p, ledger_db(l), e), more = true;
    int rc = SQLITE_DONE;
    if (good) {
        sqlite3_bind_int64(p->calls, 1, (int64_t)from);
        sqlite3_bind_int64(p->calls, 2, to > INT64_MAX ? INT64_MAX : (int64_t)to);
    }
    while (good && more && (rc = sqlite3_step(p->calls)) == SQLITE_ROW) {
        struct past_call c;
        good = read_call(p, &c, e);
        if (good && c.provider.n) more = each(ctx, &c);
        arena_free(&p->a);
    }
    if (good && more && rc != SQLITE_DONE) good = fail(e, "%s", sqlite3_errmsg(ledger_db(l)));
    close_past(p);
    return good;
}
