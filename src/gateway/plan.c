/* plan: from a complete request to an ordered list of targets. Reads the body, the hints, the model's
 * name; the decision itself is brain/'s. */
#include "gateway/call.h"
#include "gateway/dialect.h"
#include "gateway/form.h"
#include "gateway/gateway.h"
#include "gateway/override.h"

#include "base/clock.h"
#include "base/gzip.h"
#include "chat/gemini_embed.h"

#include <stdlib.h>

/* ---- hints ---- */

static bool hint_task(struct call *c, str v, const char *where) {
    enum task t;
    if (!task_parse(v, &t)) {
        call_fail(c, FAULT_BAD_HINT, str_from(where), "%s: there is no task \"" STR_FMT "\".", where,
                  STR_ARG(str_take(v, 60)));
        return false;
    }
    c->r->facts.task = (uint8_t)t;
    c->r->facts.task_source = TASK_BY_HINT;
    c->r->facts.task_confidence = 1;
    return true;
}

static bool hint_stakes(struct call *c, str v, const char *where) {
    enum stakes s;
    if (!stakes_parse(v, &s)) {
        call_fail(c, FAULT_BAD_HINT, str_from(where), "%s must be low, normal or high.", where);
        return false;
    }
    c->r->facts.stakes = (uint8_t)s;
    c->r->facts.stakes_hint = true;
    return true;
}

static bool hint_tags(struct call *c, str v) {
    str part;
    for (str rest = v; str_cut(&rest, ',', &part);) {
        part = facts_clean(str_trim(part), &c->r->a);
        if (!part.n) continue;
        if (c->r->facts.tag_count == FACTS_TAGS_MAX) {
            call_fail(c, FAULT_BAD_HINT, STR("x-dray-tags"), "x-dray-tags: at most %d tags.", FACTS_TAGS_MAX);
            return false;
        }
        c->r->facts.tag[c->r->facts.tag_count++] = part;
    }
    return true;
}

static bool hint_timeout(struct call *c, str v) {
    uint64_t ms;
    if (!str_u64(v, &ms) || ms == 0 || ms > 24ull * 3600 * 1000) {
        call_fail(c, FAULT_BAD_HINT, STR("x-dray-timeout-ms"),
                  "x-dray-timeout-ms must be a number of milliseconds.");
        return false;
    }
    c->r->timeout_us = ms * 1000;
    return true;
}

static bool hint_max_cost(struct call *c, str v, const char *where) {
    /* Nano-dollars: as a rate per million units of one unit each. */
    int64_t nano;
    if (price_parse(v, 1000000, &nano)) {
        c->r->facts.max_cost = (uint64_t)nano;
        return true;
    }
    call_fail(c, FAULT_BAD_HINT, str_from(where), "%s must be an amount of dollars, such as 0.05.", where);
    return false;
}

static bool one_hint(struct call *c, str name, str v, const char *where) {
    struct facts *f = &c->r->facts;
    if (str_eqz(name, "task")) return hint_task(c, v, where);
    if (str_eqz(name, "stakes")) return hint_stakes(c, v, where);
    if (str_eqz(name, "tier"))
        f->tier_hint = facts_clean(v, &c->r->a);
    else if (str_eqz(name, "session"))
        f->session = facts_clean(v, &c->r->a);
    else if (str_eqz(name, "user"))
        f->user = facts_clean(v, &c->r->a);
    else if (str_eqz(name, "tags"))
        return hint_tags(c, v);
    else if (str_eqz(name, "timeout-ms") || str_eqz(name, "timeout_ms"))
        return hint_timeout(c, v);
    else if (str_eqz(name, "max-cost-usd") || str_eqz(name, "max_cost_usd"))
        return hint_max_cost(c, v, where);
    return true; /* cache: nothing caches yet; unknown ones are stripped all the same */
}

/* Headers first, then metadata.dray_* where no header said it. */
static bool read_hints(struct call *c) {
    struct call_request *r = c->r;
    jiter it = json_iter(r->q.metadata);
    str key;
    bool esc;
    jval v;
    while (r->q.metadata.type == J_OBJECT && json_next(&it, &key, &esc, &v)) {
        if (esc || !str_starts(key, STR("dray_")) || v.type != J_STRING) continue;
        if (!one_hint(c, str_skip(key, 5), json_text(v, &r->a), "metadata.dray_*")) return false;
    }
    for (unsigned i = 0; i < r->kept_count; i++) {
        const struct http_header *h = &r->kept[i];
        if (str_starts(h->name, STR("x-dray-")) && !one_hint(c, str_skip(h->name, 7), h->value, h->name.p))
            return false;
    }
    return true;
}

