/* row: see the header.
 *
 * Strings that repeat become numbers of dictionary tables; an only attempt that went well and the four usual
 * classes of usage stand in the row itself. Most calls are like others: what kind they are and what rates they
 * were charged is looked up by numbers, without making the text that the dictionary holds.
 *
 * Binding 36 values, looking for the key and beginning and ending a statement for each row cost as much as writing
 * it; so rows are inserted by one statement that pulls them out of memory, through a virtual table. */
#include "books/row.h"

#include "base/json.h"
#include "books/names.h"
#include "books/rollup.h"

#include <stdlib.h>

/* ---- dictionaries ---- */

/* Number of a name, 0 (NULL in the row) for the empty one. False on failure. */
static bool name_id(struct store_dict *d, enum store_table t, str name, int64_t *id, err *e) {
    *id = 0;
    return name.n == 0 || (*id = store_dict_id(d, t, &name, e)) != 0;
}

static int64_t who_id(struct store_dict *d, const struct record *r, str gateway, err *e) {
    str v[3] = {gateway, r->key, r->team};
    for (int i = 0; i < 3; i++)
        if (!v[i].p) v[i] = STR("");
    return store_dict_id(d, TABLE_who, v, e);
}

static int64_t route_id(struct store_dict *d, const struct record *r, err *e) {
    str v[15] = {r->dialect,        r->endpoint,      r->requested_model, r->rule,          r->tier,
                 r->provider,       r->model,         r->baseline_model,  r->observed_tier, r->observed_model,
                 r->config_version, r->price_version, r->service_tier,    r->dropped,       STR_NONE};
    if (r->observed_named) v[14] = r->observed_named == OBSERVED_NAMED ? STR("1") : STR("2");
    for (int i = 0; i < 15; i++)
        if (!v[i].p) v[i] = STR("");
    return store_dict_id(d, TABLE_route, v, e);
}

static str small_int(char *out, uint64_t v) { return str_make(out, fmt_u64(out, v)); }

int64_t row_kind(struct store_dict *d, const struct record *r, err *e) {
    const struct facts *f = r->facts;
    uint64_t task = f ? f->task : TASK_UNKNOWN, source = f ? f->task_source : TASK_BY_NONE,
             stakes = f ? f->stakes : STAKES_NORMAL, cache = r->cache < 3 ? r->cache : 0,
             finish = r->finish < 6 ? r->finish : FINISH_OTHER, tokens = r->usage.source < 4 ? r->usage.source : 0;
    uint64_t all = (uint64_t)r->status | task << 16 | source << 24 | stakes << 32 | cache << 40 | finish << 48 |
                   tokens << 56 | (uint64_t)r->stream << 60 | (uint64_t)r->usage.suspect << 61;
    int64_t id = dict_get(&d->kinds, all);
    if (id) return id;
    char status[20];
    str v[9] = {str_from(task_name((enum task)task)),
                str_from(task_source_name((enum task_source)source)),
                str_from(stakes_name((enum stakes)stakes)),
                r->stream ? STR("1") : STR("0"),
                small_int(status, r->status),
                str_from(cache_names[cache]),
                str_from(finish_names[finish]),
                str_from(token_source_names[tokens]),
                r->usage.suspect ? STR("1") : STR("0")};
    id = store_dict_id(d, TABLE_kind, v, e);
    if (id) dict_put(&d->kinds, all, id);
    return id;
}

/* Rates of classes that were not used are left out of the tuple, not told apart. */
static int64_t rates_id(struct store_dict *d, const struct usage *u, const struct usage_cost *c, err *e) {
    static const unsigned usual[4] = {USAGE_INPUT, USAGE_CACHED_INPUT, USAGE_OUTPUT, USAGE_REASONING};
    int64_t rate[4];
    for (int i = 0; i < 4; i++) rate[i] = u->units[usual[i]] ? c->rate[usual[i]] : PRICE_UNKNOWN;
    uint64_t hash = siphash(d->key, rate, sizeof rate);
    int64_t id = dict_get(&d->charges, hash);
    if (id) return id;
    char text[4][24];
    str v[4];
    for (int i = 0; i < 4; i++) v[i] = rate[i] == PRICE_UNKNOWN ? STR_NONE : small_int(text[i], (uint64_t)rate[i]);
    id = store_dict_id(d, TABLE_rates, v, e);
    if (id) dict_put(&d->charges, hash, id);
    return id;
}

