/* multipart: where the fields of a multipart/form-data body stand (RFC 7578), found as the bytes come.
 *
 * Nothing is copied: fields are ranges of the body, which the caller keeps (and may move). Bytes that were looked
 * at are not looked at again, whatever the pieces. */
#ifndef DRAY_NET_MULTIPART_H
#define DRAY_NET_MULTIPART_H

#include "base/str.h"

enum {
    MULTIPART_BOUNDARY_MAX = 70, /* RFC 2046 */
    MULTIPART_FIELDS_MAX = 64,   /* parts of one body */
    MULTIPART_HEAD_MAX = 4096,   /* bytes of a part's head */
};

enum multipart_state { MULTIPART_MORE, MULTIPART_DONE, MULTIPART_BAD };

struct multipart_field {
    size_t name, name_n; /* of its Content-Disposition, between the quotes */
    size_t start, end;   /* its value */
    bool file;           /* it has a filename */
};

struct multipart {
    enum multipart_state state;
    const char *error; /* when MULTIPART_BAD */
    struct multipart_field field[MULTIPART_FIELDS_MAX];
    unsigned count;
    /* private */
    char delimiter[MULTIPART_BOUNDARY_MAX + 4]; /* CR LF - - boundary */
    size_t delimiter_n;
    size_t pos; /* nothing before it is looked at again */
    uint8_t phase;
};

/* Begins a scan; false when the content type is no multipart/form-data with a boundary. */
bool multipart_begin(struct multipart *m, str content_type);
/* Looks at what is new in `body`, all that has come so far; `whole`: nothing more will. */
enum multipart_state multipart_scan(struct multipart *m, str body, bool whole);
/* The first field of a name that is no file; NULL when there is none. */
const struct multipart_field *multipart_find(const struct multipart *m, str body, str name);

#endif
