/* gateway: the main thread. It listens, accepts and hands connections to the worker that has the
 * fewest (one accept queue: no connection is lost when a worker goes, and keep-alive connections
 * spread evenly), swaps configurations, and stops everything in order:
 *
 *     stop accepting -> workers finish their calls (limits.drain_us) -> books are drained -> exit */
#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/counter.h"
#include "gateway/labeler.h"
#include "gateway/media.h"
#include "gateway/override.h"
#include "gateway/queries.h"
#include "gateway/tokens.h"
#include "gateway/worker.h"
#include "sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 256, /* as the option has it */
    BACKLOG = 4096,
    ACCEPTS_PER_TURN = 64,
    ACCEPT_RETRY_US = 100000,
    INBOX_RETRY_US = 1000,
    DRAIN_STEP_US = 20000,
    MEMORY_LOOK_US = 1000000,
    TRIM_CALLS_MIN = 1000,
    BOOKS_DRAIN_US = 20000000,
    TOKENS_PATIENCE_US = 5000000 /* calls that come before the first access token fail */
};

struct listener {
    struct io io;
    struct gateway *g;
    char unix_path[108];
};

struct origin_sessions {
    struct origin_sessions *next;
    char *host, *ca_file; /* a session says that the certificate was verified: by these authorities */
    uint16_t port;
    struct tls_sessions *sessions;
};

struct gateway {
    struct loop *loop;
    struct config *config;
    char *config_path;
    struct books *books;
    struct labeler *labeler;
    struct queries *queries;
    struct override *override;
    struct counter *counter;
    struct tokens *tokens;
    struct media *media;
    struct sim *sim; /* stands in for providers of kind sim; NULL when there is none */
    struct resolver *resolver;
    struct origin_sessions *sessions;
    pthread_mutex_t lock; /* sessions, reload */
    uint64_t prompt_key[2];
    struct listener listener[CONFIG_LISTEN_MAX];
    unsigned listener_count;
    struct io signals;
    struct timer timer;
    struct memory {
        struct timer timer;
        uint64_t calls, since_trim; /* all calls when it last looked; those since memory was last given back */
        uint64_t busiest;           /* calls of the busiest look since then */
    } memory;
    uint64_t stop_by;
    atomic_bool stopping;
    unsigned worker_count;
    struct worker worker[]; /* named worker-0 … */
};

/* ---- what workers share ---- */

struct books *gateway_books(struct gateway *g) {
    return g->books;
}
struct resolver *gateway_resolver(struct gateway *g) {
    return g->resolver;
}
struct media *gateway_media(const struct gateway *g) {
    return g->media;
}
struct tokens *gateway_tokens(const struct gateway *g) {
    return g->tokens;
}
const struct counter *gateway_counter(const struct gateway *g) { return g->counter; }
struct queries *gateway_queries(struct gateway *g) {
    return g->queries;
}
struct override *gateway_override(struct gateway *g) {
    return g->override;
}
struct labeler *gateway_labeler(struct gateway *g) {
    return g->labeler;
}
const uint64_t *gateway_prompt_key(const struct gateway *g) { return g->prompt_key; }
bool gateway_stopping(const struct gateway *g) { return atomic_load_explicit(&g->stopping, memory_order_relaxed); }

static char *copy_z(str s) {
    char *z = xcalloc(1, s.n + 1);
    if (s.n) memcpy(z, s.p, s.n);
    return z;
}

struct tls_sessions *gateway_sessions(struct gateway *g, str host, uint16_t port, str ca_file) {
    pthread_mutex_lock(&g->lock);
    struct origin_sessions *s = g->sessions;
    while (s && !(s->port == port && str_eqz(host, s->host) && str_eqz(ca_file, s->ca_file))) s = s->next;
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->host = copy_z(host);
        s->ca_file = copy_z(ca_file);
        s->port = port;
        s->sessions = tls_sessions_new();
        s->next = g->sessions;
        g->sessions = s;
    }
    pthread_mutex_unlock(&g->lock);
    return s->sessions;
}

void gateway_metrics(struct gateway *g, buf *out) {
    const struct metrics *m[WORKERS_MAX];
    struct books_status b;
    for (unsigned i = 0; i < g->worker_count; i++) m[i] = &g->worker[i].metrics;
    metrics_write(m, g->worker_count, out);
    const struct multiplier *tables[WORKERS_MAX];
    for (unsigned i = 0; i < g->worker_count; i++) tables[i] = g->worker[i].multiplier;
    multiplier_write(tables, g->worker_count, out);
    books_status(g->books, &b);
    metrics_line(out, "dray_books_backlog_events", "gauge",
                 "Ledger events not yet in the store; 0: every call is in it", b.backlog_events);
    metrics_line(out, "dray_books_backlog_bytes", "gauge", "The same in bytes of spool", b.backlog_bytes);
    metrics_line(out, "dray_books_rows_total", "counter", "Calls written to the store", b.rows);
    metrics_line(out, "dray_books_unbooked_total", "counter", "Events that found no room in the spool", b.lost);
    metrics_line(out, "dray_books_store_ok", "gauge", "1 when the last write to the store succeeded", b.store_ok);
    metrics_line(out, "dray_books_spool_ok", "gauge", "1 when the spool has room", b.spool_ok);
}

