// The page at `/`, from a dropped file to what is taken home.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { drop, JOB_MS, launch, layers, names, sample, saved, Visit } from './support/browser.mjs';
import { picture, Service } from './support/service.mjs';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
let service;
let browser;

before(async () => {
  browser = await launch();
  service = await Service.start();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const open = (options) => Visit.open(browser, `${service.base}/`, { reducedMotion: 'reduce', ...options });

async function jobOf(page) {
  const id = new URL(page.url()).hash.slice('#job='.length);
  return (await service.json(`/api/jobs/${id}`)).body;
}

// The middle of a layer on the screen.
const centre = (page, index) => page.locator('.plate canvas').nth(index).evaluate((node) => {
  const box = node.getBoundingClientRect();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
});

const shift = (page, index) => page.locator('.plate').nth(index).evaluate((node) => {
  const matrix = new DOMMatrix(getComputedStyle(node).transform);
  return [Math.round(matrix.e), Math.round(matrix.f)];
});

test('a dropped picture comes apart and its layers can be hidden, moved, ordered and taken home', async () => {
  const visit = await open();
  const { page } = visit;
  await page.evaluate(() => {
    window.seen = [];
    const meter = document.querySelector('#meter');
    new MutationObserver(() => window.seen.push(Number(meter.getAttribute('aria-valuenow')))).observe(meter, { attributes: true });
  });
  await drop(page, 'my cup.webp', 'image/webp', picture('coffee.webp'));
  const rows = await layers(page);
  const seen = await page.evaluate(() => window.seen);
  assert.ok(new Set(seen).size > 2, `the bar moves: ${seen}`);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b), 'and never back');
  const job = await jobOf(page);
  assert.equal(await rows.count(), job.layers.length);
  assert.ok(job.layers.length >= 2);

  // What stands on top is listed first; the cup is the subject.
  const top = job.layers.length - 1;
  const eye = rows.first().locator('.eye');
  await eye.click();
  assert.equal(await page.locator('.plate').nth(top).evaluate((node) => getComputedStyle(node).visibility), 'hidden');
  assert.match(await eye.getAttribute('aria-label'), /^Show /);
  await eye.click();

  const from = await centre(page, top);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 90, from.y + 40, { steps: 4 });
  await page.mouse.up();
  assert.notDeepEqual(await shift(page, top), [0, 0], 'a layer is dragged on the canvas');
  assert.equal(await rows.first().locator('.pick').getAttribute('aria-expanded'), 'true', 'and chosen by it');
  await page.mouse.move(from.x + 90, from.y + 40);
  await page.mouse.down();
  await page.mouse.move(from.x + 3, from.y + 2, { steps: 4 });
  await page.mouse.up();
  assert.deepEqual(await shift(page, top), [0, 0], 'near its place it snaps back');

  const was = await names(page);
  await rows.nth(1).locator('.pick').focus();
  await page.keyboard.press('Alt+ArrowUp');
  assert.deepEqual(await names(page), [was[1], was[0], ...was.slice(2)]);
  assert.equal(await page.evaluate(() => document.activeElement.closest('.layer').querySelector('b').textContent), was[1], 'the focus goes along');
  await page.waitForFunction((name) => document.querySelector('#say').textContent.startsWith(name), was[1]);
  await page.getByRole('button', { name: 'Put all back' }).click();
  assert.deepEqual(await names(page), was);

  await page.waitForFunction(() => /not one of 240,000 pixels differs/.test(document.querySelector('#proof').textContent), undefined, { timeout: JOB_MS });

  const one = await saved(page, () => rows.first().getByRole('button', { name: 'Download this layer' }).click());
  assert.equal(sha256(readFileSync(one.path)), job.layers[top].sha256);
  assert.match(one.name, /\.png$/);

  const all = await saved(page, () => page.getByRole('button', { name: 'All layers (ZIP)' }).click());
  assert.equal(all.name, 'my-cup-layers.zip');
  const photoshop = await saved(page, () => page.getByRole('button', { name: 'PSD (Photoshop)' }).click());
  assert.equal(photoshop.name, 'my-cup.psd');
  const whole = readFileSync(photoshop.path);
  assert.equal(whole.subarray(0, 6).toString('latin1'), '8BPS\0\x01');
  // As it is arranged: the same layers, one of them hidden.
  await rows.first().getByRole('button', { name: /^Hide/ }).click();
  const arranged = await saved(page, () => page.getByRole('button', { name: 'PSD (Photoshop)' }).click());
  const hidden = readFileSync(arranged.path);
  assert.equal(hidden.subarray(0, 4).toString('latin1'), '8BPS');
  assert.ok(!hidden.equals(whole));
  await page.getByRole('button', { name: 'Put all back' }).click();

  const folder = mkdtempSync(join(tmpdir(), 'lamina-zip-'));
  execFileSync('python3', ['-m', 'zipfile', '-t', all.path]);
  execFileSync('python3', ['-m', 'zipfile', '-e', all.path, folder]);
  const facts = JSON.parse(readFileSync(join(folder, 'layers.json')));
  assert.equal(facts.layers.length, job.layers.length);
  for (const layer of facts.layers) assert.equal(sha256(readFileSync(join(folder, layer.file))), layer.sha256);
  await visit.close();
});

