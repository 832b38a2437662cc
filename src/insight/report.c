/* report: what the reports for people and machines share. */
#include "insight/report.h"

#include <stdio.h>

const char *report_count(char out[32], uint64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), o = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = 0;
    return out;
}

/* Two decimals from a dollar on, else three significant digits. */
const char *report_money(char out[40], int64_t nano) {
    char whole[32];
    uint64_t n = nano < 0 ? (uint64_t) - (nano + 1) + 1 : (uint64_t)nano;
    const char *sign = nano < 0 ? "-" : "";
    if (n == 0) {
        snprintf(out, 40, "$0");
    } else if (n >= 1000000000u) {
        n += 5000000u;
        snprintf(out, 40, "%s$%s.%02u", sign, report_count(whole, n / 1000000000u),
                 (unsigned)(n / 10000000u % 100));
    } else {
        int places = 2;
        for (uint64_t x = 100000000u; n < x && places < 8; x /= 10) places++;
        snprintf(out, 40, "%s$%.*f", sign, places + (places < 8), (double)n / 1e9);
    }
    return out;
}

unsigned report_breakdowns(const struct analysis *a, struct breakdown out[BREAKDOWNS_MAX]) {
    const struct breakdown all[] = {
        {"by_model", "Models", "model", &a->by_model, false},
        {"by_key", "Keys", "key", &a->by_key, false},
        {"by_user", "Users", "user", &a->by_user, false},
        {"by_team", "Teams", "team", &a->by_team, false},
        {"by_tag", "Tags", "tag", &a->by_tag, false},
        {"by_day", "Days", "day", &a->by_day, true},
        {"by_rule", "Rules", "rule", &a->by_rule, false},
        {"by_format", "Formats", "format", &a->by_format, false},
    };
    unsigned n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool none = all[i].t->count == 0 || (all[i].t->count == 1 && str_eq(all[i].t->row[0].name, STR("(none)")));
        if (all[i].t == &a->by_format) none = all[i].t->count < 2; /* one format is no breakdown */
        if (!none) out[n++] = all[i];
    }
    return n;
}

/* Digits and what stands in quotes are variables. */
bool report_sample(const struct report *r, const struct template *t, char *out, size_t size) {
    if (!r->prompts || !r->a->sample || t->sample == 0) return false;
    const char *p = r->a->sample + (size_t)(t->sample - 1) * SAMPLE_BYTES;
    size_t n = 0;
    char quote = 0;
    for (; *p && n + 8 < size; p++) {
        char c = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
        bool digit = c >= '0' && c <= '9';
        if (quote) {
            if (c == quote) quote = 0, out[n++] = c;
        } else if (digit) {
            if (n == 0 || out[n - 1] != '#') out[n++] = '#';
        } else {
            out[n++] = c;
            if ((c == '"' || c == '`') && strchr(p + 1, c)) {
                quote = c;
                memcpy(out + n, "\xE2\x80\xA6", 3);
                n += 3;
            }
        }
    }
    out[n] = 0;
    return n > 0;
}

