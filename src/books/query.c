/* query: see the header.
 *
 * Every search walks keys newest first: `SELECT at, condition FROM call WHERE … AND at<? ORDER BY at DESC`,
 * over an index of its own (session, key, error), else over the table itself. It looks at the clock while it
 * walks, so that it always knows how far it came and can say so in its cursor. Filters that the rollups
 * know (model, task, tier …) first walk a little; when that doesn't find enough, the hours that have such
 * calls are taken from the rollups and the rest is skipped. */
#include "books/query.h"

#include "base/clock.h"
#include "books/cell.h"

#include <stdlib.h>

enum {
    WALK_FIRST = 2000, /* rows walked before the rollups are asked */
    CLOCK_ROWS = 256,  /* rows between looks at the clock */
    HOURS_MAX = 20000,
};

enum filter_kind { INDEXED, DIM, PLAIN };
static const struct {
    const char *name;
    enum filter_kind kind;
    const char *where; /* SQL with one parameter */
} filters[FILTER_COUNT] = {
#define IN_WHO "c.who IN (SELECT id FROM who WHERE "
#define IN_ROUTE "c.route IN (SELECT id FROM route WHERE "
#define IN_KIND "c.kind IN (SELECT id FROM kind WHERE "
    [FILTER_key] = {"key", INDEXED, IN_WHO "key=?)"},
    [FILTER_session] = {"session", INDEXED, "c.session=(SELECT id FROM session WHERE name=?)"},
    [FILTER_error] = {"error", INDEXED, "c.error=(SELECT id FROM name WHERE name=?)"},
    [FILTER_team] = {"team", DIM, IN_WHO "team=?)"},
    [FILTER_task] = {"task", DIM, IN_KIND "task=?)"},
    [FILTER_tier] = {"tier", DIM, IN_ROUTE "tier=?)"},
    [FILTER_rule] = {"rule", DIM, IN_ROUTE "rule=?)"},
    [FILTER_provider] = {"provider", DIM, IN_ROUTE "provider=?)"},
    [FILTER_model] = {"model", DIM, IN_ROUTE "model=?)"},
    [FILTER_baseline_model] = {"baseline_model", PLAIN, IN_ROUTE "baseline_model=?)"},
    [FILTER_observed_tier] = {"observed_tier", PLAIN, IN_ROUTE "observed_tier=?)"},
    [FILTER_user] = {"user", PLAIN, "c.user=(SELECT id FROM user WHERE name=?)"},
    [FILTER_requested_model] = {"requested_model", PLAIN, IN_ROUTE "requested_model=?)"},
    [FILTER_dialect] = {"dialect", PLAIN, IN_ROUTE "dialect=?)"},
    [FILTER_endpoint] = {"endpoint", PLAIN, IN_ROUTE "endpoint=?)"},
    [FILTER_stakes] = {"stakes", PLAIN, IN_KIND "stakes=?)"},
    [FILTER_status] = {"status", PLAIN, IN_KIND "status=CAST(? AS INTEGER))"},
    [FILTER_cache] = {"cache", PLAIN, IN_KIND "cache=?)"},
    [FILTER_finish] = {"finish", PLAIN, IN_KIND "finish=?)"},
    [FILTER_config_version] = {"config_version", PLAIN, IN_ROUTE "config_version=?)"},
};

/* ---- parameters ---- */

static bool unescape(str s, arena *a, str *out) {
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
            continue;
        }
        if (i + 2 >= s.n) return false;
        unsigned v = 0;
        for (int k = 1; k <= 2; k++) {
            char c = s.p[i + (size_t)k];
            unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                              : 16;
            if (d > 15) return false;
            v = v << 4 | d;
        }
        p[n++] = (char)v;
        i += 2;
    }
    *out = str_make(p, n);
    return true;
}

static bool digits(str s, size_t at, size_t n, uint64_t *v) {
    return at + n <= s.n && str_u64(str_make(s.p + at, n), v);
}

