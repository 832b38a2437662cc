/* schema: a direct reading of the keywords, one small function each. */
#include "chat/schema.h"

enum { DEPTH_MAX = 32, STEPS_MAX = 20000 };

struct run {
    jval root;
    arena *a;
    unsigned steps, depth;
};

static bool fits(struct run *r, jval schema, jval v);

static bool is_integer(jval v) {
    double d;
    int64_t i;
    return json_i64(v, &i) || (json_f64(v, &d) && d == (double)(int64_t)d && d > -9e15 && d < 9e15);
}

static bool is_type(jval name, jval v) {
    switch (v.type) {
    case J_STRING: return json_is(name, STR("string"));
    case J_NUMBER: return json_is(name, STR("number")) || (json_is(name, STR("integer")) && is_integer(v));
    case J_OBJECT: return json_is(name, STR("object"));
    case J_ARRAY: return json_is(name, STR("array"));
    case J_TRUE:
    case J_FALSE: return json_is(name, STR("boolean"));
    case J_NULL: return json_is(name, STR("null"));
    default: return false;
    }
}

static bool type_fits(jval type, jval v) {
    jval one;
    if (type.type == J_STRING) return is_type(type, v);
    for (jiter it = json_iter(type); type.type == J_ARRAY && json_item(&it, &one);)
        if (is_type(one, v)) return true;
    return type.type != J_ARRAY;
}

/* Equality of scalars; of containers by their text. */
static bool same(struct run *r, jval a, jval b) {
    double x, y;
    if (a.type != b.type) return false;
    if (a.type == J_STRING) return str_eq(json_text(a, r->a), json_text(b, r->a));
    if (a.type == J_NUMBER) return json_f64(a, &x) && json_f64(b, &y) && x == y;
    return str_eq(a.raw, b.raw);
}

static bool enum_fits(struct run *r, jval list, jval v) {
    jval one;
    for (jiter it = json_iter(list); list.type == J_ARRAY && json_item(&it, &one);)
        if (same(r, one, v)) return true;
    return list.type != J_ARRAY;
}

/* "#/$defs/name" and the like. */
static jval resolve(struct run *r, jval ref) {
    str path = json_text(ref, r->a), part;
    jval at = r->root;
    if (!str_starts(path, STR("#"))) return (jval){0};
    for (str rest = str_skip(path, path.n > 1 ? 2 : 1); rest.n && str_cut(&rest, '/', &part);)
        at = json_get(at, part);
    return at;
}

static bool number_fits(jval schema, jval v) {
    double x, limit;
    if (v.type != J_NUMBER || !json_f64(v, &x)) return true;
    if (json_f64(json_get(schema, STR("minimum")), &limit) && x < limit) return false;
    return !(json_f64(json_get(schema, STR("maximum")), &limit) && x > limit);
}

static bool length_fits(jval schema, str least, str most, size_t n) {
    int64_t limit;
    jval min = json_get(schema, least), max = json_get(schema, most);
    if (min.type == J_NUMBER && json_i64(min, &limit) && (int64_t)n < limit) return false;
    return !(max.type == J_NUMBER && json_i64(max, &limit) && (int64_t)n > limit);
}

static bool object_fits(struct run *r, jval schema, jval v) {
    jval properties = json_get(schema, STR("properties")), required = json_get(schema, STR("required"));
    jval more = json_get(schema, STR("additionalProperties")), one, member;
    for (jiter it = json_iter(required); required.type == J_ARRAY && json_item(&it, &one);)
        if (one.type == J_STRING && json_get(v, json_text(one, r->a)).type == J_NONE) return false;
    str key;
    bool esc;
    for (jiter it = json_iter(v); json_next(&it, &key, &esc, &member);) {
        jval name = {.raw = key, .type = J_STRING, .esc = esc};
        jval own = json_get(properties, json_text(name, r->a));
        if (own.type != J_NONE ? !fits(r, own, member) : more.type == J_FALSE) return false;
        if (own.type == J_NONE && more.type == J_OBJECT && !fits(r, more, member)) return false;
    }
    return true;
}

static bool array_fits(struct run *r, jval schema, jval v) {
    jval items = json_get(schema, STR("items")), first = json_get(schema, STR("prefixItems")), item, own;
    jiter prefix = json_iter(first);
    size_t n = 0;
    for (jiter it = json_iter(v); json_item(&it, &item); n++) {
        bool has = first.type == J_ARRAY && json_item(&prefix, &own);
        if (has ? !fits(r, own, item) : items.type != J_NONE && !fits(r, items, item)) return false;
    }
    return length_fits(schema, STR("minItems"), STR("maxItems"), n);
}

static bool combined_fits(struct run *r, jval schema, jval v) {
    jval list = json_get(schema, STR("allOf")), one;
    for (jiter it = json_iter(list); list.type == J_ARRAY && json_item(&it, &one);)
        if (!fits(r, one, v)) return false;
    static const str any[] = {STR_INIT("anyOf"), STR_INIT("oneOf")};
    for (size_t k = 0; k < sizeof any / sizeof *any; k++) {
        bool found = false;
        list = json_get(schema, any[k]);
        for (jiter it = json_iter(list); list.type == J_ARRAY && !found && json_item(&it, &one);)
            found = fits(r, one, v);
        if (list.type == J_ARRAY && !found) return false;
    }
    return true;
}

static bool keywords_fit(struct run *r, jval schema, jval v) {
    jval ref = json_get(schema, STR("$ref")), value;
    if (ref.type == J_STRING && !fits(r, resolve(r, ref), v)) return false;
    if (!type_fits(json_get(schema, STR("type")), v)) return false;
    if (!enum_fits(r, json_get(schema, STR("enum")), v)) return false;
    value = json_get(schema, STR("const"));
    if (value.type != J_NONE && !same(r, value, v)) return false;
    if (!number_fits(schema, v) || !combined_fits(r, schema, v)) return false;
    if (v.type == J_STRING)
        return length_fits(schema, STR("minLength"), STR("maxLength"), str_utf8_len(json_text(v, r->a)));
    if (v.type == J_OBJECT) return object_fits(r, schema, v);
    return v.type != J_ARRAY || array_fits(r, schema, v);
}

static bool fits(struct run *r, jval schema, jval v) {
    if (schema.type == J_FALSE) return false;
    if (schema.type != J_OBJECT || ++r->steps > STEPS_MAX || r->depth >= DEPTH_MAX) return true;
    r->depth++;
    bool ok = keywords_fit(r, schema, v);
    r->depth--;
    return ok;
}

bool schema_fits(jval schema, jval value, arena *a) {
    struct run r = {.root = schema, .a = a};
    return fits(&r, schema, value);
}
