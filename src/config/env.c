/* env: the configuration that the environment says, as YAML text, so that a start without a file goes the
 * same way as one with. Values stay in the environment (${NAME}), only names are in the text. */
#include "config/build.h"

#include <stdlib.h>

static bool is_set(const char *name) {
    const char *v = name ? getenv(name) : NULL;
    return v && *v;
}

str env_providers(arena *a, bool *simulated) {
    str text = STR("providers:\n");
    unsigned count = 0;
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        const char *key = is_set(k->key_env) ? k->key_env : is_set(k->key_env2) ? k->key_env2 : NULL;
        const char *base = is_set(k->base_env) ? k->base_env : NULL;
        if (!key && !base) continue;
        if (k->base_url[0] == '/' && !base) continue; /* a key without an address: not enough */
        if (k->auth == AUTH_AWS && !is_set("AWS_REGION") && !is_set("AWS_DEFAULT_REGION")) continue; /* the same */
        text = arena_printf(a, "%.*s  %s:\n    kind: %s\n", STR_ARG(text), k->name, k->name);
        if (key) text = arena_printf(a, "%.*s    api_key: ${%s}\n", STR_ARG(text), key);
        if (base) text = arena_printf(a, "%.*s    base_url: ${%s}\n", STR_ARG(text), base);
        count++;
    }
    *simulated = count == 0;
    return count ? text : STR("providers: {sim: {kind: sim}}\n");
}

str env_config(arena *a) {
    str text = STR("");
    if (is_set("DRAY_KEY")) text = arena_printf(a, "%.*skeys: [${DRAY_KEY}]\n", STR_ARG(text));
    if (is_set("DRAY_ADMIN_KEY")) text = arena_printf(a, "%.*sadmin_key: ${DRAY_ADMIN_KEY}\n", STR_ARG(text));
    return text;
}
