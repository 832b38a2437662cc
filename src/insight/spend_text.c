/* spend_text: the report for people: terminal and one self-contained HTML page (no script, no network). */
#include "insight/spend.h"

#include "base/clock.h"
#include "insight/report.h"

#include <stdio.h>
#include <stdlib.h>

enum { TERMINAL_LINES = 12, HTML_LINES = 200, NAME_COLUMNS = 34 };

/* ---- what both say: pairs of words ---- */

struct fact {
    char label[80], value[160];
};

static void span_text(const struct spend *s, char *out, size_t n) {
    char from[28], to[28];
    clock_iso(from, s->from);
    clock_iso(to, s->to);
    snprintf(out, n, "%.10s %.5s to %.10s %.5s UTC", from, from + 11, to, to + 11);
}

static void percent(char *out, size_t n, int64_t part, int64_t whole) {
    if (whole > 0)
        snprintf(out, n, " (%.0f %%)", 100.0 * (double)part / (double)whole);
    else
        *out = 0;
}

static void put(struct fact *f, unsigned *n, const char *label, const char *value, const char *more) {
    snprintf(f[*n].label, sizeof f[*n].label, "%s", label);
    snprintf(f[*n].value, sizeof f[*n].value, "%s%s", value, more);
    ++*n;
}

static void put_baseline(struct fact *f, unsigned *n, const char *label, const struct spend_baseline *b) {
    char name[80], m[40], more[32];
    if (b->cost == COST_UNKNOWN) {
        put(f, n, label, "no such model with known prices", "");
        return;
    }
    percent(more, sizeof more, b->saved, b->cost);
    snprintf(name, sizeof name, "%.24s %.*s", label, (int)(b->model.n < 40 ? b->model.n : 40), b->model.p);
    put(f, n, name, report_money(m, b->saved), more);
}

enum { FACTS_SHOWN = 16 };

static unsigned facts_of(const struct spend *s, struct fact f[FACTS_SHOWN]) {
    const struct cell_sums *a = &s->all.sums;
    char m[40], c[32], more[64], value[96];
    unsigned n = 0;
    snprintf(more, sizeof more, ", %s with an error", report_count(c, (uint64_t)a->errors));
    char calls[32];
    put(f, &n, "calls", report_count(calls, (uint64_t)a->calls), more);
    put(f, &n, "spent", report_money(m, s->spent), "");
    percent(more, sizeof more, s->saved, a->baseline_cost);
    put(f, &n, "saved against the named model or baseline", s->claim ? report_money(m, s->saved) : "no claim",
        s->claim ? more : "");
    if (s->claim && s->saved_low != s->saved_high) {
        char low[40], high[40];
        snprintf(value, sizeof value, "%s to %s", report_money(low, s->saved_low),
                 report_money(high, s->saved_high));
        put(f, &n, "  with estimated tokens at their worst", value, "");
    }
    put_baseline(f, &n,
                 s->single.cost == COST_UNKNOWN ? "saved against a single cheaper model" : "saved against all at",
                 &s->single);
    put_baseline(f, &n, "saved against frontier", &s->frontier);
    if (a->routing_cost) put(f, &n, "of the spending, routing itself", report_money(m, a->routing_cost), "");
    if (s->time.calls) {
        snprintf(value, sizeof value, "%.1f s to the first token, %.1f s in all, over %s calls", s->time.ttft_s,
                 s->time.total_s, report_count(c, (uint64_t)s->time.calls));
        put(f, &n, "time saved", value, "");
    }
    for (int reroute = 0; reroute < 2; reroute++) {
        struct spend_would w = spend_would(a, reroute);
        char e[40], paid[40];
        if (!w.calls || (reroute && !a->named)) continue;
        snprintf(value, sizeof value, "%s of %s, give or take %s, over %s calls", report_money(m, w.saved),
                 report_money(paid, w.paid), report_money(e, w.error), report_count(c, (uint64_t)w.calls));
        put(f, &n, reroute ? "the same with reroute: always" : "what routing would have saved (observe)", value,
            "");
    }
    const struct {
        const char *label;
        int64_t n, score;
    } q[] = {{"quality by feedback", a->feedback, a->feedback_score},
             {"quality by judges", a->judge, a->judge_score},
             {"quality by shadows", a->shadow, a->shadow_score},
             {"quality by checks", a->checked, a->checked_score}};
    for (int i = 0; i < 4; i++) {
        if (!q[i].n) continue;
        snprintf(value, sizeof value, "%.3f over %s calls", (double)q[i].score / 1e6 / (double)q[i].n,
                 report_count(c, (uint64_t)q[i].n));
        put(f, &n, q[i].label, value, "");
    }
    return n;
}

