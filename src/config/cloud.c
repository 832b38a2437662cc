/* cloud: address and credential of the kinds that a cloud serves: AWS Bedrock, Google Vertex AI.
 *
 * AWS, first that is there: `profile`; AWS_BEARER_TOKEN_BEDROCK (for the kind's own address only);
 * AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; AWS_PROFILE or "default" in the shared files. As AWS's own tools
 * do, the credentials file is read before the config file, and both may be elsewhere (AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE). Profiles that need a call to AWS (roles, single sign-on) are refused with the way around.
 *
 * Google: `credentials_file`, else GOOGLE_APPLICATION_CREDENTIALS, else where `gcloud auth application-default
 * login` puts it. What is read here only says who asks for tokens; gateway/tokens.c gets and renews them. */
#include "config/build.h"
#include "config/sections.h"

#include "base/json.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FILE_MAX = 1 << 20,
    WORD_MAX = 64,
    SECRET_WORD_MAX = 480,
    SESSION_MAX = 8192,
    SCOPE_URL_MAX = 512,
    FETCH_HOSTS_MAX = 64
};

static const char *env(const char *name) {
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* A word of a host name or path: what can't become anything else there. */
static bool word_good(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
    return s.n && s.n <= WORD_MAX;
}

str cloud_fill(const struct provider *p, str text, arena *a) {
    static const str region = STR_INIT("{region}"), project = STR_INIT("{project}");
    static const str global = STR_INIT("{region}-aiplatform"); /* Google's global place has no prefix */
    ptrdiff_t at;
    if ((at = str_find(text, global)) >= 0 && str_eqz(p->region, "global"))
        text = arena_printf(a, STR_FMT "aiplatform" STR_FMT, STR_ARG(str_take(text, (size_t)at)),
                            STR_ARG(str_skip(text, (size_t)at + global.n)));
    while ((at = str_find(text, region)) >= 0)
        text = arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(str_take(text, (size_t)at)), STR_ARG(p->region),
                            STR_ARG(str_skip(text, (size_t)at + region.n)));
    while ((at = str_find(text, project)) >= 0)
        text = arena_printf(a, STR_FMT STR_FMT STR_FMT, STR_ARG(str_take(text, (size_t)at)), STR_ARG(p->project),
                            STR_ARG(str_skip(text, (size_t)at + project.n)));
    return text;
}

/* ---- files ---- */

/* The whole file, empty when it is not there. False (with why) when it can't be read. */
static bool read_file(struct build *b, const ynode *at, const char *path, str *out) {
    FILE *f = fopen(path, "re");
    *out = STR_NONE;
    if (!f) return errno == ENOENT || errno == ENOTDIR || yaml_fail_key(b->e, at, "%s: %s", path, strerror(errno));
    char *text = arena_alloc(b->a, FILE_MAX + 1);
    size_t n = fread(text, 1, FILE_MAX + 1, f);
    bool good = !ferror(f);
    fclose(f);
    if (!good) return yaml_fail_key(b->e, at, "%s: it could not be read", path);
    if (n > FILE_MAX) return yaml_fail_key(b->e, at, "%s is larger than %d bytes", path, FILE_MAX);
    *out = str_make(text, n);
    return true;
}

static void path_of(char out[PATH_MAX], const char *variable, const char *in_home) {
    const char *own = variable ? env(variable) : NULL, *home = env("HOME");
    if (own)
        snprintf(out, PATH_MAX, "%s", own);
    else
        snprintf(out, PATH_MAX, "%s/%s", home ? home : "", in_home);
}

/* Value of a key in "[section]" of an INI file as AWS's are; empty when there is none. `*seen`: the section is
 * there. */
