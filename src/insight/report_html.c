/* report_html: an analysis as one page that needs nothing else: styles inside, charts as inline SVG, no
 * script, no network (its own policy forbids both). Light and dark by the reader's setting; prints on white,
 * with all details open. Wide tables scroll inside of their own focusable box, so the page never does. */
#include "insight/report.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAYS_MAX = 3660, CHART_W = 800, CHART_H = 180 };

static const char style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1f24;--mute:#57606a;--line:#d0d7de;--card:#f6f8fa;--a:#0b63ce;--b:#8a97a6;--good:#"
    "116329;--warn:#8a4600}"
    "@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--mute:#9aa5b1;--line:#30363d;--card:#"
    "161b22;--a:#58a6ff;--b:#6e7b8a;--good:#56d364;--warn:#f0b429}}"
    "*{box-sizing:border-box}html{font:16px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg)}"
    "body{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem;overflow-wrap:anywhere}"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2.2rem 0 "
    ".6rem;padding-top:.4rem;border-top:1px solid var(--line)}"
    ".lead{font-size:1.1rem;margin:.2rem "
    "0}.mute{color:var(--mute)}.good{color:var(--good)}.warn{color:var(--warn)}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:.75rem;margin:1.2rem "
    "0;padding:0;list-style:none}"
    ".tiles li{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}"
    ".tiles b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}.tiles "
    "span{color:var(--mute);font-size:.9rem}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:."
    "92rem}"
    "caption{text-align:left;color:var(--mute);padding:.2rem 0}th,td{padding:.3rem .6rem;border-bottom:1px solid "
    "var(--line);text-align:right;vertical-align:top;white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;min-width:9rem}.text,th.text{"
    "text-align:left!important;white-space:normal;min-width:8rem}.wide{overflow-wrap:normal}"
    "thead th{color:var(--mute);font-weight:600}"
    ".bar{width:9rem;padding-right:0}.bar svg{display:block;width:9rem;height:.8rem}"
    "svg .then{fill:var(--b)}svg "
    ".now{fill:var(--a)}svg.chart{width:100%;height:auto;display:block;background:var(--card);border:1px solid "
    "var(--line);border-radius:.5rem}"
    ".axis{display:flex;justify-content:space-between;color:var(--mute);font-size:.85rem}"
    ".key::before{content:'';display:inline-block;width:.8rem;height:.8rem;margin:0 .35rem -.05rem "
    "0;background:var(--b)}.key.now::before{background:var(--a)}.key{margin-right:1rem}"
    "details{margin:.6rem 0}summary{cursor:pointer;font-weight:600}pre{background:var(--card);border:1px solid "
    "var(--line);border-radius:.5rem;padding:.8rem;overflow-x:auto;white-space:pre;overflow-wrap:normal}"
    "code{font-family:ui-monospace,monospace;font-size:.9em}li{margin:.25rem 0}"
    "@media "
    "print{:root{--bg:#fff;--fg:#000;--mute:#444;--line:#bbb;--card:#fff;--a:#0b63ce;--b:#8a97a6;--good:#116329;--"
    "warn:#8a4600}"
    "html{font-size:11px}body{max-width:none;padding:0}h2,tr,.tiles "
    "li,svg{break-inside:avoid}h2{break-after:avoid}.wide{overflow:visible}th,td{white-space:normal;padding:.2rem "
    ".3rem}"
    "details::details-content{content-visibility:visible;block-size:auto}pre{white-space:pre-wrap;overflow:"
    "visible}}";

/* ---- pieces ---- */

static void escape(buf *o, str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&')
            buf_strz(o, "&amp;");
        else if (c == '<')
            buf_strz(o, "&lt;");
        else if (c == '>')
            buf_strz(o, "&gt;");
        else if (c == '"')
            buf_strz(o, "&quot;");
        else if (c >= 0x20 || c == '\n')
            buf_char(o, (char)c);
    }
}
static void escapez(buf *o, const char *s) { escape(o, str_from(s)); }

static void cell(buf *o, const char *s) { buf_printf(o, "<td>%s</td>", s); }
static void cell_money(buf *o, int64_t v) {
    char m[40];
    cell(o, v == COST_UNKNOWN ? "unknown" : report_money(m, v));
}
static void cell_count(buf *o, uint64_t v) {
    char n[32];
    cell(o, report_count(n, v));
}

