// A job's parameters in plain words. What is left as it is is not sent, so the server's defaults count.

import { $, el } from './dom.js';

const FIELDS = [
  { name: 'num_layers', label: 'How many layers', kind: 'choice', hint: 'With fewer than there are, neighbours become one.', values: [['auto', 'As many as there are'], ...[2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [n, `At most ${n}`])] },
  { name: 'engine', label: 'Who does it', kind: 'choice', values: [['', 'As the server is set up'], ['local', 'The embedded engine: free, exact, invents nothing'], ['fal', 'fal.ai: generative, costs the operator money']] },
  { name: 'resolution', label: 'How large the layers are', kind: 'choice', hint: 'fal.ai works on a small copy; the embedded engine gives the picture\'s size anyway.', values: [['', 'As they come'], ['source', 'As large as the picture']] },
  { name: 'prompt', label: 'What is in the picture', kind: 'text', hint: 'For fal.ai; the embedded engine finds its way without.' },
  { name: 'negative_prompt', label: 'What should not appear', kind: 'text' },
  { name: 'num_inference_steps', label: 'Care', kind: 'range', min: 1, max: 50, value: 28, hint: 'More takes longer and may look better.' },
  { name: 'guidance_scale', label: 'How closely it keeps to the words', kind: 'range', min: 1, max: 20, step: 0.5, value: 5 },
  { name: 'seed', label: 'Number to repeat it by', kind: 'number', hint: 'The same picture and number give the same layers again.' },
];

// The chosen values; `num_layers` is also the choice on the first page.
const chosen = { num_layers: 'auto' };

export const options = () => ({ ...chosen });

export function setUp(select) {
  fillChoice(select, FIELDS[0]);
  select.value = chosen.num_layers;
  select.addEventListener('change', () => keep(FIELDS[0], select.value));
}

function keep(field, text) {
  const value = field.kind === 'text' || Number.isNaN(Number(text)) ? text.trim() : text === '' ? '' : Number(text);
  if (value === '' || value === field.value) delete chosen[field.name];
  else chosen[field.name] = value;
}

// Asks for all of them; resolves with true when the person wants to go on.
export function ask(title, action) {
  const dialog = $('#options');
  const inputs = FIELDS.map((field) => [field, input(field)]);
  const form = el('form', { method: 'dialog' },
    el('h2', { id: 'options-title', textContent: title }),
    ...inputs.map(([field, node]) => row(field, node)),
    el('p', { className: 'buttons' },
      el('button', { className: 'plain', type: 'button', textContent: 'Cancel', on: { click: () => dialog.close('') } }),
      el('button', { className: 'firm', type: 'submit', value: 'go', textContent: action })));
  dialog.replaceChildren(form);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const go = dialog.returnValue === 'go';
      if (go) for (const [field, node] of inputs) keep(field, node.value);
      $('#count').value = chosen.num_layers;
      resolve(go);
    }, { once: true });
  });
}

function input(field) {
  const id = `option-${field.name}`;
  const value = chosen[field.name] ?? field.value ?? '';
  const describe = field.hint ? { 'aria-describedby': `${id}-hint` } : {};
  if (field.kind === 'choice') {
    const select = el('select', { id, ...describe });
    fillChoice(select, field);
    select.value = value;
    return select;
  }
  if (field.kind === 'text') return el('textarea', { id, maxLength: 4000, rows: 2, value, ...describe });
  if (field.kind === 'number') return el('input', { id, type: 'number', min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, value, placeholder: 'Any', ...describe });
  return el('input', { id, type: 'range', min: field.min, max: field.max, step: field.step ?? 1, value, ...describe });
}

function row(field, node) {
  const shown = field.kind === 'range' ? el('output', { textContent: node.value, for: node.id }) : null;
  if (shown) node.addEventListener('input', () => { shown.textContent = node.value; });
  const label = el('label', { htmlFor: node.id, textContent: field.label });
  return el('p', { className: 'field' },
    shown ? el('span', { className: 'with-value' }, label, shown) : label, node,
    field.hint ? el('span', { className: 'hint', id: `${node.id}-hint`, textContent: field.hint }) : null);
}

function fillChoice(select, field) {
  select.replaceChildren(...field.values.map(([value, text]) => el('option', { value, textContent: text })));
}
