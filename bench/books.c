/* books: what booking a call costs, and how fast a large ledger answers. Run by bench/books.sh.
 *
 *     books append DIR            worker's cost of a call's events
 *     books run DIR RATE SECONDS  CPU of the books thread per call at a steady rate; bytes per call on disk
 *     books steps DIR CALLS       the same work without threads or clock, for instruction counts:
 *                                 valgrind --tool=callgrind --toggle-collect=step books steps DIR CALLS
 *     books reader DIR RATE SECONDS  the same while another process runs one SELECT all the time: what the log
 * grows to, that nothing is lost, and what it does to appending books select DIR            that SELECT, until it
 * is killed books fill DIR CALLS        makes a ledger of CALLS over 100 days, by the store itself books ask DIR
 * reports and the first 100 calls of every filter, each timed
 *
 * Calls are mixed as a busy team's would be: 40 keys, sessions of eight calls for a third of them, users,
 * eight models, 3 % errors, 2 % retried, 10 % with cached input, feedback on one in a hundred. */
#include "base/clock.h"
#include "books/books-private.h"
#include "books/query.h"
#include "books/rollup.h"
#include "insight/spend.h"

#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct mix {
    struct rng rng;
    struct uuid_gen gen;
    struct record r;
    struct facts f;
    struct record_attempt t;
    char key[16], user[24], session[40];
    uint64_t sessions[64];
    uint64_t count;
};

static const struct {
    const char *provider, *model, *tier, *target;
    int64_t in, out;
} models[] = {{"openai", "gpt-5-nano", "light", "openai/gpt-5-nano", 50000000, 400000000},
              {"openai", "gpt-5-nano", "light", "openai/gpt-5-nano", 50000000, 400000000},
              {"anthropic", "claude-haiku-4-5", "light", "anthropic/claude-haiku-4-5", 1000000000, 5000000000},
              {"openai", "gpt-5-mini", "mid", "openai/gpt-5-mini", 250000000, 2000000000},
              {"anthropic", "claude-sonnet-4-6", "mid", "anthropic/claude-sonnet-4-6", 3000000000, 15000000000},
              {"anthropic", "claude-opus-4-7", "frontier", "anthropic/claude-opus-4-7", 5000000000, 25000000000},
              {"openai", "gpt-4o", "frontier", "openai/gpt-4o", 2500000000, 10000000000},
              {"mistral", "mistral-small", "light", "mistral/mistral-small", 100000000, 300000000}};
static const char *const rules[] = {"short-structured", "hard-work", "high-stakes", "default", "ambiguous"};

static unsigned below(struct mix *m, unsigned n) { return (unsigned)(rng_next(&m->rng) >> 33) % n; }

static void line(struct mix *m, unsigned class, int64_t units, int64_t rate) {
    m->r.usage.units[class] = units;
    m->r.cost_lines.rate[class] = rate;
    m->r.cost_lines.cost[class] = (units * rate + 500000) / 1000000;
    m->r.cost_lines.total += m->r.cost_lines.cost[class];
}

static str say(char *out, size_t n, const char *fmt, unsigned long long v) {
    return str_make(out, (size_t)snprintf(out, n, fmt, v));
}

static void mix_who(struct mix *m) {
    struct record *r = &m->r;
    unsigned k = below(m, 40) * below(m, 40) / 40;
    r->key = say(m->key, sizeof m->key, "key-%02llu", k);
    r->team = str_from(k % 4 == 0 ? "search" : k % 4 == 1 ? "billing" : k % 4 == 2 ? "support" : "research");
    if (below(m, 2)) r->user = say(m->user, sizeof m->user, "user-%llu@example.com", below(m, 5000));
    if (below(m, 3)) return;
    unsigned slot = below(m, 64);
    if (below(m, 8) == 0 || !m->sessions[slot]) m->sessions[slot] = rng_next(&m->rng);
    r->session = str_make(m->session, (size_t)snprintf(m->session, sizeof m->session, "%016llx-9d3e-4c11-%012llx",
                                                       (unsigned long long)m->sessions[slot],
                                                       (unsigned long long)(m->sessions[slot] & 0xffffffffffff)));
}

