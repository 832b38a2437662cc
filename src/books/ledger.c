/* ledger: see the header.
 *
 * A record is put together from its row, the dictionaries, and (when there's more than one plain
 * attempt or a rarer class of usage) the narrow tables. What store.c left out of `facts` because a
 * column says it comes back here, so that a call is decided again from the very facts of its day. */
#include "books/ledger.h"

#include "base/clock.h"
#include "books/names.h"
#include "books/rollup.h"
#include "books/schema.h"

#include <stdlib.h>

/* The columns that a record is read from, in the order of read_row. */
#define ROW_COLUMNS                                                                                               \
    "c.at, c.id, who.gateway, who.key, who.team, user.name, session.name, tags.name, error.name, route.dialect,"  \
    " route.endpoint, route.requested_model, route.rule, route.tier, route.provider, route.model,"                \
    " route.baseline_model, route.observed_tier, route.observed_model, route.config_version, "                    \
    "route.price_version,"                                                                                        \
    " route.service_tier, route.dropped, kind.task, kind.task_source, kind.stakes, kind.stream, kind.status,"     \
    " kind.cache, kind.finish, kind.token_source, kind.suspect, c.cost, c.baseline_cost, c.routing_cost,"         \
    " c.observed_cost, c.attempts, c.input_tokens, c.cached_tokens, c.output_tokens, c.reasoning_tokens, "        \
    "rates.id,"                                                                                                   \
    " rates.input, rates.cached_input, rates.output, rates.reasoning, c.start_us, c.first_byte_us, c.end_us,"     \
    " c.ttft_us, c.duration_us, c.overhead_us, c.quality, c.quality_source, c.task_confidence, c.difficulty,"     \
    " c.propensity, candidates.targets, c.expected, c.prompt_hash, c.template_hash, c.facts,"                     \
    " route.observed_named"
#define ROW_FROM                                                                                                  \
    " FROM call c LEFT JOIN who ON who.id=c.who LEFT JOIN route ON route.id=c.route LEFT JOIN kind ON"            \
    " kind.id=c.kind LEFT JOIN rates ON rates.id=c.rates LEFT JOIN user ON user.id=c.user LEFT JOIN session ON"   \
    " session.id=c.session LEFT JOIN name tags ON tags.id=c.tags LEFT JOIN name error ON error.id=c.error"        \
    " LEFT JOIN candidates ON candidates.id=c.candidates"

enum { DEADLINE_STEPS = 2000 /* virtual machine steps between looks at the clock: about 50 us */ };

struct ledger {
    sqlite3 *db;
    bool own;
    uint64_t deadline;
    sqlite3_stmt *row, *attempts, *usage, *by_id, *odd;
};

static int past_deadline(void *ctx) {
    const struct ledger *l = ctx;
    return l->deadline && clock_mono_us() > l->deadline;
}

static bool prepare(struct ledger *l, const char *sql, sqlite3_stmt **q, err *e) {
    if (sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, q, NULL) == SQLITE_OK) return true;
    return fail(e, "%s", sqlite3_errmsg(l->db));
}

static struct ledger *ledger_make(sqlite3 *db, bool own, err *e) {
    struct ledger *l = xcalloc(1, sizeof *l);
    l->db = db;
    l->own = own;
    if (prepare(l, "SELECT " ROW_COLUMNS ROW_FROM " WHERE c.at=?", &l->row, e) &&
        prepare(l,
                "SELECT a.n, target.name, a.status, error.name, a.start_us, a.first_byte_us, a.end_us, a.cost FROM"
                " attempt a LEFT JOIN name target ON target.id=a.target LEFT JOIN name error ON error.id=a.error"
                " WHERE a.at=? ORDER BY a.n",
                &l->attempts, e) &&
        prepare(l, "SELECT attempt, class, units, rate, cost FROM usage_line WHERE at=?", &l->usage, e) &&
        prepare(l, "SELECT at FROM call WHERE at BETWEEN ? AND ? AND id=?", &l->by_id, e) &&
        prepare(l, "SELECT at FROM odd_id WHERE id=?", &l->odd, e))
        return l;
    ledger_close(l);
    return NULL;
}

