#include "gateway/media.h"

#include "base/base64.h"
#include "base/clock.h"
#include "gateway/dialect.h"
#include "gateway/gateway.h"
#include "net/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    THREADS = 2,
    WAITING_MAX = 64,
    PARTS_MAX = 20,          /* media fetched for one request */
    BYTES_MAX = 10 << 20,    /* of one of them */
    SLACK = 32 << 10,        /* a read goes beyond the limit before it is noticed */
    FETCH_US = 15 * 1000000, /* for all of one request's */
    ARENA_MAX = 40 << 20,    /* of all of it, as base64 */
};

struct media_job {
    struct media_job *next;
    struct worker *worker;
    struct call *call;     /* NULL when it has gone; the worker's alone */
    struct config *config; /* pinned: whose hosts may be private */
    arena a;               /* the URLs, then the bytes as base64; moves to the request */
    unsigned count;
    struct media_item {
        str url, mime, data;
        uint8_t type; /* enum chat_part_type */
    } item[PARTS_MAX];
    bool good;
    err why;
};

struct media {
    pthread_t thread[THREADS];
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct media_job *head, **tail;
    unsigned waiting;
    atomic_bool stopping;
};

/* ---- on the threads ---- */

/* A media type that may stand in a JSON string, of the kind that the part is. */
static bool type_good(str type, uint8_t part) {
    static const char *const kinds[] = {[PART_IMAGE] = "image/", [PART_AUDIO] = "audio/", [PART_VIDEO] = "video/"};
    for (size_t i = 0; i < type.n; i++)
        if (!((type.p[i] | 32) >= 'a' && (type.p[i] | 32) <= 'z') && !strchr("0123456789/+.-", type.p[i]))
            return false;
    return type.n && (part == PART_FILE || str_istarts(type, str_from(kinds[part])));
}

static bool fetch_one(struct media *m, struct media_job *j, struct media_item *i, uint64_t until) {
    const struct config *c = j->config;
    struct fetch_rules rules = {until, &m->stopping, c->ca_file, c->fetch_allow, c->fetch_allow_count};
    buf body, text;
    bool good;
    buf_init(&body, BYTES_MAX + SLACK);
    buf_init(&text, 2 * BYTES_MAX);
    good = fetch_url(i->url, &rules, &body, &i->mime, &j->a, &j->why);
    if (good && body.n > BYTES_MAX) good = fail(&j->why, "it is larger than %d bytes", BYTES_MAX);
    if (good && !type_good(i->mime, i->type)) good = fail(&j->why, "its type is not what was promised");
    if (good) {
        base64_encode(body.p, body.n, &text);
        i->data = arena_str(&j->a, buf_view(&text));
    }
    buf_free(&body);
    buf_free(&text);
    if (good && arena_failed(&j->a)) good = fail(&j->why, "together with the others it is too large");
    return good;
}

static void job_free(struct media_job *j) {
    config_unpin(j->config);
    arena_free(&j->a);
    free(j);
}

static void give_back(struct media_job *j) {
    struct worker *w = j->worker;
    pthread_mutex_lock(&w->inbox_lock);
    j->next = w->fetched;
    w->fetched = j;
    pthread_mutex_unlock(&w->inbox_lock);
    loop_wake(w->loop);
}

static void *run(void *arg) {
    struct media *m = arg;
    pthread_setname_np(pthread_self(), "media");
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        struct media_job *j = m->head;
        if (!j) {
            pthread_cond_wait(&m->more, &m->lock);
            continue;
        }
        m->head = j->next;
        if (!m->head) m->tail = &m->head;
        m->waiting--;
        pthread_mutex_unlock(&m->lock);
        uint64_t until = clock_mono_us() + FETCH_US;
        j->good = true;
        for (unsigned i = 0; i < j->count && j->good; i++) j->good = fetch_one(m, j, &j->item[i], until);
        give_back(j);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

struct media *media_start(void) {
    struct media *m = xcalloc(1, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->more, NULL);
    m->tail = &m->head;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&m->thread[i], NULL, run, m) != 0) panic("no thread to fetch media");
    return m;
}