test('the canvas is used by keys alone', async () => {
  const visit = await open();
  const { page } = visit;
  await page.getByRole('button', { name: /^Coffee:/ }).focus();
  await page.keyboard.press('Enter');
  const rows = await layers(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'layers-title', 'the focus follows to the result');
  const top = (await rows.count()) - 1;
  await rows.first().locator('.pick').focus();
  await page.keyboard.press('Enter');
  const stage = page.locator('#stage');
  await stage.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowDown');
  assert.deepEqual(await shift(page, top), [1, 10]);
  await page.keyboard.press('Escape');
  assert.deepEqual(await shift(page, top), [0, 0]);
  await page.keyboard.press('h');
  assert.match(await rows.first().getAttribute('class'), /off/);
  await page.keyboard.press('h');
  await page.keyboard.press('s');
  assert.equal(await page.locator('.layer.off').count(), top, 'alone means the others are not shown');
  await page.keyboard.press('s');
  await page.keyboard.press('[');
  assert.match(await page.locator('#say').textContent().then(() => page.waitForFunction(() => /from the top/.test(document.querySelector('#say').textContent)).then(() => page.textContent('#say'))), /^Subject is 2 of/);
  await page.keyboard.press(']');

  const zoom = () => page.locator('#zoom-now').textContent();
  const fitted = await zoom();
  await page.keyboard.press('+');
  assert.notEqual(await zoom(), fitted);
  await page.keyboard.press('1');
  assert.equal(await zoom(), '100%');
  await page.keyboard.press('0');
  assert.equal(await zoom(), fitted);

  await page.keyboard.press('e');
  assert.equal(await page.locator('[data-view=exploded]').getAttribute('aria-pressed'), 'true');
  await page.waitForFunction(() => {
    const canvas = document.querySelector('canvas.tilted');
    return canvas && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0);
  });
  await page.keyboard.press('c');
  const cut = page.getByRole('slider', { name: 'Before and after' });
  await cut.focus();
  await page.keyboard.press('Home');
  assert.equal(await cut.getAttribute('aria-valuenow'), '0');
  await page.keyboard.press('ArrowRight');
  assert.equal(await cut.getAttribute('aria-valuenow'), '2');
  await visit.close();
});

test('the wheel and two fingers zoom around where they are', async () => {
  const visit = await open({ hasTouch: true });
  const { page } = visit;
  await sample(page, 'Coffee');
  await layers(page);
  const box = await page.locator('#stage').boundingBox();
  const at = { x: box.x + box.width / 3, y: box.y + box.height / 3 };
  const under = () => page.locator('.ground').evaluate((node, { x, y }) => {
    const own = node.getBoundingClientRect();
    return [(x - own.x) / own.width, (y - own.y) / own.height].map((part) => part.toFixed(2)).join();
  }, at);
  const width = () => page.locator('.ground').evaluate((node) => node.getBoundingClientRect().width);
  const [place, wide] = [await under(), await width()];
  await page.mouse.move(at.x, at.y);
  await page.mouse.wheel(0, -300);
  await page.waitForFunction((least) => document.querySelector('.ground').getBoundingClientRect().width > least, wide * 1.2);
  assert.equal(await under(), place, 'what is under the pointer stays there');

  const before = await width();
  const touch = await page.context().newCDPSession(page);
  const fingers = (apart) => [{ x: at.x - apart, y: at.y, id: 1 }, { x: at.x + apart, y: at.y, id: 2 }];
  await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: fingers(40) });
  for (const apart of [50, 60, 70, 80]) await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: fingers(apart) });
  await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  const factor = (await width()) / before;
  assert.ok(factor > 1.7 && factor < 2.3, `twice as far apart is twice as large: ${factor}`);
  await visit.close();
});

