// The routes: create, status, layers, files, and fal's webhooks. Bodies and answers have schemas, by
// which Fastify checks the one and writes the other quickly.

import Fastify from "fastify";
import { inspect } from "./picture.js";

const BODY_LIMIT = 28 * 1024 * 1024;
const EXPECTED_MS = 20_000;

const layer = {
  type: "object",
  properties: {
    id: { type: "string" },
    url: { type: "string" },
    width: { type: "integer" },
    height: { type: "integer" },
    order: { type: "integer" },
  },
};
const layers = { type: "array", items: layer };
const text = { type: "string" };
const schemas = {
  create: {
    body: {
      type: "object",
      required: ["image_base64"],
      additionalProperties: false,
      properties: {
        image_base64: { type: "string", minLength: 1 },
        num_layers: { type: "integer", minimum: 1, maximum: 10, default: 4 },
      },
    },
    response: { 202: { type: "object", properties: { job_id: text, status: text } } },
  },
  job: {
    response: {
      200: {
        type: "object",
        properties: {
          job_id: text,
          status: text,
          progress: { type: "number" },
          layers: { ...layers, nullable: true },
          error: { ...text, nullable: true },
          created_at: text,
          expires_at: text,
        },
      },
    },
  },
  layers: { response: { 200: { type: "object", properties: { job_id: text, layers } } } },
};

class Problem extends Error {
  constructor(status, code, detail, headers = {}) {
    super(detail);
    Object.assign(this, { statusCode: status, code, headers });
  }
}

export function build({ store, files, jobs, check, baseUrl, pixels }) {
  const server = Fastify({
    bodyLimit: BODY_LIMIT,
    // The schema refuses unknown fields, and a scan of each picture's base64 for `__proto__` is dear.
    onProtoPoisoning: "ignore",
    onConstructorPoisoning: "ignore",
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });

  server.setErrorHandler((error, _request, reply) => {
    const status = error.statusCode ?? 500;
    const body = { status, code: error.code ?? "internal", detail: status < 500 ? error.message : "it is our fault" };
    reply.code(status).headers(error.headers ?? {}).type("application/problem+json").send(JSON.stringify(body));
  });

  const found = (id) => {
    const job = store.job(id);
    if (!job || job.expires_at <= Date.now()) throw new Problem(404, "job_not_found", "there is no such job");
    return job;
  };
  const linked = (job) => JSON.parse(job.layers).map((layer) => ({ ...layer, url: baseUrl() + layer.url }));

  server.post("/api/jobs", { schema: schemas.create }, async (request, reply) => {
    const { image_base64: given, num_layers: numLayers } = request.body;
    const bytes = Buffer.from(given.startsWith("data:") ? given.slice(given.indexOf(",") + 1) : given, "base64");
    const { type } = await inspect(bytes, { pixels }).catch((error) => {
      throw new Problem(422, "image_invalid", error.message);
    });
    const id = await jobs.create(bytes, type, numLayers);
    reply.code(202).header("location", `/api/jobs/${id}`);
    return { job_id: id, status: "pending" };
  });

  server.get("/api/jobs/:id", { schema: schemas.job }, (request, reply) => {
    const job = found(request.params.id);
    const running = job.status === "processing";
    reply.send({
      job_id: job.id,
      status: job.status,
      progress: job.layers ? 1 : running ? Math.min(0.95, (Date.now() - job.created_at) / EXPECTED_MS) : 0,
      layers: job.layers ? linked(job) : null,
      error: job.error,
      created_at: new Date(job.created_at).toISOString(),
      expires_at: new Date(job.expires_at).toISOString(),
    });
  });

  server.get("/api/jobs/:id/layers", { schema: schemas.layers }, (request, reply) => {
    const job = found(request.params.id);
    if (!job.layers) throw new Problem(409, "job_not_completed", "the job is not completed", { "retry-after": "1" });
    reply.send({ job_id: job.id, layers: linked(job) });
  });

  server.get("/files/:name", (request, reply) => {
    const { name } = request.params;
    if (!files.allows(name, request.query)) throw new Problem(403, "link_invalid", "the link is wrong or over");
    return reply.type("image/png").header("cache-control", "private, max-age=86400").send(files.read(name));
  });

  server.register(async (hooks) => {
    // The signature is over the bytes as they came.
    hooks.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    hooks.post("/hooks/fal/:id", async ({ params, headers, body }, reply) => {
      if (!(await check.holds(headers, body))) throw new Problem(401, "webhook_unsigned", "the signature is not fal's");
      const told = JSON.parse(body);
      jobs.ended(params.id, told.request_id, told);
      return reply.code(204).send();
    });
  });

  return server;
}
