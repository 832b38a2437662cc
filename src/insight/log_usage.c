/* log_usage: the usage object of any provider, told by the names in it.
 *
 * What differs, and is the biggest source of wrong totals: OpenAI's, Gemini's and every gateway's input
 * counts the cached tokens too, Anthropic's and Bedrock's doesn't. Reasoning is inside of the output
 * everywhere but at Gemini and (some models) xAI, where the total tells. The classes written here are
 * disjoint (catalog.h), so sums come out the same whatever the log said. */
#include "insight/lazy.h"
#include "insight/log.h"

enum count {
    N_INPUT,
    N_OUTPUT,
    N_TOTAL,
    N_CACHED,
    N_CACHED_AUDIO,
    N_WRITE,
    N_WRITE_5M,
    N_WRITE_1H,
    N_REASONING,
    N_AUDIO_IN,
    N_AUDIO_OUT,
    N_IMAGE_IN,
    N_SEARCH,
    N_TOOL_INPUT,
    N_COUNTS
};
enum {
    EXCLUDES = 1, /* input doesn't count cached and written tokens */
    OUTSIDE = 2,  /* reasoning isn't counted in the output */
    INCLUDES = 4, /* input counts them, whatever else is named */
};

/* One name: where it stands (parent object, "" on top), what it counts, what it tells about the shape. */
static const struct name {
    str in, key;
    uint8_t n, flags;
} names[] = {
#define T(key, n, flags)                                                                                          \
    { STR_INIT(""), STR_INIT(key), n, flags }
#define D(in, key, n, flags)                                                                                      \
    { STR_INIT(in), STR_INIT(key), n, flags }
    T("prompt_tokens", N_INPUT, INCLUDES),
    T("completion_tokens", N_OUTPUT, 0),
    T("total_tokens", N_TOTAL, 0),
    T("input_tokens", N_INPUT, 0),
    T("output_tokens", N_OUTPUT, 0),
    T("prompt_cache_hit_tokens", N_CACHED, INCLUDES),
    T("cached_tokens", N_CACHED, INCLUDES),
    T("cached_input_tokens", N_CACHED, INCLUDES),
    T("reasoning_output_tokens", N_REASONING, 0),
    T("reasoning_tokens", N_REASONING, 0),
    T("cache_read_input_tokens", N_CACHED, EXCLUDES),
    T("cache_creation_input_tokens", N_WRITE, EXCLUDES),
    D("cache_creation", "ephemeral_5m_input_tokens", N_WRITE_5M, EXCLUDES),
    D("cache_creation", "ephemeral_1h_input_tokens", N_WRITE_1H, EXCLUDES),
    D("server_tool_use", "web_search_requests", N_SEARCH, 0),
    D("prompt_tokens_details", "cached_tokens", N_CACHED, INCLUDES),
    D("prompt_tokens_details", "cache_write_tokens", N_WRITE, INCLUDES),
    D("prompt_tokens_details", "cache_creation_tokens", N_WRITE, INCLUDES),
    D("prompt_tokens_details", "audio_tokens", N_AUDIO_IN, INCLUDES),
    D("completion_tokens_details", "reasoning_tokens", N_REASONING, 0),
    D("completion_tokens_details", "audio_tokens", N_AUDIO_OUT, 0),
    D("input_tokens_details", "cached_tokens", N_CACHED, INCLUDES),
    D("input_tokens_details", "cache_write_tokens", N_WRITE, INCLUDES),
    D("input_tokens_details", "audio_tokens", N_AUDIO_IN, INCLUDES),
    D("input_token_details", "cached_tokens", N_CACHED, INCLUDES),
    D("input_token_details", "audio_tokens", N_AUDIO_IN, INCLUDES),
    D("output_tokens_details", "reasoning_tokens", N_REASONING, 0),
    D("billed_units", "input_tokens", N_INPUT, 0),
    D("billed_units", "output_tokens", N_OUTPUT, 0),
    D("tokens", "input_tokens", N_INPUT, 0),
    D("tokens", "output_tokens", N_OUTPUT, 0),
    T("promptTokenCount", N_INPUT, INCLUDES),
    T("candidatesTokenCount", N_OUTPUT, OUTSIDE),
    T("totalTokenCount", N_TOTAL, 0),
    T("cachedContentTokenCount", N_CACHED, INCLUDES),
    T("thoughtsTokenCount", N_REASONING, OUTSIDE),
    T("toolUsePromptTokenCount", N_TOOL_INPUT, 0),
    T("inputTokens", N_INPUT, 0),
    T("outputTokens", N_OUTPUT, 0),
    T("totalTokens", N_TOTAL, 0),
    T("cacheReadInputTokens", N_CACHED, EXCLUDES),
    T("cacheWriteInputTokens", N_WRITE, EXCLUDES),
    T("promptTokens", N_INPUT, INCLUDES),
    T("completionTokens", N_OUTPUT, 0),
    T("cachedInputTokens", N_CACHED, INCLUDES),
    T("reasoningTokens", N_REASONING, 0),
#undef T
#undef D
};

