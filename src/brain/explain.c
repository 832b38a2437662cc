/* explain: why the policy decided as it did, rule by rule up to the one that matched.
 *
 * "rules":[{"rule":"short-structured","use":"light","matched":false,"conditions":[
 *   {"when":"task","want":"classify, extract","got":"plan","held":false},…]}]
 * Inside a nest (any, all, not) "conditions" is the list of its inner ones. */
#include "brain/policy.h"
#include "brain/semantic.h"

#include <stdio.h>

static void got_named(const struct router *r, const struct cond *c, const struct facts *f, jw *w) {
    const str *v = facts_named(f, r->name[c->named]);
    if (v)
        jw_string(w, *v);
    else
        jw_null(w);
}

static void got_text(str s, jw *w) {
    if (s.n)
        jw_string(w, s);
    else
        jw_null(w);
}

static void got_tags(const struct facts *f, jw *w) {
    jw_array(w);
    for (unsigned i = 0; i < f->tag_count; i++) jw_string(w, f->tag[i]);
    jw_array_end(w);
}

static void got_hash(uint64_t h, jw *w) {
    char hex[16];
    if (!h) {
        jw_null(w);
        return;
    }
    for (int i = 15; i >= 0; i--, h >>= 4) hex[i] = "0123456789abcdef"[h & 15];
    jw_string(w, str_make(hex, sizeof hex));
}

/* "refund 0.61, needs 0.45": the nearest route, and what it takes. */
static void got_semantic(const struct router *r, const struct facts *f, jw *w) {
    char text[SEMANTIC_NAME_MAX + 48];
    int at = r->semantic && semantic_known(r->semantic, f) ? semantic_find(r->semantic, f->semantic) : -1;
    if (at < 0) {
        jw_null(w);
        return;
    }
    int n =
        snprintf(text, sizeof text, STR_FMT " %.2f, needs %.2f", STR_ARG(str_take(f->semantic, SEMANTIC_NAME_MAX)),
                 (double)f->semantic_score, (double)r->semantic->route[at].threshold);
    jw_string(w, str_make(text, (size_t)n));
}

static void got_share(float x, jw *w) {
    if (x < 0)
        jw_null(w);
    else
        jw_f64(w, (double)(int)((double)x * 10000 + 0.5) / 10000);
}

/* What the call had where the condition looks. */
static void got(const struct router *r, const struct cond *c, const struct facts *f, jw *w) {
    switch ((enum policy_key)c->key) {
    case KEY_TASK: jw_string(w, str_from(task_name((enum task)f->task))); break;
    case KEY_STAKES: jw_string(w, str_from(stakes_name((enum stakes)f->stakes))); break;
    case KEY_INPUT_TOKENS: jw_u64(w, f->input_tokens); break;
    case KEY_INPUT_LENGTH: jw_u64(w, f->input_length); break;
    case KEY_OUTPUT_TOKENS:
        if (f->output_tokens)
            jw_u64(w, f->output_tokens);
        else
            jw_null(w);
        break;
    case KEY_HOUR: jw_u64(w, f->hour); break;
    case KEY_DIFFICULTY: got_share(f->difficulty, w); break;
    case KEY_TASK_CONFIDENCE: got_share(f->task_confidence, w); break;
    case KEY_MODEL: got_text(f->model, w); break;
    case KEY_KEY: got_text(f->key, w); break;
    case KEY_TEAM: got_text(f->team, w); break;
    case KEY_USER: got_text(f->user, w); break;
    case KEY_TAG: got_tags(f, w); break;
    case KEY_SYSTEM_HASH: got_hash(f->system_hash, w); break;
    case KEY_SEMANTIC: got_semantic(r, f, w); break;
    case KEY_NAMED: got_named(r, c, f, w); break;
    case KEY_TOOLS: jw_bool(w, f->tools); break;
    case KEY_VISION: jw_bool(w, f->vision); break;
    case KEY_STREAM: jw_bool(w, f->stream); break;
    case KEY_ALL:
    case KEY_ANY:
    case KEY_NOT:
    case KEY_COUNT: jw_null(w);
    }
}

/* null: what it asks for was not recorded. */
static void write_truth(jw *w, enum truth t) {
    if (t == UNRECORDED)
        jw_null(w);
    else
        jw_bool(w, t == YES);
}

static void explain_list(const struct router *r, const struct cond *all, uint32_t first, const struct facts *f,
                         jw *w) {
    jw_key(w, "conditions");
    jw_array(w);
    for (uint32_t i = first; i; i = all[i].next) {
        const struct cond *c = &all[i];
        enum policy_key key = (enum policy_key)c->key;
        jw_object(w);
        jw_key(w, "when");
        jw_string(w, key == KEY_NAMED ? r->name[c->named] : str_from(policy_key_name(key)));
        if (policy_key_ask(key) == ASK_NEST) {
            explain_list(r, all, c->first, f, w);
        } else {
            jw_key(w, "want");
            jw_string(w, c->text);
            jw_key(w, "got");
            got(r, c, f, w);
        }
        jw_key(w, "held");
        write_truth(w, cond_holds(r, all, c, f));
        jw_object_end(w);
    }
    jw_array_end(w);
}

void decide_explain(const struct router *r, const struct facts *f, jw *w) {
    const struct policy *p = r->policy;
    jw_key(w, "rules");
    jw_array(w);
    for (uint32_t i = 0; i < p->count; i++) {
        const struct rule *rule = &p->rule[i];
        enum truth matched = cond_list_holds(r, p->cond, rule->when, f);
        jw_object(w);
        jw_key(w, "rule");
        jw_string(w, rule->name);
        jw_key(w, "use");
        jw_string(w, rule->use == USE_TIER ? r->tier[rule->id].name : r->target[rule->id].name);
        jw_key(w, "matched");
        write_truth(w, matched);
        explain_list(r, p->cond, rule->when, f, w);
        jw_object_end(w);
        if (matched != NO) break;
    }
    jw_array_end(w);
}
