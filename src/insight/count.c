/* count: see count.h.
 *
 * A chat request is more than its texts: OpenAI's format puts three tokens and the role around each message and
 * three before the answer (openai-cookbook, "How to count tokens"), reasoning models one less: of 240 recorded
 * calls of plain messages nine in ten come out to the token. Tools, schemas, images and audio are put into words
 * that aren't published, and hidden reasoning is in no log: a call that has them is counted but not called exact.
 */
#include "insight/count.h"

#include "insight/lazy.h"
#include "insight/walk.h"

enum { AROUND_MESSAGE = 4, BEFORE_ANSWER = 3, BEFORE_REASONING = 2 };

/* Models that go on a text instead of answering messages. */
static bool completes(const struct model *m) {
    return str_ends(m->name, STR("-instruct")) || str_starts(m->name, STR("davinci-")) ||
           str_starts(m->name, STR("babbage-"));
}

bool count_init(struct count *k, err *e) {
    *k = (struct count){.counted = 0};
    arena_init(&k->scratch, 64 << 10, SIZE_MAX);
    for (unsigned i = 0; i < BPE_NONE; i++) {
        k->bpe[i] = bpe_open((enum bpe_encoding)i, e);
        if (k->bpe[i]) continue;
        count_free(k);
        return fail_in(e, "--count exact needs the tables that script/tokenizers fetches");
    }
    return true;
}

void count_free(struct count *k) {
    for (unsigned i = 0; i < BPE_NONE; i++) bpe_free(k->bpe[i]);
    arena_free(&k->scratch);
}

struct tally_texts {
    struct count *k;
    const struct bpe *bpe;
    struct token_estimate guess;
    uint64_t exact;
};

static void add(void *ctx, str raw, bool esc) {
    struct tally_texts *t = ctx;
    tokens_add(&t->guess, raw, esc);
    t->exact += bpe_count(t->bpe, lazy_text((jval){.raw = raw, .type = J_STRING, .esc = esc}, &t->k->scratch));
    arena_free(&t->k->scratch);
}

static void compare(struct count_error *x, uint64_t said, uint64_t is) {
    if (!is) return;
    x->calls++;
    x->said += said;
    x->is += is;
    x->relative += (double)(said > is ? said - is : is - said) / (double)is;
}

bool count_call(struct count *k, const struct model *m, const struct log_call *c, struct counted *out) {
    enum bpe_encoding which = bpe_encoding_of(m->name);
    if (which == BPE_NONE) return false;
    struct tally_texts in = {.k = k, .bpe = k->bpe[which]}, answer = {.k = k, .bpe = k->bpe[which]};
    struct facts f;
    struct prompt p;
    facts_init(&f);
    unsigned messages = log_text_pieces(c, add, &in, &f, &p);
    bool reasons = m->flags & MODEL_REASONING;
    log_answer_pieces(&c->text, add, &answer);
    *out = (struct counted){.in = in.exact, .out = answer.exact};
    if (messages && !(m->flags & MODEL_EMBED) && !completes(m))
        out->in += messages * AROUND_MESSAGE + (reasons ? BEFORE_REASONING : BEFORE_ANSWER);
    out->in_exact = !f.tools && !f.vision && !f.audio && !f.schema && !p.agent_step;
    out->out_exact = !reasons && out->out > 0;
    compare(&k->estimate, tokens_estimate(&in.guess) + tokens_estimate(&answer.guess), in.exact + answer.exact);
    return true;
}

void count_check(struct count *k, const struct counted *n, int64_t provider_input) {
    if (n->in_exact && provider_input > 0) compare(&k->provider, n->in, (uint64_t)provider_input);
}