/* The next call, begun at `wall`. */
static void mix_next(struct mix *m, uint64_t wall) {
    unsigned which = below(m, 8), task = 1 + below(m, 12);
    struct record *r = &m->r;
    *r = (struct record){.id = uuid_v7(&m->gen, wall),
                         .time_us = wall,
                         .dialect = STR("openai"),
                         .endpoint = STR("/v1/chat/completions"),
                         .requested_model = STR("auto"),
                         .propensity = 1,
                         .baseline_model = STR("anthropic/claude-opus-4-7"),
                         .config_version = STR("5f0c2a91"),
                         .price_version = STR("catalog 2026-07-24"),
                         .observed_cost = COST_UNKNOWN,
                         .status = 200,
                         .finish = FINISH_STOP,
                         .attempts = 1,
                         .stream = task & 1};
    mix_who(m);
    r->rule = str_from(rules[task % 5]);
    r->tier = str_from(models[which].tier);
    r->provider = str_from(models[which].provider);
    r->model = str_from(models[which].model);
    r->candidate_count = 2;
    r->candidate[0] = (struct record_candidate){str_from(models[which].target), 100000 + below(m, 1000000), -1};
    r->candidate[1] = (struct record_candidate){STR("mistral/mistral-small"), 100000 + below(m, 1000000), -1};
    r->prompt_hash = rng_next(&m->rng);
    r->answer_id = STR("chatcmpl-9f8e7d6c5b4a39281706f5e4d3c2b1a0");
    facts_init(&m->f);
    m->f.task = (uint8_t)task;
    m->f.task_source = TASK_BY_CLASSIFIER;
    m->f.task_confidence = facts_share(below(m, 10000) / 10000.0);
    m->f.difficulty = facts_share(below(m, 10000) / 10000.0);
    m->f.hour = (uint8_t)(wall / HOUR_US % 24);
    m->f.stream = r->stream;
    m->f.turns = (uint16_t)(1 + below(m, 8));
    m->f.input_length = 200 + below(m, 8000);
    m->f.input_tokens = m->f.input_length / 4;
    m->f.system_hash = 0x1234567890abcdef + below(m, 50);
    m->f.template_hash = 0xfedcba0987654321 + below(m, 200);
    m->f.key = r->key, m->f.team = r->team, m->f.user = r->user, m->f.session = r->session;
    m->f.model = r->requested_model;
    r->facts = &m->f;
    r->usage.source = TOKENS_PROVIDER;
    int64_t cached = below(m, 10) ? 0 : m->f.input_tokens / 2;
    line(m, USAGE_INPUT, m->f.input_tokens - cached, models[which].in);
    if (cached) line(m, USAGE_CACHED_INPUT, cached, models[which].in / 10);
    line(m, USAGE_OUTPUT, 20 + below(m, 700), models[which].out);
    r->cost = r->cost_lines.total;
    r->baseline_cost = (int64_t)m->f.input_tokens * 5000 + r->usage.units[USAGE_OUTPUT] * 25000;
    r->ttft_us = 150000 + below(m, 600000);
    r->duration_us = r->ttft_us + below(m, 9000000);
    r->overhead_us = 60 + below(m, 60);
    m->t = (struct record_attempt){.n = 1,
                                   .status = 200,
                                   .target = str_from(models[which].target),
                                   .start_us = 45,
                                   .first_byte_us = r->ttft_us,
                                   .end_us = r->duration_us,
                                   .usage = r->usage,
                                   .cost = r->cost_lines};
    if (below(m, 100) < 3) {
        r->status = m->t.status = 429;
        r->error = m->t.error = STR("rate_limited");
    }
    m->count++;
}

/* The strings of `from` are its own. */
static void mix_copy(struct mix *to, const struct mix *from) {
    *to = *from;
    to->r.facts = &to->f;
    to->r.key = to->f.key = str_make(to->key, from->r.key.n);
    if (from->r.user.n) to->r.user = to->f.user = str_make(to->user, from->r.user.n);
    if (from->r.session.n) to->r.session = to->f.session = str_make(to->session, from->r.session.n);
}

static void mix_init(struct mix *m, uint64_t seed) {
    *m = (struct mix){0};
    rng_seed(&m->rng, seed);
    uuid_gen_init(&m->gen);
}

static struct books *start(const char *dir, uint32_t writers) {
    static char db[512], spool[512];
    snprintf(db, sizeof db, "%s/dray.db", dir);
    snprintf(spool, sizeof spool, "%s/spool", dir);
    struct books_config c = {
        .path = str_from(db), .spool_dir = str_from(spool), .gateway = STR("bench"), .writers = writers};
    err e;
    struct books *b = books_open(&c, &e);
    if (!b) {
        fprintf(stderr, "%s\n", e.msg);
        exit(1);
    }
    return b;
}

static void drain(struct books *b) {
    struct books_status st;
    do {
        usleep(10000);
        books_status(b, &st);
    } while (st.backlog_events);
}

