// The line between before and after: the picture as it was at the left of it, the layers at the right.

import { el } from './dom.js';

const STEP = 0.02;

export class Compare {
  constructor(stage) {
    this.stage = stage;
    this.part = 0.5;
    this.cut = el('div', {
      className: 'cut', role: 'slider', tabIndex: 0, 'aria-label': 'Before and after', 'aria-valuemin': '0', 'aria-valuemax': '100',
      on: { pointerdown: (event) => this.#hold(event), keydown: (event) => this.#key(event) },
    });
    this.was = el('span', { className: 'side was', textContent: 'Picture' });
    this.is = el('span', { className: 'side is', textContent: 'Layers' });
  }

  toggle(on) {
    this.on = on;
    const { node, before } = this.stage;
    if (on) node.append(this.cut, this.was, this.is);
    else for (const part of [this.cut, this.was, this.is]) part.remove();
    before.hidden = !on;
    before.style.zIndex = 900;
    before.style.clipPath = '';
    if (on) this.place();
  }

  // Follows zoom and pan: the line stays where it is on the screen.
  place() {
    if (!this.on) return;
    const { stage } = this;
    const left = this.part * stage.size().width;
    const shown = Math.min(1, Math.max(0, stage.toPicture(left, 0).x / stage.width));
    stage.before.style.clipPath = `inset(0 ${((1 - shown) * 100).toFixed(3)}% 0 0)`;
    this.cut.style.left = `${left}px`;
    this.cut.setAttribute('aria-valuenow', Math.round(this.part * 100));
    this.cut.setAttribute('aria-valuetext', `${Math.round(this.part * 100)} percent picture, the rest layers`);
  }

  #move(part) {
    this.part = Math.min(1, Math.max(0, part));
    this.place();
  }

  #hold(event) {
    event.stopPropagation();
    this.cut.setPointerCapture(event.pointerId);
    const box = this.stage.node.getBoundingClientRect();
    const move = (moved) => this.#move((moved.clientX - box.left) / box.width);
    this.cut.addEventListener('pointermove', move);
    const end = () => this.cut.removeEventListener('pointermove', move);
    this.cut.addEventListener('lostpointercapture', end, { once: true });
  }

  #key(event) {
    const by = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -0.1, PageUp: 0.1 }[event.key];
    const to = { Home: 0, End: 1 }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(to ?? this.part + by);
  }
}
