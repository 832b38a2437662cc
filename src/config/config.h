/* config: the immutable snapshot of everything configured (CONTRACT section 6).
 *
 * Built from YAML, or from the environment alone when there is no file. A reload builds a new one
 * and swaps the pointer; each call pins the one it began with. All memory is in the snapshot's
 * arena; strings live as long as the pin. Credentials are held here and nowhere else. */
#ifndef DRAY_CONFIG_CONFIG_H
#define DRAY_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "brain/router.h"
#include "catalog/catalog.h"

#include <stdatomic.h>

enum {
    CONFIG_KEYS_MAX = 64, /* credentials of one provider */
    CONFIG_LISTEN_MAX = 8,
    CONFIG_PROVIDERS_MAX = 256,
    CONFIG_NAMES_MAX = 4096,       /* configured model names */
    CONFIG_CLIENT_KEYS_MAX = 4096, /* keys that clients show */
    CONFIG_HEADERS_MAX = 32,       /* added to, or passed on to, one provider */
    CONFIG_WARNINGS_MAX = 16,
    CONFIG_SECRET_MAX = 16 << 10, /* bytes of one credential */
    CONFIG_INCLUDES_MAX = 32,
};

enum stream_usage { STREAM_USAGE_INJECT, STREAM_USAGE_OBSERVE };
enum reroute { REROUTE_AUTO_ONLY, REROUTE_ALWAYS, REROUTE_NEVER };
enum run_mode { MODE_ROUTE, MODE_OBSERVE };
enum on_full { ON_FULL_SERVE, ON_FULL_REFUSE };
enum on_disconnect { DISCONNECT_CANCEL, DISCONNECT_FINISH };

struct header_pair {
    str name, value; /* name in lower case */
};

/* Time limits of one attempt, microseconds; 0 means none. */
struct timeouts {
    uint64_t connect;    /* name to connected and, with TLS, shaken hands */
    uint64_t first_byte; /* request sent to first byte of the answer */
    uint64_t idle;       /* between bytes of the answer */
    uint64_t total;      /* of the whole attempt */
};

/* A price the user stated for one model of a provider. */
struct model_price {
    str model;
    const struct price *price;
};

/* An access key of AWS, from the environment or a profile. */
struct aws_key {
    str id, secret, session; /* session: empty for long-lived ones */
};

/* Who asks Google for tokens: a service account (it signs), or a user (a refresh token). */
struct google_account {
    str email, key_pem, key_id;                  /* service account */
    str client_id, client_secret, refresh_token; /* user */
    str token_uri, token_host, token_path;       /* token_uri and its parts */
    uint16_t token_port;
    bool token_tls;
};

struct provider {
    str name;
    uint16_t id;
    const struct provider_kind *kind;
    /* where: from base_url */
    bool tls;
    bool standard; /* at the kind's own address */
    str host;      /* name or address, without brackets */
    uint16_t port;
    str host_header; /* "api.openai.com", with port when not the scheme's */
    str base_path;   /* "/v1", no trailing slash; the surface's path without its /v1 goes behind */
    str sim;         /* not empty: the simulated provider stands in, in this dialect ("openai"); host and port are
                        whoever serves fills them in: 127.0.0.1 and 0 until then */
    uint8_t auth;    /* enum auth_style; AUTH_NONE when it has no key */
    /* credentials: exactly one way */
    str key[CONFIG_KEYS_MAX];
    uint16_t key_count;
    bool key_from_client;         /* api_key: client */
    str region, project;          /* of a cloud's kinds */
    str api_version;              /* Azure with deployments in the path; empty: its /openai/v1 */
    struct aws_key aws;           /* AUTH_AWS: signs requests when it has an id; without one keys go as Bearer */
    struct google_account google; /* AUTH_GOOGLE: whose tokens are sent */
    str key_command, key_file;    /* already run or read into key[] when the snapshot was built */
    str forward[CONFIG_HEADERS_MAX]; /* client headers passed on, lower case */
    uint16_t forward_count;
    struct header_pair header[CONFIG_HEADERS_MAX]; /* added to each request */
    uint16_t header_count;
    struct timeouts timeout;
    uint32_t max_connections;         /* per worker; 0: no limit */
    uint8_t stream_usage;             /* enum stream_usage; inject only when the kind accepts stream_options */
    str ca_file;                      /* empty: the system's */
    bool verify;                      /* always true; there is no option to switch it off */
    const struct price *price;        /* of all its models, NULL: not stated */
    const struct model_price *prices; /* of single ones, sorted by model */
    uint32_t price_count;
};

