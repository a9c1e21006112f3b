// The page at `/docs`: all of openapi.json is there, and its examples do what they say.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXAMPLES, WITHOUT } from '../../page/examples.js';
import { JOB_MS, launch, Visit } from './support/browser.mjs';
import { Service } from './support/service.mjs';

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];
let service;
let browser;
let api;

before(async () => {
  browser = await launch();
  service = await Service.start({ API_KEYS: 'app:0123456789abcdef', ADMIN_KEY: 'fedcba9876543210' });
  api = (await service.json('/openapi.json')).body;
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

const operations = () => Object.entries(api.paths).flatMap(([path, item]) => VERBS.filter((verb) => item[verb]).map((verb) => [path, verb, item[verb]]));

test('every route, parameter, header, field, status and code is shown', async () => {
  const visit = await Visit.open(browser, `${service.base}/docs`);
  const { page } = visit;
  await page.getByRole('heading', { name: 'Codes of errors' }).waitFor();
  const shown = Object.fromEntries(await page.$$eval('.part[id]', (parts) => parts.map((part) => [part.id, part.innerText])));
  for (const [path, verb, about] of operations()) {
    const text = shown[about.operationId];
    assert.ok(text?.includes(path) && text.includes(verb.toUpperCase()), `${verb} ${path}`);
    for (const parameter of about.parameters ?? []) assert.ok(text.includes(parameter.name), `${verb} ${path}: ${parameter.name}`);
    for (const [status, answer] of Object.entries(about.responses)) {
      assert.ok(text.includes(status), `${verb} ${path}: ${status}`);
      for (const [, word] of answer.description.matchAll(/`([^`]+)`/g)) assert.ok(text.includes(word), `${verb} ${path}: ${word}`);
    }
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    for (const field of Object.keys(schema.properties ?? {})) assert.ok(shown[`schema-${name}`].includes(field), `${name}.${field}`);
  }
  assert.ok(shown['schema-CreateJob'].includes('18446744073709551615'), 'large numbers keep their digits');
  const codes = await page.$$eval('[id^=code-]', (rows) => rows.map((row) => row.id.slice('code-'.length)));
  for (const code of ['invalid_fields', 'rate_limited', 'unauthorized', 'job_expired']) assert.ok(codes.includes(code), code);
  const broken = await page.$$eval('#main a[href^="#"], #contents a', (links) => links.map((link) => link.hash.slice(1)).filter((id) => !document.getElementById(id)));
  assert.deepEqual(broken, []);

  await page.getByLabel('Find a route, field, header or code').fill('idempotency');
  assert.equal(await page.locator('#create_job').isVisible(), true);
  assert.equal(await page.locator('#health').isVisible(), false);
  await visit.close();
});

test('every route has an example, and all of them run', async () => {
  const ids = operations().map(([, , about]) => about.operationId);
  assert.deepEqual(ids.filter((id) => !EXAMPLES[id] && !WITHOUT.includes(id)), [], 'page/examples.js has one for each');
  const folder = mkdtempSync(join(tmpdir(), 'lamina-docs-'));
  const visit = await Visit.open(browser, `${service.base}/docs`);
  await visit.page.getByRole('heading', { name: 'Codes of errors' }).waitFor();
  const shown = Object.fromEntries(await visit.page.$$eval('[data-example]', (parts) => parts.map((part) => [part.dataset.example, part.textContent])));
  await visit.close();
  const order = Object.keys(EXAMPLES).filter((id) => ids.includes(id));
  assert.deepEqual(Object.keys(shown).sort(), [...order].sort());
  // A PNG of 64 × 64, as any program writes one.
  const png = execFileSync('python3', ['-c', 'import struct,sys,zlib\nc=lambda n,b:struct.pack(">I",len(b))+n+b+struct.pack(">I",zlib.crc32(n+b))\nr=b"".join(b"\\0"+bytes(v for x in range(64) for v in (x*4,y*4,(x*y)%256)) for y in range(64))\nsys.stdout.buffer.write(b"\\x89PNG\\r\\n\\x1a\\n"+c(b"IHDR",struct.pack(">IIBBBBB",64,64,8,2,0,0,0))+c(b"IDAT",zlib.compress(r))+c(b"IEND",b""))']);
  writeFileSync(join(folder, 'photo.png'), png);
  const script = ['set -euo pipefail', `LAMINA=${service.base}`, 'KEY=0123456789abcdef', 'ADMIN_KEY=fedcba9876543210', 'PICTURE=photo.png',
    ...order.map((id) => `echo "-- ${id}" >&2\n${shown[id]} >&2`)].join('\n');
  execFileSync('bash', ['-c', script], { cwd: folder, timeout: JOB_MS, stdio: ['ignore', 'inherit', 'pipe'] });
});
