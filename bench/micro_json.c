/* micro_json: what the JSON scan costs, alone. Prints nanoseconds for chat bodies of 2 kB, 32 kB and 256 kB
 * (best of several rounds: the machine is shared), in one piece and in 16 kB pieces, and for the cursor that
 * walks messages[].content. Run by hand: build/bench/micro_json */
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 15, SCALE = 40 * 1000 * 1000 };

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum text { ASCII, MIXED, CJK };

/* Text as people send it: lines of about ten words, now and then a quotation; with some letters beyond ASCII, or
 * of hardly anything else. The words come at random: what repeats is learnt by branch predictors and flatters. */
static void prose(buf *b, size_t n, enum text kind) {
    static const char *const word[] = {"the ",
                                       "report ",
                                       "for ",
                                       "a ",
                                       "board ",
                                       "in ",
                                       "plain ",
                                       "words ",
                                       "revenue rose ",
                                       "by ",
                                       "4.2 % ",
                                       "while ",
                                       "inference ",
                                       "doubled; ",
                                       "customers ",
                                       "\"works\" ",
                                       "and ",
                                       "asked ",
                                       "same\n",
                                       "things.\n",
                                       "Gr\xc3\xbc\xc3\x9f\x65 ",
                                       "M\xc3\xbcnchen ",
                                       "\xe2\x80\x93 ",
                                       "\xe6\x97\xa5\xe6\x9c\xac "};
    uint32_t seed = 7, ascii = 20, all = 24;
    while (b->n < n) {
        seed = seed * 1664525u + 1013904223u;
        buf_strz(b, word[(seed >> 16) % (kind == ASCII ? ascii : all)]);
        for (unsigned k = seed >> 28; kind == CJK && k; k--)
            buf_strz(b, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae");
    }
}

static void chat(buf *b, size_t size, enum text kind) {
    buf content;
    jw w;
    buf_init(&content, 1 << 20);
    prose(&content, size > 400 ? size - 400 : size, kind);
    jw_init(&w, b);
    jw_object(&w);
    jw_key(&w, "model");
    jw_string(&w, STR("auto"));
    jw_key(&w, "messages");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "role");
    jw_string(&w, STR("system"));
    jw_key(&w, "content");
    jw_string(&w, STR("You are a careful assistant."));
    jw_object_end(&w);
    jw_object(&w);
    jw_key(&w, "role");
    jw_string(&w, STR("user"));
    jw_key(&w, "content");
    jw_string(&w, buf_view(&content));
    jw_object_end(&w);
    jw_array_end(&w);
    jw_key(&w, "temperature");
    jw_f64(&w, 0.2);
    jw_key(&w, "max_tokens");
    jw_i64(&w, 512);
    jw_key(&w, "stream");
    jw_bool(&w, true);
    jw_key(&w, "metadata");
    jw_raw(&w, STR("{\"team\":\"billing\",\"ticket\":12345,\"nested\":[1,2,{\"a\":null}]}"));
    jw_object_end(&w);
    buf_free(&content);
}

static uint64_t sink;

static void scan_once(str text, size_t piece) {
    arena a;
    jscan s;
    arena_init(&a, 4096, 1 << 20);
    json_scan_init(&s, &a);
    for (size_t n = piece; n < text.n; n += piece) json_scan(&s, str_take(text, n), false);
    json_scan(&s, text, true);
    sink += s.count + json_find(&s, text, STR("model")).raw.n + (uint64_t)json_find(&s, text, STR("stream")).type;
    arena_free(&a);
}

static void walk_once(str text) {
    jval m, root = json_value_at(text.p, text.p + text.n);
    for (jiter it = json_iter(json_get(root, STR("messages"))); json_item(&it, &m);)
        sink += json_get(m, STR("content")).raw.n;
}

static double best(str text, size_t piece) {
    double least = 1e18;
    size_t reps = SCALE / (text.n * ROUNDS) + 1;
    for (int r = 0; r < ROUNDS; r++) {
        double t = now_ns();
        for (size_t i = 0; i < reps; i++) {
            if (piece)
                scan_once(text, piece);
            else
                walk_once(text);
        }
        t = (now_ns() - t) / (double)reps;
        if (t < least) least = t;
    }
    return least;
}

int main(void) {
    static const char *const name[] = {"ascii", "mixed", "cjk"};
    static const size_t size[] = {2048, 32 * 1024, 256 * 1024};
    printf("%-10s %-6s %12s %12s %12s %9s\n", "body", "text", "scan ns", "pieces ns", "walk ns", "scan GB/s");
    for (int kind = ASCII; kind <= CJK; kind++)
        for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
            buf b;
            buf_init(&b, 1 << 20);
            chat(&b, size[i], (enum text)kind);
            double whole = best(buf_view(&b), b.n), parts = best(buf_view(&b), 16384),
                   walk = best(buf_view(&b), 0);
            printf("%-10zu %-6s %12.0f %12.0f %12.0f %9.2f\n", b.n, name[kind], whole, parts, walk,
                   (double)b.n / whole);
            buf_free(&b);
        }
    return sink == 42;
}
