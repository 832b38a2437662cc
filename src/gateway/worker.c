/* worker: sets up what a thread needs and runs its loop. */
#include "gateway/worker.h"

#include "gateway/call.h"
#include "gateway/dialect.h"
#include "gateway/gateway.h"
#include "gateway/media.h"
#include "gateway/queries.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_MAX = 512 * 1024,               /* a head with every header at its limit */
    STREAM_PIECE_MAX = 8 << 20,          /* pieces of a stream while they are edited */
    UPSTREAM_IDLE_US = 55 * 1000 * 1000, /* below the 60 s after which most servers close */
};

/* ---- pools: one configuration's connections on this worker ---- */

static void add_line(buf *b, str name, str value) {
    buf_str(b, name);
    buf_strz(b, ": ");
    buf_str(b, value);
    buf_strz(b, "\r\n");
}

/* The fixed part of every request to a provider with one of its keys. */
static str auth_block(const struct provider *p, str key, enum auth_style style, arena *a) {
    buf b;
    buf_init(&b, 64 * 1024);
    add_line(&b, STR("host"), p->host_header);
    if (key.n) {
        switch (style) {
        case AUTH_BEARER:
            buf_strz(&b, "authorization: Bearer ");
            buf_str(&b, key);
            buf_strz(&b, "\r\n");
            break;
        case AUTH_API_KEY: add_line(&b, STR("api-key"), key); break;
        case AUTH_X_API_KEY: add_line(&b, STR("x-api-key"), key); break;
        case AUTH_GOOG: add_line(&b, STR("x-goog-api-key"), key); break;
        default: break;
        }
    }
    for (unsigned i = 0; i < p->header_count; i++) add_line(&b, p->header[i].name, p->header[i].value);
    str s = arena_str(a, buf_view(&b));
    if (b.p) explicit_bzero(b.p, b.n);
    buf_free(&b);
    return s;
}

static void open_auth(struct provider_auth *auth, const struct provider *p, str key, arena *a) {
    auth->block = auth_block(p, key, (enum auth_style)p->auth, a);
    auth->native = auth_block(p, key, dialect_auth(p, key), a);
}

static void open_pool(struct worker *w, struct provider_pool *pool, const struct provider *p, arena *a) {
    struct origin o = {.host = p->host, .port = p->port, .tls = p->tls, .ca_file = p->ca_file};
    o.name = resolver_name(gateway_resolver(w->gateway), p->host, p->port);
    if (p->tls) o.sessions = gateway_sessions(w->gateway, p->host, p->port, p->ca_file);
    pool->upstream =
        upstream_new(w->loop, &o, w->scratch, WORKER_SCRATCH, p->max_connections, UPSTREAM_IDLE_US, &pool->error);
    pool->auth_count = p->key_count ? p->key_count : 1;
    pool->auth = arena_array(a, struct provider_auth, pool->auth_count);
    for (unsigned k = 0; k < pool->auth_count; k++)
        open_auth(&pool->auth[k], p, p->key_count ? p->key[k] : STR_NONE, a);
}

/* Takes over one pin of `c`. */
static struct pools *pools_new(struct worker *w, struct config *c) {
    struct pools *p = xcalloc(1, sizeof *p + c->provider_count * sizeof *p->provider);
    arena_init(&p->a, 1024, 16 << 20);
    p->config = c;
    p->refs = 1;
    p->provider_count = c->provider_count;
    for (unsigned i = 0; i < c->provider_count; i++) open_pool(w, &p->provider[i], &c->provider[i], &p->a);
    return p;
}

struct pools *pools_pin(struct pools *p) {
    p->refs++;
    return p;
}

static void wipe(str s) { explicit_bzero((char *)(uintptr_t)s.p, s.n); }

void pools_unpin(struct pools *p) {
    if (--p->refs) return;
    for (unsigned i = 0; i < p->provider_count; i++) {
        struct provider_pool *pool = &p->provider[i];
        if (pool->upstream) upstream_release(pool->upstream);
        for (unsigned k = 0; k < pool->auth_count; k++) {
            wipe(pool->auth[k].block);
            wipe(pool->auth[k].native);
        }
    }
    arena_free(&p->a);
    config_unpin(p->config);
    free(p);
}

static void use_config(struct worker *w, struct config *c) {
    struct pools *old = w->pools;
    w->pools = pools_new(w, c);
    if (old) pools_unpin(old);
    const struct limits *l = &c->limits;
    server_limits_set(w->server, &(struct server_limits){.head_max = l->head_max,
                                                         .head_us = l->client_head_us,
                                                         .body_us = l->client_body_us,
                                                         .idle_us = l->client_idle_us,
                                                         .write_us = l->client_write_us});
}

