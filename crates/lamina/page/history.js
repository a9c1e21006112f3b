// The jobs of this browser: what the server forgets in time, and this list with it. Nothing here leaves the browser.

const PLACE = 'lamina.jobs';
const MOST = 24;
const THUMB = 96;

// Newest first, without those whose time is over.
export function jobs(now = Date.now()) {
  let list = [];
  try { list = JSON.parse(localStorage.getItem(PLACE)) ?? []; } catch { /* another program's, or none */ }
  return list.filter((job) => job?.id && new Date(job.expires_at) > now);
}

function write(list) {
  // A full or forbidden storage costs the list, not the work.
  try { localStorage.setItem(PLACE, JSON.stringify(list.slice(0, MOST))); } catch { /* see above */ }
}

export const find = (id) => jobs().find((job) => job.id === id) ?? null;
export const remember = (job) => write([{ ...find(job.id), ...job }, ...jobs().filter((other) => other.id !== job.id)]);
export const forget = (id) => write(jobs().filter((job) => job.id !== id));

// A small picture of a picture, for the list.
export async function thumbnail(source) {
  const bitmap = await createImageBitmap(source);
  const scale = THUMB / Math.min(bitmap.width, bitmap.height);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = THUMB;
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (THUMB - width) / 2, (THUMB - height) / 2, width, height);
  bitmap.close();
  return canvas.toDataURL('image/webp', 0.7);
}
