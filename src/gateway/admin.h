/* admin: the JSON admin API under /admin/v1/, behind the admin_key (open on loopback without keys).
 *
 *     GET  /admin/v1/calls?…          calls, newest first (books/query.h: filters, cursor)
 *     GET  /admin/v1/calls/{id}       one call with everything that is known
 *     GET  /admin/v1/override         the panic switch
 *     POST /admin/v1/override         {"tier","for","why"} or {"off":true}
 *     POST /admin/v1/reload           reads the configuration again */
#ifndef DRAY_GATEWAY_ADMIN_H
#define DRAY_GATEWAY_ADMIN_H

struct call;

void admin_calls(struct call *c);
void admin_call(struct call *c);
void admin_override(struct call *c);
void admin_reload(struct call *c);

#endif
