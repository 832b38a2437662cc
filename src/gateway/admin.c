/* admin: see admin.h. What reads the ledger goes to the query threads. */
#include "gateway/admin.h"

#include "base/clock.h"
#include "books/query.h"
#include "gateway/call.h"
#include "gateway/gateway.h"
#include "gateway/override.h"
#include "gateway/own.h"
#include "gateway/queries.h"

static void ask(struct call *c, str input, void (*run)(struct query_job *j, struct ledger *l)) {
    if (!queries_ask(gateway_queries(c->w->gateway), c, input, run))
        call_fail(c, FAULT_STOPPING, STR_NONE, "Too many queries are waiting.");
}

static void run_calls(struct query_job *j, struct ledger *l) {
    struct query q;
    err e;
    if (!query_parse(j->input, clock_wall_us(), &j->a, &q, &e))
        query_fails(j, 400, "bad_query", e.msg, "");
    else if (!query_calls(l, &q, &j->out, &e))
        query_fails(j, 503, "ledger_unreadable", e.msg, "");
}

static void run_call(struct query_job *j, struct ledger *l) {
    err e;
    switch (query_call(l, j->input, &j->out, &e)) {
    case LEDGER_FOUND: return;
    case LEDGER_NONE: query_fails(j, 404, "unknown_call", "There is no such call in the ledger.", ""); return;
    case LEDGER_FAILED: query_fails(j, 503, "ledger_unreadable", e.msg, ""); return;
    }
}

void admin_calls(struct call *c) { ask(c, c->r->query, run_calls); }
void admin_call(struct call *c) { ask(c, str_skip(own_path(c), strlen("/admin/v1/calls/")), run_call); }

static void answer_override(struct call *c) {
    buf b;
    buf_init(&b, 8192);
    override_write(gateway_override(c->w->gateway), clock_wall_us(), &b);
    c->status = 200;
    relay_own(c, 200, "application/json", buf_view(&b));
    buf_free(&b);
}

/* "2h", or seconds. */
static bool read_duration(jval v, arena *a, uint64_t *us, err *e) {
    ynode n = {.type = Y_SCALAR, .file = "for", .line = 1, .col = 1};
    n.value = v.type == J_STRING ? json_text(v, a) : v.raw;
    return v.type != J_NONE && yaml_duration(&n, us, e);
}

void admin_override(struct call *c) {
    struct override *o = gateway_override(c->w->gateway);
    if (c->method == HTTP_GET || c->method == HTTP_HEAD) {
        answer_override(c);
        return;
    }
    jval root;
    err e;
    uint64_t us = 0;
    if (!json_check(buf_view(&c->r->body), &root, NULL, NULL) || root.type != J_OBJECT) {
        call_fail(c, FAULT_BAD_JSON, STR_NONE, "The request body must be a JSON object.");
        return;
    }
    if (json_true(json_get(root, STR("off")))) {
        if (override_off(o, clock_wall_us(), &e))
            answer_override(c);
        else
            call_fail(c, FAULT_INTERNAL, STR_NONE, "%s", e.msg);
        return;
    }
    jval tier = json_get(root, STR("tier")), why = json_get(root, STR("why"));
    str name = tier.type == J_STRING ? json_text(tier, &c->r->a) : STR_NONE;
    if (router_tier(&c->config->router, name) < 0) {
        call_fail(c, FAULT_BAD_REQUEST, STR("tier"), "There is no tier \"" STR_FMT "\".",
                  STR_ARG(str_take(name, 60)));
        return;
    }
    if (!read_duration(json_get(root, STR("for")), &c->r->a, &us, &e)) {
        call_fail(c, FAULT_BAD_REQUEST, STR("for"), "for must be a duration such as 2h.");
        return;
    }
    if (override_set(o, name, us, why.type == J_STRING ? json_text(why, &c->r->a) : STR_NONE, clock_wall_us(), &e))
        answer_override(c);
    else
        call_fail(c, FAULT_BAD_REQUEST, STR_NONE, "%s", e.msg);
}

/* On a query thread: reading files and running credential commands takes its time. */
static void run_reload(struct query_job *j, struct ledger *l) {
    err e;
    (void)l;
    if (gateway_reload(j->gateway, &e))
        buf_strz(&j->out, "{\"status\":\"reloaded\"}");
    else
        query_fails(j, 400, "bad_config", e.msg, "");
}

void admin_reload(struct call *c) { ask(c, STR_NONE, run_reload); }
