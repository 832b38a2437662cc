/* words: a text as normalised words, for the semantic routes: lower case, accents off, marks and ideographs on
 * their own. The same text gives the same words on every machine. Internal to brain/. */
#ifndef DRAY_BRAIN_WORDS_H
#define DRAY_BRAIN_WORDS_H

#include "base/str.h"

enum {
    WORDS_TEXT_MAX = 1024, /* bytes of a text that are read */
    WORDS_MAX = 384,       /* words kept: the first ones */
    WORD_BYTES_MAX = 255,  /* a longer run is cut off */
};

enum word_kind {
    WORD_PLAIN,
    WORD_CODE, /* has a digit: a number or an identifier */
    WORD_MARK, /* punctuation */
};

struct word {
    uint16_t at; /* in words.text */
    uint8_t len, kind;
    uint8_t chars;
    bool spaced; /* white space, or the text's begin, stands before it */
};

struct words {
    unsigned n, bytes;
    struct word word[WORDS_MAX];
    char text[WORDS_TEXT_MAX];
};

enum fold { FOLD_NONE, FOLD_CASE, FOLD_ALL }; /* as written; lower case; and without accents */

/* Broken UTF-8 is skipped bytewise. */
void words_split(str plain, enum fold fold, struct words *out);
static inline str word_text(const struct words *w, unsigned i) {
    return str_make(w->text + w->word[i].at, w->word[i].len);
}

#endif