/* 2026-11-24, 2026-11-24T10:00, 2026-11-24T10:00:00Z: UTC. Days from civil date after Howard Hinnant. */
static bool iso_time(str s, uint64_t *out) {
    uint64_t y, m, d, hh = 0, mm = 0, ss = 0;
    if (!digits(s, 0, 4, &y) || !digits(s, 5, 2, &m) || !digits(s, 8, 2, &d) || s.p[4] != '-' || s.p[7] != '-')
        return false;
    if (y < 1970 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31) return false;
    if (s.n > 10) {
        if ((s.p[10] != 'T' && s.p[10] != ' ') || !digits(s, 11, 2, &hh) || !digits(s, 14, 2, &mm)) return false;
        if (s.n > 17 && !digits(s, 17, 2, &ss)) return false;
        if (hh > 23 || mm > 59 || ss > 60) return false;
    }
    uint64_t yy = m <= 2 ? y - 1 : y, era = yy / 400, yoe = yy % 400, mp = (m + 9) % 12;
    uint64_t doy = (153 * mp + 2) / 5 + d - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    uint64_t days = era * 146097 + doe - 719468;
    *out = ((days * 24 + hh) * 60 + mm) * 60000000 + ss * 1000000;
    return true;
}

bool query_time(str s, uint64_t now, uint64_t *out) {
    static const struct {
        char unit;
        uint64_t us;
    } units[] = {{'s', 1000000}, {'m', 60000000}, {'h', HOUR_US}, {'d', DAY_US}, {'w', 7 * DAY_US}};
    uint64_t n;
    if (s.n > 10 && iso_time(s, out)) return true;
    if (s.n == 10 && s.p[4] == '-') return iso_time(s, out);
    if (str_u64(s, out)) return true;
    if (s.n < 2 || !str_u64(str_take(s, s.n - 1), &n)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (s.p[s.n - 1] != units[i].unit || n > now / units[i].us) continue;
        *out = now - n * units[i].us;
        return true;
    }
    return false;
}

static bool take(struct query *q, str name, str value, uint64_t now, err *e) {
    uint64_t n;
    for (unsigned i = 0; i < FILTER_COUNT; i++) {
        if (!str_eqz(name, filters[i].name)) continue;
        q->filter[i] = value;
        return true;
    }
    if (str_eqz(name, "since"))
        return query_time(value, now, &q->since) || fail(e, "since can't be read as a time");
    if (str_eqz(name, "until"))
        return query_time(value, now, &q->until) || fail(e, "until can't be read as a time");
    if (str_eqz(name, "cursor"))
        return str_u64(value, &q->before) || fail(e, "cursor is not one of an earlier answer");
    if (str_eqz(name, "limit")) {
        if (!str_u64(value, &n) || n < 1 || n > QUERY_LIMIT_MAX)
            return fail(e, "limit is from 1 to %d", QUERY_LIMIT_MAX);
        q->limit = (unsigned)n;
        return true;
    }
    return fail(e, "there is no filter \"" STR_FMT "\"", STR_ARG(str_take(name, 64)));
}

bool query_parse(str text, uint64_t now, arena *a, struct query *q, err *e) {
    *q = (struct query){.limit = QUERY_LIMIT};
    str part;
    while (text.n && str_cut(&text, '&', &part)) {
        str name = part, value = STR_NONE;
        ptrdiff_t eq = str_chr(part, '=');
        if (eq >= 0) {
            name = str_take(part, (size_t)eq);
            value = str_skip(part, (size_t)eq + 1);
        }
        if (!name.n) continue;
        if (!unescape(name, a, &name) || !unescape(value, a, &value))
            return fail(e, "the query string is not well-formed");
        if (!take(q, name, value, now, e)) return false;
    }
    return true;
}

/* ---- searching ---- */

struct search {
    struct ledger *l;
    const struct query *q;
    uint64_t deadline;
    uint64_t *found; /* keys, newest first */
    unsigned count;
    uint64_t reached; /* everything from here up was looked at */
    uint64_t walked;
    bool stopped; /* by the deadline */
};

static void conditions(const struct query *q, int indexed, buf *b) {
    const char *and = "";
    for (int i = 0; i < FILTER_COUNT; i++) {
        if (!q->filter[i].p || i == indexed) continue;
        buf_strz(b, and);
        buf_strz(b, i == FILTER_error && str_eqz(q->filter[i], "any") ? "c.error IS NOT NULL" : filters[i].where);
        and = " AND ";
    }
    if (!*and) buf_char(b, '1');
}

