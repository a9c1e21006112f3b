// The page in front of fal's queue, by the emulator: layers without names that are not quite the picture, and a run that fails.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { JOB_MS, launch, layers, names, sample, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

let browser;
let emulator;
let service;

before(async () => {
  browser = await launch();
  emulator = spawn(process.env.FAL_EMULATOR_BIN, ['--port', '0', '--layers', 'synthetic', '--latency', '300ms', '--queue-time', '100ms'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const address = await new Promise((resolve, reject) => {
    let said = '';
    const read = (chunk) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    emulator.stdout.on('data', read);
    emulator.stderr.on('data', read);
    emulator.once('exit', () => reject(new Error(`the emulator ended: ${said}`)));
  });
  service = await Service.start({
    FAL_QUEUE_URL: address, FAL_REST_URL: address, FAL_PLATFORM_URL: `${address}/v1`, FAL_JWKS_URL: `${address}/.well-known/jwks.json`, FAL_KEY: 'emulator-key-id:emulator-key-secret',
  });
});
after(async () => {
  await browser?.close();
  await service?.stop();
  emulator?.kill();
});

test('layers of an engine that gives no names are numbered, and a difference is said as it is', async () => {
  const visit = await Visit.open(browser, `${service.base}/`, { reducedMotion: 'reduce' });
  const { page } = visit;
  await page.selectOption('#count', '3');
  await sample(page, 'Coffee');
  await layers(page);
  assert.deepEqual(await names(page), ['Layer 3', 'Layer 2', 'Layer 1']);
  await page.waitForFunction(() => /differ|have|not compared/.test(document.querySelector('#proof').textContent), undefined, { timeout: JOB_MS });
  assert.doesNotMatch(await page.textContent('#proof'), /not one of/);
  assert.match(await page.textContent('#facts'), /fal\.ai/);
  await visit.close();
});

test('layers that were made as large as the picture are the picture again, whatever the engine gave', async () => {
  const visit = await Visit.open(browser, `${service.base}/`, { reducedMotion: 'reduce' });
  const { page } = visit;
  await page.getByRole('button', { name: 'Options', exact: true }).click();
  await page.getByLabel('How large the layers are').selectOption('As large as the picture');
  await page.getByRole('button', { name: 'Keep these' }).click();
  await sample(page, 'Coffee');
  await layers(page);
  await page.waitForFunction(() => /not one of/.test(document.querySelector('#proof').textContent), undefined, { timeout: JOB_MS });
  await visit.close();
});

test('a run that fails is told with its reason, and can be tried again', async () => {
  const visit = await Visit.open(browser, `${service.base}/`, { reducedMotion: 'reduce' });
  const { page } = visit;
  await page.getByRole('button', { name: 'Options', exact: true }).click();
  await page.getByLabel('What is in the picture').fill('[[emulator:content_policy_violation]]');
  await page.getByRole('button', { name: 'Keep these' }).click();
  await sample(page, 'Coffee');
  await page.waitForSelector('#notice:not([hidden])', { timeout: JOB_MS });
  assert.ok((await page.textContent('#notice-text')).length > 20);
  assert.equal(await page.locator('#start').isVisible(), true);
  await visit.close();
});
