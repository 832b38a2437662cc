/* semantic: the `semantic` section: which table, then the routes. A table is opened only where there are routes.
 */
#include "config/build.h"
#include "config/sections.h"
#include "config/shipped.h"

#include "brain/semantic.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Views a file; munmap() what comes. False with a message, without a file too. */
static bool map_file(const char *path, size_t max, str *out, err *e) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(e, "%s: %s", path, strerror(errno));
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!good || st.st_size <= 0 || (uint64_t)st.st_size > max) {
        close(fd);
        return fail(e, "%s: %s", path, good ? "too large, or empty" : "not a file");
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (p == MAP_FAILED) return fail(e, "%s: %s", path, strerror(errno));
    *out = str_make(p, (size_t)st.st_size);
    return true;
}

static void unmap(str s) {
    if (s.p) munmap((void *)s.p, s.n);
}

static bool import(struct build *b, const char *dir, struct embed *out, err *e) {
    str weights = STR_NONE, tokenizer = STR_NONE;
    str w = arena_printf(b->a, "%s/model.safetensors", dir), t = arena_printf(b->a, "%s/tokenizer.json", dir);
    bool good = map_file(w.p, EMBED_FILE_MAX, &weights, e) && map_file(t.p, EMBED_TOKENIZER_MAX, &tokenizer, e) &&
                embed_import(weights, tokenizer, b->a, out, e);
    unmap(weights);
    unmap(tokenizer);
    return good;
}

static bool load(struct build *b, const char *path, struct embed *out, err *e) {
    struct stat st;
    str block;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return import(b, path, out, e);
    if (!map_file(path, EMBED_ROWS_MAX, &block, e)) return false;
    str copy = arena_str(b->a, block);
    unmap(block);
    return embed_open(copy, b->a, out, e);
}

/* The table, NULL for none. */
static bool build_table(struct build *b, const ynode *n, const struct embed **out) {
    str name = STR("built-in");
    struct embed *t = arena_new(b->a, struct embed);
    err why = {{0}};
    *out = NULL;
    if (n && !yaml_str(n, &name, b->e)) return false;
    if (str_eqz(name, "none")) return true;
    bool own = !str_eqz(name, "built-in");
    if (b->parts && own) return yaml_fail(b->e, n, "files are not read here");
    str built_in = b->parts && b->parts->table.p ? b->parts->table : shipped_table();
    bool good =
        own ? load(b, arena_strz(b->a, build_path(b, name)), t, &why) : embed_open(built_in, b->a, t, &why);
    if (!good) return n ? yaml_fail(b->e, n, "table: %s", why.msg) : fail(b->e, "the built-in table: %s", why.msg);
    *out = t;
    return true;
}

bool build_semantic(struct build *b) {
    struct semantic_in in = {0};
    const struct embed *table;
    double threshold = -1;
    const ynode *n = b->top.semantic;
    if (!n || yaml_is_null(n)) return true;
    if (!options_read(b, SECTION_SEMANTIC, n, &in)) return false;
    if (!in.routes) return yaml_fail(b->e, n, "\"routes\" is missing");
    if (in.threshold && !yaml_f64(in.threshold, 0, 1, &threshold, b->e)) return false;
    if (!build_table(b, in.table, &table)) return false;
    b->c->router.semantic = semantic_compile(in.routes, threshold, table, b->a, b->e);
    return b->c->router.semantic != NULL;
}
