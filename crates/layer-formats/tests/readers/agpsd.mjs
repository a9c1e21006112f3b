// What ag-psd finds in each PSD that is named: one line of JSON each, with pixels in base64.
import { readFileSync } from 'node:fs';
import { initializeCanvas, readPsd } from 'ag-psd';

// No canvas: pixels only.
const createImageData = (width, height) => ({ width, height, data: new Uint8ClampedArray(width * height * 4) });
initializeCanvas(() => { throw new Error('no canvas here'); }, createImageData);

const seen = (layer) => ({
  name: layer.name,
  left: layer.left,
  top: layer.top,
  right: layer.right,
  bottom: layer.bottom,
  opacity: layer.opacity,
  hidden: layer.hidden ?? false,
  blendMode: layer.blendMode,
  children: layer.children?.map(seen),
  width: layer.imageData?.width,
  pixels: layer.imageData && Buffer.from(layer.imageData.data.buffer).toString('base64'),
});

for (const path of process.argv.slice(2)) {
  const options = { useImageData: true, throwForMissingFeatures: true, logMissingFeatures: true, useRawThumbnail: true };
  const psd = readPsd(readFileSync(path), options);
  const { width, height, children, imageData, imageResources } = psd;
  console.log(JSON.stringify({
    path,
    width,
    height,
    resolution: imageResources?.resolutionInfo?.horizontalResolution,
    thumbnail: imageResources?.thumbnailRaw?.width,
    merged: imageData && Buffer.from(imageData.data.buffer).toString('base64'),
    children: (children ?? []).map(seen),
  }));
}
