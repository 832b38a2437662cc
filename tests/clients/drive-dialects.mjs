// Each official SDK against each provider dialect, through dray: same text, tool calls, stop reason, usage whoever answers.
// usage: node drive-dialects.mjs DRAY_ROOT    (no /v1). Providers p-openai, p-anthropic, p-gemini must be configured.
// Prints one TAP line per call.
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';

const root = process.argv[2];
const apiKey = 'test-key-not-secret';
const openai = new OpenAI({ apiKey, baseURL: root + '/v1', maxRetries: 0 });
const anthropic = new Anthropic({ apiKey, baseURL: root, maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: root } });
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const question = 'Weather in Paris?';

// What each client sees, in one shape: {text, tools: [[name, args]], stop, input, output}
const clients = {
  openai: {
    async whole(model, tools) {
      const r = await openai.chat.completions.create({ model, max_tokens: 64, messages: [{ role: 'user', content: question }], ...(tools && { tools: [{ type: 'function', function: { name: 'get_weather', parameters: schema } }] }) });
      const m = r.choices[0].message;
      return { text: m.content || '', tools: (m.tool_calls || []).map(t => [t.function.name, JSON.parse(t.function.arguments)]), stop: r.choices[0].finish_reason === 'tool_calls' ? 'tools' : r.choices[0].finish_reason, input: r.usage.prompt_tokens, output: r.usage.completion_tokens };
    },
    async stream(model, tools) {
      const s = openai.chat.completions.stream({ model, max_tokens: 64, stream_options: { include_usage: true }, messages: [{ role: 'user', content: question }], ...(tools && { tools: [{ type: 'function', function: { name: 'get_weather', parameters: schema } }] }) });
      const r = await s.finalChatCompletion(); const m = r.choices[0].message;
      return { text: m.content || '', tools: (m.tool_calls || []).map(t => [t.function.name, JSON.parse(t.function.arguments)]), stop: r.choices[0].finish_reason === 'tool_calls' ? 'tools' : r.choices[0].finish_reason, input: r.usage.prompt_tokens, output: r.usage.completion_tokens };
    },
  },
  anthropic: {
    see: r => ({ text: r.content.filter(b => b.type === 'text').map(b => b.text).join(''), tools: r.content.filter(b => b.type === 'tool_use').map(b => [b.name, b.input]), stop: { end_turn: 'stop', tool_use: 'tools' }[r.stop_reason] ?? r.stop_reason, input: r.usage.input_tokens, output: r.usage.output_tokens }),
    body: (model, tools) => ({ model, max_tokens: 64, messages: [{ role: 'user', content: question }], ...(tools && { tools: [{ name: 'get_weather', input_schema: schema }] }) }),
    async whole(model, tools) { return this.see(await anthropic.messages.create(this.body(model, tools))); },
    async stream(model, tools) { return this.see(await anthropic.messages.stream(this.body(model, tools)).finalMessage()); },
  },
  gemini: {
    args: (model, tools) => ({ model, contents: question, config: { maxOutputTokens: 64, ...(tools && { tools: [{ functionDeclarations: [{ name: 'get_weather', parametersJsonSchema: schema }] }] }) } }),
    see: rs => { const parts = rs.flatMap(r => r.candidates?.[0]?.content?.parts || []); const u = rs.map(r => r.usageMetadata).filter(Boolean).at(-1); const tools = parts.filter(p => p.functionCall).map(p => [p.functionCall.name, p.functionCall.args]); const f = rs.map(r => r.candidates?.[0]?.finishReason).filter(Boolean).at(-1); return { text: parts.map(p => p.text || '').join(''), tools, stop: f === 'STOP' ? (tools.length ? 'tools' : 'stop') : f, input: u?.promptTokenCount, output: u?.candidatesTokenCount }; },
    async whole(model, tools) { return this.see([await gemini.models.generateContent(this.args(model, tools))]); },
    async stream(model, tools) { const rs = []; for await (const r of await gemini.models.generateContentStream(this.args(model, tools))) rs.push(r); return this.see(rs); },
  },
};

let failed = 0;
for (const [client, c] of Object.entries(clients)) {
  for (const provider of ['openai', 'anthropic', 'gemini']) {
    for (const how of ['whole', 'stream']) {
      for (const tools of [false, true]) {
        const want = JSON.stringify({ text: tools ? '' : 'Hello.', tools: tools ? [['get_weather', { city: 'Paris' }]] : [], stop: tools ? 'tools' : 'stop', input: 10, output: 5 });
        let got;
        try { got = JSON.stringify(await c[how](`p-${provider}/m`, tools)); } catch (e) { got = `${e?.constructor?.name}: ${String(e?.message).slice(0, 300)}`; }
        if (got !== want) failed++;
        console.log(`${got === want ? 'ok' : 'not ok'} - ${client} client, ${provider} provider, ${how}${tools ? ', tools' : ''}${got === want ? '' : `\n    got  ${got}\n    want ${want}`}`);
      }
    }
  }
}
process.exit(failed ? 1 : 0);
