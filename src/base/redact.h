/* redact: personal data and secrets out of text that people will read (samples for labelling, kept bodies).
 *
 * By form alone, in one bounded pass, no dictionary: mail addresses, card numbers (Luhn), IBANs (mod 97),
 * telephone numbers, long digit runs (accounts, orders), national ids of the form 123-45-6789, IP addresses,
 * UUIDs and long hexadecimal words, keys and tokens by their usual beginnings or by being long and mixed,
 * private key blocks, what follows "password:" and the like. Each becomes its kind in brackets: "[EMAIL]".
 * Not found, because no form tells them: names of people and places, street addresses, dates of birth,
 * anything spelled out in words. Dates and numbers of fewer than nine digits stay, since tasks live on them. */
#ifndef DRAY_BASE_REDACT_H
#define DRAY_BASE_REDACT_H

#include "base/buf.h"

/* kind, mark */
#define REDACT_KINDS(X)                                                                                           \
    X(EMAIL, "[EMAIL]")                                                                                           \
    X(CARD, "[CARD]")                                                                                             \
    X(IBAN, "[IBAN]")                                                                                             \
    X(PHONE, "[PHONE]")                                                                                           \
    X(NUMBER, "[NUMBER]")                                                                                         \
    X(ID, "[ID]")                                                                                                 \
    X(IP, "[IP]")                                                                                                 \
    X(SECRET, "[SECRET]")
enum redact_kind {
#define X(id, mark) REDACT_##id,
    REDACT_KINDS(X)
#undef X
        REDACT_KIND_COUNT
};
const char *redact_mark(enum redact_kind k);

/* Appends `text` to `out` with what was found replaced. Returns how many replacements were made. */
unsigned redact(str text, buf *out);

#endif