static void tile(buf *o, const char *value, const char *label) {
    buf_printf(o, "<li><b>%s</b><span>%s</span></li>", value, label);
}

static void model_name(buf *o, const struct model *m) {
    escape(o, m->provider);
    if (m->provider.n) buf_char(o, '/');
    escape(o, m->name);
}

/* Opens a table in a box that scrolls by itself; `name` is what a screen reader calls it. */
static void table(buf *o, const char *name, const char *const *heads) {
    buf_printf(o, "<div class=wide role=region tabindex=0 aria-label=\"%s\"><table><thead><tr>", name);
    for (const char *const *h = heads; *h; h++) {
        const char *s = **h == '*' ? *h + 1 : *h; /* *: a column of text */
        buf_printf(o, "<th scope=col%s>%s</th>", s != *h ? " class=text" : "", s);
    }
    buf_strz(o, "</tr></thead><tbody>");
}
static void table_end(buf *o) { buf_strz(o, "</tbody></table></div>"); }

/* Two bars, what it cost and what it would cost, as shares of the most. */
static void bars(buf *o, int64_t then, int64_t now, int64_t most) {
    double a = most > 0 ? 100.0 * (double)then / (double)most : 0,
           b = most > 0 ? 100.0 * (double)now / (double)most : 0;
    buf_printf(o,
               "<td class=bar><svg viewBox=\"0 0 100 12\" preserveAspectRatio=none aria-hidden=true><rect "
               "class=then width=\"%.2f\" height=5 />"
               "<rect class=now y=6 width=\"%.2f\" height=5 /></svg></td>",
               a, b);
}

static void sums_row(buf *o, str name, const struct sums *s, int64_t most) {
    buf_strz(o, "<tr><td>");
    escape(o, name);
    buf_strz(o, "</td>");
    cell_count(o, s->calls);
    cell_count(o, (uint64_t)s->input);
    cell_count(o, (uint64_t)s->output);
    cell_money(o, s->cost == 0 && s->unknown ? COST_UNKNOWN : s->cost);
    cell_money(o, s->cost == 0 && s->unknown ? COST_UNKNOWN : s->routed);
    bars(o, s->cost, s->routed, most);
    buf_strz(o, "</tr>");
}

/* ---- sections ---- */

static void head(buf *o, const struct report *r) {
    const struct analysis *a = r->a;
    const struct conclusion *k = r->k;
    char m[40], m2[40], n[32], first[28], last[28];
    buf_strz(o,
             "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport "
             "content=\"width=device-width,initial-scale=1\">"
             "<meta http-equiv=content-security-policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
             "<title>What your LLM calls cost, and what routing would save</title><style>");
    buf_strz(o, style);
    buf_strz(o, "</style></head><body><header>");
    buf_printf(o, "<h1>%s</h1>",
               k->start_today ? "There is a cost-reduction project to start today"
                              : "What your LLM calls cost, and what would save");
    buf_strz(o, "<p class=lead>");
    escapez(o, k->text);
    buf_strz(o, "</p>");
    if (a->first_us) {
        clock_iso(first, a->first_us);
        clock_iso(last, a->last_us);
        buf_printf(o, "<p class=mute>%.10s to %.10s (UTC), %s files, prices: %s, policy: ", first, last,
                   report_count(n, r->stats.files), models_price_version(a->models));
        escapez(o, r->policy);
        buf_strz(o, "</p>");
    }
    buf_strz(o, "</header><main><ul class=tiles>");
    tile(o, report_count(n, a->all.calls), "calls");
    tile(o, report_money(m, a->all.cost), a->all.unknown ? "spent, where the price is known" : "spent");
    if (a->all.moved) {
        char range[100], share[32];
        snprintf(range, sizeof range, "%s to %s", report_money(m, k->saved_low), report_money(m2, k->saved_high));
        tile(o, report_money(m, k->routed), "with routing");
        tile(o, range, "saving, range");
        snprintf(share, sizeof share, "%.0f %%", 100 * k->simple_share);
        tile(o, share, "of the calls are simple work");
    }
    buf_strz(o, "</ul>");
}

