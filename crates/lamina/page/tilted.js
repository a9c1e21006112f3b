// The stack taken apart in depth, drawn on one canvas: every layer is a plane, seen from afar, so a plane is one affine
// transform. (Planes as elements in CSS would be simpler, and ten times slower where no graphics processor helps.)

import { calm, el } from './dom.js';

const MOVE_MS = 520;
// How high the whole stack is at a spread of 100, in longest sides of the picture.
const HEIGHT = 2.2;

const radians = (degrees) => (degrees * Math.PI) / 180;
const eased = (t) => 1 - (1 - t) ** 3;

export class Tilted {
  constructor(stage) {
    this.stage = stage;
    this.tilt = { x: 54, z: -38 };
    this.spread = 40;
    this.canvas = el('canvas', { className: 'tilted' });
    // How far it is taken apart, 0 to 1, and where it stands while it moves.
    this.amount = 0;
    this.move = null;
  }

  gap() {
    const { stack, width, height } = this.stage;
    return (Math.max(width, height) * this.spread * HEIGHT) / 100 / Math.max(2, stack.layers.length);
  }

  level(index) { return (index - (this.stage.stack.layers.length - 1) / 2) * this.gap(); }

  // The plane at a height as [a, b, c, d, e, f] from the picture's middle to the screen.
  plane(level, { x, y, zoom }, amount = this.amount) {
    const [rx, rz] = [radians(this.tilt.x * amount), radians(this.tilt.z * amount)];
    const [cos, sin, flat] = [Math.cos(rz) * zoom, Math.sin(rz) * zoom, Math.cos(rx)];
    const lift = level * amount * Math.sin(rx) * zoom;
    return [cos, sin * flat, -sin, cos * flat, x + (this.stage.width * zoom) / 2, y + (this.stage.height * zoom) / 2 - lift];
  }

  // Where all of it lies for a zoom of 1 with the picture at 0, 0.
  extent() {
    const { stack, width, height } = this.stage;
    const [xs, ys] = [[], []];
    for (const index of [0, stack.layers.length - 1]) {
      const [a, b, c, d, e, f] = this.plane(this.level(index), { x: 0, y: 0, zoom: 1 }, 1);
      for (const x of [-width / 2, width / 2]) for (const y of [-height / 2, height / 2]) {
        xs.push(a * x + c * y + e);
        ys.push(b * x + d * y + f);
      }
    }
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    return { width: right - left, height: bottom - top, x: (left + right) / 2, y: (top + bottom) / 2 };
  }

  // From where it is to where the stage wants it, apart or flat; `done` when it lies flat.
  go(apart, from, done) {
    cancelAnimationFrame(this.frame);
    const [start, goal] = [this.amount, apart ? 1 : 0];
    const began = performance.now();
    const end = () => {
      this.move = null;
      this.amount = goal;
      this.stage.node.classList.remove('settling');
      if (apart) this.draw();
      else done();
    };
    if (calm()) return end();
    this.stage.node.classList.add('settling');
    const step = (now) => {
      const part = eased(Math.min(1, Math.max(0, (now - began) / MOVE_MS)));
      if (part >= 1) return end();
      this.amount = start + (goal - start) * part;
      const mix = (name) => from[name] + (this.stage[name] - from[name]) * part;
      this.move = { x: mix('x'), y: mix('y'), zoom: mix('zoom') };
      this.draw();
      this.frame = requestAnimationFrame(step);
      return undefined;
    };
    this.frame = requestAnimationFrame(step);
    return undefined;
  }

  stop() {
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.asked);
    Object.assign(this, { amount: 0, move: null, asked: null });
  }

  // Not more than once in a frame.
  redraw() {
    if (this.move || this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = null; this.draw(); });
  }

  draw() {
    const { stage, canvas } = this;
    const { width, height } = stage.size();
    const dots = Math.min(2, devicePixelRatio);
    const [wide, high] = [Math.round(width * dots), Math.round(height * dots)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const context = canvas.getContext('2d');
    const { color: line, outlineColor: mark, borderTopColor: ground } = getComputedStyle(canvas);
    const place = this.move ?? stage;
    const [half, top] = [stage.width / 2, stage.height / 2];
    const plane = (level) => {
      context.setTransform(dots, 0, 0, dots, 0, 0);
      context.transform(...this.plane(level, place));
    };
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    plane(this.level(0));
    context.fillStyle = ground;
    context.fillRect(-half, -top, stage.width, stage.height);
    for (const [index, layer] of stage.stack.layers.entries()) {
      plane(this.level(index));
      const meant = layer === stage.stack.chosen || layer === stage.stack.hovered;
      if (meant) {
        // A ground of its own, so that dark lettering is seen on a dark table too.
        context.globalAlpha = this.amount * 0.3;
        context.fillStyle = '#fff';
        context.fillRect(layer.x - half, layer.y - top, stage.width, stage.height);
        context.globalAlpha = 1;
      }
      if (stage.stack.shows(layer)) this.#layer(context, layer, half, top);
      context.globalAlpha = this.amount;
      context.strokeStyle = meant ? mark : line;
      context.lineWidth = (meant ? 2 : 1) / place.zoom;
      context.strokeRect(layer.x - half, layer.y - top, stage.width, stage.height);
      context.globalAlpha = 1;
    }
  }

  #layer(context, layer, half, top) {
    if (!layer.image) return;
    const box = layer.image instanceof HTMLImageElement ? { x: 0, y: 0, width: this.stage.width, height: this.stage.height } : layer.box;
    context.globalAlpha = layer.opacity;
    context.drawImage(layer.image, box.x + layer.x - half, box.y + layer.y - top, box.width, box.height);
    context.globalAlpha = 1;
  }

  // The topmost layer with something at this place of the screen.
  at(x, y) {
    const { stack, width, height } = this.stage;
    return stack.topmost((layer) => {
      const [a, b, c, d, e, f] = this.plane(this.level(stack.layers.indexOf(layer)), this.stage);
      const [u, v, by] = [x - e, y - f, a * d - b * c];
      return { x: (d * u - c * v) / by + width / 2, y: (a * v - b * u) / by + height / 2 };
    });
  }
}
