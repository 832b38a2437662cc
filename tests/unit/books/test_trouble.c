/* What can go wrong with disks and files: calls go on, nothing crashes, the alarm shows, and what can be
 * recovered is. */
#include "fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const uint64_t NOON = 1795608000000000;

static struct uuid_gen gen;

static void book_some(struct books *b, int n, uint64_t from) {
    for (int i = 0; i < n; i++) {
        struct sample s;
        sample_make(&s, &gen, from + (uint64_t)i * 1000);
        book(books_writer(b, (unsigned)i % 2), &s);
    }
}

/* Waits (bounded) until the store is well, or not. */
static struct books_status wait_store(struct books *b, bool ok) {
    struct books_status st;
    for (int i = 0; i < 10000; i++) {
        books_status(b, &st);
        if (st.store_ok == ok) return st;
        usleep(1000);
    }
    fail_msg("the store's state stays %d: %s", !ok, st.error);
    return st;
}

/* Waits (bounded) until a file of this name is there. */
static void wait_file(const char *pattern) {
    glob_t g;
    for (int i = 0; i < 60000; i++) {
        if (glob(pattern, 0, NULL, &g) == 0) {
            globfree(&g);
            return;
        }
        usleep(1000);
    }
    fail_msg("there is no %s", pattern);
}

static void wait_corrupt(const struct place *p) {
    char pattern[160];
    snprintf(pattern, sizeof pattern, "%s.corrupt-*", p->db);
    wait_file(pattern);
    wait_file(p->db); /* the new one */
}

static void test_locked(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    book_some(b, 10, NOON);
    settle_books(b);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    book_some(b, 50, NOON + 1000000);
    struct books_status st = wait_store(b, false);
    assert_non_null(strstr(st.error, "locked"));
    assert_true(st.backlog_events >= 150 && st.failures > 0 && st.spool_ok && st.lost == 0);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    wait_store(b, true);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 60);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM hours WHERE dimension='all'"), 60);
    place_remove(&p);
}

/* Deleted under us: a new one is made, and what the segments still hold is in it. */
static void test_deleted(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    book_some(b, 100, NOON);
    settle_books(b);
    char cmd[256];
    snprintf(cmd, sizeof cmd, "rm %s %s-wal %s-shm", p.db, p.db, p.db);
    assert_int_equal(system(cmd), 0);
    wait_file(p.db);
    book_some(b, 20, NOON + 1000000);
    settle_books(b);
    assert_int_equal(books_close(b, 5000000), 0);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 120);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM hours WHERE dimension='all'"), 120);
    place_remove(&p);
}

/* Replaced by garbage: put aside, a new one is made. */
static void test_garbage(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    book_some(b, 30, NOON);
    settle_books(b);
    char cmd[512];
    snprintf(cmd, sizeof cmd, "rm -f %s-wal %s-shm %s; head -c 100000 /dev/urandom > %s", p.db, p.db, p.db, p.db);
    assert_int_equal(system(cmd), 0);
    wait_corrupt(&p);
    book_some(b, 5, NOON + 1000000);
    wait_store(b, true);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 35);
    snprintf(cmd, sizeof cmd, "ls %s.corrupt-* >/dev/null", p.db);
    assert_int_equal(system(cmd), 0);

    /* The same at the start, where many were put aside before: the newest stay. */
    snprintf(cmd, sizeof cmd,
             "rm -f %s*; for i in 1 2 3 4 5 6 7 8 9; do touch %s.corrupt-2020-01-0${i}T00:00:00.000000Z; done; "
             "echo not a database, but long enough to be read as one > %s",
             p.db, p.db, p.db);
    assert_int_equal(system(cmd), 0);
    b = open_or_die(&c);
    book_some(b, 5, NOON);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 5);
    snprintf(cmd, sizeof cmd, "test \"$(ls %s.corrupt-* | wc -l)\" = 5 && test -e %s.corrupt-2020-01-09*", p.db,
             p.db);
    assert_int_equal(system(cmd), 0);
    place_remove(&p);
}

/* Overwritten in place while it is open. */
static void test_overwritten(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    book_some(b, 30, NOON);
    settle_books(b);
    int fd = open(p.db, O_WRONLY);
    char junk[65536];
    random_bytes(junk, sizeof junk);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 0), sizeof junk);
    close(fd);
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", p.db);
    assert_int_equal(truncate(wal, 0), 0);
    wait_corrupt(&p);
    book_some(b, 5, NOON + 1000000);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 35);
    place_remove(&p);
}

/* Books calls until the spool says that it is full and some were lost (also those for which no segment was ready
 * in time, as may be on a busy machine). Returns how many were booked whole. */
