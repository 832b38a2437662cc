/* report_terminal: an analysis for a person at a terminal: the verdict first, then the sums, bars where they
 * help, what it rests on last. Lines fit the width; colour only where asked for. */
#include "insight/report.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct paper {
    const struct report *r;
    buf *out;
    unsigned width;
    bool colour;
};

enum ink { PLAIN, BOLD, DIM, GREEN, YELLOW, CYAN };
static const char *const inks[] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[36m"};

static void ink(struct paper *p, enum ink i, const char *s) {
    if (p->colour && i) buf_strz(p->out, inks[i]);
    buf_strz(p->out, s);
    if (p->colour && i) buf_strz(p->out, "\033[0m");
}

static void heading(struct paper *p, const char *s) {
    buf_char(p->out, '\n');
    ink(p, BOLD, s);
    buf_char(p->out, '\n');
}

/* Breaks a text at spaces; the first line begins with `mark`, others under it. */
static void wrap(struct paper *p, const char *mark, const char *s) {
    size_t indent = strlen(mark), room = p->width > indent + 20 ? p->width - indent : 20;
    str rest = str_from(s);
    bool first = true;
    while (rest.n) {
        size_t bytes = 0, chars = 0, cut = 0;
        for (; bytes < rest.n && chars <= room; bytes++) {
            if (rest.p[bytes] == ' ') cut = bytes;
            chars += ((unsigned char)rest.p[bytes] & 0xC0) != 0x80;
        }
        size_t take = bytes == rest.n && chars <= room ? rest.n : cut ? cut : bytes;
        if (first)
            buf_strz(p->out, mark);
        else
            buf_printf(p->out, "%*s", (int)indent, "");
        buf_str(p->out, str_take(rest, take));
        buf_char(p->out, '\n');
        rest = str_skip(rest, take + (take < rest.n));
        first = false;
    }
}

/* A bar of `cells` for 0..1, in eighths of a cell. */
static void bar(struct paper *p, double share, unsigned cells) {
    static const char *const eighths[] = {"",
                                          "\xE2\x96\x8F",
                                          "\xE2\x96\x8E",
                                          "\xE2\x96\x8D",
                                          "\xE2\x96\x8C",
                                          "\xE2\x96\x8B",
                                          "\xE2\x96\x8A",
                                          "\xE2\x96\x89"};
    if (share < 0) share = 0;
    if (share > 1) share = 1;
    unsigned n = (unsigned)(share * cells * 8 + 0.5);
    if (p->colour) buf_strz(p->out, inks[CYAN]);
    for (unsigned i = 0; i < n / 8; i++) buf_strz(p->out, "\xE2\x96\x88");
    buf_strz(p->out, eighths[n % 8]);
    if (p->colour) buf_strz(p->out, "\033[0m");
}

static size_t columns(str s) { return str_utf8_len(s); }

/* A name cut to `width` columns and filled up. */
static void name_cell(struct paper *p, str s, unsigned width) {
    size_t chars = 0, i = 0;
    for (; i < s.n && chars < width; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7F) break; /* a name must not steer the terminal */
        chars += (c & 0xC0) != 0x80;
    }
    while (i < s.n && ((unsigned char)s.p[i] & 0xC0) == 0x80) i++;
    bool cut = i < s.n;
    buf_str(p->out, str_take(s, i));
    if (cut && chars) p->out->n -= 1, buf_char(p->out, '~');
    chars = columns(str_take(s, i));
    for (; chars < width; chars++) buf_char(p->out, ' ');
}

static unsigned name_width(const struct paper *p) { return p->width >= 100 ? 34 : p->width >= 80 ? 26 : 16; }

static void line(struct paper *p, str name, const struct sums *s, int64_t most) {
    char n[32], m[40], m2[40];
    buf_strz(p->out, "  ");
    name_cell(p, name, name_width(p));
    buf_printf(p->out, " %10s %11s", report_count(n, s->calls),
               s->cost == 0 && s->unknown ? "?" : report_money(m, s->cost));
    if (p->width >= 72)
        buf_printf(p->out, " %11s  ", s->cost == 0 && s->unknown ? "?" : report_money(m2, s->routed));
    unsigned used = 2 + name_width(p) + 22 + 1 + 14;
    if (p->width > used + 8 && most > 0)
        bar(p, (double)s->cost / (double)most, p->width - used - 1 > 24 ? 24 : p->width - used - 1);
    buf_char(p->out, '\n');
}

static void columns_head(struct paper *p, const char *of) {
    char text[128];
    snprintf(text, sizeof text, "  %-*s %10s %11s%s", (int)name_width(p), of, "calls", "cost",
             p->width >= 72 ? "      routed" : "");
    ink(p, DIM, text);
    buf_char(p->out, '\n');
}

