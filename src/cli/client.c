/* client: a blocking HTTP/1.1 request over one connection that closes. */
#include "cli/client.h"

#include "base/yaml.h"
#include "config/config.h"
#include "net/http1.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, HEAD_ROOM = 256 };

/* The admin key stands in the file only: a snapshot keeps its hash. */
static str admin_key(const char *config, arena *a) {
    const char *path = config ? config : getenv("DRAY_CONFIG");
    ynode *root;
    if (!path) path = access("dray.yaml", R_OK) == 0 ? "dray.yaml" : NULL;
    if (!path || !yaml_load(path, a, &root, NULL)) return STR_NONE;
    const ynode *key = yaml_get(root, "admin_key");
    return key && key->type == Y_SCALAR ? key->value : STR_NONE;
}

static bool wait_for(int fd, short what) {
    struct pollfd p = {.fd = fd, .events = what};
    return poll(&p, 1, TIMEOUT_MS) > 0;
}

static bool exchange(int fd, str request, buf *answer, err *e) {
    if (!wait_for(fd, POLLOUT) || sock_error(fd)) return fail(e, "the gateway does not answer: is it running?");
    for (size_t at = 0; at < request.n;) {
        struct iovec v = {(char *)(uintptr_t)request.p + at, request.n - at};
        ssize_t w = sock_writev(fd, &v, 1);
        if (w == SOCK_AGAIN && wait_for(fd, POLLOUT)) continue;
        if (w < 0) return fail(e, "the gateway closed the connection");
        at += (size_t)w;
    }
    char piece[16384];
    for (;;) {
        ssize_t r = sock_read(fd, piece, sizeof piece);
        if (r == 0) return true;
        if (r == SOCK_AGAIN && wait_for(fd, POLLIN)) continue;
        if (r < 0) return fail(e, "the gateway did not finish its answer");
        buf_add(answer, piece, (size_t)r);
    }
}

static int read_answer(buf *answer, err *e) {
    struct http_head h;
    size_t from = 0, end = http1_head_end(buf_view(answer), &from);
    if (!end || http1_response(str_take(buf_view(answer), end), &h) != HTTP_OK) {
        fail(e, "the answer is not HTTP: is another program listening there?");
        return -1;
    }
    buf_consume(answer, end);
    return h.status;
}

int client_request(const char *config, const char *method, const char *path, str body, buf *answer, err *e) {
    struct config *c = config_load(config, e);
    struct sock_addr addr;
    int status = -1;
    if (!c) return -1;
    const struct listen_addr *l = &c->listen[0];
    str key = admin_key(config, &c->a);
    str head = arena_printf(
        &c->a, "%s %s HTTP/1.1\r\nhost: dray\r\nconnection: close\r\ncontent-type: application/json\r\n", method,
        path);
    if (key.n)
        head = arena_printf(&c->a, STR_FMT "authorization: Bearer " STR_FMT "\r\n", STR_ARG(head), STR_ARG(key));
    str request =
        arena_printf(&c->a, STR_FMT "content-length: %zu\r\n\r\n" STR_FMT, STR_ARG(head), body.n, STR_ARG(body));
    if (sock_addr_parse(&addr, l->host, l->port, l->is_unix, e)) {
        int fd = sock_connect(&addr);
        if (fd < 0)
            fail(e, "the gateway at " STR_FMT " does not answer: %s", STR_ARG(l->text), strerror(errno));
        else if (exchange(fd, request, answer, e))
            status = read_answer(answer, e);
        if (fd >= 0) sock_close(fd);
    }
    config_unpin(c);
    return status;
}