static void baseline_row(buf *o, const struct conclusion *k, const char *name, const struct model *m,
                         int64_t cost) {
    if (cost == COST_UNKNOWN) return;
    char low[40], high[40];
    int64_t h = cost - k->routed, l = h - (k->saved_high - k->saved_low);
    buf_printf(o, "<tr><td>%s", name);
    if (m) {
        buf_strz(o, " (");
        model_name(o, m);
        buf_char(o, ')');
    }
    buf_strz(o, "</td>");
    cell_money(o, cost);
    cell_money(o, k->routed);
    if (h >= 0)
        buf_printf(o, "<td class=good>%s to %s</td></tr>", report_money(low, l), report_money(high, h));
    else
        buf_printf(o, "<td class=warn>routing costs %s more</td></tr>", report_money(high, -h));
}

static void baselines(buf *o, const struct report *r) {
    static const char *const heads[] = {"Compared with", "its cost", "with routing", "routing saves", NULL};
    const struct conclusion *k = r->k;
    if (r->a->all.moved == 0) return;
    buf_strz(o, "<h2>Savings, against what</h2>");
    table(o, "Savings against each baseline", heads);
    baseline_row(o, k, "What each call asked for", NULL, r->a->all.cost);
    baseline_row(o, k, "The best single cheaper model", k->single, k->single_cost);
    baseline_row(o, k, "Everything at the frontier", k->frontier, k->frontier_cost);
    if (k->baseline) baseline_row(o, k, "The given baseline", k->baseline, k->baseline_cost);
    table_end(o);
    if (k->single && k->single_cost < k->routed) {
        buf_strz(o, "<p class=warn>");
        model_name(o, k->single);
        buf_strz(o, " for everything would be cheaper than routing. Routing only wins where its answers to the "
                    "hard calls are worth less than the difference.</p>");
    }
}

static void days(buf *o, const struct analysis *a) {
    uint32_t *row = xmalloc(sizeof *row * DAYS_MAX);
    uint32_t n = tally_by_name(&a->by_day, row, DAYS_MAX);
    int64_t most = 0;
    char m[40];
    while (n && str_eq(a->by_day.row[row[n - 1]].name, STR("unknown"))) n--;
    for (uint32_t i = 0; i < n; i++)
        most = a->by_day.row[row[i]].s.cost > most ? a->by_day.row[row[i]].s.cost : most;
    if (n > 1 && most > 0) {
        double w = (double)CHART_W / n, gap = n > 200 ? 0 : w * 0.15;
        buf_strz(o, "<h2>Spend by day</h2><p class=mute><span class=key>spent</span><span class=\"key now\">with "
                    "routing</span></p>");
        buf_printf(o, "<svg class=chart viewBox=\"0 0 %d %d\" role=img aria-label=\"Spend by day, at most %s\">",
                   CHART_W, CHART_H, report_money(m, most));
        for (uint32_t i = 0; i < n; i++) {
            const struct sums *s = &a->by_day.row[row[i]].s;
            double h = (CHART_H - 10) * (double)s->cost / (double)most,
                   h2 = (CHART_H - 10) * (double)s->routed / (double)most;
            char m2[40];
            buf_printf(o, "<g><title>" STR_FMT ": %s, with routing %s</title>",
                       STR_ARG(a->by_day.row[row[i]].name), report_money(m, s->cost), report_money(m2, s->routed));
            buf_printf(o, "<rect class=then x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" />",
                       i * w + gap / 2, CHART_H - h, w - gap, h);
            buf_printf(o, "<rect class=now x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" /></g>",
                       i * w + gap / 2, CHART_H - h2, w - gap, h2);
        }
        buf_printf(o,
                   "</svg><div class=axis><span>" STR_FMT "</span><span>highest day: %s</span><span>" STR_FMT
                   "</span></div>",
                   STR_ARG(a->by_day.row[row[0]].name), report_money(m, most),
                   STR_ARG(a->by_day.row[row[n - 1]].name));
    }
    free(row);
}

static const char *const sums_heads[] = {"",
                                         "calls",
                                         "input tokens",
                                         "output tokens",
                                         "spent",
                                         "routed",
                                         "<span class=key>spent</span><span class=\"key now\">routed</span>",
                                         NULL};

