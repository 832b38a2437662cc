// Drives the official openai SDK twice, straight at a provider and through dray, and compares what the caller gets.
// usage: node drive-openai.mjs PROVIDER_BASE DRAY_BASE    (both end in /v1)
// Prints one TAP line per call. Errors count as values too: class, status, code and message must be the same.
import OpenAI from 'openai';

const [, , direct, dray] = process.argv;
const messages = [{ role: 'user', content: 'Weather in Paris?' }];
const parameters = { type: 'object', properties: { city: { type: 'string' }, temp: { type: 'number' } }, required: ['city', 'temp'], additionalProperties: false };
const tool = { type: 'function', function: { name: 'get_weather', description: 'w', parameters } };
const format = { type: 'json_schema', json_schema: { name: 'w', strict: true, schema: parameters } };
const model = 'm';

const collect = async (stream, pick) => { const out = []; for await (const x of await stream) out.push(pick(x)); return out; };

const calls = {
  chat: c => c.chat.completions.create({ model, messages }),
  'chat, every option': c => c.chat.completions.create({
    model, messages, temperature: 0.5, top_p: 0.9, n: 1, seed: 7, stop: ['x'], logprobs: true, top_logprobs: 2, max_completion_tokens: 50,
    presence_penalty: 0.1, frequency_penalty: 0.1, logit_bias: { 50: -1 }, user: 'u', store: false, service_tier: 'auto', metadata: { a: 'b' },
  }),
  'chat, image': c => c.chat.completions.create({
    model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }],
  }),
  'chat, raw response': async c => { const { data, response, request_id } = await c.chat.completions.create({ model, messages }).withResponse(); return [data, response.status, request_id, response.headers.get('openai-processing-ms')]; },
  'chat stream': c => collect(c.chat.completions.create({ model, messages, stream: true }), x => x),
  'chat stream with usage': c => collect(c.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } }), x => x),
  'chat stream helper': async c => { const s = c.chat.completions.stream({ model, messages }); return [await s.finalContent(), await s.finalChatCompletion()]; },
  'chat stream left early': async c => { const s = await c.chat.completions.create({ model, messages, stream: true }); for await (const x of s) { s.controller.abort(); return x; } },
  tools: c => c.chat.completions.create({ model, messages, tools: [tool], tool_choice: 'auto' }),
  'tools stream': c => collect(c.chat.completions.create({ model, messages, tools: [tool], stream: true }), x => x),
  runTools: c => c.chat.completions.runTools({ model, messages, tools: [{ type: 'function', function: { ...tool.function, parse: JSON.parse, function: () => '21C' } }] }).finalContent(),
  'structured output': c => c.chat.completions.parse({ model, messages, response_format: format }).then(r => r.choices[0].message.content),
  responses: c => c.responses.create({ model, input: 'hi' }).then(r => [r.output_text, r.usage, r.status]),
  'responses stream': c => collect(c.responses.create({ model, input: 'hi', stream: true }), e => e.type),
  'responses stream helper': async c => (await c.responses.stream({ model, input: 'hi' }).finalResponse()).output_text,
  'responses tools': c => c.responses.create({ model, input: 'hi', tools: [{ type: 'function', name: 'get_weather', parameters, strict: true }] }).then(r => r.output),
  'responses parse': c => c.responses.parse({ model, input: 'hi', text: { format: { type: 'json_schema', name: 'w', strict: true, schema: parameters } } }).then(r => r.output_text),
  'embeddings (base64 inside)': c => c.embeddings.create({ model, input: ['a', 'b'] }),
  'embeddings float': c => c.embeddings.create({ model, input: 'a', encoding_format: 'float' }),
  completions: c => c.completions.create({ model, prompt: 'x' }),
  'organization and project': c => c.withOptions({ organization: 'org-x', project: 'proj_x' }).chat.completions.create({ model, messages }, { idempotencyKey: 'k', timeout: 5000 }),
  'error 400': c => c.withOptions({ defaultHeaders: { 'x-scenario': '400' } }).chat.completions.create({ model, messages }),
  'error 401': c => c.withOptions({ defaultHeaders: { 'x-scenario': '401' } }).chat.completions.create({ model, messages }),
  'error 422': c => c.withOptions({ defaultHeaders: { 'x-scenario': '422' } }).chat.completions.create({ model, messages }),
  'error 429': c => c.withOptions({ defaultHeaders: { 'x-scenario': '429' }, maxRetries: 0 }).chat.completions.create({ model, messages }),
  'error 500 of a stream': c => c.withOptions({ defaultHeaders: { 'x-scenario': '500' }, maxRetries: 0 }).chat.completions.create({ model, messages, stream: true }),
  'healed by the SDK\'s own retry': c => c.withOptions({ defaultHeaders: { 'x-scenario': 'once-503' } }).chat.completions.create({ model, messages }),
};

// Only through dray.
const own = {
  'models list': async c => { const ids = await collect(c.models.list(), m => m.id); for (const id of ['auto', 'auto:light', 'auto:mid', 'auto:frontier', 'm']) if (!ids.includes(id)) throw new Error(`no ${id} in ${ids}`); },
  'models retrieve': async c => { for (const id of ['m', 'vendor/named']) { const m = await c.models.retrieve(id); if (m.id !== id || m.object !== 'model') throw new Error(JSON.stringify(m)); } },
  'unknown model is a NotFoundError': async c => { try { await c.chat.completions.create({ model: 'nothing-such', messages }); } catch (e) { if (e instanceof OpenAI.NotFoundError && e.code === 'model_not_found' && e.param === 'model') return; throw e; } throw new Error('accepted'); },
  'a cut stream throws': async c => { try { await collect(c.withOptions({ defaultHeaders: { 'x-scenario': 'stream-cut' } }).chat.completions.create({ model, messages, stream: true }), x => x); } catch (e) { if (e instanceof OpenAI.APIError) return; throw e; } throw new Error('taken for a whole answer'); },
  'a stream without its end throws': async c => { try { await collect(c.withOptions({ defaultHeaders: { 'x-scenario': 'stream-nodone' } }).chat.completions.create({ model, messages, stream: true }), x => x); } catch (e) { if (e instanceof OpenAI.APIError) return; throw e; } throw new Error('taken for a whole answer'); },
  'auto': async c => { const { response } = await c.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content: 'Classify the sentiment of this review as positive or negative: I love it.' }] }).withResponse(); if (response.headers.get('x-dray-tier') !== 'light') throw new Error(`tier ${response.headers.get('x-dray-tier')}`); },
};

const client = baseURL => new OpenAI({ apiKey: 'test-key-not-secret', baseURL });
const value = async (f, base) => {
  try { return { value: await f(client(base)) }; } catch (e) { return { error: e.constructor.name, status: e.status, code: e.code, param: e.param, message: e.message }; }
};
let failed = 0;
const report = (name, problem) => { if (problem) failed++; console.log(`${problem ? 'not ok' : 'ok'} - ${name}${problem ? `\n    ${problem}` : ''}`); };

for (const [name, f] of Object.entries(calls)) {
  const [a, b] = [JSON.stringify(await value(f, direct)), JSON.stringify(await value(f, dray))];
  report(name, a === b ? '' : `direct ${a.slice(0, 600)}\n    dray   ${b.slice(0, 600)}`);
}
for (const [name, f] of Object.entries(own)) {
  const got = await value(f, dray);
  report(`dray: ${name}`, got.error ? `${got.error} ${got.status}: ${got.message}` : '');
}
process.exit(failed ? 1 : 0);