static str line_name(const struct spend_line *l) { return l->name.n ? l->name : STR("(none)"); }

static const char *line_quality(const struct cell_sums *s, char out[16]) {
    int64_t n = s->feedback + s->judge + s->shadow + s->checked;
    int64_t sum = s->feedback_score + s->judge_score + s->shadow_score + s->checked_score;
    if (n)
        snprintf(out, 16, "%.2f", (double)sum / 1e6 / (double)n);
    else
        snprintf(out, 16, "-");
    return out;
}

/* ---- terminal ---- */

static void terminal_line(buf *o, str name, const struct cell_sums *s) {
    char calls[32], cost[40], saved[40], quality[16], shown[NAME_COLUMNS * 4 + 1];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < NAME_COLUMNS; i++)
        if ((unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7f) shown[n++] = name.p[i];
    shown[n] = 0;
    buf_printf(o, "  %-*s %12s %14s %14s %8s\n", NAME_COLUMNS, shown, report_count(calls, (uint64_t)s->calls),
               report_money(cost, s->cost), s->based ? report_money(saved, spend_saved(s)) : "-",
               line_quality(s, quality));
}

static void terminal_note(void *ctx, const char *sentence) { buf_printf(ctx, "  - %s\n", sentence); }

static void add_sums(struct cell_sums *to, const struct cell_sums *from) {
#define SUM(name, unit, help) to->name += from->name;
#include "books/rollup.def"
#undef SUM
}

static void terminal_table(const struct spend *s, int by, buf *o) {
    const struct spend_table *t = &s->by[by];
    if (t->count == 0 || (t->count == 1 && !t->line[0].name.n)) return;
    const struct spend_line **sorted = xcalloc(t->count, sizeof *sorted);
    spend_sorted(t, by, sorted);
    buf_printf(o, "\n  %-*s %12s %14s %14s %8s\n", NAME_COLUMNS, spend_by_titles[by], "calls", "spent", "saved",
               "quality");
    uint32_t shown = t->count > TERMINAL_LINES ? TERMINAL_LINES - 1 : t->count;
    uint32_t first = by == BY_day ? t->count - shown : 0; /* the newest days */
    struct cell_sums rest = {0};
    for (uint32_t i = 0; i < t->count; i++)
        if (i < first || i >= first + shown) add_sums(&rest, &sorted[i]->sums);
    if (by == BY_day && rest.calls) terminal_line(o, STR("earlier"), &rest);
    for (uint32_t i = first; i < first + shown; i++) terminal_line(o, line_name(sorted[i]), &sorted[i]->sums);
    char label[40];
    int n = snprintf(label, sizeof label, "%u more", t->count - shown);
    if (by != BY_day && rest.calls) terminal_line(o, str_make(label, (size_t)n), &rest);
    free(sorted);
}

void spend_terminal(const struct spend *s, buf *out) {
    char span[80];
    struct fact f[FACTS_SHOWN];
    span_text(s, span, sizeof span);
    buf_printf(out, "%s\n\n", span);
    unsigned n = facts_of(s, f);
    for (unsigned i = 0; i < n; i++) buf_printf(out, "  %-46s %s\n", f[i].label, f[i].value);
    for (int i = 0; i < BY_COUNT; i++) terminal_table(s, i, out);
    buf_strz(out, "\n");
    spend_notes(s, terminal_note, out);
}

/* ---- HTML ---- */

static void escape(buf *o, str s) {
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&': buf_strz(o, "&amp;"); break;
        case '<': buf_strz(o, "&lt;"); break;
        case '>': buf_strz(o, "&gt;"); break;
        case '"': buf_strz(o, "&quot;"); break;
        default: buf_char(o, s.p[i]);
        }
    }
}

