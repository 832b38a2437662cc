/* models: what logs call models, and what they cost. Each (provider, model) of a log is looked up once. */
#ifndef DRAY_INSIGHT_MODELS_H
#define DRAY_INSIGHT_MODELS_H

#include "base/arena.h"
#include "base/err.h"
#include "catalog/catalog.h"

enum { MODELS_MAX = 4096 }; /* different models of one analysis; further ones are one model without a price */

struct model {
    str logged_provider, logged; /* as in the log */
    str provider, name;          /* as in the catalogue, else as in the log without prefixes */
    const struct price *price;   /* NULL: unknown */
    const struct price *batch;   /* the same for batch calls: half where the list has no batch price */
    uint32_t context, flags;
    const struct model *light, *mid, *frontier; /* the usual models of its provider; NULL: none */
    uint32_t index;
};

struct models;
/* `prices`: a price list in LiteLLM's JSON form whose rows win over the catalogue; NULL: none. */
struct models *models_new(const char *prices, err *e);
void models_free(struct models *m);
/* Never NULL. The result lives as long as `m`. */
const struct model *models_find(struct models *m, str provider, str name);
/* A model as a person writes it: "gpt-4o", "openai/gpt-4o". */
const struct model *models_named(struct models *m, str name);
/* A target of a configuration, with the price that the configuration gives it. `kind`: its provider's kind
 * ("openai"), which is what the catalogue knows; `shown` is what reports call it. */
const struct model *models_target(struct models *m, str shown, str kind, str name, const struct price *price);
/* The price that the list given to models_new has for a model; NULL when it has none or none was given. */
const struct price *models_listed(const struct models *m, str provider, str name);
/* What dray calls a provider that others call so ("vertex_ai" is gemini); the name itself when it has no other. */
str provider_alias(str name);
unsigned models_count(const struct models *m);
const struct model *models_at(const struct models *m, unsigned i);
/* The price that holds for a usage's service tier. */
static inline const struct price *model_price(const struct model *m, const struct usage *u) {
    return u->service_tier == SERVICE_BATCH ? m->batch : m->price;
}
const char *models_price_version(const struct models *m);

#endif
