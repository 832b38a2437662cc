/* formats: one row per log format, each with a table of where its fields stand.
 *
 * Sources: LiteLLM (litellm/proxy schema.prisma LiteLLM_SpendLogs, types/utils.py StandardLoggingPayload),
 * OpenRouter's activity export, Langfuse's observations export, Helicone's request export, Portkey's log
 * export, the usage and cost exports of OpenAI, Anthropic and DeepSeek. Order matters: the first row
 * whose keys are all there is taken, so the particular stand before the general. */
#include "insight/format.h"

/* ---- tables ---- */

static const struct column dray_columns[] = {{F_ID, "id"},
                                             {F_TIME, "time|time_us"},
                                             {F_PROVIDER, "provider"},
                                             {F_MODEL, "model"},
                                             {F_REQUESTED, "requested_model"},
                                             {F_KEY, "key"},
                                             {F_TEAM, "team"},
                                             {F_USER, "user"},
                                             {F_SESSION, "session"},
                                             {F_TAG, "tags"},
                                             {F_TASK, "task"},
                                             {F_STAKES, "stakes"},
                                             {F_TIER, "tier"},
                                             {F_RULE, "rule"},
                                             {F_QUALITY, "quality"},
                                             {F_PROPENSITY, "propensity"},
                                             {F_STATUS, "status"},
                                             {F_ERROR, "error"},
                                             {F_STREAM, "stream"},
                                             {F_COST, "cost"},
                                             {F_INPUT, "input_tokens"},
                                             {F_OUTPUT, "output_tokens"},
                                             {F_REASONING, "reasoning_tokens"},
                                             {F_END_TABLE, NULL}};

static const struct column litellm_columns[] = {
    {F_ID, "request_id|id"},
    {F_TIME, "startTime|start_time|starttime"},
    {F_END, "endTime|end_time|endtime"},
    {F_FIRST_AT, "completionStartTime|completion_start_time|completionstarttime"},
    {F_DURATION_MS, "request_duration_ms"},
    {F_PROVIDER, "custom_llm_provider"},
    {F_MODEL, "model"},
    {F_REQUESTED, "model_group"},
    {F_KEY, "metadata.user_api_key_alias|api_key|metadata.user_api_key_hash"},
    {F_TEAM, "metadata.user_api_key_team_alias|team_id|metadata.user_api_key_team_id"},
    {F_USER, "end_user|user|metadata.user_api_key_user_id"},
    {F_SESSION, "session_id|trace_id"},
    {F_TAG, "request_tags"},
    {F_STREAM, "model_parameters.stream|stream"},
    {F_CACHE_HIT, "cache_hit"},
    {F_COST, "spend|response_cost"},
    {F_USAGE, "metadata.usage_object|response.usage"},
    {F_INPUT, "prompt_tokens"},
    {F_OUTPUT, "completion_tokens"},
    {F_TOTAL, "total_tokens"},
    {F_REQUEST, "proxy_server_request|model_parameters"},
    {F_PROMPT, "messages|proxy_server_request.messages|proxy_server_request.input"},
    {F_ANSWER, "response"},
    {F_END_TABLE, NULL}};

static const struct column openrouter_columns[] = {{F_ID, "generation_id|id"},
                                                   {F_TIME, "created_at"},
                                                   {F_DURATION_MS, "generation_time_ms|generation_time"},
                                                   {F_TTFT_MS, "time_to_first_token_ms|latency"},
                                                   {F_MODEL, "model_permaslug|model"},
                                                   {F_KEY, "api_key_name"},
                                                   {F_USER, "user"},
                                                   {F_TAG, "app_name"},
                                                   {F_STREAM, "streamed"},
                                                   {F_COST, "cost_total|total_cost|usage"},
                                                   {F_INPUT, "native_tokens_prompt|tokens_prompt"},
                                                   {F_CACHED, "native_tokens_cached|tokens_cached"},
                                                   {F_OUTPUT, "native_tokens_completion|tokens_completion"},
                                                   {F_REASONING, "native_tokens_reasoning|tokens_reasoning"},
                                                   {F_END_TABLE, NULL}};

