/* The tables of the ledger, as SQL. Views are made from fields.def; see docs/ledger.md. A change here
 * is a migration: a new row in schema.c's list, never an edit of an old one once released. */
#define SCHEMA_V1                                                                                                 \
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"                                              \
    "CREATE TABLE who(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, gateway TEXT, key TEXT, team TEXT);"           \
    "CREATE TABLE route(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, dialect TEXT, endpoint TEXT,"                \
    " requested_model TEXT, rule TEXT, tier TEXT, provider TEXT, model TEXT, baseline_model TEXT,"                \
    " observed_tier TEXT, observed_model TEXT, config_version TEXT, price_version TEXT, service_tier TEXT,"       \
    " dropped TEXT, observed_named TEXT);"                                                                        \
    "CREATE TABLE kind(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, task TEXT, task_source TEXT, stakes TEXT,"    \
    " stream INTEGER, status INTEGER, cache TEXT, finish TEXT, token_source TEXT, suspect INTEGER);"              \
    "CREATE TABLE rates(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, input INTEGER, cached_input INTEGER,"        \
    " output INTEGER, reasoning INTEGER);"                                                                        \
    "CREATE TABLE candidates(id INTEGER PRIMARY KEY, hash INTEGER UNIQUE, targets TEXT);"                         \
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"                                                \
    "CREATE TABLE session(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"                                             \
    "CREATE TABLE name(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"                                                \
    "CREATE TABLE call(at INTEGER PRIMARY KEY, id BLOB NOT NULL, who INTEGER NOT NULL, route INTEGER NOT NULL,"   \
    " kind INTEGER NOT NULL, user INTEGER, session INTEGER, tags INTEGER, error INTEGER, cost INTEGER,"           \
    " baseline_cost INTEGER, routing_cost INTEGER, observed_cost INTEGER, attempts INTEGER NOT NULL,"             \
    " input_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER, reasoning_tokens INTEGER,"              \
    " rates INTEGER, start_us INTEGER, first_byte_us INTEGER, end_us INTEGER, ttft_us INTEGER,"                   \
    " duration_us INTEGER, overhead_us INTEGER, quality REAL, quality_source INTEGER, task_confidence INTEGER,"   \
    " difficulty INTEGER, propensity REAL, candidates INTEGER, expected TEXT, prompt_hash INTEGER,"               \
    " template_hash INTEGER, answer INTEGER, facts TEXT);"                                                        \
    "CREATE INDEX call_key ON call(who);"                                                                         \
    "CREATE INDEX call_session ON call(session) WHERE session IS NOT NULL;"                                       \
    "CREATE INDEX call_error ON call(error) WHERE error IS NOT NULL;"                                             \
    "CREATE TABLE odd_id(id BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"                                \
    "CREATE TABLE attempt(at INTEGER, n INTEGER, target INTEGER, status INTEGER, error INTEGER, start_us "        \
    "INTEGER,"                                                                                                    \
    " first_byte_us INTEGER, end_us INTEGER, cost INTEGER, PRIMARY KEY(at, n)) WITHOUT ROWID;"                    \
    "CREATE TABLE usage_line(at INTEGER, attempt INTEGER, class INTEGER, units INTEGER, rate INTEGER,"            \
    " cost INTEGER, PRIMARY KEY(at, attempt, class)) WITHOUT ROWID;"                                              \
    "CREATE TABLE usage_class(id INTEGER PRIMARY KEY, name TEXT, side INTEGER);"                                  \
    "CREATE TABLE quality(at INTEGER, source INTEGER, time INTEGER, score REAL, label TEXT, comment TEXT,"        \
    " PRIMARY KEY(at, source)) WITHOUT ROWID;"                                                                    \
    "CREATE TABLE forgotten(user INTEGER PRIMARY KEY, before INTEGER NOT NULL);"                                  \
    "CREATE TABLE spool_state(segment TEXT PRIMARY KEY, applied INTEGER NOT NULL) WITHOUT ROWID;"                 \
    "CREATE TABLE open_call(id BLOB PRIMARY KEY, instance INTEGER NOT NULL, events BLOB NOT NULL) WITHOUT ROWID;"