static int book_until_full(struct books *b, unsigned *lost) {
    struct books_status st;
    int booked = 0;
    *lost = 0;
    for (int i = 0; i < 600000; i++) {
        struct sample s;
        sample_make(&s, &gen, NOON + (uint64_t)i * 1000);
        struct spool *w = books_writer(b, 0);
        bool good = spool_begin(w, &s.r) && spool_attempt(w, &s.r, &s.t) && spool_end(w, &s.r);
        booked += good;
        *lost += !good;
        if (good && i % 50) continue;
        usleep(1000);
        books_status(b, &st);
        if (!st.spool_ok && !good) return booked;
    }
    fail_msg("the spool is never full");
    return booked;
}

/* The store is away (a folder stands in its place) until the spool is full: what found room is booked later, what
 * did not is counted. */
static void test_bounded(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    c.segments_max = 8;
    struct books *b = open_or_die(&c);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    unsigned lost;
    int booked = book_until_full(b, &lost);
    struct books_status st;
    books_status(b, &st);
    assert_int_equal(st.lost, lost);
    assert_false(st.spool_ok);
    assert_true(st.segments <= 8);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    settle_books(b);
    for (int i = 0; i < 60000 && !st.spool_ok; i++) {
        usleep(1000);
        books_status(b, &st);
    }
    assert_true(st.spool_ok && st.store_ok && st.error[0] == 0);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls WHERE error IS NULL"), booked);
    place_remove(&p);
}

/* Left-over segments with damage: what is whole is booked, the damage is counted. */
static void test_damaged(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    book_some(b, 100, NOON);
    assert_true(books_close(b, 1) >= 300); /* stays in the spool */
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    /* Writer 0: a byte in the middle of an event; writer 1: the file is cut short; one that is no segment. */
    char cmd[1024];
    snprintf(
        cmd, sizeof cmd,
        "cd %s && s=$(ls *-000-*1.seg) && printf '\\377' | dd of=$s bs=1 seek=5000 conv=notrunc status=none &&"
        " s=$(ls *-001-*1.seg) && truncate -s 20000 $s && echo junk > ${s%%-*-*}-009-0000000001.seg",
        p.spool);
    assert_int_equal(system(cmd), 0);
    b = open_or_die(&c);
    settle_books(b);
    struct books_status st;
    books_status(b, &st);
    books_close(b, 5000000);
    int64_t rows = ask(&p, "SELECT count(*) FROM calls");
    assert_true(st.corrupt >= 2);
    assert_true(rows >= 50 + 10 && rows <= 100);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls WHERE error='cut'") + (int64_t)0, (int64_t)st.cut);
    snprintf(cmd, sizeof cmd, "test \"$(ls %s | grep -c bad)\" = 1 && test \"$(ls %s | wc -l)\" = 1", p.spool,
             p.spool);
    assert_int_equal(system(cmd), 0);
    place_remove(&p);
}

static int count_files(const char *format, const char *dir) {
    char pattern[160];
    glob_t g;
    snprintf(pattern, sizeof pattern, format, dir);
    if (glob(pattern, 0, NULL, &g) != 0) return 0;
    int n = (int)g.gl_pathc;
    globfree(&g);
    return n;
}

/* Files put aside are bounded in number and in size; the newest stay. */
static void test_bad_bounded(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    books_close(open_or_die(&c), 5000000);
    char cmd[512];
    snprintf(cmd, sizeof cmd,
             "mkdir -p %s && cd %s && for i in $(seq 10 40); do echo old > "
             "00000000000000$i-000-0000000001.seg.bad; done;"
             " touch 00000000000000aa.lock && echo junk > 00000000000000aa-000-0000000001.seg",
             p.spool, p.spool);
    assert_int_equal(system(cmd), 0);
    struct books *b = open_or_die(&c);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(count_files("%s/*.bad", p.spool), SPOOL_BAD_MAX);
    assert_int_equal(count_files("%s/00000000000000aa*.bad", p.spool), 1);
    assert_int_equal(count_files("%s/00000000000000aa-*.seg", p.spool), 0);

    snprintf(cmd, sizeof cmd,
             "cd %s && rm -f *.bad && for i in 1 2 3; do head -c 30000000 /dev/zero > "
             "000000000000000$i-000-0000000001.seg.bad;"
             " done; touch 00000000000000bb.lock && echo junk > 00000000000000bb-000-0000000001.seg",
             p.spool);
    assert_int_equal(system(cmd), 0);
    b = open_or_die(&c);
    settle_books(b);
    books_close(b, 5000000);
    assert_int_equal(count_files("%s/*.bad", p.spool), 3); /* two of 30 MB and the one of a few bytes */
    assert_int_equal(count_files("%s/0000000000000001-*", p.spool), 0);
    assert_int_equal(count_files("%s/00000000000000bb*.bad", p.spool), 1);
    place_remove(&p);
}