static const struct column langfuse_columns[] = {
    {F_ID, "id"},
    {F_TIME, "start_time|startTime|timestamp"},
    {F_END, "end_time|endTime"},
    {F_FIRST_AT, "completion_start_time|completionStartTime"},
    {F_DURATION_S, "latency"},
    {F_TTFT_S, "time_to_first_token|timeToFirstToken"},
    {F_MODEL, "provided_model_name|providedModelName|model|internalModelId"},
    {F_TEAM, "metadata.team"},
    {F_USER, "user_id|userId"},
    {F_SESSION, "session_id|sessionId|trace_id|traceId"},
    {F_TAG, "prompt_name|promptName|name"},
    {F_COST, "total_cost|totalCost|cost_details.total|costDetails.total|calculatedTotalCost"},
    {F_INPUT,
     "usage_details.input|usageDetails.input|usage.input|promptTokens|usage.promptTokens|input_usage|inputUsage"},
    {F_CACHED,
     "usage_details.input_cached_tokens|usageDetails.input_cached_tokens|usage_details.cache_read_input_tokens|"
     "usageDetails.cache_read_input_tokens|usage_details.input_cache_read|usageDetails.input_cache_read"},
    {F_WRITE_5M, "usage_details.cache_creation_input_tokens|usageDetails.cache_creation_input_tokens|"
                 "usage_details.input_cache_creation|usageDetails.input_cache_creation"},
    {F_OUTPUT, "usage_details.output|usageDetails.output|usage.output|completionTokens|usage.completionTokens|"
               "output_usage|outputUsage"},
    {F_REASONING,
     "usage_details.output_reasoning_tokens|usageDetails.output_reasoning_tokens|usage_details.output_reasoning"},
    {F_TOTAL, "usage_details.total|usageDetails.total|usage.total|totalTokens|total_usage"},
    {F_PROMPT, "input"},
    {F_ANSWER, "output"},
    {F_END_TABLE, NULL}};

static const struct column helicone_columns[] = {{F_ID, "request_id"},
                                                 {F_TIME, "request_created_at"},
                                                 {F_END, "response_created_at"},
                                                 {F_DURATION_MS, "delay_ms"},
                                                 {F_TTFT_MS, "time_to_first_token"},
                                                 {F_PROVIDER, "provider"},
                                                 {F_MODEL, "response_model|request_model|model|model_override"},
                                                 {F_REQUESTED, "request_model"},
                                                 {F_USER, "request_user_id|user_id"},
                                                 {F_TEAM, "properties.team|request_properties.team"},
                                                 {F_TAG, "properties.task|request_properties.task|request_path"},
                                                 {F_STATUS, "response_status"},
                                                 {F_COST, "costUSD|cost"},
                                                 {F_INPUT, "prompt_tokens"},
                                                 {F_CACHED, "prompt_cache_read_tokens"},
                                                 {F_WRITE_5M, "prompt_cache_write_tokens"},
                                                 {F_OUTPUT, "completion_tokens"},
                                                 {F_TOTAL, "total_tokens"},
                                                 {F_USAGE, "response_body.usage"},
                                                 {F_REQUEST, "request_body"},
                                                 {F_ANSWER, "response_body"},
                                                 {F_END_TABLE, NULL}};

static const struct column portkey_columns[] = {{F_ID, "id"},
                                                {F_TIME, "created_at"},
                                                {F_DURATION_MS, "response_time"},
                                                {F_PROVIDER, "ai_org"},
                                                {F_MODEL, "ai_model"},
                                                {F_TEAM, "metadata.team"},
                                                {F_USER, "metadata._user|metadata.user"},
                                                {F_SESSION, "trace_id"},
                                                {F_TAG, "prompt_slug|metadata.task"},
                                                {F_STATUS, "response_status_code"},
                                                {F_COST, "cost"},
                                                {F_USAGE, "response.body.usage|response.usage"},
                                                {F_INPUT, "req_units"},
                                                {F_OUTPUT, "res_units"},
                                                {F_REQUEST, "request.body|request"},
                                                {F_ANSWER, "response.body|response"},
                                                {F_END_TABLE, NULL}};

