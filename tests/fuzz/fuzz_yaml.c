/* Configuration text: parsed or refused with a place, never worse. */
#include "base/yaml.h"
#include "fuzz.h"

static void walk(const ynode *n, unsigned depth) {
    MUST(depth <= YAML_DEPTH_MAX + 1);
    char shown[64];
    uint64_t u;
    double d;
    err e = {0};
    MUST(strlen(yaml_shown(n, shown)) < sizeof shown);
    if (n->type == Y_SCALAR) {
        yaml_duration(n, &u, &e);
        yaml_size(n, &u, &e);
        yaml_u64(n, 0, 10, &u, &e);
        yaml_f64(n, -1, 1, &d, &e);
    }
    for (const ynode *c = n->child; c; c = c->next) walk(c, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    if (n > 20000) return 0;
    arena a;
    arena_init(&a, 4096, 256 << 20);
    ynode *root = NULL;
    err e = {0};
    if (yaml_parse((str){(const char *)p, n}, "f.yaml", &a, &root, &e)) walk(root, 0);
    arena_free(&a);
    return 0;
}
