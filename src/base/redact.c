/* redact: see redact.h.
 *
 * The text is copied forward; at the begin of a word (a letter, digit, '+' or '(' behind something that is
 * none of these) the matchers are asked in turn, each looks at most LOOK bytes ahead. A mail address is known
 * only at its '@', so its local part, already copied, is taken back from the output; `floor` is how far back
 * that may go. Doubt is settled towards hiding: a number too many hidden costs little. */
#include "base/redact.h"

enum {
    LOOK = 4096,
    WORD_LOOK = 512,
    LOCAL_MAX = 64,
    DOMAIN_MAX = 255,
    PHONE_LEAST = 7,
    RUN_LEAST = 9,
    MIXED_LEAST = 24
};

static const char *const marks[] = {
#define X(id, mark) mark,
    REDACT_KINDS(X)
#undef X
};
const char *redact_mark(enum redact_kind k) { return marks[k]; }

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool letter(char c) { return upper(c) || (c >= 'a' && c <= 'z'); }
static bool hexadecimal(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
static bool wide(char c) { return (unsigned char)c >= 0x80; }
static bool word(char c) { return digit(c) || letter(c) || c == '_'; }

/* A match: how many bytes of the text, what it is. 0 bytes: none. */
struct match {
    size_t n, keep; /* the first `keep` bytes stay */
    enum redact_kind kind;
};
static const struct match none = {0, 0, REDACT_NUMBER};

/* ---- numbers ---- */

static bool luhn(const char *d, unsigned n) {
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned v = (unsigned)(d[n - 1 - i] - '0');
        if (i % 2) v = v * 2 > 9 ? v * 2 - 9 : v * 2;
        sum += v;
    }
    return sum % 10 == 0;
}

enum { DIGITS_MAX = 32, GROUPS_MAX = 12 };
struct number {
    char digit[DIGITS_MAX + 1];
    unsigned digits, groups, group[GROUPS_MAX];
    size_t group_end[GROUPS_MAX];
    bool plus, paren, dots_only;
};

/* Groups of digits with one or two of " -./()" between them. */
static void read_number(str s, struct number *x) {
    size_t i = 0;
    *x = (struct number){.dots_only = true};
    if (i < s.n && s.p[i] == '+') x->plus = true, i++;
    if (i < s.n && s.p[i] == '(') x->paren = true, i++;
    while (i < s.n && digit(s.p[i]) && x->groups < GROUPS_MAX) {
        unsigned n = 0;
        for (; i < s.n && digit(s.p[i]) && x->digits < DIGITS_MAX; i++, n++) x->digit[x->digits++] = s.p[i];
        x->group[x->groups] = n;
        x->group_end[x->groups++] = i;
        size_t gap = i;
        while (gap < s.n && gap - i < 2 && strchr(" -./()", s.p[gap])) gap++;
        if (gap == i || gap == s.n || !digit(s.p[gap])) break;
        for (; i < gap; i++) {
            x->dots_only = x->dots_only && s.p[i] == '.';
            x->paren = x->paren || s.p[i] == '(';
        }
    }
}

/* "2026-11-25", "25/11/2026", "25.11.26": bytes, 0 when it is none. */
static size_t date(str s) {
    static const char *const forms[] = {"9999-99-99", "9999/99/99", "99/99/9999", "99.99.9999",
                                        "99-99-9999", "99/99/99",   "99.99.99"};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        size_t n = strlen(forms[f]), i = 0;
        while (i < n && i < s.n && (forms[f][i] == '9' ? digit(s.p[i]) : s.p[i] == forms[f][i])) i++;
        bool year = forms[f][4] != '-' && forms[f][4] != '/' ? true : s.p[0] == '1' || s.p[0] == '2';
        bool ends = n >= s.n || (!digit(s.p[n]) && s.p[n] != '.' && s.p[n] != '-' && s.p[n] != '/');
        if (i == n && year && ends) return n;
    }
    return 0;
}

