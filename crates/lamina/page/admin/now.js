// The present: the verdict, what waits, what failed, what is spent.

import { $, el, say } from '../dom.js';
import { ago, between, clock, count, dollars, lasting, percent, put, table, words } from './table.js';
import { Curve } from './curves.js';

const PHASES = { prepare: 'Fetching pictures', submit: 'Handing over', wait: 'At the engine', collect: 'Collecting layers' };

let curves = null;
// [time, completed until then]
let ends = [];
let told = null;

export const jobLink = (id, open) => el('button', { className: 'link job-id', type: 'button', textContent: id.slice(0, 8) + '…' + id.slice(-4), title: id, on: { click: () => open(id) } });

export function showNow(seen, { openJob, filterBy }) {
  verdict(seen);
  draw(seen);
  $('#when').textContent = `version ${seen.version}, seen at ${new Date(seen.at).toLocaleTimeString('en-GB')}`;
  put($('#phases'), phases(seen, openJob));
  put($('#money'), ...money(seen));
  put($('#failures'), failures(seen, filterBy));
  $('#unknown-part').hidden = !seen.unknown_submissions;
  if (seen.unknown_submissions) unknown(seen, openJob);
  put($('#runs'), runs(seen));
  put($('#estimates'), estimates(seen));
}

function verdict(seen) {
  const alarms = seen.alarms;
  const critical = alarms.filter((alarm) => alarm.severity === 'critical').length;
  const sentence = alarms.length === 0 ? 'All is well.' : alarms.length === 1 ? alarms[0].summary + '.' : `${alarms.length} things need you${critical ? '' : ', none of them at once'}.`;
  $('#verdict').textContent = sentence;
  $('.verdict').classList.toggle('bad', critical > 0);
  $('.verdict').classList.toggle('warn', alarms.length > 0 && critical === 0);
  $('#alarms').replaceChildren(...alarms.map((alarm) => el('li', { className: `alarm ${alarm.severity}` },
    el('p', { className: 'alarm-what' }, alarms.length > 1 ? `${alarm.summary}.` : null, el('span', { className: 'alarm-name', textContent: alarm.name })),
    el('p', {}, ...words(alarm.todo)))));
  // A screen reader hears a change, not each look.
  if (told !== null && told !== sentence) say(sentence);
  told = sentence;
}

function draw(seen) {
  if (!curves) {
    curves = {
      waiting: new Curve('Jobs under way', (value) => count(value)),
      rate: new Curve('Completed a minute', (value) => (value < 10 ? value.toFixed(1) : count(Math.round(value)))),
      failed: new Curve('Failed in 15 minutes', (value) => count(value)),
      spent: new Curve('Spent today', dollars),
    };
    $('#curves').replaceChildren(...Object.values(curves).map((curve) => curve.node));
  }
  const at = Date.parse(seen.at);
  curves.waiting.add(at, seen.phases.reduce((sum, line) => sum + line.due + line.later, 0));
  curves.failed.add(at, seen.failures.reduce((sum, line) => sum + line.lately, 0));
  curves.spent.add(at, seen.usd_today);
  // Over the last minute; after a restart the count begins anew.
  if (ends.length && seen.totals.completed < ends.at(-1)[1]) ends = [];
  ends.push([at, seen.totals.completed]);
  while (ends.length > 2 && at - ends[1][0] >= 60_000) ends.shift();
  const [since, completed] = ends[0];
  if (at > since) curves.rate.add(at, ((seen.totals.completed - completed) / (at - since)) * 60_000);
}

function phases(seen, openJob) {
  const rows = seen.phases.map((line) => [PHASES[line.state] ?? line.state, count(line.due), count(line.later),
    line.oldest_due_seconds ? lasting(line.oldest_due_seconds) : '–',
    line.oldest_job ? el('span', {}, jobLink(line.oldest_job, openJob), ` ${ago(line.oldest_created_at, seen.at)}`) : '–']);
  if (seen.webhooks_waiting) rows.push(['Webhooks to deliver', count(seen.webhooks_waiting), '–', '–', ago(seen.webhooks_oldest_at, seen.at)]);
  return table('Jobs under way by phase', [['Phase'], ['Due', { number: true }], ['Later', { number: true }], ['Waits for', { number: true }], ['Oldest']], rows, 'None.');
}