static str ini_get(str text, str section, str key, bool *seen) {
    str line, name;
    bool in = false;
    while (text.n && str_cut(&text, '\n', &line)) {
        bool nested = line.n && (line.p[0] == ' ' || line.p[0] == '\t'); /* of a key that is a list */
        str rest = str_trim(line);
        if (!rest.n || rest.p[0] == '#' || rest.p[0] == ';') continue;
        if (rest.p[0] == '[') {
            in = rest.p[rest.n - 1] == ']' && str_eq(str_trim(str_make(rest.p + 1, rest.n - 2)), section);
            *seen |= in;
        } else if (in && !nested && str_cut(&rest, '=', &name) && str_eq(str_trim(name), key)) {
            return str_trim(rest);
        }
    }
    return STR_NONE;
}

/* ---- AWS ---- */

struct profile {
    str name, credentials, config; /* the files' text */
    bool seen;
};

static bool open_profile(struct build *b, const ynode *map, const struct provider_in *in, struct profile *f) {
    char path[PATH_MAX];
    const char *named = env("AWS_PROFILE");
    f->name = named ? str_from(named) : STR("default");
    if (in->profile && !yaml_str(in->profile, &f->name, b->e)) return false;
    path_of(path, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
    if (!read_file(b, in->profile ? in->profile : map, path, &f->credentials)) return false;
    path_of(path, "AWS_CONFIG_FILE", ".aws/config");
    return read_file(b, in->profile ? in->profile : map, path, &f->config);
}

static str profile_get(struct build *b, struct profile *f, const char *key) {
    str v = ini_get(f->credentials, f->name, str_from(key), &f->seen);
    str section = str_eqz(f->name, "default") ? f->name : arena_printf(b->a, "profile " STR_FMT, STR_ARG(f->name));
    return v.n ? v : ini_get(f->config, section, str_from(key), &f->seen);
}

static bool aws_key_good(struct build *b, const ynode *at, const struct aws_key *k) {
    if (!secret_check(b, at, k->id) || !secret_check(b, at, k->secret)) return false;
    if (k->id.n > SECRET_WORD_MAX || k->secret.n > SECRET_WORD_MAX || k->session.n > SESSION_MAX)
        return yaml_fail_key(b->e, at, "the AWS access key is too long to be one");
    return !k->session.n || secret_check(b, at, k->session);
}

static bool key_from_profile(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    static const char *const needs_a_call[] = {"role_arn", "sso_session", "sso_start_url", "credential_process",
                                               "web_identity_token_file"};
    struct profile f = {.seen = false};
    if (!open_profile(b, map, in, &f)) return false;
    p->aws.id = profile_get(b, &f, "aws_access_key_id");
    p->aws.secret = profile_get(b, &f, "aws_secret_access_key");
    p->aws.session = profile_get(b, &f, "aws_session_token");
    const ynode *at = in->profile ? in->profile : map;
    if (p->aws.id.n && p->aws.secret.n) return aws_key_good(b, at, &p->aws);
    for (unsigned i = 0; i < sizeof needs_a_call / sizeof *needs_a_call; i++)
        if (profile_get(b, &f, needs_a_call[i]).n)
            return yaml_fail_key(
                b->e, at,
                "the AWS profile \"" STR_FMT "\" has %s, which dray does not follow: put the key of "
                "`aws configure export-credentials` into the environment, or use a Bedrock API key",
                STR_ARG(f.name), needs_a_call[i]);
    if (f.seen || in->profile)
        return yaml_fail_key(b->e, at, "the AWS profile \"" STR_FMT "\" %s", STR_ARG(f.name),
                             f.seen ? "has no access key" : "does not exist");
    return yaml_fail_key(b->e, map,
                         "provider \"" STR_FMT "\" has no credential: say api_key or profile, or set "
                         "AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                         STR_ARG(p->name));
}

static bool aws_credential(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    const char *bearer = p->standard ? env(p->kind->key_env) : NULL, *id = env("AWS_ACCESS_KEY_ID");
    const char *secret = env("AWS_SECRET_ACCESS_KEY"), *session = env("AWS_SESSION_TOKEN");
    if (!in->profile && bearer) {
        p->auth = AUTH_BEARER;
        p->key[p->key_count++] = arena_str(b->a, str_from(bearer));
        return secret_check(b, map, p->key[0]);
    }
    if (in->profile || !id || !secret) return key_from_profile(b, p, map, in);
    p->aws = (struct aws_key){arena_str(b->a, str_from(id)), arena_str(b->a, str_from(secret)),
                              session ? arena_str(b->a, str_from(session)) : STR_NONE};
    return aws_key_good(b, map, &p->aws);
}

static bool aws_region(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    struct profile f = {.seen = false};
    const char *v = env("AWS_REGION");
    if (!v) v = env("AWS_DEFAULT_REGION");
    if (v) {
        p->region = arena_str(b->a, str_from(v));
        return true;
    }
    if (!open_profile(b, map, in, &f)) return false;
    p->region = profile_get(b, &f, "region");
    return p->region.n ||
           yaml_fail_key(b->e, map, "provider \"" STR_FMT "\" needs a region: say region, or set AWS_REGION",
                         STR_ARG(p->name));
}

/* ---- Google ---- */

static bool google_file(struct build *b, const ynode *map, const struct provider_in *in, char path[PATH_MAX],
                        str *text) {
    str named;
    const ynode *at = in->credentials_file ? in->credentials_file : map;
    path_of(path, "GOOGLE_APPLICATION_CREDENTIALS", ".config/gcloud/application_default_credentials.json");
    if (in->credentials_file) {
        if (!yaml_str(in->credentials_file, &named, b->e)) return false;
        snprintf(path, PATH_MAX, STR_FMT, STR_ARG(build_path(b, named)));
    }
    if (!read_file(b, at, path, text)) return false;
    return text->n || !in->credentials_file || yaml_fail(b->e, at, "%s is not there", path);
}

static bool google_account(struct build *b, struct provider *p, const ynode *at, const char *path, jval root) {
    struct google_account *g = &p->google;
    const struct {
        const char *name;
        str *to;
    } fields[] = {{"client_email", &g->email},          {"private_key", &g->key_pem},
                  {"private_key_id", &g->key_id},       {"client_id", &g->client_id},
                  {"client_secret", &g->client_secret}, {"refresh_token", &g->refresh_token},
                  {"token_uri", &g->token_uri}};
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i].to = json_text(json_get(root, str_from(fields[i].name)), b->a);
    if (!g->token_uri.n) g->token_uri = STR("https://oauth2.googleapis.com/token");
    bool service = g->email.n && g->key_pem.n, user = g->client_id.n && g->client_secret.n && g->refresh_token.n;
    if (!service && !user)
        return yaml_fail_key(b->e, at, "%s is neither a service account's key nor a user's default credentials",
                             path);
    if (!service) g->email = STR_NONE;
    struct provider where = {.kind = p->kind};
    const char *wrong =
        g->token_uri.n > SCOPE_URL_MAX ? "it is too long" : provider_url(&where, g->token_uri, b->a);
    if (wrong) return yaml_fail_key(b->e, at, "%s: token_uri: %s", path, wrong);
    g->token_host = where.host;
    g->token_port = where.port;
    g->token_tls = where.tls;
    g->token_path = where.base_path;
    return true;
}

static bool google_credential(struct build *b, struct provider *p, const ynode *map,
                              const struct provider_in *in) {
    char path[PATH_MAX];
    str text;
    jval root;
    const ynode *at = in->credentials_file ? in->credentials_file : map;
    if (!google_file(b, map, in, path, &text)) return false;
    if (!text.n)
        return yaml_fail_key(b->e, map,
                             "provider \"" STR_FMT "\" has no credential: say credentials_file, or set "
                             "GOOGLE_APPLICATION_CREDENTIALS",
                             STR_ARG(p->name));
    if (!json_check(text, &root, NULL, NULL) || root.type != J_OBJECT)
        return yaml_fail_key(b->e, at, "%s is not JSON", path);
    return google_account(b, p, at, path, root);
}

/* The project is often said by the credentials' file only. */
static bool google_where(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    static const char *const places[] = {"GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION"};
    static const char *const projects[] = {"GOOGLE_CLOUD_PROJECT", "ANTHROPIC_VERTEX_PROJECT_ID"};
    char path[PATH_MAX];
    str text;
    jval root;
    for (unsigned i = 0; i < 3 && !p->region.n; i++)
        if (env(places[i])) p->region = arena_str(b->a, str_from(env(places[i])));
    if (!p->region.n) p->region = STR("global");
    for (unsigned i = 0; i < 2 && !p->project.n; i++)
        if (env(projects[i])) p->project = arena_str(b->a, str_from(env(projects[i])));
    if (!p->project.n && google_file(b, map, in, path, &text) && json_check(text, &root, NULL, NULL)) {
        p->project = json_text(json_get(root, STR("project_id")), b->a);
        if (!p->project.n) p->project = json_text(json_get(root, STR("quota_project_id")), b->a);
    }
    return p->project.n || yaml_fail_key(b->e, map, "provider \"" STR_FMT "\" needs a project", STR_ARG(p->name));
}

/* ---- hosts that may be fetched from ---- */

bool build_fetch(struct build *b) {
    struct config *c = b->c;
    const ynode *n = b->top.fetch_allow;
    if (b->top.ca_file) {
        if (!yaml_str(b->top.ca_file, &c->ca_file, b->e)) return false;
        c->ca_file = build_path(b, c->ca_file);
    }
    if (!n) return true;
    if (n->type != Y_SEQ || yaml_count(n) > FETCH_HOSTS_MAX)
        return yaml_fail(b->e, n, "expected a list of up to %d hosts", FETCH_HOSTS_MAX);
    c->fetch_allow = arena_array(b->a, str, yaml_count(n));
    for (const ynode *i = n->child; i; i = i->next)
        if (!yaml_str(i, &c->fetch_allow[c->fetch_allow_count++], b->e)) return false;
    return true;
}

/* ---- the two doors ---- */

bool cloud_where(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    bool aws = p->kind->auth == AUTH_AWS, google = p->kind->auth == AUTH_GOOGLE;
    const struct {
        const ynode *n;
        bool fits;
    } own[] = {{in->region, aws || google},
               {in->project, google},
               {in->profile, aws},
               {in->credentials_file, google},
               {in->api_version, strcmp(p->kind->name, "azure") == 0}};
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].n && !own[i].fits)
            return yaml_fail_key(b->e, own[i].n, "\"" STR_FMT "\" is nothing for kind %s", STR_ARG(own[i].n->key),
                                 p->kind->name);
    if (in->api_version && !(yaml_str(in->api_version, &p->api_version, b->e) &&
                             (word_good(p->api_version) || yaml_fail(b->e, in->api_version, "it is no version"))))
        return false;
    if (!aws && !google) return true;
    if (in->region && !yaml_str(in->region, &p->region, b->e)) return false;
    if (in->project && !yaml_str(in->project, &p->project, b->e)) return false;
    if (aws && !p->region.n && !aws_region(b, p, map, in)) return false;
    if (google && !google_where(b, p, map, in)) return false;
    if (!word_good(p->region) || (google && !word_good(p->project)))
        return yaml_fail_key(b->e, map,
                             "provider \"" STR_FMT "\": region and project are letters, digits and hyphens",
                             STR_ARG(p->name));
    return true;
}

bool cloud_credential(struct build *b, struct provider *p, const ynode *map, const struct provider_in *in) {
    return p->kind->auth == AUTH_AWS ? aws_credential(b, p, map, in) : google_credential(b, p, map, in);
}
