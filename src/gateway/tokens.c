#include "gateway/tokens.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "net/jwt.h"
#include "net/upstream.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SCRATCH = 32 << 10,
    ANSWER_MAX = 64 << 10,
    REQUEST_MAX = 64 << 10,
    LIFE_S = 3600,          /* that a claim asks for; Google's maximum */
    ASK_US = 15 * 1000000,  /* that the endpoint has to answer */
    AGAIN_US = 5 * 1000000, /* after a failure; doubled up to AGAIN_MAX_US */
    AGAIN_MAX_US = 60 * 1000000,
    EARLY_US = 300 * 1000000, /* renewed so long before its end, or half-way of a shorter life */
    MARGIN_US = 5 * 1000000,  /* not sent any more so short before its end */
    IDLE_US = 1000000,
};
#define SCOPE "https://www.googleapis.com/auth/cloud-platform"

/* One account. All of it is the thread's, but for what is under the lock. */
struct token {
    struct token *next;
    struct tokens *all;
    uint64_t id;
    arena a; /* its account's strings */
    struct google_account account;
    struct upstream *upstream;
    struct ustream *stream;
    struct timer timer;
    buf request, answer;
    struct iovec iov[1];
    int status;
    uint64_t again_us;
    /* under the lock */
    bool asked; /* an answer, good or not, has come */
    char *value;
    uint64_t good_until; /* monotonic */
    err error;
};

struct tokens {
    struct gateway *gateway;
    struct loop *loop;
    pthread_t thread;
    char *scratch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct token *first; /* only ever grows, at its head */
    bool stop;
};

/* Who it is, whichever configuration says it. */
static uint64_t account_id(const struct google_account *a) {
    const str parts[] = {a->email, a->key_pem, a->client_id, a->refresh_token, a->token_uri};
    uint64_t id = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) id = id * 31 + fingerprint(parts[i]);
    return id;
}

static struct token *find(struct tokens *t, uint64_t id) {
    struct token *k = t->first;
    while (k && k->id != id) k = k->next;
    return k;
}

/* ---- asking ---- */

static bool write_claim(const struct google_account *a, buf *out, err *e) {
    buf header, claims;
    jw w;
    int64_t now = (int64_t)(clock_wall_us() / 1000000);
    buf_init(&header, REQUEST_MAX);
    buf_init(&claims, REQUEST_MAX);
    jw_init(&w, &header);
    jw_object(&w);
    jw_key(&w, "alg");
    jw_string(&w, STR("RS256"));
    jw_key(&w, "typ");
    jw_string(&w, STR("JWT"));
    jw_key(&w, "kid");
    jw_string(&w, a->key_id);
    jw_object_end(&w);
    jw_init(&w, &claims);
    jw_object(&w);
    jw_key(&w, "iss");
    jw_string(&w, a->email);
    jw_key(&w, "scope");
    jw_string(&w, STR(SCOPE));
    jw_key(&w, "aud");
    jw_string(&w, a->token_uri);
    jw_key(&w, "iat");
    jw_i64(&w, now);
    jw_key(&w, "exp");
    jw_i64(&w, now + LIFE_S);
    jw_object_end(&w);
    bool good = jwt_rs256(buf_view(&header), buf_view(&claims), a->key_pem, out, e);
    buf_free(&header);
    buf_free(&claims);
    return good;
}