static bool four_octets(const struct number *x, str s) {
    if (x->groups != 4 || !x->dots_only || x->plus || x->paren) return false;
    size_t at = 0;
    for (unsigned g = 0; g < 4; g++) {
        unsigned v = 0;
        if (x->group[g] > 3) return false;
        for (; at < x->group_end[g]; at++) v = v * 10 + (unsigned)(s.p[at] - '0');
        if (v > 255) return false;
        at++;
    }
    return true;
}

/* The card number that the first groups make, if any. */
static size_t card(const struct number *x) {
    unsigned digits = 0;
    for (unsigned g = 0; g < x->groups; g++) {
        digits += x->group[g];
        bool cut = g > 0 && x->group[g] < 3; /* cards are written in fours, or 4-6-5 */
        if (digits >= 13 && digits <= 19 && !cut && luhn(x->digit, digits)) return x->group_end[g];
    }
    return 0;
}

static struct match match_number(str s) {
    struct number x;
    size_t day = date(s);
    if (day) return (struct match){day, day, REDACT_NUMBER};
    read_number(s, &x);
    if (!x.digits) return none;
    size_t all = x.group_end[x.groups - 1], cards = card(&x);
    if (x.digits == DIGITS_MAX) /* as far as it goes */
        while (all < s.n && digit(s.p[all])) all++;
    if (four_octets(&x, s)) return (struct match){all, 0, REDACT_IP};
    if (cards) return (struct match){cards, 0, REDACT_CARD};
    if (x.groups == 3 && x.group[0] == 3 && x.group[1] == 2 && x.group[2] == 4)
        return (struct match){all, 0, REDACT_ID};
    bool decimal = x.groups == 2 && x.dots_only && !x.plus && !x.paren;
    if (x.plus && x.digits >= PHONE_LEAST && x.digits <= 15) return (struct match){all, 0, REDACT_PHONE};
    if (decimal) return x.group[0] < RUN_LEAST ? (struct match){all, all, REDACT_NUMBER} : none;
    if (x.groups >= 2 && x.digits >= RUN_LEAST) return (struct match){all, 0, REDACT_PHONE};
    if (x.groups == 2 && x.group[0] == 3 && x.group[1] == 4) return (struct match){all, 0, REDACT_PHONE};
    if (x.groups == 1 && x.digits >= RUN_LEAST) return (struct match){all, 0, REDACT_NUMBER};
    return none;
}

/* ---- words ---- */

static bool iban(str s, size_t *len) {
    char c[34];
    unsigned n = 0, mod = 0;
    size_t i = 0;
    for (; i < s.n && n < sizeof c; i++) {
        if (s.p[i] == ' ' && n >= 4 && n % 4 == 0 && i + 1 < s.n && (upper(s.p[i + 1]) || digit(s.p[i + 1])))
            continue;
        if (!upper(s.p[i]) && !digit(s.p[i])) break;
        c[n++] = s.p[i];
    }
    if (n < 15 || !upper(c[0]) || !upper(c[1]) || !digit(c[2]) || !digit(c[3])) return false;
    for (unsigned take = n; take >= 15; take--) { /* what follows a space may be another word */
        mod = 0;
        for (unsigned k = 0; k < take; k++) {
            char d = c[(k + 4) % take];
            mod = digit(d) ? (mod * 10 + (unsigned)(d - '0')) % 97 : (mod * 100 + (unsigned)(d - 'A') + 10) % 97;
        }
        if (mod != 1) continue;
        unsigned seen = 0;
        for (i = 0; seen < take; i++) seen += s.p[i] != ' ';
        *len = i;
        return true;
    }
    return false;
}

static const str beginnings[] = {
    STR_INIT("sk-"),   STR_INIT("sk_"),    STR_INIT("pk_"),    STR_INIT("rk_"),   STR_INIT("ghp_"),
    STR_INIT("gho_"),  STR_INIT("ghu_"),   STR_INIT("ghs_"),   STR_INIT("ghr_"),  STR_INIT("github_pat_"),
    STR_INIT("xoxb-"), STR_INIT("xoxp-"),  STR_INIT("xoxa-"),  STR_INIT("xoxs-"), STR_INIT("glpat-"),
    STR_INIT("AKIA"),  STR_INIT("ASIA"),   STR_INIT("AIza"),   STR_INIT("ya29"),  STR_INIT("hf_"),
    STR_INIT("gsk_"),  STR_INIT("xai-"),   STR_INIT("npm_"),   STR_INIT("eyJ"),   STR_INIT("pypi-"),
    STR_INIT("SG"),    STR_INIT("dop_v1"), STR_INIT("whsec_"), STR_INIT("vk-"),   STR_INIT("dray-"),
};

