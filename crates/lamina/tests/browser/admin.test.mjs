// The operator's page: the door, the present, a job's story, what can be done to many, keys; and what strangers' words cannot do to it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { JOB_MS, launch, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

const ADMIN_KEY = 'fedcba9876543210fedc';
const APP_KEY = '0123456789abcdef0123';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// What a stranger may write where he can: it must be read, and never run.
const HOSTILE = '<img src=x onerror=alert(1)>';
const UNAUTHORIZED = [/status of 40[13]/];

let service;
let browser;

before(async () => {
  browser = await launch();
  service = await Service.start({ API_KEYS: `app:${APP_KEY}`, ADMIN_KEY, FETCH_ALLOW_NETS: '127.0.0.0/8', FETCH_ALLOW_HTTP: 'true' });
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const asApp = (path, options = {}) => fetch(`${service.base}${path}`, { ...options, headers: { Authorization: `Bearer ${APP_KEY}`, 'Content-Type': 'application/json', ...options.headers } });
const asOperator = (path, options = {}) => fetch(`${service.base}${path}`, { ...options, headers: { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json', ...options.headers } });

async function create(body) {
  const answer = await asApp('/api/jobs', { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 202, await answer.clone().text());
  return (await answer.json()).job_id;
}

async function ended(id) {
  for (const until = Date.now() + JOB_MS; Date.now() < until;) {
    const job = await (await asApp(`/api/jobs/${id}?wait=20`)).json();
    if (['completed', 'failed'].includes(job.status)) return job;
  }
  throw new Error('the job has not ended');
}

const picture = () => readFileSync(new URL('../../page/samples/coffee.webp', import.meta.url)).toString('base64');

async function opened(options = {}) {
  const visit = await Visit.open(browser, `${service.base}/admin`, options);
  await visit.page.getByLabel('Key', { exact: true }).fill(ADMIN_KEY);
  await visit.page.getByRole('button', { name: 'Open' }).click();
  await visit.page.waitForSelector('#desk:not([hidden])');
  return visit;
}

const serious = async (page) => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
};

test('nobody sees anything without an operator\'s key, and the key stays in its tab', async () => {
  const visit = await Visit.open(browser, `${service.base}/admin`, { expected: UNAUTHORIZED });
  const { page } = visit;
  for (const [given, said] of [['wrong-key', /opens nothing/], [APP_KEY, /key of an app/], ['ключ', /ASCII/]]) {
    await page.getByLabel('Key', { exact: true }).fill(given);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.waitForFunction((pattern) => new RegExp(pattern).test(document.querySelector('#door-why').textContent), said.source);
    assert.equal(await page.locator('#desk').isVisible(), false, given);
  }
  await page.getByLabel('Key', { exact: true }).fill(ADMIN_KEY);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.waitForSelector('#desk:not([hidden])');
  // Whether the disk of this machine is nearly full is not this test's to say; that the page says it is.
  const { alarms } = await (await asOperator('/api/admin/overview')).json();
  assert.deepEqual(alarms.filter(({ name }) => name !== 'LaminaDiskFilling'), []);
  assert.equal(await page.locator('#verdict').textContent(), alarms.length ? `${alarms[0].summary}.` : 'All is well.');
  // A reload keeps the key, another tab has none, and an app's page is not given it.
  await page.reload();
  await page.waitForSelector('#desk:not([hidden])');
  assert.equal(await page.evaluate(() => `${JSON.stringify(localStorage)}${document.cookie}`), '{}');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('lamina.key')), null);
  const other = await visit.context.newPage();
  await other.goto(`${service.base}/admin`);
  await other.waitForSelector('#door:not([hidden])');
  await page.getByRole('button', { name: 'Forget the key' }).click();
  await page.waitForSelector('#door:not([hidden])');
  assert.equal(await page.evaluate(() => JSON.stringify(sessionStorage)), '{}');
  await visit.close();
});

test('the story of a job and what failed are shown, and can be acted on', async () => {
  const source = createServer((request, response) => { response.writeHead(200, { 'Content-Type': 'image/png' }); response.end('no picture'); });
  await new Promise((resolve) => { source.listen(0, '127.0.0.1', resolve); });
  const address = `http://127.0.0.1:${source.address().port}/a.png`;
  const done = await create({ image_base64: picture(), prompt: 'a secret word' });
  assert.equal((await ended(done)).status, 'completed');
  const failed = [await create({ image_url: address }), await create({ image_url: address })];
  for (const id of failed) assert.equal((await ended(id)).status, 'failed');

  const visit = await opened();
  const { page } = visit;
  await page.locator('#failures').getByText('image_unrecognised').waitFor();
  assert.match(await page.locator('#failures').innerText(), /image_unrecognised[\s\S]*2[\s\S]*Send the file itself/);
  await page.locator('#jobs').getByTitle(done).click();
  await page.getByRole('heading', { name: `Job ${done}` }).waitFor();
  const story = await page.locator('#story').innerText();
  for (const said of ['Created by app', 'Handed to local', 'The engine is done', 'Its layers are stored', 'The engine took it', 'Completed with']) assert.ok(story.includes(said), `${said} in ${story}`);
  assert.ok(!/secret|http/.test(story), 'neither words nor links of the owner');
  assert.equal(await page.locator('#story img, #story canvas').count(), 0);
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.locator('#jobs').getByTitle(failed[0]).click();
  await page.locator('#story').getByText('Its picture was not stored: image_unrecognised').waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).click();

  // By the code that failed, with the number before anything is done.
  await page.locator('#failures').getByRole('button', { name: 'image_unrecognised' }).click();
  await page.waitForFunction(() => document.querySelectorAll('#jobs tbody tr').length === 2);
  await page.getByRole('button', { name: 'Retry …' }).click();
  await page.getByRole('heading', { name: 'Retry 2 jobs?' }).waitFor();
  await page.locator('#ask').getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await (await asOperator('/api/admin/jobs?state=failed')).json()).jobs.length, 2, 'nothing was done');
  await page.getByRole('button', { name: 'Retry …' }).click();
  await page.getByRole('button', { name: 'Retry 2 jobs' }).click();
  await page.getByText('2 jobs begin again.').first().waitFor();
  for (const id of failed) await ended(id);
  await page.getByRole('button', { name: 'Cancel or delete …' }).click();
  await page.getByRole('button', { name: /^Delete \d jobs?$/ }).click();
  await page.getByText(/jobs? (was|were) deleted\./).first().waitFor();
  source.closeAllConnections();
  source.close();
  for (const id of failed) assert.match(service.log, new RegExp(`${id}[^\\n]*"by":"operator"|"by":"operator"[^\\n]*${id}`));
  await visit.close();
});

