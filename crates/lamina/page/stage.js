// The canvas: plates over a checkerboard, one for each layer, placed by transforms alone, so that opacity, moving and
// zooming cost no drawing; taken apart in depth it is drawn by `tilted`. It shows the stack and changes it only by what gestures ask.

import { calm, el } from './dom.js';
import { Compare } from './compare.js';
import { Tilted } from './tilted.js';

const MOST_ZOOM = 32;
const CRISP_FROM = 3;

export class Stage {
  constructor(node, onZoom) {
    this.node = node;
    this.onZoom = onZoom;
    this.stack = null;
    this.mode = 'flat';
    this.tilted = new Tilted(this);
    this.plates = new Map();
    this.ground = el('div', { className: 'ground' });
    this.before = el('img', { className: 'before', alt: '', draggable: false });
    this.lit = el('div', { className: 'lit', hidden: true });
    this.home = el('div', { className: 'home', hidden: true });
    this.canvas = el('div', { className: 'canvas' });
    this.view = el('div', { className: 'view' }, this.canvas);
    this.compare = new Compare(this);
    node.replaceChildren(this.view);
    // A size that changes keeps the picture fitted, unless the person chose another view.
    this.fitted = true;
    new ResizeObserver(() => { if (this.fitted) this.fit(); else this.apply(); }).observe(node);
  }

  // The picture alone, while it is on its way.
  preview(url, width, height) {
    this.reset();
    this.stack = null;
    this.plates.clear();
    this.before.src = url;
    Object.assign(this, { width, height });
    this.node.classList.add('waiting');
    this.before.hidden = false;
    this.canvas.replaceChildren(this.ground, this.before);
    this.fit();
  }

  // Flat at once, whatever was shown or was moving.
  reset() {
    this.tilted.stop();
    this.lieFlat();
    this.mode = 'flat';
    this.node.classList.remove('exploded', 'settling');
    this.compare.toggle(false);
    this.showHome(null);
  }

  show(stack, sourceUrl) {
    this.reset();
    this.stack = stack;
    [this.width, this.height] = [stack.width, stack.height];
    this.node.classList.remove('waiting');
    this.plates.clear();
    for (const layer of stack.layers) this.plates.set(layer, plate(layer, this.width, this.height));
    this.canvas.style.transform = '';
    this.before.hidden = true;
    if (sourceUrl) this.before.src = sourceUrl;
    this.canvas.replaceChildren(this.ground, ...this.plates.values(), this.home, this.lit, this.before);
    const on = (event, update) => stack.addEventListener(event, () => { if (this.stack === stack) update(); });
    on('change', () => this.draw());
    on('choose', () => this.mark());
    on('hover', () => this.mark());
    this.draw();
    this.fit();
  }

  // Between flat and exploded the stack moves; until it lies flat again it is drawn on the other canvas.
  setMode(mode) {
    if (this.mode === mode) return;
    const [was, from] = [this.mode, { x: this.x, y: this.y, zoom: this.zoom }];
    this.mode = mode;
    this.node.classList.toggle('exploded', mode === 'exploded');
    this.compare.toggle(mode === 'compare');
    if (mode === 'exploded') this.node.append(this.tilted.canvas);
    this.view.hidden = mode === 'exploded' || was === 'exploded';
    this.fit();
    if (this.view.hidden) this.tilted.go(mode === 'exploded', from, () => this.lieFlat());
    this.draw();
  }

  lieFlat() {
    this.tilted.canvas.remove();
    this.view.hidden = false;
  }

  size() { return { width: this.node.clientWidth, height: this.node.clientHeight }; }

  fit() {
    if (!this.width) return;
    const { width, height } = this.size();
    // Room below for the tools.
    const [spaceX, spaceY] = [Math.max(40, width - 48), Math.max(40, height - 108)];
    const seen = this.mode === 'exploded' ? this.tilted.extent() : { width: this.width, height: this.height, x: this.width / 2, y: this.height / 2 };
    this.zoom = Math.min(spaceX / seen.width, spaceY / seen.height, 2);
    this.x = width / 2 - seen.x * this.zoom;
    this.y = (height - 60) / 2 - seen.y * this.zoom;
    this.fitted = true;
    this.apply();
  }

