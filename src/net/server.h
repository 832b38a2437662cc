/* server: HTTP/1.1 connections of clients on one worker's loop.
 *
 * The server reads heads and bodies, keeps time, and hands requests one at a time to its handler;
 * pipelined ones wait in the kernel or in the connection's buffer. The handler answers with
 * conn_send and conn_finish, then or later. After `gone` the request must not touch the connection.
 *
 *     idle -> head -> body -> (answer) -> idle ... -> linger -> closed
 *
 * An idle connection holds no buffers (about 250 bytes). */
#ifndef DRAY_NET_SERVER_H
#define DRAY_NET_SERVER_H

#include "net/http1.h"
#include "net/loop.h"
#include "net/stream.h"

struct server;
struct conn;

struct server_limits {
    uint32_t head_max; /* bytes of a request's head */
    uint64_t head_us;  /* from its first byte to its end */
    uint64_t body_us;  /* between pieces of a body */
    uint64_t idle_us;  /* keep-alive without a request */
    uint64_t write_us; /* a client that takes nothing for this long is cut off */
};

struct server_handler {
    /* A request's head is complete; its views are valid during this call. The answer may be given at once.
     * Returns the request, handed to all further calls; NULL when it was answered already. */
    void *(*request)(void *ctx, struct conn *c, const struct http_head *h);
    /* A piece of its body (decoded from chunks). */
    void (*body)(void *req, const char *p, size_t n);
    /* Where the rest of a large body with a length may be read to without a copy, and how much; NULL: nowhere.
     * May itself be NULL; else `body_put` says how much was put there. */
    char *(*body_room)(void *req, size_t *room);
    void (*body_put)(void *req, size_t n);
    /* The body is complete (also called for requests without one). */
    void (*body_end)(void *req);
    /* The body's chunks are broken: answer and finish (the connection closes). */
    void (*body_bad)(void *req, const char *why);
    /* What was queued for the client has gone. */
    void (*drained)(void *req);
    /* The client has gone, or its connection broke: no more calls for this request. */
    void (*gone)(void *req);
    /* A head that is not HTTP, too large (status 431) or too slow (408): to be answered at once with
     * conn_send; the connection closes afterwards. */
    void (*bad)(void *ctx, struct conn *c, int status, const char *why);
};

/* `scratch`: the worker's read buffer. */
struct server *server_new(struct loop *l, const struct server_handler *h, void *ctx, char *scratch,
                          size_t scratch_size);
void server_free(struct server *s);
/* Takes effect for requests that begin later. */
void server_limits_set(struct server *s, const struct server_limits *limits);
/* Takes an accepted socket over. */
void server_accept(struct server *s, int fd);
/* Idle connections close now, others after their answer; new ones are still taken. */
void server_drain(struct server *s);
/* Connections open; requests under way among them. */
uint32_t server_connections(const struct server *s);
uint32_t server_requests(const struct server *s);

/* ---- for the handler ---- */
/* Appends bytes of the answer (status line and head included). False: the connection is broken
 * (`gone` has been or will be called). Bytes that the kernel doesn't take are copied. */
bool conn_send(struct conn *c, const struct iovec *iov, int n);
/* Bytes queued and not yet taken by the kernel: stop producing above some bound until `drained`. */
size_t conn_pending(const struct conn *c);
/* The answer is complete; `keep` false closes after it. The request is over: no more calls for it. */
void conn_finish(struct conn *c, bool keep);
/* The answer can't be completed: the connection is cut without the framing's end. */
void conn_abort(struct conn *c);
/* Whether the client wants the connection kept (and the server isn't draining). */
bool conn_keep_alive(const struct conn *c);
/* HTTP/1.minor of the request under way. */
int conn_minor(const struct conn *c);
/* Stops and starts reading the body (back-pressure of streamed uploads). */
void conn_pause_body(struct conn *c);
void conn_resume_body(struct conn *c);

#endif
