/* resolve: what model names mean, which prices count, the lists of names, the environment's matrix. */
#include "config_test.h"

#define TWO                                                                                                       \
    "providers:\n  openai: {api_key: a}\n  anthropic: {api_key: b}\n  local: {kind: ollama}\n"                    \
    "models:\n"                                                                                                   \
    "  haiku: {provider: anthropic, model: claude-haiku-4-5}\n"                                                   \
    "  gpt-4o: {provider: openai, reroute: always}\n"                                                             \
    "  pinned: {provider: openai, model: gpt-4o, reroute: never}\n"                                               \
    "  mine: {provider: local, model: llama3, price: free, context: 8000}\n"                                      \
    "  alias: haiku\n  other: local/qwen3\n"                                                                      \
    "tiers:\n  frontier: [anthropic/claude-opus-4-8]\n  special: [mine]\n  light: {targets: [haiku, "             \
    "openai/gpt-5-nano], balance: cost}\n"

/* "auto", "tier N", "target NAME [reroute] [fixed]", "none" */
static void says(const struct config *c, const char *model, enum dialect d, const char *want) {
    struct resolution r;
    char got[128] = "none";
    arena a;
    arena_init(&a, 256, 4096);
    config_resolve(c, str_from(model), d, &r);
    if (r.what == RESOLVED_AUTO) snprintf(got, sizeof got, "auto");
    if (r.what == RESOLVED_TIER) snprintf(got, sizeof got, "tier %u", r.tier);
    if (r.what == RESOLVED_TARGET)
        snprintf(got, sizeof got, "target %.*s%s%s", STR_ARG(config_target_name(&r.target, &a)),
                 r.reroute ? " reroute" : "", r.fixed ? " fixed" : "");
    arena_free(&a);
    if (strcmp(got, want) != 0) fail_msg("%s is %s, not %s", model, got, want);
}

