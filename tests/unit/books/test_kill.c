/* SIGKILL at random moments: no ended call is missing, none is there twice, each cut call shows with what
 * its attempts had cost, and the sums agree. The child acknowledges on a pipe what was appended, as the
 * gateway does with an answer's last byte; the parent counts. DRAY_KILLS sets the number of kills. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { KILLS = 12, THREADS = 2, FLIGHT = 16 };

struct ack {
    struct uuid id;
    int64_t cost;
    uint8_t what; /* 'b' begun, 'a' attempt ended, 'e' ended */
    uint8_t pad[7];
};
struct child {
    struct spool *w;
    int fd;
    unsigned n;
};

static void acknowledge(int fd, uint8_t what, struct uuid id, int64_t cost) {
    struct ack a = {.id = id, .cost = cost, .what = what};
    if (write(fd, &a, sizeof a) != sizeof a) _exit(3);
}

/* Calls overlap; every fifth one is retried, so that it has two attempts. */
static void *child_main(void *arg) {
    struct child *c = arg;
    struct uuid_gen gen;
    uuid_gen_init(&gen);
    struct sample *s = calloc(FLIGHT, sizeof *s);
    for (unsigned i = 0;; i++) {
        struct sample *now = &s[i % FLIGHT];
        if (now->r.time_us) {
            if (i % 5 == 0) {
                struct record_attempt second = now->t;
                second.n = 2;
                now->r.attempts = 2;
                now->r.cost = 2 * now->t.cost.total;
                if (!spool_attempt(c->w, &now->r, &second)) continue;
                acknowledge(c->fd, 'a', now->r.id, now->r.cost);
            }
            if (!spool_end(c->w, &now->r)) continue;
            acknowledge(c->fd, 'e', now->r.id, now->r.cost);
        }
        sample_make(now, &gen, clock_wall_us());
        if (!spool_begin(c->w, &now->r)) continue;
        acknowledge(c->fd, 'b', now->r.id, 0);
        if (!spool_attempt(c->w, &now->r, &now->t)) continue;
        acknowledge(c->fd, 'a', now->r.id, now->r.cost);
        usleep(200);
    }
    return NULL;
}

static void child_run(const struct place *p, int fd) {
    struct books_config c = config_of(p);
    err e;
    struct books *b = books_open(&c, &e);
    if (!b) _exit(2);
    pthread_t t;
    static struct child child[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        child[i] = (struct child){books_writer(b, i), fd, i};
        pthread_create(&t, NULL, child_main, &child[i]);
    }
    for (;;) pause();
}

static sqlite3 *acks_open(void) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE ack(id TEXT, what TEXT, cost INTEGER)", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

/* Reads all that the child said before it died. */
static void collect(sqlite3 *acks, int fd) {
    sqlite3_stmt *q;
    sqlite3_prepare_v2(acks, "INSERT INTO ack VALUES(?,?,?)", -1, &q, NULL);
    sqlite3_exec(acks, "BEGIN", NULL, NULL, NULL);
    struct ack a;
    while (read(fd, &a, sizeof a) == sizeof a) {
        char id[37], what[2] = {(char)a.what, 0};
        uuid_format(id, a.id);
        sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
        sqlite3_bind_text(q, 2, what, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 3, a.cost);
        assert_int_equal(sqlite3_step(q), SQLITE_DONE);
        sqlite3_reset(q);
    }
    sqlite3_exec(acks, "COMMIT", NULL, NULL, NULL);
    sqlite3_finalize(q);
}

static int64_t count(sqlite3 *db, const char *sql) {
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

static void test_kill(void **state) {
    (void)state;
    const char *env = getenv("DRAY_KILLS");
    int kills = env ? atoi(env) : KILLS;
    struct place p;
    place_make(&p);
    sqlite3 *acks = acks_open();
    srand((unsigned)getpid());
    for (int i = 0; i < kills; i++) {
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        fcntl(fd[1], F_SETPIPE_SZ, 1 << 20);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fd[0]);
            child_run(&p, fd[1]);
        }
        close(fd[1]);
        usleep((useconds_t)(20000 + rand() % 250000));
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        collect(acks, fd[0]);
        close(fd[0]);
    }
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    settle_books(b);
    assert_int_equal(books_close(b, 20000000), 0);

    char sql[200];
    snprintf(sql, sizeof sql, "ATTACH '%s' AS dray", p.db);
    assert_int_equal(sqlite3_exec(acks, sql, NULL, NULL, NULL), SQLITE_OK);
    /* The view's id is made of the row: a table of it makes the joins quick. */
    assert_int_equal(
        sqlite3_exec(acks,
                     "CREATE INDEX ack_id ON ack(id);"
                     "CREATE TABLE got AS SELECT id, cost_nano AS cost, coalesce(error,'')='cut' AS cut,"
                     " attempts FROM calls; CREATE INDEX got_id ON got(id);",
                     NULL, NULL, NULL),
        SQLITE_OK);
    int64_t ended = count(acks, "SELECT count(*) FROM ack WHERE what='e'");
    print_message("%d kills: %lld calls ended, %lld rows, %lld of them cut\n", kills, (long long)ended,
                  (long long)count(acks, "SELECT count(*) FROM got"),
                  (long long)count(acks, "SELECT sum(cut) FROM got"));
    assert_true(ended > kills);
    assert_int_equal(count(acks, "SELECT count(*)-count(DISTINCT id) FROM got"), 0);
    assert_int_equal(
        count(acks, "SELECT count(*) FROM ack WHERE what='e' AND id NOT IN (SELECT id FROM got WHERE NOT cut)"),
        0);
    assert_int_equal(
        count(acks, "SELECT count(*) FROM ack JOIN got USING(id) WHERE what='e' AND ack.cost IS NOT got.cost"), 0);
    /* Begun, never ended: there, and cut (or its end was written but not acknowledged any more). */
    assert_int_equal(count(acks, "SELECT count(*) FROM ack WHERE what='b' AND id NOT IN (SELECT id FROM got)"), 0);
    assert_int_equal(count(acks, "SELECT count(*) FROM got WHERE cut AND cost < (SELECT max(cost) FROM ack WHERE"
                                 " ack.id=got.id AND what='a')"),
                     0);
    assert_true(count(acks, "SELECT sum(cut) FROM got") > 0);
    /* At most one event per thread and kill was appended without its acknowledgement. */
    assert_true(count(acks, "SELECT count(*) FROM got WHERE id NOT IN (SELECT id FROM ack)") <= kills * THREADS);
    assert_int_equal(count(acks, "SELECT sum(cost) FROM hours WHERE dimension='all'"),
                     count(acks, "SELECT sum(cost) FROM got"));
    assert_int_equal(count(acks, "SELECT sum(calls) FROM days WHERE dimension='all'"),
                     count(acks, "SELECT count(*) FROM got"));
    assert_int_equal(count(acks, "SELECT sum(cost_nano) FROM attempts"), count(acks, "SELECT sum(cost) FROM got"));
    sqlite3_close(acks);
    check_money(&p);
    place_remove(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
