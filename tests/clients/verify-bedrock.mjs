// Checks requests that dray sent to Bedrock with AWS's own code: standard input is JSON
//   {credentials: {accessKeyId, secretAccessKey, sessionToken?}, region, requests: [{path, headers, body}]}
// - the signature is what @smithy/signature-v4 makes of the same request,
// - path and body are what @aws-sdk/client-bedrock-runtime sends when its command is given the same members: one that
//   it doesn't know, or that has another type, is lost or refused there.
// Prints "ok - …" or "not ok - …" a line.
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { SignatureV4 } from "@smithy/signature-v4";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

class Sha256 {
  constructor(secret) { this.h = secret ? createHmac("sha256", secret) : createHash("sha256"); }
  update(data) { this.h.update(data); }
  async digest() { return new Uint8Array(this.h.digest()); }
}

const { credentials, region, requests } = JSON.parse(readFileSync(0, "utf8"));

async function checkSignature(r) {
  const auth = r.headers.authorization, signed = /SignedHeaders=([^,]+)/.exec(auth)[1].split(";");
  const date = r.headers["x-amz-date"].replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z");
  const headers = Object.fromEntries(signed.filter((h) => h !== "x-amz-date" && h !== "x-amz-security-token").map((h) => [h, r.headers[h]]));
  const signer = new SignatureV4({ credentials, region, service: "bedrock", sha256: Sha256, applyChecksum: false });
  const request = { method: "POST", protocol: "https:", hostname: r.headers.host, path: r.path, headers, body: r.body };
  const made = await signer.sign(request, { signingDate: new Date(date) });
  return made.headers.authorization === auth ? null : `${made.headers.authorization}\n    not ${auth}`;
}

// JSON has base64 where the SDK wants bytes.
const withBytes = (v, key) => Array.isArray(v) ? v.map((x) => withBytes(x, key))
  : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, withBytes(x, k)]))
  : typeof v === "string" && (key === "bytes" || key === "redactedContent") ? Buffer.from(v, "base64") : v;

async function checkShape(r) {
  let seen;
  const requestHandler = { handle: async (q) => { seen = q; throw new Error("seen"); }, metadata: {} };
  const client = new BedrockRuntimeClient({ region, credentials, requestHandler, maxAttempts: 1, endpoint: "https://bedrock.test" });
  const [, model, verb] = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(r.path) ?? [];
  if (!model) return `path ${r.path}`;
  const input = { modelId: decodeURIComponent(model), ...withBytes(JSON.parse(r.body)) };
  await client.send(verb === "converse" ? new ConverseCommand(input) : new ConverseStreamCommand(input)).catch(() => {});
  if (!seen) return "the SDK refuses it";
  if (seen.path !== r.path) return `path ${seen.path}, not ${r.path}`;
  const sent = JSON.parse(typeof seen.body === "string" ? seen.body : Buffer.from(seen.body).toString());
  return isDeepStrictEqual(sent, JSON.parse(r.body)) ? null : `${JSON.stringify(sent)}\n    not ${r.body}`;
}

let n = 0;
for (const r of requests) {
  for (const [what, check] of [["signature", checkSignature], ["shape", checkShape]]) {
    const wrong = await check(r).catch((e) => e.stack);
    console.log(`${wrong ? "not ok" : "ok"} - ${what} of request ${n}${wrong ? "\n    " + wrong : ""}`);
  }
  n++;
}
