/* read_ledger: dray's own ledger (SQLite) as a log: the facts are those that were recorded, so nothing is
 * classified again; the answer's tokens are the provider's. */
#include "insight/format.h"

#include "books/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool log_is_ledger(const char *path) {
    static const char magic[] = "SQLite format 3";
    char head[sizeof magic];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool is = read(fd, head, sizeof head) == sizeof head && memcmp(head, magic, sizeof magic) == 0;
    close(fd);
    return is;
}

static bool each(void *ctx, const struct ledger_call *l) {
    struct log_reader *r = ctx;
    const struct record *rec = &l->f.r;
    struct log_call c;
    char id[37];
    log_call_init(&c);
    uuid_format(id, rec->id);
    c.id = str_make(id, 36);
    c.time_us = rec->time_us;
    c.duration_us = rec->duration_us;
    c.ttft_us = rec->ttft_us;
    c.provider = rec->provider;
    c.model = rec->model.n ? rec->model : rec->requested_model;
    c.requested = rec->requested_model;
    c.key = rec->key;
    c.team = rec->team;
    c.user = rec->user;
    c.session = rec->session;
    if (l->f.facts.tag_count) c.tag = l->f.facts.tag[0];
    c.usage = rec->usage;
    c.cost_logged = rec->cost;
    c.status = rec->status;
    c.failed = rec->error.n > 0 || l->cut;
    c.stream = rec->stream;
    c.cache_hit = rec->cache != CACHE_MISS;
    c.task = l->f.facts.task;
    c.task_source = l->f.facts.task_source;
    c.stakes = l->f.facts.stakes;
    c.facts = l->f.has_facts ? &l->f.facts : NULL;
    c.tier = rec->tier;
    c.rule = rec->rule;
    c.quality = l->f.amended ? (double)l->f.amend.quality : -1;
    c.propensity = rec->propensity;
    return log_ledger_row(r, &c);
}

bool read_ledger(struct log_reader *r, const char *path, err *e) {
    struct ledger *l = ledger_open(path, e);
    if (!l) return false;
    bool good = ledger_each(l, 0, UINT64_MAX >> 1, each, r, e);
    ledger_close(l);
    return good;
}
