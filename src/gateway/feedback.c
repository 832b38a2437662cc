/* feedback: POST /v1/feedback {id, score, label, comment}. `id` is x-dray-call-id, or the id of the provider's
 * answer ("chatcmpl-…"), which is all that an SDK shows. Runs on a query thread: the call is looked up,
 * so that feedback for a call that does not exist, or is another key's, is told to be wrong. */
#include "gateway/own.h"

#include "base/clock.h"
#include "gateway/call.h"
#include "gateway/gateway.h"
#include "gateway/queries.h"

enum {
    ANSWER_SCAN = 100000,         /* newest calls searched for a provider's id */
    FRESH_US = 120 * 1000 * 1000, /* a call this young may still be on its way to the store */
    COMMENT_MAX = 4096,
};

/* Reads the body; false when the job has failed. */
static bool read_feedback(struct query_job *j, struct record_amend *m, str *id) {
    jval root, v;
    double score;
    if (!json_check(j->input, &root, NULL, NULL) || root.type != J_OBJECT) {
        query_fails(j, 400, "bad_json", "The request body must be a JSON object.", "");
        return false;
    }
    v = json_get(root, STR("id"));
    *id = v.type == J_STRING ? json_text(v, &j->a) : STR_NONE;
    if (!id->n) {
        query_fails(j, 400, "bad_request", "id must be the x-dray-call-id of a call, or the id of its answer.",
                    "id");
        return false;
    }
    v = json_get(root, STR("score"));
    if (v.type != J_NONE && v.type != J_NULL) {
        if (v.type != J_NUMBER || !json_f64(v, &score) || !(score >= 0 && score <= 1)) {
            query_fails(j, 400, "bad_request", "score must be a number from 0 to 1.", "score");
            return false;
        }
        m->quality = (float)score;
    }
    jval label = json_get(root, STR("label")), comment = json_get(root, STR("comment"));
    if (label.type == J_STRING) m->label = str_take(json_text(label, &j->a), 200);
    if (comment.type == J_STRING) m->comment = str_take(json_text(comment, &j->a), COMMENT_MAX);
    if (m->quality >= 0 || m->label.n || m->comment.n) return true;
    query_fails(j, 400, "bad_request", "Say at least one of score, label, comment.", "score");
    return false;
}

static bool is_fresh(struct uuid id, uint64_t now_us) {
    uint64_t ms = 0;
    for (int i = 0; i < 6; i++) ms = ms << 8 | id.b[i];
    return ms <= now_us / 1000 + 1000 && now_us < ms * 1000 + FRESH_US;
}

/* The call it is about. */
static bool find_call(struct query_job *j, struct ledger *l, str id, struct record_amend *m) {
    err e;
    uint64_t at = 0;
    bool own_id = uuid_parse(id, &m->id);
    struct ledger_call call;
    enum ledger_found found =
        own_id ? ledger_find(l, m->id, &at, &e) : ledger_find_answer(l, id, ANSWER_SCAN, &at, &e);
    if (found == LEDGER_FOUND) found = ledger_get(l, at, &j->a, &call, &e);
    if (found == LEDGER_FAILED) {
        query_fails(j, 503, "ledger_unreadable", e.msg, "");
        return false;
    }
    if (found == LEDGER_NONE && own_id && is_fresh(m->id, clock_wall_us())) return true;
    if (found == LEDGER_NONE || (j->key.n && !str_eq(call.f.r.key, j->key))) {
        query_fails(j, 404, "unknown_call", "There is no such call.", "id");
        return false;
    }
    m->id = call.f.r.id;
    return true;
}

static void run(struct query_job *j, struct ledger *l) {
    struct record_amend m = {.time_us = clock_wall_us(), .quality = -1, .quality_source = STR("feedback")};
    str id;
    if (!read_feedback(j, &m, &id) || !find_call(j, l, id, &m)) return;
    if (!books_amend(gateway_books(j->gateway), &m)) {
        query_fails(j, 503, "ledger_full", "The ledger cannot take feedback now.", "");
        return;
    }
    buf_strz(&j->out, "{\"status\":\"accepted\"}");
    j->status = 202;
}

void own_feedback(struct call *c) {
    if (!queries_ask(gateway_queries(c->w->gateway), c, buf_view(&c->r->body), run))
        call_fail(c, FAULT_STOPPING, STR_NONE, "Too many queries are waiting.");
}
