// One job's whole life on a line of time: steps, calls, costs and what was told of it. Never its picture.

import { $, el } from '../dom.js';
import { json } from '../api.js';
import { between, clock, dollars, lasting } from './table.js';
import { deleteJobs, retryJobs } from './actions.js';

const STATES = { prepare: 'fetching its picture', submit: 'being handed over', wait: 'at the engine', collect: 'its layers are being collected', completed: 'completed', failed: 'failed', deleted: 'deleted', expired: 'expired' };
// What each step came to, and what it did not.
const STEPS = { prepare: ['Its picture is stored', 'Its picture was not stored'], submit: ['The hand-over is written', 'The hand-over failed'], wait: ['The engine is done', 'The engine has not done it'], collect: ['Its layers are stored', 'Its layers were not stored'] };
const PAID = { yes: 'paid', no: 'not paid', perhaps: 'perhaps paid' };
const EVENTS = { 'job.completed': 'its completion', 'job.failed': 'its failure', 'job.expired': 'its expiry' };

// What happened, in order.
function happenings(job) {
  const found = [{ at: job.created_at, what: `Created by ${job.owner}`, kind: 'step' }];
  for (const step of job.steps) {
    const ran = step.phase === 'wait' ? null : `ran ${lasting(step.took_ms / 1000)}`;
    const [done, undone] = STEPS[step.phase] ?? [step.phase, `${step.phase} failed`];
    found.push({ at: step.ended_at, what: step.error_code ? `${undone}: ${step.error_code}` : done, kind: step.error_code ? 'bad' : 'step', more: ran });
  }
  for (const call of job.submissions) {
    found.push({ at: call.opened_at, what: `Handed to ${job.engine}`, kind: 'call', more: call.usd ? `${dollars(call.usd)}, ${PAID[call.paid] ?? call.paid}` : PAID[call.paid] });
    const ends = { accepted: 'The engine took it', failed: 'The engine took it, and its run failed', refused: 'The engine did not take it', unknown: 'Given up: nobody knows whether the engine took it' };
    if (call.closed_at) found.push({ at: call.closed_at, what: ends[call.state] ?? call.state, kind: ['refused', 'failed', 'unknown'].includes(call.state) ? 'bad' : 'call', more: call.request_id });
  }
  if (job.finished_at) found.push({ at: job.finished_at, what: job.error_code ? `Failed: ${job.error_code}` : `Completed with ${job.layers} layers`, kind: job.error_code ? 'bad' : 'good', more: job.engine_ms === null ? null : `${lasting(job.engine_ms / 1000)} of it in the engine` });
  for (const one of job.deliveries) {
    const told = EVENTS[one.event] ?? one.event;
    if (one.state === 'delivered') found.push({ at: one.tried_at, what: `Its receiver was told of ${told}`, kind: 'good', more: `${one.attempts === 1 ? 'at once' : `at attempt ${one.attempts}`}${one.status ? `, ${one.status}` : ''}` });
    else found.push({ at: one.tried_at ?? one.created_at, what: one.state === 'due' ? `Its receiver is to be told of ${told}` : `Its receiver was not told of ${told}`, kind: one.state === 'due' ? 'step' : 'bad', more: [`${one.attempts} attempts`, one.status, one.error].filter(Boolean).join(', ') });
  }
  if (job.gone_at) found.push({ at: job.gone_at, what: job.state === 'deleted' ? 'Deleted' : 'Expired', kind: 'step' });
  return found.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

function line(job) {
  let last = job.created_at;
  return el('ol', { className: 'life' }, ...happenings(job).map((one) => {
    const since = between(last, one.at);
    last = one.at;
    return el('li', { className: one.kind }, el('span', { className: 'life-time' }, clock(one.at), el('span', { className: 'hint', textContent: since ? `+${lasting(since)}` : '' })),
      el('span', {}, one.what, one.more ? el('span', { className: 'hint block', textContent: one.more }) : null));
  }));
}

const megabytes = (bytes) => (bytes === null ? '–' : `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`);

function facts(job) {
  const rows = [
    ['Owner', job.owner], ['Engine', job.engine], ['State', STATES[job.state] ?? job.state],
    ['Whole time', job.total_ms === null ? `${lasting(between(job.created_at, new Date()))} so far` : lasting(job.total_ms / 1000)],
    ['Failed attempts of this step', String(job.attempt)], ['Processes that died under it', String(job.rescues)],
    ['Its picture', megabytes(job.source_bytes)], ['Its layers', job.layers ? `${job.layers}, ${megabytes(job.layer_bytes)}` : 'none'],
    ['Cost', dollars(job.submissions.filter((call) => call.paid !== 'no').reduce((sum, call) => sum + call.usd, 0))],
    ['Goes at', new Date(job.expires_at).toLocaleString('en-GB')],
  ];
  return el('dl', { className: 'facts' }, ...rows.flatMap(([name, value]) => [el('dt', { textContent: name }), el('dd', { textContent: value })]));
}

export async function openStory(id, changed) {
  const job = await json(`api/admin/jobs/${encodeURIComponent(id)}`);
  const again = () => { openStory(id, changed); changed(); };
  const isGone = ['deleted', 'expired'].includes(job.state);
  const acts = el('p', { className: 'buttons left' },
    job.state === 'failed' ? el('button', { className: 'plain', type: 'button', textContent: 'Retry', on: { click: async () => { if (await retryJobs([job.job_id])) again(); } } }) : null,
    isGone ? null : el('button', { className: 'plain danger', type: 'button', textContent: job.finished_at ? 'Delete' : 'Cancel', on: { click: async () => { if (await deleteJobs([job.job_id])) again(); } } }),
    el('button', { className: 'plain', type: 'button', textContent: 'Copy the id', on: { click: () => navigator.clipboard?.writeText(job.job_id) } }));
  $('#story-title').textContent = `Job ${job.job_id}`;
  $('#story-body').replaceChildren(job.error ? el('p', { className: 'why', textContent: job.error }) : '', line(job), facts(job), acts);
  if (!$('#story').open) $('#story').showModal();
}


$('#story-close').addEventListener('click', () => $('#story').close());