void media_stop(struct media *m) {
    if (!m) return;
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_broadcast(&m->more);
    pthread_mutex_unlock(&m->lock);
    for (int i = 0; i < THREADS; i++) pthread_join(m->thread[i], NULL);
    for (struct media_job *j = m->head, *next; j; j = next) { /* their calls are told */
        next = j->next;
        fail(&j->why, "the gateway is stopping");
        give_back(j);
    }
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->more);
    free(m);
}

/* ---- on the worker ---- */

bool media_wanted(struct call *c) {
    const struct attempt *t = &c->attempt;
    if (!t->translated || t->speaks < 0 || !dialect_read(c)) return false;
    return chat_needs_bytes(&c->r->chat, (enum chat_dialect)t->speaks, NULL) != NULL;
}

static struct media_job *job_new(struct call *c) {
    struct media_job *j = xcalloc(1, sizeof *j);
    enum chat_dialect to = (enum chat_dialect)c->attempt.speaks;
    j->worker = c->w;
    j->call = c;
    j->config = config_pin(c->pools->config);
    arena_init(&j->a, 4096, ARENA_MAX);
    for (struct chat_part *p = NULL; (p = chat_needs_bytes(&c->r->chat, to, p)) && j->count <= PARTS_MAX;
         j->count++) {
        if (j->count == PARTS_MAX) continue;
        j->item[j->count].url = json_text((jval){p->url.raw, J_STRING, true}, &j->a);
        j->item[j->count].url = arena_str(&j->a, j->item[j->count].url);
        j->item[j->count].type = p->type;
    }
    return j;
}

/* What can't be had is as what can't be carried (`translation:`): a reason to refuse, or left out and listed. */
static void without(struct call *c, const char *why) {
    if (c->config->translation == TRANSLATION_STRICT)
        attempt_unsupported(c, STR("url"), why);
    else
        attempt_go_on(c);
}

void media_ask(struct call *c) {
    struct media *m = gateway_media(c->w->gateway);
    struct media_job *j = job_new(c);
    if (j->count > PARTS_MAX) {
        job_free(j);
        without(c, "This provider wants the bytes of what stands elsewhere, and too much does.");
        return;
    }
    pthread_mutex_lock(&m->lock);
    bool room = m->waiting < WAITING_MAX && !m->stopping;
    if (room) {
        *m->tail = j;
        m->tail = &j->next;
        m->waiting++;
        pthread_cond_signal(&m->more);
    }
    pthread_mutex_unlock(&m->lock);
    c->media = room ? j : NULL;
    if (room) return;
    job_free(j);
    call_fail(c, FAULT_BUSY, STR_NONE, "Too many calls wait for media to be fetched.");
}

void media_forget(struct call *c) {
    if (c->media) c->media->call = NULL;
    c->media = NULL;
}

/* The bytes take the URLs' places, in the order in which they were asked for. */
static void put(struct call *c, struct media_job *j) {
    struct chat_part *p[PARTS_MAX] = {NULL}, *at = NULL;
    for (unsigned i = 0; i < j->count; i++)
        p[i] = at = chat_needs_bytes(&c->r->chat, (enum chat_dialect)c->attempt.speaks, at);
    for (unsigned i = 0; i < j->count && p[i]; i++) {
        p[i]->data = (jtext){j->item[i].data};
        p[i]->mime = (jtext){j->item[i].mime};
    }
    arena_free(&c->r->media);
    c->r->media = j->a;
    arena_init(&j->a, 64, 64);
}

static void come_back(struct media_job *j) {
    struct call *c = j->call;
    char text[400];
    c->media = NULL;
    if (j->good) {
        put(c, j);
        attempt_go_on(c);
        return;
    }
    snprintf(text, sizeof text, "What stands at a URL of the request could not be fetched for this provider: %s.",
             j->why.msg);
    without(c, text);
}

void media_collect(struct worker *w) {
    pthread_mutex_lock(&w->inbox_lock);
    struct media_job *list = w->fetched;
    w->fetched = NULL;
    pthread_mutex_unlock(&w->inbox_lock);
    for (struct media_job *j = list, *next; j; j = next) {
        next = j->next;
        if (j->call) come_back(j);
        job_free(j);
    }
}