static void html_note(void *ctx, const char *sentence) {
    buf_strz(ctx, "<li>");
    escape(ctx, str_from(sentence));
    buf_strz(ctx, "</li>\n");
}

static void html_table(const struct spend *s, int by, buf *o) {
    const struct spend_table *t = &s->by[by];
    if (t->count == 0) return;
    const struct spend_line **sorted = xcalloc(t->count, sizeof *sorted);
    spend_sorted(t, by, sorted);
    buf_printf(
        o,
        "<h2>%s</h2><div class=wide tabindex=0><table><thead><tr><th scope=col>%s</th><th scope=col>calls</th>"
        "<th scope=col>errors</th><th scope=col>tokens in</th><th scope=col>tokens out</th><th scope=col>spent"
        "</th><th scope=col>saved</th><th scope=col>first token p50</th><th scope=col>quality</th></tr></thead>"
        "<tbody>\n",
        spend_by_titles[by], spend_by_titles[by]);
    struct spend_line rest = {.name = STR("all others")};
    for (uint32_t i = HTML_LINES; i < t->count; i++) add_sums(&rest.sums, &sorted[i]->sums);
    for (uint32_t i = 0; i < t->count && i <= HTML_LINES; i++) {
        const struct spend_line *l = i < HTML_LINES ? sorted[i] : &rest;
        char a[32], b[32], c[32], d[32], m[40], v[40], q[16];
        buf_strz(o, "<tr><th scope=row>");
        escape(o, line_name(l));
        buf_printf(o,
                   "</th><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%.0f "
                   "ms</td><td>%s</td></tr>\n",
                   report_count(a, (uint64_t)l->sums.calls), report_count(b, (uint64_t)l->sums.errors),
                   report_count(c, (uint64_t)spend_input(&l->sums)),
                   report_count(d, (uint64_t)spend_output(&l->sums)), report_money(m, l->sums.cost),
                   l->sums.based ? report_money(v, spend_saved(&l->sums)) : "-",
                   (double)hist_quantile(&l->ttft, 0.5) / 1e3, line_quality(&l->sums, q));
    }
    buf_strz(o, "</tbody></table></div>\n");
    free(sorted);
}

static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">"
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    "<title>dray report</title><style>:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--mute:#57606a;"
    "--line:#d0d7de;--card:#f6f8fa}@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--mute:#"
    "9aa5b1;"
    "--line:#30363d;--card:#161b22}}html{font:16px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg)}"
    "body{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;"
    "margin:2rem 0 .5rem}.mute{color:var(--mute)}dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem "
    "1.5rem;"
    "background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem}dd{margin:0;"
    "font-variant-numeric:tabular-nums;font-weight:600}.wide{overflow-x:auto}table{border-collapse:collapse;width:"
    "100%;"
    "font-variant-numeric:tabular-nums;font-size:.92rem}th,td{padding:.3rem .6rem;border-bottom:1px solid "
    "var(--line);"
    "text-align:right;white-space:nowrap}th:first-child{text-align:left;padding-left:0}thead th{color:var(--mute)}"
    "tbody "
    "th{font-weight:400}@media(max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}</style>";

void spend_html(const struct spend *s, buf *out) {
    char span[80];
    struct fact f[FACTS_SHOWN];
    span_text(s, span, sizeof span);
    buf_strz(out, head);
    buf_printf(out, "<body><h1>What the calls cost</h1><p class=mute>%s</p><dl>\n", span);
    unsigned n = facts_of(s, f);
    for (unsigned i = 0; i < n; i++) {
        buf_strz(out, "<dt>");
        escape(out, str_from(f[i].label));
        buf_strz(out, "</dt><dd>");
        escape(out, str_from(f[i].value));
        buf_strz(out, "</dd>\n");
    }
    buf_strz(out, "</dl>\n");
    for (int i = 0; i < BY_COUNT; i++) html_table(s, i, out);
    buf_strz(out, "<h2>What limits these figures</h2><ul>\n");
    spend_notes(s, html_note, out);
    buf_strz(out, "</ul></body></html>\n");
}
