/* ask: the decision for one request that is not sent: `dray route` and libdray. The request is read as the gateway
 * reads OpenAI's dialect; what is no request is the text of one user turn. */
#include "config/config.h"

#include "chat/openai.h"
#include "chat/tokens.h"

/* A hint that the body's metadata has ("dray_task"), or what the caller says. */
static bool read_hints(const struct ask *q, jval metadata, arena *a, struct facts *f, err *e) {
    jval mt = json_get(metadata, STR("dray_task")), ms = json_get(metadata, STR("dray_stakes"));
    str task = q->task.n ? q->task : mt.type == J_STRING ? json_text(mt, a) : STR_NONE;
    str stakes = q->stakes.n ? q->stakes : ms.type == J_STRING ? json_text(ms, a) : STR_NONE;
    enum task t;
    enum stakes s;
    if (task.n) {
        if (!task_parse(task, &t)) return fail(e, "there is no task \"" STR_FMT "\"", STR_ARG(str_take(task, 60)));
        f->task = (uint8_t)t;
        f->task_source = TASK_BY_HINT;
        f->task_confidence = 1;
    }
    if (stakes.n) {
        if (!stakes_parse(stakes, &s))
            return fail(e, "stakes are low, normal or high, not \"" STR_FMT "\"", STR_ARG(str_take(stakes, 60)));
        f->stakes = (uint8_t)s;
        f->stakes_hint = true;
    }
    f->key = q->key;
    f->team = q->team;
    f->user = q->user;
    for (unsigned i = 0; i < q->tag_count && i < FACTS_TAGS_MAX; i++) f->tag[f->tag_count++] = q->tag[i];
    return true;
}

static void named_metadata(const struct router *r, jval metadata, arena *a, struct facts *f) {
    f->named = arena_array(a, struct fact_named, FACTS_NAMED_MAX);
    f->named_count = (uint16_t)r->name_count;
    for (uint32_t i = 0; i < r->name_count; i++) {
        f->named[i].name = r->name[i];
        if (!str_starts(r->name[i], STR("metadata."))) continue;
        jval v = json_get(metadata, str_skip(r->name[i], 9));
        if (v.type != J_NONE) f->named[i].value = v.type == J_STRING ? json_text(v, a) : v.raw;
    }
}

static void read_plain(str body, struct facts *f, struct prompt *p) {
    struct token_estimate t = {0};
    tokens_add(&t, body, false);
    p->user_count = 1;
    p->user[0].raw = body;
    p->turns = f->turns = 1;
    f->input_tokens = tokens_estimate(&t);
    f->input_length = (uint32_t)str_utf8_len(body);
}

/* Fills facts from the request, or from the text as one user turn. False when it is meant to be JSON and is not.
 */
static bool read_request(str body, arena *a, struct facts *f, struct prompt *p, jval *metadata, err *e) {
    jscan scan;
    json_scan_init(&scan, a);
    *metadata = (jval){0};
    bool json = json_scan(&scan, body, true) == JSON_DONE;
    if (!json && str_starts(str_trim(body), STR("{")))
        return fail(e, "the request is not valid JSON: %s at byte %zu", scan.error, scan.pos);
    if (!json || json_root(&scan, body).type != J_OBJECT ||
        !(json_find(&scan, body, STR("messages")).type || json_find(&scan, body, STR("input")).type ||
          json_find(&scan, body, STR("prompt")).type)) {
        read_plain(body, f, p);
        return true;
    }
    struct openai_request request;
    str param = STR_NONE;
    if (!openai_request_read(&request, &scan, body, false, &param, e)) return false;
    openai_facts(&scan, body, f, p);
    *metadata = json_find(&scan, body, STR("metadata"));
    jval model = json_find(&scan, body, STR("model"));
    if (model.type == J_STRING) f->model = json_text(model, a);
    return true;
}

bool config_ask(const struct config *c, const struct ask *q, arena *a, struct asked *out, err *e) {
    struct prompt p = {0};
    jval metadata;
    struct facts *f = &out->facts;
    *out = (struct asked){0};
    facts_init(f);
    if (!read_request(q->body, a, f, &p, &metadata, e)) return false;
    if (q->model.n) f->model = q->model;
    if (!f->model.n) f->model = STR("auto");
    named_metadata(&c->router, metadata, a, f);
    if (!read_hints(q, metadata, a, f, e)) return false;
    classify(&c->router, &p, f);
    router_label(&c->router, f);
    config_resolve(c, f->model, DIALECT_OPENAI, &out->named);
    if (out->named.what == RESOLVED_NONE)
        return fail(e, "the model \"" STR_FMT "\" is not known", STR_ARG(str_take(f->model, 100)));
    config_decide(c, &out->named, f, 0, &out->plan);
    out->target = out->named.what == RESOLVED_TARGET && !out->plan.routed ? &out->named.target : NULL;
    return true;
}
