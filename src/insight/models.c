/* models: see models.h.
 *
 * Logs spell one model in many ways ("openai/gpt-4o", "us.anthropic.claude-…-v1:0", "models/gemini-…",
 * "claude-3.7-sonnet", "…-latest"). Names are peeled until the catalogue knows them; a name that it
 * doesn't know keeps its own line and has no price: nothing is guessed from a similar name of another
 * version. */
#include "insight/models.h"

#include "base/hash.h"
#include "base/json.h"
#include "catalog/litellm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = MODELS_MAX * 2, LIST_SLOTS = 16384, LIST_MAX = 8000, NAME_MAX_BYTES = 200 };

struct listed {
    uint64_t key;
    struct price price;
};

struct models {
    arena a;
    struct model *all[MODELS_MAX];
    unsigned count;
    uint32_t slot[SLOTS]; /* index + 1 */
    uint64_t hash[SLOTS];
    struct model *other;
    struct listed *list; /* the user's price list; key 0: free */
    unsigned list_count;
    char version[64];
};

/* ---- names of providers ---- */

static const struct {
    str says, is;
} aliases[] = {
    {STR_INIT("google"), STR_INIT("gemini")},
    {STR_INIT("gcp.gemini"), STR_INIT("gemini")},
    {STR_INIT("gcp.gen_ai"), STR_INIT("gemini")},
    {STR_INIT("gcp.vertex_ai"), STR_INIT("vertex")},
    {STR_INIT("vertex_ai"), STR_INIT("vertex")},
    {STR_INIT("mistralai"), STR_INIT("mistral")},
    {STR_INIT("mistral_ai"), STR_INIT("mistral")},
    {STR_INIT("x-ai"), STR_INIT("xai")},
    {STR_INIT("x_ai"), STR_INIT("xai")},
    {STR_INIT("azure_ai"), STR_INIT("azure")},
    {STR_INIT("az.ai.openai"), STR_INIT("azure")},
    {STR_INIT("azure.ai.openai"), STR_INIT("azure")},
    {STR_INIT("azure.ai.inference"), STR_INIT("azure")},
    {STR_INIT("together_ai"), STR_INIT("together")},
    {STR_INIT("fireworks_ai"), STR_INIT("fireworks")},
    {STR_INIT("aws.bedrock"), STR_INIT("bedrock")},
    {STR_INIT("bedrock_converse"), STR_INIT("bedrock")},
    {STR_INIT("moonshot_ai"), STR_INIT("moonshot")},
    {STR_INIT("moonshotai"), STR_INIT("moonshot")},
    {STR_INIT("qwen"), STR_INIT("alibaba")},
    {STR_INIT("dashscope"), STR_INIT("alibaba")},
    {STR_INIT("z-ai"), STR_INIT("zai")},
    {STR_INIT("cohere_chat"), STR_INIT("cohere")},
    {STR_INIT("text-completion-openai"), STR_INIT("openai")},
};

str provider_alias(str p) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (str_ieq(aliases[i].says, p)) return aliases[i].is;
    return p;
}

static str provider_name(struct models *m, str p) {
    char low[64];
    str s = provider_alias(p);
    if (s.p != p.p || p.n == 0 || p.n >= sizeof low) return s;
    for (size_t i = 0; i < p.n; i++) low[i] = (char)(p.p[i] >= 'A' && p.p[i] <= 'Z' ? p.p[i] + 32 : p.p[i]);
    return arena_str(&m->a, (str){low, p.n});
}

/* ---- the user's price list (LiteLLM's form: dollars per token) ---- */

static struct listed *list_slot(const struct models *m, str name) {
    uint64_t key = fingerprint(name) | 1;
    size_t i = (size_t)key & (LIST_SLOTS - 1);
    while (m->list[i].key && m->list[i].key != key) i = (i + 1) & (LIST_SLOTS - 1);
    return &m->list[i];
}