static int bind_filters(const struct query *q, int indexed, sqlite3_stmt *s, int at) {
    for (int i = 0; i < FILTER_COUNT; i++) {
        if (!q->filter[i].p || i == indexed) continue;
        if (i == FILTER_error && str_eqz(q->filter[i], "any")) continue;
        sqlite3_bind_text(s, at++, q->filter[i].p, (int)q->filter[i].n, SQLITE_STATIC);
    }
    return at;
}

/* The walk's statement; `by` is the indexed column's condition ("c.session=?" …) or NULL. */
static sqlite3_stmt *walk_statement(struct search *s, int indexed, const char *by, err *e) {
    buf b;
    sqlite3_stmt *stmt = NULL;
    buf_init(&b, 1 << 16);
    buf_strz(&b, "SELECT c.at, ");
    conditions(s->q, indexed, &b);
    buf_printf(&b, " FROM call c%s WHERE %s%s c.at<? AND c.at>=? ORDER BY c.at DESC", by ? "" : " NOT INDEXED",
               by ? by : "", by ? " AND" : "");
    if (sqlite3_prepare_v2(ledger_db(s->l), b.p, (int)b.n, &stmt, NULL) != SQLITE_OK)
        fail(e, "%s", sqlite3_errmsg(ledger_db(s->l)));
    buf_free(&b);
    return stmt;
}

static int later_first(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

/* Walks [from, to) downwards; stops at `limit` finds, after `most` rows (0: any number) or at the deadline. */
static bool walk(struct search *s, sqlite3_stmt *stmt, int at, uint64_t from, uint64_t to, uint64_t most, err *e) {
    int rc = SQLITE_DONE;
    sqlite3_bind_int64(stmt, at, to > INT64_MAX ? INT64_MAX : (int64_t)to);
    sqlite3_bind_int64(stmt, at + 1, (int64_t)from);
    uint64_t rows = 0;
    bool full = false;
    while (!full && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        s->reached = (uint64_t)sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_int(stmt, 1)) s->found[s->count++] = s->reached;
        full = s->count == s->q->limit || ++rows == most;
        if (rows % CLOCK_ROWS == 0 && clock_mono_us() > s->deadline) full = s->stopped = true;
    }
    sqlite3_reset(stmt);
    s->walked = rows;
    if (full) return true;
    s->reached = from;
    return rc == SQLITE_DONE || fail(e, "%s", sqlite3_errmsg(ledger_db(s->l)));
}

/* ---- by index ---- */

/* A key may be several rows of who (gateways, teams): each is walked, the finds are merged. */
static bool search_key(struct search *s, err *e) {
    sqlite3 *db = ledger_db(s->l);
    sqlite3_stmt *ids = NULL, *stmt = walk_statement(s, FILTER_key, "c.who=?", e);
    if (!stmt) return false;
    bool good = sqlite3_prepare_v2(db, "SELECT id FROM who WHERE key=?", -1, &ids, NULL) == SQLITE_OK ||
                fail(e, "%s", sqlite3_errmsg(db));
    const struct query *q = s->q;
    uint64_t reached = q->since, *all = NULL;
    size_t count = 0;
    if (good) sqlite3_bind_text(ids, 1, q->filter[FILTER_key].p, (int)q->filter[FILTER_key].n, SQLITE_STATIC);
    while (good && sqlite3_step(ids) == SQLITE_ROW) {
        int at = bind_filters(q, FILTER_key, stmt, 1);
        sqlite3_bind_int64(stmt, at, sqlite3_column_int64(ids, 0));
        s->count = 0;
        good = walk(s, stmt, at + 1, q->since, q->before, 0, e);
        all = xrealloc(all, (count + s->count + 1) * sizeof *all);
        memcpy(all + count, s->found, s->count * sizeof *all);
        count += s->count;
        if (s->reached > reached) reached = s->reached;
    }
    if (count) qsort(all, count, sizeof *all, later_first);
    /* Below the one that came least far, others may have missed some. */
    s->count = 0;
    for (size_t i = 0; i < count && s->count < q->limit && all[i] >= reached; i++) s->found[s->count++] = all[i];
    s->reached = s->count == q->limit ? s->found[s->count - 1] : reached;
    free(all);
    sqlite3_finalize(ids);
    sqlite3_finalize(stmt);
    return good;
}

