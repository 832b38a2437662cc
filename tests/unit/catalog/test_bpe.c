/* bpe: pieces as the patterns cut them, counts as the reference implementation gives them. The counts need the
 * rank files (script/tokenizers, or the npm package that tests/clients locks) and are skipped without them; the
 * comparison on random text needs node as well. */
#include "base/buf.h"
#include "base/hash.h"
#include "catalog/bpe_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PACKAGE "tests/clients/node_modules/gpt-tokenizer"

static struct bpe *tokenizer[BPE_NONE];

static int load(void **state) {
    (void)state;
    for (int i = 0; i < BPE_NONE; i++) {
        char path[256];
        err e;
        snprintf(path, sizeof path, PACKAGE "/data/%s.tiktoken", bpe_encoding_name((enum bpe_encoding)i));
        tokenizer[i] = bpe_load((enum bpe_encoding)i, path, &e);
        if (!tokenizer[i]) tokenizer[i] = bpe_open((enum bpe_encoding)i, &e);
        if (!tokenizer[i]) printf("# %s\n", e.msg);
    }
    return 0;
}

static int unload(void **state) {
    (void)state;
    for (int i = 0; i < BPE_NONE; i++) bpe_free(tokenizer[i]);
    return 0;
}

/* Pieces of `text`, with a bar behind each. */
static void expect_pieces(enum bpe_encoding encoding, const char *text, const char *want) {
    static struct bpe_classes classes;
    if (!classes.index[0x30]) bpe_classes_fill(&classes);
    buf out;
    buf_init(&out, 4096);
    const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
    while (p < end) {
        const unsigned char *q = bpe_next(&classes, encoding, p, end);
        assert_true(q > p && q <= end);
        buf_add(&out, p, (size_t)(q - p));
        buf_char(&out, '|');
        p = q;
    }
    buf_char(&out, 0);
    assert_string_equal(out.p, want);
    buf_free(&out);
}

static void test_pieces(void **state) {
    (void)state;
    static const struct {
        const char *text, *o200k, *cl100k;
    } rows[] = {
        {"Hello, world", "Hello|,| world|", "Hello|,| world|"},
        {"HTTPServer fooBar", "HTTPServer| foo|Bar|", "HTTPServer| fooBar|"},
        {"don't DON'T", "don't| DON'T|", "don|'t| DON|'T|"},
        {"we'll you'RE 'x", "we'll| you'RE| '|x|", "we|'ll| you|'RE| '|x|"},
        {"1234567 89", "123|456|7| |89|", "123|456|7| |89|"},
        {"a  b   c\td", "a| | b|  | c|\td|", "a| | b|  | c|\td|"},
        {"x\n\n  y", "x|\n\n| | y|", "x|\n\n| | y|"},
        {"x \n  ", "x| \n|  |", "x| \n  |"}, /* white space at the end: one piece in cl100k */
        {"}\n//x", "}\n//|x|", "}\n|//|x|"},
        {"a ---\r\nb", "a| ---\r\n|b|", "a| ---\r\n|b|"},
        {"\xC7\x85o \xCA\xB0", "\xC7\x85o| \xCA\xB0|", "\xC7\x85o| \xCA\xB0|"}, /* title case, modifier letter */
        {"e\xCC\x81t\xC3\xA9", "e\xCC\x81t\xC3\xA9|", "e|\xCC\x81t\xC3\xA9|"},  /* a mark is a letter in o200k */
        {"AB\xE4\xB8\xAD"
         "CD",
         "AB\xE4\xB8\xAD|CD|",
         "AB\xE4\xB8\xAD"
         "CD|"},                                                  /* back to what is of both */
        {"it'\xC5\xBF x", "it'\xC5\xBF| x|", "it|'\xC5\xBF| x|"}, /* long s */
        {"a\xFF\xC3z", "a|\xFF\xC3|z|", "a|\xFF\xC3|z|"},         /* not UTF-8 */
        {"\xC2\x85x\xC2\xA0\xC2\xA0y", "\xC2\x85x|\xC2\xA0|\xC2\xA0y|", "\xC2\x85x|\xC2\xA0|\xC2\xA0y|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_pieces(BPE_O200K, rows[i].text, rows[i].o200k);
        expect_pieces(BPE_CL100K, rows[i].text, rows[i].cl100k);
    }
}

static void test_encoding_of(void **state) {
    (void)state;
    static const struct {
        const char *model;
        enum bpe_encoding want;
    } rows[] = {
        {"gpt-4o-mini", BPE_O200K},
        {"gpt-4.1", BPE_O200K},
        {"gpt-4-turbo", BPE_CL100K},
        {"gpt-3.5-turbo", BPE_CL100K},
        {"gpt-5-nano", BPE_O200K},
        {"o3-mini", BPE_O200K},
        {"ft:gpt-4o:org::id", BPE_O200K},
        {"claude-x", BPE_NONE},
        {"openai/gpt-oss-120b", BPE_O200K},
        {"text-embedding-3-small", BPE_CL100K},
        {"", BPE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(bpe_encoding_of(str_from(rows[i].model)), rows[i].want);
}

static void test_bad_files(void **state) {
    (void)state;
    char path[] = "/tmp/dray-bpe-XXXXXX";
    err e;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "IQ== 0\n", 7), 7);
    close(fd);
    assert_null(bpe_load(BPE_O200K, path, &e));
    assert_non_null(strstr(e.msg, "is not the published rank file"));
    unlink(path);
    assert_null(bpe_load(BPE_O200K, path, &e));
    assert_null(bpe_load(BPE_NONE, path, &e));
}

/* Counts of gpt-tokenizer 4.0.0. */
static void test_counts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned o200k, cl100k;
    } rows[] = {
#include "bpe_counts.inc"
    };
    if (!tokenizer[BPE_O200K] || !tokenizer[BPE_CL100K]) skip();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(bpe_count(tokenizer[BPE_O200K], str_from(rows[i].text)), rows[i].o200k);
        assert_int_equal(bpe_count(tokenizer[BPE_CL100K], str_from(rows[i].text)), rows[i].cl100k);
    }
}

