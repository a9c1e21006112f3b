// Whether a webhook is fal's: an Ed25519 signature over four lines, by a key of the published set.
// The set is kept for a day, and asked for again when no key of it fits.

import { createHash, createPublicKey, verify } from "node:crypto";
import { request } from "undici";

const KEPT_MS = 24 * 3_600_000;
const LEEWAY_SECONDS = 300;

export class WebhookCheck {
  #url;
  #keys = [];
  #fetchedAt = 0;

  constructor(url) {
    this.#url = url;
  }

  async holds(headers, body) {
    const timestamp = headers["x-fal-webhook-timestamp"];
    const signature = Buffer.from(headers["x-fal-webhook-signature"] ?? "", "hex");
    if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= LEEWAY_SECONDS)) return false;
    const hash = createHash("sha256").update(body).digest("hex");
    const { "x-fal-webhook-request-id": id, "x-fal-webhook-user-id": user } = headers;
    const message = Buffer.from([id, user, timestamp, hash].join("\n"));
    const fits = () => this.#keys.some((key) => verify(null, message, key, signature));
    if (Date.now() - this.#fetchedAt < KEPT_MS && fits()) return true;
    await this.#fetch();
    return fits();
  }

  async #fetch() {
    // Forged ones must not make us ask fal without end.
    if (Date.now() - this.#fetchedAt < 1000) return;
    this.#fetchedAt = Date.now();
    const { body } = await request(this.#url);
    const { keys } = await body.json();
    this.#keys = keys.map(({ kty, crv, x }) =>
      createPublicKey({ key: { kty, crv, x: x.replace(/=+$/, "") }, format: "jwk" }),
    );
  }
}