static void read_named_metadata(struct call *c) {
    struct facts *f = &c->r->facts;
    for (unsigned i = 0; i < f->named_count; i++) {
        if (!str_starts(f->named[i].name, STR("metadata."))) continue;
        jval v = json_get(c->r->q.metadata, str_skip(f->named[i].name, 9));
        if (v.type == J_NONE) continue;
        f->named[i].value = facts_clean(v.type == J_STRING ? json_text(v, &c->r->a) : v.raw, &c->r->a);
    }
}

/* The end user that the request itself names, where no hint does. */
static void read_user(struct call *c) {
    struct call_request *r = c->r;
    if (r->facts.user.n) return;
    jval user = r->has_chat ? (jval){.raw = r->chat.user.raw, .type = J_STRING, .esc = true} : r->q.user;
    if (user.type == J_STRING) r->facts.user = facts_clean(json_text(user, &r->a), &r->a);
}

/* ---- the request ---- */

/* The members that the road needs of a request that is not in OpenAI's dialect. */
static bool read_foreign(struct call *c, str body) {
    struct call_request *r = c->r;
    if (!dialect_read(c)) return false;
    r->q.model = json_find(&r->scan, body, STR("model"));
    r->q.metadata = json_find(&r->scan, body, STR("metadata"));
    r->q.is_stream = r->q.include_usage = r->chat.stream || c->surface->path_stream; /* usage comes unasked */
    if (r->path_model.n || r->q.model.type == J_STRING) return true;
    call_fail(c, FAULT_BAD_REQUEST, STR("model"), "The request names no model.");
    return false;
}

static bool inflate_body(struct call *c) {
    struct call_request *r = c->r;
    buf plain;
    err e;
    buf_init(&plain, c->config->limits.body_max);
    if (!gunzip(buf_view(&r->body), &plain, &e)) {
        enum fault f = plain.failed ? FAULT_BODY_TOO_LARGE : FAULT_BAD_ENCODING;
        buf_free(&plain);
        call_fail(c, f, STR_NONE, "The gzip'd request body: %s.", e.msg);
        return false;
    }
    buf_free(&r->body);
    r->body = plain;
    r->gzip = false;
    return true;
}

static bool read_body(struct call *c) {
    struct call_request *r = c->r;
    err e;
    if (r->gzip && !inflate_body(c)) return false;
    if (r->form) return form_read(c);
    str param = STR_NONE, body = buf_view(&r->body);
    if (json_scan(&r->scan, body, true) != JSON_DONE) {
        call_fail(c, FAULT_BAD_JSON, STR_NONE, "The request body is not valid JSON: %s at byte %zu.",
                  body.n ? r->scan.error : "it is empty", r->scan.pos);
        return false;
    }
    r->scanned = true;
    if (json_root(&r->scan, body).type != J_OBJECT) {
        call_fail(c, FAULT_BAD_JSON, STR_NONE, "The request body must be a JSON object.");
        return false;
    }
    bool foreign = dialect_is_foreign(c->surface);
    if (foreign && !read_foreign(c, body)) return false;
    if (!foreign &&
        !openai_request_read(&r->q, &r->scan, body, !r->path_model.n && !c->surface->model, &param, &e)) {
        call_fail(c, FAULT_BAD_REQUEST, param, "%s", e.msg);
        return false;
    }
    const char *needs = c->surface->needs;
    if (needs && json_find(&r->scan, body, str_from(needs)).type == J_NONE) {
        call_fail(c, FAULT_BAD_REQUEST, str_from(needs), "The request has no \"%s\".", needs);
        return false;
    }
    c->is_stream = r->q.is_stream && c->surface->streams;
    c->asked = units_asked((enum units)c->surface->units, &r->scan, body);
    return true;
}

