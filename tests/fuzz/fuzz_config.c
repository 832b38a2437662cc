/* Configurations: a snapshot or a refusal with a place; names resolve; nothing leaks, nothing is run. */
#include "config/build.h"
#include "fuzz.h"

/* In place of config/command.c: what a fuzzer makes up must not run. */
bool secret_command(struct build *b, const ynode *at, str *out) {
    *out = STR("sk-command");
    return at != NULL && b != NULL;
}

static void see(void *ctx, str id, str owner) {
    MUST(id.n && owner.n);
    ++*(unsigned *)ctx;
}

static void look(struct config *c, str text) {
    struct resolution r;
    unsigned count = 0;
    config_each_model(c, see, &count);
    MUST(count > 0 && c->listen_count > 0 && c->provider_count > 0 && c->version.n == 12);
    config_resolve(c, str_take(text, 40), DIALECT_OPENAI, &r);
    config_resolve(c, STR("auto:light"), DIALECT_OPENAI, &r);
    for (uint32_t i = 0; i < c->name_count; i++) {
        config_resolve(c, c->name[i].name, DIALECT_OPENAI, &r);
        MUST(r.what == RESOLVED_TARGET && r.id >= 0);
    }
    for (uint32_t t = 0; t < c->router.tier_count; t++)
        for (unsigned i = 0; i < c->router.tier[t].count; i++)
            MUST(c->router.tier[t].target[i] < c->router.target_count);
    for (unsigned i = 0; i < c->listen_count; i++) MUST(c->keys_required || c->listen[i].loopback);
    config_key(c, str_take(text, 40));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    str text = {(const char *)p, n};
    if (n > 20000 || str_find(text, STR("/dev/")) >= 0) return 0; /* devices could make a file wait */
    err e = {{0}};
    struct config *c = config_parse(text, "f.yaml", &e);
    MUST(c || str_starts(str_from(e.msg), STR("f.yaml:")) || str_starts(str_from(e.msg), STR("environment:")));
    if (c) look(c, text);
    config_unpin(c);
    return 0;
}