/* ---- usage and attempts ---- */

static int64_t line_cost(int64_t units, int64_t rate) {
    __extension__ __int128 c = ((__int128)units * rate + 500000) / 1000000;
    return c > INT64_MAX ? COST_UNKNOWN : (int64_t)c;
}

/* Whether all that was used is of the four usual classes, at costs that units and rate give: then the
 * lines can be told from the row. */
static bool usage_plain(const struct usage *u, const struct usage_cost *c) {
    static const uint32_t usual =
        1u << USAGE_INPUT | 1u << USAGE_CACHED_INPUT | 1u << USAGE_OUTPUT | 1u << USAGE_REASONING;
    for (unsigned i = 0; i < USAGE_CLASSES; i++) {
        if (!u->units[i]) continue;
        if (!(usual >> i & 1) || u->units[i] < 0 || u->units[i] > (int64_t)1 << 40) return false;
        /* SQL computes in 64 bits */
        if (c->rate[i] != PRICE_UNKNOWN &&
            (c->rate[i] < 0 || (u->units[i] && c->rate[i] > (INT64_MAX - 500000) / u->units[i]) ||
             c->cost[i] != line_cost(u->units[i], c->rate[i])))
            return false;
        if (c->rate[i] == PRICE_UNKNOWN && c->cost[i] != COST_UNKNOWN) return false;
    }
    return true;
}

static bool usage_none(const struct usage *u) {
    for (unsigned i = 0; i < USAGE_CLASSES; i++)
        if (u->units[i]) return false;
    return true;
}

static bool same_usage(const struct usage *a, const struct usage *b) {
    return memcmp(a->units, b->units, sizeof a->units) == 0;
}

unsigned row_winner(const struct folded *f) {
    if (usage_none(&f->r.usage)) return 0;
    for (unsigned n = f->attempt_count; n > 0; n--)
        if (f->attempt[n - 1].n && same_usage(&f->attempt[n - 1].usage, &f->r.usage)) return n;
    return f->r.attempts;
}

/* An only attempt without a fault whose cost and usage are the call's: told from the row. */
static bool attempt_plain(const struct folded *f) {
    const struct record *r = &f->r;
    const struct record_attempt *t = &f->attempt[0];
    return f->attempt_count == 1 && r->attempts == 1 && t->error.n == 0 && t->status == r->status &&
           t->cost.total == r->cost && same_usage(&t->usage, &r->usage) &&
           t->target.n == r->provider.n + 1 + r->model.n && str_starts(t->target, r->provider) &&
           str_ends(t->target, r->model) && t->target.p[r->provider.n] == '/';
}

/* ---- texts ---- */

str row_facts(const struct record *r, int64_t at, buf *text) {
    struct facts f = *r->facts;
    f.model = f.key = f.team = f.user = f.session = STR_NONE;
    f.tag_count = 0;
    f.task = TASK_UNKNOWN;
    f.task_source = TASK_BY_NONE;
    f.stakes = STAKES_NORMAL;
    f.task_confidence = 0;
    f.difficulty = -1;
    f.template_hash = 0;
    f.stream ^= r->stream; /* what differs from the row, which it hardly ever does */
    f.hour = (uint8_t)((f.hour + 24 - (uint64_t)at / HOUR_US % 24) % 24);
    size_t from = text->n;
    facts_write(&f, text);
    return str_make(text->p + from, text->n - from);
}

static str tags_text(const struct facts *f, buf *text) {
    size_t from = text->n;
    for (unsigned i = 0; i < f->tag_count; i++) {
        if (i) buf_char(text, ',');
        buf_str(text, f->tag[i]);
    }
    return str_make(text->p + from, text->n - from);
}

