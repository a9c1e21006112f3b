// The operator's page: a door, and behind it the present, asked for every few seconds while somebody can see it.

import { $ } from '../dom.js';
import { json, key, keepKeyAs, onKeyWanted, Refusal, setKey } from '../api.js';
import { closeNotice, notice } from '../notice.js';
import { filterBy, listJobs, refreshJobs, wireJobs } from './jobs.js';
import { showKeys, wireKeys } from './keys.js';
import { showNow } from './now.js';
import { openStory } from './story.js';

const EVERY_MS = 5000;
const WHILE_AWAY_MS = 10_000;

keepKeyAs('lamina.admin-key');
let timer = null;
let isLost = false;

function door(why = '') {
  clearTimeout(timer);
  setKey(null);
  $('#desk').hidden = true;
  $('#forget-key').hidden = true;
  $('#when').textContent = '';
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  $('#door').hidden = false;
  $('#door-why').textContent = why;
  $('#door-key').focus();
}

// A 401 anywhere means that the key opens nothing any more.
onKeyWanted(async (refused) => {
  // Several calls may be refused at once; the first has said why.
  if (refused || $('#door').hidden) door(refused ? 'That key opens nothing here.' : '');
  throw new Refusal(401, { detail: 'A key is needed.' });
});

async function failing(act) {
  try {
    await act;
  } catch (error) {
    if (error.status === 401) return;
    if (error.code === 'admin_only') return door('That is the key of an app. This page opens for ADMIN_KEY, or for a key made with --admin.');
    notice(error.message);
  }
}

const openJob = (id) => failing(openStory(id, () => failing(Promise.all([look(), listJobs()]))));

async function look() {
  showNow(await json('api/admin/overview'), { openJob, filterBy: (filter) => failing(filterBy(filter)) });
}

// What is not seen is not asked for.
async function tick() {
  clearTimeout(timer);
  if (document.hidden || $('#desk').hidden) return;
  let wait = EVERY_MS;
  try {
    await Promise.all([look(), refreshJobs()]);
    if (isLost) closeNotice();
    isLost = false;
  } catch (error) {
    if (error.status === 401) return;
    if (error.code === 'admin_only') return failing(Promise.reject(error));
    isLost = true;
    wait = WHILE_AWAY_MS;
    notice(`${error.message} What is shown was ${$('#when').textContent.split(', ').pop() || 'seen before'}; it is asked again.`);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(tick, wait);
}
document.addEventListener('visibilitychange', tick);

async function enter() {
  await look();
  $('#door').hidden = true;
  $('#desk').hidden = false;
  $('#forget-key').hidden = false;
  await Promise.all([listJobs(), showKeys()]);
  tick();
}

$('#door-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const given = $('#door-key').value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    $('#door-why').textContent = 'A key has no spaces and no letters beyond ASCII.';
    return;
  }
  setKey(given);
  $('#door-why').textContent = '';
  try {
    await enter();
    $('#door-key').value = '';
  } catch (error) {
    if (error.status === 401) return;
    if (error.code === 'admin_only') return failing(Promise.reject(error));
    $('#door-why').textContent = error.message;
  }
});
$('#forget-key').addEventListener('click', () => door());

wireJobs(openJob, failing);
wireKeys(failing);
if (key()) enter().catch((error) => { if (error.status !== 401) door(error.message); });
else door();
