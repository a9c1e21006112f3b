// A worker: puts the layers together and compares them with the picture, away from the page's own thread.

import { decodePng } from './png.js';
import { difference, drawOver } from './pixels.js';

async function decode(blob) {
  const exact = await decodePng(blob);
  if (exact) return exact;
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

onmessage = async ({ data: { source, layers } }) => {
  try {
    const picture = await decode(source);
    const stack = new Uint8ClampedArray(picture.data.length);
    for (const blob of layers) {
      const layer = await decode(blob);
      if (layer.width !== picture.width || layer.height !== picture.height) {
        return postMessage({ sizes: [[layer.width, layer.height], [picture.width, picture.height]] });
      }
      drawOver(stack, layer.data);
    }
    postMessage({ ...difference(stack, picture.data), pixels: picture.width * picture.height });
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};