/* A name clients may send: a configured model, an alias. */
struct model_name {
    str name;
    uint16_t target;
    uint8_t reroute; /* enum reroute */
};

struct client_key {
    uint8_t sha256[32]; /* of the credential: the text itself is wiped with the snapshot and used by nobody */
    str name;           /* what the ledger and rules call it; "key-1"… when not named */
    str team;
    bool admin;
};

struct listen_addr {
    str text; /* as written */
    str host; /* address, or path of a unix socket */
    uint16_t port;
    bool is_unix, loopback;
};

/* Bounds on what clients may do; `dray check --limits` prints them. */
struct limits {
    uint64_t body_max;           /* request body bytes, default 64 MiB */
    uint32_t head_max;           /* request head bytes, default 64 kB */
    uint32_t hold_max;           /* answers up to this are held for the cost headers: 1 MiB */
    uint64_t client_head_us;     /* whole head must have come: 10 s */
    uint64_t client_body_us;     /* between pieces of the body: 30 s */
    uint64_t client_idle_us;     /* keep-alive: 75 s */
    uint64_t client_write_us;    /* a client that reads nothing for this long is cut: 60 s */
    uint32_t client_connections; /* over all workers */
    uint64_t drain_us;           /* graceful stop: 30 s */
};

struct price_list; /* the `prices` file; prices.c */

struct config {
    arena a;
    atomic_uint pins;
    str source;  /* file it came from; empty: zero-config */
    str version; /* short hash of the effective configuration without secrets: config_version */
    struct listen_addr listen[CONFIG_LISTEN_MAX];
    uint16_t listen_count;
    uint16_t workers; /* default min(cores, 4) */
    struct provider *provider;
    uint16_t provider_count;
    struct model_name *name; /* sorted by name */
    uint32_t name_count;
    struct router router;
    struct client_key *key; /* the admin_key among them, as "admin" */
    uint32_t key_count;
    bool keys_required;  /* there are `keys`: a client must show one of `key` */
    bool admin_required; /* the admin API wants a key with `admin`; else it is open on loopback without keys */
    str gateway;         /* this gateway's name in the ledger; the machine's unless stated */
    uint8_t log_level;   /* enum log_level */
    str warning[CONFIG_WARNINGS_MAX]; /* what is allowed but likely not meant, one sentence each */
    uint32_t warning_count;
    uint8_t mode;          /* enum run_mode */
    uint8_t reroute;       /* default for names */
    uint8_t on_full;       /* enum on_full */
    uint8_t on_disconnect; /* enum on_disconnect */
    uint8_t translation;   /* enum chat_translation */
    str ca_file;           /* certificates to trust where no provider says its own; empty: the system's */
    str *fetch_allow;      /* hosts that may be fetched from though their addresses are private */
    uint16_t fetch_allow_count;
    str ledger_path; /* SQLite file */
    str spool_dir;
    bool ledger_fsync;
    uint64_t keep_calls_us, keep_bodies_us; /* 0: for ever */
    bool simulated;                         /* no key in the environment: simulated providers stand in */
    struct limits limits;
    const struct price_list *price_list; /* NULL: none */
};

/* Reads `path` (NULL: $DRAY_CONFIG, ./dray.yaml, else zero-config from the environment) and builds a
 * snapshot with one pin. NULL on error, with "file:line:col: message". Reads credential files and runs
 * credential commands. $DRAY_LISTEN overrides `listen`. Not const yet: whoever serves may still fill in
 * the address of simulated providers before it shows the snapshot to other threads. */
struct config *config_load(const char *path, err *e);
/* The same from text in memory (tests, admin). `name` is what errors call it, and beside which relative
 * paths lie. */
struct config *config_parse(str text, const char *name, err *e);
/* What a configuration without I/O is given instead of files. */
struct config_parts {
    str model; /* `routing_model: built-in`, 16-byte aligned; p NULL: the one that dray ships with */
    str table; /* `semantic: {table: built-in}`, likewise */
};
/* For deciding only: touches no file, no environment variable and no global state. ${NAME} stays as written;
 * credentials, listen, keys and the ledger are not looked at; `include`, `prices`, and tables of other files are
 * refused. `parts` must live as long as the snapshot. */
struct config *config_parse_pure(str text, const char *name, const struct config_parts *parts, err *e);
/* Makes it the process's: sets the level of the log and logs the warnings. At start and after a reload. */
void config_announce(const struct config *c);
/* Which options of `now` differ from `before` and only count from the next start on ("listen, workers"); empty
 * when none does. In a static buffer per thread. */
