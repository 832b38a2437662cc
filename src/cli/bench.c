/* dray bench: load against a gateway (or anything that speaks HTTP/1.1), reported as text or JSON. The engine is
 * load.c; here are the options, the request, and the report. */
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/load.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BODY_FILE_MAX = 64 << 20, REQUEST_EXTRA = 64 << 10, CONNECTIONS_MAX = 1000000 };

struct options {
    const char *model, *body;
    struct opt_list headers;
    uint64_t connections, warm_up_us, duration_us, ramp_us;
    double rate;
    bool poisson, json;
};

static const struct opt rows[] = {
    {"connections", 'c', OPT_U64, OPT(struct options, connections), "N",
     "Connections; in the open loop the most that are used. Default 16."},
    {"rate", 'r', OPT_F64, OPT(struct options, rate), "N", "Open loop: requests a second. Default 100."},
    {"poisson", 'P', OPT_FLAG, OPT(struct options, poisson), NULL,
     "Open loop: exponential intervals instead of constant ones."},
    {"duration", 'd', OPT_DURATION, OPT(struct options, duration_us), "TIME", "Measured time. Default 10s."},
    {"warm-up", 'w', OPT_DURATION, OPT(struct options, warm_up_us), "TIME",
     "Time before that which is not counted. Default 500ms."},
    {"ramp", 0, OPT_DURATION, OPT(struct options, ramp_us), "TIME", "Opens the connections over this time."},
    {"model", 'm', OPT_STR, OPT(struct options, model), "NAME", "Model of the built-in request. Default auto."},
    {"body", 'b', OPT_STR, OPT(struct options, body), "FILE",
     "Request body; without it a small chat request is sent."},
    {"header", 'H', OPT_LIST, OPT(struct options, headers), "NAME: VALUE",
     "Adds a request header. May be repeated."},
    {"json", 0, OPT_FLAG, OPT(struct options, json), NULL,
     "Prints the result as one JSON object; times are microseconds."},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL}};

static const struct note examples[] = {{"dray bench", "Saturates the gateway on port 4000 with 16 connections."},
                                       {"dray bench open -r 1000 -c 512 http://127.0.0.1:4000",
                                        "1,000 calls a second; latency from the time each was due."},
                                       {"dray bench stream -c 100 --json", "100 streams at a time, as JSON."},
                                       {NULL, NULL}};

static const struct note exits[] = {{"1", "The URL or the body is no good, or nothing was answered."},
                                    {NULL, NULL}};

static int run(int argc, char **argv);

const struct command command_bench = {
    .name = "bench",
    .brief = "load against a gateway, latency from the time a call was due",
    .args = "[closed|open|stream|idle] [URL]",
    .args_max = 2,
    .about =
        "Sends chat requests to a gateway, or to anything that speaks HTTP/1.1, and reports rates and latencies. "
        "URL is http://HOST[:PORT][/PATH]; default http://127.0.0.1:4000/v1/chat/completions.\n\n"
        "closed: every connection sends its next request when the answer is complete; the default.\n\n"
        "open: requests are due at a constant rate. Latency counts from the time a request was due, not from when "
        "it could "
        "be sent, so a gateway that stalls is charged for all it kept waiting; what is unanswered at the end "
        "counts with its "
        "age.\n\n"
        "stream: closed loop of event streams; time to the first chunk.\n\n"
        "idle: one request on each connection, which are then held open.",
    .opts = rows,
    .examples = examples,
    .exits = exits,
    .run = run,
};

struct bench {
    struct options o;
    struct load_options load;
    const char *url;
    buf request;
};

static const char *mode_name(enum load_mode m) {
    static const char *const names[] = {
#define X(id, name) name,
        LOAD_MODES(X)
#undef X
    };
    return names[m];
}

static bool find_mode(const char *name, enum load_mode *out) {
    for (unsigned m = LOAD_CLOSED; m <= LOAD_IDLE; m++)
        if (!strcmp(name, mode_name(m))) {
            *out = m;
            return true;
        }
    return false;
}

static bool read_file(const char *path, buf *out, err *e) {
    FILE *f = fopen(path, "rb");
    if (!f) return fail(e, "%s: %s", path, strerror(errno));
    char piece[64 * 1024];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) buf_add(out, piece, n);
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad) return fail(e, "%s: cannot read", path);
    return !out->failed || fail(e, "%s: larger than %d bytes", path, BODY_FILE_MAX);
}

