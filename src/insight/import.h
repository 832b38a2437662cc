/* import: another gateway's configuration as one of dray's. Every setting that is met is reported with how
 * well it could be carried over; nothing is dropped silently. Credentials written in the source are not
 * copied: the result names environment variables. */
#ifndef DRAY_INSIGHT_IMPORT_H
#define DRAY_INSIGHT_IMPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

enum import_fit { FIT_EXACT, FIT_APPROXIMATE, FIT_MANUAL, FIT_UNSUPPORTED };
enum {
    IMPORT_LINES_MAX = 4000,
    IMPORT_PROVIDERS_MAX = 64,
    IMPORT_MODELS_MAX = 1000,
    IMPORT_KEYS_MAX = 32,
    IMPORT_CHAIN_MAX = 12
};

struct import_line {
    enum import_fit fit;
    str setting; /* "litellm_settings.drop_params" */
    str note;
    unsigned line; /* of the source; 0 not known */
};

struct import_provider {
    str name, kind, base_url, timeout;
    str key[IMPORT_KEYS_MAX]; /* what stands in the result: "${OPENAI_API_KEY}" */
    unsigned keys;
};
struct import_model {
    str name, group; /* configured name; the name clients send */
    unsigned provider;
    str model, price; /* price: flow map or empty */
    str alias_of;
    unsigned weight;
    bool in_tier; /* reached through a tier of its group */
};
struct import_chain {
    str group;
    str to[IMPORT_CHAIN_MAX];
    unsigned count;
};

struct import {
    arena a;
    struct import_line line[IMPORT_LINES_MAX];
    unsigned lines;
    struct import_provider provider[IMPORT_PROVIDERS_MAX];
    unsigned providers;
    struct import_model model[IMPORT_MODELS_MAX];
    unsigned models;
    struct import_chain chain[IMPORT_MODELS_MAX];
    unsigned chains;
    str master_key, timeout;
    bool weighted; /* names with several deployments share calls by weight; else they are tried in order */
};

void import_init(struct import *m);
void import_free(struct import *m);
/* A LiteLLM proxy config.yaml. */
bool import_litellm(struct import *m, const ynode *root, err *e);
/* A Portkey gateway config (JSON text). */
bool import_portkey(struct import *m, str text, err *e);
/* The result as dray.yaml. */
void import_yaml(struct import *m, buf *out);
const char *import_fit_name(enum import_fit f);

/* Shared by the importers. */
void import_note(struct import *m, enum import_fit fit, str setting, unsigned line, const char *note);
/* The provider with this kind and address, made when new; its key is added. */
unsigned import_provider(struct import *m, str kind, str base_url, str key, str timeout);
struct import_model *import_model(struct import *m, str group, unsigned provider, str model);

#endif
