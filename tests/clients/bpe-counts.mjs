// Prints random texts with the counts that the npm package gpt-tokenizer gives: "ENCODING COUNT HEX" a line.
//   node bpe-counts.mjs LINES SEED
import { countTokens as cl100k } from "gpt-tokenizer/encoding/cl100k_base";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";

let state = Number(process.argv[3]) || 1;
const random = (n) => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
};
// JavaScript's \s and its letters differ from the reference's in these: NEL, BOM, the long s.
const odd = new Set([0x85, 0xfeff, 0x17f]);
const blocks = [[0x20, 0x7f], [0x20, 0x7f], [0x61, 0x7b], [0x41, 0x5b], [0x30, 0x3a], [0x9, 0xe], [0xa0, 0x250], [0x300, 0x370], [0x370, 0x530],
  [0x590, 0x700], [0x900, 0xe00], [0xe00, 0x1100], [0x1c4, 0x1cd], [0x2000, 0x2070], [0x2b0, 0x300], [0x3040, 0x3100], [0x4e00, 0x9fff],
  [0xac00, 0xd7a3], [0xff00, 0xffef], [0x10400, 0x10450], [0x1f300, 0x1f700], [0x20000, 0x20100], [0, 0x110000]];
const words = ["'s", "'LL", "'re", " don't", "HTTPServer", "\r\n", "\n\n", "  ", "\t", "https://a.b/c", "//", "123456", "ǅ", "é", "e\u0301", " 中文", "हिन्दी",
  "Straße", "ЖУК", "жук", "😀", "\u200d", "---", "=====", "{\"a\":1}", " the", " and", "<|endoftext|>", "ʰ", "ª", "Ⅷ", "½"];
const letter = () => {
  const [a, b] = blocks[random(blocks.length)];
  const c = a + random(b - a);
  return (c >= 0xd800 && c < 0xe000) || odd.has(c) ? "x" : String.fromCodePoint(c);
};
const text = () => {
  let t = "";
  for (let n = 1 + random(40); n; n--) {
    const kind = random(8);
    if (kind < 3) t += words[random(words.length)];
    else if (kind === 3) t += letter().repeat(1 + random(random(20) ? 6 : 700)); // now and then longer than a short piece
    else if (kind === 4) t += " ";
    else t += letter();
  }
  return t;
};
const plain = { allowedSpecial: new Set(), disallowedSpecial: new Set() };
const lines = [];
for (let i = Number(process.argv[2]) || 100; i; i--) {
  const t = text(), hex = Buffer.from(t, "utf8").toString("hex");
  lines.push(`o200k_base ${o200k(t, plain)} ${hex}`, `cl100k_base ${cl100k(t, plain)} ${hex}`);
}
console.log(lines.join("\n"));