/* Recovery reads what was written of a segment, not what was allocated; and nothing is cut off. */
static void test_written_part(void **state) {
    (void)state;
    struct place p;
    err e;
    place_make(&p);
    int dir = open(p.dir, O_RDONLY | O_DIRECTORY);
    struct segment *s = segment_create(dir, 1, 0, 1, SEGMENT_SIZE, STR("gw-1"), &e);
    assert_non_null(s);
    struct uuid id = {{1}};
    memset((char *)s->head + SEGMENT_HEAD + EVENT_HEAD, 'x', 10000);
    size_t end = segment_commit(s, SEGMENT_HEAD, 1, 0, 0, id.b, 10000);
    /* Behind a hole, as a power loss may leave it. */
    size_t far = 5 << 20;
    size_t last = segment_commit(s, far, 1, 0, 1, id.b, 0);
    atomic_store(&s->head->committed, end);
    struct segment *again = segment_load(dir, s->name, &e);
    assert_non_null(again);
    assert_true(again->size >= last && again->size <= last + 4096);
    uint64_t bad = 0;
    struct event_head h;
    str payload;
    size_t at = SEGMENT_HEAD;
    assert_true(segment_next(again, &at, again->size, true, &bad, &h, &payload));
    assert_true(payload.n == 10000 && payload.p[9999] == 'x' && h.n == 0);
    assert_true(segment_next(again, &at, again->size, true, &bad, &h, &payload));
    assert_int_equal(h.n, 1);
    assert_false(segment_next(again, &at, again->size, true, &bad, &h, &payload));
    segment_close(again);
    segment_close(s);
    close(dir);
    place_remove(&p);
}

static struct books_status wait_error(struct books *b, const char *word) {
    struct books_status st;
    for (int i = 0; i < 60000; i++) {
        books_status(b, &st);
        if (strstr(st.error, word)) return st;
        usleep(1000);
    }
    fail_msg("no error says %s: %s", word, st.error);
    return st;
}

/* A file system without room (a small tmpfs, where we may mount one). */
static void test_full(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    if (mount("tmpfs", p.dir, "tmpfs", 0, "size=3m") != 0) {
        print_message("skipped: this user may not mount a tmpfs\n");
        place_remove(&p);
        skip();
    }
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    /* Nothing leaves the spool while this is held, so what is full stays full. */
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    unsigned lost;
    int booked = book_until_full(b, &lost);
    char cmd[256];
    snprintf(cmd, sizeof cmd, "cat /dev/zero > %s/rest 2>/dev/null", p.dir);
    assert_int_not_equal(system(cmd), 0); /* until there is no byte left for the store either */
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    struct books_status st = wait_error(b, "full");
    assert_false(st.store_ok || st.spool_ok);
    assert_true(st.backlog_events > 0 && st.lost == lost);
    /* Room again: everything that was booked comes into the store. */
    assert_int_equal(mount("tmpfs", p.dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    wait_store(b, true);
    settle_books(b);
    assert_int_equal(books_close(b, 5000000), 0);
    int64_t whole = ask(&p, "SELECT count(*) FROM calls WHERE error IS NULL");
    assert_int_equal(whole, booked);
    umount(p.dir);
    place_remove(&p);
}

/* The folder became read-only. */
static void test_read_only(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    char store[96];
    snprintf(store, sizeof store, "%s/store", p.dir);
    assert_int_equal(mkdir(store, 0700), 0);
    if (mount("tmpfs", store, "tmpfs", 0, "size=16m") != 0) {
        print_message("skipped: this user may not mount a tmpfs\n");
        place_remove(&p);
        skip();
    }
    snprintf(p.db, sizeof p.db, "%.80s/dray.db", store);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    book_some(b, 10, NOON);
    settle_books(b);
    /* Not while files are open for writing: so the file system is made full instead by its owner. */
    assert_int_equal(mount("tmpfs", store, "tmpfs", MS_REMOUNT, "size=100k"), -1);
    books_close(b, 5000000);
    assert_int_equal(mount("tmpfs", store, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    err e = {{0}};
    assert_null(books_open(&c, &e)); /* said at the start, plainly */
    assert_non_null(strstr(e.msg, "dray.db"));
    umount(store);
    place_remove(&p);
}

/* Clocks that jump back a year and forward ten: rows all the same. */
static void test_clock(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    c.keep_calls_us = 400 * 86400000000ull; /* the old one is younger than that */
    struct books *b = open_or_die(&c);
    struct sample s;
    uint64_t now = clock_wall_us(), year = 31536000000000ull;
    const uint64_t at[] = {now, now - year, now + 10 * year, now, 0, UINT64_MAX / 2};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        sample_make(&s, &gen, at[i]);
        book(books_writer(b, 0), &s);
    }
    settle_books(b);
    books_close(b, 5000000);
    assert_true(ask(&p, "SELECT count(*) FROM calls") >= 5); /* that of 1970 may have been kept long enough */
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM days WHERE dimension='all'"), 6);
    place_remove(&p);
}

/* keep: the old go, the sums stay. */
static void test_keep(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    uint64_t now = clock_wall_us(), day = 86400000000ull;
    book_some(b, 1200, now - 20 * day);
    struct sample s;
    for (int i = 0; i < 2; i++) { /* one session ends in those days, one goes on */
        sample_make(&s, &gen, now - 19 * day + (uint64_t)i);
        s.r.session = s.f.session = i ? STR("goes-on") : STR("long-ago");
        book(books_writer(b, 0), &s);
    }
    settle_books(b);
    sample_make(&s, &gen, now);
    s.r.session = s.f.session = STR("goes-on");
    book(books_writer(b, 0), &s);
    book_some(b, 10, now);
    books_close(b, 5000000);
    c.keep_calls_us = 10 * day;
    b = open_or_die(&c);
    for (int i = 0; i < 10000 && ask(&p, "SELECT count(*) FROM call") > 11; i++) usleep(2000);
    sample_make(&s, &gen, now + 1); /* a session that went comes again */
    s.r.session = s.f.session = STR("long-ago");
    book(books_writer(b, 0), &s);
    books_close(b, 5000000);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 12);
    assert_int_equal(ask(&p, "SELECT sum(calls) FROM days WHERE dimension='all'"), 1214);
    assert_int_equal(ask(&p, "SELECT count(*) FROM session"), 3);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls WHERE session='long-ago'"), 1);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls WHERE session IS NULL"), 0);
    place_remove(&p);
}

