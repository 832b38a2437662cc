/* config: what a file means, and every refusal with its place. */
#include "config_test.h"

#include "base/log.h"
#include "base/yaml.h"

#include <sys/stat.h>
#include <unistd.h>

static void test_defaults(void **state) {
    (void)state;
    struct config *c = good(UP);
    assert_int_equal(c->listen_count, 1);
    assert_true(str_eqz(c->listen[0].host, "127.0.0.1") && c->listen[0].port == 4000 && c->listen[0].loopback);
    assert_true(c->workers >= 1 && c->workers <= 4);
    assert_true(c->mode == MODE_ROUTE && c->reroute == REROUTE_AUTO_ONLY && c->on_full == ON_FULL_SERVE);
    assert_true(c->on_disconnect == DISCONNECT_CANCEL && c->log_level == LOG_INFO && !c->ledger_fsync);
    assert_true(str_eqz(c->ledger_path, "dray.db") && str_eqz(c->spool_dir, "spool"));
    assert_true(c->limits.body_max == 64u << 20 && c->limits.hold_max == 1u << 20 &&
                c->limits.drain_us == 30000000);
    assert_true(c->keep_calls_us == 0 && !c->keys_required && !c->admin_required && !c->simulated);
    const struct provider *p = &c->provider[0];
    assert_true(!p->tls && str_eqz(p->host, "h") && p->port == 1 && str_eqz(p->host_header, "h:1") &&
                str_eqz(p->base_path, "/v1"));
    assert_true(p->verify && p->auth == AUTH_BEARER && p->key_count == 1 && str_eqz(p->key[0], "sk-1"));
    assert_true(p->timeout.connect == 5000000 && p->timeout.total == 3600000000u &&
                p->stream_usage == STREAM_USAGE_INJECT);
    config_unpin(c);
}

