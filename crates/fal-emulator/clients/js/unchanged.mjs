// The stock JavaScript client against the emulator, pointed there by its own settings: once through
// requestMiddleware (hosts rewritten), once through proxyUrl (everything in one route).

import { readFileSync } from "node:fs";
import { ApiError, createFalClient, ValidationError } from "@fal-ai/client";
import { check, control, MODEL, receive, script, signed, URL_BASE } from "./emulated.mjs";

const hosts = {
  "https://queue.fal.run": URL_BASE,
  "https://fal.run": `${URL_BASE}/run`,
  "https://rest.fal.ai": URL_BASE,
};

const rewriting = createFalClient({
  credentials: process.env.FAL_KEY,
  requestMiddleware: async (request) => {
    const host = Object.keys(hosts).find((one) => request.url.startsWith(one));
    return host ? { ...request, url: request.url.replace(host, hosts[host]) } : request;
  },
});
const proxied = createFalClient({
  credentials: process.env.FAL_KEY,
  proxyUrl: { url: `${URL_BASE}/api/fal/proxy`, when: "always" },
});
const image = readFileSync(process.env.IMAGE_FILE);

/** The error that `work` ends with. */
async function failure(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

async function everyCall(name, client) {
  const say = (text, holds) => check(`${name}: ${text}`, holds);
  await control("/reset", {});

  const url = await client.storage.upload(new Blob([image], { type: "image/png" }), {
    lifecycle: { expiresIn: "1h" },
  });
  const served = Buffer.from(await (await fetch(url)).arrayBuffer());
  say("an upload is served again", served.equals(image));
  const [uploaded] = await control("/uploads");
  say("with its lifecycle", uploaded.lifecycle === '{"expiration_duration_seconds":3600}');

  const input = { image_url: url, num_layers: 3, prompt: "a card" };
  const hook = await receive();
  const submitted = await client.queue.submit(MODEL, {
    input,
    webhookUrl: hook.url,
    priority: "low",
    startTimeout: 30,
    storageSettings: { expiresIn: "1d" },
  });
  const requestId = submitted.request_id;
  say("submit is queued", submitted.status === "IN_QUEUE" && requestId.length > 30);

  const stream = await client.queue.streamStatus(MODEL, { requestId, logs: true });
  const events = [];
  for await (const event of stream) events.push(event);
  say("the stream ends with the completion", events.at(-1).status === "COMPLETED");
  const logged = events.flatMap((event) => event.logs ?? []).map((log) => log.message);
  say("and told each log once", logged.filter((text) => text === "step 28/28").length === 1);

  const status = await client.queue.status(MODEL, { requestId, logs: true });
  say("status", status.status === "COMPLETED" && status.logs.at(-1).message === "step 28/28");
  const { data, requestId: named } = await client.queue.result(`${MODEL}/lora`, { requestId });
  say("result", data.images.length === 3 && named === requestId);
  const layer = await fetch(data.images[0].url);
  say("layers can be fetched", layer.headers.get("content-type") === "image/png");

  const delivery = await hook.delivery;
  say("the webhook is signed", await signed(delivery));
  const altered = { ...delivery, body: Buffer.concat([delivery.body, Buffer.from(" ")]) };
  say("a changed byte is noticed", !(await signed(altered)));
  const told = JSON.parse(delivery.body);
  say("it carries the result", told.status === "OK" && told.payload.images.length === 3);
  const [seen] = await control("/requests");
  say("headers arrived", seen.headers["x-fal-queue-priority"] === "low");
  say("the start timeout too", seen.headers["x-fal-request-timeout"] === "30");

  say("run", (await client.run(MODEL, { input })).data.images.length === 3);
  const polled = await client.subscribe(MODEL, { input, pollInterval: 20 });
  say("subscribe by polling", polled.data.images.length === 3);
  const streamed = await client.subscribe(MODEL, { input, mode: "streaming" });
  say("subscribe by stream", streamed.data.images.length === 3);
  const blob = new Blob([image], { type: "image/png" });
  const inline = await client.subscribe(MODEL, { input: { image_url: blob }, pollInterval: 20 });
  say("a blob in the input is uploaded", inline.data.images.length === 4);

  const invalid = await failure(() => client.run(MODEL, { input: { num_layers: 11 } }));
  say("a wrong input is a ValidationError", invalid instanceof ValidationError);
  const types = invalid.fieldErrors.map((error) => error.type);
  say("naming each field", types.join() === "missing,less_than_equal");
  say("and the request", invalid.requestId.length > 30);

  await control("/hold", { hold: true });
  const held = await client.queue.submit(MODEL, { input });
  await client.queue.cancel(MODEL, { requestId: held.request_id });
  const after = await client.queue.status(MODEL, { requestId: held.request_id });
  say("a cancelled request is completed", after.status === "COMPLETED");
  const gone = await failure(() => client.queue.result(MODEL, { requestId: held.request_id }));
  say("its result is 499", gone instanceof ApiError && gone.status === 499);
  const late = await failure(() => client.queue.cancel(MODEL, { requestId: held.request_id }));
  say("cancelling twice is refused", late.status === 400);
  await control("/hold", { hold: false });
}

await everyCall("middleware", rewriting);
await everyCall("proxy", proxied);

// What the client does by itself about faults.
await control("/reset", {});
const input = { image_url: `data:image/png;base64,${image.toString("base64")}` };
await script("gateway_503_nginx");
await rewriting.queue.submit(MODEL, { input });
check("a 503 is retried", (await control("")).counters.attempts === 2);
await script("drop_after_enqueue");
await rewriting.queue.submit(MODEL, { input });
check("a lost answer is paid twice", (await control("")).counters.submissions === 3);
await script("start_timeout");
const timeout = await failure(() => rewriting.run(MODEL, { input }));
check("the caller's own timeout is not retried", timeout.status === 504);

const large = new Blob([Buffer.alloc(91 * 1024 * 1024, 7)], { type: "image/png" });
const stored = await fetch(await rewriting.storage.upload(large));
check("91 MiB arrive in parts", (await stored.arrayBuffer()).byteLength === large.size);
