// The page: an empty one that invites, and a bench for one job. It wires the parts and holds what is shown now.

import { key, onKeyWanted, Refusal, setKey } from './api.js';
import { $, calm, say, toClipboard } from './dom.js';
import * as code from './code.js';
import { Gestures } from './gestures.js';
import * as history from './history.js';
import { listen } from './intake.js';
import { ask, options, setUp } from './options.js';
import { Panel } from './panel.js';
import { prove } from './prove.js';
import { showRecent } from './recent.js';
import { bytesOf, deleteJob, followed, sourceOf, takeApart } from './run.js';
import { Stack } from './stack.js';
import { Stage } from './stage.js';
import { offer, saveLayer } from './takes.js';
import { ENGINES, lasting, left } from './words.js';
import { Progress } from './progress.js';
import { closeNotice, notice } from './notice.js';

const stage = new Stage($('#stage'), (zoom) => { $('#zoom-now').textContent = `${Math.round(zoom * 100)}%`; });
const progress = new Progress();
const REVEAL_MS = 1700;
// The job on the bench: {picture, options, stack, id, abort}.
let now = null;

const act = {
  hide(layer) { now.stack.change(layer, { visible: !layer.visible }); say(`${layer.name} is ${layer.visible ? 'shown' : 'hidden'}`); },
  solo(layer) { now.stack.change(layer, { solo: !layer.solo }); say(layer.solo ? `Only ${layer.name} is shown` : 'All layers are shown again'); },
  shift(layer, by) { if (now.stack.place(layer, now.stack.layers.indexOf(layer) + by)) panel.announce(layer); },
  putBack: (layer) => stage.putBack(layer),
  moved: (layer) => say(layer.x || layer.y ? `${layer.name} is ${layer.x} right and ${layer.y} down of its place` : `${layer.name} is in its place`),
  save: (layer) => attempt(() => saveLayer(layer)),
  view: setView,
};
const panel = new Panel($('#layers'), act);
new Gestures(stage, act);

function setView(mode) {
  if (!now?.stack || (mode === 'compare' && !now.sourceUrl)) return;
  stage.setMode(mode);
  for (const button of document.querySelectorAll('[data-view]')) button.setAttribute('aria-pressed', button.dataset.view === mode);
  $('#spread').hidden = mode !== 'exploded';
}

// Runs what may fail, and says so with a sentence.
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    notice(error.message);
    return undefined;
  }
}

function atBench(title) {
  closeNotice();
  document.body.classList.add('at-bench');
  $('#start').hidden = true;
  $('#bench').hidden = false;
  $('#new-button').hidden = false;
  $('#title').hidden = false;
  $('#title').textContent = title;
  $('#work').hidden = false;
  $('#result').hidden = true;
  $('#tools').hidden = true;
  document.title = `${title} – lamina`;
}

function atStart() {
  now?.abort.abort(new DOMException('Left', 'AbortError'));
  now = null;
  stage.reset();
  document.body.classList.remove('at-bench');
  for (const node of ['#bench', '#new-button', '#title']) $(node).hidden = true;
  $('#start').hidden = false;
  document.title = 'lamina';
  showRecent(open, removeJob);
}

// A picture that has just come: show it, take it apart, show the layers.
async function begin(picture, wishes = options()) {
  now?.abort.abort(new DOMException('Replaced', 'AbortError'));
  const run = { picture, options: wishes, abort: new AbortController(), began: performance.now() };
  now = run;
  atBench(picture.name);
  progress.sending(0);
  $('#work-title').focus({ preventScroll: true });
  if (picture.file) await preview(run);
  await guarded(run, async () => {
    const job = await takeApart(picture, wishes, (state, details) => tell(run, state, details), run.abort.signal);
    run.took = (performance.now() - run.began) / 1000;
    await present(run, job);
  });
}

// What the browser cannot show the server may still read, or refuse with a reason.
async function preview(run) {
  try {
    const bitmap = await createImageBitmap(run.picture.file);
    run.previewUrl = URL.createObjectURL(run.picture.file);
    if (now === run) stage.preview(run.previewUrl, bitmap.width, bitmap.height);
    bitmap.close();
  } catch {
    $('#stage').firstChild?.firstChild?.replaceChildren();
  }
}