/* The dearest lines; of days the last ones, in order. */
static void breakdown(struct paper *p, const struct breakdown *b) {
    enum { DAYS = 14 };
    uint32_t *all = xmalloc(sizeof *all * (b->t->count + 1)), *row = all;
    uint32_t n = b->by_name ? tally_by_name(b->t, all, b->t->count) : tally_top(b->t, all, REPORT_TOP),
             left = b->t->count - n;
    if (b->by_name && n > DAYS) row += n - DAYS, left += n - DAYS, n = DAYS;
    int64_t most = 0;
    for (uint32_t i = 0; i < n; i++) most = b->t->row[row[i]].s.cost > most ? b->t->row[row[i]].s.cost : most;
    heading(p, b->title);
    columns_head(p, b->of);
    for (uint32_t i = 0; i < n; i++) line(p, b->t->row[row[i]].name, &b->t->row[row[i]].s, most);
    if (left) {
        char text[64];
        snprintf(text, sizeof text, "  and %u %s (--json, --csv, --html have them)\n", left,
                 b->by_name ? "earlier" : "more");
        ink(p, DIM, text);
    }
    free(all);
}

static bool dearer(const struct sums *x, const struct sums *y, bool before) {
    return x->cost > y->cost || (x->cost == y->cost && before);
}

static void tasks(struct paper *p) {
    const struct analysis *a = p->r->a;
    int64_t most = 0;
    unsigned n = 0;
    for (unsigned t = 0; t < TASK_COUNT; t++)
        n += a->task[t].calls > 0, most = a->task[t].cost > most ? a->task[t].cost : most;
    if (n == 0) return;
    heading(p, "Tasks");
    columns_head(p, "task");
    for (unsigned done = 0; done < n; done++) { /* dearest first */
        for (unsigned t = 0; t < TASK_COUNT; t++) {
            unsigned rank = 0;
            for (unsigned u = 0; u < TASK_COUNT; u++)
                rank += a->task[u].calls && dearer(&a->task[u], &a->task[t], u < t);
            if (a->task[t].calls && rank == done) line(p, str_from(task_name((enum task)t)), &a->task[t], most);
        }
    }
}

static void saving_line(struct paper *p, const char *label, int64_t cost, const char *who) {
    char m[40], low[40], high[40];
    const struct conclusion *k = p->r->k;
    int64_t high_n = cost - k->routed, low_n = high_n - (k->saved_high - k->saved_low);
    buf_printf(p->out, "  %-28s %11s   ", label, report_money(m, cost));
    if (high_n >= 0) {
        char text[120];
        snprintf(text, sizeof text, "saves %s to %s", report_money(low, low_n), report_money(high, high_n));
        ink(p, GREEN, text);
    } else {
        char text[120];
        snprintf(text, sizeof text, "routing costs %s more", report_money(high, -high_n));
        ink(p, YELLOW, text);
    }
    if (who && *who) buf_printf(p->out, "%s(%s)", p->width >= 110 ? "  " : "\n    ", who);
    buf_char(p->out, '\n');
}

static const char *full_name(char out[200], const struct model *m) {
    snprintf(out, 200, "%.*s/%.*s", (int)(m->provider.n > 60 ? 60 : m->provider.n), m->provider.p,
             (int)(m->name.n > 120 ? 120 : m->name.n), m->name.p);
    return out;
}

