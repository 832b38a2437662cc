/* dialects: what translation costs, in microseconds of CPU (best of several rounds): a request of 2 kB from each
 * client dialect to each provider's, an answer back, and one event of a stream, read by its framing and written
 * anew. Promised: 25 us a request, 2 us an event. Run by script/bench dialects. */
#include "chat/chat.h"
#include "net/sse.h"

#include <stdio.h>
#include <time.h>

enum { ROUNDS = 9, REPEATS = 400, EVENTS = 100, OUT_MAX = 1 << 22 };

static const char *const names[CHAT_DIALECTS] = {"openai", "responses", "anthropic",
                                                 "gemini", "bedrock",   "cohere"};
static const char *const models[CHAT_DIALECTS] = {"gpt-5",          "gpt-5", "claude-sonnet-4-5",
                                                  "gemini-2.5-pro", "nova",  "command-a"};

#define TOOL(name)                                                                                                \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name                                                       \
    "\",\"description\":\"Looks up what is known of a place, with its weather and the time of day there.\","      \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"Name "   \
    "of "                                                                                                         \
    "the city\"},\"unit\":{\"type\":\"string\",\"enum\":[\"C\",\"F\"]}},\"required\":[\"city\"]}}}"
#define WORDS "The quick brown fox jumps over the lazy dog, and \\\"nobody\\\" minds.\\nSome say it was the dog. "

static const char request[] =
    "{\"model\":\"m\",\"max_tokens\":512,\"temperature\":0.2,\"messages\":["
    "{\"role\":\"system\",\"content\":\"" WORDS WORDS WORDS
    "\"},{\"role\":\"user\",\"content\":\"" WORDS WORDS WORDS
    "\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_ABCDEFGHIJKLMNOPQRSTUVWX\","
    "\"type\":\"function\",\"function\":{\"name\":\"place\",\"arguments\":\"{\\\"city\\\":\\\"Paris\\\"}\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"call_ABCDEFGHIJKLMNOPQRSTUVWX\",\"content\":\"" WORDS "\"},"
    "{\"role\":\"user\",\"content\":\"" WORDS WORDS "\"}],\"tools\":[" TOOL("place") "," TOOL("weather") "]}";
static const char answer[] = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
                             "\"choices\":[{\"index\":0,"
                             "\"message\":{\"role\":\"assistant\",\"content\":\"" WORDS WORDS WORDS WORDS
                             "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_"
                             "tokens\":9,\"total_tokens\":18}}";

static buf bodies[CHAT_DIALECTS], answers[CHAT_DIALECTS], streams[CHAT_DIALECTS];
static unsigned events[CHAT_DIALECTS];
static uint64_t sink;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool translate(enum chat_dialect from, enum chat_dialect to, str body, buf *out) {
    struct chat_request r;
    struct chat_account lost;
    struct chat_target target = {to, STR("openai"), str_from(models[to])};
    arena a;
    str param;
    err e;
    arena_init(&a, 2048, 1 << 22);
    buf_clear(out);
    bool good = chat_request_read(from, body, STR("m"), false, &r, &a, &param, &e) &&
                chat_request_write(&r, &target, TRANSLATION_DROP, &lost, out, &param, &e);
    sink += out->n;
    arena_free(&a);
    return good;
}

static void answer_back(enum chat_dialect from, enum chat_dialect to, str body, buf *out) {
    struct chat_answer ans;
    arena a;
    arena_init(&a, 4096, 1 << 22);
    buf_clear(out);
    if (chat_answer_read(from, body, &ans, &a)) chat_answer_write(to, &ans, STR("m"), 1, 1, out);
    sink += out->n;
    arena_free(&a);
}

static void stream(enum chat_dialect from, enum chat_dialect to, str text, buf *out) {
    struct chat_request r = {.include_usage = true};
    struct sse splitter;
    struct sse_event ev;
    arena a, scratch;
    arena_init(&a, 4096, 1 << 22);
    sse_init(&splitter, 1 << 20);
    buf_clear(out);
    struct chat_stream *s = chat_stream_new(from, to, &r, STR("m"), 1, 1, &a);
    while (sse_next(&splitter, &text, &ev)) {
        arena_init(&scratch, 4096, 1 << 22);
        if (ev.has_data) chat_stream_event(s, ev.event, ev.data, &scratch, out);
        arena_free(&scratch);
    }
    arena_init(&scratch, 4096, 1 << 22);
    chat_stream_end(s, NULL, &scratch, out);
    sink += chat_stream_answer(s)->done;
    chat_stream_free(s);
    sse_free(&splitter);
    arena_free(&scratch);
    arena_free(&a);
}

/* ---- what is measured ---- */

static void openai_stream(buf *out) {
    static const char head[] =
        "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":"
        "\"m\",\"choices\":[{\"index\":0,\"delta\":";
    buf_printf(out, "%s{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n", head);
    for (int i = 0; i < EVENTS; i++)
        buf_printf(out, "%s{\"content\":\" word%d and\"},\"finish_reason\":null}]}\n\n", head, i);
    buf_printf(out, "%s{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", head);
}

