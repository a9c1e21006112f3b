// What a picture must be: of a known type and sensible size by its header and, for the layers that
// come over the network, whole by the checksums of its chunks.

import { crc32 } from "node:zlib";
import sharp from "sharp";

// Many small pictures at once: a thread each, and nothing to gain from libvips's cache.
sharp.concurrency(1);
sharp.cache(false);

const TYPES = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp", gif: "image/gif" };
const MAX_PIXELS = 50_000_000;
const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

/** Type and size of a picture; throws when it is none. With `pixels` it is decoded to its end. */
export async function inspect(bytes, { pixels = false } = {}) {
  const picture = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "truncated" });
  const { format, width, height } = await picture.metadata();
  const type = TYPES[format];
  if (!type) throw new Error(`a picture of the type ${format} is not accepted`);
  if (width * height > MAX_PIXELS) throw new Error("the picture has too many pixels");
  if (pixels) await picture.raw().toBuffer();
  return { type, width, height };
}

/** Throws unless every chunk of a PNG is there and has its checksum. */
export function verifyPng(bytes) {
  if (!bytes.subarray(0, 8).equals(SIGNATURE)) throw new Error("not a PNG");
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (end + 4 > bytes.length) break;
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) throw new Error("a chunk is damaged");
    if (bytes.toString("latin1", at + 4, at + 8) === "IEND") return;
    at = end + 4;
  }
  throw new Error("the PNG is cut short");
}