static const struct column bedrock_columns[] = {{F_ID, "requestId"},
                                                {F_TIME, "timestamp"},
                                                {F_MODEL, "modelId"},
                                                {F_KEY, "identity.arn"},
                                                {F_TEAM, "accountId"},
                                                {F_ERROR, "errorCode"},
                                                {F_INPUT, "input.inputTokenCount"},
                                                {F_CACHED, "input.cacheReadInputTokenCount"},
                                                {F_WRITE_5M, "input.cacheWriteInputTokenCount"},
                                                {F_OUTPUT, "output.outputTokenCount"},
                                                {F_REQUEST, "input.inputBodyJson"},
                                                {F_ANSWER, "output.outputBodyJson"},
                                                {F_END_TABLE, NULL}};

static const struct column anthropic_usage_columns[] = {{F_TIME, "usage_date_utc"},
                                                        {F_MODEL, "model_version|model"},
                                                        {F_KEY, "api_key"},
                                                        {F_TEAM, "workspace"},
                                                        {F_INPUT, "usage_input_tokens_no_cache"},
                                                        {F_CACHED, "usage_input_tokens_cache_read"},
                                                        {F_WRITE_5M, "usage_input_tokens_cache_write_5m"},
                                                        {F_WRITE_1H, "usage_input_tokens_cache_write_1h"},
                                                        {F_OUTPUT, "usage_output_tokens"},
                                                        {F_SEARCH, "web_search_count"},
                                                        {F_BATCH, "usage_type"},
                                                        {F_END_TABLE, NULL}};

static const struct column anthropic_cost_columns[] = {
    {F_TIME, "usage_date_utc"}, {F_MODEL, "model"},   {F_KEY, "api_key"},      {F_TEAM, "workspace"},
    {F_TAG, "token_type"},      {F_COST, "cost_usd"}, {F_BATCH, "usage_type"}, {F_END_TABLE, NULL}};

static const struct column openai_usage_columns[] = {{F_TIME, "start_time|start_time_iso"},
                                                     {F_MODEL, "model"},
                                                     {F_KEY, "api_key_id|api_key_name"},
                                                     {F_TEAM, "project_id|project_name"},
                                                     {F_USER, "user_id"},
                                                     {F_CALLS, "num_model_requests"},
                                                     {F_INPUT, "input_tokens"},
                                                     {F_CACHED, "input_cached_tokens"},
                                                     {F_WRITE_5M, "input_cache_write_tokens"},
                                                     {F_OUTPUT, "output_tokens"},
                                                     {F_BATCH, "batch|service_tier"},
                                                     {F_END_TABLE, NULL}};

static const struct column openai_cost_columns[] = {{F_TIME, "start_time|start_time_iso"},
                                                    {F_MODEL, "line_item"},
                                                    {F_TEAM, "project_id|project_name"},
                                                    {F_COST, "amount.value|amount_value|amount|cost_in_major"},
                                                    {F_END_TABLE, NULL}};

static const struct column deepseek_amount_columns[] = {{F_TIME, "start_time_iso|utc_date"},
                                                        {F_MODEL, "model"},
                                                        {F_KEY, "api_key_name"},
                                                        {F_TAG, "type"},
                                                        {F_CALLS, "amount"},
                                                        {F_END_TABLE, NULL}};

static const struct column deepseek_cost_columns[] = {{F_TIME, "start_time_iso|utc_date"},
                                                      {F_MODEL, "model"},
                                                      {F_KEY, "api_key_name"},
                                                      {F_COST, "cost"},
                                                      {F_END_TABLE, NULL}};

