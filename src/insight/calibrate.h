/* calibrate: how far the light tier may be trusted, from calls where both models' answers were judged.
 *
 * Rows with a difficulty below a threshold go to the light model, the others to the frontier. Wanted is the
 * highest threshold at which the mean quality is at least `target` times the frontier's, with a stated confidence
 * that holds for any number of rows and any distribution: thresholds are tried in a fixed order, from nothing sent
 * on, each by an e-value, and the first that can't be shown to keep the promise ends the walk (Learn then Test,
 * Angelopoulos et al. 2021; betting, Waudby-Smith and Ramdas 2020). Rows must be a fair sample of the traffic, one
 * by one. */
#ifndef DRAY_INSIGHT_CALIBRATE_H
#define DRAY_INSIGHT_CALIBRATE_H

#include <stdbool.h>
#include <stdint.h>

enum { CALIBRATE_STEPS = 200 }; /* thresholds that are tried: 1/200, 2/200, … */

struct calibrate_in {
    uint32_t n;
    const float *difficulty, *light, *frontier; /* 0..1 each */
    const float *weight; /* how many calls a row stands for (a stratified sample); NULL: as many as any other */
    double target, confidence;
};

struct calibrate_out {
    bool promised;    /* a threshold above nothing keeps the promise and sends anything */
    double threshold; /* calls of a difficulty below it go to the light tier */
    double sent;      /* share of the rows that is */
    double kept;      /* observed share of the frontier's quality at that threshold */
    double light, frontier;
    /* The highest threshold that keeps the target on these very rows, without any confidence. */
    double hoped_threshold, hoped_sent;
    uint32_t wanted; /* rows that would about be needed to promise half of that; 0 when it can't be said */
};

void calibrate(const struct calibrate_in *in, struct calibrate_out *out);

#endif
