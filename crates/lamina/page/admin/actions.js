// What an operator does: a question first, with the number it is about, then one call for each job, and what came of it. The server
// writes a line in its log for each.

import { $, el, say } from '../dom.js';
import { call, Refusal } from '../api.js';
import { notice } from '../notice.js';

const AT_ONCE = 4;

// Resolves with what `read` makes of the form, or null. `body` may be text or nodes; a `read` that throws says why and asks on.
export function ask(title, body, yes, { danger = false, read = () => true } = {}) {
  const dialog = $('#ask');
  $('#ask-title').textContent = title;
  $('#ask-body').replaceChildren(...[body].flat());
  $('#ask-why').textContent = '';
  $('#ask-yes').textContent = yes;
  $('#ask-yes').classList.toggle('danger', danger);
  return new Promise((resolve) => {
    let answer = null;
    // What was asked or shown, a new key above all, does not stay behind.
    const close = () => { $('#ask-body').replaceChildren(); dialog.close(); };
    $('#ask-form').onsubmit = async (event) => {
      event.preventDefault();
      $('#ask-yes').disabled = true;
      try {
        answer = await read($('#ask-body'));
        close();
      } catch (error) {
        $('#ask-why').textContent = error.message;
      } finally {
        $('#ask-yes').disabled = false;
      }
    };
    $('#ask-no').onclick = close;
    dialog.onclose = () => { $('#ask-body').replaceChildren(); resolve(answer); };
    dialog.showModal();
  });
}

const jobs = (number) => `${number.toLocaleString('en')} ${number === 1 ? 'job' : 'jobs'}`;

// Calls for each, a few at a time; resolves with what each was refused for.
async function each(ids, act, doing) {
  const refused = [];
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < ids.length) {
      const id = ids[next];
      next += 1;
      try {
        await act(id);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused.push({ id, error });
      }
      done += 1;
      if (ids.length > 20 && done % 20 === 0) notice(`${doing} ${done} of ${jobs(ids.length)} …`, null, true);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, worker));
  return refused;
}

const retry = (payAgain) => (id) => call(`api/admin/jobs/${id}/retry`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(payAgain ? { pay_again: true } : {}) });

function told(done, word, refused) {
  const why = refused.length ? ` ${jobs(refused.length)} could not be: ${[...new Set(refused.map(({ error }) => error.message))].slice(0, 3).join(' ')}` : '';
  const sentence = `${jobs(done)} ${word}.${why}`;
  notice(sentence, null, !refused.length);
  say(sentence);
}

// True when something was changed.
export async function retryJobs(ids) {
  const sure = await ask(`Retry ${jobs(ids.length)}?`, el('p', { textContent: 'Each begins again and goes when it would have gone. What its engine has taken is asked for, not paid anew.' }), ids.length === 1 ? 'Retry it' : `Retry ${jobs(ids.length)}`);
  if (!sure) return false;
  let refused = await each(ids, retry(false), 'Retried');
  const unknown = refused.filter(({ error }) => error.code === 'payment_unknown');
  let done = ids.length - refused.length;
  if (unknown.length) {
    const again = await ask(`Pay for ${jobs(unknown.length)} again?`, el('p', { textContent: `Nobody knows whether the engine took ${unknown.length === 1 ? 'it' : 'them'} before, and it may have been paid. ${unknown.length === 1 ? 'It was' : 'They were'} not retried. If you go on, ${unknown.length === 1 ? 'it is' : 'they are'} handed over anew and may be paid twice.` }), `Perhaps pay twice for ${jobs(unknown.length)}`, { danger: true });
    if (again) {
      const still = await each(unknown.map(({ id }) => id), retry(true), 'Retried');
      done += unknown.length - still.length;
      refused = [...refused.filter(({ error }) => error.code !== 'payment_unknown'), ...still];
    }
  }
  told(done, done === 1 ? 'begins again' : 'begin again', refused);
  return done > 0;
}

export async function deleteJobs(ids) {
  const sure = await ask(`Cancel or delete ${jobs(ids.length)}?`, el('p', { textContent: 'What runs is cancelled at its engine, pictures and layers are erased, and links stop to work. A run that was paid stays paid. This cannot be taken back.' }), `Delete ${jobs(ids.length)}`, { danger: true });
  if (!sure) return false;
  const refused = await each(ids, (id) => call(`api/admin/jobs/${id}`, { method: 'DELETE' }), 'Deleted');
  // What was gone already is what was wanted.
  const left = refused.filter(({ error }) => !['job_deleted', 'job_expired', 'job_not_found'].includes(error.code));
  const done = ids.length - refused.length;
  told(done, done === 1 ? 'was deleted' : 'were deleted', left);
  return done > 0;
}
