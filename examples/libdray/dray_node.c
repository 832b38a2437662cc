/* libdray from Node: an N-API addon with one class of functions, built against Node's own headers:
 *   cc -shared -fPIC -o dray_node.node dray_node.c $(pkg-config --cflags --libs dray) -I/usr/include/node
 * In JavaScript: const router = addon.open(config); JSON.parse(addon.route(router, request)). */
#include <dray.h>
#include <node_api.h>
#include <stdlib.h>

static napi_value refuse(napi_env env, const char *why) {
    napi_throw_error(env, NULL, why);
    return NULL;
}

/* The bytes of a string or Buffer; free() what comes. NULL when it is neither. */
static char *bytes_of(napi_env env, napi_value v, size_t *n) {
    void *data;
    bool is_buffer = false;
    napi_is_buffer(env, v, &is_buffer);
    if (is_buffer) {
        if (napi_get_buffer_info(env, v, &data, n) != napi_ok) return NULL;
        char *copy = malloc(*n + 1);
        for (size_t i = 0; copy && i < *n; i++) copy[i] = ((char *)data)[i];
        return copy;
    }
    if (napi_get_value_string_utf8(env, v, NULL, 0, n) != napi_ok) return NULL;
    char *text = malloc(*n + 1);
    if (text) napi_get_value_string_utf8(env, v, text, *n + 1, n);
    return text;
}

static void close_router(napi_env env, void *router, void *hint) {
    (void)env, (void)hint;
    dray_close(router);
}

static napi_value open_router(napi_env env, napi_callback_info info) {
    napi_value arg[1], out;
    size_t argc = 1, config_n = 0;
    char error[400] = "";
    napi_get_cb_info(env, info, &argc, arg, NULL, NULL);
    char *config = argc > 0 ? bytes_of(env, arg[0], &config_n) : NULL;
    dray_router *r = config ? dray_open(config, config_n, NULL, 0, NULL, 0, error, sizeof error) : NULL;
    free(config);
    if (!r) return refuse(env, error[0] ? error : "open(config): the configuration is a string or Buffer");
    napi_create_external(env, r, close_router, NULL, &out);
    return out;
}

static napi_value route(napi_env env, napi_callback_info info) {
    napi_value arg[2], out = NULL;
    size_t argc = 2, n = 0, size = 8192, needed = 0;
    void *router;
    int status;
    napi_get_cb_info(env, info, &argc, arg, NULL, NULL);
    if (argc < 2 || napi_get_value_external(env, arg[0], &router) != napi_ok)
        return refuse(env, "route(router, request)");
    char *request = bytes_of(env, arg[1], &n), *text = malloc(size);
    while (request && text && (status = dray_route(router, request, n, text, size, &needed)) == DRAY_NO_ROOM) {
        free(text);
        text = malloc(size = needed);
    }
    if (!request || !text)
        refuse(env, "route(router, request): the request is a string or Buffer");
    else if (status)
        refuse(env, status == DRAY_BAD_REQUEST ? text : "out of memory");
    else
        napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &out);
    free(request);
    free(text);
    return out;
}

NAPI_MODULE_INIT() {
    const napi_property_descriptor functions[] = {
        {"open", NULL, open_router, NULL, NULL, NULL, napi_default, NULL},
        {"route", NULL, route, NULL, NULL, NULL, napi_default, NULL},
    };
    napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
    return exports;
}