static void tasks(buf *o, const struct analysis *a) {
    int64_t most = 0;
    bool any = false;
    for (unsigned t = 0; t < TASK_COUNT; t++)
        most = a->task[t].cost > most ? a->task[t].cost : most, any = any || (a->task[t].calls && t);
    if (!any) return;
    buf_strz(o, "<h2>What the calls asked for</h2>");
    const char *heads[8];
    memcpy(heads, sums_heads, sizeof heads);
    heads[0] = "Task";
    table(o, "Tasks", heads);
    for (unsigned t = 1; t <= TASK_COUNT; t++) /* unknown last */
        if (a->task[t % TASK_COUNT].calls)
            sums_row(o, str_from(task_name((enum task)(t % TASK_COUNT))), &a->task[t % TASK_COUNT], most);
    table_end(o);
}

static void moves(buf *o, const struct analysis *a) {
    static const char *const heads[] = {"From", "*to", "*rule", "calls", "spent", "there", "saves", NULL};
    const struct move *move[20];
    char low[40], high[40];
    uint32_t n = analysis_moves(a, move, 20);
    if (n == 0) return;
    buf_strz(o, "<h2>What moves where</h2>");
    table(o, "Moves", heads);
    for (uint32_t i = 0; i < n; i++) {
        buf_strz(o, "<tr><td>");
        model_name(o, move[i]->from);
        buf_strz(o, "</td><td class=text>");
        model_name(o, move[i]->to);
        buf_strz(o, "</td><td class=text>");
        escapez(o, move[i]->rule);
        buf_strz(o, "</td>");
        cell_count(o, move[i]->calls);
        cell_money(o, move[i]->then);
        cell_money(o, move[i]->now);
        buf_printf(o, "<td>%s to %s</td></tr>", report_money(low, move[i]->then - move[i]->worst),
                   report_money(high, move[i]->then - move[i]->now));
    }
    table_end(o);
}

static void breakdown(buf *o, const struct breakdown *b, bool open) {
    enum { ROWS = 200 };
    uint32_t row[ROWS], n = b->by_name ? tally_by_name(b->t, row, ROWS) : tally_top(b->t, row, ROWS);
    int64_t most = 0;
    for (uint32_t i = 0; i < n; i++) most = b->t->row[row[i]].s.cost > most ? b->t->row[row[i]].s.cost : most;
    buf_printf(o, "<details%s><summary>%s (%u)</summary>", open ? " open" : "", b->title, b->t->count);
    const char *heads[8];
    memcpy(heads, sums_heads, sizeof heads);
    heads[0] = b->of;
    table(o, b->title, heads);
    for (uint32_t i = 0; i < n; i++) sums_row(o, b->t->row[row[i]].name, &b->t->row[row[i]].s, most);
    table_end(o);
    if (b->t->count > n) buf_printf(o, "<p class=mute>The %u dearest of %u.</p>", n, b->t->count);
    buf_strz(o, "</details>");
}

static void templates(buf *o, const struct report *r) {
    static const char *const heads[] = {"Template", "*task", "*model", "calls", "spent", "each", NULL};
    const struct template *t[REPORT_TOP];
    uint32_t n = analysis_templates(r->a, t, REPORT_TOP);
    if (n == 0) return;
    buf_strz(o, "<h2>Most expensive prompt templates</h2>");
    table(o, "Templates", heads);
    for (uint32_t i = 0; i < n; i++) {
        char sample[SAMPLE_BYTES * 3];
        buf_printf(o, "<tr><td><code>%016llx</code>", (unsigned long long)t[i]->hash);
        if (report_sample(r, t[i], sample, sizeof sample)) {
            buf_strz(o, "<br><span class=mute>");
            escapez(o, sample);
            buf_strz(o, "</span>");
        }
        buf_printf(o, "</td><td class=text>%s</td><td class=text>", task_name((enum task)t[i]->task));
        model_name(o, models_at(r->a->models, t[i]->model));
        buf_strz(o, "</td>");
        cell_count(o, t[i]->calls);
        cell_money(o, t[i]->cost);
        cell_money(o, t[i]->cost / t[i]->calls);
        buf_strz(o, "</tr>");
    }
    table_end(o);
    if (!r->prompts)
        buf_strz(o, "<p class=mute>No text of a prompt is shown; <code>--show-prompts</code> shows beginnings "
                    "with variables masked.</p>");
}