/* A call that lasts while the spool turns over several times: its first events are kept in the store. */
static void test_long_call(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    struct books *b = open_or_die(&c);
    struct sample l;
    sample_make(&l, &gen, NOON);
    assert_true(spool_begin(books_writer(b, 0), &l.r));
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 100; k++) {
            struct sample s;
            sample_make(&s, &gen, NOON + 1000 + (uint64_t)(i * 100 + k) * 1000);
            book(books_writer(b, 0), &s);
        }
        settle_books(b);
    }
    struct books_status st;
    books_status(b, &st);
    for (int i = 0; i < 60000 && st.segments > 3 * 2 + 6; i++, books_status(b, &st))
        usleep(1000); /* the helper's */
    assert_true(st.segments <= 3 * 2 + 6);
    assert_int_equal(ask(&p, "SELECT count(*) FROM open_call"), 1);
    assert_true(spool_attempt(books_writer(b, 0), &l.r, &l.t));
    assert_true(spool_end(books_writer(b, 0), &l.r));
    assert_int_equal(books_close(b, 5000000), 0);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), 4001);
    assert_int_equal(ask(&p, "SELECT count(*) FROM open_call"), 0);
    place_remove(&p);
}

/* A reader that doesn't end: the log grows to its bound, then the spool holds; when the reader is gone it goes on.
 */
static void test_long_read(void **state) {
    (void)state;
    struct place p;
    place_make(&p);
    struct books_config c = config_of(&p);
    c.wal_max = 300;
    struct books *b = open_or_die(&c);
    book_some(b, 10, NOON);
    settle_books(b);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM call", NULL, NULL, NULL), SQLITE_OK);
    int booked = 10;
    struct books_status st;
    for (books_status(b, &st); st.store_ok && booked < 20000; booked += 50) {
        book_some(b, 50, NOON + 1000000 + (uint64_t)booked * 100000);
        do {
            usleep(1000);
            books_status(b, &st);
        } while (st.store_ok && st.backlog_events);
    }
    assert_false(st.store_ok);
    assert_non_null(strstr(st.error, "long read"));
    assert_true(st.wal_bytes <= 2 * 300 * 4096 && st.lost == 0);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    wait_store(b, true);
    settle_books(b);
    assert_int_equal(books_close(b, 5000000), 0);
    assert_int_equal(ask(&p, "SELECT count(*) FROM calls"), booked);
    place_remove(&p);
}

int main(void) {
    uuid_gen_init(&gen);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locked),       cmocka_unit_test(test_deleted),     cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_overwritten),  cmocka_unit_test(test_bounded),     cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_full),         cmocka_unit_test(test_read_only),   cmocka_unit_test(test_clock),
        cmocka_unit_test(test_keep),         cmocka_unit_test(test_long_call),   cmocka_unit_test(test_long_read),
        cmocka_unit_test(test_written_part), cmocka_unit_test(test_bad_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