static void test_everything(void **state) {
    (void)state;
    setenv("T_KEY", "sk-env", 1);
    struct config *c =
        good("listen: ['127.0.0.1:4000', '[::1]:4001', 'unix:/run/x.sock', 'localhost:0']\n"
             "keys: [first, {key: second, name: bot, team: red, admin: true}]\n"
             "admin_key: boss\n"
             "mode: observe\nreroute: always\non_ledger_full: refuse\non_disconnect: finish\nworkers: 3\n"
             "gateway: gw-1\nlog_level: warn\nledger: sqlite:/var/x.db\nspool: /var/sp\nledger_fsync: true\n"
             "keep: {calls: 400d, bodies: 14d}\n"
             "limits: {body_max: 1MB, client_idle: 5s, client_connections: 10}\n"
             "timeout: {connect: 1s, idle: 90s}\nca_file: /etc/ca.pem\n"
             "providers:\n"
             "  openai: {api_key: ${T_KEY}, timeout: 30s, max_connections: 7, stream_usage: observe}\n"
             "  mistral: {api_keys: [k1, k2], base_url: 'https://[::2]:8443/', forward_headers: [X-Tag]}\n"
             "  mine: {kind: openai, api_key: client, base_url: 'HTTPS://Example.COM/a/b/', headers: {X-Y: z}}\n"
             "  quoted: {kind: groq, api_key: 'client'}\n"
             "  gpu: {kind: vllm, price: {gpu_hour: 2.5, tokens_per_hour: 5000000}, ca_file: /x.pem}\n");
    assert_int_equal(c->listen_count, 4);
    assert_true(str_eqz(c->listen[1].host, "::1") && c->listen[1].loopback && c->listen[1].port == 4001);
    assert_true(c->listen[2].is_unix && str_eqz(c->listen[2].host, "/run/x.sock"));
    assert_true(str_eqz(c->listen[3].host, "127.0.0.1") && c->listen[3].port == 0);
    assert_true(c->mode == MODE_OBSERVE && c->reroute == REROUTE_ALWAYS && c->on_full == ON_FULL_REFUSE &&
                c->workers == 3);
    assert_true(c->on_disconnect == DISCONNECT_FINISH && c->log_level == LOG_WARN && c->ledger_fsync);
    assert_true(str_eqz(c->gateway, "gw-1") && str_eqz(c->ledger_path, "/var/x.db") &&
                str_eqz(c->spool_dir, "/var/sp"));
    assert_true(c->keep_calls_us == 400ull * 86400000000 && c->keep_bodies_us == 14ull * 86400000000);
    assert_true(c->limits.body_max == 1 << 20 && c->limits.client_idle_us == 5000000 &&
                c->limits.client_connections == 10);
    const struct provider *p = config_provider(c, STR("openai"));
    assert_true(p->tls && str_eqz(p->host_header, "api.openai.com") && p->port == 443 &&
                str_eqz(p->key[0], "sk-env"));
    assert_true(p->timeout.total == 30000000 && p->timeout.connect == 1000000 && p->timeout.idle == 90000000 &&
                p->max_connections == 7);
    assert_true(p->stream_usage == STREAM_USAGE_OBSERVE && str_eqz(p->ca_file, "/etc/ca.pem"));
    p = config_provider(c, STR("mistral"));
    assert_true(p->key_count == 2 && str_eqz(p->host, "::2") && str_eqz(p->host_header, "[::2]:8443") &&
                str_eqz(p->base_path, "/v1"));
    assert_true(p->stream_usage == STREAM_USAGE_OBSERVE && p->forward_count == 1 &&
                str_eqz(p->forward[0], "x-tag"));
    p = config_provider(c, STR("mine"));
    assert_true(p->key_from_client && p->key_count == 0 && str_eqz(p->host, "example.com") &&
                str_eqz(p->base_path, "/a/b"));
    assert_true(p->header_count == 1 && str_eqz(p->header[0].name, "x-y") && str_eqz(p->header[0].value, "z"));
    p = config_provider(c, STR("quoted")); /* a key that happens to be the word */
    assert_true(!p->key_from_client && p->key_count == 1);
    p = config_provider(c, STR("gpu"));
    assert_true(p->auth == AUTH_NONE && p->port == 8000 && str_eqz(p->ca_file, "/x.pem"));
    assert_true(p->price->rate[SERVICE_DEFAULT][USAGE_OUTPUT] == 500000000 &&
                str_eqz(p->price->version, "config"));
    config_unpin(c);
}