static const struct column plain_columns[] = {
    {F_ID, "id|request_id|call_id|requestId"},
    {F_TIME,
     "started|start_time|startTime|timestamp|created_at|created|ts|date|datetime|TIMESTAMP|Timestamp|time"},
    {F_END, "ended|end_time|endTime"},
    {F_DURATION_MS, "duration_ms|latency_ms"},
    {F_DURATION_S, "Elapsed time"},
    {F_TTFT_MS, "ttft_ms"},
    {F_PROVIDER, "provider|custom_llm_provider|system"},
    {F_MODEL, "model|Model|model_name|model_id|modelId|deployment|engine|properties.main_model|properties.model|"
              "extra.invocation_params.model|extra.metadata.ls_model_name"},
    {F_KEY, "key|api_key_name|api_key_alias|api_key"},
    {F_TEAM, "team|project|workspace|organization"},
    {F_USER, "user|user_id|userId|end_user"},
    {F_SESSION, "session|session_id|sessionId|Session ID|trace_id|conversation_id"},
    {F_TAG, "tag|tags|name|edit_format|properties.edit_format"},
    {F_TASK, "task"},
    {F_STAKES, "stakes"},
    {F_STATUS, "status_code|http_status|status"},
    {F_STREAM, "stream"},
    {F_COST, "cost|cost_usd|total_cost|spend|properties.cost"},
    {F_USAGE, "usage"},
    {F_INPUT, "prompt_tokens|input_tokens|promptTokens|inputTokens|tokens_prompt|tokens_in|ContextTokens|Request "
              "tokens|input_length|"
              "num_prompt_tokens|prompt_token_count|num_prefill_tokens|properties.prompt_tokens"},
    {F_CACHED, "cached_tokens|cached_input_tokens"},
    {F_OUTPUT,
     "completion_tokens|output_tokens|completionTokens|outputTokens|tokens_completion|tokens_out|GeneratedTokens|"
     "Response "
     "tokens|output_length|num_completion_tokens|completion_token_count|num_decode_tokens|properties.completion_"
     "tokens"},
    {F_REASONING, "reasoning_tokens"},
    {F_SYSTEM, "system_prompt"},
    {F_PROMPT, "messages|prompt|input|text"},
    {F_ANSWER, "response|completion|output|answer"},
    {F_END_TABLE, NULL}};

/* The aider chat recording: what was sent counts the cached part apart, as Anthropic does. */
static const struct column sent_columns[] = {{F_SESSION, "session"},  {F_MODEL, "model"},     {F_INPUT, "sent"},
                                             {F_CACHED, "cache_hit"}, {F_OUTPUT, "received"}, {F_COST, "cost"},
                                             {F_PROMPT, "prompt"},    {F_ANSWER, "response"}, {F_END_TABLE, NULL}};

/* ---- what columns can't say ---- */

static bool fix_litellm(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    static const struct {
        str word;
        uint8_t task;
    } kinds[] = {{STR_INIT("embedding"), TASK_EMBED},
                 {STR_INIT("image"), TASK_IMAGE},
                 {STR_INIT("speech"), TASK_AUDIO},
                 {STR_INIT("transcription"), TASK_AUDIO}};
    str type = row_text(row, "call_type"), status = row_text(row, "status");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_find(type, kinds[i].word) >= 0) c->task = kinds[i].task, c->task_source = TASK_BY_ENDPOINT;
    c->failed = str_eq(status, STR("failure")) || lazy_present(row_get(row, "error_str"));
    return true;
}

static bool fix_openrouter(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    str finish = row_text(row, "finish_reason_normalized|finish_reason_raw|finish_reason");
    bool out = usage_output_tokens(&c->usage) > 0;
    c->failed = str_eq(finish, STR("error")) || (finish.n == 0 && !out);
    return true;
}

