// What goes wrong: files that are no pictures, a server that goes away, keys, a path below another address, people
// who cannot see or do not want motion.

import assert from 'node:assert/strict';
import { createServer, request as ask } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { drop, JOB_MS, launch, layers, sample, Visit } from './support/browser.mjs';
import { picture, Service } from './support/service.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
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

function crc(bytes) {
  let value = -1;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return ~value >>> 0;
}

// A PNG of one bit a pixel, all black: 60 megapixels in a few kilobytes.
function blackPng(width, height) {
  const chunk = (name, body) => {
    const whole = Buffer.alloc(12 + body.length);
    whole.writeUInt32BE(body.length, 0);
    whole.write(name, 4);
    body.copy(whole, 8);
    whole.writeUInt32BE(crc(whole.subarray(4, 8 + body.length)), 8 + body.length);
    return whole;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1;
  const rows = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height));
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

const notice = (page, pattern) => page.waitForFunction((source) => new RegExp(source, 'i').test(document.querySelector('#notice:not([hidden]) #notice-text')?.textContent ?? ''), pattern.source, { timeout: JOB_MS });

test('what is no picture is refused with the reason, and the page goes on', async () => {
  const visit = await open({ expected: [/status of (415|422)/] });
  const { page } = visit;
  await drop(page, 'notes.txt', 'text/plain', Buffer.from('These are only words.\n'));
  await notice(page, /not an image|no image|not a picture|recogni/);
  assert.equal(await page.locator('#start').isVisible(), true);
  const heic = Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), Buffer.from([0, 0, 0, 0]), Buffer.from('mif1heic'), Buffer.alloc(200)]);
  await drop(page, 'IMG_0001.HEIC', 'image/heic', heic);
  await notice(page, /HEIC/);
  await drop(page, 'wall.png', 'image/png', blackPng(10_000, 6_000));
  await notice(page, /megapixel|pixels/);
  await sample(page, 'Coffee');
  await layers(page);
  assert.equal(await page.locator('#notice').isHidden(), true, 'the sentence goes when it is over');
  await visit.close();
});

test('a server that is killed in the middle and comes back loses nothing', async () => {
  const own = await Service.start();
  const visit = await Visit.open(browser, `${own.base}/`, { reducedMotion: 'reduce', expected: [/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_SOCKET_NOT_CONNECTED|ERR_NETWORK/] });
  const { page } = visit;
  await sample(page, 'Card');
  await page.waitForFunction(() => location.hash.startsWith('#job='), undefined, { timeout: JOB_MS });
  await own.kill();
  await notice(page, /does not answer/);
  await own.up();
  await layers(page);
  assert.equal(await page.locator('#notice').isHidden(), true);

  // The same while it is sent.
  await page.getByRole('button', { name: 'New picture' }).click();
  await own.kill();
  await page.setInputFiles('#file', { name: 'later.webp', mimeType: 'image/webp', buffer: picture('coffee.webp') });
  await notice(page, /does not answer/);
  await own.up();
  await layers(page);
  await visit.close();
  await own.stop();
});

test('layers whose bytes a bucket keeps from the page are shown, listed small, and found by their alpha', async () => {
  const visit = await open({ expected: [/ERR_FAILED/] });
  const { page } = visit;
  const asked = [];
  // As a bucket without rules for other origins: an image may be shown, and a script reads nothing.
  await page.route(/\/files\/.*layer_/, (route) => {
    const request = route.request();
    asked.push(request.url());
    return request.resourceType() === 'fetch' && !/[?&]width=/.test(request.url()) ? route.abort('failed') : route.continue();
  });
  await sample(page, 'Coffee');
  const rows = await layers(page);
  const top = (await rows.count()) - 1;
  assert.equal(await page.locator('.plate img').count(), top + 1, 'whole layers, as images');
  assert.equal(await page.locator('#layers .thumb canvas').count(), top + 1, 'their variants, in the list');
  assert.equal(asked.filter((url) => /[?&]trim=1&width=256/.test(url)).length, top + 1);
  const id = new URL(page.url()).hash.slice('#job='.length);
  const { width, height, bbox } = (await service.json(`/api/jobs/${id}`)).body.layers[top];
  const at = async (x, y) => {
    const shown = await page.locator('.plate img').nth(top).boundingBox();
    await page.mouse.move(shown.x + (x / width) * shown.width, shown.y + (y / height) * shown.height);
  };
  await at(bbox.x + bbox.width / 2, bbox.y + bbox.height / 2);
  assert.match(await rows.first().getAttribute('class'), /hover/);
  await at(bbox.x + 3, bbox.y + 3);
  assert.doesNotMatch(await rows.first().getAttribute('class'), /hover/, 'the corner of its box is clear');
  await visit.close();
});

