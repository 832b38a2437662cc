/* event: what a call's events look like as bytes, and reading them back into one record. */
#ifndef DRAY_BOOKS_EVENT_H
#define DRAY_BOOKS_EVENT_H

#include "base/arena.h"
#include "books/record.h"

enum event_type { EVENT_BEGIN = 1, EVENT_ATTEMPT, EVENT_END, EVENT_AMEND };

/* Flags of an event's head, so that the fold needn't decode. */
enum event_flag {
    EVENT_LABEL_PENDING = 1 /* begin: an amendment with facts will follow */,
    EVENT_LABEL = 2 /* that */
};

enum {
    EVENT_STR_MAX = 512, /* longer strings are cut (at a character's border) */
    EVENT_N_END = 1000,  /* event numbers: begin 0, attempts from 1, end, amendments above */
    EVENT_N_AMEND = 1001,
};

/* Each writes the payload at `p` (room up to `end`) and returns its length, 0 when there's no room.
 * EVENT_MAX always suffices. */
size_t event_put_begin(unsigned char *p, const unsigned char *end, const struct record *r);
size_t event_put_attempt(unsigned char *p, const unsigned char *end, const struct record_attempt *t);
size_t event_put_end(unsigned char *p, const unsigned char *end, const struct record *r);
size_t event_put_amend(unsigned char *p, const unsigned char *end, const struct record_amend *m);

/* A call's events folded: the record with its attempts and what was said later. Strings are views of
 * the events' bytes. */
struct folded {
    struct record r; /* r.facts points to `facts` */
    struct facts facts;
    struct fact_named named[FACTS_NAMED_MAX];
    struct record_attempt attempt[RECORD_ATTEMPTS_MAX]; /* by number from 1; end_us 0 and n 0: not there */
    uint8_t attempt_count;
    str last_usage; /* the bytes of the last attempt's usage */
    bool begun, ended;
    bool amended;              /* something below is said */
    bool has_facts;            /* facts are the begin's or an amendment's */
    bool labelled;             /* an amendment's */
    struct record_amend amend; /* the last word on quality, label, comment */
};

void folded_init(struct folded *f);
/* Folds one event in; an event that was folded before changes nothing. False when its bytes make no
 * sense (it is left out). */
bool folded_add(struct folded *f, uint8_t type, uint16_t n, str payload);

#endif
