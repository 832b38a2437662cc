/* openai_usage: one reader for every shape that OpenAI-compatible providers give usage in.
 *
 * Names are collected into slots by a table, then reconciled. What recordings show:
 *   - prompt_tokens includes cached tokens and completion_tokens includes reasoning, nearly everywhere;
 *     xAI's completion_tokens excludes reasoning and Mistral's prompt_tokens excludes audio: the total
 *     tells (it is the sum of what is disjoint);
 *   - cached tokens: prompt_tokens_details.cached_tokens, prompt_cache_hit_tokens (DeepSeek),
 *     num_cached_tokens (Mistral), cached_tokens (Hugging Face);
 *   - some numbers can't be true (Grok on Azure: 192 cached of 81). A discount is never booked on
 *     contradictory evidence: such a part is left out, and the usage marked suspect.
 * The priced lines that come out are disjoint and sum to the input and output totals. */
#include "chat/openai.h"

enum slot {
    S_INPUT,
    S_OUTPUT,
    S_TOTAL,
    S_CACHED,
    S_MISS,
    S_WRITE,
    S_IN_AUDIO,
    S_IN_IMAGE,
    S_REASONING,
    S_OUT_AUDIO,
    S_OUT_IMAGE,
    S_SEARCH,
    S_SECONDS,
    S_COUNT
};
enum where { IN_USAGE, IN_INPUT, IN_OUTPUT, IN_TOOLS, NOWHERE };

static const struct {
    str name;
    enum where where;
} groups[] = {
    {STR_INIT("prompt_tokens_details"), IN_INPUT},
    {STR_INIT("input_tokens_details"), IN_INPUT},
    {STR_INIT("input_token_details"), IN_INPUT},
    {STR_INIT("completion_tokens_details"), IN_OUTPUT},
    {STR_INIT("output_tokens_details"), IN_OUTPUT},
    {STR_INIT("output_token_details"), IN_OUTPUT},
    {STR_INIT("server_tool_use_details"), IN_TOOLS},
    {STR_INIT("server_tool_use"), IN_TOOLS},
    {STR_INIT("server_side_tool_usage_details"), IN_TOOLS},
};

static const struct {
    str name;
    enum where where;
    enum slot slot;
} fields[] = {
    {STR_INIT("prompt_tokens"), IN_USAGE, S_INPUT},
    {STR_INIT("input_tokens"), IN_USAGE, S_INPUT},
    {STR_INIT("completion_tokens"), IN_USAGE, S_OUTPUT},
    {STR_INIT("output_tokens"), IN_USAGE, S_OUTPUT},
    {STR_INIT("total_tokens"), IN_USAGE, S_TOTAL},
    {STR_INIT("prompt_cache_hit_tokens"), IN_USAGE, S_CACHED},
    {STR_INIT("prompt_cache_miss_tokens"), IN_USAGE, S_MISS},
    {STR_INIT("num_cached_tokens"), IN_USAGE, S_CACHED},
    {STR_INIT("cached_tokens"), IN_USAGE, S_CACHED},
    {STR_INIT("cache_read_input_tokens"), IN_USAGE, S_CACHED},
    {STR_INIT("cache_creation_input_tokens"), IN_USAGE, S_WRITE},
    {STR_INIT("reasoning_tokens"), IN_USAGE, S_REASONING},
    {STR_INIT("num_search_queries"), IN_USAGE, S_SEARCH},
    {STR_INIT("seconds"), IN_USAGE, S_SECONDS},
    {STR_INIT("cached_tokens"), IN_INPUT, S_CACHED},
    {STR_INIT("cache_write_tokens"), IN_INPUT, S_WRITE},
    {STR_INIT("cache_creation_tokens"), IN_INPUT, S_WRITE},
    {STR_INIT("audio_tokens"), IN_INPUT, S_IN_AUDIO},
    {STR_INIT("image_tokens"), IN_INPUT, S_IN_IMAGE},
    {STR_INIT("reasoning_tokens"), IN_OUTPUT, S_REASONING},
    {STR_INIT("audio_tokens"), IN_OUTPUT, S_OUT_AUDIO},
    {STR_INIT("image_tokens"), IN_OUTPUT, S_OUT_IMAGE},
    {STR_INIT("web_search_requests"), IN_TOOLS, S_SEARCH},
    {STR_INIT("web_search_calls"), IN_TOOLS, S_SEARCH},
    {STR_INIT("x_search_calls"), IN_TOOLS, S_SEARCH},
};

/* More tokens than any call can have: numbers beyond it are junk. */
enum { COUNT_MAX = 1000000000 };

struct reading {
    int64_t n[S_COUNT];
    bool has[S_COUNT];
    bool suspect;
};

static void put(struct reading *r, enum slot slot, jval v) {
    int64_t n;
    if (v.type == J_NULL) return;
    if (!json_i64(v, &n) || n < 0 || n > COUNT_MAX) {
        r->suspect = true;
        return;
    }
    if (slot == S_SEARCH) {
        r->n[slot] += n; /* kinds of searches add up */
    } else if (!r->n[slot]) {
        r->n[slot] = n;
    } else if (n && n != r->n[slot]) { /* two names for one thing that disagree: the dearer reading */
        r->suspect = true;
        if ((n < r->n[slot]) == (slot == S_CACHED)) r->n[slot] = n;
    }
    r->has[slot] = true;
}

