/* price: the one place where money is computed, in integers only.
 *
 * A rate is nano-dollars per million units, so a line costs units * rate / 10^6 nano-dollars, rounded half up
 * once. Products need 128 bits: 10^12 units at 10^15. Unknown stays unknown: a line with units but no rate
 * makes the total unknown, and so do overflow and negative units, which no provider means. */
#include "catalog/catalog.h"

__extension__ typedef unsigned __int128 u128;

#define MILLION 1000000
#define POW10_MAX 38 /* 10^38 is the largest power of ten in 128 bits */

static const char *const class_names[] = {
#define X(id, name, side) name,
    CATALOG_CLASSES(X)
#undef X
};
static const uint8_t class_sides[] = {
#define X(id, name, side) side,
    CATALOG_CLASSES(X)
#undef X
};

/* The class whose rate stands in where a class has none; itself when none does. */
static const uint8_t stands_in[USAGE_CLASSES] = {
    [USAGE_INPUT] = USAGE_INPUT,           [USAGE_CACHED_INPUT] = USAGE_INPUT,
    [USAGE_CACHE_WRITE_5M] = USAGE_INPUT,  [USAGE_CACHE_WRITE_1H] = USAGE_CACHE_WRITE_5M,
    [USAGE_INPUT_AUDIO] = USAGE_INPUT,     [USAGE_CACHED_AUDIO] = USAGE_INPUT_AUDIO,
    [USAGE_INPUT_IMAGE] = USAGE_INPUT,     [USAGE_OUTPUT] = USAGE_OUTPUT,
    [USAGE_REASONING] = USAGE_OUTPUT,      [USAGE_OUTPUT_AUDIO] = USAGE_OUTPUT,
    [USAGE_OUTPUT_IMAGE] = USAGE_OUTPUT,   [USAGE_SEARCH] = USAGE_SEARCH,
    [USAGE_IMAGES] = USAGE_IMAGES,         [USAGE_AUDIO_SECONDS] = USAGE_AUDIO_SECONDS,
    [USAGE_CHARACTERS] = USAGE_CHARACTERS, [USAGE_PAGES] = USAGE_PAGES,
};

const char *usage_class_name(enum usage_class c) { return class_names[c]; }

unsigned usage_class_side(enum usage_class c) { return class_sides[c]; }

enum usage_class usage_class_find(str name) {
    for (unsigned c = 0; c < USAGE_CLASSES; c++)
        if (str_eqz(name, class_names[c])) return (enum usage_class)c;
    return USAGE_CLASSES;
}

static int64_t sum_side(const struct usage *u, unsigned side) {
    int64_t sum = 0;
    for (unsigned c = 0; c < USAGE_CLASSES; c++)
        if (class_sides[c] == side && u->units[c] > 0 && __builtin_add_overflow(sum, u->units[c], &sum))
            return INT64_MAX;
    return sum;
}

int64_t usage_input_tokens(const struct usage *u) { return sum_side(u, 1); }
int64_t usage_output_tokens(const struct usage *u) { return sum_side(u, 2); }

void price_init(struct price *p) {
    *p = (struct price){0};
    for (unsigned c = 0; c < USAGE_CLASSES; c++) {
        for (unsigned s = 0; s < 4; s++) p->rate[s][c] = PRICE_UNKNOWN;
        for (unsigned t = 0; t < PRICE_CONTEXT_TIERS; t++) p->context[t].rate[c] = PRICE_UNKNOWN;
    }
}

void price_free_of_charge(struct price *p) {
    price_init(p);
    for (unsigned c = 0; c < USAGE_CLASSES; c++) p->rate[SERVICE_DEFAULT][c] = 0;
}

static bool is_free(const struct price *p) {
    for (unsigned c = 0; c < USAGE_CLASSES; c++)
        if (p->rate[SERVICE_DEFAULT][c] != 0) return false;
    return true;
}

/* a * b / d rounded half up, `over` past INT64_MAX. All of them not negative, d > 0. */
static int64_t mul_div(int64_t a, int64_t b, int64_t d, int64_t over) {
    u128 q = ((u128)a * (u128)b + (u128)d / 2) / (u128)d;
    return q > INT64_MAX ? over : (int64_t)q;
}

/* The rate of one class with its own prices only. */
static int64_t own_rate(const struct price *p, unsigned service, int tier, unsigned c) {
    int64_t list = p->rate[SERVICE_DEFAULT][c];
    int64_t by_service = service == SERVICE_DEFAULT ? PRICE_UNKNOWN : p->rate[service][c];
    int64_t by_context = tier < 0 ? PRICE_UNKNOWN : p->context[tier].rate[c];
    if (by_context == PRICE_UNKNOWN) return by_service == PRICE_UNKNOWN ? list : by_service;
    if (by_service == PRICE_UNKNOWN || list == PRICE_UNKNOWN || list <= 0) return by_context;
    return mul_div(by_context, by_service, list, PRICE_UNKNOWN);
}

static int64_t rate_of(const struct price *p, unsigned service, int tier, unsigned c) {
    for (;;) {
        int64_t rate = own_rate(p, service, tier, c);
        if (rate != PRICE_UNKNOWN || stands_in[c] == c) return rate;
        c = stands_in[c];
    }
}

static int context_tier(const struct price *p, int64_t input_tokens) {
    int tier = -1;
    for (int t = 0; t < PRICE_CONTEXT_TIERS && p->context[t].above; t++)
        if (input_tokens > (int64_t)p->context[t].above) tier = t;
    return tier;
}

