/* gemini: generateContent answers, streams and errors (Gemini API and Vertex AI).
 *
 * promptTokenCount includes what was cached; candidatesTokenCount excludes thoughts; tokens of tool use
 * come on top. A stream has no terminator: the chunk with a finishReason is the last word. There is no
 * tool reason, and calls come whole; ids are minted where there are none, so that two calls of one tool
 * can be told apart. */
#include "chat/chat_int.h"
#include "chat/openai.h"

enum { LOGPROBS_MAX = 16 << 20 };

/* ---- finish ---- */

static const struct {
    str word;
    int64_t number; /* some servers give the enum's number */
    enum finish finish;
} finishes[] = {
    {STR_INIT("STOP"), 1, FINISH_STOP},
    {STR_INIT("MAX_TOKENS"), 2, FINISH_LENGTH},
    {STR_INIT("SAFETY"), 3, FINISH_FILTER},
    {STR_INIT("RECITATION"), 4, FINISH_FILTER},
    {STR_INIT("OTHER"), 5, FINISH_OTHER},
    {STR_INIT("LANGUAGE"), 6, FINISH_FILTER},
    {STR_INIT("BLOCKLIST"), 7, FINISH_FILTER},
    {STR_INIT("PROHIBITED_CONTENT"), 8, FINISH_FILTER},
    {STR_INIT("SPII"), 9, FINISH_FILTER},
    {STR_INIT("MALFORMED_FUNCTION_CALL"), 10, FINISH_OTHER},
    {STR_INIT("IMAGE_SAFETY"), 11, FINISH_FILTER},
    {STR_INIT("MODEL_ARMOR"), -1, FINISH_FILTER},
};

static enum finish finish_of(jval reason) {
    int64_t n = 0;
    bool number = json_i64(reason, &n);
    if (!number && reason.type != J_STRING) return FINISH_NONE;
    if (json_is(reason, STR("FINISH_REASON_UNSPECIFIED")) || (number && n == 0)) return FINISH_NONE;
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++)
        if (number ? n == finishes[i].number : json_is(reason, finishes[i].word)) return finishes[i].finish;
    return FINISH_OTHER;
}

static const char *finish_word(uint8_t finish) {
    switch (finish) {
    case FINISH_LENGTH: return "MAX_TOKENS";
    case FINISH_FILTER: return "SAFETY";
    case FINISH_OTHER: return "OTHER";
    default: return "STOP";
    }
}

/* ---- usage ---- */

enum {
    U_PROMPT,
    U_TOOLS,
    U_CACHED,
    U_THOUGHTS,
    U_MADE,
    U_LIVE,
    U_TOTAL,
    U_COUNTS,
    U_IN = U_COUNTS,
    U_OUT,
    U_CACHE,
    U_TIER,
    U_TRAFFIC,
    U_MEMBERS
};
static const str usage_names[U_MEMBERS] = {STR_INIT("promptTokenCount"),
                                           STR_INIT("toolUsePromptTokenCount"),
                                           STR_INIT("cachedContentTokenCount"),
                                           STR_INIT("thoughtsTokenCount"),
                                           STR_INIT("candidatesTokenCount"),
                                           STR_INIT("responseTokenCount"),
                                           STR_INIT("totalTokenCount"),
                                           STR_INIT("promptTokensDetails"),
                                           STR_INIT("candidatesTokensDetails"),
                                           STR_INIT("cacheTokensDetails"),
                                           STR_INIT("serviceTier"),
                                           STR_INIT("trafficType")};

static int64_t count(jval v, struct usage *u) {
    int64_t n = 0;
    if (!jv_has(v)) return 0;
    if (json_i64(v, &n) && n >= 0) return n;
    u->suspect = true;
    return 0;
}

/* Audio and image tokens of a list of modalities; some servers give the enum's number. */
struct modalities {
    int64_t audio, image;
};

