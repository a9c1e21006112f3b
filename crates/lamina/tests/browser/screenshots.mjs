// The pictures of the page under docs/: `LAMINA_BIN=… CHROMIUM=… node screenshots.mjs`. Look at them before you commit them.

import { writeFileSync } from 'node:fs';
import { launch, layers, sample, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

const QUALITY = 0.86;
const DEVICES = {
  desktop: { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.25 },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
};

const service = await Service.start();
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
await browser.close();
await service.stop();
