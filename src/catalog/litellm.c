/* litellm: see litellm.h. A field is a class of usage, a suffix is a service tier or a step of context. */
#include "catalog/litellm.h"

#include <stdio.h>

/* LiteLLM's field (with a suffix per service tier) to class; units per million tokens or single ones. */
static const struct {
    const char *field;
    uint8_t class;
} fields[] = {
    {"input_cost_per_token", USAGE_INPUT},
    {"cache_read_input_token_cost", USAGE_CACHED_INPUT},
    {"cache_creation_input_token_cost", USAGE_CACHE_WRITE_5M},
    {"cache_creation_input_token_cost_above_1hr", USAGE_CACHE_WRITE_1H},
    {"input_cost_per_audio_token", USAGE_INPUT_AUDIO},
    {"cache_read_input_audio_token_cost", USAGE_CACHED_AUDIO},
    {"input_cost_per_image_token", USAGE_INPUT_IMAGE},
    {"output_cost_per_token", USAGE_OUTPUT},
    {"output_cost_per_reasoning_token", USAGE_REASONING},
    {"output_cost_per_audio_token", USAGE_OUTPUT_AUDIO},
    {"output_cost_per_image_token", USAGE_OUTPUT_IMAGE},
    {"output_cost_per_image", USAGE_IMAGES},
    {"input_cost_per_second", USAGE_AUDIO_SECONDS},
    {"input_cost_per_character", USAGE_CHARACTERS},
    {"ocr_cost_per_page", USAGE_PAGES},
};
static const struct {
    const char *suffix;
    uint8_t service;
} services[] = {
    {"", SERVICE_DEFAULT}, {"_flex", SERVICE_FLEX}, {"_priority", SERVICE_PRIORITY}, {"_batches", SERVICE_BATCH}};
static const struct {
    const char *suffix;
    uint32_t above;
} steps[] = {{"_above_128k_tokens", 128000},
             {"_above_200k_tokens", 200000},
             {"_above_256k_tokens", 256000},
             {"_above_272k_tokens", 272000},
             {"_above_512k_tokens", 512000}};

static bool field_rate(jval model, const char *field, const char *suffix, int64_t *rate) {
    char name[96];
    int n = snprintf(name, sizeof name, "%s%s", field, suffix);
    jval v = json_get(model, str_make(name, (size_t)n));
    return (v.type == J_NUMBER || v.type == J_STRING) && price_parse(v.raw, 1, rate);
}

bool litellm_price(jval model, struct price *p) {
    bool found = false;
    unsigned tier = 0;
    price_init(p);
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
        for (size_t s = 0; s < sizeof services / sizeof *services; s++)
            found |= field_rate(model, fields[f].field, services[s].suffix,
                                &p->rate[services[s].service][fields[f].class]);
    for (size_t k = 0; k < sizeof steps / sizeof *steps && tier < PRICE_CONTEXT_TIERS; k++) {
        bool any = false;
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            any |= field_rate(model, fields[f].field, steps[k].suffix, &p->context[tier].rate[fields[f].class]);
        if (any) p->context[tier++].above = steps[k].above;
    }
    jval search = json_path(model, "search_context_cost_per_query", "search_context_size_medium", NULL);
    if (search.type == J_NUMBER) found |= price_parse(search.raw, 1, &p->rate[SERVICE_DEFAULT][USAGE_SEARCH]);
    return found;
}

str litellm_refused(jval row) {
    jiter it = json_iter(row);
    str key;
    bool esc;
    jval v;
    int64_t rate;
    while (row.type == J_OBJECT && json_next(&it, &key, &esc, &v)) {
        if (esc || (v.type != J_NUMBER && v.type != J_STRING) || price_parse(v.raw, 1, &rate)) continue;
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            if (str_starts(key, str_from(fields[f].field))) return key;
    }
    return STR_NONE;
}