test('the layer under the pointer is lit by its alpha, in the list and on the canvas', async () => {
  const visit = await open();
  const { page } = visit;
  await sample(page, 'Coffee');
  const rows = await layers(page);
  const top = (await rows.count()) - 1;
  const cup = await centre(page, top);
  await page.mouse.move(cup.x, cup.y);
  assert.match(await rows.first().getAttribute('class'), /hover/);
  assert.match(await page.locator('.plate').nth(top).getAttribute('class'), /hover/);
  // The corner of the cup's own box is transparent.
  const corner = await page.locator('.plate canvas').nth(top).boundingBox();
  await page.mouse.move(corner.x + 3, corner.y + 3);
  assert.doesNotMatch(await rows.first().getAttribute('class'), /hover/);
  await visit.close();
});

test('rows are ordered by dragging them too, and opacity follows its slider', async () => {
  const visit = await open();
  const { page } = visit;
  await sample(page, 'Coffee');
  const rows = await layers(page);
  const was = await names(page);
  const grip = await rows.first().locator('.grip').boundingBox();
  const last = await rows.last().boundingBox();
  await page.mouse.move(grip.x + 5, grip.y + 10);
  await page.mouse.down();
  await page.mouse.move(grip.x + 5, last.y + last.height - 4, { steps: 12 });
  await page.mouse.up();
  assert.deepEqual(await names(page), [...was.slice(1), was[0]]);
  await rows.last().locator('.pick').click();
  await rows.last().getByRole('slider', { name: 'Opacity' }).fill('40');
  assert.equal(await page.locator('.plate.chosen').evaluate((node) => getComputedStyle(node).opacity), '0.4');
  await visit.close();
});

test('the list of this browser opens a job again, and deletes it for good', async () => {
  const visit = await open({ expected: [/410/] });
  const { page } = visit;
  await sample(page, 'Coffee');
  await layers(page);
  const job = await jobOf(page);
  await page.getByRole('button', { name: 'New picture' }).click();
  const entry = page.locator('#recent-list li');
  assert.match(await entry.textContent(), /coffee\.webp.*hours left/);
  await page.reload();
  await entry.locator('.open').click();
  await layers(page);
  assert.equal((await jobOf(page)).job_id, job.job_id);
  assert.equal(await page.locator('[data-view=compare]').isEnabled(), true, 'the picture is fetched again from the server');
  await page.reload();
  await layers(page);
  await page.getByRole('button', { name: 'Delete now' }).click();
  await page.waitForSelector('#start:not([hidden])');
  assert.equal((await service.json(`/api/jobs/${job.job_id}`)).status, 410);
  assert.equal(await page.locator('#recent').isHidden(), true);
  await page.goto(`${service.base}/#job=${job.job_id}`);
  await page.waitForFunction(() => /deleted/.test(document.querySelector('#notice-text').textContent));
  await visit.close();
});

test('a picture is taken apart again from any view, and leaving it in the middle ends the job', async () => {
  const visit = await open({ reducedMotion: 'no-preference' });
  const { page } = visit;
  await sample(page, 'Coffee');
  await layers(page);
  const first = (await jobOf(page)).job_id;
  for (const view of ['exploded', 'compare']) {
    await page.click(`[data-view=${view}]`);
    await page.getByRole('button', { name: 'Take apart again' }).click();
    await page.getByLabel('How many layers').selectOption('2');
    await page.getByRole('button', { name: 'Take apart', exact: true }).click();
    await page.waitForSelector('#work:not([hidden])');
    assert.equal(await (await layers(page)).count(), 2);
  }
  const second = await jobOf(page);
  assert.notEqual(second.job_id, first);
  await page.getByRole('button', { name: 'Take apart again' }).click();
  await page.getByRole('button', { name: 'Take apart', exact: true }).click();
  await page.waitForFunction((id) => !location.hash.endsWith(id), second.job_id);
  const third = new URL(page.url()).hash.slice('#job='.length);
  await page.getByRole('button', { name: 'Cancel' }).first().click();
  await page.waitForSelector('#start:not([hidden])');
  await page.waitForFunction((id) => !localStorage.getItem('lamina.jobs').includes(id), third);
  assert.equal((await service.json(`/api/jobs/${third}`)).status, 410);
  await page.goBack();
  await visit.close();
});

