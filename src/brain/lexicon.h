/* lexicon: phrases that tell what is asked, by task. One row each: task, weight, phrase.
 * long file: one table.
 *
 * Phrases are tokenised like prompts (lower case, no accents). `^` means: only where a clause begins, or
 * behind words like "please", "you", "to" ("can you plan …"); a bare verb is anchored, because most are
 * nouns elsewhere. Weight 4: says the task by itself; 2: likely; 1: a hint; negative: speaks against.
 * Internal to brain/: included by lexicon.c only. */
#define LEXICON(X)                                                                                                                                            \
    /* ---- classify ---- */                                                                                                                                  \
    X(CLASSIFY, 4, "^classify")                                                                                                                               \
    X(CLASSIFY, 4, "^categorize")                                                                                                                             \
    X(CLASSIFY, 4, "^categorise") X(CLASSIFY, 4, "classify the") X(CLASSIFY, 4, "classify this") X(                                                           \
        CLASSIFY, 4, "classify each") X(CLASSIFY, 3, "classified as") X(CLASSIFY,                                                                             \
                                                                        3, "classifier") X(CLASSIFY, 3,                                                       \
                                                                                           "classification") X(CLASSIFY,                                      \
                                                                                                               3, "^label")                                   \
        X(CLASSIFY, 4, "^label the") X(CLASSIFY, 4, "^label this") X(CLASSIFY, 4, "^label each") X(CLASSIFY, 3, "^tag") X(                                    \
            CLASSIFY,                                                                                                                                         \
            3, "^assign") X(CLASSIFY, 4, "assign a category")                                                                                                 \
            X(CLASSIFY, 3, "^triage") X(CLASSIFY, 3, "^flag") X(CLASSIFY, 4, "sentiment") X(CLASSIFY, 4, "spam") X(                                           \
                CLASSIFY,                                                                                                                                     \
                3, "phishing") X(CLASSIFY, 3, "toxic")                                                                                                        \
                X(CLASSIFY, 3, "toxicity") X(CLASSIFY, 3, "hate speech") X(CLASSIFY, 3, "offensive") X(CLASSIFY, 3, "positive or negative") X(                \
                    CLASSIFY,                                                                                                                                 \
                    3, "positive negative") X(CLASSIFY, 2, "negative or neutral")                                                                             \
                    X(CLASSIFY, 3, "intent") X(CLASSIFY, 4, "intents") X(CLASSIFY, 4, "user's intent") X(CLASSIFY, 3, "yes or no") X(                         \
                        CLASSIFY,                                                                                                                             \
                        3, "true or false") X(CLASSIFY, 3, "yes no")                                                                                          \
                        X(CLASSIFY, 3, "true false") X(CLASSIFY, 3, "which category") X(CLASSIFY, 3, "what category") X(                                      \
                            CLASSIFY,                                                                                                                         \
                            2, "categories") X(CLASSIFY, 2, "category")                                                                                       \
                            X(CLASSIFY, 2, "labels") X(                                                                                                       \
                                CLASSIFY,                                                                                                                     \
                                3, "one of the following") X(CLASSIFY, 3, "one of these")                                                                     \
                                X(CLASSIFY, 2, "one of") X(CLASSIFY, 3, "exactly one of") X(CLASSIFY, 3, "with one of") X(                                    \
                                    CLASSIFY,                                                                                                                 \
                                    3, "which of the following categories") X(CLASSIFY, 3, "which department")                                                \
                                    X(CLASSIFY, 3, "which team") X(CLASSIFY, 3, "what topic") X(                                                              \
                                        CLASSIFY,                                                                                                             \
                                        3, "which topic") X(CLASSIFY, 2, "topic of")                                                                          \
                                        X(CLASSIFY, 3, "what language is") X(CLASSIFY, 3, "which language is") X(                                             \
                                            CLASSIFY,                                                                                                         \
                                            3, "^detect") X(CLASSIFY, 3, "^decide whether")                                                                   \
                                            X(CLASSIFY, 3, "^decide if") X(CLASSIFY, 3, "^determine whether") X(                                              \
                                                CLASSIFY,                                                                                                     \
                                                3, "^determine if") X(CLASSIFY, 3, "^judge whether")                                                          \
                                                X(CLASSIFY, 3, "^tell me whether") X(CLASSIFY, 3, "^tell me if") X(                                           \
                                                    CLASSIFY,                                                                                                 \
                                                    2, "^check whether") X(CLASSIFY, 2, "^check if")                                                          \
                                                    X(CLASSIFY, 3, "^is this a") X(CLASSIFY, 3, "^is this an") X(                                             \
                                                        CLASSIFY,                                                                                             \
                                                        3, "^is this") X(CLASSIFY, 2, "^is the following")                                                    \
                                                        X(CLASSIFY, 3, "^is it a") X(CLASSIFY, 3, "^does this") X(                                            \
                                                            CLASSIFY,                                                                                         \
                                                            3,                                                                                                \
                                                            "^does the following") X(CLASSIFY, 3, "^is the tone")                                             \
                                                            X(CLASSIFY, 3, "^are these") X(CLASSIFY, 3, "^are the following") X(                              \
                                                                CLASSIFY,                                                                                     \
                                                                3, "same or different") X(CLASSIFY, 3, "^rate")                                               \
                                                                X(CLASSIFY, 3, "^score") X(                                                                   \
                                                                    CLASSIFY,                                                                                 \
                                                                    3, "on a scale") X(CLASSIFY, 3, "scale of 1")                                             \
                                                                    X(CLASSIFY, 3, "urgency") X(                                                              \
                                                                        CLASSIFY,                                                                             \
                                                                        2,                                                                                    \
                                                                        "priority of") X(CLASSIFY, 2, "severity")                                             \
                                                                        X(CLASSIFY, 3, "entailment") X(                                                       \
                                                                            CLASSIFY,                                                                         \
                                                                            3,                                                                                \
                                                                            "contradiction") X(CLASSIFY, 3,                                                   \
                                                                                               "paraphrase of "                                               \
                                                                                               "each "                                                        \
                                                                                               "other") X(CLASSIFY, 3, "^moderate")                           \
                                                                            X(CLASSIFY, 2, "^route") X(                                                       \
                                                                                CLASSIFY,                                                                     \
                                                                                2,                                                                            \
                                                                                "^sort the following") X(CLASSIFY,                                            \
                                                                                                         3, "^sort these")                                    \
                                                                                X(CLASSIFY, 2, "^group") X(                                                   \
                                                                                    CLASSIFY,                                                                 \
                                                                                    2,                                                                        \
                                                                                    "^identify which") X(CLASSIFY,                                            \
                                                                                                         2, "relevant or not")                                \
                                                                                    X(CLASSIFY, 2, "not relevant") X(                                         \
                                                                                        CLASSIFY,                                                             \
                                                                                        3,                                                                    \
                                                                                        "duplicate or") X(CLASSIFY, 2, "positive")                            \
                                                                                        X(CLASSIFY, 2, "negative") X(                                         \
                                                                                            CLASSIFY,                                                         \
                                                                                            1,                                                                \
                                                                                            "neutral") X(CLASSIFY,                                            \
                                                                                                         4,                                                   \
                                                                                                         "^klass"                                             \
                                                                                                         "ifizie"                                             \
                                                                                                         "re") X(CLASSIFY, 3, "kategorie")                    \
                                                                                            X(CLASSIFY, 3, "kategorien") X(                                   \
                                                                                                CLASSIFY,                                                     \
                                                                                                3,                                                            \
                                                                                                "^ordne") X(CLASSIFY, 3, "stimmung")                          \
                                                                                                X(CLASSIFY, 4, "^clasifica") X(                               \
                                                                                                    CLASSIFY,                                                 \
                                                                                                    3, "categoria")                                           \
                                                                                                    X(CLASSIFY,                                               \
                                                                                                      3,                                                      \
                                                                                                      "sentimien"                                             \
                                                                                                      "t"                                                     \
                                                                                                      "o") X(CLASSIFY,                                        \
                                                                                                             4,                                               \
                                                                                                             "^c"                                             \
                                                                                                             "la"                                             \
                                                                                                             "ss"                                             \
                                                                                                             "e")                                             \
                                                                                                        X(CLASSIFY, 4, "^classez") X(                         \
                                                                                                            CLASSIFY,                                         \
                                                                                                            3,                                                \
                                                                                                            "cat"                                             \
                                                                                                            "ego"                                             \
                                                                                                            "ri"                                              \
                                                                                                            "e")                                              \
                                                                                                            X(CLASSIFY,                                       \
                                                                                                              4,                                              \
                                                                                                              "^"                                             \
                                                                                                              "c"                                             \
                                                                                                              "l"                                             \
                                                                                                              "a"                                             \
                                                                                                              "s"                                             \
                                                                                                              "s"                                             \
                                                                                                              "i"                                             \
                                                                                                              "f"                                             \
                                                                                                              "i"                                             \
                                                                                                              "q"                                             \
                                                                                                              "u"                                             \
                                                                                                              "e") X(CLASSIFY, 3, "^ist das")                 \
                                                                                                                X(CLASSIFY,                                   \
                                                                                                                  3,                                          \
                                                                                                                  "^is"                                       \
                                                                                                                  "t "                                        \
                                                                                                                  "die"                                       \
                                                                                                                  "se")                                       \
                                                                                                                    X(CLASSIFY,                               \
                                                                                                                      4,                                      \
                                                                                                                      "分类")                                 \
                                                                                                                        X(CLASSIFY,                           \
                                                                                                                          3,                                  \
                                                                                                                          "情感")                             \
                                                                                                                            X(CLASSIFY,                       \
                                                                                                                              4,                              \
                                                                                                                              "分類") /* ---- extract ---- */ \
        X(EXTRACT, 4, "^extract") X(EXTRACT, 4, "extract the") X(EXTRACT, 4, "extract all") X(                                                                \
            EXTRACT, 4, "extraction") X(EXTRACT, 4, "extracts") X(EXTRACT, 3, "extracted")                                                                    \
            X(EXTRACT, 3, "^parse") X(EXTRACT, 3, "parser") X(EXTRACT, 4, "^pull out") X(                                                                     \
                EXTRACT, 4, "^pull the") X(EXTRACT, 4, "^pull all") X(EXTRACT, 3, "^get all")                                                                 \
                X(EXTRACT, 3, "^get the") X(EXTRACT, 3, "^find all") X(EXTRACT, 3, "^find the") X(                                                            \
                    EXTRACT, 3,                                                                                                                               \
                    "^find every") X(EXTRACT, 2, "^identify")                                                                                                 \
                    X(EXTRACT, 3, "^identify the") X(EXTRACT, 3, "^identify all") X(EXTRACT, 3, "^list all") X(                                               \
                        EXTRACT, 3,                                                                                                                           \
                        "^list every") X(EXTRACT, 3, "^list the names")                                                                                       \
                        X(EXTRACT, 3, "mentioned in") X(EXTRACT, 3, "mentioned here") X(                                                                      \
                            EXTRACT, 2,                                                                                                                       \
                            "mentioned") X(EXTRACT, 3, "named entities")                                                                                      \
                            X(EXTRACT, 3, "named entity") X(EXTRACT, 3, "entities") X(EXTRACT, 3, "as json")                                                  \
                                X(EXTRACT, 3, "into json") X(EXTRACT, 2, "json") X(EXTRACT, 2, "json array")                                                  \
                                    X(EXTRACT, 3, "fill this schema") X(EXTRACT, 3, "schema") X(                                                              \
                                        EXTRACT, 3,                                                                                                           \
                                        "key value pairs") X(EXTRACT, 3, "following fields")                                                                  \
                                        X(EXTRACT, 3, "these fields") X(EXTRACT, 2, "fields") X(                                                              \
                                            EXTRACT, 3,                                                                                                       \
                                            "from the text") X(EXTRACT, 2, "from the following")                                                              \
                                            X(EXTRACT, 2, "from this") X(EXTRACT, 3, "from the email") X(                                                     \
                                                EXTRACT, 3,                                                                                                   \
                                                "from the passage") X(EXTRACT, 3, "from the paragraph")                                                       \
                                                X(EXTRACT, 3, "out of this") X(EXTRACT, 3, "out of the") X(                                                   \
                                                    EXTRACT, 2,                                                                                               \
                                                    "in the paragraph") X(EXTRACT, 3, "action items")                                                         \
                                                    X(EXTRACT, 2,                                                                                             \
                                                      "invoice number") X(EXTRACT, 3, "phone numbers")                                                        \
                                                        X(EXTRACT, 3, "email addresses") X(                                                                   \
                                                            EXTRACT, 3,                                                                                       \
                                                            "^who are the") X(EXTRACT, 3, "^highlight the")                                                   \
                                                            X(EXTRACT, 3, "^collect") X(EXTRACT, 3, "^locate") X(                                             \
                                                                EXTRACT, 3,                                                                                   \
                                                                "^scan") X(EXTRACT, 3, "keywords")                                                            \
                                                                X(EXTRACT, 3,                                                                                 \
                                                                  "key phrases") X(EXTRACT, 2, "^return the")                                                 \
                                                                    X(EXTRACT, 2,                                                                             \
                                                                      "^return all") X(EXTRACT, 4, "^extrahiere")                                             \
                                                                        X(EXTRACT, 4, "^extrae") X(                                                           \
                                                                            EXTRACT, 4,                                                                       \
                                                                            "^extraia") X(EXTRACT, 4, "^extrais")                                             \
                                                                            X(EXTRACT, 4, "^extrayez") X(                                                     \
                                                                                EXTRACT, 4,                                                                   \
                                                                                "^estrai") X(EXTRACT, 4, "提取")                                              \
                                                                                X(EXTRACT, 4, "抽出") X(                                                      \
                                                                                    EXTRACT, 4,                                                               \
                                                                                    "^извлеки") /* ---- summarize                                             \
                                                                                                   ---- */                                                    \
        X(SUMMARIZE, 4, "^summarize") X(SUMMARIZE, 4, "^summarise") X(SUMMARIZE, 4, "summarize") X(SUMMARIZE, 4,                                              \
                                                                                                   "summarise")                                               \
            X(SUMMARIZE, 4, "summary") X(SUMMARIZE, 4, "summaries") X(SUMMARIZE, 4, "summarization")                                                          \
                X(SUMMARIZE, 4, "tldr") X(SUMMARIZE, 4, "tl;dr") X(SUMMARIZE, 4, "^condense") X(                                                              \
                    SUMMARIZE, 3, "condense") X(SUMMARIZE, 4, "gist") X(SUMMARIZE, 3, "^recap") X(SUMMARIZE, 3,                                               \
                                                                                                  "recap")                                                    \
                    X(SUMMARIZE, 4, "^boil") X(SUMMARIZE, 3, "key points") X(SUMMARIZE, 4, "key takeaways")                                                   \
                        X(SUMMARIZE, 3, "takeaways") X(SUMMARIZE, 3, "main points") X(SUMMARIZE, 3, "main idea")                                              \
                            X(SUMMARIZE, 3, "main point") X(SUMMARIZE, 3, "in a nutshell")                                                                    \
                                X(SUMMARIZE, 3, "sum up") X(SUMMARIZE, 3, "^shorten")                                                                         \
                                    X(SUMMARIZE, 3, "write an abstract") X(SUMMARIZE, 3, "write a headline") X(                                               \
                                        SUMMARIZE, 3,                                                                                                         \
                                        "headline for") X(SUMMARIZE, 3, "title for this")                                                                     \
                                        X(SUMMARIZE, 3, "title for the") X(SUMMARIZE, 3, "in one sentence") X(                                                \
                                            SUMMARIZE, 3,                                                                                                     \
                                            "in two sentences") X(SUMMARIZE, 3, "in three sentences")                                                         \
                                            X(SUMMARIZE, 2, "in a few sentences") X(                                                                          \
                                                SUMMARIZE, 2,                                                                                                 \
                                                "in your own words") X(SUMMARIZE, 3, "bullet point summary")                                                  \
                                                X(SUMMARIZE, 2, "digest") X(SUMMARIZE, 3, "synopsis") X(                                                      \
                                                    SUMMARIZE, 3,                                                                                             \
                                                    "executive summary") X(SUMMARIZE, 2, "brief overview of the")                                             \
                                                    X(SUMMARIZE, 4,                                                                                           \
                                                      "zusammenfassung") X(SUMMARIZE, 4, "zusammen")                                                          \
                                                        X(SUMMARIZE, 4, "^fasse") X(SUMMARIZE, 4, "^resume")                                                  \
                                                            X(SUMMARIZE, 4, "resumen") X(SUMMARIZE, 4, "resumo")                                              \
                                                                X(SUMMARIZE, 4,                                                                               \
                                                                  "^resumir") X(SUMMARIZE, 4, "^resuma")                                                      \
                                                                    X(SUMMARIZE, 4, "^riassumi") X(SUMMARIZE, 4,                                              \
                                                                                                   "总结")                                                    \
                                                                        X(SUMMARIZE, 4,                                                                       \
                                                                          "摘要") X(SUMMARIZE, 4, "要約")                                                     \
                                                                            X(SUMMARIZE, 4,                                                                   \
                                                                              "резюме") /* ---- rewrite ---- */                                               \
        X(REWRITE, 4, "^rewrite") X(REWRITE, 4, "rewrite") X(REWRITE, 4, "^rephrase") X(                                                                      \
            REWRITE, 4, "rephrase") X(REWRITE, 4, "^paraphrase") X(REWRITE, 3, "paraphrase")                                                                  \
            X(REWRITE, 4, "^reword") X(REWRITE, 4, "reword") X(REWRITE, 4, "^proofread") X(                                                                   \
                REWRITE, 4, "proofread") X(REWRITE, 3, "^edit") X(REWRITE, 3, "editor") X(REWRITE, 4, "^polish")                                              \
                X(REWRITE, 3, "fix the grammar") X(REWRITE, 4, "grammar and") X(REWRITE, 4, "grammar") X(                                                     \
                    REWRITE, 3,                                                                                                                               \
                    "spelling") X(REWRITE, 4, "typos")                                                                                                        \
                    X(REWRITE, 4, "^correct the") X(REWRITE, 4, "^correct this") X(REWRITE, 3, "^correct") X(                                                 \
                        REWRITE, 4,                                                                                                                           \
                        "make this sound")                                                                                                                    \
                        X(REWRITE, 4, "make it sound") X(REWRITE, 3, "sound more") X(REWRITE, 3, "sound less") X(                                             \
                            REWRITE, 4,                                                                                                                       \
                            "more formal") X(REWRITE, 3, "more polite")                                                                                       \
                            X(REWRITE, 3, "more concise") X(REWRITE, 3, "more professional") X(                                                               \
                                REWRITE, 3,                                                                                                                   \
                                "less formal") X(REWRITE, 3, "change the tone")                                                                               \
                                X(REWRITE, 3, "the tone of") X(REWRITE, 3, "active voice") X(                                                                 \
                                    REWRITE, 3,                                                                                                               \
                                    "passive voice") X(REWRITE, 3, "^simplify")                                                                               \
                                    X(REWRITE, 3, "^improve") X(REWRITE, 3, "^convert this") X(                                                               \
                                        REWRITE, 3,                                                                                                           \
                                        "^convert the following") X(REWRITE, 3, "^turn this")                                                                 \
                                        X(REWRITE, 3, "^turn the") X(REWRITE, 3, "^transform") X(                                                             \
                                            REWRITE, 3,                                                                                                       \
                                            "^make this") X(REWRITE, 3, "^make it")                                                                           \
                                            X(REWRITE, 3, "^make the following") X(REWRITE, 3, "third person") X(                                             \
                                                REWRITE, 3,                                                                                                   \
                                                "past tense") X(REWRITE, 3, "^expand")                                                                        \
                                                X(REWRITE, 2, "^change") X(REWRITE, 2, "^replace") X(                                                         \
                                                    REWRITE, 3,                                                                                               \
                                                    "keep the meaning") X(REWRITE, 3, "same meaning")                                                         \
                                                    X(REWRITE, 3, "cut the fluff") X(REWRITE, 2, "^tighten") X(                                               \
                                                        REWRITE, 3,                                                                                           \
                                                        "^clean up") X(REWRITE, 3, "^restate")                                                                \
                                                        X(REWRITE, 2, "^fix") X(REWRITE, 3, "better wording") X(                                              \
                                                            REWRITE, 2,                                                                                       \
                                                            "for a younger") X(REWRITE, 4, "^schreibe um")                                                    \
                                                            X(REWRITE, 4,                                                                                     \
                                                              "umformulieren") X(REWRITE, 4, "^formuliere")                                                   \
                                                                X(REWRITE, 4,                                                                                 \
                                                                  "^korrigiere") X(REWRITE, 4, "^reescribe")                                                  \
                                                                    X(REWRITE, 4,                                                                             \
                                                                      "^reformule") X(REWRITE, 4, "^corrige")                                                 \
                                                                        X(REWRITE, 4,                                                                         \
                                                                          "改写") X(REWRITE, 4, "润色")                                                       \
                                                                            X(REWRITE, 4,                                                                     \
                                                                              "書き直") /* ---- translate ---- */                                             \
        X(TRANSLATE, 5, "^translate") X(TRANSLATE, 4, "translate") X(TRANSLATE, 4, "translation") X(                                                          \
            TRANSLATE, 4, "translator") X(TRANSLATE, 4, "translated") X(TRANSLATE, 3,                                                                         \
                                                                        "translates") X(TRANSLATE, 3,                                                         \
                                                                                        "^localise")                                                          \
            X(TRANSLATE, 3, "^localize") X(TRANSLATE, 3, "how do you say") X(TRANSLATE, 3, "how do i say") X(                                                 \
                TRANSLATE, 3,                                                                                                                                 \
                "how to say") X(TRANSLATE, 3, "how would you say")                                                                                            \
                X(TRANSLATE, 4, "in french") X(TRANSLATE, 4, "to french") X(TRANSLATE, 4, "into french") X(                                                   \
                    TRANSLATE, 3,                                                                                                                             \
                    "in german") X(TRANSLATE, 4, "to german")                                                                                                 \
                    X(TRANSLATE, 4, "into german") X(TRANSLATE, 3, "in spanish") X(TRANSLATE, 4, "to spanish") X(                                             \
                        TRANSLATE, 4,                                                                                                                         \
                        "into spanish") X(TRANSLATE, 3, "in english")                                                                                         \
                        X(TRANSLATE, 4, "to english") X(TRANSLATE, 4, "into english") X(                                                                      \
                            TRANSLATE, 3,                                                                                                                     \
                            "in japanese") X(TRANSLATE, 4, "to japanese")                                                                                     \
                            X(TRANSLATE, 4, "into japanese") X(TRANSLATE, 3, "in chinese") X(                                                                 \
                                TRANSLATE, 4,                                                                                                                 \
                                "to chinese") X(TRANSLATE, 4, "into chinese")                                                                                 \
                                X(TRANSLATE, 3, "in italian") X(TRANSLATE, 4, "to italian") X(                                                                \
                                    TRANSLATE, 4,                                                                                                             \
                                    "into italian") X(TRANSLATE, 3, "in portuguese")                                                                          \
                                    X(TRANSLATE, 4, "into portuguese") X(TRANSLATE, 4, "to portuguese") X(                                                    \
                                        TRANSLATE, 3,                                                                                                         \
                                        "in korean") X(TRANSLATE, 4, "into korean")                                                                           \
                                        X(TRANSLATE, 3, "in russian") X(TRANSLATE, 4, "into russian") X(TRANSLATE, 3, "in arabic") X(                         \
                                            TRANSLATE, 4,                                                                                                     \
                                            "into arabic") X(TRANSLATE, 3, "in dutch")                                                                        \
                                            X(TRANSLATE, 4, "into dutch") X(TRANSLATE, 3, "in hindi") X(                                                      \
                                                TRANSLATE, 4,                                                                                                 \
                                                "to hindi") X(TRANSLATE, 3, "in polish")                                                                      \
                                                X(TRANSLATE, 4, "into polish") X(TRANSLATE, 3, "english version") X(                                          \
                                                    TRANSLATE, 3,                                                                                             \
                                                    "french version") X(TRANSLATE, 3, "german version")                                                       \
                                                    X(TRANSLATE, 3, "spanish version") X(                                                                     \
                                                        TRANSLATE, 2,                                                                                         \
                                                        "source language") X(TRANSLATE, 3, "target language")                                                 \
                                                        X(TRANSLATE, 3, "mean in english") X(                                                                 \
                                                            TRANSLATE, 2,                                                                                     \
                                                            "from english") X(TRANSLATE, 3, "from german")                                                    \
                                                            X(TRANSLATE, 3, "from french") X(TRANSLATE, 3, "from spanish") X(                                 \
                                                                TRANSLATE, 3,                                                                                 \
                                                                "from japanese") X(TRANSLATE, 5, "^ubersetze")                                                \
                                                                X(TRANSLATE, 4, "ubersetzen") X(TRANSLATE, 4, "ubersetzung") X(                               \
                                                                    TRANSLATE, 5,                                                                             \
                                                                    "^traduce") X(TRANSLATE, 4, "traducir")                                                   \
                                                                    X(TRANSLATE, 4, "traduccion") X(                                                          \
                                                                        TRANSLATE, 5,                                                                         \
                                                                        "^traduis") X(TRANSLATE, 5, "^traduisez")                                             \
                                                                        X(TRANSLATE, 4,                                                                       \
                                                                          "traduire") X(TRANSLATE, 5, "^traduza")                                             \
                                                                            X(TRANSLATE, 4,                                                                   \
                                                                              "traduzir") X(TRANSLATE, 5, "^traduci")                                         \
                                                                                X(                                                                            \
                                                                                    TRANSLATE,                                                                \
                                                                                    3, "auf englisch") X(TRANSLATE,                                           \
                                                                                                         3, "auf deutsch")                                    \
                                                                                    X(TRANSLATE, 3, "en ingles") X(                                           \
                                                                                        TRANSLATE, 3,                                                         \
                                                                                        "en anglais")                                                         \
                                                                                        X(TRANSLATE, 3, "en francais") X(                                     \
                                                                                            TRANSLATE,                                                        \
                                                                                            5, "翻译") X(TRANSLATE,                                           \
                                                                                                         5, "翻訳")                                           \
                                                                                            X(TRANSLATE,                                                      \
                                                                                              4, "翻譯") X(TRANSLATE,                                         \
                                                                                                           5,                                                 \
                                                                                                           "^пер"                                          \
                                                                                                           "евед"                                         \
                                                                                                           "и")                                               \
                                                                                                X(TRANSLATE, 5,                                               \
                                                                                                  "пе"                                                      \
                                                                                                  "ре"                                                      \
                                                                                                  "во"                                                      \
                                                                                                  "д")                                                        \
                                                                                                    X(TRANSLATE,                                              \
                                                                                                      5,                                                      \
                                                                                                      "^prze"                                                 \
                                                                                                      "tluma"                                                 \
                                                                                                      "cz")                                                   \
                                                                                                        X(TRANSLATE,                                          \
                                                                                                          5,                                                  \
                                                                                                          "번역"                                            \
                                                                                                          "해") /* ---- qa ---- */                            \
        X(QA, 2, "^what is") X(QA, 2, "^what are") X(QA, 2, "^whats") X(QA, 2, "^what was") X(                                                                \
            QA, 2, "^what were") X(QA, 2, "^what does") X(QA, 2, "^what do") X(QA, 2, "^what year")                                                           \
            X(QA, 3, "^who is") X(QA, 3, "^who was") X(QA, 3, "^who wrote") X(QA, 3, "^who") X(                                                               \
                QA, 3, "^when did") X(QA, 3, "^when was") X(QA, 3, "^when is") X(QA, 3, "^when")                                                              \
                X(QA, 3, "^where is") X(QA, 3, "^where") X(QA, 2, "^why") X(QA, 2, "^why is") X(QA, 2, "^why do")                                             \
                    X(QA, 2, "^which") X(QA, 2, "^how many") X(QA, 2, "^how much") X(QA, 2, "^how long") X(                                                   \
                        QA, 2, "^how old") X(QA, 2, "^how far")                                                                                               \
                        X(QA, 2, "^how does") X(QA, 2, "^how do") X(QA, 2, "^how is") X(QA, 1, "^how") X(                                                     \
                            QA, 1, "^what") X(QA, 2, "^is")                                                                                                   \
                            X(QA, 2, "^are") X(QA, 2, "^does") X(QA, 2, "^did") X(QA, 2, "^can") X(QA, 1, "^do") X(                                           \
                                QA,                                                                                                                           \
                                2, "^was") X(QA, 2, "^were")                                                                                                  \
                                X(QA, 2, "^has") X(QA, 2, "^should") X(QA, 3, "^answer the question") X(                                                      \
                                    QA,                                                                                                                       \
                                    3, "^answer the following") X(QA, 3, "^answer")                                                                           \
                                    X(QA, 3, "answer only from") X(QA, 2, "answer the") X(QA, 2, "context")                                                   \
                                        X(QA, 2, "according to") X(QA, 2, "based on the") X(QA, 2, "question") X(                                             \
                                            QA,                                                                                                               \
                                            3, "^explain") X(QA, 3, "^define")                                                                                \
                                            X(QA, 2, "difference between") X(QA, 2, "^describe") X(                                                           \
                                                QA,                                                                                                           \
                                                2, "definition of") X(QA, 3, "what does")                                                                     \
                                                X(QA, 2, "meaning of") X(QA, 2, "capital of") X(                                                              \
                                                    QA,                                                                                                       \
                                                    2, "^tell me about") X(QA, 2, "^tell me what")                                                            \
                                                    X(QA, 2, "^tell me how") X(QA, 3, "^given the passage") X(                                                \
                                                        QA,                                                                                                   \
                                                        2, "passage") X(QA, 3, "^was ist")                                                                    \
                                                        X(QA, 3, "^wer") X(QA, 3, "^wann") X(QA, 3, "^wo") X(                                                 \
                                                            QA,                                                                                               \
                                                            3, "^warum") X(QA, 2, "^wie")                                                                     \
                                                            X(QA, 2, "^was") X(QA, 2, "^welche") X(                                                           \
                                                                QA,                                                                                           \
                                                                3, "^erklare") X(QA, 3, "^que es")                                                            \
                                                                X(QA, 3, "^cual es") X(                                                                       \
                                                                    QA,                                                                                       \
                                                                    3, "^quien") X(QA, 3, "^cuando")                                                          \
                                                                    X(QA, 3, "^donde") X(QA, 3, "^por que") X(                                                \
                                                                        QA,                                                                                   \
                                                                        2, "^cuantos") X(QA, 3, "^explica")                                                   \
                                                                        X(QA, 3, "^qui") X(QA, 3, "^quand") X(                                                \
                                                                            QA,                                                                               \
                                                                            3, "^pourquoi") X(QA, 3, "^quelle")                                               \
                                                                            X(QA, 3, "^quel") X(                                                              \
                                                                                QA,                                                                           \
                                                                                3,                                                                            \
                                                                                "^qu'est ce") X(QA, 3, "^explique")                                           \
                                                                                X(QA, 3, "^chi") X(QA, 3, "^qual") X(                                         \
                                                                                    QA,                                                                       \
                                                                                    3, "^quem") X(QA, 3, "^onde")                                             \
                                                                                    X(QA, 3, "什么") X(                                                       \
                                                                                        QA,                                                                   \
                                                                                        3,                                                                    \
                                                                                        "为什么") X(QA, 2, "吗")                                              \
                                                                                        X(QA, 2, "ですか") X(                                                 \
                                                                                            QA,                                                               \
                                                                                            3, "^кто")                                                        \
                                                                                            X(QA, 3, "^что") X(                                               \
                                                                                                QA,                                                           \
                                                                                                3, "^почему")                                                 \
                                                                                                X(QA, 3,                                                      \
                                                                                                  "^когда")                                                   \
                                                                                                    X(QA, 3,                                                  \
                                                                                                      "^где") /* ----                                         \
                                                                                                                 chat                                         \
                                                                                                                 ----                                         \
                                                                                                               */                                             \
        X(CHAT, 4, "^hi") X(CHAT, 4, "^hello") X(CHAT, 4, "^hey") X(CHAT, 4, "^hiya") X(CHAT, 3, "^yo") X(                                                    \
            CHAT, 4, "^good morning") X(CHAT, 4, "^good evening") X(CHAT, 4, "^good night")                                                                   \
            X(CHAT, 4, "^good afternoon") X(CHAT, 4, "^thanks") X(CHAT, 4, "^thank you") X(CHAT, 3, "^thx") X(                                                \
                CHAT,                                                                                                                                         \
                4, "how are you") X(CHAT, 4,                                                                                                                  \
                                    "hows it going") X(CHAT, 4, "how is it going")                                                                            \
                X(CHAT, 3, "whats up") X(CHAT, 3, "nice to meet") X(CHAT, 3, "^lol") X(CHAT, 3, "^haha")                                                      \
                    X(CHAT, 2, "^ok") X(CHAT, 2, "^okay") X(CHAT, 2, "^cool") X(CHAT, 2, "^great") X(                                                         \
                        CHAT,                                                                                                                                 \
                        2, "^nice") X(CHAT, 2, "^wow")                                                                                                        \
                        X(CHAT, 2, "^ugh") X(CHAT, 2, "^bye") X(CHAT, 3, "^goodbye") X(CHAT, 3, "see you")                                                    \
                            X(CHAT, 3, "i feel") X(CHAT, 2, "im feeling") X(CHAT, 2, "i am feeling") X(CHAT, 3, "lonely") X(                                  \
                                CHAT,                                                                                                                         \
                                3, "im bored") X(CHAT, 3, "bored")                                                                                            \
                                X(CHAT, 2, "my day") X(CHAT, 2, "had a long day") X(CHAT, 2, "long day") X(                                                   \
                                    CHAT,                                                                                                                     \
                                    3, "just talk") X(CHAT, 3, "talk to me")                                                                                  \
                                    X(CHAT, 3, "chat with me") X(CHAT, 3, "tell me something about yourself") X(                                              \
                                        CHAT,                                                                                                                 \
                                        3, "about yourself") X(CHAT, 3, "do you like")                                                                        \
                                        X(CHAT, 3, "do you ever") X(CHAT, 2, "do you think") X(                                                               \
                                            CHAT,                                                                                                             \
                                            3, "are you there") X(CHAT, 3, "are you human")                                                                   \
                                            X(CHAT, 3, "are you real") X(CHAT, 3, "your favorite") X(                                                         \
                                                CHAT,                                                                                                         \
                                                3, "your favourite") X(CHAT, 2, "who are you")                                                                \
                                                X(CHAT, 3, "guess what") X(CHAT, 2, "i miss") X(                                                              \
                                                    CHAT,                                                                                                     \
                                                    1, "my cat")                                                                                              \
                                                    X(CHAT, 1, "my dog") X(CHAT, 1, "my girlfriend") X(                                                       \
                                                        CHAT,                                                                                                 \
                                                        1, "my boyfriend") X(CHAT, 1, "i love")                                                               \
                                                        X(CHAT, 1, "i hate") X(CHAT, 3, "stay in character") X(                                               \
                                                            CHAT,                                                                                             \
                                                            3, "^pretend") X(CHAT, 3, "role play")                                                            \
                                                            X(CHAT, 3, "roleplay") X(CHAT, 2, "companion") X(                                                 \
                                                                CHAT,                                                                                         \
                                                                3, "you are playing") X(CHAT, 2, "in character")                                              \
                                                                X(CHAT, 2, "persona") X(                                                                      \
                                                                    CHAT,                                                                                     \
                                                                    3, "keep replies short") X(CHAT,                                                          \
                                                                                               2, "friendly chatbot")                                         \
                                                                    X(CHAT, 2, "^lets play") X(CHAT, 4, "^hallo") X(                                          \
                                                                        CHAT,                                                                                 \
                                                                        4, "^hola") X(CHAT, 4, "^bonjour")                                                    \
                                                                        X(CHAT, 4, "^salut") X(CHAT, 4, "^ciao") X(                                           \
                                                                            CHAT,                                                                             \
                                                                            4, "^ola") X(CHAT, 4, "^danke")                                                   \
                                                                            X(CHAT, 4, "^gracias") X(                                                         \
                                                                                CHAT,                                                                         \
                                                                                4,                                                                            \
                                                                                "^merci") X(CHAT, 4, "^obrigado")                                             \
                                                                                X(CHAT, 4, "^guten") X(                                                       \
                                                                                    CHAT,                                                                     \
                                                                                    4,                                                                        \
                                                                                    "^buenos") X(CHAT, 4, "^buenas")                                          \
                                                                                    X(CHAT, 3, "wie geht") X(                                                 \
                                                                                        CHAT,                                                                 \
                                                                                        3, "como estas")                                                      \
                                                                                        X(CHAT, 3, "langweilig") X(                                           \
                                                                                            CHAT,                                                             \
                                                                                            4, "你好")                                                        \
                                                                                            X(CHAT, 4, "谢谢") X(                                             \
                                                                                                CHAT,                                                         \
                                                                                                4, "こんにちは")                                              \
                                                                                                X(CHAT,                                                       \
                                                                                                  4, "ありがとう")                                            \
                                                                                                    X(CHAT, 4,                                                \
                                                                                                      "^приве"                                           \
                                                                                                      "т")                                                    \
                                                                                                        X(CHAT,                                               \
                                                                                                          4,                                                  \
                                                                                                          "^спас"                                         \
                                                                                                          "ибо") /* ---- generate ---- */                     \
        X(GENERATE, 3, "^write") X(GENERATE, 3, "^write a") X(GENERATE, 3, "^write an") X(                                                                    \
            GENERATE, 3, "^write me") X(GENERATE, 3, "^write about") X(GENERATE,                                                                              \
                                                                       3, "^compose") X(GENERATE, 4,                                                          \
                                                                                        "^draft") X(GENERATE,                                                 \
                                                                                                    3, "^generate")                                           \
            X(GENERATE, 3, "^create") X(GENERATE, 3, "^create a") X(GENERATE, 3, "^come up with") X(                                                          \
                GENERATE,                                                                                                                                     \
                3, "come up with") X(GENERATE, 3, "^invent")                                                                                                  \
                X(GENERATE, 3, "^make up") X(GENERATE, 3, "^brainstorm") X(GENERATE, 3, "^suggest") X(                                                        \
                    GENERATE,                                                                                                                                 \
                    3, "^give me ideas") X(GENERATE, 3, "ideas for")                                                                                          \
                    X(GENERATE, 3, "name ideas") X(GENERATE, 3, "name for") X(GENERATE, 2, "^give me") X(                                                     \
                        GENERATE,                                                                                                                             \
                        2, "^list") X(GENERATE, 2, "^name")                                                                                                   \
                        X(GENERATE, 2, "^imagine") X(GENERATE, 4, "poem") X(GENERATE, 4, "haiku") X(                                                          \
                            GENERATE,                                                                                                                         \
                            3, "limerick") X(GENERATE, 4, "a story")                                                                                          \
                            X(GENERATE, 4, "short story") X(GENERATE, 4, "story about") X(GENERATE, 3, "bedtime story") X(                                    \
                                GENERATE,                                                                                                                     \
                                3, "song") X(GENERATE, 3, "lyrics")                                                                                           \
                                X(GENERATE, 3, "joke") X(GENERATE, 3, "essay") X(GENERATE, 4, "blog post") X(                                                 \
                                    GENERATE,                                                                                                                 \
                                    3, "tweet") X(GENERATE, 3, "caption")                                                                                     \
                                    X(GENERATE, 3, "slogan") X(GENERATE, 3, "tagline") X(                                                                     \
                                        GENERATE,                                                                                                             \
                                        3, "headlines") X(GENERATE, 4, "cover letter")                                                                        \
                                        X(GENERATE, 4, "a letter") X(GENERATE, 4, "an email to") X(                                                           \
                                            GENERATE,                                                                                                         \
                                            3, "write an email") X(GENERATE, 3, "draft an email")                                                             \
                                            X(GENERATE, 3, "product description") X(GENERATE, 3, "job ad") X(                                                 \
                                                GENERATE,                                                                                                     \
                                                3, "job description") X(GENERATE, 3, "press release")                                                         \
                                                X(GENERATE, 3, "speech") X(GENERATE, 4, "toast") X(                                                           \
                                                    GENERATE,                                                                                                 \
                                                    3, "dialogue") X(GENERATE, 3, "ad copy")                                                                  \
                                                    X(GENERATE, 3, "script for") X(GENERATE, 3, "invitation") X(                                              \
                                                        GENERATE,                                                                                             \
                                                        3, "newsletter") X(GENERATE, 3, "recommend")                                                          \
                                                        X(GENERATE, 2,                                                                                        \
                                                          "fictional") X(GENERATE, 2, "creative")                                                             \
                                                            X(GENERATE, 2, "words long") X(                                                                   \
                                                                GENERATE,                                                                                     \
                                                                1, "recipe for") X(GENERATE, 2, "recipe")                                                     \
                                                                X(GENERATE, 3, "quiz questions") X(                                                           \
                                                                    GENERATE,                                                                                 \
                                                                    3, "^tell me a") X(GENERATE, 3, "^schreibe")                                              \
                                                                    X(GENERATE, 3, "^schreib") X(                                                             \
                                                                        GENERATE,                                                                             \
                                                                        3, "^erfinde") X(GENERATE, 3, "gedicht")                                              \
                                                                        X(GENERATE, 3, "geschichte") X(                                                       \
                                                                            GENERATE,                                                                         \
                                                                            3,                                                                                \
                                                                            "einladung") X(GENERATE, 3, "^escribe")                                           \
                                                                            X(GENERATE, 3, "^redacta") X(                                                     \
                                                                                GENERATE,                                                                     \
                                                                                3,                                                                            \
                                                                                "poema") X(GENERATE, 3, "^ecris")                                             \
                                                                                X(GENERATE, 3, "^redige") X(                                                  \
                                                                                    GENERATE,                                                                 \
                                                                                    3, "poeme")                                                               \
                                                                                    X(GENERATE, 3, "^escreva") X(                                             \
                                                                                        GENERATE,                                                             \
                                                                                        3, "^scrivi")                                                         \
                                                                                        X(GENERATE, 3, "写一") X(                                             \
                                                                                            GENERATE,                                                         \
                                                                                            3, "书いて")                                                      \
                                                                                            X(GENERATE, 3,                                                    \
                                                                                              "書いて")                                                       \
                                                                                                X(GENERATE, 3,                                                \
                                                                                                  "^напиши")                                                  \
                                                                                                    X(GENERATE,                                               \
                                                                                                      3,                                                      \
                                                                                                      "^napis"                                                \
                                                                                                      "z") /* ----                                            \
                                                                                                              code                                            \
                                                                                                              ----                                            \
                                                                                                            */                                                \
        X(CODE, 4, "python") X(CODE, 4, "javascript") X(CODE, 4, "typescript") X(CODE, 4, "sql") X(                                                           \
            CODE, 4, "regex") X(CODE, 4, "regular expression") X(CODE, 3, "bash") X(CODE, 3, "shell script")                                                  \
            X(CODE, 4, "powershell") X(CODE, 3, "java") X(CODE, 4, "c + +") X(CODE, 3, "c #") X(                                                              \
                CODE,                                                                                                                                         \
                3, "golang") X(CODE, 3, "in go")                                                                                                              \
                X(CODE, 3, "in rust") X(CODE, 3, "rust") X(CODE, 3, "kotlin") X(CODE, 3, "swift") X(                                                          \
                    CODE,                                                                                                                                     \
                    4, "php") X(CODE, 3, "ruby")                                                                                                              \
                    X(CODE, 3, "haskell") X(CODE, 3, "matlab") X(CODE, 4, "html") X(CODE, 4, "css") X(                                                        \
                        CODE,                                                                                                                                 \
                        3, "flexbox") X(CODE, 3, "react")                                                                                                     \
                        X(CODE, 3, "django") X(CODE, 3, "pandas") X(CODE, 3, "numpy") X(CODE, 3, "node.js") X(                                                \
                            CODE,                                                                                                                             \
                            3, "npm") X(CODE, 3, "docker")                                                                                                    \
                            X(CODE, 3, "dockerfile") X(CODE, 3, "kubernetes") X(CODE, 3, "terraform") X(                                                      \
                                CODE,                                                                                                                         \
                                3, "git") X(CODE, 3, "graphql")                                                                                               \
                                X(CODE, 2, "api") X(CODE, 2, "curl") X(CODE, 4, "a function") X(                                                              \
                                    CODE,                                                                                                                     \
                                    4, "write a function") X(CODE, 4, "write code")                                                                           \
                                    X(CODE, 3, "the code") X(CODE, 3, "this code") X(CODE, 3, "code")                                                         \
                                        X(CODE, 4, "write a program") X(CODE, 3, "a program") X(                                                              \
                                            CODE,                                                                                                             \
                                            3, "write a script") X(CODE, 4, "write a query")                                                                  \
                                            X(CODE, 3, "a class") X(CODE, 3, "unit test") X(                                                                  \
                                                CODE,                                                                                                         \
                                                3, "unit tests") X(CODE, 4, "^implement")                                                                     \
                                                X(CODE, 4, "^debug") X(CODE, 4, "^refactor") X(                                                               \
                                                    CODE,                                                                                                     \
                                                    3, "algorithm") X(CODE, 3, "compile")                                                                     \
                                                    X(CODE, 3, "compiler") X(CODE, 3, "stack trace") X(                                                       \
                                                        CODE,                                                                                                 \
                                                        3, "traceback") X(CODE, 3, "exception")                                                               \
                                                        X(CODE, 3, "segfault") X(                                                                             \
                                                            CODE,                                                                                             \
                                                            3, "nullpointerexception") X(CODE, 3, "typeerror")                                                \
                                                            X(CODE, 2,                                                                                        \
                                                              "error message") X(CODE, 3, "docstring")                                                        \
                                                                X(CODE, 3, "type hints") X(CODE, 2, "big o") X(                                               \
                                                                    CODE,                                                                                     \
                                                                    3, "linked list") X(CODE, 2, "array")                                                     \
                                                                    X(CODE, 3, "def") X(CODE, 2, "function") X(                                               \
                                                                        CODE,                                                                                 \
                                                                        2, "returns") X(CODE, 3, "programming")                                               \
                                                                        X(CODE, 3,                                                                            \
                                                                          "leetcode") X(CODE, 3, "pull request")                                              \
                                                                            X(CODE, 3,                                                                        \
                                                                              "diff") X(CODE, 3, "repository")                                                \
                                                                                X(CODE, 3, "endpoint") X(                                                     \
                                                                                    CODE,                                                                     \
                                                                                    3, "cron") X(CODE, 3, "yaml")                                             \
                                                                                    X(CODE, 3, "select from") X(                                              \
                                                                                        CODE,                                                                 \
                                                                                        3,                                                                    \
                                                                                        "^programmiere") X(CODE,                                              \
                                                                                                           3,                                                 \
                                                                                                           "fun"                                              \
                                                                                                           "kti"                                              \
                                                                                                           "on")                                              \
                                                                                        X(CODE, 3, "funcion") X(                                              \
                                                                                            CODE,                                                             \
                                                                                            3, "代码") X(CODE,                                                \
                                                                                                         3, "函数")                                           \
                                                                                            X(CODE, 3, "コード") X(                                           \
                                                                                                CODE,                                                         \
                                                                                                3, "関数")                                                    \
                                                                                                X(CODE, 3,                                                    \
                                                                                                  "код") /* ----                                              \
                                                                                                            reason                                            \
                                                                                                            ----                                              \
                                                                                                          */                                                  \
        X(REASON, 4, "^solve") X(REASON, 4, "^calculate") X(REASON, 4, "^compute") X(REASON, 4, "^prove") X(                                                  \
            REASON, 4, "^derive") X(REASON, 4, "^evaluate") X(REASON, 3, "^deduce") X(REASON, 4, "^work out")                                                 \
            X(REASON, 3, "^estimate") X(REASON, 3, "^figure out") X(REASON, 3, "^simplify the expression")                                                    \
                X(REASON, 4, "step by step") X(REASON, 3, "think through") X(REASON, 3, "reasoning") X(                                                       \
                    REASON, 4, "probability") X(REASON, 3, "equation") X(REASON, 3, "equations")                                                              \
                    X(REASON, 3, "integral") X(REASON, 3, "derivative") X(REASON, 3, "theorem") X(                                                            \
                        REASON,                                                                                                                               \
                        3, "proof") X(REASON, 3, "polynomial")                                                                                                \
                        X(REASON, 3, "triangle") X(REASON, 3, "how many") X(REASON, 3, "how much") X(                                                         \
                            REASON,                                                                                                                           \
                            3, "how far") X(REASON, 2, "what is the value")                                                                                   \
                            X(REASON, 3, "find the value") X(REASON, 3, "sum of") X(REASON, 2, "average") X(                                                  \
                                REASON,                                                                                                                       \
                                2, "total") X(REASON, 2, "percent")                                                                                           \
                                X(REASON, 3, "remainder") X(REASON, 3, "riddle") X(REASON, 4, "puzzle") X(                                                    \
                                    REASON,                                                                                                                   \
                                    4, "tells the truth") X(REASON, 3, "if all")                                                                              \
                                    X(REASON, 3, "must be true") X(REASON, 3, "can we conclude")                                                              \
                                        X(REASON, 3, "follows logically") X(REASON, 2, "per hour") X(                                                         \
                                            REASON,                                                                                                           \
                                            2, "km / h") X(REASON, 2, "mph")                                                                                  \
                                            X(REASON, 3, "most likely cause") X(REASON, 3, "root cause") X(                                                   \
                                                REASON,                                                                                                       \
                                                2, "which is most likely") X(REASON, 2, "trade offs")                                                         \
                                                X(REASON, 2, "tradeoffs") X(REASON, 3, "diagnosis") X(                                                        \
                                                    REASON,                                                                                                   \
                                                    3, "^diagnose") X(REASON, 2, "^analyze")                                                                  \
                                                    X(REASON, 2, "^analyse") X(REASON, 3, "solve for") X(                                                     \
                                                        REASON,                                                                                               \
                                                        2, "logic") X(REASON, 3, "^berechne")                                                                 \
                                                        X(REASON, 3, "^beweise") X(REASON, 3, "^lose") X(                                                     \
                                                            REASON,                                                                                           \
                                                            3, "wie viele") X(REASON, 3, "wahrscheinlichkeit")                                                \
                                                            X(REASON, 3, "^calcula") X(REASON, 3, "^resuelve")                                                \
                                                                X(REASON, 3,                                                                                  \
                                                                  "^calcule") X(REASON, 3, "^demontre")                                                       \
                                                                    X(REASON, 3, "计算") X(REASON, 3, "证明")                                                 \
                                                                        X(REASON, 3, "多少") X(REASON, 3, "計算")                                             \
                                                                            X(REASON, 3,                                                                      \
                                                                              "^вычисли") X(REASON, 3, "^реши")                                               \
                                                                                X(REASON, 3,                                                                  \
                                                                                  "сколько") /* ---- plan ---- */                                             \
        X(PLAN, 5, "^plan") X(PLAN, 4, "^plan a") X(PLAN, 4, "^plan the") X(PLAN, 4, "a plan") X(                                                             \
            PLAN, 3, "plan for") X(PLAN, 3, "plan to") X(PLAN, 4, "project plan") X(PLAN, 4, "migration plan")                                                \
            X(PLAN, 4, "meal plan") X(PLAN, 4, "training plan") X(PLAN, 4, "study plan") X(PLAN, 4,                                                           \
                                                                                           "business plan")                                                   \
                X(PLAN, 4, "lesson plan") X(PLAN, 4, "rollout plan") X(PLAN, 4, "marketing plan") X(                                                          \
                    PLAN,                                                                                                                                     \
                    4, "action plan") X(PLAN, 5, "itinerary")                                                                                                 \
                    X(PLAN, 5, "roadmap") X(PLAN, 4, "milestones") X(PLAN, 3, "timeline for") X(                                                              \
                        PLAN,                                                                                                                                 \
                        4, "^schedule") X(PLAN, 4, "schedule my")                                                                                             \
                        X(PLAN, 3, "a schedule") X(PLAN, 4, "^organize") X(PLAN, 4, "^organise") X(                                                           \
                            PLAN,                                                                                                                             \
                            4, "^outline the steps") X(PLAN, 4, "^lay out")                                                                                   \
                            X(PLAN, 4, "^set out") X(PLAN, 4, "^map out") X(PLAN, 4, "^break this") X(                                                        \
                                PLAN,                                                                                                                         \
                                4, "^break down") X(PLAN, 3, "into tickets")                                                                                  \
                                X(PLAN, 3, "into tasks") X(PLAN, 3, "into steps") X(PLAN, 3, "what steps") X(                                                 \
                                    PLAN,                                                                                                                     \
                                    3, "steps should") X(PLAN, 3, "steps to take")                                                                            \
                                    X(PLAN, 3, "in which order") X(PLAN, 3, "week by week") X(                                                                \
                                        PLAN,                                                                                                                 \
                                        3, "day by day") X(PLAN, 3, "day trip")                                                                               \
                                        X(PLAN, 3, "prepare for") X(PLAN, 3, "^prioritize")                                                                   \
                                            X(PLAN, 3, "^prioritise") X(PLAN, 4, "strategy") X(                                                               \
                                                PLAN,                                                                                                         \
                                                4, "^design a strategy") X(PLAN, 3, "^design")                                                                \
                                                X(PLAN, 3, "^architect") X(PLAN, 2, "architecture") X(                                                        \
                                                    PLAN,                                                                                                     \
                                                    2, "phases") X(PLAN, 3, "checklist")                                                                      \
                                                    X(PLAN, 3, "budget") X(                                                                                   \
                                                        PLAN,                                                                                                 \
                                                        2, "deadline") X(PLAN, 3, "migration")                                                                \
                                                        X(PLAN, 3, "rollout") X(PLAN, 2, "project lead") X(                                                   \
                                                            PLAN,                                                                                             \
                                                            2, "project manager") X(PLAN, 3, "sequence of steps")                                             \
                                                            X(PLAN, 4, "planner") X(PLAN, 3, "days in") X(                                                    \
                                                                PLAN,                                                                                         \
                                                                2, "next year") X(PLAN, 4, "^plane")                                                          \
                                                                X(PLAN, 4, "projektplan") X(PLAN, 4, "zeitplan")                                              \
                                                                    X(PLAN, 4, "fahrplan") X(                                                                 \
                                                                        PLAN,                                                                                 \
                                                                        4, "^planifica") X(PLAN, 4, "plan de")                                                \
                                                                        X(PLAN, 4, "itinerario") X(                                                           \
                                                                            PLAN,                                                                             \
                                                                            4,                                                                                \
                                                                            "^planifie") X(PLAN, 4, "^planeje")                                               \
                                                                            X(PLAN, 4, "计划") X(PLAN, 4, "計画")                                             \
                                                                                X(PLAN, 4,                                                                    \
                                                                                  "规划") X(PLAN, 4, "план")                                                  \
                                                                                    X(PLAN, 4,                                                                \
                                                                                      "^спланируй") /* ----                                                   \
                                                                                                       synthesize                                             \
                                                                                                       ---- */                                                \
        X(SYNTHESIZE, 5, "^synthesize") X(SYNTHESIZE, 5, "^synthesise") X(SYNTHESIZE, 5, "synthesis") X(                                                      \
            SYNTHESIZE, 4, "^combine") X(SYNTHESIZE, 4, "^merge") X(SYNTHESIZE, 4, "^consolidate")                                                            \
            X(SYNTHESIZE, 4, "^integrate") X(SYNTHESIZE, 4, "^reconcile") X(SYNTHESIZE, 4, "^pull together") X(                                               \
                SYNTHESIZE, 4, "^bring together") X(SYNTHESIZE, 4, "^weave")                                                                                  \
                X(SYNTHESIZE, 4, "literature review") X(SYNTHESIZE, 3, "all sources") X(                                                                      \
                    SYNTHESIZE,                                                                                                                               \
                    4, "these sources") X(SYNTHESIZE, 3, "the sources")                                                                                       \
                    X(SYNTHESIZE, 4,                                                                                                                          \
                      "multiple sources") X(SYNTHESIZE, 3,                                                                                                    \
                                            "sources") X(SYNTHESIZE, 3, "with citations")                                                                     \
                        X(SYNTHESIZE, 3, "drawing on") X(SYNTHESIZE, 3, "based on these") X(                                                                  \
                            SYNTHESIZE,                                                                                                                       \
                            3, "across the") X(SYNTHESIZE, 3, "across these")                                                                                 \
                            X(SYNTHESIZE, 3, "these papers") X(SYNTHESIZE, 3, "these documents") X(                                                           \
                                SYNTHESIZE,                                                                                                                   \
                                3, "these reports") X(SYNTHESIZE, 3, "these articles")                                                                        \
                                X(SYNTHESIZE, 3, "these interviews") X(SYNTHESIZE, 3, "interviews") X(                                                        \
                                    SYNTHESIZE,                                                                                                               \
                                    3, "these notes") X(SYNTHESIZE, 3, "abstracts")                                                                           \
                                    X(SYNTHESIZE, 3, "findings") X(SYNTHESIZE, 3, "where they agree") X(                                                      \
                                        SYNTHESIZE,                                                                                                           \
                                        3, "where they contradict") X(SYNTHESIZE, 3, "contradict each other")                                                 \
                                        X(SYNTHESIZE, 3, "agree and disagree") X(SYNTHESIZE, 4, "single report")                                              \
                                            X(SYNTHESIZE, 3, "into one") X(SYNTHESIZE, 3, "into a single") X(                                                 \
                                                SYNTHESIZE,                                                                                                   \
                                                3, "unified") X(SYNTHESIZE, 3, "coherent")                                                                    \
                                                X(SYNTHESIZE, 3, "integrated") X(SYNTHESIZE, 3, "post mortem") X(                                             \
                                                    SYNTHESIZE,                                                                                               \
                                                    3, "postmortem") X(SYNTHESIZE, 3, "gap analysis")                                                         \
                                                    X(SYNTHESIZE, 3,                                                                                          \
                                                      "market analysis") X(SYNTHESIZE, 3, "position paper")                                                   \
                                                        X(SYNTHESIZE, 3,                                                                                      \
                                                          "white paper") X(SYNTHESIZE, 3, "research report")                                                  \
                                                            X(SYNTHESIZE, 3,                                                                                  \
                                                              "briefing") X(SYNTHESIZE, 3, "stakeholders")                                                    \
                                                                X(SYNTHESIZE, 3, "^compare these") X(                                                         \
                                                                    SYNTHESIZE,                                                                               \
                                                                    3,                                                                                        \
                                                                    "^compare the") X(SYNTHESIZE, 2, "^compare")                                              \
                                                                    X(SYNTHESIZE, 3, "arguments for and against")                                             \
                                                                        X(SYNTHESIZE, 3, "holistic")                                                          \
                                                                            X(SYNTHESIZE, 2, "comprehensive") X(                                              \
                                                                                SYNTHESIZE, 3, "taken together")                                              \
                                                                                X(SYNTHESIZE, 2, "together") X(                                               \
                                                                                    SYNTHESIZE, 3,                                                            \
                                                                                    "research assistant")                                                     \
                                                                                    X(SYNTHESIZE, 4, "^fuhre") X(                                             \
                                                                                        SYNTHESIZE, 4,                                                        \
                                                                                        "^kombiniere")                                                        \
                                                                                        X(SYNTHESIZE, 4,                                                      \
                                                                                          "^sintetiza")                                                       \
                                                                                            X(SYNTHESIZE, 4,                                                  \
                                                                                              "^synthetise")                                                  \
                                                                                                X(SYNTHESIZE, 4,                                              \
                                                                                                  "综合")                                                     \
                                                                                                    X(SYNTHESIZE,                                             \
                                                                                                      4, "統合")
