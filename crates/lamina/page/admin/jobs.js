// Jobs by a filter, page by page, and what can be done to all of them.

import { $, el } from '../dom.js';
import { json } from '../api.js';
import { notice } from '../notice.js';
import { deleteJobs, retryJobs } from './actions.js';
import { ago, between, lasting, put, table } from './table.js';
import { jobLink } from './now.js';

const STATES = [['active', 'under way'], ['prepare', 'prepare'], ['submit', 'submit'], ['wait', 'wait'], ['collect', 'collect'], ['completed', 'completed'], ['failed', 'failed'], ['deleted', 'deleted'], ['expired', 'expired']];
const PAGE = 50;
// A bulk act is about what was counted: no more than an operator can take in.
const MOST = 5000;
const GONE = ['deleted', 'expired'];

let shown = [];
let cursor = null;
let open = null;
// What the list that is shown was asked by; the fields may say something else already.
let asked = {};

const field = (name) => $(`#f-${name}`).value.trim();

const filter = () => ({ state: field('state'), owner: field('owner'), engine: field('engine'), error_code: field('code') });

function query(parts) {
  return new URLSearchParams(Object.entries(parts).filter(([, value]) => value)).toString();
}

function render() {
  const now = new Date().toISOString();
  const rows = shown.map((job) => [jobLink(job.job_id, open), job.owner, job.engine,
    el('span', { className: `state ${job.state}`, textContent: job.state }), job.error_code ?? '–', ago(job.created_at, now),
    job.finished_at ? lasting(between(job.created_at, job.finished_at)) : '–']);
  put($('#jobs'), table('Jobs', [['Job'], ['Owner'], ['Engine'], ['State'], ['Error'], ['Created'], ['Took', { number: true }]], rows, 'No job is like that.'));
  $('#more').hidden = !cursor;
}

export async function listJobs(more = false, by = more ? asked : filter()) {
  asked = by;
  const page = await json(`api/admin/jobs?${query({ ...by, limit: PAGE, cursor: more ? cursor : null })}`);
  shown = more ? [...shown, ...page.jobs] : page.jobs;
  cursor = page.next_cursor;
  render();
}

// While the first page of the newest is what is looked at, it stays the newest.
export async function refreshJobs() {
  const isFirst = shown.length <= PAGE && ['', 'active'].includes(asked.state) && !asked.owner && !asked.engine && !asked.error_code;
  if (isFirst) await listJobs(false, asked);
}

export async function filterBy({ state = '', owner = '', engine = '', error_code: code = '' }) {
  for (const [name, value] of Object.entries({ state, owner, engine, code })) $(`#f-${name}`).value = value;
  await listJobs();
  $('#jobs-title').scrollIntoView({ block: 'start' });
}

// Ids of all that the filter means, to be counted before anything is done to them.
async function all(state, keep) {
  const ids = [];
  let next = null;
  do {
    const page = await json(`api/admin/jobs?${query({ ...filter(), state, limit: 500, cursor: next })}`);
    ids.push(...page.jobs.filter(keep).map((job) => job.job_id));
    next = page.next_cursor;
  } while (next && ids.length < MOST);
  if (next) notice(`More than ${MOST.toLocaleString('en')} jobs are like that. This is about the newest ${ids.length.toLocaleString('en')}; do it again for the rest.`, null, true);
  return ids;
}

async function bulk(what, ids, act) {
  if (!ids.length) return notice(`No job that is shown by this filter can be ${what}.`, null, true);
  if (await act(ids)) await listJobs();
}

export function wireJobs(openJob, failing) {
  open = openJob;
  const choice = (value, text) => el('option', { value, textContent: text });
  $('#f-state').replaceChildren(choice('', 'any'), ...STATES.map(([value, text]) => choice(value, text)));
  $('#f-engine').replaceChildren(choice('', 'any'), choice('local', 'local'), choice('fal', 'fal'));
  $('#filter').addEventListener('submit', (event) => { event.preventDefault(); failing(listJobs()); });
  $('#more').addEventListener('click', () => failing(listJobs(true)));
  $('#retry-all').addEventListener('click', () => failing((async () => {
    const state = field('state');
    if (state && state !== 'failed') return notice('Only failed jobs can be retried: choose the state “failed”, or any.', null, true);
    await bulk('retried', await all('failed', () => true), retryJobs);
  })()));
  $('#delete-all').addEventListener('click', () => failing((async () => {
    await bulk('deleted', await all(field('state'), (job) => !GONE.includes(job.state)), deleteJobs);
  })()));
}