  // Leans the picture back while the server works, as far as it is, and no further than what comes next.
  lean(fraction) {
    if (!this.node.classList.contains('waiting') || calm()) return;
    this.canvas.style.transform = `perspective(${Math.max(this.width, this.height) * 2.6}px) rotateX(${fraction * 30}deg) rotateZ(${fraction * -14}deg) scale(${1 - fraction * 0.08})`;
  }

  // Zooms by a factor around a place of the node, by default its middle.
  zoomBy(factor, at = null) {
    const { width, height } = this.size();
    const point = at ?? { x: width / 2, y: height / 2 };
    const least = Math.min(1, 32 / Math.max(this.width, this.height));
    const zoom = Math.min(MOST_ZOOM, Math.max(least, this.zoom * factor));
    const by = zoom / this.zoom;
    this.x = point.x - (point.x - this.x) * by;
    this.y = point.y - (point.y - this.y) * by;
    this.zoom = zoom;
    this.fitted = false;
    this.apply();
  }

  panBy(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.apply();
  }

  turnBy(dx, dy) {
    const { tilt } = this.tilted;
    tilt.z += dx * 0.35;
    tilt.x = Math.min(85, Math.max(0, tilt.x - dy * 0.35));
    this.tilted.redraw();
  }

  // From the node's pixels to the picture's.
  toPicture(x, y) { return { x: (x - this.x) / this.zoom, y: (y - this.y) / this.zoom }; }

  apply() {
    this.view.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.node.style.setProperty('--zoom', this.zoom);
    this.node.classList.toggle('crisp', this.zoom >= CRISP_FROM);
    this.compare.place();
    if (this.mode === 'exploded') this.tilted.redraw();
    this.onZoom(this.zoom);
  }

  draw() {
    const layers = this.stack?.layers ?? [];
    for (const [index, layer] of layers.entries()) {
      dress(this.plates.get(layer), {
        zIndex: String(index + 1),
        visibility: this.stack.shows(layer) ? 'visible' : 'hidden',
        opacity: String(layer.opacity),
        transform: `translate(${layer.x}px, ${layer.y}px)`,
      });
    }
    this.mark();
  }

  // Shows which layer is meant: outlined by its own alpha under the pointer, by its box when chosen.
  mark() {
    if (this.mode === 'exploded') return this.tilted.redraw();
    const { chosen, hovered } = this.stack ?? {};
    for (const [layer, node] of this.plates) {
      node.classList.toggle('hover', layer === hovered && !isWhole(layer, this));
      node.classList.toggle('chosen', layer === chosen);
    }
    const shown = chosen && this.mode === 'flat' && this.stack.shows(chosen) && chosen.box.width;
    this.lit.hidden = !shown;
    if (shown) put(this.lit, chosen.box, chosen.x, chosen.y);
    return undefined;
  }

  // Where a layer came from, while it is moved; `near` when it would snap back.
  showHome(layer, near) {
    this.home.hidden = !layer;
    if (!layer) return;
    put(this.home, layer.box, 0, 0);
    this.home.classList.toggle('near', near);
  }

  // Moves a layer back with a spring, so that the eye follows it.
  putBack(layer) {
    const node = this.plates.get(layer);
    if (!calm()) {
      node.classList.add('back');
      node.addEventListener('transitionend', () => node.classList.remove('back'), { once: true });
    }
    this.stack.change(layer, { x: 0, y: 0 });
  }
}

// Sets only what differs: a browser works for every property that is set.
function dress(node, styles) {
  node.dressed ??= {};
  for (const [name, value] of Object.entries(styles)) {
    if (node.dressed[name] === value) continue;
    node.dressed[name] = value;
    node.style[name] = value;
  }
}

function put(node, box, dx, dy) {
  dress(node, { left: `${box.x + dx}px`, top: `${box.y + dy}px`, width: `${box.width}px`, height: `${box.height}px` });
}

const isWhole = (layer, stage) => layer.box.width === stage.width && layer.box.height === stage.height && layer.facts.coverage > 0.98;

function plate(layer, width, height) {
  const node = el('div', { className: 'plate' });
  if (!layer.image) return node;
  // No larger than what is seen of it, which is what a browser has to blend.
  put(node, layer.image instanceof HTMLImageElement ? { x: 0, y: 0, width, height } : layer.box, 0, 0);
  node.append(layer.image);
  return node;
}