/* Spans repeat what their generations used. */
static bool fix_langfuse(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    str type = row_text(row, "type");
    if (type.n && !str_eq(type, STR("GENERATION")) && !str_eq(type, STR("EMBEDDING"))) return false;
    if (str_eq(type, STR("EMBEDDING"))) c->task = TASK_EMBED, c->task_source = TASK_BY_ENDPOINT;
    c->failed = str_eq(row_text(row, "level"), STR("ERROR"));
    return true;
}

static bool fix_portkey(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    bool good = true;
    if (lazy_bool(row_get(row, "is_success"), &good) && !good) c->failed = true;
    return true;
}

static bool fix_anthropic(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r, (void)row;
    if (c->provider.n == 0) c->provider = STR("anthropic");
    c->calls = 0;
    return true;
}

static bool fix_openai_aggregate(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    if (!row_has(row, STR("num_model_requests"))) c->calls = 0;
    return true;
}

/* Long form: one number a row; they are sums anyway, so each row is booked as it comes. */
static bool fix_deepseek(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    static const struct {
        str type;
        uint8_t class;
    } types[] = {{STR_INIT("input_cache_hit_tokens"), USAGE_CACHED_INPUT},
                 {STR_INIT("input_cache_miss_tokens"), USAGE_INPUT},
                 {STR_INIT("output_tokens"), USAGE_OUTPUT}};
    str type = row_text(row, "type");
    int64_t n = 0;
    c->provider = STR("deepseek");
    c->tag = STR_NONE;
    if (str_eq(type, STR("request_count"))) return true;
    c->calls = 0;
    if (!lazy_i64(row_get(row, "amount"), &n) || n < 0) return false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!str_eq(type, types[i].type)) continue;
        c->usage.units[types[i].class] = n;
        c->usage.source = TOKENS_PROVIDER;
        return true;
    }
    return false;
}

static bool fix_cost_only(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r, (void)row;
    c->calls = 0;
    return true;
}

static bool fix_plain(struct log_reader *r, const struct row *row, struct log_call *c) {
    (void)r;
    str status = row_text(row, "status");
    c->failed = c->failed || str_eq(status, STR("error")) || str_eq(status, STR("failure")) ||
                str_eq(status, STR("failed"));
    return true;
}

