// What the layers are together, to the bit: straight-alpha over (Porter and Duff, 1984), rounded to a byte after every
// layer, as lamina promises it; and how far that is from the picture.

// Draws `top` (RGBA of the same size) over `under`, in place.
export function drawOver(under, top) {
  for (let i = 0; i < under.length; i += 4) {
    const alpha = top[i + 3];
    const below = under[i + 3];
    if (below === 0 && (alpha > 0 || (under[i] | under[i + 1] | under[i + 2]) === 0)) {
      under[i] = top[i]; under[i + 1] = top[i + 1]; under[i + 2] = top[i + 2]; under[i + 3] = alpha;
    } else if (alpha !== 0) {
      const share = below * (255 - alpha);
      const total = alpha * 255 + share;
      const half = Math.floor(total / 2);
      for (let c = 0; c < 3; c += 1) under[i + c] = Math.floor((top[i + c] * alpha * 255 + under[i + c] * share + half) / total);
      under[i + 3] = Math.floor((total + 127) / 255);
    }
  }
}

// Mean and largest difference of two pictures in steps of 255; colour counts by its alpha, so what nobody sees does not.
export function difference(one, other) {
  let [sum, most] = [0, 0];
  for (let i = 0; i < one.length; i += 4) {
    const [a, b] = [one[i + 3], other[i + 3]];
    if (a === 255 && b === 255) {
      for (let c = 0; c < 3; c += 1) {
        const off = Math.abs(one[i + c] - other[i + c]);
        sum += off;
        if (off > most) most = off;
      }
    } else {
      let off = Math.abs(a - b);
      for (let c = 0; c < 3; c += 1) {
        const colour = Math.abs(one[i + c] * a - other[i + c] * b) / 255;
        sum += colour;
        if (colour > off) off = colour;
      }
      if (off > most) most = off;
    }
  }
  return { mean: sum / (one.length * 0.75), most };
}
