// The service's API: a call, its refusals as sentences, and the key, which lives in this tab only.

import { sleep } from './dom.js';

// This module lies at /page/, so this is the service's own address, below whatever path a proxy gives it.
export const base = new URL('../', import.meta.url);

let name = 'lamina.key';
let askForKey = null;
let asking = null;

// An operator's key is another one than an app's.
export function keepKeyAs(other) { name = other; }

export const key = () => sessionStorage.getItem(name);
export function setKey(value) {
  if (value) sessionStorage.setItem(name, value);
  else sessionStorage.removeItem(name);
}
// `ask(refused)` resolves when there is another key, and rejects when the person gives up.
export function onKeyWanted(ask) { askForKey = ask; }

// An answer that is an error, as the server says it.
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? null;
    this.retryAfter = retryAfter;
    const limits = ['spend_limit_reached', 'too_many_jobs', 'storage_full', 'storage_quota_exceeded', 'storage_limit_reached'];
    // A proxy in front says 502 or 504 while the service restarts.
    this.again = [408, 429, 502, 503, 504].includes(status) && !limits.includes(this.code);
  }
}

// No answer at all.
export class Unreachable extends Error {
  constructor() {
    super('lamina does not answer.');
    this.again = true;
    this.retryAfter = null;
  }
}

const authorization = () => (key() ? { Authorization: `Bearer ${key()}` } : {});

function refusal(status, text, retryAfter) {
  let problem = {};
  try { problem = JSON.parse(text) ?? {}; } catch { /* a proxy's page */ }
  return new Refusal(status, problem, Number(retryAfter) || null);
}

// One key dialog for however many calls were refused.
async function anotherKey(tried) {
  if (tried !== key()) return;
  asking ??= askForKey(tried !== null).finally(() => { asking = null; });
  await asking;
}

// The answer to a call below the service's address, whatever its success is. A 401 asks for a key and calls again.
export async function call(path, { method = 'GET', headers = {}, body, signal, cache } = {}) {
  for (;;) {
    const tried = key();
    let answer;
    try {
      answer = await fetch(new URL(path, base), { method, headers: { ...authorization(), ...headers }, body, signal, cache });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw new Unreachable();
    }
    if (answer.ok || answer.status === 304) return answer;
    const text = await answer.text().catch(() => '');
    const refused = refusal(answer.status, text, answer.headers.get('Retry-After'));
    if (refused.status !== 401) throw refused;
    await anotherKey(tried);
  }
}

export const json = async (path, options) => (await call(path, options)).json();

// Does it until it works: what is down may come back, and says when. `onTrouble` is told meanwhile, and null when it is over.
export async function persist(attempt, { onTrouble, signal, most = Infinity }) {
  for (let failures = 0; ; failures += 1) {
    try {
      const result = await attempt();
      if (failures) onTrouble(null);
      return result;
    } catch (error) {
      if (signal?.aborted || !error.again || failures >= most) throw error;
      const seconds = Math.min(error.retryAfter ?? Math.min(1 + failures, 8), 60);
      onTrouble(error, seconds);
      await sleep(seconds * 1000, signal);
    }
  }
}

// Sends a file; `onSent` is told the fraction. Only XMLHttpRequest tells how far an upload is.
function sendOnce(file, onSent, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal.addEventListener('abort', abort, { once: true });
    request.open('POST', new URL('api/upload', base));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.setRequestHeader('Content-Type', file.type || 'application/octet-stream');
    request.upload.onprogress = (event) => onSent(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    };
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(signal.reason);
    request.onloadend = () => signal.removeEventListener('abort', abort);
    request.send(file);
  });
}

export async function send(file, onSent, signal) {
  for (;;) {
    const tried = key();
    try {
      return await sendOnce(file, onSent, signal);
    } catch (error) {
      if (error.status !== 401) throw error;
      await anotherKey(tried);
    }
  }
}

// A signed link as this page can open it: behind a proxy that ends TLS the server may not know that it is https.
export function link(url) {
  const target = new URL(url, base);
  if (target.host === location.host) target.protocol = location.protocol;
  return target;
}

// What this server can do, by its own description.
let described = null;
export function description() {
  described ??= call('openapi.json').then((answer) => answer.json()).catch((error) => { described = null; throw error; });
  return described;
}

// Web pages without https have no randomUUID.
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