static struct modalities of_modality(jval details) {
    enum { IMAGE = 2, AUDIO = 4 };
    static const str names[] = {STR_INIT("modality"), STR_INIT("tokenCount")};
    struct modalities m = {0, 0};
    jval d, f[2];
    int64_t n;
    for (jiter it = json_iter(details); details.type == J_ARRAY && json_item(&it, &d);) {
        chat_pick(d, names, f, 2);
        if (!json_i64(f[1], &n) || n < 0) continue;
        int64_t kind = json_is(f[0], STR("AUDIO")) ? AUDIO : json_is(f[0], STR("IMAGE")) ? IMAGE : 0;
        if (f[0].type == J_NUMBER) json_i64(f[0], &kind);
        if (kind == AUDIO) m.audio += n;
        if (kind == IMAGE) m.image += n;
    }
    return m;
}

static int64_t take(int64_t n, int64_t *left) {
    if (n > *left) n = *left;
    *left -= n;
    return n;
}

bool gemini_usage(jval meta, struct usage *out) {
    struct usage u = {.service_tier = out->service_tier, .source = TOKENS_PROVIDER};
    jval f[U_MEMBERS];
    int64_t n[U_COUNTS];
    if (meta.type != J_OBJECT) return false;
    chat_pick(meta, usage_names, f, U_MEMBERS);
    for (unsigned i = 0; i < U_COUNTS; i++) n[i] = count(f[i], &u);
    if (!n[U_MADE]) n[U_MADE] = n[U_LIVE]; /* live sessions' name */
    struct modalities in = of_modality(f[U_IN]), made = of_modality(f[U_OUT]), cache = of_modality(f[U_CACHE]);
    if (n[U_TOTAL] && n[U_TOTAL] != n[U_PROMPT] + n[U_TOOLS] + n[U_MADE] + n[U_THOUGHTS]) u.suspect = true;
    if (n[U_CACHED] > n[U_PROMPT]) {
        u.suspect = true;
        n[U_CACHED] = 0; /* no discount on contradictory evidence */
    }
    int64_t left = n[U_PROMPT] + n[U_TOOLS] - n[U_CACHED], cached_left = n[U_CACHED];
    u.units[USAGE_CACHED_AUDIO] = take(cache.audio, &cached_left);
    u.units[USAGE_CACHED_INPUT] = cached_left;
    u.units[USAGE_INPUT_AUDIO] = take(in.audio > cache.audio ? in.audio - cache.audio : 0, &left);
    u.units[USAGE_INPUT_IMAGE] = take(in.image > cache.image ? in.image - cache.image : 0, &left);
    u.units[USAGE_INPUT] = left;
    left = n[U_MADE];
    u.units[USAGE_OUTPUT_AUDIO] = take(made.audio, &left);
    u.units[USAGE_OUTPUT_IMAGE] = take(made.image, &left);
    u.units[USAGE_OUTPUT] = left;
    u.units[USAGE_REASONING] = n[U_THOUGHTS];
    u.units[USAGE_SEARCH] = out->units[USAGE_SEARCH];
    usage_tier(f[U_TIER], &u);
    if (json_is(f[U_TRAFFIC], STR("ON_DEMAND_FLEX"))) u.service_tier = SERVICE_FLEX; /* Vertex AI's words */
    if (json_is(f[U_TRAFFIC], STR("ON_DEMAND_PRIORITY"))) u.service_tier = SERVICE_PRIORITY;
    *out = u;
    return true;
}

static void write_usage(const struct usage *u, jw *w) {
    const int64_t *n = u->units;
    jw_kobject(w, "usageMetadata");
    jw_ki64(w, "promptTokenCount", chat_in(u));
    jw_ki64(w, "candidatesTokenCount", chat_out(u) - n[USAGE_REASONING]);
    jw_ki64(w, "totalTokenCount", chat_in(u) + chat_out(u));
    if (n[USAGE_REASONING]) jw_ki64(w, "thoughtsTokenCount", n[USAGE_REASONING]);
    if (n[USAGE_CACHED_INPUT] + n[USAGE_CACHED_AUDIO])
        jw_ki64(w, "cachedContentTokenCount", n[USAGE_CACHED_INPUT] + n[USAGE_CACHED_AUDIO]);
    jw_object_end(w);
}

/* ---- reading ---- */

