// Numbers for crates/bench/RESULTS.md, by hand and never by a test: `LAMINA_BIN=… CHROMIUM=… node measure.mjs`.
// First paint on loopback, bytes sent, frames a second of the tilted view and of the opacity slider.

import { launch, layers, sample, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

const ROUNDS = 9;
const FRAMES = 180;

const service = await Service.start();
const browser = await launch();

const paints = [];
let sent;
for (let round = 0; round < ROUNDS; round += 1) {
  const visit = await Visit.open(browser, `${service.base}/`);
  await visit.page.waitForLoadState('networkidle');
  const [paint, bytes] = await visit.page.evaluate(() => [
    performance.getEntriesByName('first-contentful-paint')[0].startTime,
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter((entry) => !entry.name.includes('/samples/')).reduce((sum, entry) => sum + entry.encodedBodySize, 0),
  ]);
  paints.push(paint);
  sent = bytes;
  await visit.close();
}
paints.sort((a, b) => a - b);
console.log(`first paint: ${paints[ROUNDS >> 1].toFixed(0)} ms (${paints[0].toFixed(0)} to ${paints.at(-1).toFixed(0)}, ${ROUNDS} new profiles), ${sent} bytes without samples`);

const visit = await Visit.open(browser, `${service.base}/`);
const { page } = visit;
await sample(page, 'Card');
const rows = await layers(page);
await page.waitForFunction(() => document.querySelector('#proof').classList.contains('exact'));

// Does something in each of so many frames; frames a second, and the slowest hundredth.
const pace = (what) => page.evaluate(async ([frames, name]) => {
  const stage = document.querySelector('#stage');
  const slider = document.querySelector('.layer.chosen input');
  const acts = {
    turn: (n) => stage.dispatchEvent(new KeyboardEvent('keydown', { key: n % 60 < 30 ? 'ArrowRight' : 'ArrowLeft', bubbles: true })),
    opacity: (n) => { slider.value = 50 + 50 * Math.sin(n / 9); slider.dispatchEvent(new Event('input', { bubbles: true })); },
    move: (n) => stage.dispatchEvent(new KeyboardEvent('keydown', { key: n % 60 < 30 ? 'ArrowRight' : 'ArrowLeft', shiftKey: true, bubbles: true })),
  };
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  let last = await frame();
  for (let n = 0; n < frames; n += 1) {
    acts[name](n);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  const sum = times.reduce((a, b) => a + b);
  times.sort((a, b) => a - b);
  return { rate: (1000 * frames) / sum, slowest: times[Math.floor(frames * 0.99)] };
}, [FRAMES, what]);

const report = ({ rate, slowest }) => `${rate.toFixed(0)} frames a second, 99 % within ${slowest.toFixed(0)} ms`;
await rows.nth(7).locator('.pick').click();
console.log(`${await rows.count()} layers of 1024²: opacity ${report(await pace('opacity'))}`);
console.log(`moving a layer: ${report(await pace('move'))}`);
await page.click('[data-view=exploded]');
await page.waitForFunction(() => !document.querySelector('.stage.settling'));
console.log(`turning the stack: ${report(await pace('turn'))}`);
await visit.close();
await browser.close();
await service.stop();
