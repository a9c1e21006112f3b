// What hands do on the canvas: one pointer chooses and moves a layer, pans or turns; two pinch; the wheel zooms; keys do all of it.

import { say } from './dom.js';

// Within so many pixels of the screen of where it came from, a layer snaps back.
const SNAP = 10;
// A press that moves less is a click.
const CLICK = 4;
const WHEEL_SPEED = 0.0016;

export class Gestures {
  constructor(stage, act) {
    this.stage = stage;
    this.act = act;
    this.pointers = new Map();
    this.drag = null;
    this.space = false;
    const node = stage.node;
    node.addEventListener('pointerdown', (event) => this.#down(event));
    node.addEventListener('pointermove', (event) => this.#move(event));
    node.addEventListener('pointerleave', () => stage.stack?.hover(null));
    for (const end of ['pointerup', 'pointercancel']) node.addEventListener(end, (event) => this.#up(event));
    node.addEventListener('dblclick', (event) => this.#twice(event));
    node.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    node.addEventListener('keydown', (event) => this.#key(event));
    node.addEventListener('keyup', (event) => { if (event.key === ' ') this.space = false; });
    node.addEventListener('blur', () => { this.space = false; });
  }

  #place(event) {
    const box = this.stage.node.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #layerAt(event) {
    const { stage } = this;
    if (!stage.stack) return null;
    const at = this.#place(event);
    if (stage.mode === 'exploded') return stage.tilted.at(at.x, at.y);
    const { x, y } = stage.toPicture(at.x, at.y);
    return stage.stack.at(x, y);
  }

  #down(event) {
    if (event.button > 1) return;
    const { stage } = this;
    stage.node.setPointerCapture(event.pointerId);
    const at = this.#place(event);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size === 2) return this.#pinchStart();
    const layer = this.space || event.button === 1 ? null : this.#layerAt(event);
    // The lowest layer is what the others lie on: dragging it pans, unless it was chosen first.
    const holds = layer && stage.mode === 'flat' && (layer !== stage.stack.layers[0] || layer === stage.stack.chosen);
    const kind = holds ? 'layer' : stage.mode === 'exploded' && !this.space ? 'turn' : 'pan';
    this.drag = { kind, layer, from: at, last: at, moved: false, x: layer?.x, y: layer?.y };
  }

  #move(event) {
    const { stage, drag } = this;
    const at = this.#place(event);
    if (!this.pointers.has(event.pointerId)) {
      const layer = this.#layerAt(event);
      stage.node.classList.toggle('over-layer', Boolean(layer) && layer !== stage.stack.layers[0] && stage.mode === 'flat');
      return stage.stack?.hover(layer);
    }
    this.pointers.set(event.pointerId, at);
    if (this.pinch) return this.#pinchMove();
    if (!drag) return;
    const [dx, dy] = [at.x - drag.last.x, at.y - drag.last.y];
    drag.last = at;
    drag.moved ||= Math.hypot(at.x - drag.from.x, at.y - drag.from.y) > CLICK;
    if (!drag.moved) return;
    stage.node.classList.toggle('panning', drag.kind !== 'layer');
    if (drag.kind === 'pan') stage.panBy(dx, dy);
    else if (drag.kind === 'turn') stage.turnBy(dx, dy);
    else this.#carry(drag, at);
  }

  #carry(drag, at) {
    const { stage } = this;
    stage.stack.choose(drag.layer);
    let x = Math.round(drag.x + (at.x - drag.from.x) / stage.zoom);
    let y = Math.round(drag.y + (at.y - drag.from.y) / stage.zoom);
    const near = Math.hypot(x, y) * stage.zoom < SNAP;
    if (near) [x, y] = [0, 0];
    stage.showHome(drag.layer, near);
    stage.stack.change(drag.layer, { x, y });
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    const { drag, stage } = this;
    if (this.pinch) {
      if (this.pointers.size < 2) this.pinch = null;
      this.drag = null;
      return;
    }
    this.drag = null;
    stage.node.classList.remove('panning');
    stage.showHome(null);
    if (!drag || !stage.stack) return;
    if (!drag.moved && event.type === 'pointerup' && stage.mode !== 'compare') stage.stack.choose(drag.layer);
    if (drag.moved && drag.kind === 'layer') this.act.moved(drag.layer);
  }

  #twice(event) {
    const layer = this.#layerAt(event);
    if (layer && (layer.x || layer.y)) this.stage.putBack(layer);
  }

  #pinchStart() {
    this.drag = null;
    const [a, b] = [...this.pointers.values()];
    this.pinch = { middle: middle(a, b), apart: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  #pinchMove() {
    const [a, b] = [...this.pointers.values()];
    const [now, apart] = [middle(a, b), Math.hypot(a.x - b.x, a.y - b.y)];
    this.stage.panBy(now.x - this.pinch.middle.x, now.y - this.pinch.middle.y);
    if (this.pinch.apart > 0) this.stage.zoomBy(apart / this.pinch.apart, now);
    this.pinch = { middle: now, apart };
  }

  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 32 : event.deltaMode === 2 ? 400 : 1;
    if (event.shiftKey) return this.stage.panBy(-(event.deltaX || event.deltaY) * unit, event.deltaX ? -event.deltaY * unit : 0);
    // A pinch on a trackpad comes as a wheel with ctrl, in small steps.
    const speed = event.ctrlKey && Math.abs(event.deltaY) < 50 ? WHEEL_SPEED * 6 : WHEEL_SPEED;
    this.stage.zoomBy(Math.exp(-event.deltaY * unit * speed), this.#place(event));
  }

  #key(event) {
    if (event.target !== this.stage.node || event.ctrlKey || event.metaKey || event.altKey) return;
    const { stage, act } = this;
    const layer = stage.stack?.chosen;
    const far = event.shiftKey ? 10 : 1;
    const arrows = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
    const keys = {
      '+': () => stage.zoomBy(1.25), '=': () => stage.zoomBy(1.25), '-': () => stage.zoomBy(0.8),
      0: () => stage.fit(), 1: () => stage.zoomBy(1 / stage.zoom),
      e: () => act.view(stage.mode === 'exploded' ? 'flat' : 'exploded'), c: () => act.view(stage.mode === 'compare' ? 'flat' : 'compare'),
      h: () => layer && act.hide(layer), s: () => layer && act.solo(layer),
      '[': () => layer && act.shift(layer, -1), ']': () => layer && act.shift(layer, 1),
      Escape: () => { if (layer && (layer.x || layer.y)) { stage.putBack(layer); say(`${layer.name} is back in its place`); } else stage.stack?.choose(null); },
      ' ': () => { this.space = true; },
    };
    const does = arrows ? () => this.#arrow(arrows, layer) : keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  #arrow([dx, dy], layer) {
    const { stage } = this;
    if (stage.mode === 'exploded') stage.turnBy(dx * 8, dy * 8);
    else if (layer && stage.mode === 'flat') {
      stage.stack.change(layer, { x: layer.x + dx, y: layer.y + dy });
      this.act.moved(layer);
    } else stage.panBy(-dx * 24, -dy * 24);
  }
}

const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