static bool list_rows(struct models *m, const char *path, str text, err *e) {
    jval root, row;
    str key;
    const char *why;
    size_t at;
    bool esc;
    if (!json_check(text, &root, &why, &at)) return fail(e, "%s: %s at byte %zu", path, why, at);
    snprintf(m->version, sizeof m->version, "list %.40s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    m->list = xcalloc(LIST_SLOTS, sizeof *m->list);
    for (jiter it = json_iter(root);
         root.type == J_OBJECT && m->list_count < LIST_MAX && json_next(&it, &key, &esc, &row);) {
        struct price p;
        if (row.type != J_OBJECT || esc || !litellm_price(row, &p)) continue;
        struct listed *l = list_slot(m, key);
        m->list_count += l->key == 0;
        l->key = fingerprint(key) | 1;
        l->price = p;
        l->price.version = str_from(m->version);
    }
    return m->list_count > 0 ||
           fail(e, "%s: no prices in it: an object of models with input_cost_per_token and so on is wanted", path);
}

static bool list_load(struct models *m, const char *path, err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        fail(e, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return false;
    }
    size_t n = (size_t)st.st_size;
    char *text = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (text == MAP_FAILED) return fail(e, "%s: empty or not readable", path);
    bool good = list_rows(m, path, (str){text, n}, e);
    munmap(text, n);
    return good;
}

/* ---- looking up ---- */

struct found {
    str provider, name;
    const struct price *price;
    uint32_t context, flags;
};

const struct price *models_listed(const struct models *m, str provider, str name) {
    char both[NAME_MAX_BYTES + 72];
    if (!m->list || name.n > NAME_MAX_BYTES) return NULL;
    int n = provider.n && provider.n < 64
                ? snprintf(both, sizeof both, STR_FMT "/" STR_FMT, STR_ARG(provider), STR_ARG(name))
                : 0;
    const struct listed *l = n ? list_slot(m, (str){both, (size_t)n}) : NULL;
    if (!l || !l->key) l = list_slot(m, name);
    return l->key ? &l->price : NULL;
}

static bool try_name(struct models *m, str provider, str name, struct found *f) {
    const struct price *listed = models_listed(m, provider, name);
    const struct model_info *i = catalog_model(provider, name);
    if (listed) {
        *f = (struct found){provider, name, listed, i ? i->context : 0, i ? i->flags : 0};
        return true;
    }
    if (!i) {
        str owner = catalog_provider_of(name);
        if (owner.n && (provider.n == 0 || !provider_kind_find(provider))) i = catalog_model(owner, name);
    }
    if (!i) return false;
    *f = (struct found){i->provider, i->name, i->price, i->context, i->flags};
    return true;
}

/* The same name as its maker writes it: "3.7" as "3-7", without "-latest", "@date", ":free", "-v1:0". */
static str respell(struct models *m, str name, unsigned how) {
    char *p = arena_strz(&m->a, name);
    size_t n = name.n;
    for (size_t i = 0; i < n; i++) {
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
        if (how & 1 && p[i] == '.' && i > 0 && i + 1 < n && p[i - 1] >= '0' && p[i - 1] <= '9' &&
            p[i + 1] >= '0' && p[i + 1] <= '9')
            p[i] = '-';
        if (p[i] == '@' || p[i] == ':') n = i;
    }
    str s = {p, n};
    size_t dated = sizeof "-preview-03-25" - 1; /* a dated preview costs what its model costs */
    if (s.n > dated && str_starts(str_skip(s, s.n - dated), STR("-preview-")) && s.p[s.n - 3] == '-') s.n -= dated;
    if (str_ends(s, STR("-v1")) || str_ends(s, STR("-v2"))) s.n -= 3;
    if (how & 2 && str_ends(s, STR("-latest"))) s.n -= 7;
    if (how & 4 && !str_ends(s, STR("-latest"))) return arena_printf(&m->a, STR_FMT "-latest", STR_ARG(s));
    return s;
}

static bool try_spellings(struct models *m, str provider, str name, struct found *f) {
    if (try_name(m, provider, name, f)) return true;
    for (unsigned how = 0; how < 6; how++)
        if (try_name(m, provider, respell(m, name, how), f)) return true;
    return false;
}

static bool peel(struct models *m, str *provider, str *name) {
    static const str heads[] = {STR_INIT("models/"), STR_INIT("publishers/google/models/"),
                                STR_INIT("us."),     STR_INIT("eu."),
                                STR_INIT("apac."),   STR_INIT("global."),
                                STR_INIT("~")};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (str_starts(*name, heads[i])) return *name = str_skip(*name, heads[i].n), true;
    ptrdiff_t at = str_chr(*name, '/');
    if (at <= 0)
        at = str_starts(*name, STR("anthropic.")) || str_starts(*name, STR("meta.")) ||
                     str_starts(*name, STR("amazon."))
                 ? str_chr(*name, '.')
                 : 0;
    if (at <= 0) return false;
    str head = provider_name(m, str_take(*name, (size_t)at));
    *name = str_skip(*name, (size_t)at + 1);
    if (provider->n == 0 || provider_kind_find(head)) *provider = head;
    return true;
}

static void look_up(struct models *m, struct model *o) {
    str provider = provider_name(m, o->logged_provider), name = o->logged;
    struct found f;
    bool found = false;
    if (provider.n == 0 && str_chr(name, '/') > 0)
        peel(m, &provider, &name); /* whose it is, before who else has it */
    found = try_name(m, provider, name, &f);
    while (!found && peel(m, &provider, &name)) found = try_name(m, provider, name, &f);
    if (!found) found = try_spellings(m, provider, name, &f);
    str owner = found ? STR_NONE : catalog_provider_of(respell(m, name, 1));
    if (!found && owner.n) found = try_spellings(m, owner, name, &f);
    if (!found && str_chr(o->logged, '/') > 0) found = try_name(m, STR("openrouter"), o->logged, &f);
    o->provider = found ? f.provider : provider.n ? provider : owner;
    o->name = found ? f.name : name;
    if (!found) return;
    o->price = f.price;
    o->context = f.context;
    o->flags = f.flags;
}

/* Prices of a batch call. Providers give half; where the list says nothing, half of the list. */
static const struct price *batch_price(struct models *m, const struct price *p) {
    if (!p) return NULL;
    struct price *b = arena_new(&m->a, struct price);
    *b = *p;
    for (unsigned c = 0; c < USAGE_CLASSES; c++) {
        int64_t list = p->rate[SERVICE_DEFAULT][c];
        if (b->rate[SERVICE_BATCH][c] == PRICE_UNKNOWN && list != PRICE_UNKNOWN)
            b->rate[SERVICE_BATCH][c] = (list + 1) / 2;
    }
    return b;
}

static uint64_t key_of(str provider, str name) { return fingerprint(provider) * 31 ^ fingerprint(name) ^ name.n; }

static struct model *add(struct models *m, str provider, str name) {
    struct model *o = arena_new(&m->a, struct model);
    o->logged_provider = arena_str(&m->a, provider);
    o->logged = arena_str(&m->a, name);
    o->index = m->count;
    m->all[m->count++] = o;
    look_up(m, o);
    o->batch = batch_price(m, o->price);
    return o;
}

static const struct model *find(struct models *m, str provider, str name, bool relatives);

static void add_relatives(struct models *m, struct model *o) {
    const struct provider_kind *k = provider_kind_find(o->provider);
    if (!k || !k->light) k = provider_kind_find(catalog_provider_of(o->name));
    if (!k || !k->light) return;
    str p = str_from(k->name);
    o->light = find(m, p, str_from(k->light), false);
    o->mid = k->mid ? find(m, p, str_from(k->mid), false) : NULL;
    o->frontier = k->frontier ? find(m, p, str_from(k->frontier), false) : NULL;
}

static const struct model *find(struct models *m, str provider, str name, bool relatives) {
    name = str_take(name, NAME_MAX_BYTES);
    provider = str_take(provider, 64);
    uint64_t h = key_of(provider, name) | 1;
    size_t i = (size_t)(h >> 7) & (SLOTS - 1);
    for (; m->slot[i]; i = (i + 1) & (SLOTS - 1)) {
        struct model *o = m->all[m->slot[i] - 1];
        if (m->hash[i] == h && str_eq(o->logged, name) && str_eq(o->logged_provider, provider)) {
            if (relatives && !o->light) add_relatives(m, o);
            return o;
        }
    }
    if (m->count >= MODELS_MAX - 8) return m->other;
    m->slot[i] = m->count + 1;
    m->hash[i] = h;
    struct model *o = add(m, provider, name);
    if (relatives) add_relatives(m, o);
    return o;
}

const struct model *models_find(struct models *m, str provider, str name) { return find(m, provider, name, true); }

const struct model *models_named(struct models *m, str name) { return find(m, STR_NONE, name, true); }

const struct model *models_target(struct models *m, str shown, str kind, str name, const struct price *price) {
    if (m->count >= MODELS_MAX) return m->other;
    struct model *o = add(m, kind, name);
    ptrdiff_t slash = str_chr(shown, '/');
    o->provider = slash > 0 ? arena_str(&m->a, str_take(shown, (size_t)slash)) : kind;
    o->name = arena_str(&m->a, slash > 0 ? str_skip(shown, (size_t)slash + 1) : name);
    o->price = price;
    o->batch = batch_price(m, price);
    return o;
}

struct models *models_new(const char *prices, err *e) {
    struct models *m = xcalloc(1, sizeof *m);
    arena_init(&m->a, 16 << 10, 64 << 20);
    snprintf(m->version, sizeof m->version, "%s", catalog_version());
    if (prices && !list_load(m, prices, e)) {
        models_free(m);
        return NULL;
    }
    m->other = add(m, STR_NONE, STR("(other models)"));
    return m;
}

void models_free(struct models *m) {
    if (!m) return;
    arena_free(&m->a);
    free(m->list);
    free(m);
}

unsigned models_count(const struct models *m) { return m->count; }
const struct model *models_at(const struct models *m, unsigned i) { return m->all[i]; }
const char *models_price_version(const struct models *m) { return m->version; }
