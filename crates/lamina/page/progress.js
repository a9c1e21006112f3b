// How far a job is, in a sentence, a bar and what is left.

import { $ } from './dom.js';
import { ENGINES, lasting, plural } from './words.js';

// Shares of the bar: sending and fetching are short beside the work.
const SENT = 0.1;
const WORKED = 0.92;

export class Progress {
  sending(fraction) {
    this.#show(fraction < 1 ? 'Sending the picture' : 'The server looks at the picture', fraction * SENT, '');
  }

  waiting(job) {
    const ahead = job.queue_position;
    const title = job.status === 'pending' ? 'Waiting for its turn' : 'Taking it apart';
    const place = ahead ? `${plural(ahead, 'picture')} ahead` : '';
    this.until = typeof job.eta_seconds === 'number' ? performance.now() + job.eta_seconds * 1000 : null;
    const by = job.engine ? `By ${ENGINES[job.engine] ?? job.engine}` : '';
    this.hint = [by, place].filter(Boolean).join(', ');
    this.#show(title, SENT + (job.progress ?? 0) * (WORKED - SENT), this.#hint());
    clearInterval(this.clock);
    if (this.until) this.clock = setInterval(() => { $('#work-hint').textContent = this.#hint(); }, 1000);
  }

  loading(count, all) {
    clearInterval(this.clock);
    this.#show('Fetching the layers', WORKED + (count / all) * (1 - WORKED), `${count} of ${plural(all, 'layer')}`);
  }

  #hint() {
    const seconds = this.until ? Math.max(0, (this.until - performance.now()) / 1000) : null;
    const rest = seconds === null ? '' : seconds < 1 ? 'almost done' : `about ${lasting(Math.ceil(seconds)).replace('.0', '')} left`;
    return [this.hint, rest].filter(Boolean).join(', ');
  }

  #show(title, fraction, hint) {
    if (!fraction || fraction <= SENT) clearInterval(this.clock);
    const percent = Math.round(fraction * 100);
    if ($('#work-title').textContent !== title) $('#work-title').textContent = title;
    $('#work-hint').textContent = hint;
    $('#meter').setAttribute('aria-valuenow', percent);
    $('#meter span').style.transform = `translateX(${percent - 100}%)`;
  }
}