/* The names go to the dictionary … */
static int64_t candidates_id(struct store_dict *d, const struct record *r, buf *text, err *e) {
    size_t from = text->n;
    for (unsigned i = 0; i < r->candidate_count; i++) {
        buf_add(text, &r->candidate[i].target.n, sizeof r->candidate[i].target.n);
        buf_str(text, r->candidate[i].target);
    }
    uint64_t hash = siphash(d->key, text->p + from, text->n - from);
    text->n = from;
    int64_t id = dict_get(&d->lists, hash);
    if (id) return id;
    jw w;
    jw_init(&w, text);
    jw_array(&w);
    for (unsigned i = 0; i < r->candidate_count; i++) jw_string(&w, r->candidate[i].target);
    jw_array_end(&w);
    str names = str_make(text->p + from, text->n - from);
    text->n = from;
    id = store_dict_id(d, TABLE_candidates, &names, e);
    if (id) dict_put(&d->lists, hash, id);
    return id;
}

/* … the numbers to the row: "12,340" or, with scores, "12,340;0.9,0.95". */
static str expected_text(const struct record *r, buf *text) {
    size_t from = text->n;
    bool scored = false;
    for (unsigned i = 0; i < r->candidate_count; i++) {
        if (i) buf_char(text, ',');
        if (r->candidate[i].expected_cost == COST_UNKNOWN)
            buf_strz(text, "null");
        else
            buf_i64(text, r->candidate[i].expected_cost);
        scored |= r->candidate[i].score >= 0;
    }
    for (unsigned i = 0; scored && i < r->candidate_count; i++) {
        buf_char(text, i ? ',' : ';');
        if (r->candidate[i].score < 0)
            buf_strz(text, "null");
        else
            buf_printf(text, "%.9g", (double)r->candidate[i].score);
    }
    return str_make(text->p + from, text->n - from);
}

/* ---- the row ---- */

static void put(struct row *o, enum row_column c, int64_t v) {
    o->v[c] = v;
    o->set |= (uint64_t)1 << c;
}
static void put_money(struct row *o, enum row_column c, int64_t v) {
    if (v != COST_UNKNOWN) put(o, c, v);
}
static void put_nonzero(struct row *o, enum row_column c, uint64_t v) {
    if (v) put(o, c, (int64_t)v);
}
static void put_time(struct row *o, enum row_column c, uint64_t us) {
    put(o, c, us > INT64_MAX ? INT64_MAX : (int64_t)us);
}
static void put_share(struct row *o, enum row_column c, float v) {
    if (v >= 0) put(o, c, (int64_t)((double)v * 10000 + 0.5));
}
static void put_text(struct row *o, enum row_column c, str *to, str s) {
    *to = s;
    if (s.n) o->set |= (uint64_t)1 << c;
}

static bool put_ids(struct row *o, struct store_dict *d, buf *text, const struct folded *f, str gateway, err *e) {
    const struct record *r = &f->r;
    int64_t user, session, tags, error, id;
    str tag_list = r->facts && r->facts->tag_count ? tags_text(r->facts, text) : STR_NONE;
    if (!(o->v[ROW_who] = who_id(d, r, gateway, e)) || !(o->v[ROW_route] = route_id(d, r, e)) ||
        !(o->v[ROW_kind] = row_kind(d, r, e)) || !name_id(d, TABLE_user, r->user, &user, e) ||
        !name_id(d, TABLE_session, r->session, &session, e) || !name_id(d, TABLE_name, tag_list, &tags, e) ||
        !name_id(d, TABLE_name, r->error, &error, e))
        return false;
    o->set |= (uint64_t)1 << ROW_who | (uint64_t)1 << ROW_route | (uint64_t)1 << ROW_kind;
    put_nonzero(o, ROW_user, (uint64_t)user);
    put_nonzero(o, ROW_session, (uint64_t)session);
    put_nonzero(o, ROW_tags, (uint64_t)tags);
    put_nonzero(o, ROW_error, (uint64_t)error);
    if (r->candidate_count) {
        if (!(id = candidates_id(d, r, text, e))) return false;
        put(o, ROW_candidates, id);
        put_text(o, ROW_expected, &o->expected, expected_text(r, text));
    }
    if (!o->plain_usage || usage_none(&r->usage)) return true;
    if (!(id = rates_id(d, &r->usage, &r->cost_lines, e))) return false;
    put(o, ROW_rates, id);
    return true;
}

