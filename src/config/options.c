/* options: every key of a configuration file is a row here. Reading, "did you mean", the refusal of what is
 * not there yet, and the reference in docs/configuration.md come from the rows. */
#include "config/build.h"
#include "config/sections.h"

#include "books/record.h"
#include "net/http1.h"

#include <stddef.h>
#include <stdio.h>

enum type {
    T_BOOL,     /* bool */
    T_U32,      /* uint32_t */
    T_U64,      /* uint64_t */
    T_WORD,     /* unsigned: index of `words` */
    T_DURATION, /* uint64_t microseconds */
    T_SIZE,     /* uint64_t bytes */
    T_SIZE32,   /* uint32_t bytes */
    T_STR,      /* str */
    T_NODE,     /* const ynode *: read by the section's own code */
    T_LATER,    /* of the contract, not there yet: refused */
};

struct option {
    const char *key;
    enum type type;
    size_t at;
    const char *form;     /* what is written: "true or false", "list of names" */
    const char *standard; /* default, as text; "" for none */
    const char *help;
    const char *const *words; /* T_WORD */
    uint64_t min, max;        /* numbers, durations, sizes; max 0: no bound */
};

static const char *const modes[] = {"route", "observe", NULL};
static const char *const reroutes[] = {"auto-only", "always", "never", NULL};
static const char *const stream_usages[] = {"inject", "observe", NULL};
static const char *const fulls[] = {"serve", "refuse", NULL};
static const char *const translations[] = {"strict", "warn", "drop", NULL};
static const char *const disconnects[] = {"cancel", "finish", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

#define AT(type, field) offsetof(struct type, field)
#define LATER(key)                                                                                                \
    { key, T_LATER, 0, "", "", "", NULL, 0, 0 }
#define END                                                                                                       \
    { NULL, T_LATER, 0, NULL, NULL, NULL, NULL, 0, 0 }

static const struct option top_options[] = {
    {"listen", T_NODE, AT(top, listen), "address:port, [IPv6]:port, unix:PATH, or a list of them",
     "127.0.0.1:4000",
     "Where clients connect. `$DRAY_LISTEN` (comma-separated) overrides it. An address that other machines can "
     "reach "
     "needs `keys`.",
     NULL, 0, 0},
    {"keys", T_NODE, AT(top, keys), "list of keys, or of maps (below)",
     "none: any credential is accepted and ignored",
     "What clients must show, as `authorization: Bearer`, `x-api-key` or `x-goog-api-key`.", NULL, 0, 0},
    {"admin_key", T_NODE, AT(top, admin_key), "text",
     "none: the admin API is open on loopback while there are no keys",
     "The key of the admin API and of `dray override` and `dray top`.", NULL, 0, 0},
    {"providers", T_NODE, AT(top, providers), "map: name to provider (below)",
     "those whose keys are in the environment",
     "Who answers. The name is what `provider/model` and the ledger say.", NULL, 0, 0},
    {"models", T_NODE, AT(top, models), "map: name to model (below), or to the name of another model", "none",
     "Names of your own for models, with prices and limits where you know better.", NULL, 0, 0},
    {"tiers", T_NODE, AT(top, tiers), "map: name to tier (below), or to a list of models",
     "light, mid and frontier from each provider's usual models",
     "Classes of models, cheapest first. `light`, `mid` and `frontier` keep that order however they are written.",
     NULL, 0, 0},
    {"policy", T_NODE, AT(top, policy), "list of rules {name, when, use}", "the built-in rules",
     "Which call goes to which tier or model: the first rule that matches.", NULL, 0, 0},
    {"labels", T_NODE, AT(top, labels), "list of {when, set}", "none",
     "Says the task or the stakes of calls without a change of code; a request's own hint wins.", NULL, 0, 0},
    {"semantic", T_NODE, AT(top, semantic), "map (below)", "none",
     "Routes by example sentences, for rules and labels that ask `semantic: NAME`.", NULL, 0, 0},
    {"baseline", T_NODE, AT(top, baseline), "tier or model", "frontier, else the last tier",
     "Where a call would have gone without routing, when the client named no model: savings are against it.", NULL,
     0, 0},
    {"mode", T_WORD, AT(top, mode), "route or observe", "route",
     "`observe`: every call goes where it was asked to go (`auto` to the baseline), and the ledger says what the "
     "policy "
     "would have done.",
     modes, 0, 0},
    {"reroute", T_WORD, AT(top, reroute), "auto-only, always or never", "auto-only",
     "Whether the policy also decides calls that name a model: by default it does not; `always`: it does; "
     "`never`: not "
     "even hints move them. For one model: in `models`.",
     reroutes, 0, 0},
    {"stream_usage", T_WORD, AT(top, stream_usage), "inject or observe", "inject",
     "`inject` asks OpenAI-dialect providers for the usage of streams where they have to be asked, and takes it "
     "out again "
     "for clients that did not ask. For one provider: in `providers`.",
     stream_usages, 0, 0},
    {"timeout", T_NODE, AT(top, timeout), "duration of the whole attempt, or a map (below)", "see below",
     "Time limits of one attempt at one provider. For one provider: in `providers`.", NULL, 0, 0},
    {"routing_model", T_NODE, AT(top, routing_model), "built-in, none, or file", "built-in",
     "What reads the prompts of routed calls: the model that dray ships with, one that `dray learn` made of your "
     "own "
     "calls, or `none`: phrases alone say the task, and there is no difficulty.",
     NULL, 0, 0},
    {"prices", T_NODE, AT(top, prices), "file, in LiteLLM's format", "none",
     "Prices over those of the built-in catalogue.", NULL, 0, 0},
    {"ledger", T_NODE, AT(top, ledger), "sqlite:PATH", "sqlite:dray.db, beside this file",
     "Where calls are recorded.", NULL, 0, 0},
    {"spool", T_NODE, AT(top, spool), "directory", "`spool` beside the ledger",
     "Where records wait until they are in the ledger. On a local disk.", NULL, 0, 0},
    {"ledger_fsync", T_BOOL, AT(top, fsync), "true or false", "false",
     "Whether each record is forced to the disk before its call ends. Without it records survive a crash of dray, "
     "not of "
     "the machine.",
     NULL, 0, 0},
    {"on_ledger_full", T_WORD, AT(top, on_full), "serve or refuse", "serve",
     "When a call can't be recorded: `serve` goes on, counts it and raises the alarm; `refuse` answers 503.",
     fulls, 0, 0},
    {"keep", T_NODE, AT(top, keep), "map (below)", "for ever", "How long records are kept.", NULL, 0, 0},
    {"on_disconnect", T_WORD, AT(top, on_disconnect), "cancel or finish", "cancel",
     "What happens to a call whose client has gone: `finish` lets the provider's answer come to its end and into "
     "the "
     "ledger.",
     disconnects, 0, 0},
    {"fetch_allow", T_NODE, AT(top, fetch_allow), "list of host names or addresses", "none",
     "Pictures and files named by URL are fetched where a provider wants their bytes (bedrock), from public "
     "addresses "
     "only. From these hosts also when their addresses are private.",
     NULL, 0, 0},
    {"translation", T_WORD, AT(top, translation), "strict, warn or drop", "strict",
     "What happens to a request with something that the provider's dialect has no place for: `strict` refuses it "
     "with a 400 that names the parameter, or goes to the next target where one can; `warn` and `drop` leave it "
     "out, and `warn` writes a line to the log. What is left out stands in `x-dray-dropped` and in the ledger. "
     "What cannot change the answer's meaning is never refused.",
     translations, 0, 0},
    {"limits", T_NODE, AT(top, limits), "map (below)", "see below", "Bounds on what clients may do.", NULL, 0, 0},
    {"workers", T_U64, AT(top, workers), "number", "one per core, at most 4", "Threads that serve calls.", NULL, 1,
     256},
    {"gateway", T_STR, AT(top, gateway), "text", "the machine's name",
     "What this gateway is called in the ledger.", NULL, 1, 64},
    {"ca_file", T_NODE, AT(top, ca_file), "file", "the system's",
     "Certificates to trust for TLS to providers. For one provider: in `providers`.", NULL, 0, 0},
    {"log_level", T_WORD, AT(top, log_level), "debug, info, warn or error", "info", "What is logged.", levels, 0,
     0},
    {"include", T_NODE, AT(top, include), "file, or list of files", "none",
     "Files whose keys count as if they stood here; paths are beside this file. `providers`, `models`, `tiers`, "
     "`keys`, "
     "`policy` and `labels` are joined, included ones first; any other key may stand in one of them only.",
     NULL, 0, 0},
    LATER("tls"),
    LATER("proxy"),
    LATER("cors"),
    LATER("shared"),
    END};

static const struct option provider_options[] = {
    {"kind", T_NODE, AT(provider_in, kind), "kind of provider (below)", "the provider's name, when that is a kind",
     "Says the address, the dialect, the quirks and the catalogue of models.", NULL, 0, 0},
    {"base_url", T_NODE, AT(provider_in, base_url), "http:// or https:// URL", "the kind's",
     "Where the API is, with its version (`/v1`). Without a path the kind's own is taken.", NULL, 0, 0},
    {"api_key", T_NODE, AT(provider_in, api_key), "text, or `client`",
     "the kind's environment variable, without base_url",
     "The credential. `client`: the client's own credential goes up.", NULL, 0, 0},
    {"api_keys", T_NODE, AT(provider_in, api_keys), "list of texts", "none",
     "Several credentials that take turns, each with its own pause when it is rate-limited.", NULL, 0, 0},
    {"api_key_file", T_NODE, AT(provider_in, api_key_file), "file", "none", "A file that holds the credential.",
     NULL, 0, 0},
    {"api_key_command", T_NODE, AT(provider_in, api_key_command), "shell command", "none",
     "A command that prints the credential, run by /bin/sh when the configuration is read (at most 10 s).", NULL,
     0, 0},
    {"region", T_NODE, AT(provider_in, region), "text",
     "`AWS_REGION`, the profile's (bedrock); `GOOGLE_CLOUD_LOCATION`, `global` (vertex)",
     "Where a cloud's models are asked.", NULL, 0, 0},
    {"project", T_NODE, AT(provider_in, project), "text", "`GOOGLE_CLOUD_PROJECT`, the credentials file's",
     "Google Cloud project (vertex).", NULL, 0, 0},
    {"profile", T_NODE, AT(provider_in, profile), "text",
     "the access key in the environment, else `AWS_PROFILE`, else `default`",
     "Profile of `~/.aws/credentials` and `~/.aws/config` (bedrock).", NULL, 0, 0},
    {"credentials_file", T_NODE, AT(provider_in, credentials_file), "file", "`GOOGLE_APPLICATION_CREDENTIALS`",
     "A service account's key, or a user's default credentials, as JSON (vertex).", NULL, 0, 0},
    {"api_version", T_NODE, AT(provider_in, api_version), "text", "none: `/openai/v1`",
     "Azure's older form: the deployment in the path, this version in the query (azure).", NULL, 0, 0},
    {"headers", T_NODE, AT(provider_in, headers), "map: name to text", "none", "Headers added to each request.",
     NULL, 0, 0},
    {"forward_headers", T_NODE, AT(provider_in, forward_headers), "list of names", "none",
     "Headers of the client that are passed on, beside those of the dialect.", NULL, 0, 0},
    {"timeout", T_NODE, AT(provider_in, timeout), "duration of the whole attempt, or a map (below)",
     "the top level's", "Time limits of one attempt.", NULL, 0, 0},
    {"max_connections", T_U32, AT(provider_in, max_connections), "number", "0: no limit",
     "Connections per worker.", NULL, 0, 65535},
    {"stream_usage", T_WORD, AT(provider_in, stream_usage), "inject or observe", "the top level's",
     "See the top level.", stream_usages, 0, 0},
    {"ca_file", T_NODE, AT(provider_in, ca_file), "file", "the top level's", "Certificates to trust.", NULL, 0, 0},
    {"price", T_NODE, AT(provider_in, price), "price (below)", "the catalogue's", "The price of all its models.",
     NULL, 0, 0},
    {"prices", T_NODE, AT(provider_in, prices), "map: upstream model to price (below)", "the catalogue's",
     "Prices of single models.", NULL, 0, 0},
    LATER("retry"),
    LATER("proxy"),
    END};

static const struct option model_options[] = {
    {"provider", T_NODE, AT(model_in, provider), "name of a provider", "", "Who serves it.", NULL, 0, 0},
    {"model", T_NODE, AT(model_in, model), "text", "the name itself", "What the provider calls it.", NULL, 0, 0},
    {"price", T_NODE, AT(model_in, price), "price (below)", "the provider's, else the catalogue's",
     "What it costs.", NULL, 0, 0},
    {"reroute", T_WORD, AT(model_in, reroute), "auto-only, always or never", "the top level's",
     "See the top level.", reroutes, 0, 0},
    {"context", T_U32, AT(model_in, context), "number of tokens", "the catalogue's", "Its context window.", NULL,
     1, UINT32_MAX},
    END};

static const struct option tier_options[] = {
    {"targets", T_NODE, AT(tier_in, targets), "list of models, or of {model, weight}", "",
     "Configured names, provider/model, or names that the catalogue knows; at most 16.", NULL, 0, 0},
    {"balance", T_NODE, AT(tier_in, balance), "priority, weighted or cost", "priority",
     "Which target is tried first: the first one; one by lot, by weight; the one whose call is expected to cost "
     "least.",
     NULL, 0, 0},
    END};

static const struct option target_options[] = {
    {"model", T_NODE, AT(target_in, model), "name", "", "As in a plain list.", NULL, 0, 0},
    {"weight", T_U32, AT(target_in, weight), "number", "1", "Its share with `balance: weighted`.", NULL, 0,
     1000000},
    END};

static const struct option key_options[] = {
    {"key", T_NODE, AT(key_in, key), "text", "", "The key.", NULL, 0, 0},
    {"name", T_STR, AT(key_in, name), "text", "key-1, key-2 …", "What rules and the ledger call it.", NULL, 1, 64},
    {"team", T_STR, AT(key_in, team), "text", "none", "Its team, for rules and reports.", NULL, 1, 64},
    {"admin", T_BOOL, AT(key_in, admin), "true or false", "false", "Whether it opens the admin API too.", NULL, 0,
     0},
    END};

static const struct option timeout_options[] = {
    {"connect", T_DURATION, AT(timeouts, connect), "duration", "5s", "To a connection, TLS included.", NULL, 0, 0},
    {"first_byte", T_DURATION, AT(timeouts, first_byte), "duration", "10m",
     "From the request to the answer's first byte.", NULL, 0, 0},
    {"idle", T_DURATION, AT(timeouts, idle), "duration", "2m", "Between two pieces of the answer.", NULL, 0, 0},
    {"total", T_DURATION, AT(timeouts, total), "duration", "1h",
     "The whole attempt. 0 means none, here and above.", NULL, 0, 0},
    END};

static const struct option limit_options[] = {
    {"body_max", T_SIZE, AT(limits, body_max), "size", "64MB", "Request body.", NULL, 1024, 1u << 30},
    {"head_max", T_SIZE32, AT(limits, head_max), "size", "64k", "Request line and headers.", NULL, 1024, 1u << 20},
    {"hold_max", T_SIZE32, AT(limits, hold_max), "size", "1MB",
     "Answers up to this are held for the cost headers; larger ones flow.", NULL, 0, 64u << 20},
    {"client_head", T_DURATION, AT(limits, client_head_us), "duration", "10s", "Until the whole head has come.",
     NULL, 1, 0},
    {"client_body", T_DURATION, AT(limits, client_body_us), "duration", "30s", "Between pieces of the body.", NULL,
     1, 0},
    {"client_idle", T_DURATION, AT(limits, client_idle_us), "duration", "75s",
     "Between requests of one connection.", NULL, 1, 0},
    {"client_write", T_DURATION, AT(limits, client_write_us), "duration", "60s",
     "A client that reads nothing for this long is cut off.", NULL, 1, 0},
    {"client_connections", T_U32, AT(limits, client_connections), "number", "16384", "Over all workers.", NULL, 1,
     1u << 20},
    {"drain", T_DURATION, AT(limits, drain_us), "duration", "30s", "How long a stop waits for calls to end.", NULL,
     0, 0},
    END};

static const struct option keep_options[] = {
    {"calls", T_DURATION, AT(keep_in, calls), "duration", "for ever", "Records of calls.", NULL, 0, 0},
    {"bodies", T_DURATION, AT(keep_in, bodies), "duration", "for ever",
     "Texts of requests and answers. No effect yet: none are kept.", NULL, 0, 0},
    END};

static const struct option gpu_options[] = {
    {"gpu_hour", T_NODE, AT(gpu_in, gpu_hour), "dollars", "", "What an hour of the machine costs.", NULL, 0, 0},
    {"tokens_per_hour", T_U64, AT(gpu_in, tokens_per_hour), "number", "",
     "Tokens, in and out, that it serves in an hour.", NULL, 1, INT64_MAX},
    END};

static const struct option semantic_options[] = {
    {"routes", T_NODE, AT(semantic_in, routes), "map: name to sentences, or to {examples, threshold}", "",
     "Sentences as users say them, ten or so for each name; what a prompt is nearest to is its route.", NULL, 0,
     0},
    {"threshold", T_NODE, AT(semantic_in, threshold), "0 to 1", "suggested by the examples",
     "How near a prompt must be. `dray check` says what the examples suggest, and what comes of it.", NULL, 0, 0},
    {"table", T_NODE, AT(semantic_in, table), "`built-in`, `none`, a file, or a directory", "built-in",
     "The static embedding: dray's own (English), none (words only), a table of script/distill, or a model2vec "
     "directory with `model.safetensors` and `tokenizer.json`.",
     NULL, 0, 0},
    END};

static const struct {
    const char *title, *what; /* of messages; of the manual */
    const struct option *rows;
} sections[SECTION_COUNT] = {
    [SECTION_TOP] = {"Top level", NULL, top_options},
    [SECTION_PROVIDER] = {"A provider", NULL, provider_options},
    [SECTION_MODEL] = {"A model", NULL, model_options},
    [SECTION_TIER] = {"A tier", NULL, tier_options},
    [SECTION_TARGET] = {"A target of a tier, as a map", NULL, target_options},
    [SECTION_KEY] = {"A key, as a map", NULL, key_options},
    [SECTION_TIMEOUT] = {"Timeouts", NULL, timeout_options},
    [SECTION_LIMITS] = {"Limits", NULL, limit_options},
    [SECTION_KEEP] = {"Keep", NULL, keep_options},
    [SECTION_SEMANTIC] = {"Semantic", NULL, semantic_options},
    [SECTION_GPU] = {"A price by the machine's hour", NULL, gpu_options},
};

/* What users of other gateways write, and what it is called here. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {{"api_base", "base_url"},
                {"location", "region"},
                {"aws_region_name", "region"},
                {"aws_profile_name", "profile"},
                {"vertex_project", "project"},
                {"vertex_location", "region"},
                {"vertex_credentials", "credentials_file"},
                {"url", "base_url"},
                {"endpoint", "base_url"},
                {"type", "kind"},
                {"key", "api_key"},
                {"token", "api_key"},
                {"host", "listen"},
                {"port", "listen"},
                {"bind", "listen"},
                {"address", "listen"},
                {"rules", "policy"},
                {"routes", "policy"},
                {"master_key", "admin_key"},
                {"database_url", "ledger"},
                {"strategy", "balance"},
                {"aliases", "models"},
                {"virtual_keys", "keys"},
                {"api_keys", "keys"},
                {"members", "targets"},
                {"retention", "keep"},
                {"id", "model"},
                {"request_timeout", "timeout"}};

enum { KEYS_MAX = 48 };

static const struct option *find(enum section s, str key) {
    for (const struct option *o = sections[s].rows; o->key; o++)
        if (str_eqz(key, o->key)) return o;
    return NULL;
}

/* The top-level keys of a LiteLLM proxy's file. */
static bool is_litellm(enum section s, str key) {
    static const char *const keys[] = {"model_list", "litellm_settings", "router_settings", "general_settings"};
    for (size_t i = 0; s == SECTION_TOP && i < sizeof keys / sizeof *keys; i++)
        if (str_eqz(key, keys[i])) return true;
    return false;
}

static bool unknown(struct build *b, enum section s, const ynode *n) {
    if (is_litellm(s, n->key))
        return yaml_fail_key(b->e, n, "this is a LiteLLM configuration; `dray import litellm FILE` converts it");
    const char *known[KEYS_MAX];
    unsigned count = 0;
    for (const struct option *o = sections[s].rows; o->key; o++)
        if (o->type != T_LATER) known[count++] = o->key;
    known[count] = NULL;
    str key = str_take(n->key, 40);
    const char *near = yaml_nearest(n->key, known);
    for (size_t i = 0; !near && i < sizeof synonyms / sizeof *synonyms; i++)
        if (str_eqz(n->key, synonyms[i].theirs) && find(s, str_from(synonyms[i].ours))) near = synonyms[i].ours;
    if (near) return yaml_fail_key(b->e, n, "unknown key \"%.*s\": did you mean \"%s\"?", STR_ARG(key), near);
    str list = STR_NONE;
    for (unsigned i = 0; i < count; i++)
        list = arena_printf(b->a, "%.*s%s%s", STR_ARG(list), i ? ", " : "", known[i]);
    return yaml_fail_key(b->e, n, "unknown key \"%.*s\"; known are %.*s", STR_ARG(key), STR_ARG(list));
}

static bool in_range(struct build *b, const struct option *o, const ynode *n, uint64_t v) {
    if (v >= o->min && (!o->max || v <= o->max)) return true;
    if (o->type == T_DURATION) return yaml_fail(b->e, n, "must be more than nothing");
    return yaml_fail(b->e, n, "must be between %llu and %llu", (unsigned long long)o->min,
                     (unsigned long long)o->max);
}

static bool read_text(struct build *b, const struct option *o, const ynode *n, str *out) {
    if (!yaml_str(n, out, b->e)) return false;
    if (out->n < o->min || (o->max && out->n > o->max))
        return yaml_fail(b->e, n, "must have %llu to %llu characters", (unsigned long long)o->min,
                         (unsigned long long)o->max);
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ') return yaml_fail(b->e, n, "must not have control characters");
    return true;
}

static bool read_one(struct build *b, const struct option *o, const ynode *n, void *at) {
    uint64_t v = 0;
    switch (o->type) {
    case T_BOOL: return yaml_bool(n, at, b->e);
    case T_WORD: return yaml_word(n, o->words, at, b->e);
    case T_STR: return read_text(b, o, n, at);
    case T_NODE: *(const ynode **)at = n; return true;
    case T_U32:
    case T_U64:
        if (!yaml_u64(n, o->min, o->max ? o->max : UINT64_MAX, &v, b->e)) return false;
        break;
    case T_DURATION:
        if (!yaml_duration(n, &v, b->e) || !in_range(b, o, n, v)) return false;
        break;
    case T_SIZE:
    case T_SIZE32:
        if (!yaml_size(n, &v, b->e) || !in_range(b, o, n, v)) return false;
        break;
    case T_LATER: return yaml_fail_key(b->e, n, "\"%s\" is not supported yet in this version of dray", o->key);
    }
    if (o->type == T_U32 || o->type == T_SIZE32)
        *(uint32_t *)at = (uint32_t)v;
    else
        *(uint64_t *)at = v;
    return true;
}

bool options_read(struct build *b, enum section s, const ynode *map, void *values) {
    char shown[64];
    if (yaml_is_null(map)) return true;
    if (map->type != Y_MAP) return yaml_fail(b->e, map, "expected a map, not %s", yaml_shown(map, shown));
    for (const ynode *n = map->child; n; n = n->next) {
        const struct option *o = find(s, n->key);
        if (!o) return unknown(b, s, n);
        if (o->type != T_NODE && yaml_is_null(n)) return yaml_fail(b->e, n, "\"%s\" has no value", o->key);
        if (!read_one(b, o, n, (char *)values + o->at)) return false;
    }
    return true;
}

/* ---- manuals ---- */

static void document_row(const struct option *o, buf *out) {
    if (!o->help || o->type == T_LATER) return;
    buf_printf(out, "| `%s` | %s | %s | %s |\n", o->key, o->form, *o->standard ? o->standard : "required",
               o->help);
}

static void document_env(const char *name, const char *otherwise, buf *out) {
    if (name)
        buf_printf(out, "`%s` | ", name);
    else
        buf_printf(out, "%s | ", otherwise);
}

static void document_kinds(buf *out) {
    const struct provider_kind *k;
    buf_strz(out, "\n### Kinds of providers\n\n"
                  "| kind | address | other address from | key from | usual light, mid, frontier model |\n"
                  "| --- | --- | --- | --- | --- |\n");
    for (unsigned i = 0; (k = provider_kind_at(i)); i++) {
        bool own = k->base_url[0] == '/';
        buf_printf(out, "| `%s` | %s | ", k->name,
                   k->auth == AUTH_NONE ? "built in"
                   : own                ? "your own"
                                        : k->base_url);
        document_env(k->base_env, "", out);
        document_env(k->key_env, k->auth == AUTH_GOOGLE ? "`credentials_file`" : "none needed", out);
        if (k->light)
            buf_printf(out, "%s, %s, %s |\n", k->light, k->mid, k->frontier);
        else
            buf_strz(out, "say them in `tiers` |\n");
    }
}

static void document_prices(buf *out) {
    buf_strz(out, "\n### A price\n\n`free`; or a price by the machine's hour (above); or a map of classes of "
                  "usage to dollars per "
                  "million tokens (the last ones: to dollars each):");
    for (unsigned c = 0; c < USAGE_CLASSES; c++)
        buf_printf(out, "%s `%s`", c ? "," : "", usage_class_name((enum usage_class)c));
    buf_strz(
        out,
        ". What is not said is billed as providers do: reasoning as output, cached input as input. `batch`, "
        "`flex` and "
        "`priority` take such maps for service tiers, `context` a list of {above: TOKENS, …} for long inputs.\n");
}

void config_document(buf *out) {
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        buf_printf(out, "%s### %s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
                   s ? "\n" : "", sections[s].title);
        for (const struct option *o = sections[s].rows; o->key; o++) document_row(o, out);
    }
    document_prices(out);
    document_kinds(out);
    buf_strz(out, "\n### Not there yet\n\nRefused with a plain message:");
    bool first = true;
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        for (const struct option *o = sections[s].rows; o->key; o++) {
            if (o->type != T_LATER) continue;
            buf_printf(out, "%s `%s`%s", first ? "" : ",", o->key, s == SECTION_PROVIDER ? " of a provider" : "");
            first = false;
        }
    buf_strz(out, ", a PostgreSQL `ledger`, `balance: latency`, `least-busy` and `rate-headroom`.\n");
}