/* Golden messages: each names the place of what is wrong. */
static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"polcy: []\n", "t.yaml:1:1: unknown key \"polcy\": did you mean \"policy\"?"},
        {"master_key: x\n", "t.yaml:1:1: unknown key \"master_key\": did you mean \"admin_key\"?"},
        {"providers:\n  a: {kind: openai, api_base: x}\n",
         "t.yaml:2:21: unknown key \"api_base\": did you mean \"base_url\"?"},
        {"model_list: []\n",
         "t.yaml:1:1: this is a LiteLLM configuration; `dray import litellm FILE` converts it"},
        {"[1]\n", "t.yaml:1:1: expected a map of options, not a list"},
        {UP "mode: sometimes\n", "t.yaml:3:7: expected route or observe, not \"sometimes\""},
        {UP "workers: 0\n", "t.yaml:3:10: must be between 1 and 256"},
        {UP "mode:\n", "t.yaml:3:6: \"mode\" has no value"},
        {UP "tls: {cert: a, key: b}\n", "t.yaml:3:1: \"tls\" is not supported yet in this version of dray"},
        {UP "shared: redis://x\n", "t.yaml:3:1: \"shared\" is not supported yet in this version of dray"},
        {UP "cors: x\n", "t.yaml:3:1: \"cors\" is not supported yet in this version of dray"},
        {UP "proxy: x\n", "t.yaml:3:1: \"proxy\" is not supported yet in this version of dray"},
        {UP "cors: x\n", "t.yaml:3:1: \"cors\" is not supported yet in this version of dray"},
        {UP "ledger: postgres://h/db\n",
         "t.yaml:3:9: a PostgreSQL ledger is not supported yet in this version of dray; use sqlite:PATH"},
        {UP "tiers: {light: {targets: [up/a], balance: latency}}\n",
         "t.yaml:3:43: \"balance: latency\" is not supported yet in this version of dray"},
        {UP "listen: 4000\n",
         "t.yaml:3:9: expected address:port, for example 127.0.0.1:4000, [::1]:4000 or unix:/run/dray.sock"},
        {UP "listen: example.com:80\n", "t.yaml:3:9: expected an address, not a name"},
        {UP "listen: ::1:80\n", "t.yaml:3:9: an IPv6 address needs brackets: [::1]:4000"},
        {UP "listen: []\n", "t.yaml:3:9: an empty list: dray has to listen somewhere"},
        {UP "listen: ['127.0.0.1:1', '127.0.0.1:1']\n", "t.yaml:3:25: this address is here twice"},
        {UP "listen: 0.0.0.0:4000\n", "t.yaml:3:9: other machines can reach 0.0.0.0:4000, and without `keys` "
                                      "anybody there could spend your credit; add "
                                      "keys (for example keys: [${DRAY_KEY}]) or listen on 127.0.0.1"},
        {UP "listen: '[::]:1'\nadmin_key: x\n", "t.yaml:3:9: other machines can reach [::]:1, and without `keys` "
                                                "anybody there could spend your credit; add keys "
                                                "(for example keys: [${DRAY_KEY}]) or listen on 127.0.0.1"},
        {UP "keys: one\n", "t.yaml:3:7: expected a list of keys"},
        {UP "keys: ['']\n", "t.yaml:3:8: an empty key would let everybody in"},
        {UP "keys: [a, a]\n", "t.yaml:3:11: this key is here twice"},
        {UP "keys: [{name: x}]\n", "t.yaml:3:8: \"key\" is missing"},
        {UP "keys: [{key: a, name: x}, {key: b, name: x}]\n",
         "t.yaml:3:33: there is another key with the name \"x\""},
        {UP "keys: ['a b']\n", "t.yaml:3:8: the credential has characters that can't stand in a header (spaces, "
                               "line ends, or not ASCII)"},
        {"providers: {}\n", "t.yaml:1:12: no provider: nobody could answer a call"},
        {"providers: {a/b: {kind: openai}}\n",
         "t.yaml:1:13: a provider's name has 1 to 64 letters, digits, - . _ (and is not \"auto\")"},
        {"providers: {openai: {kind: openai}}\n",
         "t.yaml:1:13: provider \"openai\" has no api_key, and OPENAI_API_KEY is not set"},
        {"providers: {azure: {api_key: k}}\n",
         "t.yaml:1:13: provider \"azure\" needs a base_url: kind azure has no address of its own"},
        {"providers: {a: {kind: openai, api_key: a, api_key_file: b}}\n",
         "t.yaml:1:43: one way to give the credential is enough: there is \"api_key\" already"},
        {"providers: {a: {kind: openai, api_key: \"a\\nb\"}}\n",
         "t.yaml:1:40: the credential has characters that can't stand in a header (spaces, line ends, or not "
         "ASCII)"},
        {"providers: {a: {kind: openai, api_key: ''}}\n", "t.yaml:1:40: the credential is empty"},
        {"providers: {a: {kind: openai, api_key: k, base_url: ftp://x}}\n",
         "t.yaml:1:53: base_url of \"a\": expected http:// or https://"},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://u:p@x/'}}\n",
         "t.yaml:1:53: base_url of \"a\": a user name or password can't be part of it: use api_key or headers"},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://x:0/'}}\n",
         "t.yaml:1:53: base_url of \"a\": the port must be 1 to 65535"},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://x/?a=b'}}\n",
         "t.yaml:1:53: base_url of \"a\": a query or fragment can't be part of it"},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://x y/'}}\n",
         "t.yaml:1:53: base_url of \"a\": no valid host name or address"},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://[::1/'}}\n",
         "t.yaml:1:53: base_url of \"a\": \"[\" without \"]\""},
        {"providers: {a: {kind: openai, api_key: k, base_url: 'http://127.0.0.1:4000/v1'}}\n",
         "t.yaml:1:13: provider \"a\" is at 127.0.0.1:4000, where dray itself listens"},
        {"providers: {a: {kind: openai, api_key: k, headers: {Host: x}}}\n",
         "t.yaml:1:53: the header host can't be set or passed on"},
        {"providers: {a: {kind: openai, api_key: k, headers: {a b: x}}}\n",
         "t.yaml:1:53: \"a b\" is no name of a header"},
        {"providers: {a: {kind: openai, api_key: k, headers: {a: \"x\\ny\"}}}\n",
         "t.yaml:1:56: a header can't have control characters"},
        {"providers: {a: {kind: openai, api_key: k, forward_headers: [x-dray-task]}}\n",
         "t.yaml:1:61: x-dray- headers are dray's own and never go up"},
        {"providers: {a: {kind: openai, api_key: k, forward_headers: [Authorization]}}\n",
         "t.yaml:1:61: the client's credential is passed on with `api_key: client`"},
        {"providers: {a: {kind: openai, api_key: k, verify: false}}\n", NULL},
        {"providers: {a: {kind: openai, api_key: k, price: cheap}}\n",
         "t.yaml:1:50: expected `free`, {input: …, output: …} in dollars per million tokens, or {gpu_hour: …, "
         "tokens_per_hour: …}, not \"cheap\""},
        {"providers: {a: {kind: openai, api_key: k, price: {inptu: 1}}}\n",
         "t.yaml:1:51: unknown key \"inptu\": did you mean \"input\"?"},
        {"providers: {a: {kind: openai, api_key: k, price: {input: -1}}}\n",
         "t.yaml:1:58: expected dollars, like 0.15, not \"-1\""},
        {"providers: {a: {kind: openai, api_key: k, price: {gpu_hour: 1}}}\n",
         "t.yaml:1:50: \"tokens_per_hour\" is missing"},
        {"providers: {a: {kind: openai, api_key: k, price: {context: [{input: 1}]}}}\n",
         "t.yaml:1:61: \"above\" is missing"},
        {UP "models: {auto: {provider: up}}\n",
         "t.yaml:3:10: a model's name has 1 to 256 characters, no spaces, and is not \"auto\""},
        {UP "models: {m: {model: x}}\n", "t.yaml:3:13: \"provider\" is missing"},
        {UP "models: {m: {provider: down}}\n", "t.yaml:3:24: there is no provider \"down\""},
        {UP "models: {m: nowhere}\n",
         "t.yaml:3:13: \"nowhere\" is no configured model, no provider/model, and no model of the "
         "catalogue that a configured provider has"},
        {UP "tiers: {light: [up/a, up/a]}\n", "t.yaml:3:23: \"up/a\" is in this tier already"},
        {UP "tiers: {light: []}\n", "t.yaml:3:16: expected a list of models"},
        {UP "tiers: {light: {balance: cost}}\n", "t.yaml:3:16: \"targets\" is missing"},
        {UP "tiers: {light: {targets: [{model: up/a, weight: 0}]}}\n", "t.yaml:3:26: all weights are 0"},
        {UP "tiers: {off: [up/a]}\n",
         "t.yaml:3:9: a tier's name has 1 to 32 characters, no spaces or slashes, and is not \"auto\" or \"off\""},
        {UP "baseline: nothing\n", "t.yaml:3:11: \"nothing\" is no tier and no model"},
        {UP "policy: [{use: heavy}]\n", "t.yaml:3:16: \"heavy\" is no tier, model or configured name"},
        {UP "limits: {client_head: 0}\n", "t.yaml:3:23: must be more than nothing"},
        {UP "limits: {body_max: 2GB}\n", "t.yaml:3:20: must be between 1024 and 1073741824"},
        {UP "prices: /does/not/exist\n", "t.yaml:3:9: /does/not/exist: No such file or directory"},
        {UP "include: nope.yaml\n", "t.yaml:3:10: included: nope.yaml: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].message) {
            refused(cases[i].text, cases[i].message);
            continue;
        }
        err e;
        assert_null(config_parse(str_from(cases[i].text), "t.yaml", &e));
    }
}