static void put_times(struct row *o, const struct folded *f) {
    const struct record *r = &f->r;
    if (o->plain_attempt) {
        const struct record_attempt *t = &f->attempt[0];
        put_time(o, ROW_start_us, t->start_us);
        put_nonzero(o, ROW_first_byte_us, t->first_byte_us);
        put_time(o, ROW_end_us, t->end_us);
    }
    put_nonzero(o, ROW_ttft_us, r->ttft_us);
    if (!f->ended) return;
    put_time(o, ROW_duration_us, r->duration_us);
    put_time(o, ROW_overhead_us, r->overhead_us);
}

static void put_usage(struct row *o, const struct usage *u) {
    if (u->source == TOKENS_NONE) return;
    put(o, ROW_input_tokens, usage_input_tokens(u));
    put(o, ROW_cached_tokens, u->units[USAGE_CACHED_INPUT] + u->units[USAGE_CACHED_AUDIO]);
    put(o, ROW_output_tokens, usage_output_tokens(u));
    put(o, ROW_reasoning_tokens, u->units[USAGE_REASONING]);
}

static void put_id(struct row *o, struct uuid id, int64_t at) {
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | id.b[i];
    bool odd = ms != (uint64_t)at / 1000;
    o->id_n = odd ? 16 : 10;
    memcpy(o->id, odd ? id.b : id.b + 6, o->id_n);
    o->set |= (uint64_t)1 << ROW_id;
}

void row_plain(const struct folded *f, struct row *o) {
    const struct record *r = &f->r;
    o->id_n = 0;
    o->plain_attempt = attempt_plain(f);
    o->plain_usage =
        usage_none(&r->usage) || (row_winner(f) == r->attempts && usage_plain(&r->usage, &r->cost_lines));
}

bool row_make(struct store_dict *d, buf *text, const struct folded *f, str gateway, int64_t at, struct row *o,
              err *e) {
    const struct record *r = &f->r;
    o->set = 0;
    row_plain(f, o);
    if (!put_ids(o, d, text, f, gateway, e)) return false;
    put(o, ROW_at, at);
    put_id(o, r->id, at);
    put_money(o, ROW_cost, r->cost);
    put_money(o, ROW_baseline_cost, r->baseline_cost);
    put_money(o, ROW_routing_cost, r->routing_cost);
    if (r->observed_model.n) put_money(o, ROW_observed_cost, r->observed_cost);
    put(o, ROW_attempts, f->ended ? r->attempts : f->attempt_count);
    put_usage(o, &r->usage);
    put_times(o, f);
    if (f->amend.quality >= 0) {
        o->quality = (double)f->amend.quality;
        o->set |= (uint64_t)1 << ROW_quality;
        put_nonzero(o, ROW_quality_source, name_index(quality_names, QUALITY_SOURCES, f->amend.quality_source));
    }
    o->propensity = r->propensity;
    o->set |= (uint64_t)1 << ROW_propensity;
    put_nonzero(o, ROW_prompt_hash, r->prompt_hash);
    if (r->answer_id.n) put_nonzero(o, ROW_answer, fingerprint(r->answer_id));
    if (r->facts) {
        put_share(o, ROW_task_confidence, r->facts->task_confidence);
        put_share(o, ROW_difficulty, r->facts->difficulty);
        put_nonzero(o, ROW_template_hash, r->facts->template_hash);
        put_text(o, ROW_facts, &o->facts, row_facts(r, at, text));
    }
    return !text->failed || fail(e, "a call's texts are longer than a row may be");
}

/* ---- incoming ---- */

#define X(name) "," #name
static const char columns[] = ROW_COLUMNS(X); /* behind a comma */
#undef X
enum { SQL_MAX = 2 * sizeof columns };

struct incoming {
    sqlite3_vtab base;
    struct row_feed *feed;
};

static int incoming_connect(sqlite3 *db, void *feed, int argc, const char *const *argv, sqlite3_vtab **out,
                            char **error) {
    (void)argc, (void)argv, (void)error;
    char sql[SQL_MAX];
    sqlite3_snprintf(sizeof sql, sql, "CREATE TABLE x(%s)", columns + 1);
    int rc = sqlite3_declare_vtab(db, sql);
    if (rc != SQLITE_OK) return rc;
    struct incoming *t = calloc(1, sizeof *t);
    if (!t) return SQLITE_NOMEM;
    t->feed = feed;
    *out = &t->base;
    return SQLITE_OK;
}

