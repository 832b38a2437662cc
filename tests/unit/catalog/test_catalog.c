/* catalog: look-ups, order of the table, and that every kind's usual models are in it with a price. */
#include "catalog/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_lookup(void **state) {
    (void)state;
    const struct model_info *m = catalog_model(STR("openai"), STR("gpt-4o"));
    assert_non_null(m);
    assert_true(str_eqz(m->name, "gpt-4o") && str_eqz(m->provider, "openai"));
    assert_int_equal(m->context, 128000);
    assert_true((m->flags & MODEL_CHAT) && (m->flags & MODEL_VISION) && (m->flags & MODEL_TOOLS));
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_INPUT] == 2500000000);
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_CACHED_INPUT] == 1250000000);
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_OUTPUT] == 10000000000);
    assert_true(m->price->rate[SERVICE_BATCH][USAGE_OUTPUT] == 5000000000);
    assert_ptr_equal(m, catalog_model(STR("openai"), STR("gpt-4o")));
    m = catalog_model(STR("anthropic"), STR("claude-opus-4-8"));
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_CACHE_WRITE_5M] == 6250000000);
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_CACHE_WRITE_1H] == 10000000000);
    m = catalog_model(STR("gemini"), STR("gemini-3.1-pro-preview"));
    assert_int_equal(m->price->context[0].above, 200000);
    assert_true(m->price->context[0].rate[USAGE_OUTPUT] == 18000000000);
    assert_true(str_starts(m->price->version, STR("catalog 20")));
    m = catalog_model(STR("openai"), STR("text-embedding-3-small"));
    assert_true((m->flags & MODEL_EMBED) && !(m->flags & MODEL_CHAT));
    assert_null(catalog_model(STR("openai"), STR("gpt-nope")));
    assert_null(catalog_model(STR("nope"), STR("gpt-4o")));
    assert_null(catalog_model(STR_NONE, STR_NONE));
}

static void test_dated(void **state) {
    (void)state;
    const struct model_info *m = catalog_model(STR("openai"), STR("gpt-4o-2031-01-02")); /* no own row */
    assert_true(m && str_eqz(m->name, "gpt-4o"));
    m = catalog_model(STR("openai"), STR("gpt-4o-2024-05-13")); /* an own row, and another price */
    assert_true(m && str_eqz(m->name, "gpt-4o-2024-05-13"));
    assert_true(m->price->rate[SERVICE_DEFAULT][USAGE_INPUT] == 5000000000);
    m = catalog_model(STR("anthropic"), STR("claude-haiku-4-5-20310102"));
    assert_true(m && str_eqz(m->name, "claude-haiku-4-5"));
    m = catalog_model(STR("openai"), STR("ft:gpt-4o-2024-08-06:acme::abc123"));
    assert_true(m && str_eqz(m->name, "ft:gpt-4o-2024-08-06"));
    assert_null(catalog_model(STR("openai"), STR("gpt-4o-2031-01-0x")));
    assert_null(catalog_model(STR("openai"), STR("-2024-01-02")));
    assert_null(catalog_model(STR("openai"), STR("ft:")));
}

static void test_provider_of(void **state) {
    (void)state;
    static const struct {
        const char *name, *provider;
    } cases[] = {{"gpt-4o", "openai"},
                 {"claude-sonnet-4-5", "anthropic"},
                 {"gemini-2.5-flash", "gemini"},
                 {"mistral-large-latest", "mistral"},
                 {"deepseek-chat", "deepseek"},
                 {"grok-4", "xai"},
                 {"llama-3.1-8b-instant", "groq"},
                 {"sonar-pro", "perplexity"},
                 {"text-embedding-3-large", "openai"},
                 {"no-such-model", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!str_eqz(catalog_provider_of(str_from(cases[i].name)), cases[i].provider))
            fail_msg("%s", cases[i].name);
}

struct walk {
    str before;
    unsigned count, priced;
};

static void visit(void *ctx, const struct model_info *m) {
    struct walk *w = ctx;
    assert_true(w->count == 0 || str_cmp(w->before, m->name) < 0);
    assert_true(str_utf8(m->name) && m->name.n);
    w->before = m->name;
    w->count++;
    if (m->price) w->priced++;
    if (m->price) { /* tiers ascend, and no rate is negative */
        for (int t = 1; t < PRICE_CONTEXT_TIERS && m->price->context[t].above; t++)
            assert_true(m->price->context[t].above > m->price->context[t - 1].above);
        for (int s = 0; s < 4; s++)
            for (int c = 0; c < USAGE_CLASSES; c++)
                assert_true(m->price->rate[s][c] >= 0 || m->price->rate[s][c] == PRICE_UNKNOWN);
    }
}

/* Walks the whole table: sorted, every price text readable, every kind's catalogue has models. */
static void test_table(void **state) {
    (void)state;
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        if (!k->catalog) continue;
        struct walk w = {0};
        catalog_each(str_from(k->catalog), visit, &w);
        if (w.count < 5 || w.priced * 10 < w.count * 7)
            fail_msg("%s: %u models, %u with a price", k->catalog, w.count, w.priced);
    }
}

static int64_t blended(const struct provider_kind *k, const char *name) {
    const struct model_info *m = catalog_model(str_from(k->catalog), str_from(name));
    if (!m || !m->price) fail_msg("%s: %s has no price", k->name, name);
    if (!(m->flags & MODEL_CHAT)) fail_msg("%s: %s is no chat model", k->name, name);
    return price_expect(m->price, 3000, 1000);
}

static void test_kinds(void **state) {
    (void)state;
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        assert_ptr_equal(provider_kind_find(str_from(k->name)), k);
        bool cloud = k->auth == AUTH_AWS || k->auth == AUTH_GOOGLE; /* these know nothing of OpenAI's dialect */
        assert_true((k->dialect == DIALECT_OPENAI || cloud) && k->native != DIALECT_NONE);
        assert_true(k->local || k->key_env || k->auth == AUTH_NONE || k->auth == AUTH_GOOGLE);
        assert_true(k->base_url[0] == '/' || str_starts(str_from(k->base_url), STR("http")));
        if (!k->light) continue;
        int64_t light = blended(k, k->light), mid = blended(k, k->mid), frontier = blended(k, k->frontier);
        if (light > mid || mid > frontier || light < 0) fail_msg("%s: tiers are not in order of price", k->name);
        if (k->embed) {
            const struct model_info *m = catalog_model(str_from(k->catalog), str_from(k->embed));
            if (!m || !(m->flags & MODEL_EMBED)) fail_msg("%s: %s does not embed", k->name, k->embed);
        }
    }
    assert_null(provider_kind_find(STR("nope")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lookup), cmocka_unit_test(test_dated),
                                       cmocka_unit_test(test_provider_of), cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
