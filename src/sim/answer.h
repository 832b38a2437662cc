/* answer: what a simulated model was asked and what it says, apart from any dialect. A dialect reads its request
 * into a sim_call, sim_compose decides the answer from the seed, and the dialect writes it, whole or step by step.
 */
#ifndef DRAY_SIM_ANSWER_H
#define DRAY_SIM_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "sim/sim.h"

enum {
    SIM_TOOLS_MAX = 64,   /* tools of a request that are looked at */
    SIM_CALLS_MAX = 8,    /* tool calls of an answer */
    SIM_CHOICES_MAX = 8,  /* `n` */
    SIM_INPUTS_MAX = 256, /* texts of one embeddings request */
    SIM_PIECES_MAX = 8192,
};
/* All dates in answers: the same every time. */
#define SIM_CREATED "1767225600"
#define SIM_CREATED_ISO "2026-01-01T00:00:00Z"

enum sim_dialect { SIM_OPENAI, SIM_ANTHROPIC, SIM_GEMINI };

struct sim_tool {
    str name;
    jval schema; /* of its parameters; J_NONE when it takes none */
};

/* A piece of the answer, one token's worth: of the text (call < 0) or of the arguments of tool call `call`. */
struct sim_piece {
    str text;
    int call;
};

struct sim_call {
    arena *a; /* everything here lives as long as the call */
    struct sim_options opt;
    const struct sim_surface *surface;
    str path, query;
    bool anthropic; /* the client sent anthropic-version: tells the dialects of GET /v1/models apart */
    jval body;
    struct rng rng;
    char id[25]; /* hex, from the seed and the request */

    /* asked for; filled by the dialect */
    str model;
    bool stream, include_usage, thinking;
    bool array_stream;   /* the stream is one JSON array, not server-sent events */
    uint64_t max_tokens; /* 0: no limit */
    uint32_t choices;
    uint64_t input_bytes; /* of text */
    struct sim_tool tool[SIM_TOOLS_MAX];
    uint32_t tools;
    bool no_tools; /* tool_choice none, or the last message is a tool's result */
    bool json;     /* an answer in JSON is wanted, by `schema` when there is one */
    jval schema;
    jval inputs; /* of embeddings */

    /* the answer; filled by sim_compose */
    str text; /* whole */
    struct {
        str id, arguments; /* id: 24 characters without the dialect's prefix */
        const struct sim_tool *tool;
    } called[SIM_CALLS_MAX];
    uint32_t calls; /* tool calls; then there is no text */
    struct sim_piece *piece;
    uint32_t pieces, piece_cap;
    uint32_t events; /* written so far, where the dialect numbers them */
    bool cut_short;  /* max_tokens reached */
    uint64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
};

/* One endpoint: how its request is read and its answer written. Streams are steps: 0 opens, 1 to pieces carry the
 * pieces, pieces + 1 closes. */
struct sim_surface {
    enum sim_dialect dialect;
    const char *method, *path;                /* the path's end; "*" in it stands for some characters */
    bool (*read)(struct sim_call *c, err *e); /* false: answered 400 */
    void (*write)(struct sim_call *c, buf *out);
    void (*step)(struct sim_call *c, uint32_t step, buf *out); /* NULL: never streamed */
};

/* Decides the answer. */
void sim_compose(struct sim_call *c);
/* Bytes of all strings inside a value. */
uint64_t sim_text_bytes(jval v);
/* Text of the first or only string of a value: a string, or the `text` members of an array of parts. */
void sim_skip_call(struct sim_call *c);

/* A value that satisfies a JSON schema, as far as a mock needs: types, enum, const, required, items, anyOf, $ref
 * to the schema's own definitions. */
void sim_schema_value(struct sim_call *c, jval schema, buf *out);
/* A unit vector of `n` floats drawn from the text. */
void sim_vector(struct sim_call *c, str text, uint32_t n, float *out);
/* Appends a template: $s is a str as a JSON string, $r a str as it is, $u a uint64_t. */
void sim_emit(buf *out, const char *template, ...);
/* An error body in the dialect. */
void sim_error(enum sim_dialect d, unsigned status, str message, buf *out);

/* The endpoint for a request, NULL when there is none. */
const struct sim_surface *sim_find(str method, str path, bool anthropic);
/* Prepares a call: options, identifier, random numbers. `body` is validated JSON, or J_NONE for GET. */
void sim_call_init(struct sim_call *c, arena *a, const struct sim_options *o, str path, str query, jval body,
                   str raw);

/* The dialects' tables, each ended by a row without a path. */
extern const struct sim_surface sim_openai[], sim_responses[], sim_anthropic[], sim_gemini[];

#endif
