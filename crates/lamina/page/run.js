// One picture's way through the service: sent, made a job of, followed. Whatever may be repeated without harm is
// repeated while the server is away; a create carries a key by which the server knows it again.

import { call, description, json, link, persist, send, Unreachable, uuid } from './api.js';
import { follow } from './watch.js';

// `tell(state, details)`: sending, waiting, trouble (with null when it is over). Resolves with the completed job.
export async function takeApart(picture, options, tell, signal) {
  const onTrouble = (error, seconds) => tell('trouble', { error, seconds });
  const upload = picture.upload ?? await sendPicture(picture.file, tell, onTrouble, signal);
  picture.upload = upload;
  const body = JSON.stringify({ upload_id: upload.upload_id, ...options });
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': uuid() };
  const accepted = await persist(() => json('api/jobs', { method: 'POST', headers, body, signal }), { onTrouble, signal });
  tell('created', { id: accepted.job_id, upload });
  return followed(accepted.job_id, tell, signal);
}

export async function followed(id, tell, signal) {
  const onTrouble = (error, seconds) => tell('trouble', { error, seconds });
  const job = await follow(id, { onJob: (state) => tell('waiting', state), onTrouble, signal });
  if (job.status !== 'failed') return job;
  const error = new Error(job.error ?? 'The job failed.');
  error.code = job.error_code;
  throw error;
}

async function sendPicture(file, tell, onTrouble, signal) {
  const attempt = async () => {
    try {
      return await send(file, (fraction) => tell('sending', fraction), signal);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      // A server that refuses a large body may close before it was read, which looks like being away.
      const limit = await largestPicture().catch(() => null);
      if (limit && file.size > limit) {
        throw Object.assign(new Error(`The file has ${file.size.toLocaleString('en')} bytes; this server takes at most ${limit.toLocaleString('en')}. Save it smaller.`), { code: 'image_too_many_bytes' });
      }
      throw error;
    }
  };
  return persist(attempt, { onTrouble, signal });
}

// By the limit that resumable uploads announce, which is the picture's.
async function largestPicture() {
  const answer = await call('api/uploads/tus', { method: 'OPTIONS' });
  return Number(answer.headers.get('Tus-Max-Size')) || null;
}

export const deleteJob = (id) => call(`api/jobs/${id}`, { method: 'DELETE' });

// The picture a job was made of, as the server keeps it; null when it is gone.
export async function sourceOf(uploadId, signal) {
  const status = await json(`api/uploads/${uploadId}`, { signal });
  return status.upload ?? null;
}

export async function bytesOf(url, signal) {
  const answer = await fetch(link(url), { signal });
  if (!answer.ok) throw new Error(`A layer could not be fetched: ${(await answer.json().catch(() => ({}))).detail ?? answer.status}`);
  return answer.blob();
}

// Exports that this server offers for a job, as [{format, url}].
export async function exportsOf(job) {
  if (Array.isArray(job.exports)) return job.exports.filter((item) => item.url && item.format);
  const api = await description();
  const path = Object.keys(api.paths).find((path) => /^\/api\/jobs\/\{[a-z_]+\}\/export\/\{format\}$/.test(path));
  const get = path && api.paths[path].get;
  const format = get?.parameters?.find((parameter) => parameter.name === 'format');
  const schema = format?.schema?.$ref ? api.components.schemas[format.schema.$ref.split('/').pop()] : format?.schema;
  // All layers as ZIP is a button of its own, and needs nothing of the server.
  return (schema?.enum ?? []).filter((name) => name !== 'zip').map((name) => ({ format: name, path: `api/jobs/${job.job_id}/export/${name}` }));
}
