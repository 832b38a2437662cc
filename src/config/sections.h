/* sections: what the keys of each section are read into before they are checked and put into the snapshot.
 * Private to src/config; the rows are in options.c. */
#ifndef DRAY_CONFIG_SECTIONS_H
#define DRAY_CONFIG_SECTIONS_H

#include "config/build.h"

struct provider_in {
    const ynode *kind, *base_url, *api_key, *api_keys, *api_key_file, *api_key_command, *headers, *forward_headers;
    const ynode *timeout, *ca_file, *price, *prices;
    const ynode *region, *project, *profile, *credentials_file, *api_version;
    uint32_t max_connections;
    unsigned stream_usage;
};

struct model_in {
    const ynode *provider, *model, *price;
    unsigned reroute;
    uint32_t context;
};

struct tier_in {
    const ynode *targets, *balance;
};

struct target_in {
    const ynode *model;
    uint32_t weight;
};

struct key_in {
    const ynode *key;
    str name, team;
    bool admin;
};

struct keep_in {
    uint64_t calls, bodies;
};

struct semantic_in {
    const ynode *routes, *table, *threshold;
};

struct gpu_in {
    const ynode *gpu_hour;
    uint64_t tokens_per_hour;
};

#endif
