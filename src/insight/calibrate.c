/* calibrate: see the header.
 *
 * One row's surplus at a threshold is y = quality of the routed answer - target * quality of the frontier's: the
 * promise is kept when its mean is not below 0. Against "the mean is below 0" one bets: the wealth of a gambler
 * who puts the share b of it on each row, the product of 1 + b y, grows beyond 1 / (1 - confidence) with at most
 * that probability (Ville). Several b at once, the mean of their wealths, so that nothing has to be chosen from
 * the data; the order of the rows does not matter then. */
#include "insight/calibrate.h"

#include <math.h>

enum { BETS = 8, SHARE_LEAST_PERCENT = 1 };

static const double bet_most = 0.95, bet_ratio = 0.55; /* down to 0.015 */

static double weight_of(const struct calibrate_in *in, uint32_t i) {
    return in->weight ? (double)in->weight[i] : 1;
}

static double surplus(const struct calibrate_in *in, uint32_t i, double threshold) {
    double frontier = (double)in->frontier[i];
    double routed = (double)in->difficulty[i] < threshold ? (double)in->light[i] : frontier;
    return routed - in->target * frontier;
}

/* Logarithm of the wealth after betting the share `bet` on every row. */
static double log_wealth(const struct calibrate_in *in, double threshold, double bet) {
    double sum = 0, most = 0;
    for (uint32_t i = 0; i < in->n; i++) most = weight_of(in, i) > most ? weight_of(in, i) : most;
    for (uint32_t i = 0; i < in->n; i++) sum += log1p(bet * surplus(in, i, threshold) * weight_of(in, i) / most);
    return sum;
}

/* Whether the rows show, with the confidence, that the promise is kept. */
static bool shown(const struct calibrate_in *in, double threshold) {
    double wealth = 0, bet = bet_most;
    for (unsigned k = 0; k < BETS; k++, bet *= bet_ratio) {
        double log = log_wealth(in, threshold, bet);
        wealth += exp(log < 700 ? log : 700) / BETS;
    }
    return wealth * (1 - in->confidence) >= 1;
}

/* Rows needed to show the promise at a threshold, about: what the best bet wins a row, into what it must win. */
static uint32_t rows_for(const struct calibrate_in *in, double threshold) {
    double most = 0, bet = bet_most;
    for (unsigned k = 0; k < BETS; k++, bet *= bet_ratio) {
        double gain = log_wealth(in, threshold, bet) / in->n;
        most = gain > most ? gain : most;
    }
    double n = most > 0 ? log(BETS / (1 - in->confidence)) / most : 0;
    return n < 1e9 ? (uint32_t)(n + 0.5) : 0;
}

struct tally {
    double sent, kept, surplus;
};

static struct tally tally_at(const struct calibrate_in *in, double threshold) {
    struct tally t = {0};
    double routed = 0, frontier = 0, n = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        double y = surplus(in, i, threshold), w = weight_of(in, i);
        n += w;
        t.sent += (double)in->difficulty[i] < threshold ? w : 0;
        t.surplus += w * y;
        routed += w * (y + in->target * (double)in->frontier[i]);
        frontier += w * (double)in->frontier[i];
    }
    n = n > 0 ? n : 1;
    t.sent /= n;
    t.surplus /= n;
    t.kept = frontier > 0 ? routed / frontier : 1;
    return t;
}

void calibrate(const struct calibrate_in *in, struct calibrate_out *out) {
    *out = (struct calibrate_out){0};
    double n = 0;
    for (uint32_t i = 0; i < in->n; i++) n += weight_of(in, i);
    for (uint32_t i = 0; i < in->n; i++) {
        out->light += weight_of(in, i) * (double)in->light[i] / n;
        out->frontier += weight_of(in, i) * (double)in->frontier[i] / n;
    }
    struct tally at = {0};
    for (unsigned k = 1; k <= CALIBRATE_STEPS; k++) {
        double threshold = (double)k / CALIBRATE_STEPS;
        if (!shown(in, threshold)) break;
        out->threshold = threshold;
        at = tally_at(in, threshold);
    }
    out->sent = at.sent;
    out->kept = at.kept;
    out->promised = at.sent * 100 >= SHARE_LEAST_PERCENT;
    for (unsigned k = 1; k <= CALIBRATE_STEPS; k++) {
        struct tally t = tally_at(in, (double)k / CALIBRATE_STEPS);
        if (t.surplus < 0) continue;
        out->hoped_threshold = (double)k / CALIBRATE_STEPS;
        out->hoped_sent = t.sent;
    }
    double half = out->hoped_sent / 2;
    for (unsigned k = 1; k <= CALIBRATE_STEPS && half > 0; k++) {
        double threshold = (double)k / CALIBRATE_STEPS;
        if (tally_at(in, threshold).sent < half) continue;
        out->wanted = rows_for(in, threshold);
        break;
    }
    if (!out->promised && out->wanted && out->wanted <= in->n)
        out->wanted = in->n * 2; /* so many were not enough */
}