static void routing(struct paper *p) {
    const struct conclusion *k = p->r->k;
    const struct analysis *a = p->r->a;
    char m[40], n[32], who[200], text[520];
    if (a->all.moved == 0) return;
    heading(p, "With routing");
    buf_printf(p->out, "  %s of %s calls would go to a cheaper model; the same work would cost %s.\n",
               report_count(n, a->all.moved), report_count(text, a->all.calls - a->aggregates.calls),
               report_money(m, k->routed));
    saving_line(p, "against what was asked for", a->all.cost, "");
    if (k->single) saving_line(p, "against one cheaper model", k->single_cost, full_name(who, k->single));
    if (k->frontier_cost != COST_UNKNOWN)
        saving_line(p, "against all frontier", k->frontier_cost, full_name(who, k->frontier));
    if (k->baseline && k->baseline_cost != COST_UNKNOWN)
        saving_line(p, "against --baseline", k->baseline_cost, full_name(who, k->baseline));
    if (k->single && k->single_cost < k->routed) {
        snprintf(text, sizeof text,
                 "%s for everything would be cheaper than routing. Routing only wins where its answers to the "
                 "hard calls are worth less "
                 "than the difference.",
                 full_name(who, k->single));
        wrap(p, "  ! ", text);
    }
    const struct move *move[REPORT_TOP];
    uint32_t count = analysis_moves(a, move, REPORT_TOP);
    if (count) {
        heading(p, "What moves where");
        for (uint32_t i = 0; i < count; i++) {
            char from[200], to[200], low[40], high[40];
            full_name(to, move[i]->to);
            const char *short_to =
                str_eq(move[i]->from->provider, move[i]->to->provider) ? strchr(to, '/') + 1 : to;
            snprintf(text, sizeof text, "%s \xE2\x86\x92 %s", full_name(from, move[i]->from), short_to);
            bool one_line = p->width > 120;
            if (one_line)
                buf_strz(p->out, "  "), name_cell(p, str_from(text), 60);
            else
                wrap(p, "  ", text);
            buf_printf(p->out, "%s %9s calls  saves %s to %s  [%s]\n", one_line ? "" : "   ",
                       report_count(n, move[i]->calls), report_money(low, move[i]->then - move[i]->worst),
                       report_money(high, move[i]->then - move[i]->now), move[i]->rule);
        }
    }
}

static void other_savings(struct paper *p) {
    const struct analysis *a = p->r->a;
    char n[32], n2[32], m[40], m2[40], text[300];
    if (a->repeats + a->prefix_calls + a->batch_calls == 0) return;
    heading(p, "What else would save");
    if (a->repeats) {
        snprintf(text, sizeof text, "Exact cache: %s calls repeat an earlier prompt to the same model: up to %s.",
                 report_count(n, a->repeats), report_money(m, a->repeats_cost));
        wrap(p, "  - ", text);
    }
    if (a->prefix_calls) {
        snprintf(text, sizeof text,
                 "Prompt caching: %s calls share a system prompt of %d tokens or more used within the hour "
                 "before; %s uncached tokens, up to %s.",
                 report_count(n, a->prefix_calls), PREFIX_TOKENS, report_count(n2, a->prefix_tokens),
                 report_money(m, a->prefix_saving));
        wrap(p, "  - ", text);
    }
    if (a->batch_calls) {
        snprintf(text, sizeof text,
                 "Batch prices: %s calls look as if nobody waited for them (%s spent): up to %s, if they can wait "
                 "up to a day.",
                 report_count(n, a->batch_calls), report_money(m, a->batch_cost),
                 report_money(m2, a->batch_saving));
        wrap(p, "  - ", text);
    }
}

static void templates(struct paper *p) {
    const struct template *t[REPORT_TOP];
    uint32_t count = analysis_templates(p->r->a, t, REPORT_TOP);
    if (count == 0) return;
    heading(p, "Most expensive prompt templates");
    for (uint32_t i = 0; i < count; i++) {
        char n[32], m[40], each[40], sample[SAMPLE_BYTES * 3], who[200];
        buf_printf(p->out, "  %016llx  %-10s %9s calls %10s  %s each%s%s\n", (unsigned long long)t[i]->hash,
                   task_name((enum task)t[i]->task), report_count(n, t[i]->calls), report_money(m, t[i]->cost),
                   report_money(each, t[i]->cost / t[i]->calls), p->width > 120 ? "  " : "\n      ",
                   full_name(who, models_at(p->r->a->models, t[i]->model)));
        if (report_sample(p->r, t[i], sample, sizeof sample)) wrap(p, "      ", sample);
    }
    if (!p->r->prompts) ink(p, DIM, "  (--show-prompts shows their beginnings, variables masked)\n");
}

static void logged(struct paper *p) {
    const struct analysis *a = p->r->a;
    char m[40], m2[40], n[32];
    if (a->compared == 0) return;
    heading(p, "Logged cost");
    buf_printf(p->out, "  The log says %s for %s calls; tokens \xC3\x97 price gives %s.\n",
               report_money(m, a->logged_compared), report_count(n, a->compared),
               report_money(m2, a->computed_compared));
    for (unsigned i = 0; i < COST_REASONS_COUNT; i++)
        if (a->reason[i].calls)
            buf_printf(p->out, "  %9s calls %11s logged %11s computed:%s%s\n", report_count(n, a->reason[i].calls),
                       report_money(m, a->reason[i].logged), report_money(m2, a->reason[i].computed),
                       p->width > 120 ? " " : "\n      ", cost_reason_text((enum cost_reason)i));
    for (uint32_t i = 0; i < a->outliers; i++)
        buf_printf(p->out, "  ! %s:%llu logged %s, computed %s\n", a->outlier[i].file,
                   (unsigned long long)a->outlier[i].line, report_money(m, a->outlier[i].logged),
                   a->outlier[i].computed == COST_UNKNOWN ? "unknown" : report_money(m2, a->outlier[i].computed));
}