str config_needs_restart(const struct config *before, const struct config *now);
struct config *config_pin(struct config *c);
/* Frees the snapshot with the last pin, and wipes all its memory first. */
void config_unpin(struct config *c);

/* What a model name in a request means. */
enum resolved { RESOLVED_NONE, RESOLVED_AUTO, RESOLVED_TIER, RESOLVED_TARGET };
struct resolution {
    enum resolved what;
    uint32_t tier;        /* RESOLVED_TIER */
    struct target target; /* RESOLVED_TARGET: by value: provider/model names make targets on the fly. Its `name`
                             is empty where it would have to be put together: config_target_name */
    int32_t id;           /* RESOLVED_TARGET: place in router.target, -1: on the fly */
    bool reroute;         /* RESOLVED_TARGET: the policy decides all the same (reroute: always) */
    bool fixed;           /* RESOLVED_TARGET: nothing but this target (reroute: never), whatever hints say */
    bool addressed;       /* RESOLVED_TARGET: by provider/model, which reroute: always doesn't move */
};
/* "auto", "auto:TIER", a configured name, "provider/model", a bare upstream name (CONTRACT section 3).
 * `dialect` is the client's. Strings of the result are views of `model` or of the snapshot. No allocation. */
void config_resolve(const struct config *c, str model, enum dialect dialect, struct resolution *out);
/* The plan of a call whose model name means `named`. False: the plan is that one target (whose id may be -1),
 * chosen by its name. A tier hint that means nothing here gives a plan of no targets. */
bool config_decide(const struct config *c, const struct resolution *named, const struct facts *f, uint64_t draw,
                   struct plan *out);

/* A past call decided again from its recorded facts, with the labels, prices and policy of `c`. */
struct decision {
    struct resolution named; /* what its model name means now; RESOLVED_NONE: nothing, there is no plan */
    struct facts facts;      /* labelled anew */
    struct plan plan;
    bool by_target; /* the plan is named.target and nothing else */
    str missing;    /* not empty: can't be told, a label or rule asks for this, which was not recorded */
};
/* `reroute`: calls that named a model are decided by the policy, too. Strings are views of `past` and `c`. */
void config_decide_again(const struct config *c, const struct facts *past, enum dialect dialect, bool reroute,
                         uint64_t draw, struct decision *out);
/* The decision for a request that is not sent. `body`: a request in OpenAI's dialect, or the text of one user
 * turn; the rest, where not empty, is what hints and headers would say. */
struct ask {
    str body, model, task, stakes, key, team, user;
    const str *tag;
    unsigned tag_count;
};
struct asked {
    struct facts facts;
    struct resolution named;
    struct plan plan;
    const struct target *target; /* a target that was named, for config_write_decision; NULL: the plan's */
};
/* Views in `out` are of `q`, of `c` and of `a`. False when the body is no request, a hint no word, or the model
 * not known. */
bool config_ask(const struct config *c, const struct ask *q, arena *a, struct asked *out, err *e);
/* "provider/model" of a target, as x-dray-model says it. */
str config_target_name(const struct target *t, arena *a);
/* All names for GET /v1/models, each once: auto, tiers as auto:NAME, configured names, the catalogue's models
 * of configured providers as provider/model. The strings are good during the call only. */
void config_each_model(const struct config *c, void (*each)(void *ctx, str id, str owner), void *ctx);
/* The key a client's credential belongs to, NULL when none matches. Constant time per key. */
const struct client_key *config_key(const struct config *c, str credential);
/* The price of an upstream model at a provider: stated for it, stated for the provider, from the `prices`
 * file, from the catalogue; NULL when unknown. */
const struct price *config_price(const struct config *c, const struct provider *p, str model);
/* A configured provider by name, NULL when there is none. */
const struct provider *config_provider(const struct config *c, str name);

/* ---- the options, for manuals ---- */
/* Every option with its type, default and meaning, as Markdown: the reference part of
 * docs/configuration.md, and `dray check --options`. */
void config_document(buf *out);
/* Every bound: of the snapshot, and those compiled in. Lines "name value what". */
void config_limits(const struct config *c, buf *out);

/* The decision as one JSON object with the ledger's names (POST /v1/route, dray route --json): task and its
 * source, difficulty, stakes, rule, tier, provider, model, baseline, candidates, targets in the order they would
 * be tried, propensity, facts, and the rules with their conditions up to the one that matched. `named` is the
 * target of a provider/model name that is not in the router, else NULL. */
void config_write_decision(const struct config *c, const struct facts *f, const struct target *named,
                           const struct plan *p, buf *out);

#endif