/* A piece gives the same whichever way it is merged, and hostile ones end soon. */
static void test_long(void **state) {
    (void)state;
    if (!tokenizer[BPE_O200K]) skip();
    size_t n = 3 << 20;
    char *text = malloc(n);
    memset(text, 'a', n);
    uint64_t whole = bpe_count(tokenizer[BPE_O200K], str_make(text, n));
    assert_true(whole > n / 16 && whole < n / 4);
    struct rng r;
    rng_seed(&r, 7);
    for (size_t i = 0; i < n; i++) text[i] = (char)('a' + rng_next(&r) % 26);
    assert_true(bpe_count(tokenizer[BPE_O200K], str_make(text, n)) > n / 4);
    for (size_t i = 0; i < n; i++) text[i] = (char)rng_next(&r);
    assert_true(bpe_count(tokenizer[BPE_O200K], str_make(text, n)) > n / 4);
    free(text);
}

static size_t unhex(char *line) {
    size_t n = 0;
    for (; line[2 * n] && line[2 * n] != '\n'; n++) {
        char two[3] = {line[2 * n], line[2 * n + 1], 0};
        line[n] = (char)strtol(two, NULL, 16);
    }
    return n;
}

static void test_random(void **state) {
    (void)state;
    const char *lines = getenv("DRAY_BPE_LINES");
    char command[256], *line = NULL;
    size_t room = 0, seen = 0;
    if (!tokenizer[BPE_O200K] || access(PACKAGE "/package.json", R_OK) != 0) skip();
    snprintf(command, sizeof command, "node tests/clients/bpe-counts.mjs %d 1", lines ? atoi(lines) : 1000);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    while (getline(&line, &room, f) > 0) {
        char name[32];
        unsigned want;
        int at = 0;
        assert_int_equal(sscanf(line, "%31s %u %n", name, &want, &at), 2);
        enum bpe_encoding e = strcmp(name, "o200k_base") == 0 ? BPE_O200K : BPE_CL100K;
        str text = str_make(line + at, unhex(line + at));
        uint64_t got = bpe_count(tokenizer[e], text);
        if (got != want) print_error("%s: %u, not %u: " STR_FMT "\n", name, (unsigned)got, want, STR_ARG(text));
        assert_int_equal(got, want);
        seen++;
    }
    free(line);
    if (pclose(f) != 0 || !seen) skip(); /* no node */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces), cmocka_unit_test(test_encoding_of), cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_counts), cmocka_unit_test(test_long),        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
