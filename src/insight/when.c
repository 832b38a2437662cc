/* when: see when.h. Each form eats the text from the front; all of it must go. */
#include "insight/when.h"

struct date {
    int y, m, d;
};

static bool digits(str *s, unsigned n, int *out) {
    if (s->n < n) return false;
    int v = 0;
    for (unsigned i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_skip(*s, n);
    *out = v;
    return true;
}

static bool one_or_two(str *s, int *out) { return digits(s, 2, out) || digits(s, 1, out); }

static bool eat(str *s, const char *any) {
    if (s->n == 0 || s->p[0] == 0 || !strchr(any, s->p[0])) return false;
    *s = str_skip(*s, 1);
    return true;
}

static void eat_all(str *s, const char *any) {
    while (eat(s, any)) {
    }
}

static int64_t days_of(int y, int m, int d) { /* days since 1970-01-01 of a Gregorian date */
    y -= m <= 2;
    int era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400), mp = (unsigned)(m + (m > 2 ? -3 : 9));
    unsigned doy = (153 * mp + 2) / 5 + (unsigned)d - 1, doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (int64_t)era * 146097 + (int64_t)doe - 719468;
}

static bool month(str *s, int *m) {
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; s->n >= 3 && i < 12; i++) {
        if (!str_ieq(str_take(*s, 3), (str){names + 3 * i, 3})) continue;
        *m = i + 1;
        while (s->n && ((s->p[0] | 32) >= 'a' && (s->p[0] | 32) <= 'z')) *s = str_skip(*s, 1);
        eat(s, ".");
        return true;
    }
    return false;
}

/* "AM", "p.m."; adds what it means. */
static bool half(str *s, int *h) {
    if (s->n < 2 || ((s->p[0] | 32) != 'a' && (s->p[0] | 32) != 'p')) return false;
    bool pm = (s->p[0] | 32) == 'p';
    str t = str_skip(*s, 1);
    eat(&t, ".");
    if (!eat(&t, "mM") || *h < 1 || *h > 12) return false;
    eat(&t, ".");
    *h = *h % 12 + (pm ? 12 : 0);
    *s = t;
    return true;
}

/* The zone: "+01:00", "-0800", "Z", "UTC", "GMT", "+0000 UTC", "-0500 EST". */
static bool zone(str *s, int64_t *t) {
    int zh = 0, zm = 0;
    bool neg = s->n && s->p[0] == '-';
    if (eat(s, "+-")) {
        if (!digits(s, 2, &zh)) return false;
        eat(s, ":");
        if (s->n && s->p[0] >= '0' && s->p[0] <= '9' && !digits(s, 2, &zm)) return false;
        *t -= (neg ? -1 : 1) * ((int64_t)zh * 60 + zm) * 60;
        if (eat(s, " ")) /* Go repeats the zone's name */
            while (s->n && s->p[0] >= 'A' && s->p[0] <= 'Z') *s = str_skip(*s, 1);
    } else if (str_istarts(*s, STR("utc")) || str_istarts(*s, STR("gmt"))) {
        *s = str_skip(*s, 3);
    } else {
        eat(s, "zZ");
    }
    return s->n == 0;
}

/* "HH:MM" or "HHMM" (`packed`), optional seconds, fraction, half of the day and zone. */
static bool clock_of(str *s, bool packed, bool *halved, int64_t *us) {
    int h, m, sec = 0, frac;
    if (packed ? !digits(s, 2, &h) || !digits(s, 2, &m) : !one_or_two(s, &h) || !eat(s, ":") || !digits(s, 2, &m))
        return false;
    if (packed ? s->n >= 2 && s->p[0] >= '0' && s->p[0] <= '9' && !digits(s, 2, &sec)
               : eat(s, ":") && !digits(s, 2, &sec))
        return false;
    int64_t fraction = 0, unit = 100000;
    if (eat(s, ".,"))
        for (; digits(s, 1, &frac); unit /= 10) fraction += frac * unit;
    eat_all(s, " ");
    *halved = half(s, &h);
    if (h > 24 || m > 59 || sec > 60) return false;
    eat_all(s, " ");
    int64_t t = ((int64_t)h * 60 + m) * 60 + sec;
    if (!zone(s, &t)) return false;
    *us = t * 1000000 + fraction;
    return true;
}

/* What stands between date and time; true with no time at all. */
static bool rest(str s, const char *between, bool packed, bool *halved, int64_t *us) {
    *us = 0;
    *halved = false;
    if (s.n == 0) return true;
    if (!eat(&s, between)) return false;
    eat_all(&s, " ");
    return clock_of(&s, packed, halved, us);
}

static bool iso(str s, struct date *d, int64_t *us) {
    bool halved;
    return digits(&s, 4, &d->y) && eat(&s, "-/.") && one_or_two(&s, &d->m) && eat(&s, "-/.") &&
           one_or_two(&s, &d->d) && rest(s, "tT _", false, &halved, us);
}

static bool basic(str s, struct date *d, int64_t *us) {
    bool halved;
    return digits(&s, 4, &d->y) && digits(&s, 2, &d->m) && digits(&s, 2, &d->d) && s.n && (s.p[0] | 32) == 't' &&
           rest(s, "tT", true, &halved, us);
}

static bool access_log(str s, struct date *d, int64_t *us) {
    bool halved;
    return digits(&s, 2, &d->d) && eat(&s, "/") && month(&s, &d->m) && eat(&s, "/") && digits(&s, 4, &d->y) &&
           rest(s, ":", false, &halved, us);
}

static bool mail(str s, struct date *d, int64_t *us) {
    bool halved;
    ptrdiff_t comma = str_chr(s, ',');
    if (comma >= 3 && comma <= 9) s = str_skip(s, (size_t)comma + 1);
    eat_all(&s, " ");
    return one_or_two(&s, &d->d) && eat(&s, " -") && month(&s, &d->m) && eat(&s, " -") && digits(&s, 4, &d->y) &&
           rest(s, ", ", false, &halved, us);
}

static bool spoken(str s, struct date *d, int64_t *us) {
    bool halved;
    if (!month(&s, &d->m) || !eat(&s, " ") || !one_or_two(&s, &d->d)) return false;
    eat(&s, ",");
    return eat(&s, " ") && digits(&s, 4, &d->y) && rest(s, ", ", false, &halved, us);
}

/* Americans write the month first, others the day; a half of the day, or a number over 12, tells. */
static bool slashes(str s, struct date *d, int64_t *us) {
    bool halved;
    int a, b;
    if (!one_or_two(&s, &a) || !eat(&s, "/.") || !one_or_two(&s, &b) || !eat(&s, "/.") || !digits(&s, 4, &d->y) ||
        !rest(s, ", ", false, &halved, us))
        return false;
    bool american = halved || b > 12;
    d->m = american ? a : b;
    d->d = american ? b : a;
    return american || a > 12 || a == b;
}

bool when_parse(str s, uint64_t *us) {
    static bool (*const forms[])(str, struct date *, int64_t *) = {iso, basic, access_log, mail, spoken, slashes};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct date d = {0, 0, 0};
        int64_t clock;
        if (!forms[i](s, &d, &clock)) continue;
        if (d.y < 2000 || d.y > 2099 || d.m < 1 || d.m > 12 || d.d < 1 || d.d > 31) return false;
        *us = (uint64_t)(days_of(d.y, d.m, d.d) * 86400000000 + clock);
        return true;
    }
    return false;
}