struct ledger *ledger_open(const char *path, err *e) {
    sqlite3 *db = schema_open_read(path, e);
    return db ? ledger_make(db, true, e) : NULL;
}

struct ledger *ledger_over(sqlite3 *db, err *e) {
    return ledger_make(db, false, e);
}

void ledger_close(struct ledger *l) {
    if (!l) return;
    sqlite3_finalize(l->row);
    sqlite3_finalize(l->attempts);
    sqlite3_finalize(l->usage);
    sqlite3_finalize(l->by_id);
    sqlite3_finalize(l->odd);
    if (l->own) sqlite3_close(l->db);
    free(l);
}

sqlite3 *ledger_db(struct ledger *l) { return l->db; }

void ledger_deadline(struct ledger *l, uint64_t mono_us) {
    l->deadline = mono_us;
    sqlite3_progress_handler(l->db, mono_us ? DEADLINE_STEPS : 0, past_deadline, l);
}

/* ---- one row ---- */

struct reader {
    sqlite3_stmt *q;
    int at;
    arena *a;
};
static str get_text(struct reader *r) {
    const char *p = (const char *)sqlite3_column_text(r->q, r->at);
    str s = {p, p ? (size_t)sqlite3_column_bytes(r->q, r->at) : 0};
    r->at++;
    return s.n ? arena_str(r->a, s) : STR_NONE;
}
static int64_t get_int(struct reader *r) { return sqlite3_column_int64(r->q, r->at++); }
static int64_t get_money(struct reader *r) {
    bool null = sqlite3_column_type(r->q, r->at) == SQLITE_NULL;
    int64_t v = sqlite3_column_int64(r->q, r->at++);
    return null ? COST_UNKNOWN : v;
}
static float get_share(struct reader *r, float none) {
    int64_t v = get_money(r);
    return v == COST_UNKNOWN ? none : (float)v / 10000.0f;
}
static double get_real(struct reader *r, double none) {
    bool null = sqlite3_column_type(r->q, r->at) == SQLITE_NULL;
    double v = sqlite3_column_double(r->q, r->at++);
    return null ? none : v;
}

void ledger_id(struct uuid *id, uint64_t at, const void *blob, int n) {
    uint64_t ms = at / 1000;
    *id = (struct uuid){{0}};
    if (n == 16) {
        memcpy(id->b, blob, 16);
    } else if (n == 10) {
        for (int i = 0; i < 6; i++) id->b[i] = (uint8_t)(ms >> (40 - 8 * i));
        memcpy(id->b + 6, blob, 10);
    }
}

static void get_id(struct reader *r, struct ledger_call *c) {
    const void *p = sqlite3_column_blob(r->q, r->at);
    ledger_id(&c->f.r.id, c->at, p, sqlite3_column_bytes(r->q, r->at++));
}

static void get_route(struct reader *r, struct record *rec) {
    str *const to[] = {&rec->dialect,       &rec->endpoint,       &rec->requested_model, &rec->rule,
                       &rec->tier,          &rec->provider,       &rec->model,           &rec->baseline_model,
                       &rec->observed_tier, &rec->observed_model, &rec->config_version,  &rec->price_version,
                       &rec->service_tier,  &rec->dropped};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) *to[i] = get_text(r);
}

struct kind_text {
    str task, source, stakes;
};

static void get_kind(struct reader *r, struct record *rec, struct kind_text *k) {
    k->task = get_text(r);
    k->source = get_text(r);
    k->stakes = get_text(r);
    rec->stream = get_int(r) != 0;
    rec->status = (uint16_t)get_int(r);
    rec->cache = (uint8_t)name_index(cache_names, 3, get_text(r));
    rec->finish = (uint8_t)name_index(finish_names, 6, get_text(r));
    rec->usage.source = (uint8_t)name_index(token_source_names, 4, get_text(r));
    rec->usage.suspect = get_int(r) != 0;
}

static void put_line(struct usage *u, struct usage_cost *c, unsigned class, int64_t units, int64_t rate,
                     int64_t cost) {
    if (class >= USAGE_CLASSES || !units) return;
    u->units[class] = units;
    c->rate[class] = rate;
    c->cost[class] = cost;
}

static int64_t line_cost(int64_t units, int64_t rate) {
    return rate == PRICE_UNKNOWN ? COST_UNKNOWN : (units * rate + 500000) / 1000000;
}

