// The list of this browser's jobs on the empty page: open again, with time left, or delete now.

import { $, el, icon } from './dom.js';
import * as history from './history.js';
import { notice } from './notice.js';
import { left } from './words.js';

export function showRecent(open, remove) {
  const jobs = history.jobs();
  $('#recent').hidden = !jobs.length;
  $('#recent-list').replaceChildren(...jobs.map((job) => {
    const picture = job.thumb ? el('img', { src: job.thumb, alt: '', width: 48, height: 48 }) : el('span', { className: 'none' });
    const again = el('button', { className: 'open', type: 'button', on: { click: () => open(job.id) } },
      picture, el('span', { className: 'what' }, el('b', { textContent: job.name }), el('span', { className: 'hint', textContent: left(job.expires_at) ?? '' })));
    const away = el('button', { className: 'bare', type: 'button', title: 'Delete now', 'aria-label': `Delete ${job.name} now` }, icon('close'));
    away.addEventListener('click', async () => {
      away.disabled = true;
      try {
        await remove(job.id);
        showRecent(open, remove);
      } catch (error) {
        away.disabled = false;
        notice(error.message);
      }
    });
    return el('li', {}, again, away);
  }));
}