static void other_savings(buf *o, const struct analysis *a) {
    static const char *const heads[] = {"Way", "calls", "saves up to", "*how", NULL};
    char text[200];
    if (a->repeats + a->prefix_calls + a->batch_calls == 0) return;
    buf_strz(o, "<h2>What else would save</h2>");
    table(o, "Other savings", heads);
    if (a->repeats) {
        buf_strz(o, "<tr><td>Exact cache</td>");
        cell_count(o, a->repeats);
        cell_money(o, a->repeats_cost);
        buf_strz(o, "<td class=text>the same prompt went to the same model before</td></tr>");
    }
    if (a->prefix_calls) {
        buf_strz(o, "<tr><td>Provider prompt caching</td>");
        cell_count(o, a->prefix_calls);
        cell_money(o, a->prefix_saving);
        snprintf(text, sizeof text,
                 "<td class=text>a system prompt of %d tokens or more was used within the hour before</td></tr>",
                 PREFIX_TOKENS);
        buf_strz(o, text);
    }
    if (a->batch_calls) {
        buf_strz(o, "<tr><td>Batch prices</td>");
        cell_count(o, a->batch_calls);
        cell_money(o, a->batch_saving);
        buf_strz(
            o, "<td class=text>not streamed, no tools, simple or bulk work: if it can wait up to a day</td></tr>");
    }
    table_end(o);
}

static void logged(buf *o, const struct analysis *a) {
    static const char *const heads[] = {"Difference", "calls", "logged", "tokens × price", NULL};
    char m[40], m2[40], n[32];
    if (a->compared == 0) return;
    buf_printf(o, "<h2>The log's own costs</h2><p>The log says %s for %s calls; tokens × price gives %s.</p>",
               report_money(m, a->logged_compared), report_count(n, a->compared),
               report_money(m2, a->computed_compared));
    if (a->problems.kind[LOG_COST_DIFFERS].count == 0) return;
    table(o, "Differences of logged costs", heads);
    for (unsigned i = 0; i < COST_REASONS_COUNT; i++) {
        if (a->reason[i].calls == 0) continue;
        buf_printf(o, "<tr><td>%s</td>", cost_reason_text((enum cost_reason)i));
        cell_count(o, a->reason[i].calls);
        cell_money(o, a->reason[i].logged);
        cell_money(o, a->reason[i].computed);
        buf_strz(o, "</tr>");
    }
    table_end(o);
}

static void problems(buf *o, const struct log_problems *p) {
    bool any = false;
    char n[32];
    for (unsigned i = 0; i < LOG_PROBLEM_COUNT; i++) {
        if (p->kind[i].count == 0) continue;
        if (!any) buf_strz(o, "<h2>What is wrong with the logs</h2><ul>");
        any = true;
        buf_printf(o, "<li>%s %s; first <code>", report_count(n, p->kind[i].count),
                   log_problem_text((enum log_problem)i));
        escapez(o, p->kind[i].first[0].file);
        buf_printf(o, ":%llu</code></li>", (unsigned long long)p->kind[i].first[0].line);
    }
    if (any) buf_strz(o, "</ul>");
}

static void note(void *ctx, const char *s) {
    buf_strz(ctx, "<li>");
    escapez(ctx, s);
    buf_strz(ctx, "</li>");
}

void report_html(const struct report *r, buf *o) {
    head(o, r);
    baselines(o, r);
    days(o, r->a);
    tasks(o, r->a);
    moves(o, r->a);
    other_savings(o, r->a);
    templates(o, r);
    struct breakdown b[BREAKDOWNS_MAX];
    unsigned n = report_breakdowns(r->a, b);
    if (n) buf_strz(o, "<h2>Who and what spent it</h2>");
    for (unsigned i = 0; i < n; i++) breakdown(o, &b[i], i == 0);
    logged(o, r->a);
    problems(o, &r->a->problems);
    buf_strz(o, "<h2>What this rests on</h2><ul>");
    report_notes(r, note, o);
    buf_strz(o, "</ul>");
    buf yaml;
    buf_init(&yaml, 64 << 10);
    analysis_yaml(r->a, &yaml);
    if (yaml.n) {
        buf_strz(o, "<h2>A configuration that does it</h2><pre tabindex=0>");
        escape(o, buf_view(&yaml));
        buf_strz(o, "</pre>");
    }
    buf_free(&yaml);
    buf_strz(o, "</main><footer><p class=mute>Made by dray analyze " DRAY_VERSION
                ". Nothing left the machine.</p></footer></body></html>\n");
}