/* ---- messages from other threads ---- */

bool worker_has_room(struct worker *w) {
    pthread_mutex_lock(&w->inbox_lock);
    bool room = w->inbox_count < WORKER_INBOX;
    pthread_mutex_unlock(&w->inbox_lock);
    return room;
}

bool worker_give(struct worker *w, int fd) {
    pthread_mutex_lock(&w->inbox_lock);
    bool room = w->inbox_count < WORKER_INBOX;
    if (room) w->inbox[w->inbox_count++] = fd;
    pthread_mutex_unlock(&w->inbox_lock);
    if (room) {
        atomic_fetch_add_explicit(&w->connections, 1, memory_order_relaxed);
        loop_wake(w->loop);
    }
    return room;
}

void worker_reload(struct worker *w, struct config *c) {
    struct config *missed = atomic_exchange(&w->next_config, c);
    if (missed) config_unpin(missed);
    loop_wake(w->loop);
}

static void take_inbox(struct worker *w) {
    int fds[WORKER_INBOX];
    pthread_mutex_lock(&w->inbox_lock);
    unsigned n = w->inbox_count;
    memcpy(fds, w->inbox, n * sizeof *fds);
    w->inbox_count = 0;
    pthread_mutex_unlock(&w->inbox_lock);
    for (unsigned i = 0; i < n; i++) {
        metric_add(&w->metrics.connections, 1);
        server_accept(w->server, fds[i]);
    }
}

static void on_wake(void *ctx) {
    struct worker *w = ctx;
    struct config *c = atomic_exchange(&w->next_config, NULL);
    if (c) use_config(w, c);
    take_inbox(w);
    queries_collect(w);
    media_collect(w);
    if (atomic_load(&w->drain)) server_drain(w->server);
    if (atomic_load(&w->stop)) loop_stop(w->loop);
}

/* Published once per turn of the housekeeping timer: the acceptor balances by it. */
static void housekeeping(struct timer *t) {
    struct worker *w = container_of(t, struct worker, tick);
    pthread_mutex_lock(&w->inbox_lock);
    uint32_t open = server_connections(w->server);
    atomic_store_explicit(&w->connections, open + w->inbox_count, memory_order_relaxed);
    pthread_mutex_unlock(&w->inbox_lock);
    atomic_store_explicit(&w->metrics.open_connections, open, memory_order_relaxed);
    loop_timer(w->loop, t, loop_now(w->loop) + 250000);
}

static void *run(void *arg) {
    struct worker *w = arg;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", w->index);
    pthread_setname_np(pthread_self(), name);
    w->tick.fire = housekeeping;
    loop_timer(w->loop, &w->tick, loop_now(w->loop));
    loop_run(w->loop, on_wake, w);
    timer_stop(&w->tick);
    queries_collect(w);
    media_collect(w);
    server_free(w->server); /* calls still open settle here */
    pools_unpin(w->pools);
    struct config *c = atomic_exchange(&w->next_config, NULL);
    if (c) config_unpin(c);
    for (unsigned i = 0; i < w->inbox_count; i++) sock_close(w->inbox[i]);
    loop_free(w->loop);
    buf_free(&w->text);
    buf_free(&w->sse);
    free(w->scratch);
    pthread_mutex_destroy(&w->inbox_lock);
    return NULL;
}

bool worker_init(struct worker *w, struct gateway *g, unsigned index, struct config *c, struct spool *spool,
                 err *e) {
    uint64_t seed;
    *w = (struct worker){.index = index, .gateway = g, .spool = spool};
    pthread_mutex_init(&w->inbox_lock, NULL);
    w->loop = loop_new(e);
    if (!w->loop) return false;
    w->scratch = xmalloc(WORKER_SCRATCH);
    buf_init(&w->text, TEXT_MAX);
    buf_init(&w->sse, STREAM_PIECE_MAX);
    uuid_gen_init(&w->ids);
    random_bytes(&seed, sizeof seed);
    rng_seed(&w->rng, seed);
    call_recyclers_init(w);
    w->server = server_new(w->loop, &call_handler, w, w->scratch, WORKER_SCRATCH);
    use_config(w, c);
    return true;
}

void worker_start(struct worker *w) {
    if (pthread_create(&w->thread, NULL, run, w)) panic("cannot start a worker thread");
}

void worker_free(struct worker *w) {
    recycle_free(&w->calls);
    recycle_free(&w->requests);
}

void worker_join(struct worker *w) { pthread_join(w->thread, NULL); }