const struct log_format log_formats[] = {
    {"dray", "dray's own ledger records", "id requested_model baseline_model", 0, dray_columns, fix_plain, NULL},
    {"litellm-spend", "LiteLLM spend logs (CSV, JSONL)", "request_id spend startTime|start_time|starttime", 0,
     litellm_columns, fix_litellm, NULL},
    {"litellm-payload", "LiteLLM standard logging payload", "response_cost startTime model", 0, litellm_columns,
     fix_litellm, NULL},
    {"openrouter", "OpenRouter activity export", "generation_id|native_tokens_prompt tokens_prompt", 0,
     openrouter_columns, fix_openrouter, NULL},
    {"langfuse", "Langfuse observations", "trace_id|traceId type start_time|startTime|timestamp id", 0,
     langfuse_columns, fix_langfuse, NULL},
    {"helicone", "Helicone requests", "request_created_at request_id", 0, helicone_columns, NULL, NULL},
    {"portkey", "Portkey logs", "ai_model|ai_org request|req_units", 0, portkey_columns, fix_portkey, NULL},
    {"otlp", "OpenTelemetry GenAI spans (OTLP JSON)",
     "resourceSpans|scopeSpans|instrumentationLibrarySpans|spans|batches", 0, NULL, NULL, read_otlp},
    {"otlp-span", "OpenTelemetry spans one by one, as SDKs print them", "attributes context name", 0, NULL, NULL,
     read_otlp},
    {"codex", "Codex session", "type payload timestamp", 0, NULL, NULL, read_codex},
    {"claude-code", "Claude Code session",
     "type sessionId|session_id|leafUuid|snapshot sessionId|message|subtype|leafUuid|snapshot", 0, NULL, NULL,
     read_claude_code},
    {"bedrock", "Amazon Bedrock invocation logs", "modelId input|output operation|schemaType", FMT_EXCLUDES,
     bedrock_columns, NULL, NULL},
    {"openai-usage", "OpenAI usage buckets (sums)", "start_time results", FMT_AGGREGATE, NULL, NULL,
     read_openai_usage},
    {"openai-usage-csv", "OpenAI usage export (sums)", "start_time|start_time_iso num_model_requests",
     FMT_AGGREGATE, openai_usage_columns, fix_openai_aggregate, NULL},
    {"openai-cost-csv", "OpenAI cost export (sums)", "start_time|start_time_iso amount_value|amount line_item",
     FMT_AGGREGATE, openai_cost_columns, fix_cost_only, NULL},
    {"anthropic-usage", "Anthropic usage and cost buckets (sums)", "starting_at results", FMT_AGGREGATE, NULL,
     NULL, read_anthropic_usage},
    {"anthropic-usage-csv", "Anthropic usage export (sums)", "usage_date_utc usage_output_tokens",
     FMT_AGGREGATE | FMT_EXCLUDES, anthropic_usage_columns, fix_anthropic, NULL},
    {"anthropic-cost-csv", "Anthropic cost export (sums)", "usage_date_utc cost_usd", FMT_AGGREGATE,
     anthropic_cost_columns, fix_anthropic, NULL},
    {"deepseek-amount", "DeepSeek usage export (sums)", "start_time_iso|utc_date type amount", FMT_AGGREGATE,
     deepseek_amount_columns, fix_deepseek, NULL},
    {"deepseek-cost", "DeepSeek cost export (sums)", "start_time_iso|utc_date model cost", FMT_AGGREGATE,
     deepseek_cost_columns, fix_cost_only, NULL},
    {"aider-chat", "aider chat history", "sent received cache_hit", FMT_EXCLUDES, sent_columns, NULL, NULL},
    {"calls", "one call a row, under common names",
     "prompt_tokens|input_tokens|promptTokens|inputTokens|tokens_prompt|tokens_in|ContextTokens|Request~tokens|"
     "input_length|num_"
     "prompt_tokens|"
     "num_prefill_tokens "
     "completion_tokens|output_tokens|completionTokens|outputTokens|tokens_completion|tokens_out|GeneratedTokens|"
     "Response~tokens|"
     "output_length|num_completion_tokens|num_decode_tokens",
     0, plain_columns, fix_plain, NULL},
    {"requests", "requests and answers of OpenAI, Anthropic or Gemini (pairs, batch files, stored completions)",
     "request|response|messages|prompt|contents|choices|content|input|inputs|body|output|result|usage|candidates|"
     "kwargs|request_body|response_body|requestBody|responseBody|req|resp|res",
     0, NULL, NULL, read_pair},
    {NULL, NULL, NULL, 0, NULL, NULL, NULL},
};

/* ---- telling ---- */

/* A name with spaces is written with '~' for them. */
static bool has_key(const struct row *row, str name) {
    char spaced[64];
    if (str_chr(name, '~') < 0 || name.n >= sizeof spaced) return row_has(row, name);
    for (size_t i = 0; i < name.n; i++) spaced[i] = name.p[i] == '~' ? ' ' : name.p[i];
    return row_has(row, (str){spaced, name.n});
}

static bool has_keys(const struct row *row, const char *keys) {
    str rest = str_from(keys), all, any;
    while (str_cut(&rest, ' ', &all)) {
        bool found = false;
        while (!found && str_cut(&all, '|', &any)) found = has_key(row, any);
        if (!found) return false;
    }
    return true;
}

const struct log_format *log_format_of(const struct row *row) {
    for (const struct log_format *f = log_formats; f->name; f++)
        if (has_keys(row, f->keys)) return f;
    return NULL;
}
