/* resolve: a list of names and two threads that walk it. Names are few (one per provider) and
 * looked up anew every 30 s, failed ones every 2 s; new connections copy the list under a lock that
 * is held for a copy only. */
#include "net/resolve.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 2, REFRESH_S = 30, RETRY_S = 2 };

struct resolved_name {
    struct resolved_name *next;
    char *host;
    uint16_t port;
    bool numeric, busy;
    uint64_t due; /* monotonic us */
    unsigned count;
    struct sock_addr addr[RESOLVE_ADDRS_MAX];
    char error[96];
    struct resolver *resolver;
};

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct resolved_name *names;
    bool stopping;
    bool started;
    pthread_t thread[THREADS];
};

static void interleave(struct resolved_name *n, const struct addrinfo *list) {
    const struct addrinfo *a = list, *b = list; /* a: first family's cursor, b: the other's */
    int first = list ? list->ai_family : 0;
    n->count = 0;
    for (bool turn = false; (a || b) && n->count < RESOLVE_ADDRS_MAX; turn = !turn) {
        const struct addrinfo **c = turn ? &b : &a;
        while (*c && ((*c)->ai_family == first) == turn) *c = (*c)->ai_next;
        if (!*c) continue;
        struct sock_addr *to = &n->addr[n->count++];
        memcpy(&to->ss, (*c)->ai_addr, (*c)->ai_addrlen);
        to->len = (*c)->ai_addrlen;
        *c = (*c)->ai_next;
    }
}

/* Called with the lock held; gives it up while the system looks the name up. */
static void look_up(struct resolver *r, struct resolved_name *n) {
    char port[8];
    snprintf(port, sizeof port, "%u", n->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
    n->busy = true;
    pthread_mutex_unlock(&r->lock);
    int why = getaddrinfo(n->host, port, &hints, &list);
    pthread_mutex_lock(&r->lock);
    n->busy = false;
    if (why == 0) {
        interleave(n, list);
        n->error[0] = 0;
    } else {
        snprintf(n->error, sizeof n->error, "%s", gai_strerror(why)); /* the last good list stays */
    }
    if (list) freeaddrinfo(list);
    n->due = clock_mono_us() + (why == 0 ? REFRESH_S : RETRY_S) * 1000000ull;
}

static void *run(void *arg) {
    struct resolver *r = arg;
    pthread_setname_np(pthread_self(), "resolve");
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        struct resolved_name *best = NULL;
        uint64_t now = clock_mono_us();
        for (struct resolved_name *n = r->names; n; n = n->next)
            if (!n->numeric && !n->busy && (!best || n->due < best->due)) best = n;
        if (best && best->due <= now) {
            look_up(r, best);
            continue;
        }
        uint64_t wait = best ? best->due - now : 3600ull * 1000000;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)(wait / 1000000) + 1;
        pthread_cond_timedwait(&r->changed, &r->lock, &until);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct resolver *resolver_new(void) {
    struct resolver *r = xcalloc(1, sizeof *r);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

void resolver_free(struct resolver *r) {
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; r->started && i < THREADS; i++) pthread_join(r->thread[i], NULL);
    for (struct resolved_name *n = r->names, *next; n; n = next) {
        next = n->next;
        free(n->host);
        free(n);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
}

struct resolved_name *resolver_name(struct resolver *r, str host, uint16_t port) {
    pthread_mutex_lock(&r->lock);
    struct resolved_name *n = r->names;
    while (n && !(n->port == port && str_eqz(host, n->host))) n = n->next;
    if (!n) {
        n = xcalloc(1, sizeof *n);
        n->resolver = r;
        n->host = xcalloc(1, host.n + 1);
        memcpy(n->host, host.p, host.n);
        n->port = port;
        if (sock_addr_parse(&n->addr[0], host, port, false, NULL)) {
            n->numeric = true;
            n->count = 1;
        }
        n->next = r->names;
        r->names = n;
        if (!n->numeric && !r->started) {
            r->started = true;
            for (int i = 0; i < THREADS; i++)
                if (pthread_create(&r->thread[i], NULL, run, r)) panic("cannot start the resolver's threads");
        }
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

unsigned resolve_addrs(struct resolved_name *n, struct sock_addr out[RESOLVE_ADDRS_MAX]) {
    pthread_mutex_lock(&n->resolver->lock);
    unsigned count = n->count;
    memcpy(out, n->addr, count * sizeof *out);
    pthread_mutex_unlock(&n->resolver->lock);
    return count;
}

void resolve_error(struct resolved_name *n, char out[128]) {
    pthread_mutex_lock(&n->resolver->lock);
    snprintf(out, 128, "%s", n->error[0] ? n->error : "not resolved yet");
    pthread_mutex_unlock(&n->resolver->lock);
}
