/* document: the ledger's public schema as Markdown. */
#ifndef DRAY_BOOKS_DOCUMENT_H
#define DRAY_BOOKS_DOCUMENT_H

#include "base/buf.h"

/* Every column of the views `calls`, `hours` and `days`: the reference part of docs/ledger.md. */
void ledger_document(buf *out);

#endif
