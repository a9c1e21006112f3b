// Tables, numbers and times as an operator reads them. Every text from outside becomes a text node, never markup.

import { el } from '../dom.js';

// `columns`: [title, { number, wide }]; `rows`: arrays of cells, each a text or a node.
export function table(caption, columns, rows, empty) {
  if (!rows.length) return el('p', { className: 'hint', textContent: empty });
  const head = el('tr', {}, ...columns.map(([title, is = {}]) => el('th', { scope: 'col', className: is.number ? 'number' : '', textContent: title })));
  const body = rows.map((cells) => el('tr', {}, ...cells.map((cell, place) => {
    const [title, is = {}] = columns[place];
    const isNone = (cell ?? '–') === '–' || cell === '';
    return el('td', { className: [is.number && 'number', is.wide && 'wide', isNone && 'none'].filter(Boolean).join(' '), data: { title } }, cell ?? '–');
  })));
  const whole = el('table', { className: 'sheet-table' }, el('caption', { className: 'unseen', textContent: caption }), el('thead', {}, head), el('tbody', {}, ...body));
  return el('div', { className: 'scrolls', tabIndex: 0, role: 'region', 'aria-label': caption }, whole);
}

// Puts it in the place of what is there, unless that says the same or somebody's keyboard or mouse has hold of it.
export function put(container, ...nodes) {
  const said = nodes.map((node) => node.textContent ?? node).join('');
  const selected = getSelection();
  const isHeld = container.contains(document.activeElement) || (!selected.isCollapsed && container.contains(selected.anchorNode));
  if (container.childNodes.length && (container.textContent === said || isHeld)) return;
  container.replaceChildren(...nodes);
}

// Text with `code` in it, as nodes.
export function words(text = '') {
  return text.split(/(`[^`]+`)/).map((part) => (part.length > 2 && part.startsWith('`') && part.endsWith('`') ? el('code', { textContent: part.slice(1, -1) }) : part));
}

export const dollars = (usd) => `$${usd.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: usd > 0 && usd < 0.1 ? 4 : 2 })}`;

export const count = (number) => number.toLocaleString('en');

// As long as something lasted or has been waiting.
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export const between = (from, to) => Math.max(0, (new Date(to) - new Date(from)) / 1000);

export const ago = (then, now) => `${lasting(between(then, now))} ago`;

export function clock(time) {
  const date = new Date(time);
  return el('time', { dateTime: time, title: time, textContent: date.toLocaleTimeString('en-GB') });
}

export function day(time) {
  return el('time', { dateTime: time, title: time, textContent: new Date(time).toLocaleDateString('en-CA') });
}

export const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
