// The layers as the person has arranged them, bottom first, and what each looks like. It draws nothing: stage and panel
// listen to `change` (anything about the layers), `choose` and `hover`.

import { bytesOf } from './run.js';
import { link } from './api.js';
import { layerName } from './words.js';

// Longest side of what is drawn on screen: beyond it a canvas costs memory and shows nothing.
const SHOWN_SIDE = 2048;
// Longest side of the maps by which the layer under the pointer is found.
const ALPHA_SIDE = 384;
const VISIBLE_ALPHA = 24;
// A layer with less opacity is not meant by a pointer.
const FAINT = 0.05;
// Mean brightness from which a layer needs a dark ground to be seen.
const LIGHT = 185;

export class Stack extends EventTarget {
  constructor(job, source) {
    super();
    this.job = job;
    this.source = source;
    const first = job.layers[0];
    this.width = first.width;
    this.height = first.height;
    this.layers = job.layers.map((facts) => ({
      id: facts.id, facts, name: layerName(facts), visible: true, solo: false, opacity: 1, x: 0, y: 0,
      box: facts.bbox ?? { x: 0, y: 0, width: 0, height: 0 }, blob: null, image: null, small: null, alpha: null,
    }));
    this.chosen = null;
    this.hovered = null;
  }

  // Fetches all layers, two at a time; `onLoaded(count)` after each.
  async load(onLoaded, signal) {
    const waiting = [...this.layers];
    let loaded = 0;
    const one = async () => {
      for (let layer = waiting.shift(); layer; layer = waiting.shift()) {
        await fill(layer, signal);
        onLoaded(loaded += 1);
      }
    };
    await Promise.all([one(), one()]);
  }

  tell(what) { this.dispatchEvent(new Event(what)); }

  layer(id) { return this.layers.find((layer) => layer.id === id) ?? null; }

  // Whether it is drawn: where some are alone, the others are not.
  shows(layer) {
    return this.layers.some((other) => other.solo) ? layer.solo : layer.visible;
  }

  change(layer, values) {
    Object.assign(layer, values);
    this.tell('change');
  }

  // Moves it to a place counted from the bottom; false where it cannot go.
  place(layer, to) {
    const from = this.layers.indexOf(layer);
    if (to < 0 || to >= this.layers.length || to === from) return false;
    this.layers.splice(from, 1);
    this.layers.splice(to, 0, layer);
    this.tell('change');
    return true;
  }

  choose(layer) {
    if (this.chosen === layer) return;
    this.chosen = layer;
    this.tell('choose');
  }

  hover(layer) {
    if (this.hovered === layer) return;
    this.hovered = layer;
    this.tell('hover');
  }

  get arranged() {
    return this.layers.some((layer, index) => layer.facts.order !== index || !layer.visible || layer.solo || layer.opacity !== 1 || layer.x || layer.y);
  }

  // What the server's exports and composites take.
  recipe() {
    return { layers: this.layers.map((layer) => ({ id: layer.id, dx: layer.x, dy: layer.y, opacity: layer.opacity, visible: this.shows(layer) })) };
  }

  restore() {
    this.layers.sort((a, b) => a.facts.order - b.facts.order);
    for (const layer of this.layers) Object.assign(layer, { visible: true, solo: false, opacity: 1, x: 0, y: 0 });
    this.tell('change');
  }

  // The topmost layer that is drawn with something at a place, which may be another one on each layer.
  topmost(place) {
    return this.layers.findLast((layer) => {
      if (!this.shows(layer) || layer.opacity < FAINT) return false;
      const { x, y } = place(layer);
      return covers(layer, x - layer.x, y - layer.y);
    }) ?? null;
  }

  at(x, y) { return this.topmost(() => ({ x, y })); }

  // Draws what is seen, at the picture's own size.
  async flattened() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [this.width, this.height];
    const context = canvas.getContext('2d');
    for (const layer of this.layers.filter((layer) => this.shows(layer))) {
      const image = layer.blob ? await createImageBitmap(layer.blob) : layer.image;
      context.globalAlpha = layer.opacity;
      context.drawImage(image, layer.x, layer.y, this.width, this.height);
    }
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  }
}

function covers(layer, x, y) {
  const box = layer.box;
  const [u, v] = [(x - box.x) / box.width, (y - box.y) / box.height];
  if (!(u >= 0 && u < 1 && v >= 0 && v < 1)) return false;
  const map = layer.alpha;
  return !map || map.data[Math.floor(v * map.height) * map.width + Math.floor(u * map.width)] > VISIBLE_ALPHA;
}

// The visible part as a canvas, no larger than a screen needs, and a small map of its alpha.
async function fill(layer, signal) {
  const box = layer.box;
  try {
    layer.blob = await bytesOf(layer.facts.url, signal);
  } catch (error) {
    // A bucket that does not allow this page to read its bytes still lets it show them.
    if (signal.aborted || !(error instanceof TypeError)) throw error;
    layer.image = await shown(layer.facts.url);
    if (box.width) await fillSmall(layer, signal).catch(() => {});
    return;
  }
  if (!box.width) return;
  const bitmap = await createImageBitmap(layer.blob, box.x, box.y, box.width, box.height);
  layer.image = scaled(bitmap, SHOWN_SIDE, {});
  look(layer, bitmap);
  bitmap.close();
}

// The service itself has a small variant of what shows, for the list and for finding it under the pointer.
async function fillSmall(layer, signal) {
  const blob = await bytesOf(`${layer.facts.variants_url}&trim=1&width=256`, signal);
  const bitmap = await createImageBitmap(blob);
  layer.small = scaled(bitmap, SHOWN_SIDE, {});
  look(layer, bitmap);
  bitmap.close();
}

function look(layer, bitmap) {
  const small = scaled(bitmap, ALPHA_SIDE, { willReadFrequently: true });
  const pixels = small.getContext('2d').getImageData(0, 0, small.width, small.height).data;
  const data = new Uint8Array(small.width * small.height);
  let [light, weight] = [0, 0];
  for (let i = 0; i < data.length; i += 1) {
    const alpha = pixels[i * 4 + 3];
    data[i] = alpha;
    light += alpha * (0.3 * pixels[i * 4] + 0.6 * pixels[i * 4 + 1] + 0.1 * pixels[i * 4 + 2]);
    weight += alpha;
  }
  layer.light = weight > 0 && light / weight > LIGHT;
  layer.alpha = { width: small.width, height: small.height, data };
}

function scaled(bitmap, side, how) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext('2d', how);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function shown(url) {
  const image = new Image();
  image.src = link(url);
  await image.decode();
  return image;
}