static int64_t lines_total(const struct usage *u, const struct usage_cost *c) {
    int64_t total = 0;
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        if (!u->units[i]) continue;
        if (c->cost[i] == COST_UNKNOWN || __builtin_add_overflow(total, c->cost[i], &total)) return COST_UNKNOWN;
    }
    return total;
}

static void get_usage(struct reader *r, struct record *rec) {
    int64_t input = get_int(r), cached = get_int(r), output = get_int(r), reasoning = get_int(r);
    bool plain = get_money(r) != COST_UNKNOWN;
    int64_t rate[4];
    for (int i = 0; i < 4; i++) rate[i] = get_money(r);
    for (unsigned i = 0; i < USAGE_CLASSES; i++) rec->cost_lines.rate[i] = PRICE_UNKNOWN;
    if (!plain) return;
    const struct {
        unsigned class;
        int64_t units;
    } lines[4] = {{USAGE_INPUT, input - cached},
                  {USAGE_CACHED_INPUT, cached},
                  {USAGE_OUTPUT, output - reasoning},
                  {USAGE_REASONING, reasoning}};
    for (int i = 0; i < 4; i++)
        put_line(&rec->usage, &rec->cost_lines, lines[i].class, lines[i].units, rate[i],
                 line_cost(lines[i].units, rate[i]));
}

static void get_plain_attempt(struct reader *r, struct ledger_call *c) {
    struct record *rec = &c->f.r;
    bool plain = sqlite3_column_type(r->q, r->at + 2) != SQLITE_NULL;
    uint64_t start = (uint64_t)get_int(r), first = (uint64_t)get_int(r), end = (uint64_t)get_int(r);
    if (!plain) return;
    c->f.attempt_count = 1;
    c->f.attempt[0] = (struct record_attempt){
        .n = 1,
        .status = rec->status,
        .target = arena_printf(r->a, STR_FMT "/" STR_FMT, STR_ARG(rec->provider), STR_ARG(rec->model)),
        .start_us = start,
        .first_byte_us = first,
        .end_us = end};
}

void ledger_candidates(str targets, str costs, arena *a, struct record *rec) {
    str scores = STR_NONE, part;
    rec->candidate_count = 0;
    ptrdiff_t semi = str_chr(costs, ';');
    if (semi >= 0) {
        scores = str_skip(costs, (size_t)semi + 1);
        costs = str_take(costs, (size_t)semi);
    }
    jval list, item;
    if (!targets.n || !json_check(targets, &list, NULL, NULL)) return;
    for (jiter it = json_iter(list); rec->candidate_count < RECORD_CANDIDATES_MAX && json_item(&it, &item);) {
        struct record_candidate *c = &rec->candidate[rec->candidate_count++];
        *c = (struct record_candidate){json_text(item, a), COST_UNKNOWN, -1};
        if (str_cut(&costs, ',', &part) && !str_i64(part, &c->expected_cost)) c->expected_cost = COST_UNKNOWN;
        if (scores.n && str_cut(&scores, ',', &part) && !str_eq(part, STR("null")))
            c->score = strtof(arena_strz(a, part), NULL);
    }
}

static void get_candidates(struct reader *r, struct record *rec) {
    str targets = get_text(r), costs = get_text(r);
    ledger_candidates(targets, costs, r->a, rec);
}

static void get_facts(struct reader *r, struct ledger_call *c, const struct kind_text *k, str tags,
                      float confidence, float difficulty) {
    struct record *rec = &c->f.r;
    int64_t template_hash = get_int(r);
    c->facts_json = get_text(r);
    if (!c->facts_json.n) return;
    struct facts *f = &c->f.facts;
    if (!facts_read(f, c->facts_json, r->a, NULL)) return; /* of a later version: the call shows without */
    enum task task;
    enum stakes stakes;
    task_parse(k->task, &task);
    f->task = (uint8_t)task;
    for (unsigned i = TASK_BY_NONE; i <= TASK_BY_ENDPOINT; i++)
        if (str_eqz(k->source, task_source_name((enum task_source)i))) f->task_source = (uint8_t)i;
    if (stakes_parse(k->stakes, &stakes)) f->stakes = (uint8_t)stakes;
    f->task_confidence = confidence;
    f->difficulty = difficulty;
    f->template_hash = (uint64_t)template_hash;
    f->stream ^= rec->stream;
    f->hour = (uint8_t)((f->hour + c->at / HOUR_US) % 24);
    f->model = rec->requested_model;
    f->key = rec->key;
    f->team = rec->team;
    f->user = rec->user;
    f->session = rec->session;
    f->tag_count = 0;
    for (str part; tags.n && f->tag_count < FACTS_TAGS_MAX && str_cut(&tags, ',', &part);)
        f->tag[f->tag_count++] = part;
    c->f.has_facts = true;
    rec->facts = f;
}

