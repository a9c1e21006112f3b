// One process: configuration from the environment, everything wired, and an orderly end.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "./engine.js";
import { Files } from "./files.js";
import { Jobs } from "./jobs.js";
import { build } from "./server.js";
import { Store } from "./store.js";
import { WebhookCheck } from "./webhook.js";

const {
  DATA = "./data",
  PORT = "3000",
  PUBLIC_URL,
  WEBHOOKS = "false",
  SIGNING_SECRET = "for development alone",
  SOURCE_CHECK = "header",
  FAL_KEY,
  FAL_QUEUE_URL,
  FAL_JWKS_URL = "https://rest.fal.ai/.well-known/jwks.json",
} = process.env;

await mkdir(DATA, { recursive: true });
const store = new Store(join(DATA, "peer.db"));
const files = await Files.open(join(DATA, "layers"), SIGNING_SECRET);
const webhooks = WEBHOOKS === "true";

let address;
const baseUrl = () => PUBLIC_URL ?? address;
const hook = (id) => `${baseUrl()}/hooks/fal/${id}`;
const engine = new Engine({ key: FAL_KEY, queueUrl: FAL_QUEUE_URL }, webhooks ? hook : undefined);
const check = new WebhookCheck(FAL_JWKS_URL);
const jobs = new Jobs({ store, files, engine, webhooks, log: console });
const server = build({ store, files, jobs, check, baseUrl, pixels: SOURCE_CHECK === "pixels" });

address = await server.listen({ host: "127.0.0.1", port: Number(PORT) });
jobs.resume();
console.log(`listening on ${address}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    jobs.stop();
    await server.close();
    store.close();
    await files.close();
    process.exit(0);
  });
}
