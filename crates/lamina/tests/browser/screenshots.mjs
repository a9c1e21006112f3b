// The pictures of the page under docs/: `LAMINA_BIN=… CHROMIUM=… node screenshots.mjs`. Look at them before you commit them.

import { readFileSync, writeFileSync } from 'node:fs';
import { launch, layers, sample, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

const QUALITY = 0.86;
const DEVICES = {
  desktop: { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.25 },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

const ADMIN_KEY = 'fedcba9876543210fedc';
const service = await Service.start({ ADMIN_KEY });
const browser = await launch();
const press = await (await browser.newContext()).newPage();

async function shoot(page, name) {
  const png = (await page.screenshot()).toString('base64');
  // Chromium itself makes WebP of it.
  const webp = await press.evaluate(async ([data, quality]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', quality).split(',')[1];
  }, [png, QUALITY]);
  const bytes = Buffer.from(webp, 'base64');
  writeFileSync(new URL(`../../../../docs/page-${name}.webp`, import.meta.url), bytes);
  console.log(`page-${name}.webp: ${bytes.length} bytes`);
}

const settled = (page) => page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== 'running') && !document.querySelector('.stage.settling'));

for (const [device, options] of Object.entries(DEVICES)) {
  for (const colorScheme of ['light', 'dark']) {
    const visit = await Visit.open(browser, `${service.base}/`, { ...options, colorScheme });
    const { page } = visit;
    await page.waitForLoadState('networkidle');
    await settled(page);
    await shoot(page, `start-${device}-${colorScheme}`);
    await sample(page, 'Card');
    const rows = await layers(page);
    await page.waitForFunction(() => document.querySelector('#proof').classList.contains('exact'));
    await rows.nth(device === 'phone' ? 1 : 6).locator('.pick').click();
    if (colorScheme === 'dark') await page.click('[data-view=exploded]');
    await page.mouse.move(1, 1);
    await settled(page);
    await shoot(page, `layers-${device}-${colorScheme}`);
    await visit.close();
  }
}

// The operator's page, after work that went well and work that did not.
const asked = (path, body) => fetch(`${service.base}${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.json());
const coffee = readFileSync(new URL('../../page/samples/coffee.webp', import.meta.url)).toString('base64');
for (const image_base64 of [coffee, coffee, coffee]) await asked('/api/jobs', { image_base64 });
for (const path of ['a', 'b']) await asked('/api/jobs', { image_url: `http://127.0.0.1:9/${path}.png` });
for (;;) {
  const { jobs } = await (await fetch(`${service.base}/api/jobs`)).json();
  if (jobs.every(({ status }) => ['completed', 'failed'].includes(status))) break;
  await new Promise((resolve) => { setTimeout(resolve, 500); });
}
for (const [device, options] of Object.entries(DEVICES)) {
  for (const colorScheme of ['light', 'dark']) {
    const visit = await Visit.open(browser, `${service.base}/admin`, { ...options, colorScheme });
    const { page } = visit;
    await page.getByLabel('Key', { exact: true }).fill(ADMIN_KEY);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.locator('#keys p, #keys table').first().waitFor();
    await asked('/api/jobs', { image_base64: coffee });
    await page.waitForTimeout(11_000);
    await shoot(page, `admin-${device}-${colorScheme}`);
    if (device === 'desktop' && colorScheme === 'light') {
      await page.locator('#jobs .job-id').first().click();
      await page.waitForSelector('#story[open]');
      await shoot(page, 'admin-story');
    }
    await visit.close();
  }
}
await browser.close();
await service.stop();