void price_usage(const struct price *price, const struct usage *u, struct usage_cost *out) {
    int tier = price ? context_tier(price, usage_input_tokens(u)) : -1;
    unsigned service = u->service_tier <= SERVICE_BATCH ? u->service_tier : SERVICE_DEFAULT;
    bool nothing_known = u->source == TOKENS_NONE && !(price && is_free(price));
    out->total = nothing_known ? COST_UNKNOWN : 0;
    for (unsigned c = 0; c < USAGE_CLASSES; c++) {
        if (u->units[c] == 0) {
            out->rate[c] = PRICE_UNKNOWN;
            out->cost[c] = 0;
            continue;
        }
        int64_t rate = price ? rate_of(price, service, tier, c) : PRICE_UNKNOWN;
        out->rate[c] = rate;
        out->cost[c] = rate == PRICE_UNKNOWN || u->units[c] < 0
                           ? COST_UNKNOWN
                           : mul_div(u->units[c], rate, MILLION, COST_UNKNOWN);
        if (out->total == COST_UNKNOWN) continue;
        if (out->cost[c] == COST_UNKNOWN || __builtin_add_overflow(out->total, out->cost[c], &out->total))
            out->total = COST_UNKNOWN;
    }
}

int64_t price_expect(const struct price *price, int64_t input_tokens, int64_t output_tokens) {
    struct usage u = {.source = TOKENS_ESTIMATED};
    struct usage_cost cost;
    u.units[USAGE_INPUT] = input_tokens;
    u.units[USAGE_OUTPUT] = output_tokens;
    price_usage(price, &u, &cost);
    return cost.total;
}

static u128 pow10_u128(unsigned n) {
    u128 v = 1;
    while (n--) v *= 10;
    return v;
}

/* Digits and point into mantissa * 10^exponent; what is behind them stays in *s. False without a digit or
 * with more of them than 30. */
static bool decimal(str *s, u128 *mantissa, int *exponent) {
    unsigned digits = 0, significant = 0;
    bool point = false;
    *mantissa = 0;
    *exponent = 0;
    for (; s->n; *s = str_skip(*s, 1)) {
        char c = s->p[0];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') break;
        digits++;
        if (significant || c != '0') significant++;
        if (significant > 30) return false;
        *mantissa = *mantissa * 10 + (unsigned)(c - '0');
        if (point) --*exponent;
    }
    return digits > 0 && digits < 400;
}

bool price_parse(str dollars, int64_t per, int64_t *rate) {
    u128 mantissa;
    int exponent;
    if (per <= 0 || !decimal(&dollars, &mantissa, &exponent)) return false;
    if (dollars.n) {
        if (dollars.p[0] != 'e' && dollars.p[0] != 'E') return false;
        dollars = str_skip(dollars, 1);
        bool minus = dollars.n && dollars.p[0] == '-';
        if (dollars.n && (dollars.p[0] == '-' || dollars.p[0] == '+')) dollars = str_skip(dollars, 1);
        uint64_t e;
        if (!str_u64(dollars, &e) || e > 400) return false;
        exponent += minus ? -(int)e : (int)e;
    }
    if (mantissa == 0) {
        *rate = 0;
        return true;
    }
    while (mantissa % 10 == 0) {
        mantissa /= 10;
        exponent++;
    }
    /* dollars per `per` units = mantissa * 10^exponent; * 10^9 nano * 10^6 units / per. */
    int shift = exponent + 15;
    u128 divisor = (u128)per;
    if (shift > 0) {
        if (shift > POW10_MAX || mantissa > (~(u128)0 >> 1) / pow10_u128((unsigned)shift)) return false;
        mantissa *= pow10_u128((unsigned)shift);
    } else if (shift < 0) {
        if (-shift > POW10_MAX || divisor > (~(u128)0 >> 1) / pow10_u128((unsigned)-shift))
            divisor = ~(u128)0 >> 1;
        else
            divisor *= pow10_u128((unsigned)-shift);
    }
    u128 q = mantissa / divisor, rest = mantissa % divisor;
    if (rest >= divisor - rest) q++;
    if (q > INT64_MAX) return false;
    *rate = (int64_t)q;
    return true;
}

/* ---- price texts of the table ---- */

static const char class_letters[USAGE_CLASSES + 1] = "icwWaAmorugsnthp";

static bool read_rates(str text, int64_t *rate) {
    str item;
    while (str_cut(&text, ' ', &item)) {
        ptrdiff_t c = item.n ? str_chr(str_from(class_letters), item.p[0]) : -1;
        if (c < 0 || !price_parse(str_skip(item, 1), MILLION, &rate[c])) return false;
    }
    return true;
}

bool price_read(str text, struct price *out) {
    price_init(out);
    str part;
    if (!str_cut(&text, ';', &part) || !read_rates(part, out->rate[SERVICE_DEFAULT])) return false;
    unsigned tier = 0;
    while (str_cut(&text, ';', &part)) {
        str head;
        if (!str_cut(&part, ':', &head) || !head.n) return false;
        if (head.p[0] == '>') {
            uint64_t above;
            if (tier == PRICE_CONTEXT_TIERS || !str_u64(str_skip(head, 1), &above) || !above || above > UINT32_MAX)
                return false;
            out->context[tier].above = (uint32_t)above;
            if (!read_rates(part, out->context[tier++].rate)) return false;
        } else {
            int service = head.p[0] == 'f' ? SERVICE_FLEX : head.p[0] == 'p' ? SERVICE_PRIORITY : SERVICE_BATCH;
            if (head.n != 1 || (service == SERVICE_BATCH && head.p[0] != 'b') ||
                !read_rates(part, out->rate[service]))
                return false;
        }
    }
    return true;
}