void request_facts(struct call_request *r, const struct surface *s, const struct config *config,
                   uint64_t begin_wall) {
    struct facts *f = &r->facts;
    struct prompt prompt;
    if (r->facts_done) return;
    r->facts_done = true;
    if (dialect_is_foreign(s))
        chat_facts(&r->chat, f, &prompt);
    else if (s->dialect == DIALECT_GEMINI)
        gemini_embed_facts(&r->scan, buf_view(&r->body), f, &prompt);
    else
        openai_facts(&r->scan, buf_view(&r->body), f, &prompt);
    f->hour = (uint8_t)(begin_wall / 3600000000u % 24);
    if (s->path_stream) f->stream = true;
    if (s->task != TASK_UNKNOWN && f->task_source == TASK_BY_NONE) {
        f->task = s->task;
        f->task_source = TASK_BY_ENDPOINT;
        f->task_confidence = 1;
    }
    classify(&config->router, &prompt, f);
    router_label(&config->router, f);
}

static void read_facts(struct call *c) { request_facts(c->r, c->surface, c->config, c->begin_wall); }

/* ---- the decision ---- */

/* The named target with strings that outlive the request: the configuration's, or copies. */
static void keep_named(struct call *c) {
    struct resolution *named = &c->r->named;
    if (named->what != RESOLVED_TARGET) return;
    if (named->id >= 0) {
        named->target = c->config->router.target[named->id];
        return;
    }
    named->target.name = arena_str(&c->a, config_target_name(&named->target, &c->a));
    named->target.model = arena_str(&c->a, named->target.model);
}

static void plan_named(struct call *c) {
    c->r->on_the_fly = c->r->named.target;
    c->r->has_on_the_fly = true;
}

/* Where the call would have gone without routing: the model the client named, else the baseline. */
static void note_baseline(struct call *c) {
    const struct router *router = &c->config->router;
    const struct target *t = NULL;
    if (c->r->named.what == RESOLVED_TARGET)
        t = &c->r->named.target;
    else if (router->has_baseline)
        t = &router->target[router->baseline];
    if (!t) return;
    c->baseline_name = t->name;
    c->baseline_price = t->price;
}

/* Whether the plan is the named target and nothing else: then no fact is needed for it. */
static bool by_name(const struct call_request *r) {
    return r->named.what == RESOLVED_TARGET && !r->named.reroute && (!r->facts.tier_hint.n || r->named.fixed);
}

static bool decide_call(struct call *c) {
    struct call_request *r = c->r;
    const struct router *router = &c->config->router;
    str hint = r->facts.tier_hint;
    if (hint.n && router_tier(router, hint) < 0) {
        call_fail(c, FAULT_BAD_HINT, STR("x-dray-tier"), "x-dray-tier: there is no tier \"" STR_FMT "\".",
                  STR_ARG(str_take(hint, 60)));
        return false;
    }
    if (!by_name(r)) read_facts(c);
    char forced[64];
    int to = !by_name(r) && override_tier(gateway_override(c->w->gateway), c->begin_wall, forced)
                 ? router_tier(router, str_from(forced))
                 : -1;
    uint64_t draw = decide_draw(c->id);
    if (to >= 0)
        decide_tier(router, &r->facts, (uint32_t)to, STR("override"), draw, &r->plan);
    else if (!config_decide(c->config, &r->named, &r->facts, draw, &r->plan))
        plan_named(c);
    c->routed = !r->has_on_the_fly;
    return true;
}

/* x-dray-max-cost-usd: targets that are expected to cost more are not tried. A price that is unknown is no
 * reason to refuse. */
static bool cap_cost(struct call *c) {
    struct call_request *r = c->r;
    int64_t most = (int64_t)r->facts.max_cost;
    if (!most) return true;
    read_facts(c);
    if (r->has_on_the_fly) {
        int64_t cost = price_expect(r->on_the_fly.price, r->facts.input_tokens, decide_output_tokens(&r->facts));
        if (cost != COST_UNKNOWN && cost > most) r->plan.count = 0;
    } else {
        decide_cap(&c->config->router, &r->facts, &r->plan);
    }
    if (r->plan.count) return true;
    call_fail(c, FAULT_COST_LIMIT, STR("x-dray-max-cost-usd"),
              "Every model that could answer is expected to cost more than x-dray-max-cost-usd.");
    return false;
}