/* However a file is wrong, a message never shows what came from the environment or stands as a key. */
static void test_secrets_stay(void **state) {
    (void)state;
    setenv("T_KEY", "sk-hidden value", 1);
    static const char *const texts[] = {
        "providers: {a: {kind: openai, api_key: ${T_KEY}}}\n",
        "providers: {a: {kind: ${T_KEY}, api_key: x}}\n",
        "providers: {a: {kind: openai, api_key: x, base_url: ${T_KEY}}}\n",
        "providers: {a: {kind: openai, api_key: x, timeout: ${T_KEY}}}\n",
        UP "keys: [${T_KEY}]\n",
        UP "models: {m: ${T_KEY}}\n",
        UP "mode: ${T_KEY}\n",
        UP "tiers: {light: [${T_KEY}]}\n",
        UP "admin_key: ${T_KEY}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        err e = {{0}};
        assert_null(config_parse(str_from(texts[i]), "t.yaml", &e));
        assert_true(e.msg[0]);
        if (strstr(e.msg, "sk-hidden")) fail_msg("%s: %s", texts[i], e.msg);
    }
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_credentials(void **state) {
    (void)state;
    char dir[] = "/tmp/dray-config-XXXXXX", path[64], text[256];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/key", dir);
    write_file(path, "  sk-from-file\n");
    snprintf(text, sizeof text, "providers: {a: {kind: openai, api_key_file: %s}}\n", path);
    struct config *c = good(text);
    assert_true(str_eqz(c->provider[0].key[0], "sk-from-file"));
    config_unpin(c);
    write_file(path, "two words\n");
    err e;
    assert_null(config_parse(str_from(text), "t.yaml", &e));
    assert_null(strstr(e.msg, "two"));
    unlink(path);
    rmdir(dir);

    c = good("providers: {a: {kind: openai, api_key_command: 'printf sk-; echo cmd'}}\n");
    assert_true(str_eqz(c->provider[0].key[0], "sk-cmd"));
    config_unpin(c);
    refused("providers: {a: {kind: openai, api_key_command: 'exit 3'}}\n",
            "t.yaml:1:48: the command failed (exit status 3)");
    refused("providers: {a: {kind: openai, api_key_command: 'kill -9 $$'}}\n",
            "t.yaml:1:48: the command failed (signal 9)");
    refused("providers: {a: {kind: openai, api_key_command: 'true'}}\n", "t.yaml:1:48: the credential is empty");
    refused("providers: {a: {kind: openai, api_key_command: 'yes'}}\n",
            "t.yaml:1:48: the command printed more than 16384 bytes");
    refused("providers: {a: {kind: openai, api_key_file: /does/not/exist}}\n",
            "t.yaml:1:45: /does/not/exist: No such file or directory");

    /* The environment's key goes to the kind's own address only. */
    setenv("OPENAI_API_KEY", "sk-env", 1);
    c = good("providers:\n  openai: {}\n  local: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}\n  own: {kind: "
             "openai, headers: "
             "{authorization: Basic x}}\n");
    assert_true(str_eqz(c->provider[0].key[0], "sk-env"));
    assert_true(c->provider[1].key_count == 0 && c->provider[1].auth == AUTH_NONE);
    assert_true(c->provider[2].key_count == 0 && c->provider[2].auth == AUTH_NONE);
    config_unpin(c);
}

static void test_keys(void **state) {
    (void)state;
    struct config *c =
        good(UP "keys: [first, {key: second, name: bot, team: red}]\nadmin_key: boss\nlisten: 0.0.0.0:4000\n");
    assert_true(c->keys_required && c->admin_required);
    const struct client_key *k = config_key(c, STR("first"));
    assert_true(k && str_eqz(k->name, "key-1") && !k->admin && !k->team.n);
    k = config_key(c, STR("second"));
    assert_true(k && str_eqz(k->name, "bot") && str_eqz(k->team, "red"));
    k = config_key(c, STR("boss"));
    assert_true(k && str_eqz(k->name, "admin") && k->admin);
    assert_null(config_key(c, STR("firs")));
    assert_null(config_key(c, STR("")));
    assert_null(config_key(c, STR_NONE));
    config_unpin(c);
    c = good(UP "admin_key: boss\n");
    assert_true(!c->keys_required && c->admin_required);
    config_unpin(c);
}

static void test_listen_override(void **state) {
    (void)state;
    setenv("DRAY_LISTEN", "127.0.0.1:5000, [::1]:5001", 1);
    struct config *c = good("listen: 0.0.0.0:1\n" UP);
    assert_true(c->listen_count == 2 && c->listen[1].port == 5001);
    config_unpin(c);
    setenv("DRAY_LISTEN", "0.0.0.0:5000", 1);
    refused(UP, "other machines can reach 0.0.0.0:5000, and without `keys` anybody there could spend your credit; "
                "add keys "
                "(for example keys: [${DRAY_KEY}]) or listen on 127.0.0.1");
    setenv("DRAY_LISTEN", "nonsense", 1);
    refused(UP,
            "$DRAY_LISTEN: expected address:port, for example 127.0.0.1:4000, [::1]:4000 or unix:/run/dray.sock");
}

static void test_include(void **state) {
    (void)state;
    char dir[] = "/tmp/dray-config-XXXXXX", main_path[64], part[64], third[64];
    assert_non_null(mkdtemp(dir));
    snprintf(main_path, sizeof main_path, "%s/dray.yaml", dir);
    snprintf(part, sizeof part, "%s/part.yaml", dir);
    snprintf(third, sizeof third, "%s/third.yaml", dir);
    write_file(third, "policy: [{name: third, use: light}]\n");
    write_file(part, "include: third.yaml\nproviders: {b: {kind: sim}}\ntiers: {light: [b/x]}\nkeys: [k1]\n");
    write_file(main_path, "include: [part.yaml]\nproviders: {a: {kind: sim}}\ntiers: {mid: [a/y]}\nkeys: "
                          "[k2]\npolicy: [{name: own, use: mid}]\n");
    err e = {{0}};
    struct config *c = config_load(main_path, &e);
    if (!c) fail_msg("%s", e.msg);
    assert_true(c->provider_count == 2 && c->router.tier_count == 2 && c->key_count == 2);
    assert_true(str_eqz(c->key[0].name, "key-1") && config_key(c, STR("k1")) == &c->key[0]);
    assert_true(str_starts(c->ledger_path, str_from(dir)));
    config_unpin(c);
    /* The same provider in two files, and any other key in two files, are errors that name both places. */
    write_file(main_path, "include: part.yaml\nproviders: {b: {kind: sim}}\n");
    assert_null(config_load(main_path, &e));
    assert_non_null(strstr(e.msg, "dray.yaml:2:13: \"b\" is on line 2 of"));
    write_file(part, "mode: route\n");
    write_file(main_path, "include: part.yaml\nmode: route\n");
    assert_null(config_load(main_path, &e));
    assert_non_null(strstr(e.msg, "dray.yaml:2:1: \"mode\" is on line 1 of"));
    write_file(part, "a: [\n");
    assert_null(config_load(main_path, &e));
    assert_non_null(strstr(e.msg, "part.yaml:2:1: "));
    write_file(main_path, "include: dray.yaml\n");
    assert_null(config_load(main_path, &e));
    assert_non_null(strstr(e.msg, "more than 32 included files"));
    unlink(main_path), unlink(part), unlink(third), rmdir(dir);
}

static void test_version(void **state) {
    (void)state;
    struct config *a = good(UP "mode: route\n"), *b = good("mode: route\n" UP "# a comment\n");
    assert_true(a->version.n == 12 && str_eq(a->version, b->version));
    config_unpin(b);
    b = good("providers:\n  up: {kind: openai, base_url: 'http://h:1/v1', api_key: sk-2}\n"); /* another credential
                                                                                                 only */
    assert_true(str_eq(a->version, b->version));
    config_unpin(b);
    static const char *const changes[] = {UP "mode: observe\n",
                                          UP "policy: [{use: up/a}]\n",
                                          UP "labels: [{when: {key: a}, set: {task: qa}}]\n",
                                          UP "tiers: {light: [up/a]}\n",
                                          UP "models: {m: {provider: up}}\n",
                                          UP "models: {m: {provider: up, price: free}}\n"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        b = good(changes[i]);
        if (str_eq(a->version, b->version)) fail_msg("no other version: %s", changes[i]);
        config_unpin(b);
    }
    config_unpin(a);
}

static void test_pins(void **state) {
    (void)state;
    struct config *c = good(UP);
    assert_ptr_equal(config_pin(c), c);
    config_unpin(c);
    assert_true(str_eqz(c->provider[0].key[0], "sk-1")); /* still pinned once */
    config_unpin(c);
    config_unpin(NULL);
}

static void test_warnings(void **state) {
    (void)state;
    struct config *c = good(UP "  gpu: {kind: ollama}\n");
    assert_int_equal(c->warning_count, 2);
    assert_true(str_eqz(c->warning[0], "provider up: its key goes over http, in clear text"));
    assert_true(str_starts(c->warning[1], STR("provider gpu: what its models cost is unknown")));
    config_unpin(c);
    setenv("HTTPS_PROXY", "http://proxy:3128", 1);
    c = good("providers: {sim: {}}\n");
    assert_int_equal(c->warning_count, 0);
    config_unpin(c);
    c = good("providers: {openai: {api_key: k}}\n");
    assert_int_equal(c->warning_count, 1);
    assert_true(str_starts(c->warning[0], STR("HTTPS_PROXY is set, but")));
    config_unpin(c);
}

static void test_restart(void **state) {
    (void)state;
    struct config *a = good(UP), *b = good(UP "listen: 127.0.0.1:4001\nworkers: 9\nkeep: {calls: 1d}\n");
    assert_int_equal(config_needs_restart(a, a).n, 0);
    assert_true(str_eqz(config_needs_restart(a, b), "listen, workers, keep"));
    config_unpin(a);
    config_unpin(b);
}

static void test_limits(void **state) {
    (void)state;
    struct config *c = good(UP "limits: {drain: 7s}\n");
    buf out;
    buf_init(&out, 1 << 16);
    config_limits(c, &out);
    assert_true(str_find(buf_view(&out), STR("limits.drain                7 s")) > 0);
    assert_true(str_find(buf_view(&out), STR("limits.body_max             67108864 bytes")) >= 0);
    assert_true(str_find(buf_view(&out), STR("router.tiers                16  tiers")) > 0);
    buf_free(&out);
    config_unpin(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, clean_environment),
        cmocka_unit_test_setup(test_everything, clean_environment),
        cmocka_unit_test_setup(test_refusals, clean_environment),
        cmocka_unit_test_setup(test_secrets_stay, clean_environment),
        cmocka_unit_test_setup(test_credentials, clean_environment),
        cmocka_unit_test_setup(test_keys, clean_environment),
        cmocka_unit_test_setup(test_listen_override, clean_environment),
        cmocka_unit_test_setup(test_include, clean_environment),
        cmocka_unit_test_setup(test_version, clean_environment),
        cmocka_unit_test_setup(test_pins, clean_environment),
        cmocka_unit_test_setup(test_warnings, clean_environment),
        cmocka_unit_test_setup(test_restart, clean_environment),
        cmocka_unit_test_setup(test_limits, clean_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
