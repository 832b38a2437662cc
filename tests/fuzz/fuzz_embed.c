/* Embeddings and units: what providers answer. Claims: an answer that is taken becomes JSON with as many vectors
 * as texts were asked for, whichever the forms; units are never negative. */
#include "fuzz.h"

#include "chat/embed.h"
#include "chat/units.h"

static void check_units(const struct answer *a) {
    for (unsigned i = 0; i < USAGE_CLASSES; i++) MUST(a->usage.units[i] >= 0);
}

static void answer(enum embed_form from, enum embed_form client, unsigned texts, bool base64, str body) {
    struct embed_request r = {.count = texts, .base64 = base64, .batch = texts > 1};
    struct answer told = {0};
    jval root;
    buf out;
    buf_init(&out, 16 << 20);
    if (embed_answer(from, client, &r, STR("m"), -1, body, &told, &out)) {
        jval list;
        MUST(json_check(buf_view(&out), &root, NULL, NULL));
        list = json_get(root, client == EMBED_OPENAI ? STR("data") : STR("embeddings"));
        jval one;
        unsigned n = 0;
        for (jiter it = json_iter(list); list.type == J_ARRAY && json_item(&it, &one);) n++;
        MUST(n == (client == EMBED_OPENAI || r.batch ? texts : 0));
        MUST(told.done);
    }
    check_units(&told);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    enum embed_form from = (enum embed_form)(data[0] % (EMBED_COHERE + 1));
    unsigned texts = 1 + data[1] % 3;
    char *p = exact((const char *)data + 2, size - 2);
    str body = {p, size - 2};
    answer(from, EMBED_OPENAI, texts, data[1] & 64, body);
    answer(from, EMBED_GEMINI, texts, false, body);
    struct answer told = {0};
    openai_answer_read(&told, body);
    units_read((enum units)(data[1] % (UNITS_RERANK + 1)), body, 3, &told);
    check_units(&told);
    free(p);
    return 0;
}