test('a key is made, shown once, and revoked, and the log says by whom', async () => {
  const visit = await opened();
  const { page } = visit;
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByLabel('Owner', { exact: true }).last().fill('web');
  await page.getByLabel('Opens this page too').check();
  await page.getByLabel('Dollars a day').fill('much');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByText('a number is expected').waitFor();
  await page.getByLabel('Dollars a day').fill('5');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { name: 'The key of web' }).waitFor();
  const made = await page.locator('.new-key code').textContent();
  assert.match(made, /^lam_/);
  await page.getByRole('button', { name: 'I have it' }).click();
  assert.ok(!(await page.content()).includes(made), 'it is not shown again');
  const row = page.locator('#keys tr', { hasText: 'web' });
  assert.match(await row.innerText(), /operator[\s\S]*dollars a day 5/);

  // The new key opens the page, and what it does is under its own name.
  const others = await Visit.open(browser, `${service.base}/admin`);
  await others.page.getByLabel('Key', { exact: true }).fill(made);
  await others.page.getByRole('button', { name: 'Open' }).click();
  await others.page.waitForSelector('#desk:not([hidden])');
  const id = await create({ image_base64: picture() });
  await others.page.getByRole('button', { name: 'Show' }).click();
  await others.page.locator('#jobs').getByTitle(id).click();
  await others.page.locator('#story').getByRole('button', { name: /^(Cancel|Delete)$/ }).click();
  await others.page.getByRole('button', { name: 'Delete 1 job' }).click();
  await others.page.getByText('1 job was deleted.').first().waitFor();
  assert.match(service.log, new RegExp(`"by":"web, key [0-9a-f]{12}"`));
  assert.ok(!service.log.includes(made));
  await others.close();

  await page.getByRole('button', { name: /^Revoke the key [0-9a-f]{12} of web$/ }).click();
  await page.getByRole('button', { name: 'Revoke it' }).click();
  await row.getByText('revoked').waitFor();
  assert.equal((await fetch(`${service.base}/api/admin/overview`, { headers: { Authorization: `Bearer ${made}` } })).status, 401);
  await visit.close();
});

