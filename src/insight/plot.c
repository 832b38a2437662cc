/* plot: see the header. Nothing but lines and text: the file needs no library to be looked at, and lines are told
 * apart by their dashes as well as by colour. */
#include "insight/plot.h"

enum { WIDTH = 640, HEIGHT = 360, LEFT = 64, TOP = 44, RIGHT = 150, BOTTOM = 48 };

static const double plot_w = WIDTH - LEFT - RIGHT, plot_h = HEIGHT - TOP - BOTTOM;

void plot_begin(buf *out, unsigned panels) {
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\" "
               "font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n"
               "<title>Quality kept for a part of the frontier's cost</title>\n",
               WIDTH, panels * HEIGHT, WIDTH, panels * HEIGHT);
    buf_strz(out,
             "<style>svg{background:#fff;color:#1b1f24}text{fill:currentColor}.grid{stroke:#d8dee4}"
             "polyline{fill:none;stroke:currentColor;stroke-width:1.5}.model{stroke:#0b63ce;stroke-width:2.5}"
             ".random{stroke-dasharray:2 4}.length{stroke:#8a4600;stroke-dasharray:7 4}"
             ".oracle{stroke:#116329;stroke-dasharray:1 2}.cut{fill:#0b63ce}"
             "@media(prefers-color-scheme:dark){svg{background:#14171c;color:#e6e9ee}.grid{stroke:#333a44}"
             ".model{stroke:#6cb0ff}.length{stroke:#e0a35c}.oracle{stroke:#5ec27a}.cut{fill:#6cb0ff}}</style>\n");
}

void plot_end(buf *out) { buf_strz(out, "</svg>\n"); }

static void text(buf *out, str s) {
    for (size_t i = 0; i < s.n; i++) switch (s.p[i]) {
        case '<': buf_strz(out, "&lt;"); break;
        case '>': buf_strz(out, "&gt;"); break;
        case '&': buf_strz(out, "&amp;"); break;
        default: buf_char(out, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
        }
}

/* The quality axis: from a round number below all points to one above. */
struct scale {
    double low, high, step;
};

static void widen(struct scale *s, const double *v, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (v[i] < s->low) s->low = v[i];
        if (v[i] > s->high) s->high = v[i];
    }
}

static struct scale scale_of(const struct plot_panel *p) {
    struct scale s = {1, 1, 0.01};
    widen(&s, p->model.quality, PLOT_POINTS);
    widen(&s, p->length.quality, PLOT_POINTS);
    widen(&s, p->oracle.quality, PLOT_POINTS);
    widen(&s, p->cut_quality, p->cuts);
    static const double steps[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        s.step = steps[i];
        if ((s.high - s.low) / s.step <= 8) break;
    }
    s.low = s.step * (double)(int64_t)(s.low / s.step);
    double most = s.step * (double)(int64_t)(s.high / s.step);
    s.high = most < s.high - s.step / 1e6 || most <= s.low ? most + s.step : most;
    return s;
}

static double x_of(double cost) { return LEFT + cost * plot_w; }
static double y_of(const struct scale *s, double quality) {
    return TOP + (s->high - quality) / (s->high - s->low) * plot_h;
}

static void axes(buf *out, const struct scale *s) {
    for (double v = s->low; v < s->high + s->step / 2; v += s->step)
        buf_printf(out,
                   "<path class=\"grid\" d=\"M%d %.1fH%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f "
                   "%%</text>\n",
                   LEFT, y_of(s, v), x_of(1), LEFT - 8, y_of(s, v) + 4, v * 100);
    for (int k = 0; k <= 4; k++)
        buf_printf(out,
                   "<path class=\"grid\" d=\"M%.1f %dV%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                   "text-anchor=\"middle\">%d %%</text>\n",
                   x_of(k / 4.0), TOP, TOP + plot_h, x_of(k / 4.0), TOP + plot_h + 18, k * 25);
    buf_printf(out,
               "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">cost, of sending all to the frontier</text>\n"
               "<text x=\"%d\" y=\"%d\">quality, of the frontier's</text>\n",
               x_of(0.5), TOP + plot_h + 38, LEFT, TOP - 8);
}

static void line(buf *out, const struct scale *s, const char *name, const struct plot_curve *c, int row) {
    buf_printf(out, "<polyline class=\"%s\" points=\"", name);
    for (unsigned i = 0; i < PLOT_POINTS; i++)
        buf_printf(out, "%.1f,%.1f ", x_of(c->cost[i]), y_of(s, c->quality[i]));
    int y = TOP + 10 + row * 20;
    buf_printf(out,
               "\"/>\n<polyline class=\"%s\" points=\"%.1f,%d %.1f,%d\"/><text x=\"%.1f\" y=\"%d\">%s</text>\n",
               name, x_of(1) + 14, y, x_of(1) + 44, y, x_of(1) + 50, y + 4, name);
}

void plot_panel(buf *out, unsigned at, const struct plot_panel *p) {
    struct scale s = scale_of(p);
    buf_printf(out,
               "<g transform=\"translate(0 %u)\">\n<text x=\"%d\" y=\"18\" font-size=\"15\" font-weight=\"bold\">",
               at * HEIGHT, LEFT);
    text(out, p->title);
    buf_strz(out, "</text>\n");
    axes(out, &s);
    line(out, &s, "oracle", &p->oracle, 0);
    line(out, &s, "model", &p->model, 1);
    line(out, &s, "length", &p->length, 2);
    line(out, &s, "random", &p->random, 3);
    for (unsigned i = 0; i < p->cuts; i++)
        if (p->cut_quality[i] >= 0 &&
            p->cut_cost[i] >= 0) /* neither is known where all scores or costs are zero */
            buf_printf(out, "<circle class=\"cut\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", x_of(p->cut_cost[i]),
                       y_of(&s, p->cut_quality[i]));
    if (p->cuts)
        buf_printf(
            out,
            "<circle class=\"cut\" cx=\"%.1f\" cy=\"%d\" r=\"4\"/><text x=\"%.1f\" y=\"%d\">thresholds</text>\n",
            x_of(1) + 29, TOP + 90, x_of(1) + 50, TOP + 94);
    buf_strz(out, "</g>\n");
}