function tell(run, state, details) {
  if (now !== run) return;
  if (state === 'sending') progress.sending(details);
  if (state === 'waiting') {
    progress.waiting(details);
    stage.lean(details.progress ?? 0);
  }
  if (state === 'trouble') trouble(details);
  if (state !== 'created') return;
  run.id = details.id;
  run.upload = details.upload;
  progress.waiting({ status: 'pending', progress: 0 });
  location.hash = `job=${run.id}`;
  keep(run, { expires_at: details.upload.expires_at });
}

async function keep(run, more) {
  const thumb = run.picture.file ? await history.thumbnail(run.picture.file).catch(() => null) : history.find(run.id)?.thumb;
  history.remember({ id: run.id, name: run.picture.name, upload_id: run.upload?.upload_id, options: run.options, thumb, ...more });
}

function trouble({ error, seconds }) {
  if (!error) {
    closeNotice();
    return say('lamina answers again');
  }
  notice(error instanceof Refusal ? error.message : `lamina does not answer. Nothing is lost; trying again in ${Math.ceil(seconds)} s.`, null, true);
  return undefined;
}

async function guarded(run, work) {
  try {
    await work();
  } catch (error) {
    if (run.abort.signal.aborted || now !== run) return;
    const again = run.picture.file || run.picture.upload;
    atStart();
    if (error.status === 410 || error.status === 404) history.forget(run.id);
    clearHash();
    showRecent(open, removeJob);
    notice(error.message, again && !isAboutPicture(error) ? ['Try again', () => begin(run.picture, run.options)] : null);
  }
}

const isAboutPicture = (error) => /^image_|^unsupported|^content_refused|^body_too_large/.test(error.code ?? '') || error.status === 410;

async function present(run, job) {
  if (now !== run) return;
  if (!job.layers?.length) throw new Error('The job is complete and has no layers. Try another picture.');
  progress.loading(0, job.layers.length);
  const stack = new Stack(job);
  const source = sourceBlob(run);
  await stack.load((count) => { if (now === run) progress.loading(count, job.layers.length); }, run.abort.signal);
  const blob = await source;
  if (now !== run) return;
  run.stack = stack;
  run.sourceUrl = blob ? URL.createObjectURL(blob) : null;
  keep(run, { expires_at: job.expires_at });
  $('#work').hidden = true;
  $('#result').hidden = false;
  $('#tools').hidden = false;
  stage.show(stack, run.sourceUrl);
  panel.show(stack);
  $('[data-view=compare]').disabled = !blob;
  reveal(run);
  $('#layers-title').textContent = `${stack.layers.length} ${stack.layers.length === 1 ? 'layer' : 'layers'}`;
  say(`The picture is apart: ${stack.layers.length} layers`);
  if (document.activeElement === document.body || document.activeElement?.closest('#work')) $('#layers-title').focus({ preventScroll: true });
  facts(run, job);
  showCode('curl');
  offer($('#takes'), stack, run.picture.name, attempt);
  prove($('#proof'), stack, blob);
}

// Shows that the picture has come apart: the layers rise, stand for a moment, and lie down again, unless someone takes over.
function reveal(run) {
  setView('flat');
  run.stack.addEventListener('change', () => { $('#restore').hidden = !run.stack.arranged; });
  $('#restore').hidden = true;
  if (calm() || run.stack.layers.length < 2) return;
  requestAnimationFrame(() => { if (now === run) setView('exploded'); });
  const lieDown = setTimeout(() => { if (now === run) setView('flat'); }, REVEAL_MS);
  for (const touch of ['pointerdown', 'keydown', 'wheel']) addEventListener(touch, () => clearTimeout(lieDown), { once: true, capture: true, passive: true });
}

// The picture as the server keeps it, which is what the layers are compared with.
async function sourceBlob(run) {
  try {
    const upload = run.upload?.url ? run.upload : await sourceOf(run.upload.upload_id, run.abort.signal);
    return upload ? await bytesOf(upload.url, run.abort.signal) : null;
  } catch {
    return null;
  }
}

function facts(run, job) {
  const by = ENGINES[job.engine] ?? job.engine;
  const time = run.took ? ` in ${lasting(run.took)}, sending included` : '';
  $('#facts').textContent = `Made by ${by}${time}. Kept on the server for a limited time: ${left(job.expires_at) ?? 'over'}.`;
}