static void read_call(struct chat_reader *r, unsigned choice, jval call, jtext signature) {
    jval args = json_get(call, STR("args"));
    int n = chat_put_call(r, choice, UINT32_MAX, jt(json_get(call, STR("id"))), jt(json_get(call, STR("name"))),
                          chat_sign(r->scratch, CHAT_GEMINI, signature));
    if (n < 0) return;
    chat_put_args(r, choice, (unsigned)n, chat_escape(r->scratch, args.type == J_OBJECT ? args.raw : STR("{}")));
    chat_put(r, (struct chat_event){.type = CE_CALL_END, .choice = (uint16_t)choice, .call = (uint16_t)n});
}

static void read_part(struct chat_reader *r, unsigned choice, jval v) {
    enum { TEXT, CALL, MEDIA, THOUGHT, SIGNATURE, COUNT };
    static const str names[COUNT] = {STR_INIT("text"), STR_INIT("functionCall"), STR_INIT("inlineData"),
                                     STR_INIT("thought"), STR_INIT("thoughtSignature")};
    jval f[COUNT];
    chat_pick(v, names, f, COUNT);
    if (f[CALL].type == J_OBJECT) {
        read_call(r, choice, f[CALL], jt(f[SIGNATURE]));
    } else if (f[TEXT].type == J_STRING) {
        chat_put_text(r, json_true(f[THOUGHT]) ? CE_THINKING : CE_TEXT, choice, jt(f[TEXT]));
    } else if (f[MEDIA].type == J_OBJECT) {
        struct chat_part p = {.mime = jt(json_get(f[MEDIA], STR("mimeType"))),
                              .data = jt(json_get(f[MEDIA], STR("data")))};
        p.type = str_starts(p.mime.raw, STR("image"))   ? PART_IMAGE
                 : str_starts(p.mime.raw, STR("audio")) ? PART_AUDIO
                                                        : PART_FILE;
        chat_put(r, (struct chat_event){.type = CE_MEDIA, .choice = (uint16_t)choice, .part = &p});
    }
}

/* {"token", "logProbability", "tokenId"}, the beginning of OpenAI's form of it. */
static void write_token(jw *w, jval t) {
    enum { TOKEN, LOGPROB, COUNT };
    static const str names[COUNT] = {STR_INIT("token"), STR_INIT("logProbability")};
    jval f[COUNT];
    chat_pick(t, names, f, COUNT);
    jw_object(w);
    jw_kjt(w, "token", jt(f[TOKEN]));
    jw_key(w, "logprob");
    jw_raw(w, f[LOGPROB].type == J_NUMBER ? f[LOGPROB].raw : STR("-9999.0"));
    jw_knull(w, "bytes");
}