static void collect(struct reading *r, jval object, enum where where) {
    str key;
    bool esc;
    jval v;
    for (jiter it = json_iter(object); json_next(&it, &key, &esc, &v);) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            if (fields[i].where == where && json_key_eq(key, esc, fields[i].name)) put(r, fields[i].slot, v);
        for (size_t i = 0; where == IN_USAGE && v.type == J_OBJECT && i < sizeof groups / sizeof *groups; i++)
            if (json_key_eq(key, esc, groups[i].name)) collect(r, v, groups[i].where);
    }
}

/* Input and output totals, whatever was given of them. */
static void totals(struct reading *r) {
    int64_t *n = r->n;
    if (!r->has[S_INPUT] && r->has[S_MISS])
        n[S_INPUT] = n[S_CACHED] + n[S_MISS];
    else if (!r->has[S_INPUT] && r->has[S_TOTAL])
        n[S_INPUT] = n[S_TOTAL] > n[S_OUTPUT] ? n[S_TOTAL] - n[S_OUTPUT] : 0;
    if (!r->has[S_TOTAL]) {
        if (n[S_REASONING] > n[S_OUTPUT]) { /* can't be a part of it: beside it */
            r->suspect = true;
            n[S_OUTPUT] += n[S_REASONING];
        }
        return;
    }
    int64_t beside = n[S_TOTAL] - n[S_INPUT] - n[S_OUTPUT];
    if (beside == 0) return;
    if (!r->has[S_OUTPUT] && beside > 0) {
        n[S_OUTPUT] = beside;
    } else if (beside > 0 && beside == n[S_REASONING]) {
        n[S_OUTPUT] += beside;
    } else if (beside > 0 && beside == n[S_IN_AUDIO]) {
        n[S_INPUT] += beside;
    } else if (beside > 0 && beside == n[S_REASONING] + n[S_IN_AUDIO]) {
        n[S_INPUT] += n[S_IN_AUDIO];
        n[S_OUTPUT] += n[S_REASONING];
    } else {
        r->suspect = true;
        if (beside > 0 && !n[S_REASONING]) { /* Gemini's OpenAI endpoint: thoughts are in the total only */
            n[S_REASONING] = beside;
            n[S_OUTPUT] += beside;
        }
    }
}

/* Takes a part out of what is left of a side. Parts may overlap with earlier ones (cached tokens
 * may be image tokens), so being larger than what is left is no contradiction; being larger than the whole is. */
static int64_t part(struct reading *r, enum slot slot, int64_t whole, int64_t *left) {
    int64_t n = r->n[slot];
    if (n > whole) {
        r->suspect = true;
        n = 0;
    }
    if (n > *left) n = *left;
    *left -= n;
    return n;
}

bool openai_usage(jval usage, struct usage *out) {
    struct reading r = {0};
    if (usage.type != J_OBJECT) return false;
    collect(&r, usage, IN_USAGE);
    bool any = false;
    for (unsigned i = 0; i < S_COUNT; i++) any |= r.has[i];
    if (!any) return false;
    totals(&r);
    if (r.has[S_MISS] && r.has[S_INPUT] && r.n[S_CACHED] + r.n[S_MISS] != r.n[S_INPUT]) r.suspect = true;
    int64_t in = r.n[S_INPUT], left = in;
    out->units[USAGE_CACHED_INPUT] = part(&r, S_CACHED, in, &left);
    if (r.n[S_WRITE] > left) r.suspect = true; /* what is read from a cache is not written to it */
    out->units[USAGE_CACHE_WRITE_5M] = part(&r, S_WRITE, in, &left);
    out->units[USAGE_CACHE_WRITE_1H] = 0;
    out->units[USAGE_INPUT_AUDIO] = part(&r, S_IN_AUDIO, in, &left);
    out->units[USAGE_INPUT_IMAGE] = part(&r, S_IN_IMAGE, in, &left);
    out->units[USAGE_CACHED_AUDIO] = 0;
    out->units[USAGE_INPUT] = left;
    int64_t made = r.n[S_OUTPUT];
    left = made;
    out->units[USAGE_REASONING] = part(&r, S_REASONING, made, &left);
    out->units[USAGE_OUTPUT_AUDIO] = part(&r, S_OUT_AUDIO, made, &left);
    out->units[USAGE_OUTPUT_IMAGE] = part(&r, S_OUT_IMAGE, made, &left);
    out->units[USAGE_OUTPUT] = left;
    if (r.has[S_SEARCH]) out->units[USAGE_SEARCH] = r.n[S_SEARCH];
    if (r.has[S_SECONDS]) out->units[USAGE_AUDIO_SECONDS] = r.n[S_SECONDS];
    out->source = TOKENS_PROVIDER;
    out->suspect = r.suspect;
    return true;
}

void usage_tier(jval word, struct usage *u) {
    static const struct {
        str word, upper;
        enum service_tier tier;
    } tiers[] = {{STR_INIT("flex"), STR_INIT("FLEX"), SERVICE_FLEX},
                 {STR_INIT("priority"), STR_INIT("PRIORITY"), SERVICE_PRIORITY},
                 {STR_INIT("batch"), STR_INIT("BATCH"), SERVICE_BATCH}};
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if (json_is(word, tiers[i].word) || json_is(word, tiers[i].upper))
            u->service_tier = (uint8_t)tiers[i].tier;
}

int64_t openai_searches(jval output) {
    jval item;
    int64_t n = 0;
    for (jiter it = json_iter(output); output.type == J_ARRAY && json_item(&it, &item);) {
        jval action = json_path(item, "action", "type", NULL);
        n += json_is(json_get(item, STR("type")), STR("web_search_call")) &&
             (action.type != J_STRING || json_is(action, STR("search")));
    }
    return n;
}