static void read_row(sqlite3_stmt *q, arena *a, struct ledger_call *c) {
    struct reader r = {q, 0, a};
    struct record *rec = &c->f.r;
    struct kind_text k;
    memset(c, 0, sizeof *c);
    folded_init(&c->f);
    c->f.begun = c->f.ended = true;
    c->at = (uint64_t)get_int(&r);
    rec->time_us = c->at;
    get_id(&r, c);
    c->gateway = get_text(&r);
    rec->key = get_text(&r);
    rec->team = get_text(&r);
    rec->user = get_text(&r);
    rec->session = get_text(&r);
    str tags = get_text(&r);
    rec->error = get_text(&r);
    get_route(&r, rec);
    get_kind(&r, rec, &k);
    rec->cost = get_money(&r);
    rec->baseline_cost = get_money(&r);
    rec->routing_cost = get_money(&r);
    rec->observed_cost = get_money(&r);
    rec->attempts = (uint8_t)get_int(&r);
    get_usage(&r, rec);
    get_plain_attempt(&r, c);
    rec->ttft_us = (uint64_t)get_int(&r);
    c->cut = sqlite3_column_type(q, r.at) == SQLITE_NULL;
    rec->duration_us = (uint64_t)get_int(&r);
    rec->overhead_us = (uint64_t)get_int(&r);
    c->f.amend.quality = (float)get_real(&r, -1);
    c->f.amended = c->f.amend.quality >= 0;
    unsigned source = (unsigned)get_int(&r);
    c->f.amend.quality_source = str_from(source < QUALITY_SOURCES ? quality_names[source] : "");
    float confidence = get_share(&r, 0), difficulty = get_share(&r, -1);
    rec->propensity = get_real(&r, 1);
    get_candidates(&r, rec);
    rec->prompt_hash = (uint64_t)get_int(&r);
    get_facts(&r, c, &k, tags, confidence, difficulty);
    rec->observed_named = (uint8_t)get_int(&r);
}

/* The narrow tables. */
static bool read_parts(struct ledger *l, arena *a, struct ledger_call *c, err *e) {
    struct record *rec = &c->f.r;
    bool whole = c->f.attempt_count > 0; /* the plain one, from the row */
    int rc;
    sqlite3_bind_int64(l->attempts, 1, (int64_t)c->at);
    while (!whole && (rc = sqlite3_step(l->attempts)) == SQLITE_ROW) {
        struct reader r = {l->attempts, 0, a};
        unsigned n = (unsigned)get_int(&r);
        if (n == 0 || n > RECORD_ATTEMPTS_MAX) continue;
        while (c->f.attempt_count < n) c->f.attempt[c->f.attempt_count++] = (struct record_attempt){0};
        struct record_attempt *t = &c->f.attempt[n - 1];
        t->n = (uint8_t)n;
        t->target = get_text(&r);
        t->status = (uint16_t)get_int(&r);
        t->error = get_text(&r);
        t->start_us = (uint64_t)get_int(&r);
        t->first_byte_us = (uint64_t)get_int(&r);
        t->end_us = (uint64_t)get_int(&r);
        t->cost.total = get_money(&r);
    }
    sqlite3_reset(l->attempts);
    sqlite3_bind_int64(l->usage, 1, (int64_t)c->at);
    while ((rc = sqlite3_step(l->usage)) == SQLITE_ROW) {
        struct reader r = {l->usage, 0, a};
        unsigned n = (unsigned)get_int(&r), class = (unsigned)get_int(&r);
        int64_t units = get_int(&r), rate = get_money(&r), cost = get_money(&r);
        if (n > 0 && n <= c->f.attempt_count)
            put_line(&c->f.attempt[n - 1].usage, &c->f.attempt[n - 1].cost, class, units, rate, cost);
        if (n == rec->attempts) put_line(&rec->usage, &rec->cost_lines, class, units, rate, cost);
    }
    sqlite3_reset(l->usage);
    if (whole) {
        c->f.attempt[0].usage = rec->usage;
        c->f.attempt[0].cost = rec->cost_lines;
        c->f.attempt[0].cost.total = rec->cost;
    }
    rec->cost_lines.total = lines_total(&rec->usage, &rec->cost_lines);
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(l->db));
}