/* Chosen tokens and their rivals, step by step, in OpenAI's form. */
static void read_logprobs(struct chat_reader *r, unsigned choice, jval v) {
    jval chosen = json_get(v, STR("chosenCandidates")), top = json_get(v, STR("topCandidates")), c, step, rival;
    if (chosen.type != J_ARRAY) return;
    buf b;
    buf_init(&b, LOGPROBS_MAX);
    jw w;
    jw_init(&w, &b);
    jw_object(&w);
    jw_karray(&w, "content");
    jiter steps = json_iter(top);
    for (jiter it = json_iter(chosen); json_item(&it, &c);) {
        write_token(&w, c);
        jw_karray(&w, "top_logprobs");
        jval list = top.type == J_ARRAY && json_item(&steps, &step) ? json_get(step, STR("candidates"))
                                                                    : (jval){.type = J_NONE};
        for (jiter in = json_iter(list); list.type == J_ARRAY && json_item(&in, &rival);) {
            write_token(&w, rival);
            jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_knull(&w, "refusal");
    jw_object_end(&w);
    if (!b.failed)
        chat_put(r, (struct chat_event){.type = CE_LOGPROBS,
                                        .choice = (uint16_t)choice,
                                        .json = arena_str(r->scratch, buf_view(&b))});
    buf_free(&b);
}

static void count_searches(struct chat_reader *r, jval grounding) {
    jval queries = json_get(grounding, STR("webSearchQueries")), q;
    int64_t n = 0;
    for (jiter it = json_iter(queries); queries.type == J_ARRAY && json_item(&it, &q);) n++;
    if (n) r->usage.units[USAGE_SEARCH] = n;
}

static void read_candidate(struct chat_reader *r, jval c) {
    enum { CONTENT, INDEX, FINISH, GROUNDING, LOGPROBS, COUNT };
    static const str names[COUNT] = {STR_INIT("content"), STR_INIT("index"), STR_INIT("finishReason"),
                                     STR_INIT("groundingMetadata"), STR_INIT("logprobsResult")};
    jval f[COUNT], part;
    int64_t index = 0;
    chat_pick(c, names, f, COUNT);
    json_i64(f[INDEX], &index);
    if (index < 0 || index >= CHAT_CHOICES_MAX) return;
    jval parts = json_get(f[CONTENT], STR("parts"));
    for (jiter it = json_iter(parts); parts.type == J_ARRAY && json_item(&it, &part);)
        read_part(r, (unsigned)index, part);
    read_logprobs(r, (unsigned)index, f[LOGPROBS]);
    count_searches(r, f[GROUNDING]);
    enum finish finish = finish_of(f[FINISH]);
    if (finish == FINISH_NONE) return;
    if (index > 0) {
        chat_put_finish(r, (unsigned)index, finish, JT_NONE);
        return;
    }
    r->ended = true; /* more may follow: the reason is told at the end */
    r->finish = (uint8_t)finish;
}

enum { R_CANDIDATES, R_FEEDBACK, R_USAGE, R_ID, R_MODEL, R_ERROR, R_MEMBERS };
static const str root_names[R_MEMBERS] = {STR_INIT("candidates"),    STR_INIT("promptFeedback"),
                                          STR_INIT("usageMetadata"), STR_INIT("responseId"),
                                          STR_INIT("modelVersion"),  STR_INIT("error")};

static bool read_chunk(struct chat_reader *r, const jval root[R_MEMBERS]) {
    jval blocked = json_get(root[R_FEEDBACK], STR("blockReason")), c, candidates = root[R_CANDIDATES];
    if (candidates.type != J_ARRAY && !jv_has(blocked) && root[R_USAGE].type != J_OBJECT) return false;
    gemini_usage(root[R_USAGE], &r->usage);
    chat_put_start(r, jt(root[R_ID]), jt(root[R_MODEL]));
    for (jiter it = json_iter(candidates); candidates.type == J_ARRAY && json_item(&it, &c);) read_candidate(r, c);
    if (jv_has(blocked) && !r->ended) {
        r->finish = FINISH_FILTER;
        r->ended = true;
    }
    return true;
}

static bool read_answer(struct chat_reader *r, jval object) {
    jval root[R_MEMBERS];
    chat_pick(object, root_names, root, R_MEMBERS);
    if (!read_chunk(r, root)) return false;
    chat_put_finish(r, 0, r->ended ? r->finish : FINISH_OTHER, JT_NONE);
    chat_put_usage(r);
    chat_put(r, (struct chat_event){.type = CE_END});
    return true;
}

static void read_error(struct chat_error *e, jval root, arena *a) {
    jval error = json_get(root, STR("error")), d;
    int64_t code;
    if (error.type != J_OBJECT) {
        openai_read_error(e, root, a);
        return;
    }
    e->message = json_text(json_get(error, STR("message")), a);
    e->type = json_text(json_get(error, STR("status")), a);
    if (!e->status && json_i64(json_get(error, STR("code")), &code) && code >= 400 && code < 600)
        e->status = (int)code;
    jval details = json_get(error, STR("details"));
    for (jiter it = json_iter(details); details.type == J_ARRAY && json_item(&it, &d);) {
        str delay = json_text(json_get(d, STR("retryDelay")), a); /* "48s", "1.5s" */
        double seconds;
        if (delay.n > 1 && delay.p[delay.n - 1] == 's' &&
            json_f64((jval){.raw = str_take(delay, delay.n - 1), .type = J_NUMBER}, &seconds) && seconds >= 0 &&
            seconds < 86400)
            e->retry_ms = (int64_t)(seconds * 1000);
    }
}

static bool read_event(struct chat_reader *r, str event, jval object) {
    jval root[R_MEMBERS];
    (void)event;
    chat_pick(object, root_names, root, R_MEMBERS);
    if (root[R_ERROR].type == J_OBJECT) {
        struct chat_error e = {.retry_ms = -1};
        read_error(&e, object, r->scratch);
        chat_put_error(r, &e);
        return true;
    }
    return read_chunk(r, root);
}

/* ---- writing: parts ---- */

static void write_text(jw *w, jtext text, bool thought, jtext signature) {
    jw_object(w);
    jw_kjt(w, "text", text);
    if (thought) jw_kbool(w, "thought", true);
    jw_kjt_if(w, "thoughtSignature", signature);
    jw_object_end(w);
}

static void write_call(jw *w, jtext id, jtext name, str args, jtext signature) {
    jw_object(w);
    jw_kobject(w, "functionCall");
    jw_kjt(w, "id", id);
    jw_kjt(w, "name", name);
    jw_key(w, "args");
    jw_raw(w, args);
    jw_object_end(w);
    jw_kjt_if(w, "thoughtSignature", signature);
    jw_object_end(w);
}

static void write_media(jw *w, const struct chat_part *p) {
    if (!jt_has(p->data)) return;
    jw_object(w);
    jw_kobject(w, "inlineData");
    jw_kjt(w, "mimeType", p->mime);
    jw_kjt(w, "data", p->data);
    jw_object_end(w);
    jw_object_end(w);
}

static void write_part(const struct chat_part *p, jw *w) {
    switch (p->type) {
    case PART_TEXT:
    case PART_REFUSAL: write_text(w, p->text, false, JT_NONE); break;
    case PART_THINKING:
        if (p->redacted)
            write_text(w, JT_NONE, true, p->text);
        else
            write_text(w, p->text, true, p->signature);
        break;
    case PART_CALL: write_call(w, p->id, p->name, p->args, p->signature); break;
    default: write_media(w, p);
    }
}

static void candidate_begin(jw *w) {
    jw_object(w);
    jw_kobject(w, "content");
    jw_karray(w, "parts");
}

static void candidate_end(jw *w, unsigned index, const char *finish) {
    jw_array_end(w);
    jw_kstr(w, "role", STR("model"));
    jw_object_end(w);
    if (finish) jw_kstr(w, "finishReason", str_from(finish));
    jw_ki64(w, "index", index);
    jw_object_end(w);
}

static void write_tail(jw *w, jtext id, uint64_t seed, str model, arena *a) {
    jw_kstr(w, "modelVersion", model);
    jw_kjt(w, "responseId", jt_has(id) ? id : chat_mint_id(a, "", seed, 0));
}

static void write_answer(const struct chat_answer *ans, str model, uint64_t seed, int64_t created, jw *w) {
    (void)created;
    jw_object(w);
    jw_karray(w, "candidates");
    for (unsigned i = 0; i < (ans->choices ? ans->choices : 1); i++) {
        candidate_begin(w);
        for (const struct chat_part *p = ans->choice[i].parts; p; p = p->next) write_part(p, w);
        candidate_end(w, i, finish_word(ans->choice[i].finish));
    }
    jw_array_end(w);
    if (ans->usage.source != TOKENS_NONE) write_usage(&ans->usage, w);
    write_tail(w, ans->id, seed, model, ans->a);
    jw_object_end(w);
}

/* ---- writing: streamed ---- */

static void item_begin(struct chat_writer *c, jw *w) {
    buf_strz(c->out, !c->list ? "data: " : c->listed ? ",\r\n" : "[");
    c->listed = true;
    jw_init(w, c->out);
}

static void item_end(struct chat_writer *c, bool last) {
    buf_strz(c->out, !c->list ? "\r\n\r\n" : last ? "]" : "\n");
}

static void chunk_begin(struct chat_writer *c, jw *w) {
    item_begin(c, w);
    jw_object(w);
    jw_karray(w, "candidates");
    candidate_begin(w);
}

static void chunk_end(struct chat_writer *c, unsigned index, const char *finish, bool last, jw *w) {
    candidate_end(w, index, finish);
    jw_array_end(w);
    if (c->has_usage) write_usage(&c->usage, w);
    write_tail(w, c->id, c->seed, c->model, c->a);
    jw_object_end(w);
    item_end(c, last);
}

/* A call is told whole: its arguments are gathered until it ends. */
static void call_flush(struct chat_writer *c) {
    jw w;
    if (c->open < 0) return;
    chunk_begin(c, &w);
    str args = chat_args(c->a, (jtext){arena_str(c->a, buf_view(&c->text))});
    write_call(&w, c->open_id, c->open_name, args, c->open_signature);
    chunk_end(c, (unsigned)c->open, NULL, false, &w);
    buf_clear(&c->text);
    c->open = -1;
}

static void call_begin(struct chat_writer *c, const struct chat_event *ev) {
    call_flush(c);
    c->open = ev->choice;
    c->open_id = (jtext){arena_str(c->a, ev->id.raw)};
    c->open_name = (jtext){arena_str(c->a, ev->name.raw)};
    c->open_signature = (jtext){arena_str(c->a, ev->signature.raw)};
}

static void write_error(const struct chat_error *e, jw *w);

static void write_event(struct chat_writer *c, const struct chat_event *ev) {
    jw w;
    switch (ev->type) {
    case CE_START: c->id = (jtext){arena_str(c->a, ev->id.raw)}; break;
    case CE_TEXT:
    case CE_REFUSAL:
    case CE_THINKING:
    case CE_SIGNATURE:
    case CE_MEDIA:
        call_flush(c);
        chunk_begin(c, &w);
        if (ev->type == CE_MEDIA)
            write_media(&w, ev->part);
        else if (ev->type == CE_SIGNATURE || ev->redacted)
            write_text(&w, JT_NONE, true, ev->text);
        else
            write_text(&w, ev->text, ev->type == CE_THINKING, JT_NONE);
        chunk_end(c, ev->choice, NULL, false, &w);
        break;
    case CE_CALL: call_begin(c, ev); break;
    case CE_ARGS: buf_str(&c->text, ev->text.raw); break;
    case CE_CALL_END: call_flush(c); break;
    case CE_FINISH:
        call_flush(c);
        if (ev->choice < 16) c->finished = (uint16_t)(c->finished | 1u << ev->choice);
        if (ev->choice == 0) {
            c->finish = ev->finish; /* told at the end, with the usage */
        } else {
            chunk_begin(c, &w);
            chunk_end(c, ev->choice, finish_word(ev->finish), false, &w);
        }
        break;
    case CE_ERROR:
        item_begin(c, &w);
        write_error(ev->error, &w);
        item_end(c, true);
        break;
    case CE_END:
        call_flush(c);
        chunk_begin(c, &w);
        write_text(&w, JT_NONE, false, JT_NONE);
        chunk_end(c, 0, finish_word(c->finish), true, &w);
        break;
    default: break;
    }
}

/* ---- errors ---- */

static str status_word(int status) {
    switch (status) {
    case 401: return STR("UNAUTHENTICATED");
    case 403: return STR("PERMISSION_DENIED");
    case 404: return STR("NOT_FOUND");
    case 409: return STR("ABORTED");
    case 429: return STR("RESOURCE_EXHAUSTED");
    case 499: return STR("CANCELLED");
    case 503:
    case 529: return STR("UNAVAILABLE");
    case 504: return STR("DEADLINE_EXCEEDED");
    default: return status >= 400 && status < 500 ? STR("INVALID_ARGUMENT") : STR("INTERNAL");
    }
}

static void write_error(const struct chat_error *e, jw *w) {
    int status = e->status ? e->status : 502;
    jw_object(w);
    jw_kobject(w, "error");
    jw_ki64(w, "code", status);
    jw_kstr(w, "message", e->message);
    jw_kstr(w, "status", status_word(status));
    jw_object_end(w);
    jw_object_end(w);
}

const struct chat_ops chat_gemini_ops = {
    .name = "Gemini generateContent",
    .read_request = gemini_read_request,
    .write_request = gemini_write_request,
    .read_answer = read_answer,
    .read_event = read_event,
    .write_answer = write_answer,
    .write_event = write_event,
    .read_error = read_error,
    .write_error = write_error,
    .sequential = true,
};
