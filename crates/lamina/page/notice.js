// One sentence over the page: what happened and what to do. `calm` is for what passes by itself.

import { $ } from './dom.js';

export function notice(sentence, action = null, calm = false) {
  const box = $('#notice');
  box.classList.toggle('calm', calm);
  box.hidden = false;
  $('#notice-text').textContent = sentence;
  const button = $('#notice-action');
  button.hidden = !action;
  if (action) {
    button.textContent = action[0];
    button.onclick = () => { closeNotice(); action[1](); };
  }
}

export function closeNotice() {
  $('#notice').hidden = true;
  $('#notice-text').textContent = '';
}

$('#notice-close').addEventListener('click', closeNotice);
