// Follows a job to its end: by events where the server has them and a place for one more, else by asking, which waits
// for a change where the server can, or comes back as often as it says.

import { call, description, json, persist, Refusal, Unreachable } from './api.js';
import { sleep } from './dom.js';

const OVER = ['completed', 'failed'];
// Events carry a comment every 15 s; so long a silence is a dead line.
const SILENCE_MS = 45_000;
// Proxies cut what is silent for a minute.
const WAIT_SECONDS = 25;

// Calls `onJob` with every state and resolves with the last. Outlives a server that goes away; `onTrouble` is told.
export async function follow(id, { onJob, onTrouble, signal }) {
  const paths = await description().then((api) => api.paths, () => ({}));
  const latest = await persist(() => json(`api/jobs/${id}`, { signal }), { onTrouble, signal });
  onJob(latest);
  if (OVER.includes(latest.status)) return latest;
  const told = paths['/api/jobs/{id}/events'] && await byEvents(id, { onJob, onTrouble, signal });
  const waits = paths['/api/jobs/{id}']?.get?.parameters?.some(({ name }) => name === 'wait');
  return told || byAsking(id, waits, { onJob, onTrouble, signal });
}

// Null where the server refuses the stream itself.
async function byEvents(id, { onJob, onTrouble, signal }) {
  let last = null;
  let failures = 0;
  for (;;) {
    try {
      for await (const event of events(id, last, signal)) {
        if (failures) onTrouble(null);
        failures = 0;
        last = event.id ?? last;
        if (event.name === 'deleted') throw new Refusal(410, { code: 'job_deleted', detail: 'The job was deleted.' });
        if (event.name === 'expired') throw new Refusal(410, { code: 'job_expired', detail: 'The job\'s time is over, and its files were erased.' });
        if (!event.data) continue;
        const job = JSON.parse(event.data);
        onJob(job);
        if (OVER.includes(job.status)) return job;
      }
      // A server that stops ends its streams; another one may be there at once.
      await sleep(250, signal);
    } catch (error) {
      if (signal.aborted || [404, 410].includes(error.status)) throw error;
      if (error instanceof Refusal && ![502, 504].includes(error.status)) return null;
      if (!error.again) throw error;
      failures += 1;
      const seconds = Math.min(error.retryAfter ?? failures, 8);
      onTrouble(error, seconds);
      await sleep(seconds * 1000, signal);
    }
  }
}

// The events of one connection. EventSource could not send a key.
async function* events(id, last, signal) {
  const quiet = new AbortController();
  const stop = () => quiet.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => quiet.abort(new Unreachable()), SILENCE_MS);
  };
  try {
    heard();
    const headers = { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) };
    const answer = await call(`api/jobs/${id}/events`, { headers, signal: quiet.signal, cache: 'no-store' });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read().catch(() => { throw signal.aborted ? signal.reason : new Unreachable(); });
      if (done) return;
      heard();
      text += value;
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const block of blocks) yield parse(block);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    quiet.abort(new Unreachable());
  }
}

function parse(block) {
  const event = { name: 'message', id: null, data: '' };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]+):? ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event.name = value;
    if (field === 'id') event.id = value;
    if (field === 'data') event.data += value;
  }
  return event;
}

async function byAsking(id, waits, { onJob, onTrouble, signal }) {
  let tag = null;
  for (;;) {
    const headers = tag ? { 'If-None-Match': tag } : {};
    const path = `api/jobs/${id}${waits ? `?wait=${WAIT_SECONDS}` : ''}`;
    const answer = await persist(() => call(path, { headers, signal, cache: 'no-store' }), { onTrouble, signal });
    if (answer.status === 200) {
      tag = answer.headers.get('ETag');
      const job = await answer.json();
      onJob(job);
      if (OVER.includes(job.status)) return job;
    }
    if (!waits) await sleep((Number(answer.headers.get('Retry-After')) || 1) * 1000, signal);
  }
}
