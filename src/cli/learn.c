/* dray learn: labelled calls in, a routing model out. */
#include "insight/learn.h"
#include "base/json.h"
#include "base/log.h"
#include "brain/model.h"
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { BITS = 17 };

struct options {
    struct opt_list from;
    const char *out, *light, *frontier, *card;
    bool balance, tiers_only, no_base;
};

static int run(int argc, char **argv);

static const struct opt opts[] = {
    {"from", 0, OPT_LIST, OPT(struct options, from), "FILE",
     "Labelled calls, JSON Lines: prompt with label, scores, or weak and strong. May be repeated."},
    {"out", 'o', OPT_STR, OPT(struct options, out), "FILE",
     "Where the model goes; an existing one is replaced at the end."},
    {"light", 0, OPT_STR, OPT(struct options, light), "MODELS",
     "Models of the light tier, comma-separated; default: weak."},
    {"frontier", 0, OPT_STR, OPT(struct options, frontier), "MODELS",
     "Models of the frontier, comma-separated; default: strong."},
    {"balance", 0, OPT_FLAG, OPT(struct options, balance), NULL,
     "A set weighs as the square root of its rows, so that large ones don't drown small ones."},
    {"tiers-only", 0, OPT_FLAG, OPT(struct options, tiers_only), NULL,
     "Heads for the light tier and the frontier only, none for each model: a smaller file."},
    {"no-base", 0, OPT_FLAG, OPT(struct options, no_base), NULL,
     "Takes nothing over from the model that dray ships with, not even task heads where labels are few."},
    {"card", 0, OPT_STR, OPT(struct options, card), "TEXT", "What the file says of where it comes from."},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL},
};
static const struct note examples[] = {
    {"dray learn --from labelled.jsonl --out my.model", "Learns from weak and strong, and task labels."},
    {"dray learn --from scores.jsonl --light gpt-4o-mini --frontier gpt-4o --out my.model", "Learns one pair."},
    {NULL, NULL},
};

const struct command command_learn = {
    .name = "learn",
    .brief = "train the routing model from labelled calls",
    .args = "",
    .about =
        "Reads labelled calls and writes a routing model: task heads where rows have a task `label`, a quality "
        "head "
        "for each model with scores, and from the light and the frontier model the difficulty. Deterministic: the "
        "same data gives the same file.",
    .opts = opts,
    .examples = examples,
    .run = run,
};

/* Models of a comma-separated list; false with a message when one has no scores. */
static bool models_of(const struct dataset *d, const char *names, uint16_t *out, uint16_t *count) {
    str rest = str_from(names), one;
    while (str_cut(&rest, ',', &one)) {
        one = str_trim(one);
        int m = dataset_model(d, one);
        if (m < 0)
            return cli_fail(&command_learn, "no row has a score of \"" STR_FMT "\"", STR_ARG(str_take(one, 60))),
                   false;
        if (*count == LEARN_GROUP_MAX)
            return cli_fail(&command_learn, "more than %d models", LEARN_GROUP_MAX), false;
        out[(*count)++] = (uint16_t)m;
    }
    return true;
}

static void progress(void *ctx, unsigned done, unsigned all) {
    (void)ctx;
    if (isatty(2)) fprintf(stderr, "\r%3u %%%s", done < all ? done * 100 / all : 100, done >= all ? "\n" : "");
}

static bool write_file(const char *path, str data) {
    char part[4096];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return cli_fail(&command_learn, "the name is too long"), false;
    FILE *f = fopen(part, "wb");
    bool good = f && fwrite(data.p, 1, data.n, f) == data.n;
    if (f && fclose(f) != 0) good = false;
    if (good && rename(part, path) == 0) return true;
    cli_fail(&command_learn, "%s: %s", path, strerror(errno));
    if (f) remove(part);
    return false;
}

static int learn(const struct options *o, const struct dataset *d) {
    static const uint16_t none[1];
    struct routing_model base;
    err e;
    struct learn_plan p = {.count = d->count,
                           .bits = BITS,
                           .progress = progress,
                           .balance = o->balance,
                           .keep = o->tiers_only ? none : NULL};
    if (!o->no_base && model_open(model_shipped(), &base, &e)) p.base = &base;
    if (o->light || dataset_model(d, STR("weak")) >= 0)
        if (!models_of(d, o->light ? o->light : "weak", p.light, &p.light_count)) return EXIT_BAD_INPUT;
    if (o->frontier || dataset_model(d, STR("strong")) >= 0)
        if (!models_of(d, o->frontier ? o->frontier : "strong", p.frontier, &p.frontier_count))
            return EXIT_BAD_INPUT;
    uint32_t *row = malloc((d->count + 1) * sizeof *row);
    if (!row) return cli_fail(&command_learn, "out of memory");
    for (uint32_t i = 0; i < d->count; i++) row[i] = i;
    p.row = row;
    buf out, card;
    jw w;
    buf_init(&card, 1 << 16);
    jw_init(&w, &card);
    jw_object(&w);
    jw_key(&w, "rows"), jw_u64(&w, d->count);
    jw_key(&w, "sets"), jw_u64(&w, d->set_count);
    jw_key(&w, "models"), jw_u64(&w, d->model_count);
    if (o->card) jw_key_str(&w, STR("about")), jw_string(&w, str_from(o->card));
    jw_object_end(&w);
    p.card = buf_view(&card);
    buf_init(&out, MODEL_SIZE_MAX);
    bool good = learn_model(d, &p, &out, &e);
    if (!good) cli_fail(&command_learn, "%s", e.msg);
    good = good && write_file(o->out, buf_view(&out));
    if (good) printf("%s: %zu bytes from %u rows, %u skipped\n", o->out, out.n, d->count, d->skipped);
    if (good && d->skipped) fprintf(stderr, "dray learn: first skipped row: %s\n", d->first_skipped.msg);
    buf_free(&out);
    buf_free(&card);
    free(row);
    return good ? EXIT_GOOD : EXIT_BAD_INPUT;
}

static int run(int argc, char **argv) {
    struct options o = {0};
    struct args operands;
    if (!cli_parse(&command_learn, argc, argv, &o, &operands)) return EXIT_USAGE;
    if (!o.from.count || !o.out) return cli_usage(&command_learn, "--from and --out are needed");
    struct dataset d;
    err e;
    dataset_init(&d);
    int code = EXIT_GOOD;
    for (unsigned i = 0; i < o.from.count && code == EXIT_GOOD; i++)
        if (!dataset_read(&d, o.from.item[i], &e)) code = cli_fail(&command_learn, "%s", e.msg);
    if (code == EXIT_GOOD) code = learn(&o, &d);
    dataset_free(&d);
    return code;
}