function bar(spent, most) {
  const share = most > 0 ? Math.min(1, spent / most) : 1;
  return el('meter', { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 0, value: share, 'aria-label': `${percent(share)} of the cap`, title: percent(share) });
}

function money(seen) {
  const most = seen.usd_a_day_at_most;
  const whole = el('p', { className: 'sum' }, el('b', { textContent: dollars(seen.usd_today) }), most === null ? ' spent, no cap on all owners together' : ` of ${dollars(most)}`);
  const rows = seen.spending.map((line) => {
    const own = line.usd_a_day_at_most;
    return [line.owner || 'forgotten owners', line.engine, dollars(line.usd_today), own === null ? 'no cap' : el('span', { className: 'with-bar' }, bar(line.usd_today, own), ` of ${dollars(own)}`)];
  });
  return [whole, most === null ? '' : bar(seen.usd_today, most), table('Spending today by owner and engine', [['Owner'], ['Engine'], ['Today', { number: true }], ['Cap of the owner']], rows, 'Nothing was spent today.')];
}

function failures(seen, filterBy) {
  const rows = seen.failures.map((line) => [
    el('button', { className: 'link', type: 'button', textContent: line.error_code, on: { click: () => filterBy({ state: 'failed', engine: line.engine, error_code: line.error_code }) } }),
    line.engine, count(line.jobs), count(line.lately), ago(line.latest_at, seen.at), line.todo ? el('span', {}, ...words(line.todo)) : 'No code of this version.']);
  return table('Failed jobs by code', [['Code'], ['Engine'], ['Jobs', { number: true }], ['In 15 min', { number: true }], ['Last'], ['What helps', { wide: true }]], rows, 'No job has failed.');
}

function unknown(seen, openJob) {
  const all = seen.unknown_submissions;
  $('#unknown-hint').textContent = `${count(all)} over all time${all > seen.unknown.length ? `, the last ${seen.unknown.length} here` : ''}. Each may have been paid; compare with the provider's bill.`;
  const rows = seen.unknown.map((one) => [jobLink(one.job_id, openJob), one.owner ?? 'forgotten', one.engine, dollars(one.usd), clock(one.opened_at), `${lasting(between(one.opened_at, one.closed_at))} later`, ago(one.closed_at, seen.at)]);
  put($('#unknown'), table('Submissions of unknown fate', [['Job'], ['Owner'], ['Engine'], ['May have cost', { number: true }], ['Called at'], ['Given up'], ['That was']], rows, 'None that is remembered.'));
}

function runs(seen) {
  const rows = seen.runs.map((line) => [line.engine, `below ${line.below_megapixels < 1 ? line.below_megapixels.toFixed(2) : line.below_megapixels.toFixed(1)} MP`, line.num_layers ?? 'auto', count(line.runs), lasting(line.median_seconds), lasting(line.p90_seconds), lasting(line.longest_seconds)]);
  return table('Times of runs by engine, size and layers', [['Engine'], ['Pictures'], ['Layers', { number: true }], ['Runs', { number: true }], ['Median', { number: true }], ['9 in 10', { number: true }], ['Longest', { number: true }]], rows, 'No run was measured yet.');
}

function estimates(seen) {
  const when = { created: 'at the create', began: 'when its run began' };
  const rows = seen.estimates.map((line) => [line.engine, when[line.at] ?? line.at, count(line.jobs), percent(line.median_error), percent(line.p90_error), line.lean > 0.02 ? `${percent(line.lean)} too long` : line.lean < -0.02 ? `${percent(-line.lean)} too short` : 'even']);
  return table('Errors of estimates', [['Engine'], ['Made'], ['Jobs', { number: true }], ['Median', { number: true }], ['9 in 10', { number: true }], ['Leans']], rows, 'No estimate was compared yet.');
}
