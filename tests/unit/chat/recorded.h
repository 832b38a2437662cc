/* recorded: walks the recorded provider traffic beside the checkout, where it is there. For tests only. */
#ifndef DRAY_TEST_RECORDED_H
#define DRAY_TEST_RECORDED_H

#include "base/arena.h"
#include "base/json.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct recorded {
    str id, provider, api, path, request, body; /* texts, unescaped; body: text or the bytes of an event stream */
    int status;
    bool eventstream, sse;
    jval root;
};

/* The folder of recordings, or NULL. */
static inline const char *recorded_dir(char out[512]) {
    const char *env = getenv("DRAY_SHARED");
    const char *tries[] = {env ? env : "../shared", "../shared", "../../shared"};
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        snprintf(out, 512, "%s/data/traffic/dev", tries[i]);
        if (stat(out, &st) == 0) return out;
    }
    return NULL;
}

static inline str recorded_base64(str s, arena *a) {
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = arena_alloc(a, s.n);
    size_t n = 0;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = strchr(set, s.p[i]);
        if (!at || !s.p[i]) continue;
        bits = bits << 6 | (unsigned)(at - set);
        have += 6;
        if (have >= 8) out[n++] = (char)(bits >> (have -= 8));
    }
    return str_make(out, n);
}

static inline void recorded_line(str line, arena *a, void (*each)(void *, const struct recorded *), void *ctx) {
    struct recorded r = {0};
    if (!json_check(line, &r.root, NULL, NULL)) return;
    int64_t status = 200;
    r.id = json_text(json_get(r.root, STR("id")), a);
    r.provider = json_text(json_get(r.root, STR("provider")), a);
    r.api = json_text(json_get(r.root, STR("api")), a);
    r.path = json_text(json_path(r.root, "request", "path", NULL), a);
    r.request = json_text(json_path(r.root, "request", "body", NULL), a);
    jval response = json_get(r.root, STR("response"));
    json_i64(json_get(response, STR("status")), &status);
    r.status = (int)status;
    r.eventstream = json_get(response, STR("body_b64")).type == J_STRING;
    if (r.eventstream)
        r.body = recorded_base64(json_text(json_get(response, STR("body_b64")), a), a);
    else
        r.body = json_text(json_get(response, STR("body")), a);
    str head = str_take(r.body, 4096);
    r.sse = str_starts(head, STR("data:")) || str_starts(head, STR("event:")) || str_starts(head, STR(": "));
    each(ctx, &r);
}

/* Every record of the files whose names don't begin with "fixture-". False when there are none. */
static inline bool recorded_each(void (*each)(void *, const struct recorded *), void *ctx) {
    char dir[512], path[1024];
    if (!recorded_dir(dir)) return false;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, ".jsonl") || !strncmp(e->d_name, "fixture-", 8)) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        FILE *f = fopen(path, "r");
        char *line = NULL;
        size_t cap = 0;
        for (ssize_t n; f && (n = getline(&line, &cap, f)) > 0;) {
            arena a;
            arena_init(&a, 1 << 16, 1 << 28);
            recorded_line(str_make(line, (size_t)n), &a, each, ctx);
            arena_free(&a);
        }
        free(line);
        if (f) fclose(f);
    }
    if (d) closedir(d);
    return true;
}

/* Next event of an SSE text: its event name and data (lines joined in `a`); false at the end. */
static inline bool recorded_event(str *rest, arena *a, str *event, str *data) {
    str line;
    bool any = false;
    *event = *data = STR_NONE;
    while (rest->n && str_cut(rest, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (!line.n && any) return true;
        if (str_starts(line, STR("event:"))) {
            *event = str_trim(str_skip(line, 6));
        } else if (str_starts(line, STR("data:"))) {
            str d = str_skip(line, line.n > 5 && line.p[5] == ' ' ? 6 : 5);
            *data = data->p ? arena_printf(a, STR_FMT "\n" STR_FMT, STR_ARG(*data), STR_ARG(d)) : d;
            any = true;
        }
    }
    return any;
}

#endif