static void cohere_stream(buf *out) {
    buf_strz(
        out,
        "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"x\",\"delta\":{\"message\":{\"role\":"
        "\"assistant\"}}}\n\n");
    for (int i = 0; i < EVENTS; i++)
        buf_printf(out,
                   "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":"
                   "{\"content\":{\"text\":\" word%d and\"}}}}\n\n",
                   i);
    buf_strz(
        out,
        "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n");
}

/* Bedrock's frames carry events as SSE does; here they stand as SSE. */
static void bedrock_stream(buf *out) {
    buf_strz(out, "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n");
    for (int i = 0; i < EVENTS; i++)
        buf_printf(out,
                   "event: contentBlockDelta\ndata: {\"contentBlockIndex\":0,\"delta\":{\"text\":\" word%d "
                   "and\"},\"p\":\"abcdefghijklmnop\"}\n\n",
                   i);
    buf_strz(out, "event: messageStop\ndata: {\"stopReason\":\"end_turn\"}\n\nevent: metadata\ndata: {\"usage\":"
                  "{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}\n\n");
}

static void prepare(void) {
    for (enum chat_dialect d = 0; d < CHAT_DIALECTS; d++) {
        buf_init(&bodies[d], OUT_MAX);
        buf_init(&answers[d], OUT_MAX);
        buf_init(&streams[d], OUT_MAX);
    }
    buf_strz(&bodies[CHAT_OPENAI], request);
    buf_strz(&answers[CHAT_OPENAI], answer);
    openai_stream(&streams[CHAT_OPENAI]);
    for (enum chat_dialect d = CHAT_RESPONSES; d <= CHAT_GEMINI; d++) {
        translate(CHAT_OPENAI, d, str_from(request), &bodies[d]);
        answer_back(CHAT_OPENAI, d, str_from(answer), &answers[d]);
        stream(CHAT_OPENAI, d, buf_view(&streams[CHAT_OPENAI]), &streams[d]);
    }
    buf_strz(&answers[CHAT_BEDROCK],
             "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"" WORDS WORDS
             "\"}]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2,"
             "\"totalTokens\":3}}");
    buf_strz(&answers[CHAT_COHERE],
             "{\"id\":\"x\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
             "\"" WORDS WORDS "\"}]},\"finish_reason\":\"COMPLETE\"}");
    bedrock_stream(&streams[CHAT_BEDROCK]);
    cohere_stream(&streams[CHAT_COHERE]);
    for (enum chat_dialect d = 0; d < CHAT_DIALECTS; d++)
        for (str rest = buf_view(&streams[d]), line; str_cut(&rest, '\n', &line);)
            events[d] += str_starts(line, STR("data:"));
}

enum what { REQUEST, ANSWER, EVENT };

static double measure(enum what what, enum chat_dialect from, enum chat_dialect to, buf *out) {
    double least = 1e18;
    int repeats = what == EVENT ? REPEATS / 20 : REPEATS;
    for (int r = 0; r < ROUNDS; r++) {
        double t = now_us();
        for (int i = 0; i < repeats; i++) {
            if (what == REQUEST)
                translate(from, to, buf_view(&bodies[from]), out);
            else if (what == ANSWER)
                answer_back(from, to, buf_view(&answers[from]), out);
            else
                stream(from, to, buf_view(&streams[from]), out);
        }
        t = (now_us() - t) / repeats / (what == EVENT ? events[from] : 1);
        if (t < least) least = t;
    }
    return least;
}

static double table(enum what what, const char *title, buf *out) {
    double worst = 0;
    printf("%-36s", title);
    for (enum chat_dialect to = 0; to < CHAT_DIALECTS; to++)
        if (what == REQUEST || to <= CHAT_GEMINI) printf("%11s", names[to]);
    printf("\n");
    for (enum chat_dialect from = 0; from < CHAT_DIALECTS; from++) {
        if (what == REQUEST && from > CHAT_GEMINI) break;
        printf("  from %-29s", names[from]);
        for (enum chat_dialect to = 0; to < CHAT_DIALECTS; to++) {
            if (what != REQUEST && to > CHAT_GEMINI) break;
            if (to == from) { /* passes byte for byte */
                printf("%11s", "-");
                continue;
            }
            double us = measure(what, from, to, out);
            printf("%11.2f", us);
            if (us > worst) worst = us;
        }
        printf("\n");
    }
    return worst;
}

int main(void) {
    buf out;
    buf_init(&out, OUT_MAX);
    prepare();
    double whole = table(REQUEST, "a request of 2 kB (us)", &out);
    table(ANSWER, "an answer (us)", &out);
    double event = table(EVENT, "one event of a stream (us)", &out);
    printf("worst request of %zu bytes %.1f us (promised 25), worst event %.2f us (promised 2)\n",
           sizeof request - 1, whole, event);
    return sink == 42 || whole > 25 || event > 2;
}
