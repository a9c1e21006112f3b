// The ways a picture gets here: chosen, photographed, dropped anywhere, pasted, or one of the samples.

import { $, el } from './dom.js';

const SAMPLES = [['samples/card.webp', 'Card', 'A card with a photo, a button and lettering'], ['samples/coffee.webp', 'Coffee', 'A cup of coffee on a table'], ['samples/poster.webp', 'Poster', 'A poster with shapes and lettering']];
const here = (name) => new URL(name, import.meta.url);

// Calls `take({file, name})` with what arrives, and `refuse(sentence)` with what is no file.
export function listen(take, refuse) {
  const file = $('#file');
  const camera = $('#camera');
  const given = (files, word) => {
    if (files.length) take({ file: files[0], name: files[0].name || `${word}.png` });
  };
  for (const input of [file, camera]) {
    input.addEventListener('change', () => {
      given(input.files, 'photo');
      // The same file again is a change too.
      input.value = '';
    });
  }
  $('#pick').addEventListener('click', (event) => { event.stopPropagation(); file.click(); });
  $('#shoot').addEventListener('click', (event) => { event.stopPropagation(); camera.click(); });
  $('#drop-zone').addEventListener('click', (event) => { if (event.target !== file && event.target !== camera) file.click(); });
  document.addEventListener('paste', (event) => {
    if (event.target.closest?.('input, textarea')) return;
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) given(files, 'pasted');
    else if (event.clipboardData?.getData('text')) refuse('What was pasted is text. Copy the picture itself, or save it and choose the file.');
  });
  dropping(given, refuse);
  samples(take, refuse);
}

function dropping(given, refuse) {
  const veil = $('#veil');
  const isOurs = (event) => [...event.dataTransfer.types].some((type) => type === 'Files' || type === 'text/uri-list');
  // Entering a child leaves its parent, so both are counted.
  let depth = 0;
  addEventListener('dragenter', (event) => { if (isOurs(event)) { depth += 1; veil.hidden = false; } });
  addEventListener('dragleave', () => { depth = Math.max(0, depth - 1); if (!depth) veil.hidden = true; });
  addEventListener('dragover', (event) => { if (isOurs(event)) event.preventDefault(); });
  addEventListener('drop', (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    if (event.dataTransfer.files.length) given([...event.dataTransfer.files], 'dropped');
    else refuse('That was the address of a picture. Save it to your machine and drop the file.');
  });
}

function samples(take, refuse) {
  $('#samples').replaceChildren(...SAMPLES.map(([name, title, words]) => {
    const button = el('button', { type: 'button', 'aria-label': `${title}: ${words}`, title }, el('img', { src: here(name).href, alt: '', width: 88, height: 68, draggable: false }));
    button.addEventListener('click', async () => {
      try {
        const answer = await fetch(here(name));
        take({ file: await answer.blob(), name: name.split('/').pop() });
      } catch {
        refuse('The sample could not be fetched: lamina does not answer.');
      }
    });
    return el('li', {}, button);
  }));
}
