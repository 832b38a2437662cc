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
    "h1 .good{white-space:nowrap}.chip{display:inline-block;border-radius:1rem;padding:.1rem "
    ".8rem;font-size:.9rem;"
    "font-weight:600;border:1px solid var(--line);background:var(--card);margin:0 0 "
    ".6rem}.chip.good{border-color:var(--good)}"
    ".way{display:grid;grid-template:'n s v'/minmax(9rem,15rem) 1fr 12rem;gap:.2rem "
    "1rem;align-items:center;margin:.55rem 0;"
    "font-variant-numeric:tabular-nums}.way div{grid-area:n}.way b{grid-area:v;text-align:right}.way "
    "svg{grid-area:s;display:"
    "block;width:100%;height:1.5rem}.way "
    "small{display:block;color:var(--mute);font-size:.82rem;line-height:1.3}svg "
    ".range{fill:var(--a);opacity:.45}svg "
    ".grid{stroke:var(--line)}.plot{position:relative;padding-left:4.2rem}.plot "
    "ol{position:absolute;left:0;top:0;height:13rem;margin:0;padding:0;list-style:none;color:var(--mute);font-"
    "size:.8rem;"
    "font-variant-numeric:tabular-nums}.plot "
    "li{position:absolute;left:0;width:3.8rem;text-align:right;margin:0;transform:"
    "translateY(-50%)}@media screen and (max-width:40rem){.opt,.bar,.bars{display:none}.way{grid-template:'n v' "
    "'s s'/1fr auto}}"
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
    ".now{fill:var(--a)}svg.chart{width:100%;height:13rem;display:block;background:var(--card);border:1px solid "
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
/* Money of a page whose total is `most`: to the cent where that is dollars, so that columns can be read down. */
static const char *money(char out[40], int64_t v, int64_t most) {
    if (most < 10000000000 || v == 0) return report_money(out, v);
    if (v > -5000000 && v < 5000000) return strcpy(out, v < 0 ? "&gt;-$0.01" : "&lt;$0.01");
    char whole[32];
    uint64_t cents = ((uint64_t)(v < 0 ? -v : v) + 5000000) / 10000000;
    snprintf(out, 40, "%s$%s.%02u", v < 0 ? "-" : "", report_count(whole, cents / 100), (unsigned)(cents % 100));
    return out;
}
static void cell_money(buf *o, int64_t v, int64_t most) {
    char m[40];
    cell(o, v == COST_UNKNOWN ? "unknown" : money(m, v, most));
}
static void cell_count(buf *o, uint64_t v) {
    char n[32];
    cell(o, report_count(n, v));
}
/* What a narrow screen can do without. */
static void cell_optional(buf *o, uint64_t v) {
    char n[32];
    buf_printf(o, "<td class=opt>%s</td>", report_count(n, v));
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
        /* *: a column of text, -: not on narrow screens, ~: both, |: bars */
        const char *class = **h == '*'   ? " class=text"
                            : **h == '-' ? " class=opt"
                            : **h == '~' ? " class=\"text opt\""
                            : **h == '|' ? " class=bars"
                                         : "";
        buf_printf(o, "<th scope=col%s>%s</th>", class, *h + (*class != 0));
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

static void sums_row(buf *o, str name, const struct sums *s, int64_t most, int64_t all) {
    buf_strz(o, "<tr><td>");
    escape(o, name);
    buf_strz(o, "</td>");
    cell_count(o, s->calls);
    cell_optional(o, (uint64_t)s->input);
    cell_optional(o, (uint64_t)s->output);
    cell_money(o, s->cost == 0 && s->unknown ? COST_UNKNOWN : s->cost, all);
    cell_money(o, s->cost == 0 && s->unknown ? COST_UNKNOWN : s->routed, all);
    bars(o, s->cost, s->routed, most);
    buf_strz(o, "</tr>");
}

/* ---- sections ---- */

/* What a reader in a hurry takes along. */
static void headline(buf *o, const struct analysis *a, const struct conclusion *k) {
    char m[40], m2[40], n[32];
    int64_t all = a->all.cost;
    if (k->start_today) buf_strz(o, "<p class=\"chip good\">A project to start today</p>");
    if (all == 0) {
        buf_printf(o, "<h1>%s LLM calls, and what would save</h1>", report_count(n, a->all.calls));
        return;
    }
    buf_printf(o, "<h1>You spent %s on %s LLM calls.", money(m, all, all), report_count(n, a->all.calls));
    if (k->saved_high > 0 && a->all.moved)
        buf_printf(o, " Routing would save <span class=good>%s to %s</span> (%.0f to %.0f&nbsp;%%).",
                   money(m, k->saved_low, all), money(m2, k->saved_high, all),
                   100.0 * (double)k->saved_low / (double)all, 100.0 * (double)k->saved_high / (double)all);
    buf_strz(o, "</h1>");
}

static void way(buf *o, const char *name, const struct model *m, int64_t low, int64_t high, int64_t most,
                bool now) {
    char v[40], v2[40];
    if (high == COST_UNKNOWN) return;
    buf_printf(o, "<div class=way><div>%s", name);
    if (m) {
        buf_strz(o, "<small>");
        model_name(o, m);
        buf_strz(o, "</small>");
    }
    double a = 100.0 * (double)low / (double)most, b = 100.0 * (double)high / (double)most;
    if (low == high)
        buf_printf(o, "</div><b>%s</b>", money(v, high, most));
    else
        buf_printf(o, "</div><b>%s to %s</b>", money(v, low, most), money(v2, high, most));
    buf_printf(
        o,
        "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=none aria-hidden=true><rect class=%s width=\"%.2f\" "
        "height=10 /><rect class=range x=\"%.2f\" width=\"%.2f\" height=10 /></svg></div>",
        now ? "now" : "then", a, a, b - a);
}

/* The same calls, paid in several ways. */
static void ways(buf *o, const struct report *r) {
    const struct conclusion *k = r->k;
    int64_t costs[] = {r->a->all.cost, k->single_cost, k->frontier_cost, k->baseline_cost}, most = 0;
    if (r->a->all.moved == 0) return;
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (costs[i] != COST_UNKNOWN && costs[i] > most) most = costs[i];
    if (most <= 0) return;
    buf_strz(o, "<h2>The same calls, paid in other ways</h2>");
    way(o, "As they were", NULL, r->a->all.cost, r->a->all.cost, most, false);
    way(o, "With routing", NULL, k->routed, k->routed + (k->saved_high - k->saved_low), most, true);
    way(o, "All at the best single cheaper model", k->single, k->single_cost, k->single_cost, most, false);
    way(o, "All at the frontier", k->frontier, k->frontier_cost, k->frontier_cost, most, false);
    if (k->baseline)
        way(o, "All at the given baseline", k->baseline, k->baseline_cost, k->baseline_cost, most, false);
}

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
    headline(o, a, k);
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
    tile(o, money(m, a->all.cost, a->all.cost), a->all.unknown ? "spent, where the price is known" : "spent");
    if (a->all.moved) {
        char range[100], share[32];
        snprintf(range, sizeof range, "%s to %s", money(m, k->saved_low, a->all.cost),
                 money(m2, k->saved_high, a->all.cost));
        tile(o, range, "saved by routing");
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
    cell_money(o, cost, cost);
    buf_printf(o, "<td class=opt>%s</td>", money(low, k->routed, cost));
    if (h >= 0)
        buf_printf(o, "<td class=good>%s to %s</td></tr>", money(low, l, cost), money(high, h, cost));
    else
        buf_printf(o, "<td class=warn>routing costs %s more</td></tr>", money(high, -h, cost));
}

static void baselines(buf *o, const struct report *r) {
    static const char *const heads[] = {"Compared with", "its cost", "-with routing", "routing saves", NULL};
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

/* Days since 2000 of "YYYY-MM-DD", near enough to put bars where they belong (each month has 31). */
static int day_place(str day) {
    uint64_t y = 0, m = 0, d = 0;
    if (day.n < 10 || !str_u64(str_take(day, 4), &y) || !str_u64(str_take(str_skip(day, 5), 2), &m) ||
        !str_u64(str_take(str_skip(day, 8), 2), &d))
        return 0;
    return (int)(((int64_t)y - 2000) * 372 + ((int64_t)m - 1) * 31 + (int64_t)d - 1);
}

/* The next of 1, 2, 5, 10, … at or above a quarter of `most`: the step between grid lines. */
static int64_t grid_step(int64_t most) {
    int64_t step = 1;
    for (int64_t ten = 1; step * 4 < most; ten *= 10)
        for (int k = 0; k < 3 && step * 4 < most; k++) step = ten * (k == 0 ? 2 : k == 1 ? 5 : 10);
    return step;
}

static void day_bars(buf *o, const struct analysis *a, const uint32_t *row, uint32_t n, int64_t top) {
    const struct tally_row *first = &a->by_day.row[row[0]], *last = &a->by_day.row[row[n - 1]];
    int from = day_place(first->name), span = day_place(last->name) - from + 1;
    double w = (double)CHART_W / (span > 0 ? span : 1), gap = w > 4 ? w * 0.15 : 0;
    char m[40], m2[40];
    for (uint32_t i = 0; i < n; i++) {
        const struct tally_row *t = &a->by_day.row[row[i]];
        double x = (day_place(t->name) - from) * w + gap / 2,
               h = (double)CHART_H * (double)t->s.cost / (double)top,
               h2 = (double)CHART_H * (double)t->s.routed / (double)top;
        buf_printf(o, "<g><title>" STR_FMT ": %s, with routing %s</title>", STR_ARG(t->name),
                   report_money(m, t->s.cost), report_money(m2, t->s.routed));
        buf_printf(o, "<rect class=then x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" />", x, CHART_H - h,
                   w - gap > 1 ? w - gap : 1, h);
        buf_printf(o, "<rect class=now x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" /></g>", x,
                   CHART_H - h2, w - gap > 1 ? w - gap : 1, h2);
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
        int64_t step = grid_step(most), top = (most + step - 1) / step * step;
        buf_strz(o, "<h2>Spend by day</h2><p class=mute><span class=key>spent</span><span class=\"key now\">with "
                    "routing</span></p><div class=plot><ol aria-hidden=true>");
        for (int64_t v = 0; v <= top; v += step)
            buf_printf(o, "<li style=\"top:%.2f%%\">%s</li>", 100 - 100.0 * (double)v / (double)top,
                       report_money(m, v));
        buf_printf(
            o,
            "</ol><svg class=chart viewBox=\"0 0 %d %d\" preserveAspectRatio=none role=img aria-label=\"Spend by "
            "day, at most %s\">",
            CHART_W, CHART_H, report_money(m, most));
        for (int64_t v = step; v < top; v += step) {
            double y = CHART_H - (double)CHART_H * (double)v / (double)top;
            buf_printf(o,
                       "<line class=grid x1=0 x2=%d y1=\"%.2f\" y2=\"%.2f\" vector-effect=non-scaling-stroke />",
                       CHART_W, y, y);
        }
        day_bars(o, a, row, n, top);
        buf_printf(o, "</svg><div class=axis><span>" STR_FMT "</span><span>" STR_FMT "</span></div></div>",
                   STR_ARG(a->by_day.row[row[0]].name), STR_ARG(a->by_day.row[row[n - 1]].name));
    }
    free(row);
}

static const char *const sums_heads[] = {"",
                                         "calls",
                                         "-input tokens",
                                         "-output tokens",
                                         "spent",
                                         "routed",
                                         "|<span class=key>spent</span><span class=\"key now\">routed</span>",
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
            sums_row(o, str_from(task_name((enum task)(t % TASK_COUNT))), &a->task[t % TASK_COUNT], most,
                     a->all.cost);
    table_end(o);
}

static void moves(buf *o, const struct analysis *a) {
    static const char *const heads[] = {"From", "*to", "~rule", "calls", "-spent", "-there", "saves", NULL};
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
        buf_strz(o, "</td><td class=\"text opt\">");
        escapez(o, move[i]->rule);
        buf_strz(o, "</td>");
        cell_count(o, move[i]->calls);
        buf_printf(o, "<td class=opt>%s</td>", money(low, move[i]->then, a->all.cost));
        buf_printf(o, "<td class=opt>%s</td>", money(low, move[i]->now, a->all.cost));
        buf_printf(o, "<td>%s to %s</td></tr>", money(low, move[i]->then - move[i]->worst, a->all.cost),
                   money(high, move[i]->then - move[i]->now, a->all.cost));
    }
    table_end(o);
}

static void breakdown(buf *o, const struct breakdown *b, bool open, int64_t all) {
    enum { ROWS = 200 };
    uint32_t row[ROWS], n = b->by_name ? tally_by_name(b->t, row, ROWS) : tally_top(b->t, row, ROWS);
    int64_t most = 0;
    for (uint32_t i = 0; i < n; i++) most = b->t->row[row[i]].s.cost > most ? b->t->row[row[i]].s.cost : most;
    buf_printf(o, "<details%s><summary>%s (%u)</summary>", open ? " open" : "", b->title, b->t->count);
    const char *heads[8];
    memcpy(heads, sums_heads, sizeof heads);
    heads[0] = b->of;
    table(o, b->title, heads);
    for (uint32_t i = 0; i < n; i++) sums_row(o, b->t->row[row[i]].name, &b->t->row[row[i]].s, most, all);
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
        cell_money(o, t[i]->cost, r->a->all.cost);
        cell_money(o, t[i]->cost / t[i]->calls, 0);
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
        cell_money(o, a->repeats_cost, a->all.cost);
        buf_strz(o, "<td class=text>the same prompt went to the same model before</td></tr>");
    }
    if (a->prefix_calls) {
        buf_strz(o, "<tr><td>Provider prompt caching</td>");
        cell_count(o, a->prefix_calls);
        cell_money(o, a->prefix_saving, a->all.cost);
        snprintf(text, sizeof text,
                 "<td class=text>a system prompt of %d tokens or more was used within the hour before</td></tr>",
                 PREFIX_TOKENS);
        buf_strz(o, text);
    }
    if (a->batch_calls) {
        buf_strz(o, "<tr><td>Batch prices</td>");
        cell_count(o, a->batch_calls);
        cell_money(o, a->batch_saving, a->all.cost);
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
        cell_money(o, a->reason[i].logged, a->computed_compared);
        cell_money(o, a->reason[i].computed, a->computed_compared);
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
    ways(o, r);
    baselines(o, r);
    days(o, r->a);
    tasks(o, r->a);
    moves(o, r->a);
    other_savings(o, r->a);
    templates(o, r);
    struct breakdown b[BREAKDOWNS_MAX];
    unsigned n = report_breakdowns(r->a, b);
    if (n) buf_strz(o, "<h2>Who and what spent it</h2>");
    for (unsigned i = 0; i < n; i++) breakdown(o, &b[i], i == 0, r->a->all.cost);
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
