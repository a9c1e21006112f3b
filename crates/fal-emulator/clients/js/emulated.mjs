// What the script needs besides the client: the emulator's controls, checks, and a webhook receiver
// that verifies signatures as fal documents them.

import { createHash, createPublicKey, verify } from "node:crypto";
import { createServer } from "node:http";

export const URL_BASE = process.env.EMULATOR_URL;
export const MODEL = "fal-ai/qwen-image-layered";

/** Fails the script unless `holds`; otherwise says what was shown. */
export function check(name, holds) {
  if (!holds) throw new Error(`not so: ${name}`);
  console.log(`ok: ${name}`);
}

/** Calls the emulator's controls: GET without a body, POST with one. */
export async function control(path, body) {
  const response = await fetch(`${URL_BASE}/_emulator${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** The next submissions meet these faults. */
export const script = (...faults) => control("/script", { faults });

/** Receives one webhook: `url` to ask for, `delivery` to await. */
export async function receive() {
  let deliver;
  const delivery = new Promise((resolve) => (deliver = resolve));
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.end();
    server.close();
    deliver({ headers: request.headers, body: Buffer.concat(chunks) });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/hook?x=1`, delivery };
}

/** fal's verification: any key of the set, four lines, five minutes. */
export async function signed({ headers, body }) {
  const timestamp = headers["x-fal-webhook-timestamp"];
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const message = [
    headers["x-fal-webhook-request-id"],
    headers["x-fal-webhook-user-id"],
    timestamp,
    createHash("sha256").update(body).digest("hex"),
  ].join("\n");
  const signature = Buffer.from(headers["x-fal-webhook-signature"], "hex");
  const { keys } = await (await fetch(`${URL_BASE}/.well-known/jwks.json`)).json();
  return keys.some(({ kty, crv, x }) => {
    const unpadded = x.replace(/=+$/, "");
    const key = createPublicKey({ key: { kty, crv, x: unpadded }, format: "jwk" });
    return verify(null, Buffer.from(message), key, signature);
  });
}
