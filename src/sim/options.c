#include "base/yaml.h"
#include "sim/sim.h"

#include <stdlib.h>

void sim_options_default(struct sim_options *o) {
    *o = (struct sim_options){.seed = 1, .error_status = 500, .rate_window_us = 60000000};
}

static bool read_SIM_COUNT(str s, SIM_COUNT *out) { return str_u64(s, out); }
static bool read_SIM_TIME(str s, SIM_TIME *out) { return yaml_duration_text(s, out); }
static bool read_SIM_SHARE(str s, SIM_SHARE *out) {
    char text[32], *end;
    if (!s.n || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    *out = strtod(text, &end);
    return !*end && *out >= 0 && *out <= 1;
}

bool sim_option_set(struct sim_options *o, str name, str value, err *e) {
#define X(field, text, unit, help)                                                                                \
    if (str_eqz(name, text))                                                                                      \
        return read_SIM_##unit(value, &o->field) ||                                                               \
               fail(e, "not a value of " text ": \"" STR_FMT "\"", STR_ARG(value));
    SIM_OPTIONS(X)
#undef X
    return fail(e, "no option \"" STR_FMT "\"", STR_ARG(name));
}