function showCode(language) {
  for (const button of document.querySelectorAll('[data-code]')) button.setAttribute('aria-pressed', button.dataset.code === language);
  $('#code').textContent = code[language](now.picture.name, now.options);
}

// A job of before, from the list or the address.
async function open(id) {
  const known = history.find(id) ?? {};
  now?.abort.abort(new DOMException('Replaced', 'AbortError'));
  const run = { id, picture: { name: known.name ?? 'Picture' }, options: known.options ?? {}, upload: known.upload_id ? { upload_id: known.upload_id } : null, abort: new AbortController() };
  if (run.upload) run.picture.upload = run.upload;
  now = run;
  location.hash = `job=${id}`;
  atBench(run.picture.name);
  progress.waiting({ status: 'pending', progress: 0 });
  await guarded(run, async () => present(run, await followed(id, (state, details) => tell(run, state, details), run.abort.signal)));
}

async function removeJob(id) {
  try {
    await deleteJob(id);
  } catch (error) {
    if (![404, 410].includes(error.status)) throw error;
  }
  history.forget(id);
  say('The job and its files are deleted');
}

const clearHash = () => window.history.replaceState(null, '', location.pathname + location.search);

function leave() {
  clearHash();
  closeNotice();
  atStart();
}

function askKey(refused) {
  const dialog = $('#key-dialog');
  $('#key-hint').textContent = `${refused ? 'The server does not know that key. ' : ''}It stays in this tab and goes when you close it.`;
  $('#key-value').value = '';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.addEventListener('close', () => {
      const value = dialog.returnValue === 'use' ? $('#key-value').value.trim() : '';
      $('#key-value').value = '';
      if (!value) return reject(Object.assign(new Error('This server takes pictures only with a key. Ask whoever runs it for one.'), { code: 'unauthorized' }));
      setKey(value);
      $('#key-button').hidden = false;
      return resolve();
    }, { once: true });
  });
}

function wire() {
  setUp($('#count'));
  listen((picture) => begin(picture), (sentence) => notice(sentence));
  onKeyWanted(askKey);
  $('#key-form button[type=submit]').value = 'use';
  $('#key-cancel').addEventListener('click', () => $('#key-dialog').close(''));
  $('#key-button').hidden = !key();
  $('#key-button').addEventListener('click', () => { askKey(false).catch(() => {}); });
  $('#more-options').addEventListener('click', () => ask('Options', 'Keep these'));
  $('#new-button').addEventListener('click', leave);
  $('#brand').addEventListener('click', (event) => { event.preventDefault(); leave(); });
  $('#cancel').addEventListener('click', () => {
    const id = now?.id;
    leave();
    if (id) attempt(() => removeJob(id).then(() => showRecent(open, removeJob)));
  });
  $('#again').addEventListener('click', async () => {
    const { picture } = now;
    if (await ask('Take it apart again', 'Take apart')) begin(picture);
  });
  $('#restore').addEventListener('click', () => { now.stack.restore(); $('#layers-title').focus(); say('All layers are as they came'); });
  $('#delete').addEventListener('click', () => attempt(async () => { await removeJob(now.id); leave(); }));
  for (const button of document.querySelectorAll('[data-view]')) button.addEventListener('click', () => setView(button.dataset.view));
  for (const button of document.querySelectorAll('[data-code]')) button.addEventListener('click', () => showCode(button.dataset.code));
  $('#copy').addEventListener('click', async () => { await toClipboard($('#code').textContent); say('Copied'); $('#copy').textContent = 'Copied'; setTimeout(() => { $('#copy').textContent = 'Copy'; }, 1500); });
  $('#tools').addEventListener('click', ({ target }) => {
    const zoom = target.closest('[data-zoom]')?.dataset.zoom;
    if (zoom === 'fit') stage.fit();
    else if (zoom) stage.zoomBy(zoom === 'in' ? 1.25 : 0.8);
  });
  $('#spread input').addEventListener('input', (event) => { stage.tilted.spread = Number(event.target.value); stage.tilted.redraw(); });
  addEventListener('hashchange', fromAddress);
}

function fromAddress() {
  const id = /^#job=([0-9a-f-]{36})$/.exec(location.hash)?.[1];
  if (id && id !== now?.id) open(id);
  else if (!id && now) atStart();
}

wire();
showRecent(open, removeJob);
fromAddress();