/* The key of prompt hashes: made once, kept beside the ledger, readable by its owner only. */
static bool load_prompt_key(struct gateway *g, err *e) {
    char path[4096];
    int n = snprintf(path, sizeof path, STR_FMT ".key", STR_ARG(g->config->ledger_path));
    if (n < 0 || (size_t)n >= sizeof path) return fail(e, "ledger: path is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool have = fd >= 0 && read(fd, g->prompt_key, sizeof g->prompt_key) == (ssize_t)sizeof g->prompt_key;
    if (fd >= 0) close(fd);
    if (have) return true;
    random_bytes(g->prompt_key, sizeof g->prompt_key);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool wrote = fd >= 0 && write(fd, g->prompt_key, sizeof g->prompt_key) == (ssize_t)sizeof g->prompt_key;
    if (fd >= 0) close(fd);
    if (!wrote) log_event(LOG_WARN, "prompt_key_not_kept", log_z("path", path), log_z("why", strerror(errno)));
    return true;
}

/* ---- accepting ---- */

static struct worker *least_busy(struct gateway *g) {
    struct worker *best = &g->worker[0];
    for (unsigned i = 1; i < g->worker_count; i++)
        if (atomic_load_explicit(&g->worker[i].connections, memory_order_relaxed) <
            atomic_load_explicit(&best->connections, memory_order_relaxed))
            best = &g->worker[i];
    return best;
}

static uint32_t all_connections(const struct gateway *g) {
    uint32_t n = 0;
    for (unsigned i = 0; i < g->worker_count; i++)
        n += atomic_load_explicit(&g->worker[i].connections, memory_order_relaxed);
    return n;
}

static void on_accept(struct io *io, unsigned ev) {
    struct listener *l = container_of(io, struct listener, io);
    struct gateway *g = l->g;
    struct sock_addr peer;
    (void)ev;
    if (gateway_stopping(g)) return; /* its event was of this turn, its descriptor is closed */
    for (int k = 0; k < ACCEPTS_PER_TURN; k++) {
        struct worker *w = least_busy(g);
        if (!worker_has_room(w)) { /* a burst: the rest waits in the kernel's queue, not refused */
            if (!timer_armed(&g->timer)) loop_timer(g->loop, &g->timer, loop_now(g->loop) + INBOX_RETRY_US);
            return;
        }
        int fd = sock_accept(l->io.fd, &peer);
        if (fd == SOCK_AGAIN) return;
        if (fd == SOCK_FAILED) { /* out of descriptors: what waits in the queue is taken when some are free */
            log_event(LOG_WARN, "accept_failed", log_z("why", strerror(errno)));
            if (!timer_armed(&g->timer)) loop_timer(g->loop, &g->timer, loop_now(g->loop) + ACCEPT_RETRY_US);
            return;
        }
        uint32_t max = g->config->limits.client_connections;
        if ((max && all_connections(g) >= max) || !worker_give(w, fd)) {
            log_event(LOG_WARN, "connection_refused", log_i("open", all_connections(g)));
            sock_close(fd);
        }
    }
    loop_again(g->loop, io);
}

static bool start_listening(struct gateway *g, err *e) {
    for (unsigned i = 0; i < g->config->listen_count; i++) {
        const struct listen_addr *a = &g->config->listen[i];
        struct listener *l = &g->listener[g->listener_count];
        struct sock_addr addr;
        if (!sock_addr_parse(&addr, a->host, a->port, a->is_unix, e)) return false;
        int fd = sock_listen(&addr, BACKLOG, e);
        if (fd < 0) return false;
        *l = (struct listener){.io = {.fd = fd, .on_event = on_accept}, .g = g};
        if (a->is_unix) snprintf(l->unix_path, sizeof l->unix_path, STR_FMT, STR_ARG(a->host));
        g->listener_count++;
        if (!loop_add(g->loop, &l->io)) return fail(e, "listen: %s", strerror(errno));
        log_event(LOG_INFO, "listening", log_s("address", a->text));
    }
    return true;
}

static void stop_listening(struct gateway *g) {
    for (unsigned i = 0; i < g->listener_count; i++) {
        loop_remove(g->loop, &g->listener[i].io);
        sock_close(g->listener[i].io.fd);
        if (g->listener[i].unix_path[0]) unlink(g->listener[i].unix_path);
    }
    g->listener_count = 0;
}

/* ---- simulated providers ---- */

/* They live in this process on a port of their own; the snapshot learns it before anybody else sees it. */
static bool start_simulated(struct gateway *g, struct config *c, err *e) {
    for (unsigned i = 0; i < c->provider_count; i++) {
        struct provider *p = &c->provider[i];
        struct sim_options o;
        if (!p->sim.n) continue;
        sim_options_default(&o);
        if (!g->sim && !(g->sim = sim_start(NULL, 0, &o, e))) return false;
        p->host = STR("127.0.0.1");
        p->port = sim_port(g->sim);
    }
    if (c->simulated)
        log_event(LOG_WARN, "simulated_providers",
                  log_z("notice", "No provider key is set (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...): simulated "
                                  "providers answer. Nothing is sent anywhere."));
    return true;
}

/* ---- reload and stop ---- */

bool gateway_reload(struct gateway *g, err *e) {
    struct config *c = config_load(g->config_path, e);
    if (c && !start_simulated(g, c, e)) {
        config_unpin(c);
        c = NULL;
    }
    if (!c) {
        log_event(LOG_ERROR, "reload_failed", log_z("why", e->msg));
        return false;
    }
    tokens_want(g->tokens, c, 0);
    pthread_mutex_lock(&g->lock);
    for (unsigned i = 0; i < g->worker_count; i++) worker_reload(&g->worker[i], config_pin(c));
    struct config *old = g->config;
    g->config = c;
    pthread_mutex_unlock(&g->lock);
    config_announce(c);
    str later = config_needs_restart(old, c);
    if (later.n) log_event(LOG_WARN, "restart_needed", log_s("options", later));
    log_event(LOG_INFO, "reloaded", log_s("config_version", c->version));
    config_unpin(old);
    return true;
}

static uint32_t calls_open(const struct gateway *g) {
    uint32_t n = 0;
    for (unsigned i = 0; i < g->worker_count; i++)
        n += atomic_load_explicit(&g->worker[i].metrics.open_calls, memory_order_relaxed);
    return n;
}

static void on_timer(struct timer *t) {
    struct gateway *g = container_of(t, struct gateway, timer);
    if (!gateway_stopping(g)) {
        for (unsigned i = 0; i < g->listener_count; i++) loop_again(g->loop, &g->listener[i].io);
        return;
    }
    if (calls_open(g) && loop_now(g->loop) < g->stop_by) {
        loop_timer(g->loop, t, loop_now(g->loop) + DRAIN_STEP_US);
        return;
    }
    if (calls_open(g)) log_event(LOG_WARN, "drain_timeout", log_i("calls_cut", calls_open(g)));
    loop_stop(g->loop);
}

/* What a peak of calls took is given back to the system when the load has fallen to a twentieth of it: malloc
 * keeps it otherwise. Not sooner: giving back and taking again costs page faults. */
static void on_memory(struct timer *t) {
    struct gateway *g = container_of(t, struct gateway, memory.timer);
    struct memory *m = &g->memory;
    uint64_t before = m->calls;
    m->calls = 0;
    for (unsigned i = 0; i < g->worker_count; i++)
        m->calls += atomic_load_explicit(&g->worker[i].metrics.calls, memory_order_relaxed);
    uint64_t now = m->calls - before;
    m->since_trim += now;
    if (now > m->busiest) m->busiest = now;
    if (m->since_trim >= TRIM_CALLS_MIN && now <= m->busiest / 20) {
        malloc_trim(0);
        m->since_trim = m->busiest = 0;
    }
    loop_timer(g->loop, t, loop_now(g->loop) + MEMORY_LOOK_US);
}

static void begin_stop(struct gateway *g, const struct signalfd_siginfo *by) {
    if (atomic_exchange(&g->stopping, true)) { /* asked twice: now */
        g->stop_by = 0;
        return;
    }
    log_event(LOG_INFO, "stopping", log_i("calls_open", calls_open(g)), log_i("signal", by->ssi_signo),
              log_i("from_pid", by->ssi_pid));
    stop_listening(g);
    g->stop_by = loop_now(g->loop) + g->config->limits.drain_us;
    for (unsigned i = 0; i < g->worker_count; i++) {
        atomic_store(&g->worker[i].drain, true);
        loop_wake(g->worker[i].loop);
    }
    loop_timer(g->loop, &g->timer, loop_now(g->loop) + DRAIN_STEP_US);
}

static void on_signal(struct io *io, unsigned ev) {
    struct gateway *g = container_of(io, struct gateway, signals);
    struct signalfd_siginfo si;
    err e;
    (void)ev;
    while (read(io->fd, &si, sizeof si) == (ssize_t)sizeof si) {
        if (si.ssi_signo == SIGHUP)
            gateway_reload(g, &e);
        else
            begin_stop(g, &si);
    }
}

/* Signals are read by this loop; all threads started later inherit the mask. */
static bool watch_signals(struct gateway *g, err *e) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    g->signals = (struct io){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .on_event = on_signal};
    if (g->signals.fd < 0 || !loop_add(g->loop, &g->signals)) return fail(e, "signals: %s", strerror(errno));
    return true;
}