enum ledger_found ledger_get(struct ledger *l, uint64_t at, arena *a, struct ledger_call *out, err *e) {
    sqlite3_bind_int64(l->row, 1, (int64_t)at);
    int rc = sqlite3_step(l->row);
    if (rc == SQLITE_ROW) read_row(l->row, a, out);
    sqlite3_reset(l->row);
    if (rc == SQLITE_DONE) return LEDGER_NONE;
    if (rc == SQLITE_ROW && read_parts(l, a, out, e)) return LEDGER_FOUND;
    fail(e, "%s", sqlite3_errmsg(l->db));
    return LEDGER_FAILED;
}

static enum ledger_found one_key(struct ledger *l, sqlite3_stmt *q, uint64_t *at, err *e) {
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) *at = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    if (rc == SQLITE_ROW) return LEDGER_FOUND;
    if (rc == SQLITE_DONE) return LEDGER_NONE;
    fail(e, "%s", sqlite3_errmsg(l->db));
    return LEDGER_FAILED;
}

enum ledger_found ledger_find(struct ledger *l, struct uuid id, uint64_t *at, err *e) {
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | id.b[i];
    sqlite3_bind_int64(l->by_id, 1, (int64_t)(ms * 1000));
    sqlite3_bind_int64(l->by_id, 2, (int64_t)(ms * 1000 + 999));
    sqlite3_bind_blob(l->by_id, 3, id.b + 6, 10, SQLITE_STATIC);
    enum ledger_found found = one_key(l, l->by_id, at, e);
    if (found != LEDGER_NONE) return found;
    sqlite3_bind_blob(l->odd, 1, id.b, 16, SQLITE_STATIC);
    return one_key(l, l->odd, at, e);
}

enum ledger_found ledger_find_answer(struct ledger *l, str answer_id, unsigned scan, uint64_t *at, err *e) {
    sqlite3_stmt *q;
    if (!prepare(l, "SELECT at FROM (SELECT at, answer FROM call ORDER BY at DESC LIMIT ?) WHERE answer=? LIMIT 1",
                 &q, e))
        return LEDGER_FAILED;
    sqlite3_bind_int64(q, 1, scan);
    sqlite3_bind_int64(q, 2, (int64_t)fingerprint(answer_id));
    enum ledger_found found = one_key(l, q, at, e);
    sqlite3_finalize(q);
    return found;
}

bool ledger_each(struct ledger *l, uint64_t from, uint64_t to,
                 bool (*each)(void *ctx, const struct ledger_call *c), void *ctx, err *e) {
    sqlite3_stmt *q;
    if (!prepare(l, "SELECT " ROW_COLUMNS ROW_FROM " WHERE c.at>=? AND c.at<? ORDER BY c.at", &q, e)) return false;
    sqlite3_bind_int64(q, 1, (int64_t)from);
    sqlite3_bind_int64(q, 2, to > INT64_MAX ? INT64_MAX : (int64_t)to);
    arena a;
    arena_init(&a, 8192, 4 << 20);
    struct ledger_call *c = xcalloc(1, sizeof *c);
    bool good = true, more = true;
    int rc = SQLITE_DONE;
    while (good && more && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        read_row(q, &a, c);
        good = read_parts(l, &a, c, e);
        if (good) more = each(ctx, c);
        arena_free(&a);
    }
    if (good && more && rc != SQLITE_DONE) good = fail(e, "%s", sqlite3_errmsg(l->db));
    free(c);
    sqlite3_finalize(q);
    return good;
}
