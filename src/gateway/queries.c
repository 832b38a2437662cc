/* queries: one queue, a few threads, and per worker a list of finished jobs. */
#include "gateway/queries.h"

#include "base/clock.h"
#include "gateway/call.h"
#include "gateway/gateway.h"

#include <stdlib.h>

enum { THREADS = 2, WAITING_MAX = 256, OUT_MAX = 64 << 20, TIME_US = 10 * 1000 * 1000, ARENA_MAX = 16 << 20 };

struct queries {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct query_job *head, **tail;
    unsigned waiting;
    bool stopping;
    char *path;
    pthread_t thread[THREADS];
};

static void job_free(struct query_job *j) {
    buf_free(&j->out);
    arena_free(&j->a);
    free(j);
}

void query_fails(struct query_job *j, int status, const char *code, const char *why, const char *param) {
    buf_clear(&j->out);
    j->status = status;
    openai_error_write(&j->out, status, status < 500 ? STR("invalid_request_error") : STR("api_error"),
                       str_from(code), str_from(why), str_from(param));
}

static void run_job(struct queries *q, struct query_job *j) {
    err e;
    struct ledger *l = ledger_open(q->path, &e);
    if (l) {
        ledger_deadline(l, clock_mono_us() + TIME_US);
        j->run(j, l);
        ledger_close(l);
        return;
    }
    query_fails(j, 503, "ledger_unreadable", e.msg, "");
}

static void give_back(struct query_job *j) {
    struct worker *w = j->worker;
    pthread_mutex_lock(&w->inbox_lock);
    j->next = w->answered;
    w->answered = j;
    pthread_mutex_unlock(&w->inbox_lock);
    loop_wake(w->loop);
}

static void *run(void *arg) {
    struct queries *q = arg;
    pthread_setname_np(pthread_self(), "query");
    pthread_mutex_lock(&q->lock);
    while (!q->stopping) {
        struct query_job *j = q->head;
        if (!j) {
            pthread_cond_wait(&q->more, &q->lock);
            continue;
        }
        q->head = j->next;
        if (!q->head) q->tail = &q->head;
        q->waiting--;
        pthread_mutex_unlock(&q->lock);
        run_job(q, j);
        give_back(j);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

struct queries *queries_start(const char *ledger_path) {
    struct queries *q = xcalloc(1, sizeof *q);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    q->tail = &q->head;
    q->path = xstrdup(ledger_path);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&q->thread[i], NULL, run, q)) panic("cannot start the query threads");
    return q;
}

void queries_stop(struct queries *q) {
    if (!q) return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->more);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < THREADS; i++) pthread_join(q->thread[i], NULL);
    for (struct query_job *j = q->head, *next; j; j = next) {
        next = j->next;
        job_free(j);
    }
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->more);
    free(q->path);
    free(q);
}

bool queries_ask(struct queries *q, struct call *c, str input,
                 void (*run_it)(struct query_job *j, struct ledger *l)) {
    struct query_job *j = xcalloc(1, sizeof *j);
    j->worker = c->w;
    j->gateway = c->w->gateway;
    j->call = c;
    j->run = run_it;
    j->status = 200;
    arena_init(&j->a, 1024, ARENA_MAX);
    buf_init(&j->out, OUT_MAX);
    j->input = arena_str(&j->a, input);
    j->key = arena_str(&j->a, c->key);
    pthread_mutex_lock(&q->lock);
    bool room = q->waiting < WAITING_MAX && !q->stopping;
    if (room) {
        *q->tail = j;
        q->tail = &j->next;
        q->waiting++;
        pthread_cond_signal(&q->more);
    }
    pthread_mutex_unlock(&q->lock);
    if (room)
        c->job = j;
    else
        job_free(j);
    return room;
}

void queries_collect(struct worker *w) {
    pthread_mutex_lock(&w->inbox_lock);
    struct query_job *list = w->answered;
    w->answered = NULL;
    pthread_mutex_unlock(&w->inbox_lock);
    for (struct query_job *j = list, *next; j; j = next) {
        next = j->next;
        if (j->call) {
            struct call *c = j->call;
            c->job = NULL;
            c->status = (uint16_t)j->status;
            relay_own(c, j->status, "application/json", buf_view(&j->out));
        }
        job_free(j);
    }
}
