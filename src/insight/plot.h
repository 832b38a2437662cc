/* plot: what routing keeps of the quality for which part of the cost, as one SVG file: a panel per data set. */
#ifndef DRAY_INSIGHT_PLOT_H
#define DRAY_INSIGHT_PLOT_H

#include "base/buf.h"

enum { PLOT_POINTS = 101 };

/* How a way of choosing fares as more and more rows go to the strong model: both as shares of sending all. */
struct plot_curve {
    double cost[PLOT_POINTS], quality[PLOT_POINTS];
};

/* One data set: the model's curve beside those of chance, prompt length and perfect knowledge, and what the
 * model's own thresholds gave (`cuts` points). */
struct plot_panel {
    str title;
    struct plot_curve model, random, length, oracle;
    const double *cut_cost, *cut_quality;
    unsigned cuts;
};

/* Opens and closes the document; `panels` is how many will be written between. */
void plot_begin(buf *out, unsigned panels);
void plot_panel(buf *out, unsigned at, const struct plot_panel *p);
void plot_end(buf *out);

#endif