static void limit_value(const struct option *o, const void *at, buf *out) {
    uint64_t v = o->type == T_U32 || o->type == T_SIZE32 ? *(const uint32_t *)at : *(const uint64_t *)at;
    if (o->type == T_DURATION && v % 1000000 == 0)
        buf_printf(out, "%llu s", (unsigned long long)(v / 1000000));
    else if (o->type == T_DURATION)
        buf_printf(out, "%llu us", (unsigned long long)v);
    else
        buf_printf(out, "%llu%s", (unsigned long long)v, o->type == T_U32 ? "" : " bytes");
}

void config_limits(const struct config *c, buf *out) {
    for (const struct option *o = limit_options; o->key; o++) {
        buf_printf(out, "limits.%-20s ", o->key);
        limit_value(o, (const char *)&c->limits + o->at, out);
        buf_printf(out, "  %s\n", o->help);
    }
    static const struct {
        const char *name;
        uint64_t value;
        const char *what;
    } fixed[] = {
        {"yaml.bytes", YAML_BYTES_MAX, "of one configuration file"},
        {"yaml.depth", YAML_DEPTH_MAX, "nested lists and maps"},
        {"yaml.values", YAML_NODES_MAX, "of one configuration file"},
        {"config.includes", CONFIG_INCLUDES_MAX, "files"},
        {"config.listen", CONFIG_LISTEN_MAX, "addresses"},
        {"config.providers", CONFIG_PROVIDERS_MAX, "providers"},
        {"config.provider_keys", CONFIG_KEYS_MAX, "credentials of one provider"},
        {"config.headers", CONFIG_HEADERS_MAX, "headers added to, or passed on to, one provider"},
        {"config.models", CONFIG_NAMES_MAX, "configured names"},
        {"config.keys", CONFIG_CLIENT_KEYS_MAX, "client keys"},
        {"router.tiers", ROUTER_TIERS_MAX, "tiers"},
        {"router.tier_targets", ROUTER_TIER_TARGETS_MAX, "targets of one tier"},
        {"router.targets", ROUTER_TARGETS_MAX, "models in use"},
        {"router.rules", ROUTER_RULES_MAX, "rules of the policy"},
        {"facts.tags", FACTS_TAGS_MAX, "tags of one call"},
        {"facts.named", FACTS_NAMED_MAX, "distinct header.NAME and metadata.NAME in rules"},
        {"http.headers", HTTP_HEADERS_MAX, "headers of one message"},
        {"call.attempts", RECORD_ATTEMPTS_MAX, "providers tried for one call"},
        {"json.depth", JSON_DEPTH_MAX, "nested arrays and objects of a request"},
        {"json.members", JSON_MEMBERS_MAX, "top-level members of a request"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        buf_printf(out, "%-27s %llu  %s\n", fixed[i].name, (unsigned long long)fixed[i].value, fixed[i].what);
}
