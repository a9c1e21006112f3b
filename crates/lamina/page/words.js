// Numbers and states as a person says them.

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

export function size(bytes) {
  if (bytes < 1000) return plural(bytes, 'byte');
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

// How long something takes, rounded as a person would.
export function lasting(seconds) {
  if (seconds < 10) return `${Math.max(0.1, seconds).toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

// What is left until a moment, or null when it is over.
export function left(until, now = Date.now()) {
  const minutes = Math.floor((new Date(until) - now) / 60_000);
  if (minutes < 0) return null;
  if (minutes < 1) return 'less than a minute left';
  if (minutes < 90) return `${plural(minutes, 'minute')} left`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} hours left`;
  return `${Math.round(minutes / 1440)} days left`;
}

const KINDS = { background: 'Background', text: 'Text', shape: 'Shape', panel: 'Panel', subject: 'Subject', object: 'Object', shadow: 'Shadow' };

export function layerName(layer) {
  const name = layer.name?.trim();
  if (name) return name[0].toUpperCase() + name.slice(1);
  return KINDS[layer.kind] ?? `Layer ${layer.order + 1}`;
}

export function layerKind(layer) {
  const box = layer.bbox;
  const kind = KINDS[layer.kind] ?? layer.kind;
  const extent = box ? `${box.width} × ${box.height}` : 'nothing visible';
  return kind && kind !== layerName(layer) ? `${kind}, ${extent}` : extent;
}

export const ENGINES = { local: 'the embedded engine', fal: 'fal.ai' };

// A name that every file system takes.
export function fileName(text) {
  const plain = text.normalize('NFKD').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').toLowerCase();
  return plain.slice(0, 40) || 'layer';
}

export const layerFile = (layer, type = layer.content_type) => {
  const ending = { 'image/png': 'png', 'image/webp': 'webp', 'image/jpeg': 'jpg', 'image/avif': 'avif' }[type] ?? 'png';
  return `${String(layer.order).padStart(2, '0')}-${fileName(layerName(layer))}.${ending}`;
};