test('what strangers write is read and never run', async () => {
  const visit = await opened();
  const { page } = visit;
  // The server bounds such words; a page must not rely on that.
  await page.route('**/api/admin/**', async (route) => {
    const answer = await route.fetch();
    if (!answer.ok() || !route.request().url().match(/overview|jobs|keys/) || route.request().method() !== 'GET') return route.fulfill({ response: answer });
    const body = await answer.json();
    if (body.alarms) {
      body.alarms = [{ name: HOSTILE, severity: 'critical', summary: HOSTILE, todo: `${HOSTILE} \`${HOSTILE}\`` }, { name: 'x', severity: HOSTILE, summary: 'y', todo: '`' }];
      body.failures = [{ error_code: HOSTILE, engine: HOSTILE, jobs: 1, lately: 1, latest_at: body.at, todo: HOSTILE }];
      body.spending = [{ owner: HOSTILE, engine: HOSTILE, usd_today: 1, usd_a_day_at_most: 2 }];
      body.unknown = [{ job_id: HOSTILE, owner: HOSTILE, engine: 'fal', usd: 1, opened_at: body.at, closed_at: body.at }];
      body.unknown_submissions = 1;
    }
    for (const job of body.jobs ?? []) Object.assign(job, { owner: HOSTILE, error_code: HOSTILE });
    if (body.submissions) Object.assign(body, { owner: HOSTILE, error: HOSTILE, error_code: HOSTILE, finished_at: body.created_at, state: HOSTILE, deliveries: [{ event: HOSTILE, state: 'given_up', attempts: 3, created_at: body.created_at, tried_at: null, status: null, error: HOSTILE }] });
    for (const owner of body.owners ?? []) owner.name = HOSTILE;
    for (const key of body.keys ?? []) key.name = HOSTILE;
    return route.fulfill({ response: answer, json: body });
  });
  page.on('dialog', () => visit.faults.push('a stranger\'s words ran'));
  await page.reload();
  await page.locator('#alarms').getByText(HOSTILE).first().waitFor();
  await page.locator('#jobs .job-id').first().click();
  await page.locator('#story').getByText(HOSTILE).first().waitFor();
  assert.equal(await page.locator('img').count(), 0);
  await visit.close();
});

test('nothing is asked while nobody looks, and a service that goes away is said', async () => {
  const visit = await opened({ expected: [/Failed to load resource/] });
  const { page } = visit;
  let asked = 0;
  page.on('request', (request) => { asked += request.url().endsWith('/overview') ? 1 : 0; });
  await page.waitForRequest('**/api/admin/overview');
  const hide = (hidden) => page.evaluate((is) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => is });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await page.waitForLoadState('networkidle');
  asked = 0;
  await new Promise((resolve) => { setTimeout(resolve, 6500); });
  assert.equal(asked, 0, 'a tab that is not seen asks nothing');
  await Promise.all([page.waitForRequest('**/api/admin/overview'), hide(false)]);
  await service.kill();
  await page.getByText(/does not answer/).waitFor({ timeout: 20_000 });
  await service.up();
  await page.waitForFunction(() => document.querySelector('#notice').hidden, null, { timeout: 30_000 });
  assert.equal(await page.locator('#verdict').isVisible(), true);
  await visit.close();
});

for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`nothing serious stands in the way of assistive technology, ${colorScheme}, ${device}`, async () => {
      const id = await create({ image_base64: picture() });
      // The checker compiles its own code, which the page's policy forbids.
      const visit = await Visit.open(browser, `${service.base}/admin`, { viewport, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
      const { page } = visit;
      assert.deepEqual(await serious(page), []);
      await page.getByLabel('Key', { exact: true }).fill(ADMIN_KEY);
      await page.getByRole('button', { name: 'Open' }).click();
      await page.locator('#jobs').getByTitle(id).waitFor();
      await page.locator('#keys').getByText('in API_KEYS').waitFor();
      assert.deepEqual(await serious(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing is wider than the screen');
      await page.locator('#jobs').getByTitle(id).click();
      await page.waitForSelector('#story[open]');
      assert.deepEqual(await serious(page), []);
      await page.getByRole('button', { name: 'Close', exact: true }).click();
      await page.getByRole('button', { name: 'Make a key' }).click();
      assert.deepEqual(await serious(page), []);
      await visit.close();
    });
  }
}