static int incoming_disconnect(sqlite3_vtab *t) {
    free(t);
    return SQLITE_OK;
}

static int incoming_best(sqlite3_vtab *t, sqlite3_index_info *info) {
    (void)t;
    info->estimatedCost = ROW_FEED_MAX;
    return SQLITE_OK;
}

static int incoming_open(sqlite3_vtab *t, sqlite3_vtab_cursor **out) {
    (void)t;
    *out = calloc(1, sizeof **out);
    return *out ? SQLITE_OK : SQLITE_NOMEM;
}

static int incoming_close(sqlite3_vtab_cursor *c) {
    free(c);
    return SQLITE_OK;
}

static struct row_feed *feed_of(sqlite3_vtab_cursor *c) { return ((struct incoming *)c->pVtab)->feed; }

static int incoming_filter(sqlite3_vtab_cursor *c, int plan, const char *name, int argc, sqlite3_value **argv) {
    (void)plan, (void)name, (void)argc, (void)argv;
    feed_of(c)->at = 0;
    return SQLITE_OK;
}

static int incoming_next(sqlite3_vtab_cursor *c) {
    feed_of(c)->at++;
    return SQLITE_OK;
}

static int incoming_eof(sqlite3_vtab_cursor *c) { return feed_of(c)->at >= feed_of(c)->count; }

static int incoming_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *out) {
    *out = feed_of(c)->at;
    return SQLITE_OK;
}

static int incoming_column(sqlite3_vtab_cursor *c, sqlite3_context *to, int i) {
    const struct row_feed *feed = feed_of(c);
    const struct row *o = feed->row[feed->at];
    if (!(o->set >> i & 1)) return SQLITE_OK; /* NULL */
    switch (i) {
    case ROW_id: sqlite3_result_blob(to, o->id, o->id_n, SQLITE_STATIC); break;
    case ROW_expected: sqlite3_result_text(to, o->expected.p, (int)o->expected.n, SQLITE_STATIC); break;
    case ROW_facts: sqlite3_result_text(to, o->facts.p, (int)o->facts.n, SQLITE_STATIC); break;
    case ROW_quality: sqlite3_result_double(to, o->quality); break;
    case ROW_propensity: sqlite3_result_double(to, o->propensity); break;
    default: sqlite3_result_int64(to, o->v[i]);
    }
    return SQLITE_OK;
}

static const sqlite3_module incoming = {.xConnect = incoming_connect,
                                        .xBestIndex = incoming_best,
                                        .xDisconnect = incoming_disconnect,
                                        .xDestroy = incoming_disconnect,
                                        .xOpen = incoming_open,
                                        .xClose = incoming_close,
                                        .xFilter = incoming_filter,
                                        .xNext = incoming_next,
                                        .xEof = incoming_eof,
                                        .xColumn = incoming_column,
                                        .xRowid = incoming_rowid};

/* SQLite calls this for every row that is written, and not for those whose key was taken. */
static void on_insert(void *ctx, int what, const char *db, const char *table, sqlite3_int64 rowid) {
    (void)what, (void)db, (void)table;
    struct row_feed *feed = ctx;
    if (feed->at < feed->count && feed->row[feed->at]->v[ROW_at] == rowid)
        feed->inserted |= (uint64_t)1 << feed->at;
}

sqlite3_stmt *row_feed_open(sqlite3 *db, struct row_feed *feed, err *e) {
    sqlite3_stmt *q = NULL;
    char sql[SQL_MAX];
    sqlite3_snprintf(sizeof sql, sql, "INSERT OR IGNORE INTO call(%s) SELECT * FROM incoming", columns + 1);
    sqlite3_update_hook(db, on_insert, feed);
    if (sqlite3_create_module(db, "incoming", &incoming, feed) != SQLITE_OK ||
        sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK)
        fail(e, "%s", sqlite3_errmsg(db));
    return q;
}