static bool uuid(str s) {
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t n = sizeof form - 1, i = 0;
    while (i < n && i < s.n && (form[i] == 'x' ? hexadecimal(s.p[i]) : s.p[i] == '-')) i++;
    return i == n && (s.n == n || !word(s.p[n]));
}

/* A word that is a key by its beginning, or because no language mixes so. */
static struct match match_word(str s) {
    size_t n = 0, lower = 0, upper_n = 0, digits = 0, hex = 0, dashes = 0;
    if (uuid(s)) return (struct match){36, 0, REDACT_ID};
    s = str_take(s, WORD_LOOK);
    for (; n < s.n && (word(s.p[n]) || s.p[n] == '-'); n++) {
        digits += digit(s.p[n]);
        upper_n += upper(s.p[n]);
        lower += letter(s.p[n]) && !upper(s.p[n]);
        hex += hexadecimal(s.p[n]);
        dashes += s.p[n] == '-' || s.p[n] == '_';
    }
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings && n >= 16; i++) {
        if (!str_starts(s, beginnings[i]) || digits + upper_n == 0) continue;
        size_t all = n; /* JWTs and others go on behind dots */
        for (size_t k = all; k + 1 < s.n && s.p[k] == '.' && (word(s.p[k + 1]) || s.p[k + 1] == '-');) {
            for (k++; k < s.n && (word(s.p[k]) || s.p[k] == '-' || s.p[k] == '='); k++) {
            }
            all = k;
        }
        return (struct match){all, 0, REDACT_SECRET};
    }
    if (n >= 32 && hex == n && digits) return (struct match){n, 0, REDACT_ID};
    if (n >= MIXED_LEAST && digits >= 3 && upper_n >= 3 && lower >= 3 && dashes <= n / 8)
        return (struct match){n, 0, REDACT_SECRET};
    return none;
}

/* "password: x", "api_key=x", "Authorization: Bearer x": the value, without what stands before it. */
static struct match match_assigned(str s) {
    static const str names[] = {STR_INIT("password"), STR_INIT("passwd"),     STR_INIT("pwd"),
                                STR_INIT("secret"),   STR_INIT("api_key"),    STR_INIT("apikey"),
                                STR_INIT("api-key"),  STR_INIT("access_key"), STR_INIT("client_secret"),
                                STR_INIT("token"),    STR_INIT("bearer"),     STR_INIT("passphrase")};
    enum { VALUE_LEAST = 6, VALUE_MAX = 512 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_istarts(s, names[i])) continue;
        size_t at = names[i].n;
        bool bearer = names[i].p[0] == 'b', said = bearer, digits = false;
        while (at < s.n &&
               (s.p[at] == '"' || s.p[at] == '\'' || s.p[at] == ' ' || s.p[at] == ':' || s.p[at] == '=') &&
               at < names[i].n + 6) {
            said = said || s.p[at] == ':' || s.p[at] == '=';
            at++;
        }
        size_t end = at;
        for (; end < s.n && end - at < VALUE_MAX && (unsigned char)s.p[end] > ' ' && !strchr("\"',;)<>", s.p[end]);
             end++)
            digits = digits || digit(s.p[end]);
        if (said && at > names[i].n && end - at >= VALUE_LEAST && (!bearer || digits))
            return (struct match){end, at, REDACT_SECRET};
    }
    return none;
}

static struct match match_ip6(str s) {
    size_t n = 0, colons = 0, hex = 0;
    bool twice = false;
    for (; n < s.n && n < 45 && (hexadecimal(s.p[n]) || s.p[n] == ':'); n++) {
        colons += s.p[n] == ':';
        hex += s.p[n] != ':';
        twice = twice || (s.p[n] == ':' && n > 0 && s.p[n - 1] == ':');
    }
    bool is = (colons == 7 && hex >= 8) || (twice && colons >= 3 && colons <= 7 && hex >= 4);
    return is && (n == s.n || !word(s.p[n])) ? (struct match){n, 0, REDACT_IP} : none;
}