static void problems(struct paper *p) {
    const struct log_problems *q = &p->r->a->problems;
    bool any = false;
    for (unsigned i = 0; i < LOG_PROBLEM_COUNT; i++) {
        char n[32], text[400];
        uint64_t count = q->kind[i].count;
        if (count == 0) continue;
        if (!any) heading(p, "What is wrong with the logs");
        any = true;
        snprintf(text, sizeof text, "%s %s; first %s:%llu", report_count(n, count),
                 log_problem_text((enum log_problem)i), q->kind[i].first[0].file,
                 (unsigned long long)q->kind[i].first[0].line);
        wrap(p, "  - ", text);
    }
}

static void note(void *ctx, const char *s) { wrap(ctx, "  - ", s); }

static void head(struct paper *p) {
    const struct analysis *a = p->r->a;
    const struct conclusion *k = p->r->k;
    char n[32], in[32], cached[32], out[32], m[40], text[400], first[28], last[28];
    wrap(p, "", k->text);
    if (k->saved_high > 0) {
        char low[40], high[40];
        snprintf(text, sizeof text, "Routing would save %s to %s of %s (%d %% to %d %%).",
                 report_money(low, k->saved_low), report_money(high, k->saved_high), report_money(m, a->all.cost),
                 (int)(100.0 * (double)k->saved_low / (double)a->all.cost),
                 (int)(100.0 * (double)k->saved_high / (double)a->all.cost + 0.5));
        if (p->colour) buf_strz(p->out, inks[GREEN]);
        wrap(p, "", text);
        if (p->colour) buf_strz(p->out, "\033[0m");
    }
    heading(p, "Calls");
    snprintf(text, sizeof text,
             "%s calls (%s failed), %s input tokens (%s of them cached), %s output tokens: %s%s",
             report_count(n, a->all.calls), report_count((char[32]){0}, a->failed.calls),
             report_count(in, (uint64_t)a->all.input), report_count(cached, (uint64_t)a->all.cached),
             report_count(out, (uint64_t)a->all.output), report_money(m, a->all.cost),
             a->all.unknown ? " where the price is known" : "");
    wrap(p, "  ", text);
    if (a->first_us) {
        clock_iso(first, a->first_us);
        clock_iso(last, a->last_us);
        buf_printf(p->out, "  %.16s to %.16s UTC; prices: %s\n", first, last, models_price_version(a->models));
    }
    if (a->timed)
        buf_printf(p->out, "  mean duration %.1f s over %s calls\n",
                   (double)a->duration_us / (double)a->timed / 1e6, report_count(n, a->timed));
}

/* Names come out of logs: nothing in them may steer the terminal. Control characters become '?', but for the
 * colours that this file sets. */
static void disarm(buf *out, size_t from, bool colour) {
    for (size_t i = from; i < out->n; i++) {
        unsigned char c = (unsigned char)out->p[i];
        bool own = false;
        if (c == 0x1B && colour)
            for (size_t k = 1; k < sizeof inks / sizeof *inks && !own; k++)
                own = str_starts(str_skip(buf_view(out), i), str_from(inks[k])) ||
                      str_starts(str_skip(buf_view(out), i), STR("\033[0m"));
        if (c == 0x7F || (c < 0x20 && c != '\n' && !own)) out->p[i] = '?';
        if (c == 0xC2 && i + 1 < out->n && ((unsigned char)out->p[i + 1] & 0xE0) == 0x80)
            out->p[i] = out->p[i + 1] = '?'; /* the second set of controls */
    }
}

void report_terminal(const struct report *r, unsigned width, bool colour, buf *out) {
    size_t from = out->n;
    struct paper p = {r, out, width < 40 ? 40 : width > 160 ? 160 : width, colour};
    head(&p);
    routing(&p);
    tasks(&p);
    struct breakdown b[BREAKDOWNS_MAX];
    unsigned n = report_breakdowns(r->a, b);
    for (unsigned i = 0; i < n; i++) breakdown(&p, &b[i]);
    templates(&p);
    other_savings(&p);
    logged(&p);
    problems(&p);
    heading(&p, "What this rests on");
    report_notes(r, note, &p);
    buf_char(out, '\n');
    wrap(&p, "",
         "--html FILE writes this as a page, --write-config FILE a dray.yaml that does it, --json everything.");
    disarm(out, from, colour);
}