test('with keys on, the page asks for one and keeps it in its tab', async () => {
  const own = await Service.start({ API_KEYS: 'app:0123456789abcdef' });
  const visit = await Visit.open(browser, `${own.base}/`, { reducedMotion: 'reduce', expected: [/status of 401/] });
  const { page } = visit;
  await sample(page, 'Coffee');
  const field = page.getByLabel('Key or token');
  await field.fill('a wrong key of some length');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /does not know/.test(document.querySelector('#key-hint').textContent));
  await field.fill('0123456789abcdef');
  await page.getByRole('button', { name: 'Use it' }).click();
  await layers(page);
  await page.getByText('The same by curl or Dart').click();
  assert.match(await page.textContent('#code'), /Bearer \$KEY/);
  assert.doesNotMatch(await page.content(), /0123456789abcdef/, 'the key is shown nowhere');
  assert.equal(await page.evaluate(() => Object.values(localStorage).some((text) => text.includes('0123456789abcdef'))), false);
  const other = await visit.context.newPage();
  await other.goto(`${own.base}/`);
  assert.equal(await other.evaluate(() => sessionStorage.length), 0, 'another tab has none');
  await other.close();

  // Whoever has no key is told so.
  await page.evaluate(() => sessionStorage.clear());
  await page.getByRole('button', { name: 'New picture' }).click();
  await sample(page, 'Coffee');
  await page.locator('#key-cancel').click();
  await notice(page, /only with a key/);
  await visit.close();
  await own.stop();
});

test('below the path of PUBLIC_URL all of it works the same', async () => {
  const own = new Service();
  const proxy = createServer((request, answer) => {
    if (!request.url.startsWith('/deep/lamina/')) return answer.writeHead(404).end();
    const options = { port: own.port, path: request.url.slice('/deep/lamina'.length), method: request.method, headers: request.headers };
    const inner = ask({ host: '127.0.0.1', ...options }, (from) => { answer.writeHead(from.statusCode, from.headers); from.pipe(answer); });
    return request.pipe(inner);
  });
  await new Promise((resolve) => { proxy.listen(0, '127.0.0.1', resolve); });
  const base = `http://127.0.0.1:${proxy.address().port}/deep/lamina/`;
  own.options = { PUBLIC_URL: base };
  await own.up();
  const visit = await Visit.open(browser, base, { reducedMotion: 'reduce' });
  await sample(visit.page, 'Coffee');
  await layers(visit.page);
  await visit.page.getByText('The same by curl or Dart').click();
  assert.match(await visit.page.textContent('#code'), /LAMINA='http:\/\/127\.0\.0\.1:\d+\/deep\/lamina'/);
  await visit.page.getByRole('link', { name: 'API' }).click();
  await visit.page.getByRole('heading', { name: 'The API' }).waitFor();
  await visit.close();

  // By the service's own address, links lead to the public one, and the policy allows that.
  const direct = await Visit.open(browser, `${own.base}/`, { reducedMotion: 'reduce', expected: [/^elsewhere: http:\/\/127\.0\.0\.1:\d+\/deep\/lamina\/files\//] });
  await sample(direct.page, 'Coffee');
  await layers(direct.page);
  await direct.close();
  await own.stop();
  proxy.closeAllConnections?.();
  proxy.close();
});

async function accessible(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  assert.deepEqual(serious.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`), []);
}

for (const colorScheme of ['light', 'dark']) {
  for (const [device, viewport] of [['desktop', { width: 1280, height: 800 }], ['phone', { width: 390, height: 844 }]]) {
    test(`nothing serious stands in the way of assistive technology, ${colorScheme}, ${device}`, async () => {
      const visit = await Visit.open(browser, `${service.base}/`, { colorScheme, viewport, reducedMotion: 'reduce', bypassCSP: true });
      const { page } = visit;
      await accessible(page, 'start');
      await page.getByRole('button', { name: 'Options', exact: true }).click();
      await accessible(page, 'options');
      await page.keyboard.press('Escape');
      await sample(page, 'Coffee');
      await page.waitForSelector('#bench:not([hidden])');
      await accessible(page, 'working');
      const rows = await layers(page);
      await rows.first().locator('.pick').click();
      await page.getByText('The same by curl or Dart').click();
      await accessible(page, 'bench');
      for (const view of ['exploded', 'compare']) {
        await page.click(`[data-view=${view}]`);
        await accessible(page, view);
      }
      await page.goto(`${service.base}/docs`);
      await page.getByRole('heading', { name: 'Codes of errors' }).waitFor();
      await accessible(page, 'docs');
      await visit.close();
    });
  }
}
