// Keys made, limited and revoked. A key is shown once, in the answer that makes it.

import { $, el, toClipboard } from '../dom.js';
import { call, json } from '../api.js';
import { ask } from './actions.js';
import { day, table } from './table.js';

const send = (path, method, body) => json(path, { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
const field = (id, label, hint, properties = {}) => el('div', { className: 'field' }, el('label', { for: id, textContent: label }), el('input', { id, autocomplete: 'off', spellcheck: false, ...properties }), hint ? el('p', { className: 'hint', textContent: hint }) : null);

const LIMITS = [['rate', 'Requests', 'Such as 20/s burst 40. Empty: the service’s default.'], ['max_jobs', 'Jobs at once', ''], ['daily_usd', 'Dollars a day', '0 allows what is free alone.'], ['storage_bytes', 'Bytes kept', '']];
const limitFields = (now = {}) => LIMITS.map(([name, label, hint]) => field(`l-${name}`, label, hint, { value: now[name] ?? '' }));

function limitsOf(body) {
  const limits = {};
  for (const [name, label] of LIMITS) {
    const text = body.querySelector(`#l-${name}`).value.trim();
    if (!text) continue;
    if (name === 'rate') limits.rate = text;
    else if (Number.isFinite(Number(text))) limits[name] = Number(text);
    else throw new Error(`${label}: a number is expected, not “${text.slice(0, 40)}”.`);
  }
  return limits;
}

function limitsText(owner) {
  const said = LIMITS.filter(([name]) => owner?.[name] !== null && owner?.[name] !== undefined).map(([name, label]) => `${label.toLowerCase()} ${owner[name]}`);
  return said.length ? said.join(', ') : 'defaults';
}

export async function showKeys() {
  const list = await json('api/admin/keys');
  const limits = new Map(list.owners.map((owner) => [owner.name, owner]));
  const revoke = (key) => el('button', { className: 'link danger', type: 'button', textContent: 'Revoke', 'aria-label': `Revoke the key ${key.id} of ${key.name}`, on: { click: () => revokeKey(key) } });
  const configured = list.configured.map((name) => [name, 'in API_KEYS', '', '–', limitsText(limits.get(name)), '']);
  const made = list.keys.map((key) => [key.name, el('code', { textContent: key.id }), key.admin ? 'operator' : '', day(key.created_at), limitsText(limits.get(key.name)), key.revoked_at ? el('span', { className: 'hint' }, 'revoked ', day(key.revoked_at)) : revoke(key)]);
  $('#keys').replaceChildren(table('Keys', [['Owner'], ['Key'], ['Right'], ['Made'], ['Limits', { wide: true }], ['']], [...configured, ...made], 'No key was made. While there is none, anybody who can reach this service may use it.'));
}

async function revokeKey(key) {
  const done = await ask(`Revoke the key of ${key.name}?`, el('p', { textContent: `The next request with the key ${key.id} is refused. Jobs stay, for the owner’s next key.` }), 'Revoke it', { danger: true, read: () => call(`api/admin/keys/${encodeURIComponent(key.id)}`, { method: 'DELETE' }) });
  if (done) await showKeys();
}

async function makeKey() {
  const admin = el('input', { id: 'k-admin', type: 'checkbox' });
  const made = await ask('Make a key', [field('k-name', 'Owner', 'Jobs belong to the owner, not to the key.', { required: true, maxLength: 64 }), el('p', { className: 'check' }, admin, el('label', { for: 'k-admin', textContent: 'Opens this page too' })), ...limitFields()], 'Make it', {
    read: (body) => send('api/admin/keys', 'POST', { name: body.querySelector('#k-name').value.trim(), admin: admin.checked, ...limitsOf(body) }),
  });
  if (!made) return;
  await showKeys();
  const copy = el('button', { className: 'plain', type: 'button', textContent: 'Copy', on: { click: async () => { await toClipboard(made.key); copy.textContent = 'Copied'; } } });
  await ask(`The key of ${made.name}`, [el('p', { textContent: 'It is shown now and never again.' }), el('p', { className: 'new-key' }, el('code', { textContent: made.key }), copy)], 'I have it');
}

async function setLimits() {
  const done = await ask('Set limits', [el('p', { textContent: 'All limits of an owner; what is empty is the service’s default.' }), field('k-name', 'Owner', '', { required: true, maxLength: 64 }), ...limitFields()], 'Set them', {
    read: (body) => send(`api/admin/owners/${encodeURIComponent(body.querySelector('#k-name').value.trim())}/limits`, 'PUT', limitsOf(body)),
  });
  if (done) await showKeys();
}

export function wireKeys(failing) {
  $('#make-key').addEventListener('click', () => failing(makeKey()));
  $('#set-limits').addEventListener('click', () => failing(setLimits()));
}
