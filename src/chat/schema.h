/* schema: whether a JSON value fits a JSON Schema, as far as structured output uses it: type, enum, const,
 * properties, required, additionalProperties, items, prefixItems, anyOf, oneOf, allOf, $ref within the document,
 * minimum, maximum, lengths of strings and arrays. Other keywords are taken as satisfied. Bounded in
 * depth and steps: beyond them the value counts as fitting. */
#ifndef DRAY_CHAT_SCHEMA_H
#define DRAY_CHAT_SCHEMA_H

#include "base/arena.h"
#include "base/json.h"

/* `schema` and `value` are validated JSON. `a` takes unescaped strings. */
bool schema_fits(jval schema, jval value, arena *a);

#endif
