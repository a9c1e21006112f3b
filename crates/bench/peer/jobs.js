// The life of a job: stored, submitted, waited for, collected. Each step is on the disk before the
// next one begins; what was under way when the process ended is taken up again at the start.

import { randomUUID } from "node:crypto";
import { limit } from "./limit.js";
import { inspect, verifyPng } from "./picture.js";

const LIFETIME_MS = 24 * 3_600_000;
const SWEEP_MS = 60_000;
/** Webhooks get lost. */
const ASK_AFTER_MS = 120_000;

export class Jobs {
  #submitting = limit(16);
  #collecting = limit(8);
  #collected = new Set();
  #sweeper;

  constructor({ store, files, engine, webhooks, log }) {
    Object.assign(this, { store, files, engine, webhooks, log });
  }

  async create(bytes, type, numLayers) {
    const createdAt = Date.now();
    const job = { id: randomUUID(), numLayers, createdAt, expiresAt: createdAt + LIFETIME_MS };
    await this.store.create(job, type, bytes);
    this.#start({ id: job.id, num_layers: numLayers, expires_at: job.expiresAt });
    return job.id;
  }

  /** fal says that a job has ended. */
  ended(id, requestId, { status, payload }) {
    const job = this.store.job(id);
    // The webhook may be faster than the answer to the submission.
    if (!job || (job.request_id ?? requestId) !== requestId) return;
    if (job.status !== "pending" && job.status !== "processing") return;
    const work = status === "OK" ? this.#collect(job, payload.images) : this.store.failed(id, "the engine failed");
    this.#guard(job, work);
  }

  resume() {
    for (const job of this.store.unfinished()) {
      if (job.request_id) this.#guard(job, this.#wait(job, job.request_id));
      else this.#start(job);
    }
    this.#sweeper = setInterval(() => this.#sweep().catch((error) => this.log.error(error)), SWEEP_MS);
  }

  stop() {
    clearInterval(this.#sweeper);
  }

  #start(job) {
    this.#guard(job, this.#run(job));
  }

  async #run(job) {
    const requestId = await this.#submitting(async () => {
      const requestId = await this.engine.submit(job, this.store.source(job.id));
      await this.store.submitted(job.id, requestId);
      return requestId;
    });
    if (!this.webhooks) await this.#wait(job, requestId);
  }

  async #wait(job, requestId) {
    await this.#collect(job, await this.engine.wait(requestId));
  }

  /** Once for each job, however often fal says so. */
  async #collect(job, images) {
    if (this.#collected.has(job.id)) return;
    this.#collected.add(job.id);
    try {
      await this.#collecting(async () => {
        const layers = await Promise.all(images.map((image, order) => this.#layer(job, image, order)));
        await this.files.sync();
        await this.store.completed(job.id, layers);
      });
    } finally {
      this.#collected.delete(job.id);
    }
  }

  async #layer(job, image, order) {
    const bytes = await this.engine.download(image.url);
    verifyPng(bytes);
    const { width, height } = await inspect(bytes);
    const name = `${job.id}-${order}.png`;
    await this.files.write(name, bytes);
    return { id: `layer_${order}`, url: this.files.link(name, job.expires_at), width, height, order };
  }

  async #guard(job, work) {
    try {
      await work;
    } catch (error) {
      this.log.error({ job: job.id, error: error.message }, "a job failed");
      await this.store.failed(job.id, error.message).catch((failure) => this.log.error(failure));
    }
  }

  async #sweep() {
    const now = Date.now();
    for (const job of this.store.unfinished()) {
      const late = this.webhooks && job.request_id && now - job.created_at > ASK_AFTER_MS;
      if (late && !this.#collected.has(job.id)) this.#guard(job, this.#wait(job, job.request_id));
    }
    for (const job of this.store.expired(now)) {
      const layers = JSON.parse(job.layers ?? "[]");
      await Promise.all(layers.map(({ order }) => this.files.remove(`${job.id}-${order}.png`)));
      await this.store.remove(job.id);
    }
  }
}
