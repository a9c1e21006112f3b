// fal through its stock client. Elsewhere than at fal's own addresses when told so, as the emulator
// needs it.

import { createFalClient } from "@fal-ai/client";
import { request } from "undici";

const MODEL = "fal-ai/qwen-image-layered";

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

  async download(url) {
    const { statusCode, body } = await request(url);
    if (statusCode !== 200) throw new Error(`a layer was answered with ${statusCode}`);
    return Buffer.from(await body.arrayBuffer());
  }
}
