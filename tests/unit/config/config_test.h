/* What the tests of this layer share: a clean environment, parsing, golden messages. */
#ifndef DRAY_TESTS_CONFIG_TEST_H
#define DRAY_TESTS_CONFIG_TEST_H

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Nothing of a developer's own keys gets in. */
static int clean_environment(void **state) {
    (void)state;
    const struct provider_kind *k;
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        if (k->key_env) unsetenv(k->key_env);
        if (k->key_env2) unsetenv(k->key_env2);
        if (k->base_env) unsetenv(k->base_env);
    }
    static const char *const own[] = {"DRAY_CONFIG", "DRAY_LISTEN", "DRAY_KEY",  "DRAY_ADMIN_KEY",
                                      "HTTPS_PROXY", "https_proxy", "AWS_REGION"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) unsetenv(own[i]);
    return 0;
}

static inline struct config *good(const char *text) {
    err e = {{0}};
    struct config *c = config_parse(str_from(text), "t.yaml", &e);
    if (!c) fail_msg("%s\n%s", text, e.msg);
    return c;
}

static inline void refused(const char *text, const char *message) {
    err e = {{0}};
    struct config *c = config_parse(str_from(text), "t.yaml", &e);
    if (c) fail_msg("accepted:\n%s", text);
    if (strcmp(e.msg, message) != 0) fail_msg("%s\nsays %s\nnot  %s", text, e.msg, message);
}

#define UP "providers:\n  up: {kind: openai, base_url: 'http://h:1/v1', api_key: sk-1}\n"

#endif
