/* units: see units.h. Shapes: OpenAI's API reference (audio, images), Cohere's and Jina's (rerank), and
 * recordings: a transcription says {"usage": {"type": "duration", "seconds": 3}} or tokens, verbose_json has
 * `duration`; pictures of models that count tokens have usage whose output is all pictures; others are counted by
 * the piece. */
#include "chat/units.h"

#include "chat/tokens.h"

#include <math.h>
#include <stdlib.h>

enum { UNITS_MAX = 1000000000 };

uint64_t units_asked(enum units kind, const jscan *s, str body) {
    struct token_estimate t = {0};
    jval input = json_find(s, body, STR("input"));
    int64_t n;
    if (kind == UNITS_IMAGES)
        return json_i64(json_find(s, body, STR("n")), &n) && n > 0 && n < UNITS_MAX ? (uint64_t)n : 1;
    if (kind != UNITS_SPEECH || input.type != J_STRING) return 0;
    tokens_add(&t, input.raw, input.esc);
    return tokens_chars(&t);
}

static void set(struct answer *a, enum usage_class class, int64_t units) {
    a->usage.units[class] = units;
    a->usage.source = TOKENS_PROVIDER;
}

/* Seconds begun are paid. */
static void read_duration(struct answer *a, jval duration) {
    char text[32] = "";
    if (duration.type != J_NUMBER || duration.raw.n >= sizeof text) return;
    memcpy(text, duration.raw.p, duration.raw.n);
    double seconds = strtod(text, NULL);
    if (seconds > 0 && seconds < UNITS_MAX) set(a, USAGE_AUDIO_SECONDS, (int64_t)ceil(seconds));
}

static void read_images(struct answer *a, jval root) {
    jval data = json_get(root, STR("data")), one;
    int64_t n = 0;
    for (jiter it = json_iter(data); data.type == J_ARRAY && json_item(&it, &one);) n++;
    if (n) set(a, USAGE_IMAGES, n);
}

static void read_rerank(struct answer *a, jval root) {
    int64_t n;
    if (json_i64(json_path(root, "meta", "billed_units", "search_units", NULL), &n) && n >= 0 && n < UNITS_MAX)
        set(a, USAGE_SEARCH, n);
}

void units_read(enum units kind, str body, uint64_t asked, struct answer *a) {
    jval root;
    a->done = true;
    a->content = false; /* nothing to estimate tokens from */
    if (kind == UNITS_SPEECH && a->usage.source == TOKENS_NONE && asked) {
        a->usage.units[USAGE_CHARACTERS] = (int64_t)asked;
        a->usage.source = TOKENS_COUNTED;
    }
    if (kind == UNITS_IMAGES &&
        a->usage.source != TOKENS_NONE) { /* its output is pictures, where it isn't told apart */
        int64_t *u = a->usage.units;
        if (!u[USAGE_OUTPUT_IMAGE]) u[USAGE_OUTPUT_IMAGE] = u[USAGE_OUTPUT], u[USAGE_OUTPUT] = 0;
        return;
    }
    if (kind == UNITS_IMAGES && !body.n && asked) { /* too large to be kept, or told in events */
        a->usage.units[USAGE_IMAGES] = (int64_t)asked;
        a->usage.source = TOKENS_COUNTED;
    }
    if (!body.n || !json_check(body, &root, NULL, NULL) || root.type != J_OBJECT) return;
    if (kind == UNITS_AUDIO && a->usage.source == TOKENS_NONE) read_duration(a, json_get(root, STR("duration")));
    if (kind == UNITS_IMAGES) read_images(a, root);
    if (kind == UNITS_RERANK) read_rerank(a, root);
}