static struct match match_pem(str s) {
    static const str begin = STR_INIT("-----BEGIN "), mid = STR_INIT("PRIVATE KEY-----"),
                     end = STR_INIT("-----END ");
    if (!str_starts(s, begin) || str_find(str_take(s, 64), mid) < 0) return none;
    ptrdiff_t at = str_find(str_skip(s, begin.n), end);
    size_t stop = at < 0 ? s.n : begin.n + (size_t)at + end.n;
    while (at >= 0 && stop < s.n && s.p[stop] != '\n') stop++;
    return (struct match){stop, 0, REDACT_SECRET};
}

/* ---- mail ---- */

/* At an '@': bytes of the domain behind it, 0 when there is none; `back`: bytes of the local part. */
static size_t mail(str text, size_t at, size_t floor, size_t sign, size_t *back) {
    size_t b = 0, n = 0, last_dot = 0;
    while (b < LOCAL_MAX && at - b > floor) {
        char c = text.p[at - b - 1];
        if (!word(c) && !wide(c) && !strchr(".+-%'", c)) break;
        b++;
    }
    const char *p = text.p + at + sign;
    size_t room = text.n - at - sign;
    for (; n < room && n < DOMAIN_MAX && (word(p[n]) || wide(p[n]) || p[n] == '.' || p[n] == '-'); n++)
        if (p[n] == '.' && n > 0) last_dot = n;
    while (n > 0 && (p[n - 1] == '.' || p[n - 1] == '-')) n--;
    if (last_dot >= n && n > 0) { /* a full stop behind it */
        for (last_dot = n - 1; last_dot > 0 && p[last_dot] != '.';) last_dot--;
    }
    *back = b;
    return b > 0 && last_dot > 0 && n > last_dot + 2 ? n : 0;
}

/* ---- all ---- */

static struct match match_at(str s, char before) {
    struct match m = none;
    char c = s.p[0];
    if (c == '-') return match_pem(s);
    if (word(before)) return none;
    if (digit(c) || c == '+' || c == '(') m = match_number(s);
    if (m.n == 0 && (digit(c) || letter(c))) {
        size_t len;
        if (upper(c) && iban(s, &len)) return (struct match){len, 0, REDACT_IBAN};
        if (hexadecimal(c)) m = match_ip6(s);
        if (m.n == 0) m = match_assigned(s);
        if (m.n == 0) m = match_word(s);
    } else if (m.n && m.keep != m.n && digit(c)) { /* a UUID or a hash that begins with digits */
        struct match w = match_word(s);
        if (w.n > m.n) m = w;
    }
    return m;
}

unsigned redact(str text, buf *out) {
    unsigned found = 0;
    size_t floor = 0;
    for (size_t i = 0; i < text.n;) {
        char c = text.p[i];
        size_t back = 0, sign = c == '@' ? 1 : c == '%' && str_starts(str_skip(text, i), STR("%40")) ? 3 : 0;
        size_t domain = sign ? mail(text, i, floor, sign, &back) : 0;
        if (domain) {
            out->n -= out->n < back ? out->n : back;
            buf_strz(out, marks[REDACT_EMAIL]);
            i += sign + domain;
            floor = i;
            found++;
            continue;
        }
        bool start = digit(c) || letter(c) || c == '+' || c == '(' || c == '-';
        struct match m = start ? match_at(str_take(str_skip(text, i), LOOK), i ? text.p[i - 1] : ' ') : none;
        if (m.n && m.keep < m.n) {
            buf_add(out, text.p + i, m.keep);
            buf_strz(out, marks[m.kind]);
            found++;
            floor = i + m.n;
        } else if (m.n) {
            buf_add(out, text.p + i, m.n);
        } else {
            buf_char(out, c);
        }
        i += m.n ? m.n : 1;
    }
    return found;
}