static bool search_index(struct search *s, int filter, err *e) {
    sqlite3_stmt *stmt = walk_statement(s, filter, filters[filter].where, e);
    if (!stmt) return false;
    int at = bind_filters(s->q, filter, stmt, 1);
    sqlite3_bind_text(stmt, at, s->q->filter[filter].p, (int)s->q->filter[filter].n, SQLITE_STATIC);
    bool good = walk(s, stmt, at + 1, s->q->since, s->q->before, 0, e);
    sqlite3_finalize(stmt);
    return good;
}

/* ---- by hours of the rollups ---- */

struct hours {
    uint64_t *hour;
    size_t count;
};

static bool add_hour(void *ctx, const struct cell *c) {
    struct hours *h = ctx;
    if (h->count && h->hour[h->count - 1] == (uint64_t)c->period) return true;
    if (h->count == HOURS_MAX) return false;
    h->hour[h->count++] = (uint64_t)c->period;
    return true;
}

/* Hours in which there are such calls (by one of the filters), newest first; the journal's are taken as they are.
 */
static bool find_hours(struct search *s, struct hours *h, err *e) {
    sqlite3 *db = ledger_db(s->l);
    buf b;
    sqlite3_stmt *stmt = NULL;
    buf_init(&b, 1 << 14);
    int by = 0;
    while (!s->q->filter[by].p || filters[by].kind != DIM) by++;
    const char *value = by == FILTER_model      ? "substr(value,instr(value,'/')+1)"
                        : by == FILTER_provider ? "substr(value,1,instr(value,'/')-1)"
                                                : "value";
    buf_printf(
        &b,
        "SELECT DISTINCT period FROM cell_hour WHERE dim IN (SELECT id FROM cell_dim WHERE dimension='%s' AND"
        " %s=?) AND period<=? AND period>=? ORDER BY period DESC LIMIT %d",
        by == FILTER_provider ? "model" : filters[by].name, value, HOURS_MAX / 2);
    bool good = sqlite3_prepare_v2(db, b.p, (int)b.n, &stmt, NULL) == SQLITE_OK;
    buf_free(&b);
    if (!good) return fail(e, "%s", sqlite3_errmsg(db));
    sqlite3_bind_text(stmt, 1, s->q->filter[by].p, (int)s->q->filter[by].n, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)(s->reached / HOUR_US));
    sqlite3_bind_int64(stmt, 3, (int64_t)(s->q->since / HOUR_US));
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) h->hour[h->count++] = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE) return fail(e, "%s", sqlite3_errmsg(db));
    if (!cell_each_pending(db, add_hour, h, e)) return false;
    qsort(h->hour, h->count, sizeof *h->hour, later_first);
    return true;
}

static bool search_hours(struct search *s, sqlite3_stmt *stmt, int at, err *e) {
    struct hours h = {xmalloc(HOURS_MAX * sizeof *h.hour), 0};
    bool good = find_hours(s, &h, e);
    uint64_t top = s->reached;
    for (size_t i = 0; good && i < h.count && s->count < s->q->limit && !s->stopped; i++) {
        uint64_t from = h.hour[i] * HOUR_US, to = from + HOUR_US;
        if (to > top) to = top;
        if (from < s->q->since) from = s->q->since;
        if (from >= to) continue;
        good = walk(s, stmt, at, from, to, 0, e);
        top = s->reached;
        if (clock_mono_us() > s->deadline) s->stopped = true;
    }
    if (good && !s->stopped && s->count < s->q->limit) s->reached = s->q->since;
    free(h.hour);
    return good;
}

static bool has_dim(const struct query *q) {
    for (int i = 0; i < FILTER_COUNT; i++)
        if (q->filter[i].p && filters[i].kind == DIM) return true;
    return false;
}

