// What can be taken home: one layer, all of them, the picture as it is arranged, and whatever exports this server has.

import { call, link } from './api.js';
import { el, save } from './dom.js';
import { bytesOf, exportsOf } from './run.js';
import { fileName, layerFile } from './words.js';
import { zip } from './zip.js';

export async function saveLayer(layer) {
  const blob = layer.blob ?? await bytesOf(layer.facts.url);
  save(blob, layerFile(layer.facts, blob.type || layer.facts.content_type));
}

// The layers' own bytes, and what the API says of them.
async function allLayers(stack) {
  const files = [];
  for (const layer of stack.job.layers.map((facts) => stack.layer(facts.id))) {
    const blob = layer.blob ?? await bytesOf(layer.facts.url);
    files.push({ name: layerFile(layer.facts, blob.type || layer.facts.content_type), blob });
  }
  const facts = stack.job.layers.map(({ url, ...rest }, index) => ({ ...rest, file: files[index].name }));
  const text = JSON.stringify({ width: stack.width, height: stack.height, layers: facts }, null, 2);
  return zip([...files, { name: 'layers.json', blob: new Blob([text]) }]);
}

// What opens it.
const OPENS = { psd: 'Photoshop', ora: 'Krita', pptx: 'PowerPoint', tiff: 'pages', gif: 'animation' };

// The layers as they are arranged now, as a file of the server's.
async function exported(item, stack, stem) {
  if (item.url) return (await fetch(link(item.url))).blob();
  const path = `${item.path}?name=${encodeURIComponent(stem)}`;
  if (!stack.arranged) return (await call(path)).blob();
  const headers = { 'Content-Type': 'application/json' };
  return (await call(path, { method: 'POST', headers, body: JSON.stringify(stack.recipe()) })).blob();
}

// Fills `node` with the buttons. `attempt(work)` runs what may fail and says so.
export async function offer(node, stack, title, attempt) {
  const stem = fileName(title.replace(/\.[a-z0-9]+$/i, ''));
  const take = (text, work, className = 'plain') => {
    const button = el('button', { className, type: 'button', textContent: text, on: { click: async () => {
      button.disabled = true;
      await attempt(work);
      button.disabled = false;
    } } });
    return button;
  };
  const readable = stack.layers.every((layer) => layer.blob);
  node.replaceChildren(
    take('All layers (ZIP)', async () => save(await allLayers(stack), `${stem}-layers.zip`), 'firm'),
    readable ? take('As arranged (PNG)', async () => save(await stack.flattened(), `${stem}-arranged.png`)) : '',
  );
  for (const item of await exportsOf(stack.job).catch(() => [])) {
    const text = item.format.toUpperCase() + (OPENS[item.format] ? ` (${OPENS[item.format]})` : '');
    node.append(take(text, async () => save(await exported(item, stack, stem), `${stem}.${item.format}`)));
  }
}