static void say(void (*each)(void *, const char *), void *ctx, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void say(void (*each)(void *, const char *), void *ctx, const char *fmt, ...) {
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    each(ctx, text);
}

static void notes_unknown(const struct report *r, void (*each)(void *, const char *), void *ctx) {
    const struct analysis *a = r->a;
    char m[40], n[32];
    uint64_t calls = a->all.calls - a->aggregates.calls;
    if (a->all.unknown)
        say(each, ctx,
            "The cost of %s calls is unknown (no price, or no tokens); they are in no sum of money. Logged for "
            "them: %s.",
            report_count(n, a->all.unknown), report_money(m, a->logged_unpriced));
    uint64_t blind = (uint64_t)((1 - r->k->text_share) * (double)calls + 0.5);
    if (calls && blind)
        say(each, ctx,
            "%s calls have neither text nor a task in the log: what they asked for is unknown, and they stay "
            "where they "
            "are.",
            report_count(n, blind));
    if (a->ambiguous)
        say(each, ctx,
            "%s calls with text were not recognised as any task; they stay where they are and cost %s. Labels or "
            "hints shrink them.",
            report_count(n, a->ambiguous), report_money(m, a->ambiguous_cost));
    if (a->estimated)
        say(each, ctx,
            "Tokens of %s calls were estimated from their text (mean error about 6 %% per text), missing answers "
            "by what such tasks usually give.",
            report_count(n, a->estimated));
    if (a->failed.calls)
        say(each, ctx,
            "%s calls failed; where the log gives them tokens they are priced too (%s), although providers seldom "
            "bill them.",
            report_count(n, a->failed.calls), report_money(m, a->failed.cost));
    if (a->aggregates.calls || (a->all.calls == 0 && a->all.input))
        say(each, ctx,
            "Sums over calls (usage exports) are counted and priced, but single calls can't be classified from "
            "such a file.");
    if (keyset_overflow(a->keys))
        say(each, ctx,
            "More than %s different keys: further repeats are found by a sketch that is wrong with probability "
            "%.4f.",
            report_count(n, KEYSET_EXACT_MAX), keyset_error(a->keys));
    if (a->untracked)
        say(each, ctx, "%s calls belong to templates beyond the first %s and are not in the list of templates.",
            report_count(n, a->untracked), "1,000,000");
}

static void notes_counting(const struct count *k, void (*each)(void *, const char *), void *ctx) {
    char n[32];
    const struct count_error *e = &k->estimate, *p = &k->provider;
    if (k->counted)
        say(each, ctx, "Tokens of %s calls were counted exactly%s.", report_count(n, k->counted),
            k->inexact ? ", but for what stands in no text (answers that are not logged, tools, images, hidden "
                         "reasoning)"
                       : "");
    if (e->calls)
        say(each, ctx,
            "The estimate would have been %.1f %% off per call (mean), %+.1f %% over all %s calls whose text was "
            "counted.",
            100 * e->relative / (double)e->calls, 100 * ((double)e->said / (double)e->is - 1),
            report_count(n, e->calls));
    if (p->calls)
        say(each, ctx,
            "On %s calls with a provider's own count, the exact count of their input is %.1f %% off per call "
            "(mean), "
            "%+.1f %% over all.",
            report_count(n, p->calls), 100 * p->relative / (double)p->calls,
            100 * ((double)p->said / (double)p->is - 1));
}

void report_notes(const struct report *r, void (*each)(void *ctx, const char *sentence), void *ctx) {
    const struct analysis *a = r->a;
    char m[40], n[32];
    if (r->k->saved_high > 0) {
        say(each, ctx,
            "Upper end of the saving: the same tokens at the other model's prices. Lower end: its answers are %d "
            "%% longer, the discount for "
            "cached input is lost, and %d %% of the moved calls are asked again where they were.",
            ASSUME_LONGER, ASSUME_REDONE);
        say(each, ctx,
            "Quality is not measured by this report: a log has no scores. Measure it in mode: observe or with "
            "dray calibrate before moving more "
            "than simple work.");
    }
    if (a->dearer_calls)
        say(each, ctx, "The policy would send %s calls to a dearer model than they used (%s more)%s.",
            report_count(n, a->dearer_calls), report_money(m, a->dearer),
            a->o.config ? "; that is in the cost with routing"
                        : "; that is left out here, they stay where they are");
    if (a->compared && a->problems.kind[LOG_COST_DIFFERS].count)
        say(each, ctx, "Costs here are tokens × price; the log's own costs differ for %s calls.",
            report_count(n, a->problems.kind[LOG_COST_DIFFERS].count));
    if (a->o.count) notes_counting(a->o.count, each, ctx);
    notes_unknown(r, each, ctx);
}
