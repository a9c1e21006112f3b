// The list of layers, top first: shown or not, alone, how strong, in which order. The chosen one opens its tools.

import { link } from './api.js';
import { calm, el, icon, say } from './dom.js';
import { layerKind, plural } from './words.js';

export class Panel {
  constructor(list, act) {
    this.list = list;
    this.act = act;
    this.rows = new Map();
  }

  show(stack) {
    this.stack = stack;
    this.rows.clear();
    this.list.replaceChildren();
    for (const layer of stack.layers) this.rows.set(layer, this.#row(layer));
    this.#arrange();
    // A stack that is shown no longer changes nothing here.
    const on = (event, update) => stack.addEventListener(event, () => { if (this.stack === stack) update(); });
    on('change', () => { this.#arrange(); this.#update(); });
    on('choose', () => this.#update(true));
    on('hover', () => this.#update());
    this.#update();
  }

  #row(layer) {
    const { act } = this;
    const opacity = el('input', { type: 'range', min: 0, max: 100, value: 100, id: `opacity-${layer.id}` });
    const parts = {
      eye: button('eye', '', () => act.hide(layer)),
      pick: el('button', { className: 'pick', type: 'button', 'aria-expanded': 'false', 'aria-controls': `more-${layer.id}` },
        thumb(layer), el('span', { className: 'what' }, el('b', { textContent: layer.name }), el('span', { textContent: layerKind(layer.facts) }))),
      grip: el('button', { className: 'grip', type: 'button', tabIndex: -1, 'aria-hidden': 'true' }, icon('grip')),
      opacity, value: el('output', { textContent: '100%', for: opacity.id }),
      solo: button('solo', 'Show alone', () => act.solo(layer)),
      up: button('up', 'Move up', () => act.shift(layer, 1)),
      down: button('down', 'Move down', () => act.shift(layer, -1)),
      home: button('home', 'Put back where it was', () => act.putBack(layer)),
      save: button('save', 'Download this layer', () => act.save(layer)),
    };
    parts.eye.classList.add('eye');
    const more = el('div', { className: 'more', id: `more-${layer.id}`, hidden: true },
      el('label', { htmlFor: opacity.id }, 'Opacity', opacity, parts.value),
      el('div', { className: 'acts' }, parts.solo, parts.up, parts.down, parts.home, parts.save));
    const item = el('li', { className: 'layer', data: { id: layer.id } }, el('div', { className: 'row' }, parts.grip, parts.pick, parts.eye), more);
    opacity.addEventListener('input', () => this.stack.change(layer, { opacity: opacity.value / 100 }));
    parts.pick.addEventListener('click', () => this.stack.choose(this.stack.chosen === layer ? null : layer));
    parts.pick.addEventListener('keydown', (event) => this.#key(event, layer));
    parts.grip.addEventListener('pointerdown', (event) => this.#drag(event, layer, item));
    item.addEventListener('pointerenter', (event) => { if (event.pointerType === 'mouse') this.stack.hover(layer); });
    item.addEventListener('pointerleave', () => this.stack.hover(null));
    return { ...parts, item, more };
  }

  // Puts the rows in the stack's order; those that moved glide.
  #arrange() {
    const wanted = [...this.stack.layers].reverse().map((layer) => this.rows.get(layer).item);
    if (wanted.every((item, index) => this.list.children[index] === item) && this.list.children.length === wanted.length) return;
    const before = new Map(wanted.map((item) => [item, item.isConnected ? item.offsetTop : null]));
    const focus = document.activeElement;
    // Rows that already stand right are left alone, so that what has the focus keeps it where it can.
    wanted.forEach((item, index) => { if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null); });
    if (focus && this.list.contains(focus)) focus.focus({ preventScroll: true });
    if (calm()) return;
    for (const [item, top] of before) {
      const by = top === null ? 0 : top - item.offsetTop;
      if (by && !item.classList.contains('dragged')) item.animate([{ transform: `translateY(${by}px)` }, { transform: 'none' }], { duration: 180, easing: 'ease-out' });
    }
  }

  #update(reveal = false) {
    const { stack } = this;
    stack.layers.forEach((layer, index) => {
      const row = this.rows.get(layer);
      const chosen = layer === stack.chosen;
      row.item.classList.toggle('chosen', chosen);
      row.item.classList.toggle('hover', layer === stack.hovered);
      row.item.classList.toggle('off', !stack.shows(layer));
      attribute(row.pick, 'aria-expanded', chosen);
      row.more.hidden = !chosen;
      set(row.eye, layer.visible, `${layer.visible ? 'Hide' : 'Show'} ${layer.name}`, layer.visible ? 'eye' : 'shut');
      set(row.solo, layer.solo, layer.solo ? 'Show all again' : 'Show alone');
      row.up.disabled = index === stack.layers.length - 1;
      row.down.disabled = index === 0;
      row.home.disabled = !layer.x && !layer.y;
      row.opacity.value = Math.round(layer.opacity * 100);
      const percent = `${row.opacity.value}%`;
      if (row.value.textContent !== percent) row.value.textContent = percent;
      if (chosen && reveal && getComputedStyle(this.list.closest('.panel')).overflowY === 'auto') row.item.scrollIntoView({ block: 'nearest' });
    });
  }

  // Up and down go through the list; with Alt they carry the layer along.
  #key(event, layer) {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === ' ' && event.shiftKey) { event.preventDefault(); return this.act.hide(layer); }
    if (!by) return;
    event.preventDefault();
    if (event.altKey) {
      this.act.shift(layer, by);
      return this.rows.get(layer).pick.focus();
    }
    const next = this.stack.layers[this.stack.layers.indexOf(layer) + by];
    if (next) this.rows.get(next).pick.focus();
  }

  #drag(event, layer, item) {
    if (event.button) return;
    event.preventDefault();
    const grip = event.currentTarget;
    const stop = new AbortController();
    const from = event.clientY;
    const start = item.offsetTop;
    let moved = false;
    item.classList.add('dragged');
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener('pointermove', ({ clientY }) => {
      moved ||= Math.abs(clientY - from) > 3;
      const wanted = start + clientY - from;
      const rows = [...this.list.children].filter((row) => row !== item);
      const above = rows.filter((row) => row.offsetTop + row.offsetHeight / 2 < wanted + item.offsetHeight / 2).length;
      this.stack.place(layer, this.stack.layers.length - 1 - above);
      item.style.transform = `translateY(${wanted - item.offsetTop}px)`;
    }, { signal: stop.signal });
    grip.addEventListener('lostpointercapture', () => {
      stop.abort();
      item.classList.remove('dragged');
      item.style.transform = '';
      if (moved) this.announce(layer);
    }, { once: true });
  }

  announce(layer) {
    const { layers } = this.stack;
    say(`${layer.name} is ${layers.length - layers.indexOf(layer)} of ${plural(layers.length, 'layer')} from the top`);
  }
}

function button(name, label, act) {
  return el('button', { className: 'bare', type: 'button', title: label, 'aria-label': label, on: { click: act } }, icon(name));
}

// A button that is on or off, and says what pressing it does.
function set(node, pressed, label, name) {
  attribute(node, 'aria-pressed', pressed);
  attribute(node, 'aria-label', label);
  attribute(node, 'title', label);
  if (name) attribute(node.querySelector('use'), 'href', `#i-${name}`);
}

// Sets it if it differs: a slider that is drawn updates every row.
function attribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function thumb(layer) {
  const box = el('span', { className: layer.light ? 'thumb on-dark' : 'thumb' });
  const image = layer.small ?? layer.image;
  if (!image) return box;
  if (image instanceof HTMLImageElement) {
    box.append(el('img', { src: layer.facts.thumbnail_url ? link(layer.facts.thumbnail_url) : image.src, alt: '' }));
    return box;
  }
  const side = 96;
  const scale = Math.min(side / image.width, side / image.height, 1);
  const canvas = el('canvas', { width: Math.max(1, image.width * scale), height: Math.max(1, image.height * scale) });
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  box.append(canvas);
  return box;
}
