/* libdray: dray's decision in your own process: which tier and model a request should go to, and why.
 *
 * It is the code that `dray serve`, `dray route`, `dray analyze` and `dray replay` decide by. The library opens no
 * file, looks at no environment variable, has no global state and starts no thread: everything it decides from is
 * given as bytes. A router does not change once it is opened; any number of threads may ask it at once.
 *
 * Names here never change their meaning within one soname (libdray.so.0). */
#ifndef DRAY_H
#define DRAY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define DRAY_API __attribute__((visibility("default")))
#else
#define DRAY_API
#endif

typedef struct dray_router dray_router;

enum dray_status {
    DRAY_OK = 0,
    DRAY_BAD_REQUEST = 1, /* not a request, a hint that is no word, or a model that is not known */
    DRAY_NO_ROOM = 2,     /* `out` is too small: see *needed */
    DRAY_NO_MEMORY = 3    /* the request needs more memory than is allowed (256 MB) */
};

/* The version of the library, such as "0.1.0". */
DRAY_API const char *dray_version(void);

/* Opens a router. `config` is the text of a dray.yaml: providers, models, tiers, policy, labels and semantic routes
 * count; listen, keys, credentials and the ledger are not looked at. ${NAME} stays as written, and `include`,
 * `prices` and other files are refused. `model` is a routing model (`dray learn` makes one), `table` the embedding
 * table of semantic routes (script/distill makes one); both are copied, and NULL is the one that dray ships with.
 * NULL on error, with one sentence in `error` (may be NULL). */
DRAY_API dray_router *dray_open(const char *config, size_t config_size, const void *model, size_t model_size,
                                const void *table, size_t table_size, char *error, size_t error_size);
DRAY_API void dray_close(dray_router *r); /* may be NULL */

/* Decides. `request` is a request in OpenAI's dialect (JSON, with `messages`, `input` or `prompt`; hints in its
 * metadata as dray_task, dray_stakes), or the plain text of one user turn. `out` gets what POST /v1/route answers: a
 * JSON object with task, rule, tier, provider, model, candidates, facts and the rules with their conditions, and a NUL.
 * *needed (may be NULL) is its size with the NUL. On DRAY_BAD_REQUEST `out` has a sentence instead. */
DRAY_API int dray_route(const dray_router *r, const char *request, size_t request_size, char *out, size_t out_size,
                        size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