static void test_names(void **state) {
    (void)state;
    struct config *c = good(TWO);
    static const struct {
        const char *model, *want;
    } cases[] = {
        {"auto", "auto"},
        {"auto:light", "tier 0"},
        {"auto:special", "tier 1"},
        {"auto:frontier", "tier 2"},
        {"auto:nope", "none"},
        {"auto:", "none"},
        {"", "none"},
        {"haiku", "target anthropic/claude-haiku-4-5"},
        {"alias", "target anthropic/claude-haiku-4-5"},
        {"other", "target local/qwen3"},
        {"gpt-4o", "target openai/gpt-4o reroute"},
        {"pinned", "target openai/gpt-4o fixed"},
        {"mine", "target local/llama3"},
        {"openai/gpt-5", "target openai/gpt-5"},
        {"openai/not-in-the-catalogue", "target openai/not-in-the-catalogue"},
        {"local/a/b:c", "target local/a/b:c"},
        {"local/", "none"},
        {"/x", "none"},
        {"gpt-4o-mini", "target openai/gpt-4o-mini"},
        {"claude-sonnet-4-5", "target anthropic/claude-sonnet-4-5"},
        {"gemini-2.5-pro", "none"}, /* known, but nobody has it, and two speak OpenAI */
        {"who-knows", "none"},
        {"nobody/gpt-4o", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        says(c, cases[i].model, DIALECT_OPENAI, cases[i].want);
    /* An unknown name goes to the only provider that speaks the client's dialect. */
    says(c, "who-knows", DIALECT_ANTHROPIC, "target anthropic/who-knows");
    says(c, "who-knows", DIALECT_GEMINI, "none");
    config_unpin(c);
}

static void test_slashes(void **state) {
    (void)state;
    struct config *c = good("providers: {groq: {api_key: k}, openrouter: {api_key: k}}\n");
    says(c, "openai/gpt-oss-120b", DIALECT_OPENAI, "target groq/openai/gpt-oss-120b");
    says(c, "anthropic/claude-opus-4.7", DIALECT_OPENAI, "target openrouter/anthropic/claude-opus-4.7");
    says(c, "groq/llama-3.1-8b-instant", DIALECT_OPENAI, "target groq/llama-3.1-8b-instant");
    config_unpin(c);
    /* A maker's own address comes before the same kind elsewhere. */
    c = good("providers:\n  proxy: {kind: openai, base_url: 'http://h:1/v1', api_key: k}\n  real: {kind: openai, "
             "api_key: k}\n");
    says(c, "gpt-4o", DIALECT_OPENAI, "target real/gpt-4o");
    config_unpin(c);
    c = good("reroute: always\n" UP);
    says(c, "gpt-4o", DIALECT_OPENAI, "target up/gpt-4o reroute");
    says(c, "up/gpt-4o", DIALECT_OPENAI, "target up/gpt-4o");
    says(c, "unknown", DIALECT_OPENAI, "target up/unknown reroute");
    config_unpin(c);
}

static void test_targets(void **state) {
    (void)state;
    struct config *c = good(TWO);
    struct resolution r;
    const struct router *t = &c->router;
    assert_int_equal(t->tier_count, 3);
    assert_true(str_eqz(t->tier[0].name, "light") && t->tier[0].balance == BALANCE_COST && t->tier[0].count == 2);
    assert_true(str_eqz(t->tier[2].name, "frontier") &&
                str_eqz(t->target[t->baseline].name, "anthropic/claude-opus-4-8"));
    config_resolve(c, STR("mine"), DIALECT_OPENAI, &r);
    assert_true(r.id == t->tier[1].target[0] && r.target.context == 8000 &&
                price_expect(r.target.price, 1000, 1000) == 0);
    /* Named on the fly: the same model without the stated price is another target, of unknown cost. */
    config_resolve(c, STR("local/llama3"), DIALECT_OPENAI, &r);
    assert_true(r.id == -1 && r.target.price == NULL && r.target.provider_id == 2);
    config_resolve(c, STR("anthropic/claude-haiku-4-5"), DIALECT_OPENAI, &r);
    assert_true(r.id >= 0 && r.target.context == 200000);
    assert_true(r.target.price->rate[SERVICE_DEFAULT][USAGE_OUTPUT] == 5000000000);
    config_unpin(c);
}

static void test_prices(void **state) {
    (void)state;
    char path[] = "/tmp/dray-prices-XXXXXX", text[1024];
    int fd = mkstemp(path);
    static const char list[] =
        "{\"sample_spec\": {\"input_cost_per_token\": 0.0}, \"last_updated\": \"x\","
        " \"gpt-4o\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 9e-06, "
        "\"output_cost_per_token\": \"1e-05\","
        "   \"cache_read_input_token_cost_above_200k_tokens\": 1e-06, \"input_cost_per_token_batches\": 4.5e-06},"
        " \"together_ai/x/y\": {\"litellm_provider\": \"together_ai\", \"input_cost_per_token\": 2.5e-07}}";
    assert_true(write(fd, list, sizeof list - 1) == sizeof list - 1);
    close(fd);
    snprintf(text, sizeof text,
             "prices: %s\n"
             "providers:\n"
             "  openai: {api_key: k, prices: {gpt-5: {input: 1, output: 2.5, cached_input: 0.1, search: 0.01, "
             "batch: {input: 0.5}, "
             "context: [{above: 1000, input: 7}]}}}\n"
             "  flat: {kind: openai, api_key: k, price: {input: 0.15, output: 0.6}}\n"
             "  together: {api_key: k}\n",
             path);
    struct config *c = good(text);
    const struct provider *p = config_provider(c, STR("openai"));
    const struct price *x = config_price(c, p, STR("gpt-5"));
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_INPUT] == 1000000000 &&
                x->rate[SERVICE_DEFAULT][USAGE_CACHED_INPUT] == 100000000);
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_SEARCH] == 10000000000000); /* a cent each */
    assert_true(x->rate[SERVICE_BATCH][USAGE_INPUT] == 500000000 && x->context[0].above == 1000 &&
                x->context[0].rate[USAGE_INPUT] == 7000000000);
    x = config_price(c, p, STR("gpt-4o")); /* from the file */
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_INPUT] == 9000000000 &&
                x->rate[SERVICE_DEFAULT][USAGE_OUTPUT] == 10000000000);
    assert_true(x->rate[SERVICE_BATCH][USAGE_INPUT] == 4500000000 && x->context[0].above == 200000 &&
                str_eqz(x->version, "prices"));
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_REASONING] == PRICE_UNKNOWN);
    x = config_price(c, p, STR("gpt-4o-mini")); /* from the catalogue */
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_INPUT] == 150000000);
    assert_null(config_price(c, p, STR("gpt-unknown")));
    x = config_price(c, config_provider(c, STR("flat")), STR("anything"));
    assert_true(price_expect(x, 1000000, 1000000) == 750000000);
    x = config_price(c, config_provider(c, STR("together")), STR("x/y"));
    assert_true(x->rate[SERVICE_DEFAULT][USAGE_INPUT] == 250000000 && price_expect(x, 1, 1) == COST_UNKNOWN);
    config_unpin(c);
    unlink(path);
}