static bool search_walk(struct search *s, err *e) {
    sqlite3_stmt *stmt = walk_statement(s, -1, NULL, e);
    if (!stmt) return false;
    int at = bind_filters(s->q, -1, stmt, 1);
    bool dims = has_dim(s->q);
    bool good = walk(s, stmt, at, s->q->since, s->q->before, dims ? WALK_FIRST : 0, e);
    if (good && dims && s->walked == WALK_FIRST && s->count < s->q->limit && !s->stopped)
        good = search_hours(s, stmt, at, e);
    sqlite3_finalize(stmt);
    return good;
}

static bool search(struct search *s, err *e) {
    const struct query *q = s->q;
    if (q->filter[FILTER_session].p) return search_index(s, FILTER_session, e);
    if (q->filter[FILTER_error].p && !str_eqz(q->filter[FILTER_error], "any"))
        return search_index(s, FILTER_error, e);
    if (q->filter[FILTER_key].p) return search_key(s, e);
    return search_walk(s, e);
}

/* ---- answers ---- */

bool query_calls(struct ledger *l, const struct query *asked, buf *out, err *e) {
    struct query q = *asked;
    if (q.until && (!q.before || q.until < q.before)) q.before = q.until;
    if (!q.before) q.before = INT64_MAX;
    struct search s = {.l = l, .q = &q, .deadline = clock_mono_us() + QUERY_TIME_US, .reached = q.before};
    s.found = xmalloc(q.limit * sizeof *s.found);
    bool good = search(&s, e);
    arena a;
    arena_init(&a, 8192, 4 << 20);
    struct ledger_call *c = xcalloc(1, sizeof *c);
    jw w;
    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "calls");
    jw_array(&w);
    for (unsigned i = 0; good && i < s.count; i++) {
        enum ledger_found found = ledger_get(l, s.found[i], &a, c, e);
        good = found != LEDGER_FAILED;
        if (found == LEDGER_FOUND) {
            jw_object(&w);
            call_json(&w, c);
            jw_object_end(&w);
        }
        arena_free(&a);
    }
    jw_array_end(&w);
    bool more = s.reached > q.since;
    jw_key(&w, "next");
    if (more) {
        char text[20];
        jw_string(&w, str_make(text, fmt_u64(text, s.reached)));
    } else {
        jw_null(&w);
    }
    jw_key(&w, "complete");
    jw_bool(&w, !s.stopped);
    jw_object_end(&w);
    free(c);
    free(s.found);
    if (good && out->failed) return fail(e, "the answer is too large: ask for fewer calls");
    return good;
}

enum ledger_found query_call(struct ledger *l, str id, buf *out, err *e) {
    struct uuid u;
    uint64_t at;
    if (!uuid_parse(id, &u)) {
        fail(e, "this is no call's id");
        return LEDGER_NONE;
    }
    enum ledger_found found = ledger_find(l, u, &at, e);
    if (found != LEDGER_FOUND) return found;
    arena a;
    arena_init(&a, 8192, 4 << 20);
    struct ledger_call *c = xcalloc(1, sizeof *c);
    found = ledger_get(l, at, &a, c, e);
    if (found == LEDGER_FOUND) {
        jw w;
        jw_init(&w, out);
        jw_object(&w);
        call_json(&w, c);
        jw_object_end(&w);
    }
    arena_free(&a);
    free(c);
    return found;
}

enum ledger_found query_feedback(struct ledger *l, str id, str key, struct uuid *call, err *e) {
    uint64_t at;
    enum ledger_found found =
        uuid_parse(id, call) ? ledger_find(l, *call, &at, e) : ledger_find_answer(l, id, FEEDBACK_SCAN, &at, e);
    if (found != LEDGER_FOUND) return found;
    arena a;
    arena_init(&a, 8192, 4 << 20);
    struct ledger_call *c = xcalloc(1, sizeof *c);
    found = ledger_get(l, at, &a, c, e);
    if (found == LEDGER_FOUND && key.n && !str_eq(key, c->f.r.key)) found = LEDGER_NONE;
    if (found == LEDGER_FOUND) *call = c->f.r.id;
    free(c);
    arena_free(&a);
    return found;
}
