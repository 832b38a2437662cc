// Answers as dray wrote them, read by the official SDK of their dialect: what the application sees.
// usage: node parse-answers.mjs FILE.jsonl    one {n, dialect, stream, body} a line; prints {n, said | error} a line, said = {text, tools, stop, input, output}
import fs from 'node:fs';
import readline from 'node:readline';
import OpenAI from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';

const apiKey = 'test-key-not-secret';
let answer;
const fetch = async () => answer;
globalThis.fetch = fetch;
const openai = new OpenAI({ apiKey, fetch, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey, fetch, maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey });
const messages = [{ role: 'user', content: 'hi' }];

const chat = r => {
  const c = r.choices[0], m = c.message;
  return { text: (m.content || '') + (m.refusal || ''), tools: (m.tool_calls || []).map(t => [t.function.name, JSON.parse(t.function.arguments)]), stop: { tool_calls: 'tools', content_filter: 'filter' }[c.finish_reason] ?? c.finish_reason, input: r.usage?.prompt_tokens, output: r.usage?.completion_tokens };
};
const response = r => ({
  text: r.output.flatMap(i => i.type === 'message' ? i.content : []).map(p => p.text ?? p.refusal ?? '').join(''), tools: r.output.filter(i => i.type === 'function_call').map(i => [i.name, JSON.parse(i.arguments)]),
  stop: r.incomplete_details?.reason === 'content_filter' ? 'filter' : r.status === 'incomplete' ? 'length' : r.output.some(i => i.type === 'function_call') ? 'tools' : 'stop', input: r.usage?.input_tokens, output: r.usage?.output_tokens,
});
const message = r => ({
  text: r.content.filter(b => b.type === 'text').map(b => b.text).join(''), tools: r.content.filter(b => b.type === 'tool_use').map(b => [b.name, b.input]),
  stop: { end_turn: 'stop', stop_sequence: 'stop', max_tokens: 'length', tool_use: 'tools', refusal: 'filter' }[r.stop_reason] ?? r.stop_reason, input: r.usage.input_tokens + (r.usage.cache_read_input_tokens || 0) + (r.usage.cache_creation_input_tokens || 0), output: r.usage.output_tokens,
});
const candidates = rs => {
  const parts = rs.flatMap(r => r.candidates?.[0]?.content?.parts || []), u = rs.map(r => r.usageMetadata).filter(Boolean).at(-1), tools = parts.filter(p => p.functionCall).map(p => [p.functionCall.name, p.functionCall.args]);
  const f = rs.map(r => r.candidates?.[0]?.finishReason).filter(Boolean).at(-1);
  return { text: parts.filter(p => !p.thought).map(p => p.text || '').join(''), tools, stop: f === 'STOP' || f === 'OTHER' || f === 'MALFORMED_FUNCTION_CALL' ? (tools.length ? 'tools' : 'stop') : f === 'MAX_TOKENS' ? 'length' : 'filter', input: u && (u.promptTokenCount || 0), output: u && (u.candidatesTokenCount || 0) + (u.thoughtsTokenCount || 0) };
};
const read = {
  chat: async stream => chat(stream ? await openai.chat.completions.stream({ model: 'm', messages }).finalChatCompletion() : await openai.chat.completions.create({ model: 'm', messages })),
  responses: async stream => response(stream ? await openai.responses.stream({ model: 'm', input: 'hi' }).finalResponse() : await openai.responses.create({ model: 'm', input: 'hi' })),
  messages: async stream => message(stream ? await anthropic.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage() : await anthropic.messages.create({ model: 'm', max_tokens: 9, messages })),
  gemini: async stream => {
    const rs = [];
    if (stream) for await (const r of await gemini.models.generateContentStream({ model: 'm', contents: 'hi' })) rs.push(r);
    else rs.push(await gemini.models.generateContent({ model: 'm', contents: 'hi' }));
    return candidates(rs);
  },
};
for await (const line of readline.createInterface({ input: fs.createReadStream(process.argv[2]) })) {
  const { n, dialect, stream, body } = JSON.parse(line);
  answer = new Response(body, { headers: { 'content-type': stream ? 'text/event-stream' : 'application/json' } });
  try { console.log(JSON.stringify({ n, said: await read[dialect](stream) })); } catch (e) { console.log(JSON.stringify({ n, error: `${e?.constructor?.name}: ${String(e?.message).slice(0, 200)}` })); }
}
process.exit(0);
