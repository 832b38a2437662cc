/* semantic: named sets of example sentences ("routes"), and how near a prompt is to each.
 *
 * The score of a prompt and an example is the mean of two cosines: of their words, word pairs and character
 * triples weighted by rarity ("lexical"), and of their static embeddings; without a table the lexical one alone. A
 * route's score is the mean of its two best examples. Nothing allocates or has state after semantic_compile; the
 * same text gives the same score on every machine. */
#ifndef DRAY_BRAIN_SEMANTIC_H
#define DRAY_BRAIN_SEMANTIC_H

#include "base/arena.h"
#include "base/err.h"
#include "brain/embed.h"
#include "facts/facts.h"
#include "facts/prompt.h"

enum {
    SEMANTIC_ROUTES_MAX = 256,
    SEMANTIC_EXAMPLES_MAX = 4096, /* of all routes */
    SEMANTIC_NAME_MAX = 64,
    SEMANTIC_HEAD = 512, /* bytes read of the last user turn's begin */
    SEMANTIC_TAIL = 128, /* and of its end, when it is longer */
    SEMANTIC_BEST = 2,   /* examples whose mean is the route's score */
};

struct ynode;
struct semantic_set; /* examples, ready to be searched: semantic.c */

struct semantic_route {
    str name;
    uint32_t first, count; /* its examples */
    float threshold;       /* a prompt is the route's when its score is at least this */
    bool stated;           /* by the user; else suggested */
};

struct semantic {
    uint32_t route_count;
    const struct semantic_route *route;
    uint64_t version; /* of the examples, the table and the method: scores of one version can be compared */
    float suggested;  /* threshold that the examples themselves suggest */
    const struct semantic_set *set;
};

/* Compiles `routes:`, a map of names to lists of sentences, or to {examples: […], threshold: 0.5}. `threshold` <
 * 0: the suggested one. `table` NULL: lexical alone; it must live as long as the result. */
const struct semantic *semantic_compile(const struct ynode *routes, double threshold, const struct embed *table,
                                        arena *a, err *e);
/* The nearest route and its score in 0..1; -1 when nothing of the text is like any example. */
int semantic_nearest(const struct semantic *s, str plain, double *score);
/* Fills facts->semantic, semantic_score and semantic_version from the last user turn. */
void semantic_facts(const struct semantic *s, const struct prompt *p, struct facts *f);
/* A route by name, -1 when there is none. */
int semantic_find(const struct semantic *s, str name);
/* Whether the facts' score is one of these examples, so that a rule about it can be decided. */
static inline bool semantic_known(const struct semantic *s, const struct facts *f) {
    return s && f->semantic_version == s->version;
}
/* The route that facts are accepted by, -1 none. */
int semantic_accepted(const struct semantic *s, const struct facts *f);

/* What the examples say about themselves: each is scored against all others (leave-one-out). */
struct semantic_review {
    uint32_t examples;  /* of routes with two or more */
    uint32_t right;     /* nearest to their own route */
    uint32_t accepted;  /* and at or above its threshold */
    uint32_t strangers; /* at or above another route's threshold, were their own not there */
    struct {
        uint32_t example, route;
    } astray[8]; /* the first examples that are nearer to another route, and which */
    uint32_t astray_count;
};
void semantic_review(const struct semantic *s, struct semantic_review *out);
/* Text of an example, and the route it is of. */
str semantic_example(const struct semantic *s, uint32_t example, uint32_t *route);

#endif