/* A value of a form. */
static void put_form(buf *out, const char *name, str value) {
    buf_strz(out, name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c && ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-_.~", c)))
            buf_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

static bool write_form(const struct google_account *a, buf *out, err *e) {
    if (a->email.n) {
        buf_strz(out, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
        return write_claim(a, out, e);
    }
    put_form(out, "grant_type=refresh_token&client_id=", a->client_id);
    put_form(out, "&client_secret=", a->client_secret);
    put_form(out, "&refresh_token=", a->refresh_token);
    return true;
}

static void again(struct token *k, uint64_t in_us) {
    loop_timer(k->all->loop, &k->timer, loop_now(k->all->loop) + in_us);
}

/* The secret that was sent is not kept, and a new try has new claims. */
static void clear(buf *b) {
    if (b->p) explicit_bzero(b->p, b->n);
    buf_clear(b);
}

static void failed(struct token *k, const char *why) {
    struct tokens *t = k->all;
    pthread_mutex_lock(&t->lock);
    k->asked = true;
    fail(&k->error, "no access token from " STR_FMT ": %s", STR_ARG(k->account.token_host), why);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    log_event(LOG_WARN, "token_failed",
              log_s("account", k->account.email.n ? k->account.email : k->account.client_id),
              log_s("reason", str_from(k->error.msg)));
    k->again_us = !k->again_us ? AGAIN_US : k->again_us * 2 < AGAIN_MAX_US ? k->again_us * 2 : AGAIN_MAX_US;
    clear(&k->request);
    clear(&k->answer);
    again(k, k->again_us);
}

static void got(struct token *k, str value, uint64_t life_us) {
    struct tokens *t = k->all;
    char *copy = xmalloc(value.n + 1);
    memcpy(copy, value.p, value.n);
    copy[value.n] = 0;
    pthread_mutex_lock(&t->lock);
    if (k->value) explicit_bzero(k->value, strlen(k->value));
    free(k->value);
    k->value = copy;
    k->good_until = clock_mono_us() + life_us;
    k->asked = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    k->again_us = 0;
    clear(&k->request);
    clear(&k->answer);
    again(k, life_us > 2 * (uint64_t)EARLY_US ? life_us - EARLY_US : life_us / 2);
}

/* What can stand in a header. */
static bool token_good(str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > '~') return false;
    return s.n > 0;
}

static void on_head(void *ctx, const struct http_head *h) {
    struct token *k = ctx;
    k->status = h->status;
}
static void on_data(void *ctx, char *p, size_t n) {
    struct token *k = ctx;
    buf_add(&k->answer, p, n);
}
static void on_nothing(void *ctx) { (void)ctx; }

static void on_end(void *ctx) {
    struct token *k = ctx;
    jval root;
    char why[160];
    int64_t life = 0;
    arena a;
    k->stream = NULL;
    timer_stop(&k->timer);
    arena_init(&a, 1024, ANSWER_MAX);
    bool json = !k->answer.failed && json_check(buf_view(&k->answer), &root, NULL, NULL) && root.type == J_OBJECT;
    str value = json ? json_text(json_get(root, STR("access_token")), &a) : STR_NONE;
    str error = json ? json_text(json_get(root, STR("error_description")), &a) : STR_NONE;
    if (k->status == 200 && token_good(value) && json_i64(json_get(root, STR("expires_in")), &life) && life > 0 &&
        life < 1000000) {
        got(k, value, (uint64_t)life * 1000000);
    } else {
        snprintf(why, sizeof why, "status %d%s" STR_FMT, k->status, error.n ? ": " : "",
                 STR_ARG(str_take(error, 100)));
        failed(k, why);
    }
    arena_wipe(&a);
}

static void on_fail(void *ctx, enum upstream_fail f, bool unseen, const char *detail) {
    struct token *k = ctx;
    (void)f;
    (void)unseen;
    k->stream = NULL;
    timer_stop(&k->timer);
    failed(k, detail);
}

static const struct ustream_events events = {
    .connected = on_nothing, .sent = on_nothing, .head = on_head, .data = on_data, .end = on_end, .fail = on_fail};

static void ask(struct token *k) {
    struct google_account *a = &k->account;
    buf form;
    err e;
    bool reused;
    buf_init(&form, REQUEST_MAX);
    if (!write_form(a, &form, &e)) {
        failed(k, e.msg);
        buf_free(&form);
        return;
    }
    buf_printf(&k->request,
               "POST " STR_FMT " HTTP/1.1\r\nhost: " STR_FMT ":%u\r\naccept: application/json\r\ncontent-type: "
               "application/x-www-form-urlencoded\r\ncontent-length: %zu\r\n\r\n",
               STR_ARG(a->token_path), STR_ARG(a->token_host), a->token_port, form.n);
    buf_str(&k->request, buf_view(&form));
    clear(&form);
    buf_free(&form);
    k->status = 0;
    k->iov[0] = (struct iovec){k->request.p, k->request.n};
    k->stream = ustream_open(k->upstream, &events, k, false, &reused);
    again(k, ASK_US);
    ustream_send(k->stream, k->iov, 1);
}

/* Time to ask, or the endpoint did not answer. */
static void on_timer(struct timer *timer) {
    struct token *k = container_of(timer, struct token, timer);
    if (!k->stream) {
        ask(k);
        return;
    }
    ustream_reset(k->stream);
    k->stream = NULL;
    failed(k, "no answer in time");
}

/* ---- the thread ---- */

static void open_upstream(struct token *k) {
    struct tokens *t = k->all;
    struct google_account *a = &k->account;
    err e;
    struct origin o = {.host = a->token_host, .port = a->token_port, .tls = a->token_tls};
    o.name = resolver_name(gateway_resolver(t->gateway), a->token_host, a->token_port);
    if (a->token_tls) o.sessions = gateway_sessions(t->gateway, a->token_host, a->token_port, STR_NONE);
    k->upstream = upstream_new(t->loop, &o, t->scratch, SCRATCH, 1, IDLE_US, &e);
    if (k->upstream)
        ask(k);
    else
        failed(k, e.msg);
}

static void on_wake(void *ctx) {
    struct tokens *t = ctx;
    pthread_mutex_lock(&t->lock);
    struct token *k = t->first;
    bool stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    if (stop) {
        loop_stop(t->loop);
        return;
    }
    for (; k; k = k->next)
        if (!k->upstream && !timer_armed(&k->timer)) open_upstream(k);
}

static void *run(void *arg) {
    struct tokens *t = arg;
    pthread_setname_np(pthread_self(), "tokens");
    loop_run(t->loop, on_wake, t);
    for (struct token *k = t->first; k; k = k->next) {
        timer_stop(&k->timer);
        if (k->stream) ustream_reset(k->stream);
        if (k->upstream) upstream_release(k->upstream);
    }
    loop_free(t->loop);
    return NULL;
}

struct tokens *tokens_start(struct gateway *g, err *e) {
    struct loop *l = loop_new(e);
    if (!l) return NULL;
    struct tokens *t = xcalloc(1, sizeof *t);
    pthread_condattr_t monotonic;
    t->gateway = g;
    t->loop = l;
    t->scratch = xmalloc(SCRATCH);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &monotonic);
    if (pthread_create(&t->thread, NULL, run, t) != 0) panic("no thread for access tokens");
    return t;
}

static void add(struct tokens *t, const struct google_account *from, uint64_t id) {
    struct token *k = xcalloc(1, sizeof *k);
    struct google_account *a = &k->account;
    arena_init(&k->a, 4096, 1 << 20);
    *a = *from;
    str *const strings[] = {&a->email,         &a->key_pem,   &a->key_id,     &a->client_id, &a->client_secret,
                            &a->refresh_token, &a->token_uri, &a->token_host, &a->token_path};
    for (unsigned i = 0; i < sizeof strings / sizeof *strings; i++) *strings[i] = arena_str(&k->a, *strings[i]);
    k->all = t;
    k->id = id;
    k->timer.fire = on_timer;
    buf_init(&k->request, REQUEST_MAX);
    buf_init(&k->answer, ANSWER_MAX);
    k->next = t->first;
    t->first = k;
}

static bool all_asked(const struct tokens *t) {
    for (const struct token *k = t->first; k; k = k->next)
        if (!k->asked) return false;
    return true;
}

void tokens_want(struct tokens *t, const struct config *c, uint64_t patience_us) {
    uint64_t until = clock_mono_us() + patience_us;
    struct timespec ts = {.tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000};
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < c->provider_count; i++) {
        const struct provider *p = &c->provider[i];
        uint64_t id = account_id(&p->google);
        if (p->auth == AUTH_GOOGLE && !find(t, id)) add(t, &p->google, id);
    }
    loop_wake(t->loop);
    while (patience_us && !all_asked(t) && pthread_cond_timedwait(&t->changed, &t->lock, &ts) == 0) continue;
    pthread_mutex_unlock(&t->lock);
}

bool tokens_get(struct tokens *t, const struct google_account *a, buf *out, err *e) {
    uint64_t id = account_id(a);
    pthread_mutex_lock(&t->lock);
    const struct token *k = find(t, id);
    bool good = k && k->value && k->good_until > clock_mono_us() + MARGIN_US;
    if (good)
        buf_strz(out, k->value);
    else
        fail(e, "%s", k && k->asked && !k->value ? k->error.msg : "its access token is not there yet");
    pthread_mutex_unlock(&t->lock);
    return good;
}

void tokens_stop(struct tokens *t) {
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_mutex_unlock(&t->lock);
    loop_wake(t->loop);
    pthread_join(t->thread, NULL);
    for (struct token *k = t->first, *next; k; k = next) {
        next = k->next;
        clear(&k->request);
        clear(&k->answer);
        buf_free(&k->request);
        buf_free(&k->answer);
        if (k->value) explicit_bzero(k->value, strlen(k->value));
        free(k->value);
        arena_wipe(&k->a);
        free(k);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t->scratch);
    free(t);
}
