// Small curves of the last minutes, from what this tab has seen since it was opened. Nothing is kept.

import { el } from '../dom.js';

const KEPT = 120;
const WIDTH = 240;
const HEIGHT = 48;
const SVG = 'http://www.w3.org/2000/svg';

const draw = (name, attributes, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

export class Curve {
  constructor(title, say) {
    this.title = title;
    this.say = say;
    this.seen = [];
    this.value = el('p', { className: 'curve-value' });
    this.range = el('p', { className: 'hint' });
    this.line = draw('path', { class: 'curve-line' });
    this.area = draw('path', { class: 'curve-area' });
    const picture = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', class: 'curve-picture', 'aria-hidden': 'true' }, this.area, this.line);
    this.value.textContent = '–';
    this.range.textContent = 'not known yet';
    this.node = el('figure', { className: 'curve' }, el('figcaption', { className: 'small-title', textContent: title }), this.value, picture, this.range);
  }

  // `at` in milliseconds; a value that is not known is left out.
  add(at, value) {
    if (value === null || !Number.isFinite(value)) return;
    this.seen.push([at, value]);
    if (this.seen.length > KEPT) this.seen.shift();
    this.#show();
  }

  #show() {
    const values = this.seen.map(([, value]) => value);
    const most = Math.max(...values);
    const [first, last] = [this.seen[0][0], this.seen.at(-1)[0]];
    const x = (at) => (last === first ? WIDTH : ((at - first) / (last - first)) * WIDTH);
    const y = (value) => HEIGHT - 2 - (most > 0 ? value / most : 0) * (HEIGHT - 6);
    const points = this.seen.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
    if (points.length === 1) points.unshift(`0 ${y(values[0]).toFixed(1)}`);
    this.line.setAttribute('d', `M${points.join('L')}`);
    this.area.setAttribute('d', `M0 ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}z`);
    this.value.textContent = this.say(values.at(-1));
    const minutes = (last - first) / 60_000;
    this.range.textContent = minutes < 1 ? `at most ${this.say(most)}` : `at most ${this.say(most)} in ${Math.round(minutes)} min`;
  }
}
