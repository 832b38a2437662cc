#include "gateway/form.h"

/* ---- forms ---- */

bool form_begin(struct call *c) {
    struct multipart m;
    if (!c->surface->form || !multipart_begin(&m, c->r->content_type)) return false;
    c->r->form = arena_new(&c->r->a, struct multipart);
    *c->r->form = m;
    return true;
}

static str value(struct call *c, const char *name) {
    str body = buf_view(&c->r->body);
    const struct multipart_field *f = multipart_find(c->r->form, body, str_from(name));
    return f ? str_make(body.p + f->start, f->end - f->start) : STR_NONE;
}

bool form_read(struct call *c) {
    struct call_request *r = c->r;
    if (multipart_scan(r->form, buf_view(&r->body), true) != MULTIPART_DONE) {
        call_fail(c, FAULT_BAD_REQUEST, STR_NONE, "The request body is not a good form: %s.", r->form->error);
        return false;
    }
    r->scanned = r->facts_done = true; /* nothing in it to label by */
    r->facts.task = c->surface->task;
    r->facts.task_source = TASK_BY_ENDPOINT;
    r->facts.task_confidence = 1;
    uint64_t pictures;
    if (c->surface->units == UNITS_IMAGES) c->asked = str_u64(value(c, "n"), &pictures) ? pictures : 1;
    c->is_stream = c->surface->streams && str_eqz(value(c, "stream"), "true");
    if (c->surface->stored || r->path_model.n) return true;
    str model = value(c, "model");
    if (model.n && model.n <= FORM_MODEL_MAX && str_utf8(model)) {
        r->path_model = arena_str(&r->a, model);
        return true;
    }
    if (c->surface->model) return true;
    call_fail(c, FAULT_BAD_REQUEST, STR("model"), "The form has no field \"model\".");
    return false;
}

unsigned form_pieces(struct call *c, uint64_t *total) {
    struct call_request *r = c->r;
    str body = buf_view(&r->body), model = c->attempt.target.model;
    const struct multipart_field *f = r->form ? multipart_find(r->form, body, STR("model")) : NULL;
    unsigned n = 1;
    if (!f && r->path_model.n && r->form && !c->attempt.provider->api_version.n && str_starts(body, STR("--"))) {
        str first =
            str_make(r->form->delimiter + 2, r->form->delimiter_n - 2); /* the client named it in the path */
        str part = arena_printf(
            &r->a, STR_FMT "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" STR_FMT "\r\n",
            STR_ARG(first), STR_ARG(model));
        r->iov[n++] = (struct iovec){(char *)(uintptr_t)part.p, part.n};
        r->iov[n++] = (struct iovec){r->body.p, body.n};
        *total = part.n + body.n;
        return n;
    }
    if (!f || !model.n) {
        r->iov[n++] = (struct iovec){r->body.p, body.n};
        *total = body.n;
        return body.n ? n : 1;
    }
    r->iov[n++] = (struct iovec){r->body.p, f->start};
    r->iov[n++] = (struct iovec){(char *)(uintptr_t)model.p, model.n};
    r->iov[n++] = (struct iovec){r->body.p + f->end, body.n - f->end};
    *total = body.n - (f->end - f->start) + model.n;
    return n;
}

/* ---- files ---- */

/* "/v1/files", "/v1/files/ID", "/v1/files/ID/content": nothing else is asked with a provider's key. */
static bool path_good(str path) {
    str rest = str_skip(path, strlen("/v1/files"));
    if (!rest.n) return true;
    if (str_ends(rest, STR("/content"))) rest = str_take(rest, rest.n - strlen("/content"));
    for (size_t i = 1; i < rest.n; i++) {
        char x = rest.p[i];
        if (!((x >= '0' && x <= '9') || ((x | 32) >= 'a' && (x | 32) <= 'z') || x == '-' || x == '_'))
            return false;
    }
    return rest.n > 1 && rest.n <= FORM_ID_MAX;
}

void form_keep_path(struct call *c, str path) {
    static const str azure = STR_INIT("/openai");
    c->r->path = arena_str(&c->r->a, str_starts(path, azure) ? str_skip(path, azure.n) : path);
}

bool form_plan_stored(struct call *c) {
    struct call_request *r = c->r;
    if (!path_good(r->path)) {
        call_fail(c, FAULT_BAD_REQUEST, STR("file_id"), "That is no file's id.");
        return false;
    }
    r->fly = arena_array(&r->a, struct target, PLAN_TARGETS_MAX);
    for (unsigned i = 0; i < c->config->provider_count && r->fly_count < PLAN_TARGETS_MAX; i++) {
        const struct provider *p = &c->config->provider[i];
        if (p->kind->native != DIALECT_OPENAI || p->kind->local) continue;
        r->fly[r->fly_count++] = (struct target){.name = p->name, .provider = p->name, .provider_id = (uint16_t)i};
    }
    bool by_id = str_starts(r->path, STR("/v1/files/"));
    if (r->fly_count > 1 && !by_id) r->fly_count = 1; /* where files are put, and listed */
    if (!r->fly_count) {
        call_fail(c, FAULT_NO_TARGET, STR_NONE, "No configured provider keeps files.");
        return false;
    }
    r->plan.rule = STR("model");
    r->plan.count = (uint16_t)r->fly_count;
    r->plan.propensity = 1;
    c->rule = r->plan.rule;
    r->scanned = r->facts_done = true;
    return true;
}
