/* text: what the classifier reads of a prompt: a bounded head and tail of the last user turn and of the
 * system prompt, as normalised tokens, with counts of what kinds of characters and shapes are in it.
 * Internal to brain/. The same text gives the same tokens on every machine. */
#ifndef DRAY_BRAIN_TEXT_H
#define DRAY_BRAIN_TEXT_H

#include "facts/prompt.h"

enum {
    TEXT_USER_MAX = 2048,   /* bytes read of the last user turn, head and tail, decoded: at most */
    TEXT_SYSTEM_MAX = 2048, /* bytes of the system prompt that make its fingerprint, head and tail */
    TEXT_SYSTEM_READ = 256, /* of those, bytes from the start that are tokenised */
    TEXT_USER_TOKENS = 512,
    TEXT_SYSTEM_TOKENS = 64,
    TEXT_WORD_MAX = 64, /* bytes of a word that are hashed */
};

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_PUNCT, TOKEN_IDEOGRAPH };
enum {
    TOKEN_LINE = 1,    /* first on its line */
    TOKEN_CLAUSE = 2,  /* first of a sentence, line, or behind a colon */
    TOKEN_UPPER = 4,   /* begins with a capital */
    TOKEN_ALLCAPS = 8, /* two or more letters, all capitals */
};

struct token {
    uint32_t hash; /* of the normalised text: lower case, no accents; numbers by their length only */
    uint8_t kind, flags;
    uint16_t len; /* bytes as written */
};

/* What was counted in the bytes that were read (head and tail): first by single characters, then shapes. */
/* clang-format off */
#define TEXT_COUNTS(X)                                                                                            \
    X(other)                                                                                                      \
    X(questions)                                                                                                  \
    X(exclaims)                                                                                                   \
    X(colons)                                                                                                     \
    X(commas) X(periods) X(quotes) X(brackets) X(braces) X(operators) X(backslashes) X(dollars) X(carets)         \
        X(underscores) X(semicolons) X(hashes) X(backticks) X(slashes) X(newlines) X(bytes) X(letters) X(upper)   \
            X(digits) X(ideographs) X(foreign) X(words) X(long_words) X(numbers) X(capitals) X(allcaps)           \
                X(bullets) X(options) X(fences)
/* clang-format on */

enum text_count {
#define X(name) COUNT_##name,
    TEXT_COUNTS(X)
#undef X
        TEXT_COUNT_KINDS
};

/* The same by name and by number. */
union counts {
    uint16_t n[TEXT_COUNT_KINDS];
    struct {
#define X(name) uint16_t name;
        TEXT_COUNTS(X)
#undef X
    };
};

struct text {
    uint16_t n, system_n;
    uint16_t cut;   /* place of the tail's first token; n when the whole turn was read */
    uint32_t bytes; /* of the whole last user turn as it stands in the body */
    uint32_t system_bytes;
    union counts c; /* of the user turn */
    struct token tok[TEXT_USER_TOKENS];
    struct token system[TEXT_SYSTEM_TOKENS];
    uint64_t system_hash; /* 0 without a system prompt */
};

/* Reads `head` bytes from the start of the user turn and `tail` from its end (all, when that is no more than
 * both; together at most TEXT_USER_MAX). `fingerprint`: system_hash is wanted. */
void text_read(const struct prompt *p, unsigned head, unsigned tail, bool fingerprint, struct text *out);
/* Tokens of a plain text (the lexicon's phrases). Returns their number; `c` may be NULL. */
unsigned text_tokens(str plain, struct token *out, unsigned max, union counts *c);

/* Hash of the token that a single ASCII mark makes. */
uint32_t text_mark(unsigned mark);

enum { TEXT_PLAIN_SLACK = 32 };
/* The bytes that text_read() would read of the user turn, unescaped, into out[head + tail + TEXT_PLAIN_SLACK].
 * Returns their number. */
size_t text_plain(const struct prompt *p, unsigned head, unsigned tail, char *out);

/* Hash of a sequence: start with TEXT_CHAIN, add tokens one by one. */
#define TEXT_CHAIN 0x9e3779b9u
static inline uint32_t text_chain(uint32_t h, uint32_t token) {
    h = (h ^ token) * 0x85ebca6bu;
    return h ^ h >> 15;
}

#endif