/* mode: observe. The call goes where it would have gone; what the policy says is only noted. */
static void observe(struct call *c) {
    struct call_request *r = c->r;
    const struct router *router = &c->config->router;
    if (c->config->mode != MODE_OBSERVE || r->named.what == RESOLVED_TIER) return;
    read_facts(c);
    c->observed_named = c->routed                              ? OBSERVED_ROUTED
                        : r->named.addressed || r->named.fixed ? OBSERVED_FIXED
                                                               : OBSERVED_NAMED;
    if (!c->routed)
        decide(router, &r->facts, decide_draw(c->id), &r->observed);
    else
        r->observed = r->plan;
    c->observed = r->observed.count > 0;
    if (c->observed) {
        c->observed_price = router->target[r->observed.target[0]].price;
        c->observed_cost = price_expect(c->observed_price, r->facts.input_tokens, decide_output_tokens(&r->facts));
    }
    if (!c->routed) return;
    c->routed = false;
    if (r->named.what == RESOLVED_TARGET) {
        r->plan = (struct plan){.rule = STR("model"), .count = 1, .propensity = 1, .rule_index = ROUTER_RULES_MAX};
        plan_named(c);
    } else if (router->has_baseline) {
        decide_target(router, &r->facts, router->baseline, &r->plan);
    }
}

/* on_ledger_full: refuse. A call that can't be booked is not made. */
static bool books_ready(struct call *c) {
    struct books_status s;
    books_status(gateway_books(c->w->gateway), &s);
    if (s.spool_ok) return true;
    call_fail(c, FAULT_LEDGER_FULL, STR_NONE, "The ledger cannot take this call, and on_ledger_full is refuse.");
    return false;
}

void call_plan(struct call *c) {
    struct call_request *r = c->r;
    if (c->surface->endpoint && c->config->on_full == ON_FULL_REFUSE && !books_ready(c)) return;
    if (c->surface->stored) {
        if (read_hints(c)) form_plan_stored(c);
        c->planned = true;
        return;
    }
    if (!read_body(c) || !read_hints(c)) return;
    read_named_metadata(c);
    read_user(c);
    str model = r->path_model.n ? r->path_model : json_text(r->q.model, &r->a);
    if (!model.n && c->surface->model) model = str_from(c->surface->model);
    model = r->facts.model = facts_clean(model, &r->a);
    config_resolve(c->config, model, (enum dialect)c->surface->dialect, &r->named);
    if (r->named.what == RESOLVED_NONE) {
        call_fail(c, FAULT_UNKNOWN_MODEL, STR("model"),
                  "The model \"" STR_FMT "\" is not known here. Use auto, auto:TIER, a configured name, or "
                  "provider/model; GET /v1/models lists them.",
                  STR_ARG(str_take(model, 100)));
        return;
    }
    keep_named(c);
    if (!decide_call(c)) return;
    observe(c);
    if (!cap_cost(c)) return;
    note_baseline(c);
    if (!c->is_stream && !r->form) checks_want(&r->scan, buf_view(&r->body), &c->a, &c->wants);
    c->rule = r->plan.rule;
    c->tier = r->plan.tier;
    if (arena_failed(&r->a))
        call_fail(c, FAULT_INTERNAL, STR_NONE, "The request needs more memory than is allowed.");
    c->planned = true;
}

/* Whether the provider will say what was used: then nothing of the facts is needed on the road. */
static bool usage_expected(const struct call *c) {
    return !c->is_stream || c->attempt.injected || c->r->q.include_usage;
}

/* One named call of so many is read on the road, at first and later: it costs more than relaying the call. */
enum { NAMED_TEACHING = 16, NAMED_TEACHING_LATER = 512, NAMED_EARLY = 1024 };

static bool teaches_tokens(struct call *c) {
    uint64_t n = c->surface->chat >= 0 ? c->w->named_calls++ : 1;
    return n % (n < NAMED_EARLY ? NAMED_TEACHING : NAMED_TEACHING_LATER) == 0;
}

void call_label(struct call *c) {
    struct call_request *r = c->r;
    if (!r) return;
    if (!r->scanned) { /* not even JSON */
        c->task = r->facts.task;
        return;
    }
    /* Now and then one of those is read here, for its usage to teach how the model counts (multiplier.h). */
    bool teaches = teaches_tokens(c);
    if (!r->facts_done && !c->settled && c->attempt.n && usage_expected(c) && !teaches) {
        enum { BYTES_PER_TOKEN = 4 }; /* only for a call that is cut before its usage comes */
        c->input_estimate = (uint32_t)(r->body.n / BYTES_PER_TOKEN);
        c->label_pending = true;
        return;
    }
    read_facts(c);
    c->task = r->facts.task;
    c->difficulty = r->facts.difficulty;
    c->input_estimate = r->facts.input_tokens;
    const struct facts *f = &r->facts;
    c->plain_text = c->surface->chat >= 0 && !f->tool_count && !f->tools && !f->vision && !f->audio && !f->schema;
}