static uint64_t nanoseconds(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* CPU of the thread with this name, nanoseconds. */
static uint64_t thread_cpu(const char *name) {
    DIR *d = opendir("/proc/self/task");
    uint64_t ns = 0;
    for (struct dirent *t; (t = readdir(d));) {
        char path[300], text[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", t->d_name);
        FILE *f = fopen(path, "r");
        if (!f) continue;
        bool is = fgets(text, sizeof text, f) && strncmp(text, name, strlen(name)) == 0;
        fclose(f);
        if (!is) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", t->d_name);
        f = fopen(path, "r");
        if (f && fgets(text, sizeof text, f)) ns += strtoull(text, NULL, 10);
        if (f) fclose(f);
    }
    closedir(d);
    return ns;
}

static bool book(struct spool *w, struct mix *m) {
    return spool_begin(w, &m->r) && spool_attempt(w, &m->r, &m->t) && spool_end(w, &m->r);
}

static int cmp(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int run_append(const char *dir) {
    enum { BATCH = 2000, ROUNDS = 30 };
    struct books *b = start(dir, 1);
    struct mix *m = malloc(BATCH * sizeof *m);
    struct mix seed;
    mix_init(&seed, 1);
    static uint64_t took[BATCH * ROUNDS];
    uint64_t n = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            mix_next(&seed, clock_wall_us());
            m[i] = seed;
            m[i].r.facts = &m[i].f;
        }
        for (int i = 0; i < BATCH; i++) {
            uint64_t t = nanoseconds(CLOCK_MONOTONIC);
            if (!book(books_writer(b, 0), &m[i])) return 1;
            took[n++] = nanoseconds(CLOCK_MONOTONIC) - t;
        }
        drain(b);
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += took[i];
    qsort(took, n, sizeof *took, cmp);
    printf("append: all events of a call, ns: mean %llu  p50 %llu  p99 %llu  p99.9 %llu  max %llu\n",
           (unsigned long long)(sum / n), (unsigned long long)took[n / 2], (unsigned long long)took[n * 99 / 100],
           (unsigned long long)took[n * 999 / 1000], (unsigned long long)took[n - 1]);
    free(m);
    return books_close(b, 10000000) != 0;
}

static int64_t file_size(const char *dir, const char *name) {
    char path[600];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* A user's SELECT that never ends, over the calls there are now. */
static int run_select(const char *dir) {
    char path[512];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/dray.db", dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) return 1;
    return sqlite3_exec(db, "SELECT sum(length(a.facts)*b.cost_nano) FROM calls a, calls b, calls c", NULL, NULL,
                        NULL);
}

static pid_t start_select(const char *dir) {
    pid_t pid = 0;
    char *argv[] = {"books", "select", (char *)(uintptr_t)dir, NULL};
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) exit(1);
    return pid;
}

/* Whether it ran all the time. */
static bool stop_select(pid_t pid) {
    int status;
    bool ran = waitpid(pid, &status, WNOHANG) == 0;
    kill(pid, SIGKILL);
    if (ran) waitpid(pid, &status, 0);
    return ran;
}

static void print_appends(uint64_t *took, uint64_t n) {
    qsort(took, n, sizeof *took, cmp);
    printf("run: appending a call's events takes the worker p50 %.1f  p99 %.1f  p99.9 %.1f us\n",
           (double)took[n / 2] / 1e3, (double)took[n * 99 / 100] / 1e3, (double)took[n * 999 / 1000] / 1e3);
}

/* Calls last half a second here: begun, kept in flight, then attempt and end. */
static int run_rate(const char *dir, unsigned rate, unsigned seconds, bool reader) {
    struct books *b = start(dir, 2);
    struct mix seed;
    mix_init(&seed, 2);
    unsigned flight = rate / 2, n = rate * seconds;
    struct mix *m = calloc(flight, sizeof *m);
    uint64_t *took = calloc(n + flight, sizeof *took);
    pid_t select = 0;
    uint64_t from = nanoseconds(CLOCK_MONOTONIC), cpu = thread_cpu("books");
    for (unsigned i = 0; i < n + flight; i++) {
        uint64_t due = from + (uint64_t)i * 1000000000 / rate, now = nanoseconds(CLOCK_MONOTONIC);
        if (due > now + 1000000) usleep((useconds_t)((due - now) / 1000));
        struct mix *slot = &m[i % flight];
        struct spool *w = books_writer(b, i % flight & 1);
        uint64_t begun = nanoseconds(CLOCK_MONOTONIC);
        if (i >= flight && (!spool_attempt(w, &slot->r, &slot->t) || !spool_end(w, &slot->r))) return 1;
        took[i] = nanoseconds(CLOCK_MONOTONIC) - begun;
        if (i >= n) continue;
        if (reader && i == rate) select = start_select(dir);
        mix_next(&seed, clock_wall_us());
        mix_copy(slot, &seed);
        begun = nanoseconds(CLOCK_MONOTONIC);
        if (!spool_begin(w, &slot->r)) return 1;
        took[i] += nanoseconds(CLOCK_MONOTONIC) - begun;
    }
    drain(b);
    cpu = thread_cpu("books") - cpu;
    uint64_t helper = thread_cpu("spool");
    struct books_status st;
    books_status(b, &st);
    printf("run: %u calls/s, %llu rows, %llu lost: books thread %.2f us, helper %.2f us CPU per call\n", rate,
           (unsigned long long)st.rows, (unsigned long long)st.lost, (double)cpu / 1e3 / n,
           (double)helper / 1e3 / n);
    print_appends(took + flight, n - flight);
    free(took);
    if (reader) {
        bool ran = stop_select(select);
        printf("reader: the SELECT %s; log of %.0f MB (bound: %d MB), %llu failures, every call in the store\n",
               ran ? "ran all the time" : "ENDED TOO SOON", (double)st.wal_bytes / 1e6, WAL_MAX / 256,
               (unsigned long long)st.failures);
    }
    bool bad = books_close(b, 10000000) != 0 || st.rows != n;
    if (!reader) printf("run: %.0f bytes per call on disk\n", (double)file_size(dir, "dray.db") / n);
    free(m);
    return bad;
}

/* ---- the thread's work, step by step ---- */

enum { STEP_CALLS = 1250, STEP_FLIGHT = 2500, STEP_FLUSH = 240, STEPS_WARM = 24 };

/* What the books thread does every quarter of a second at 5,000 calls/s. */
__attribute__((noinline)) static bool step(struct books *b, uint64_t n) {
    err e;
    int left;
    if (!slice_read(b) || !slice_write(b, &e)) return false;
    if (n % STEP_FLUSH == 0 && !store_flush(b->store, &e)) return false;
    return n % 24 != 0 || store_checkpoint(b->store, &left, &e);
}

static int run_steps(const char *dir, uint64_t calls) {
    struct books *b = start(dir, 1);
    atomic_store(&b->stop_at, 1);
    pthread_join(b->thread, NULL); /* this thread takes its place */
    atomic_store(&b->stop_at, 0);
    struct mix seed, *m = calloc(STEP_FLIGHT, sizeof *m);
    mix_init(&seed, 4);
    uint64_t wall = clock_wall_us(), cpu = 0, n = 0;
    struct spool *w = books_writer(b, 0);
    for (uint64_t s = 1; n < calls; s++) {
        for (int i = 0; i<STEP_CALLS; i++, n += s> STEPS_WARM) {
            struct mix *slot = &m[(s * STEP_CALLS + (uint64_t)i) % STEP_FLIGHT];
            if (slot->count && (!spool_attempt(w, &slot->r, &slot->t) || !spool_end(w, &slot->r))) return 1;
            mix_next(&seed, wall += 200);
            mix_copy(slot, &seed);
            if (!spool_begin(w, &slot->r)) return 1;
        }
        uint64_t from = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        if (!step(b, s)) return 1;
        if (s > STEPS_WARM) cpu += nanoseconds(CLOCK_THREAD_CPUTIME_ID) - from;
    }
    printf("steps: %.2f us CPU per call\n", (double)cpu / 1e3 / (double)n);
    free(m);
    return 0;
}

static int run_fill(const char *dir, uint64_t calls) {
    enum { BATCH = 5000 };
    char path[512];
    snprintf(path, sizeof path, "%s/dray.db", dir);
    bool garbage;
    err e;
    struct store *st = store_open(path, false, &garbage, &e);
    if (!st) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    struct mix m;
    mix_init(&m, 3);
    struct folded *f = calloc(1, sizeof *f);
    uint64_t end = clock_wall_us(), span = 100 * DAY_US, step = span / calls, from = nanoseconds(CLOCK_MONOTONIC);
    int left;
    for (uint64_t i = 0; i < calls; i++) {
        if (i % BATCH == 0 && !store_begin(st, &e)) return 1;
        mix_next(&m, end - span + i * step);
        folded_init(f);
        f->r = m.r;
        f->begun = f->ended = f->has_facts = true;
        f->attempt[0] = m.t;
        f->attempt_count = 1;
        if (below(&m, 100) == 0) {
            f->amended = true;
            f->amend = (struct record_amend){.quality = 1, .quality_source = STR("feedback")};
        }
        if (store_put(st, f, STR("bench"), false, &e) == STORED_FAILED) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
        if (i % BATCH != BATCH - 1 && i + 1 != calls) continue;
        if (!store_commit(st, &e)) return 1;
        if (i / BATCH % 10 == 9) store_checkpoint(st, &left, &e);
    }
    if (!store_flush(st, &e)) return 1;
    store_checkpoint(st, &left, &e);
    store_close(st);
    free(f);
    printf("fill: %llu calls, %.2f us each, %.0f bytes each\n", (unsigned long long)calls,
           (double)(nanoseconds(CLOCK_MONOTONIC) - from) / 1e3 / (double)calls,
           (double)file_size(dir, "dray.db") / (double)calls);
    return 0;
}

static double ms_since(uint64_t from) { return (double)(nanoseconds(CLOCK_MONOTONIC) - from) / 1e6; }

static double ask_report(struct ledger *l, const char *since) {
    struct spend s;
    err e;
    uint64_t from = 0, now = clock_wall_us(), t = nanoseconds(CLOCK_MONOTONIC);
    query_time(str_from(since), now, &from);
    buf out;
    buf_init(&out, 64 << 20);
    if (!spend_read(&s, ledger_db(l), from, now, NULL, &e)) fprintf(stderr, "%s\n", e.msg);
    spend_json(&s, &out);
    double ms = ms_since(t);
    printf("ask: report --since %-6s %8.1f ms  %lld calls\n", since, ms, (long long)s.all.sums.calls);
    spend_free(&s);
    buf_free(&out);
    return ms;
}

static double ask_calls(struct ledger *l, const char *text) {
    struct query q;
    err e;
    arena a;
    buf out;
    buf_init(&out, 64 << 20);
    arena_init(&a, 4096, 1 << 20);
    uint64_t t = nanoseconds(CLOCK_MONOTONIC);
    if (!query_parse(str_from(text), clock_wall_us(), &a, &q, &e) || !query_calls(l, &q, &out, &e))
        fprintf(stderr, "%s: %s\n", text, e.msg);
    double ms = ms_since(t);
    jval root = {{NULL, 0}, J_NONE, false}, call;
    json_check(buf_view(&out), &root, NULL, NULL);
    unsigned n = 0;
    for (jiter it = json_iter(json_get(root, STR("calls"))); json_item(&it, &call);) n++;
    printf("ask: calls %-32s %8.1f ms  %u calls%s\n", text, ms, n,
           json_true(json_get(root, STR("complete"))) ? "" : ", goes on by cursor");
    arena_free(&a);
    buf_free(&out);
    return ms;
}

static int run_ask(const char *dir) {
    static const char *const spans[] = {"1d", "7d", "30d", "100d"};
    static const char *const filters[] = {"",
                                          "key=key-03",
                                          "key=key-38",
                                          "team=search",
                                          "error=rate_limited",
                                          "error=any",
                                          "model=gpt-4o",
                                          "model=nobody",
                                          "task=qa",
                                          "tier=frontier&task=code",
                                          "rule=default",
                                          "user=user-77@example.com",
                                          "user=nobody",
                                          "status=429",
                                          "status=418",
                                          "provider=mistral",
                                          "session=nobody",
                                          "cache=exact",
                                          "until=90d"};
    char path[512];
    snprintf(path, sizeof path, "%s/dray.db", dir);
    err e;
    struct ledger *l = ledger_open(path, &e);
    if (!l) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    double worst = 0, ms;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        worst = (ms = ask_report(l, spans[i])) > worst ? ms : worst;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        worst = (ms = ask_calls(l, filters[i])) > worst ? ms : worst;
    ledger_close(l);
    printf("ask: slowest %.1f ms (promised: 200 ms)\n", worst);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "append") == 0) return run_append(argv[2]);
    if (argc == 5 && (strcmp(argv[1], "run") == 0 || strcmp(argv[1], "reader") == 0))
        return run_rate(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argv[1][1] == 'e');
    if (argc == 3 && strcmp(argv[1], "select") == 0) return run_select(argv[2]);
    if (argc == 4 && strcmp(argv[1], "steps") == 0) return run_steps(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "ask") == 0) return run_ask(argv[2]);
    if (argc == 4 && strcmp(argv[1], "fill") == 0) return run_fill(argv[2], strtoull(argv[3], NULL, 10));
    fprintf(
        stderr,
        "usage: books append DIR | run|reader DIR RATE SECONDS | steps DIR CALLS | fill DIR CALLS | ask DIR\n");
    return 2;
}
