// Chromium, and pages that are watched: whatever a page logs as an error, asks of another origin or is refused by
// its policy fails the test that opened it.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });

// So long a job may take on a loaded machine; reaching it is a failure, never a wait.
export const JOB_MS = 240_000;

export class Visit {
  // `expected`: patterns of errors that belong to the test, such as a status that is refused on purpose.
  static async open(browser, url, { expected = [], ...options } = {}) {
    const visit = new Visit();
    visit.faults = [];
    visit.expected = expected;
    visit.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
    visit.page = await visit.context.newPage();
    visit.watch(visit.page, new URL(url).origin);
    await visit.page.goto(url);
    return visit;
  }

  watch(page, origin) {
    const fault = (text) => { if (!this.expected.some((pattern) => pattern.test(text))) this.faults.push(text); };
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) fault(`console: ${message.text()}`); });
    page.on('pageerror', (error) => fault(`error: ${error.stack}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin !== origin && !['blob:', 'data:'].includes(url.protocol)) fault(`elsewhere: ${request.url()}`);
    });
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.faults, []);
  }
}

// Drops a file on the page, as a hand does.
export async function drop(page, name, type, bytes) {
  const data = await page.evaluateHandle(([title, kind, base64]) => {
    const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([raw], title, { type: kind }));
    return transfer;
  }, [name, type, bytes.toString('base64')]);
  for (const event of ['dragenter', 'dragover', 'drop']) await page.dispatchEvent('body', event, { dataTransfer: data });
}

export const sample = (page, name) => page.getByRole('button', { name: new RegExp(`^${name}:`) }).click();

// Until the layers are there and lie flat.
export async function layers(page) {
  await page.waitForSelector('#result:not([hidden])', { timeout: JOB_MS });
  await page.waitForFunction(() => document.querySelector('[data-view=flat]').getAttribute('aria-pressed') === 'true');
  await page.waitForFunction(() => !document.querySelector('.stage.settling'));
  return page.locator('#layers > li');
}

export const names = (page) => page.locator('#layers > li b').allTextContents();

export async function saved(page, act) {
  const [download] = await Promise.all([page.waitForEvent('download'), act()]);
  return { name: download.suggestedFilename(), path: await download.path() };
}