struct seen {
    unsigned count, autos, names, catalog;
    char last[256];
};

static void see(void *ctx, str id, str owner) {
    struct seen *s = ctx;
    s->count++;
    if (str_starts(id, STR("auto")))
        s->autos++;
    else if (str_eqz(id, "haiku") || str_eqz(id, "mine"))
        s->names++;
    else if (str_eqz(id, "openai/gpt-4o") && str_eqz(owner, "openai"))
        s->catalog++;
    assert_true(id.n && owner.n && str_chr(id, ' ') < 0);
}

static void test_list(void **state) {
    (void)state;
    struct config *c = good(TWO);
    struct seen s = {0};
    config_each_model(c, see, &s);
    assert_true(s.autos == 4 && s.names == 2 && s.catalog == 1 && s.count > 100);
    config_unpin(c);
}

/* ---- the environment ---- */

static struct config *from_environment(void) {
    err e = {{0}};
    struct config *c = config_load(NULL, &e);
    if (!c) fail_msg("%s", e.msg);
    return c;
}

/* Any single key gives all three tiers, at that provider only. */
static void test_each_key(void **state) {
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        if (!k->key_env || k->base_url[0] == '/') continue;
        for (unsigned second = 0; second < 2; second++) {
            const char *name = second ? k->key_env2 : k->key_env;
            if (!name) continue;
            clean_environment(state);
            setenv(name, "sk-env", 1);
            if (k->auth == AUTH_AWS) setenv("AWS_REGION", "us-east-1", 1);
            struct config *c = from_environment();
            assert_int_equal(c->provider_count, 1);
            assert_true(c->provider[0].kind == k && str_eqz(c->provider[0].key[0], "sk-env") &&
                        c->provider[0].tls && !c->simulated);
            assert_int_equal(c->router.tier_count, 3);
            for (unsigned t = 0; t < 3; t++) {
                assert_int_equal(c->router.tier[t].count, 1);
                if (!c->router.target[c->router.tier[t].target[0]].price) fail_msg("%s: no price", k->name);
            }
            assert_true(c->router.has_baseline && c->router.baseline == c->router.tier[2].target[0]);
            config_unpin(c);
        }
    }
}

