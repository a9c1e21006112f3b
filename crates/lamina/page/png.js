// A PNG's own bytes of colour and alpha (PNG, third edition). A canvas multiplies colour by alpha and rounds, so what it
// gives back is not what the file says, and a proof by it would prove nothing. Files of 8 bits that are not interlaced, as lamina writes.

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

// {width, height, data: RGBA, straight}, or null for a file that is read another way.
export async function decodePng(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const view = new DataView(bytes.buffer);
  if (bytes.length < 45 || view.getUint32(0) !== 0x89504e47 || view.getUint32(4) !== 0x0d0a1a0a) return null;
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, type, interlaced] = [bytes[24], bytes[25], bytes[28]];
  if (depth !== 8 || interlaced || !CHANNELS[type]) return null;
  let [palette, transparent, parts] = [null, null, []];
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (name === 'PLTE') palette = body;
    if (name === 'tRNS') transparent = body;
    if (name === 'IDAT') parts.push(body);
    if (name === 'IEND') break;
    at += length + 12;
  }
  // A colour that stands for transparent is rare, and no reader of ours writes it.
  if (transparent && type !== 3) return null;
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate'));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const channels = CHANNELS[type];
  if (raw.length < (width * channels + 1) * height) return null;
  unfilter(raw, width * channels, height, channels);
  return { width, height, data: spread(raw, width, height, type, palette, transparent) };
}

// Undoes the filters in place (section 9).
function unfilter(raw, stride, height, step) {
  const row = stride + 1;
  for (let y = 0; y < height; y += 1) {
    const at = y * row + 1;
    const filter = raw[at - 1];
    if (filter === 0) continue;
    for (let x = 0; x < stride; x += 1) {
      const left = x >= step ? raw[at + x - step] : 0;
      const up = y ? raw[at + x - row] : 0;
      let add;
      if (filter === 1) add = left;
      else if (filter === 2) add = up;
      else if (filter === 3) add = (left + up) >> 1;
      else {
        const corner = y && x >= step ? raw[at + x - row - step] : 0;
        const guess = left + up - corner;
        const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
        add = a <= b && a <= c ? left : b <= c ? up : corner;
      }
      raw[at + x] += add;
    }
  }
}

function spread(raw, width, height, type, palette, transparent) {
  const data = new Uint8ClampedArray(width * height * 4);
  const channels = CHANNELS[type];
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    let from = y * (width * channels + 1) + 1;
    for (let x = 0; x < width; x += 1, from += channels, to += 4) {
      if (type === 3) {
        const index = raw[from];
        for (let c = 0; c < 3; c += 1) data[to + c] = palette[index * 3 + c];
        data[to + 3] = transparent?.[index] ?? 255;
      } else {
        const grey = type === 0 || type === 4;
        data[to] = raw[from];
        data[to + 1] = raw[from + (grey ? 0 : 1)];
        data[to + 2] = raw[from + (grey ? 0 : 2)];
        data[to + 3] = type === 6 ? raw[from + 3] : type === 4 ? raw[from + 1] : 255;
      }
    }
  }
  return data;
}
