// fal through its stock client. Elsewhere than at fal's own addresses when told so, as the emulator
// needs it.

import { setTimeout } from "node:timers/promises";
import { createFalClient } from "@fal-ai/client";
import { request } from "undici";

const MODEL = "fal-ai/qwen-image-layered";
const RETRY_MS = 500;

export class Engine {
  #fal;
  #webhook;

  /** `webhook(id)` is the address to tell when the job is done; without it fal is asked. */
  constructor({ key, queueUrl }, webhook) {
    this.#webhook = webhook;
    this.#fal = createFalClient({
      credentials: key,
      requestMiddleware: async (call) =>
        queueUrl ? { ...call, url: call.url.replace("https://queue.fal.run", queueUrl) } : call,
    });
  }

  async submit(job, { type, bytes }) {
    const { request_id: requestId } = await this.#fal.queue.submit(MODEL, {
      input: { image_url: `data:${type};base64,${bytes.toString("base64")}`, num_layers: job.num_layers },
      webhookUrl: this.#webhook?.(job.id),
    });
    return requestId;
  }

  /** The layers, once the request has ended. */
  async wait(requestId) {
    await this.#fal.queue.subscribeToStatus(MODEL, { requestId });
    return this.result(requestId);
  }

  async result(requestId) {
    const { data } = await this.#fal.queue.result(MODEL, { requestId });
    return data.images;
  }

  /** A layer is paid for: a hiccup must not lose it. */
  async download(url, attempts = 4) {
    try {
      const { statusCode, body } = await request(url);
      const bytes = Buffer.from(await body.arrayBuffer());
      if (statusCode !== 200) throw new Error(`a layer was answered with ${statusCode}`);
      return bytes;
    } catch (error) {
      if (attempts === 1) throw error;
      await setTimeout(RETRY_MS * 2 ** (4 - attempts));
      return this.download(url, attempts - 1);
    }
  }
}
