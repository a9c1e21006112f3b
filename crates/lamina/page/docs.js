// The page at /docs: reads openapi.json and shows every route, parameter, header, field, status and code of it.

import { $, el } from './dom.js';
import { EXAMPLES } from './examples.js';

const VERBS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];
const TAGS = { jobs: 'Jobs', uploads: 'Uploads', files: 'Files', service: 'Service', webhooks: 'Webhooks', admin: 'The operator\'s' };
const INTRO = [
  'Every answer is JSON, every error application/problem+json with a sentence for people in `detail` and a stable word for programs in `code`. Where the server has keys, `/api` wants `Authorization: Bearer <key>`; links to files need no header.',
  'The examples run in a shell, one after the other, with `curl` and `jq`:',
];

let api;

// Text with `code` in it, as nodes.
function text(words = '') {
  return words.split(/(`[^`]+`)/).map((part) => (part.startsWith('`') && part.endsWith('`') && part.length > 2 ? el('code', { textContent: part.slice(1, -1) }) : part));
}

const resolve = (schema) => (schema?.$ref ? api.components.schemas[nameOf(schema)] : schema ?? {});
const nameOf = (schema) => schema.$ref.split('/').pop();
const schemaLink = (name) => el('a', { href: `#schema-${name}`, textContent: name });

// A type in words, with links to those that have names.
function kind(schema) {
  if (!schema) return ['anything'];
  if (schema.$ref) return [schemaLink(nameOf(schema))];
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.flatMap((one, index) => (index ? [' or ', ...kind(one)] : kind(one)));
  if (schema.allOf) return schema.allOf.flatMap((one, index) => (index ? [' and ', ...kind(one)] : kind(one)));
  if (schema.enum) return [schema.enum.map((word) => (word === null ? 'null' : `“${word}”`)).join(', ')];
  const types = [schema.type ?? 'anything'].flat();
  return types.flatMap((type, index) => [
    index ? ' or ' : '',
    ...(type === 'array' ? ['list of ', ...kind(schema.items)] : [type === 'string' && schema.format ? `string (${schema.format})` : type]),
  ]);
}

function bounds(schema = {}) {
  const said = [];
  const { minimum: least, maximum: most } = schema;
  if (least !== undefined && most !== undefined) said.push(`${least} to ${most}`);
  else if (least !== undefined) said.push(`from ${least}`);
  else if (most !== undefined) said.push(`up to ${most}`);
  if (schema.maxLength) said.push(`at most ${schema.maxLength} characters`);
  if (schema.default !== undefined) said.push(`default ${schema.default}`);
  if (schema.example !== undefined) said.push(`such as ${typeof schema.example === 'string' ? schema.example : JSON.stringify(schema.example)}`);
  return said;
}

function fieldRow(name, schema, required, description) {
  const facts = bounds(schema);
  return el('tr', {}, el('th', { scope: 'row' }, el('code', { textContent: name }), el('span', { className: 'kind' }, ...kind(schema), required ? el('span', { className: 'must', textContent: ', required' }) : '')),
    el('td', {}, ...text(description ?? schema?.description ?? resolve(schema)?.description ?? ''), facts.length ? el('span', { className: 'kind', textContent: facts.join('; ') }) : ''));
}

// All fields of an object, those of its parts included.
function fields(schema) {
  const whole = resolve(schema);
  const own = Object.entries(whole.properties ?? {}).map(([name, field]) => [name, field, (whole.required ?? []).includes(name)]);
  return [...(whole.allOf ?? []).flatMap(fields), ...own];
}

const table = (rows) => el('table', { className: 'rows' }, el('tbody', {}, ...rows));

function operation(path, verb, about) {
  const id = about.operationId;
  const parts = [el('h3', {}, el('a', { href: `#${id}` }, el('span', { className: 'verb', textContent: verb.toUpperCase() }), path)),
    el('p', {}, ...text([about.summary, about.description].filter(Boolean).join(' ')))];
  for (const [place, title] of [['path', 'In the path'], ['query', 'In the query'], ['header', 'Headers of the request']]) {
    const found = (about.parameters ?? []).filter((parameter) => parameter.in === place);
    if (found.length) parts.push(el('h4', { textContent: title }), table(found.map((one) => fieldRow(one.name, one.schema, one.required, one.description))));
  }
  for (const [type, body] of Object.entries(about.requestBody?.content ?? {})) {
    parts.push(el('h4', {}, 'Body, ', el('code', { textContent: type })));
    const rows = fields(body.schema).map(([name, schema, required]) => fieldRow(name, schema, required));
    parts.push(rows.length ? table(rows) : el('p', {}, ...kind(body.schema)));
  }
  if (EXAMPLES[id]) parts.push(el('h4', { textContent: 'Example' }), el('pre', { tabIndex: 0, data: { example: id } }, el('code', { textContent: EXAMPLES[id] })));
  parts.push(el('h4', { textContent: 'Answers' }), table(Object.entries(about.responses ?? {}).map(answerRow)));
  return el('section', { className: 'part', id }, ...parts);
}

function answerRow([status, answer]) {
  const [type, body] = Object.entries(answer.content ?? {})[0] ?? [];
  const headers = Object.entries(answer.headers ?? {}).map(([name, header]) => el('span', { className: 'kind' }, el('code', { textContent: name }), ' ', ...text(header.description)));
  return el('tr', {}, el('th', { scope: 'row' }, el('span', { className: 'status', textContent: status }), body ? el('span', { className: 'kind' }, ...(type === 'application/problem+json' ? [schemaLink('Problem')] : kind(body.schema))) : ''),
    el('td', {}, ...text(answer.description), ...headers));
}

function schemaPart([name, schema]) {
  const rows = fields(schema).map(([field, of, required]) => fieldRow(field, of, required));
  return el('section', { className: 'part', id: `schema-${name}` }, el('h3', {}, el('a', { href: `#schema-${name}`, textContent: name })),
    el('p', {}, ...text(schema.description ?? '')), rows.length ? table(rows) : el('p', {}, ...kind({ ...schema, $ref: undefined })));
}

// Codes of errors, by the answers that name them.
function codes(operations) {
  const found = new Map();
  for (const { about } of operations) {
    for (const [status, answer] of Object.entries(about.responses ?? {})) {
      if (status < 400) continue;
      for (const [, code] of (answer.description ?? '').matchAll(/`([a-z]+(?:_[a-z0-9]+)+|unauthorized)`/g)) {
        if (fieldNames.has(code)) continue;
        const entry = found.get(code) ?? found.set(code, { statuses: new Set(), routes: new Set() }).get(code);
        entry.statuses.add(status);
        entry.routes.add(about.operationId);
      }
    }
  }
  return [...found].sort();
}

let fieldNames;

function codePart(operations) {
  fieldNames = new Set(Object.values(api.components.schemas).flatMap((schema) => fields(schema).map(([name]) => name)));
  const rows = codes(operations).map(([code, { statuses, routes }]) => el('tr', { id: `code-${code}` },
    el('th', { scope: 'row' }, el('code', { textContent: code }), el('span', { className: 'kind', textContent: [...statuses].join(', ') })),
    el('td', {}, ...[...routes].flatMap((route, index) => [index ? ', ' : '', el('a', { href: `#${route}`, textContent: route })]))));
  return el('section', { className: 'part' }, table(rows));
}

function contents(title, links) {
  return el('div', {}, el('h2', { textContent: title }), ...links.map(([href, ...label]) => el('a', { href }, ...label)));
}

function show() {
  const operations = Object.entries(api.paths).flatMap(([path, item]) => VERBS.filter((verb) => item[verb]).map((verb) => ({ path, verb, about: item[verb] })));
  const tags = [...new Set([...Object.keys(TAGS), ...operations.flatMap(({ about }) => about.tags ?? [])])];
  const main = $('#main');
  const list = $('#contents');
  $('#version').textContent = `API ${api.info.version}`;
  const setUp = [`LAMINA=${new URL('./', location.href).href.replace(/\/$/, '')}`, 'KEY=…                # only where the server has keys', 'ADMIN_KEY=…          # for the operator\'s routes', 'PICTURE=photo.png'].join('\n');
  main.replaceChildren(el('section', { className: 'intro' }, el('h1', { textContent: 'The API' }), el('p', {}, ...text(api.info.description)),
    ...INTRO.map((words) => el('p', {}, ...text(words))), el('pre', { tabIndex: 0 }, el('code', { textContent: setUp }))));
  for (const tag of tags) {
    const own = operations.filter(({ about }) => (about.tags ?? []).includes(tag));
    if (!own.length) continue;
    main.append(el('section', {}, el('h2', { textContent: TAGS[tag] ?? tag }), ...own.map(({ path, verb, about }) => operation(path, verb, about))));
    list.append(contents(TAGS[tag] ?? tag, own.map(({ path, verb, about }) => [`#${about.operationId}`, el('span', { className: 'verb', textContent: verb.toUpperCase() }), path.replace(/^\/api/, '')])));
  }
  const schemas = Object.entries(api.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  main.append(el('section', {}, el('h2', { textContent: 'Types' }), ...schemas.map(schemaPart)));
  main.append(el('section', { id: 'codes' }, el('h2', { textContent: 'Codes of errors' }), codePart(operations)));
  list.append(contents('Types', schemas.map(([name]) => [`#schema-${name}`, name])), contents('Errors', [['#codes', 'Codes of errors']]));
}

// Hides the sections and rows of codes in which the words do not occur.
function find() {
  const words = $('#find').value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const part of document.querySelectorAll('.part')) {
    const fits = words.every((word) => part.textContent.toLowerCase().includes(word));
    part.hidden = !fits;
    const link = part.id && document.querySelector(`#contents a[href="#${part.id}"]`);
    if (link) link.hidden = !fits;
    found += fits;
  }
  for (const section of document.querySelectorAll('#main > section:not(.intro)')) section.hidden = !section.querySelector('.part:not([hidden])');
  for (const group of document.querySelectorAll('#contents > div')) group.hidden = !group.querySelector('a:not([hidden])');
  $('#found').textContent = words.length ? (found ? `${found} sections` : 'Nothing has these words.') : '';
}

try {
  const answer = await fetch(new URL('../openapi.json', import.meta.url));
  // Numbers beyond what JavaScript can tell apart are shown as they are written.
  api = JSON.parse((await answer.text()).replace(/:\s*(\d{16,})/g, ': "$1"'));
  show();
  $('#find').addEventListener('input', find);
  // The place that the address names is there only now.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch {
  $('#main').replaceChildren(el('p', { textContent: 'openapi.json could not be read: lamina does not answer. Load this page again when it does.' }));
}