/* ---- life ---- */

static void more_descriptors(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static bool open_books(struct gateway *g, err *e) {
    const struct config *c = g->config;
    struct books_config b = {.path = c->ledger_path,
                             .spool_dir = c->spool_dir,
                             .gateway = c->gateway,
                             .writers = g->worker_count + 1, /* the last one is the labeler's */
                             .fsync = c->ledger_fsync,
                             .keep_calls_us = c->keep_calls_us,
                             .keep_bodies_us = c->keep_bodies_us};
    return (g->books = books_open(&b, e)) != NULL;
}

static void free_sessions(struct gateway *g) {
    for (struct origin_sessions *s = g->sessions, *next; s; s = next) {
        next = s->next;
        tls_sessions_free(s->sessions);
        free(s->host);
        free(s->ca_file);
        free(s);
    }
}

static void gateway_free(struct gateway *g) {
    stop_listening(g);
    if (g->signals.fd > 0) close(g->signals.fd);
    queries_stop(g->queries); /* when the start failed half-way */
    labeler_stop(g->labeler);
    for (unsigned i = 0; i < g->worker_count; i++) worker_free(&g->worker[i]);
    override_free(g->override);
    counter_stop(g->counter);
    tokens_stop(g->tokens);
    media_stop(g->media);
    if (g->books) {
        uint64_t left = books_close(g->books, BOOKS_DRAIN_US);
        if (left) log_event(LOG_WARN, "books_left_in_spool", log_i("events", (int64_t)left));
    }
    sim_stop(g->sim);
    resolver_free(g->resolver);
    free_sessions(g);
    loop_free(g->loop);
    config_unpin(g->config);
    pthread_mutex_destroy(&g->lock);
    free(g->config_path);
    free(g);
}

struct gateway *gateway_start(struct config *c, const char *config_path, err *e) {
    struct gateway *g = xcalloc(1, sizeof *g + c->workers * sizeof *g->worker);
    g->config = c;
    g->config_path = config_path ? xstrdup(config_path) : NULL;
    pthread_mutex_init(&g->lock, NULL);
    g->timer.fire = on_timer;
    g->memory.timer.fire = on_memory;
    more_descriptors();
    g->resolver = resolver_new();
    g->worker_count = c->workers;
    g->loop = loop_new(e);
    if (!g->loop || !watch_signals(g, e) || !load_prompt_key(g, e) || !start_simulated(g, c, e) ||
        !open_books(g, e)) {
        gateway_free(g);
        return NULL;
    }
    if (!start_listening(g, e)) { /* first: it is what fails when another gateway runs */
        gateway_free(g);
        return NULL;
    }
    g->override = override_open(c->ledger_path);
    g->counter = counter_start();
    g->media = media_start();
    g->tokens = tokens_start(g, e);
    if (!g->tokens) {
        gateway_free(g);
        return NULL;
    }
    tokens_want(g->tokens, c, TOKENS_PATIENCE_US);
    g->queries = queries_start(arena_strz(&c->a, c->ledger_path));
    g->labeler = labeler_start(c->workers, books_writer(g->books, c->workers), g->prompt_key);
    for (unsigned i = 0; i < c->workers; i++)
        if (!worker_init(&g->worker[i], g, i, config_pin(c), books_writer(g->books, i), e))
            panic("worker: %s", e->msg);
    for (unsigned i = 0; i < c->workers; i++) worker_start(&g->worker[i]);
    config_announce(c);
    log_event(LOG_INFO, "started", log_z("version", DRAY_VERSION), log_i("workers", c->workers),
              log_s("config", c->source), log_s("config_version", c->version),
              log_i("providers", c->provider_count));
    return g;
}

int gateway_run(struct gateway *g) {
    pthread_setname_np(pthread_self(), "dray");
    loop_timer(g->loop, &g->memory.timer, loop_now(g->loop) + MEMORY_LOOK_US);
    loop_run(g->loop, NULL, NULL);
    queries_stop(g->queries); /* before the workers, to whom it answers */
    g->queries = NULL;
    media_stop(g->media);
    g->media = NULL;
    for (unsigned i = 0; i < g->worker_count; i++) {
        atomic_store(&g->worker[i].stop, true);
        loop_wake(g->worker[i].loop);
    }
    for (unsigned i = 0; i < g->worker_count; i++) worker_join(&g->worker[i]);
    gateway_free(g);
    log_write(LOG_INFO, "stopped", NULL);
    return 0;
}