static void collect(jval object, str in, int64_t n[N_COUNTS], uint32_t *seen, unsigned *flags, bool *suspect) {
    struct lazy_it it = lazy_iter(object);
    str key;
    jval v;
    while (lazy_next(&it, &key, &v)) {
        if (v.type == J_OBJECT && in.n == 0) {
            collect(v, key, n, seen, flags, suspect);
            continue;
        }
        if (v.type != J_NUMBER && v.type != J_STRING) continue;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (!str_eq(names[i].key, key) || !str_eq(names[i].in, in)) continue;
            int64_t c;
            if (!lazy_i64(v, &c)) { /* too large for anything, or no number */
                *suspect = *suspect || v.type == J_NUMBER;
                break;
            }
            if (c < 0 || c > (int64_t)1 << 50) *suspect = true, c = 0;
            bool again = *seen >> names[i].n & 1; /* the same count under a second name: the larger one */
            n[names[i].n] = again && n[names[i].n] > c ? n[names[i].n] : c;
            *seen |= 1u << names[i].n;
            *flags |= names[i].flags;
            break;
        }
    }
}

bool log_usage(jval usage, struct usage *out) {
    int64_t n[N_COUNTS] = {0};
    uint32_t seen = 0;
    unsigned flags = 0;
    bool suspect = false;
    *out = (struct usage){.source = TOKENS_NONE};
    if (usage.type != J_OBJECT) return false;
    collect(usage, STR_NONE, n, &seen, &flags, &suspect);
    if (!(seen & (1u << N_INPUT | 1u << N_OUTPUT | 1u << N_TOTAL))) return false;
    if (!(seen & 1u << N_INPUT) && n[N_TOTAL] > n[N_OUTPUT]) n[N_INPUT] = n[N_TOTAL] - n[N_OUTPUT];
    if (n[N_WRITE_5M] + n[N_WRITE_1H] == 0) n[N_WRITE_5M] = n[N_WRITE];
    int64_t apart = n[N_CACHED] + n[N_WRITE_5M] + n[N_WRITE_1H];
    n[N_INPUT] += n[N_TOOL_INPUT];
    int64_t plain = n[N_INPUT];
    if ((flags & INCLUDES) || !(flags & EXCLUDES)) {
        plain -= apart;
        if (plain < 0) { /* more cached than there is: the total wins */
            suspect = true;
            plain = 0;
            n[N_WRITE_5M] = n[N_WRITE_1H] = 0;
            n[N_CACHED] = n[N_INPUT];
        }
    }
    int64_t audio_in = n[N_AUDIO_IN] < plain ? n[N_AUDIO_IN] : plain;
    bool outside = (flags & OUTSIDE) || (n[N_TOTAL] > 0 && n[N_REASONING] > 0 &&
                                         n[N_TOTAL] == n[N_INPUT] + n[N_OUTPUT] + n[N_REASONING]);
    int64_t said = n[N_OUTPUT];
    if (!outside) {
        if (n[N_REASONING] + n[N_AUDIO_OUT] > said) suspect = true, n[N_REASONING] = n[N_AUDIO_OUT] = 0;
        said -= n[N_REASONING] + n[N_AUDIO_OUT];
    }
    out->units[USAGE_INPUT] = plain - audio_in;
    out->units[USAGE_INPUT_AUDIO] = audio_in;
    out->units[USAGE_CACHED_INPUT] = n[N_CACHED];
    out->units[USAGE_CACHE_WRITE_5M] = n[N_WRITE_5M];
    out->units[USAGE_CACHE_WRITE_1H] = n[N_WRITE_1H];
    out->units[USAGE_OUTPUT] = said;
    out->units[USAGE_REASONING] = n[N_REASONING];
    out->units[USAGE_OUTPUT_AUDIO] = n[N_AUDIO_OUT];
    out->units[USAGE_SEARCH] = n[N_SEARCH];
    out->source = TOKENS_PROVIDER;
    out->suspect = suspect;
    return true;
}