test('pasting a picture works as choosing one does', async () => {
  const visit = await open();
  const { page } = visit;
  await page.evaluate((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'image.webp', { type: 'image/webp' }));
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true }));
  }, picture('coffee.webp').toString('base64'));
  await layers(page);
  await page.getByRole('button', { name: 'New picture' }).click();
  await page.setInputFiles('#file', { name: 'chosen.webp', mimeType: 'image/webp', buffer: picture('coffee.webp') });
  await layers(page);
  assert.equal(await page.textContent('#title'), 'chosen.webp');
  await visit.close();
});

test('options are sent as they were chosen, and the code that is shown does the same', async () => {
  const visit = await open();
  const { page } = visit;
  let sent;
  page.on('request', (request) => { if (request.method() === 'POST' && request.url().endsWith('/api/jobs')) sent = request.postDataJSON(); });
  await page.selectOption('#count', '2');
  await page.getByRole('button', { name: 'Options', exact: true }).click();
  await page.getByLabel('What is in the picture').fill("A cup, it's red");
  await page.getByLabel('Number to repeat it by').fill('7');
  await page.getByRole('button', { name: 'Keep these' }).click();
  await sample(page, 'Coffee');
  assert.equal(await (await layers(page)).count(), 2);
  const { upload_id: upload, ...wishes } = sent;
  assert.ok(upload);
  assert.deepEqual(wishes, { num_layers: 2, prompt: "A cup, it's red", seed: 7 });

  await page.getByText('The same by curl or Dart').click();
  const folder = mkdtempSync(join(tmpdir(), 'lamina-code-'));
  writeFileSync(join(folder, 'coffee.webp'), picture('coffee.webp'));
  execFileSync('bash', ['-euo', 'pipefail', '-c', await page.textContent('#code')], { cwd: folder, timeout: JOB_MS });
  const job = await jobOf(page);
  const made = readdirSync(folder).filter((name) => name.endsWith('.png')).sort();
  assert.deepEqual(made, ['layer_0.png', 'layer_1.png']);
  for (const layer of job.layers) assert.equal(sha256(readFileSync(join(folder, `${layer.id}.png`))), layer.sha256);

  await page.getByRole('button', { name: 'Dart', exact: true }).click();
  const dart = await page.textContent('#code');
  assert.match(dart, /const SplitOptions\(num_?[lL]ayers: 2, prompt: 'A cup, it\\'s red', seed: 7\)/);
  runDart(dart, folder, job);
  await visit.close();
});

// By the Dart VM of the client's own tests, where it was fetched.
function runDart(program, folder, job) {
  const client = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../../../clients/dart');
  const vm = process.env.DART ?? join(client, '.dart-vm/dart');
  if (spawnSync(vm, ['--version']).status !== 0) {
    console.log('LEFT OUT: running the Dart code. Run clients/dart/test/run first, which fetches a Dart VM and says what that needs.');
    assert.notEqual(process.env.LAMINA_REQUIRE_ALL, '1');
    return;
  }
  const packages = { configVersion: 2, packages: [{ name: 'lamina_client', rootUri: `file://${client}/`, packageUri: 'lib/', languageVersion: '3.7' }] };
  writeFileSync(join(folder, 'packages.json'), JSON.stringify(packages));
  writeFileSync(join(folder, 'main.dart'), program);
  for (const layer of job.layers) writeFileSync(join(folder, `${layer.id}.png`), '');
  execFileSync(vm, ['--packages=packages.json', 'main.dart'], { cwd: folder, timeout: JOB_MS });
  for (const layer of job.layers) assert.equal(sha256(readFileSync(join(folder, `${layer.id}.png`))), layer.sha256);
}