/* Splits the URL and resolves its host. `*host` (as in the Host header) and `*path` are views of the URL. */
static bool resolve(struct bench *b, str *host, str *path, err *e) {
    str rest = str_from(b->url);
    if (str_starts(rest, STR("https://"))) return fail(e, "%s: only http:// is measured", b->url);
    if (str_starts(rest, STR("http://"))) rest = str_skip(rest, 7);
    ptrdiff_t slash = str_chr(rest, '/');
    *host = slash < 0 ? rest : str_take(rest, (size_t)slash);
    *path = slash < 0 ? STR("/v1/chat/completions") : str_skip(rest, (size_t)slash);
    char name[256], *port = NULL;
    snprintf(name, sizeof name, STR_FMT, STR_ARG(*host));
    char *start = name, *bracket = name[0] == '[' ? strchr(name, ']') : NULL;
    port = strrchr(bracket ? bracket : name, ':');
    if (port) *port++ = 0;
    if (bracket) {
        *bracket = 0;
        start++;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(start, port ? port : "80", &hints, &found);
    if (error) return fail(e, "%s: %s", b->url, gai_strerror(error));
    memcpy(&b->load.address, found->ai_addr, found->ai_addrlen);
    b->load.address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static bool build_request(struct bench *b, err *e) {
    str host = STR_NONE, path = STR_NONE;
    buf body, *out = &b->request;
    if (!resolve(b, &host, &path, e)) return false;
    buf_init(&body, BODY_FILE_MAX);
    bool good = !b->o.body || read_file(b->o.body, &body, e);
    if (!b->o.body)
        buf_printf(&body,
                   "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Classify the sentiment: I "
                   "like it.\"}]%s}",
                   b->o.model, b->load.mode == LOAD_STREAM ? ",\"stream\":true" : "");
    buf_printf(out, "POST " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\nContent-Type: application/json\r\n",
               STR_ARG(path), STR_ARG(host));
    for (unsigned i = 0; i < b->o.headers.count; i++) buf_printf(out, "%s\r\n", b->o.headers.item[i]);
    buf_printf(out, "Content-Length: %zu\r\n\r\n", body.n);
    buf_str(out, buf_view(&body));
    buf_free(&body);
    b->load.request = buf_view(out);
    return good && (!out->failed || fail(e, "the request is too large"));
}

static void json_histogram(const char *name, const struct histogram *h) {
    printf(",\"%s\":{\"n\":%lu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}",
           name, h->count, histogram_mean_us(h), histogram_us(h, .5), histogram_us(h, .9), histogram_us(h, .99),
           histogram_us(h, .999), (double)h->max / 1000.0);
}

static void print_json(const struct bench *b, const struct load_result *r) {
    printf("{\"mode\":\"%s\",\"secs\":%.3f,\"ok\":%lu,\"http_err\":%lu,\"err\":%lu,\"unanswered\":%lu,\"conns\":%"
           "lu,\"sent\":%lu,"
           "\"rps\":%.1f,\"mbps\":%.2f,\"last_status\":%d,\"client_cpu_s\":%.3f",
           mode_name(b->load.mode), r->seconds, r->ok, r->http_errors, r->errors, r->unanswered, r->connections,
           r->sent, (double)r->ok_counted / r->seconds, (double)r->bytes_counted / r->seconds / 1e6,
           r->last_status, r->cpu_seconds);
    if (b->load.mode == LOAD_IDLE) printf(",\"held\":%lu", r->held);
    json_histogram("lat", &r->latency);
    if (b->load.mode == LOAD_OPEN) json_histogram("svc", &r->service);
    if (b->load.mode == LOAD_STREAM) {
        printf(",\"chunks\":%lu,\"chunks_per_s\":%.1f,\"done\":%lu", r->chunks, (double)r->chunks / r->seconds,
               r->done);
        json_histogram("ttfc", &r->first_chunk);
        json_histogram("oneway", &r->one_way);
        json_histogram("gap", &r->gap);
    }
    printf("}\n");
}

static void text_histogram(const char *name, const struct histogram *h) {
    if (!h->count) return;
    printf("%-14s %10.0f %10.0f %10.0f %10.0f %10.0f %10.0f\n", name, histogram_mean_us(h), histogram_us(h, .5),
           histogram_us(h, .9), histogram_us(h, .99), histogram_us(h, .999), (double)h->max / 1000.0);
}

static void print_text(const struct bench *b, const struct load_result *r) {
    printf("%s, %.1f s: %.1f answers/s, %.2f MB/s\n", mode_name(b->load.mode), r->seconds,
           (double)r->ok_counted / r->seconds, (double)r->bytes_counted / r->seconds / 1e6);
    printf("%lu good, %lu refused (last status %d), %lu failed, %lu unanswered; %lu connections opened\n", r->ok,
           r->http_errors, r->last_status, r->errors, r->unanswered, r->connections);
    if (b->load.mode == LOAD_IDLE) printf("%lu connections held\n", r->held);
    if (b->load.mode == LOAD_STREAM) printf("%lu streams ended with [DONE]\n", r->done);
    printf("%-14s %10s %10s %10s %10s %10s %10s\n", "microseconds", "mean", "p50", "p90", "p99", "p99.9", "max");
    text_histogram(b->load.mode == LOAD_OPEN ? "from due time" : "latency", &r->latency);
    if (b->load.mode == LOAD_OPEN) text_histogram("from sending", &r->service);
    text_histogram("first chunk", &r->first_chunk);
    text_histogram("chunk delay", &r->one_way);
}

static bool limits(const struct options *o, err *e) {
    if (o->connections < 1 || o->connections > CONNECTIONS_MAX)
        return fail(e, "--connections: 1 to %d", CONNECTIONS_MAX);
    if (!(o->rate >= 0.001 && o->rate <= 1e7)) return fail(e, "--rate: 0.001 to 10,000,000 requests a second");
    if (o->duration_us < 1000) return fail(e, "--duration: 1ms at least");
    if (strpbrk(o->model, "\"\\\n")) return fail(e, "--model: not a model name");
    for (unsigned i = 0; i < o->headers.count; i++)
        if (strpbrk(o->headers.item[i], "\r\n") || !strchr(o->headers.item[i], ':'))
            return fail(e, "--header: \"Name: value\" is expected, not \"%s\"", o->headers.item[i]);
    return true;
}

static bool measure(struct bench *b, struct load_result *r, err *e) {
    if (!limits(&b->o, e)) return false;
    b->load.connections = (uint32_t)b->o.connections;
    b->load.rate = b->o.rate;
    b->load.seconds = (double)b->o.duration_us / 1e6;
    b->load.warm_up = (double)b->o.warm_up_us / 1e6;
    b->load.ramp_ms = (uint32_t)(b->o.ramp_us / 1000);
    b->load.poisson = b->o.poisson;
    b->load.progress = isatty(STDERR_FILENO) == 1;
    return build_request(b, e) && load_run(&b->load, r, e);
}

static int run(int argc, char **argv) {
    struct bench b = {
        .o = {.model = "auto", .connections = 16, .rate = 100, .duration_us = 10000000, .warm_up_us = 500000},
        .url = "http://127.0.0.1:4000/v1/chat/completions"};
    struct args operands;
    if (!cli_parse(&command_bench, argc, argv, &b.o, &operands)) return EXIT_USAGE;
    int at = operands.count && find_mode(operands.arg[0], &b.load.mode) ? 1 : 0;
    if (at < operands.count) b.url = operands.arg[at++];
    if (at < operands.count) return cli_usage(&command_bench, "no mode \"%s\"", operands.arg[0]);
    buf_init(&b.request, (size_t)BODY_FILE_MAX + REQUEST_EXTRA);
    struct load_result *r = xcalloc(1, sizeof *r);
    err e;
    int code = EXIT_GOOD;
    bool done = measure(&b, r, &e);
    if (b.load.progress) fputs("\r\033[K", stderr);
    if (!done)
        code = cli_fail(&command_bench, "%s", e.msg);
    else if (b.o.json)
        print_json(&b, r);
    else
        print_text(&b, r);
    if (done && !r->ok) code = EXIT_BAD_INPUT; /* nothing answered: no measurement */
    free(r);
    buf_free(&b.request);
    return code;
}