static void test_environment(void **state) {
    (void)state;
    struct config *c = from_environment(); /* nothing set */
    assert_true(c->simulated && c->provider_count == 1 && str_eqz(c->provider[0].name, "sim") &&
                str_eqz(c->provider[0].sim, "openai"));
    assert_true(c->router.tier_count == 3 && c->provider[0].port == 0 && c->provider[0].auth == AUTH_NONE);
    assert_true(c->source.n == 0);
    says(c, "gpt-4o", DIALECT_OPENAI, "target sim/gpt-4o");
    config_unpin(c);

    setenv("ANTHROPIC_API_KEY", "sk-a", 1);
    setenv("OPENAI_API_KEY", "", 1); /* set but empty is not set */
    c = from_environment();
    assert_true(c->provider_count == 1 && str_eqz(c->provider[0].name, "anthropic"));
    config_unpin(c);

    setenv("OPENAI_API_KEY", "sk-o", 1);
    setenv("OPENAI_BASE_URL", "http://proxy.local:8080/", 1);
    setenv("GEMINI_API_KEY", "g", 1);
    setenv("GOOGLE_API_KEY", "other", 1);
    c = from_environment();
    assert_int_equal(c->provider_count, 3);
    const struct provider *p = config_provider(c, STR("openai"));
    assert_true(!p->tls && str_eqz(p->host_header, "proxy.local:8080") && str_eqz(p->base_path, "/v1") &&
                str_eqz(p->key[0], "sk-o"));
    assert_true(str_eqz(config_provider(c, STR("gemini"))->key[0], "g"));
    assert_true(c->router.tier[0].balance == BALANCE_COST && c->router.tier[2].balance == BALANCE_PRIORITY);
    assert_int_equal(c->router.tier[1].count, 3);
    assert_true(str_eqz(c->router.target[c->router.tier[1].target[0]].provider, "openai"));
    assert_true(str_eqz(c->router.target[c->router.tier[1].target[1]].provider, "anthropic"));
    config_unpin(c);

    clean_environment(state);
    setenv("OLLAMA_BASE_URL", "http://127.0.0.1:11434", 1);
    c = from_environment();
    assert_true(c->router.tier_count == 0 && !c->router.has_baseline && str_eqz(c->provider[0].base_path, "/v1"));
    says(c, "llama3", DIALECT_OPENAI, "target ollama/llama3");
    says(c, "auto:light", DIALECT_OPENAI, "none");
    config_unpin(c);

    clean_environment(state);
    setenv("AZURE_OPENAI_API_KEY", "k", 1);
    c = from_environment(); /* a key without an address is not enough */
    assert_true(c->simulated);
    config_unpin(c);
    setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com", 1);
    c = from_environment();
    assert_true(str_eqz(c->provider[0].base_path, "/openai/v1") && c->provider[0].auth == AUTH_API_KEY);
    config_unpin(c);
}

static void test_environment_access(void **state) {
    (void)state;
    err e = {{0}};
    setenv("DRAY_LISTEN", "0.0.0.0:4000", 1);
    assert_null(config_load(NULL, &e));
    setenv("DRAY_KEY", "secret", 1);
    struct config *c = from_environment();
    assert_true(c->keys_required && config_key(c, STR("secret")));
    config_unpin(c);
    /* A client's own setting must not make dray call itself. */
    clean_environment(state);
    setenv("OPENAI_API_KEY", "k", 1);
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:4000/v1", 1);
    assert_null(config_load(NULL, &e));
    assert_non_null(strstr(e.msg, "where dray itself listens"));
    /* A file that names no providers takes those of the environment. */
    clean_environment(state);
    setenv("XAI_API_KEY", "k", 1);
    c = good("mode: observe\n");
    assert_true(str_eqz(c->provider[0].name, "xai") && c->router.tier_count == 3);
    config_unpin(c);
    setenv("DRAY_CONFIG", "/does/not/exist.yaml", 1);
    assert_null(config_load(NULL, &e));
    assert_string_equal(e.msg, "/does/not/exist.yaml: No such file or directory");
}

int main(void) {
    char dir[] = "/tmp/dray-resolve-XXXXXX"; /* away from a dray.yaml in the working directory */
    if (!mkdtemp(dir) || chdir(dir) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_names, clean_environment),
        cmocka_unit_test_setup(test_slashes, clean_environment),
        cmocka_unit_test_setup(test_targets, clean_environment),
        cmocka_unit_test_setup(test_prices, clean_environment),
        cmocka_unit_test_setup(test_list, clean_environment),
        cmocka_unit_test_setup(test_each_key, clean_environment),
        cmocka_unit_test_setup(test_environment, clean_environment),
        cmocka_unit_test_setup(test_environment_access, clean_environment),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return failed;
}
