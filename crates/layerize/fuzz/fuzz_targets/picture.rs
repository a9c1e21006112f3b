//! Bytes become a picture and options; what must hold for every one of them.
//!
//! Raw noise would never make a region, so most bytes are orders to draw: rectangles, discs,
//! ramps, strokes, noise, each with an alpha of its own. What is left over is laid on as it is.

use layerize::{Cancel, LayerKind, Options, RgbaImage, TextLayers, USUAL_LAYERS, composite, split};

/// What is left of the input; 0 without end.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    pub(crate) fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// Below `limit`, which is at least 1.
    fn below(&mut self, limit: u32) -> u32 {
        (u32::from(self.next()) << 8 | u32::from(self.next())) % limit
    }

    pub(crate) fn options(&mut self) -> Options {
        let flags = self.next();
        let passes = layerize::passes();
        let left_out = self.next();
        Options {
            max_layers: (flags & 1 > 0).then_some(flags >> 4),
            usual_layers: if flags & 8 > 0 { 64 } else { USUAL_LAYERS },
            threads: Some(1 + usize::from(flags >> 1 & 1)),
            text: if flags & 4 > 0 {
                TextLayers::Blocks
            } else {
                TextLayers::Lines
            },
            skip: passes
                .into_iter()
                .enumerate()
                .filter(|(at, _)| left_out > 200 && left_out >> at & 1 > 0)
                .map(|(_, name)| name)
                .collect(),
            ..Options::default()
        }
    }

    /// At most `longest` wide or tall and of at most `most` pixels.
    pub(crate) fn picture(&mut self, longest: u32, most: u32) -> RgbaImage {
        let side = |bytes: &mut Self, limit: u32| match bytes.next() % 4 {
            0 => 1 + bytes.below(4.min(limit)),
            1 => 1 + bytes.below(limit),
            _ => 1 + bytes.below(limit.min(160)),
        };
        let width = side(self, longest);
        let height = side(self, longest.min(most / width).max(1));
        let (w, h) = if self.next() & 1 > 0 {
            (height, width)
        } else {
            (width, height)
        };
        let mut image = RgbaImage::transparent(w, h);
        let ground = [self.next(), self.next(), self.next(), self.alpha()];
        image.pixels.as_chunks_mut::<4>().0.fill(ground);
        for _ in 0..self.next() % 24 {
            self.draw(&mut image);
        }
        let at = self.below(w * h) as usize * 4;
        for (pixel, byte) in image.pixels[at..].iter_mut().zip(self.0) {
            *pixel = *byte;
        }
        image
    }

    /// Mostly opaque.
    fn alpha(&mut self) -> u8 {
        let byte = self.next();
        if byte < 200 {
            255
        } else {
            byte.wrapping_mul(5)
        }
    }

    fn draw(&mut self, image: &mut RgbaImage) {
        let (w, h) = (image.width, image.height);
        let (x0, y0) = (self.below(w), self.below(h));
        let (wide, tall) = (1 + self.below(w), 1 + self.below(h));
        let (kind, colour) = (self.next(), [self.next(), self.next(), self.next()]);
        let (alpha, slope) = (self.alpha(), u32::from(self.next()));
        for y in y0..(y0 + tall).min(h) {
            for x in x0..(x0 + wide).min(w) {
                let (dx, dy) = (x - x0, y - y0);
                let (u, v) = (
                    dx as f32 / wide as f32 * 2.0 - 1.0,
                    dy as f32 / tall as f32 * 2.0 - 1.0,
                );
                let covered = match kind % 6 {
                    0 | 1 => true,
                    2 => u * u + v * v <= 1.0,
                    3 => dx % 7 < 2 && dy % 11 < 8,
                    4 => u.abs() + v.abs() <= 1.0,
                    _ => u * u + v * v <= 1.0 && u * u + v * v > 0.5,
                };
                if !covered {
                    continue;
                }
                let shade = match kind >> 6 {
                    0 | 1 => 0,
                    2 => (dx * slope / 64) as u8,
                    _ => ((dx * 31 + dy * 17) * slope >> 5) as u8 & 31,
                };
                let at = ((y * w + x) * 4) as usize;
                for c in 0..3 {
                    image.pixels[at + c] = colour[c].saturating_add(shade);
                }
                image.pixels[at + 3] = alpha;
            }
        }
    }
}

/// Splits `image` and checks what is promised of every stack.
pub(crate) fn hold(image: &RgbaImage, options: &Options) {
    let (mut last, mut falls) = (0.0, false);
    let mut heard = |progress: layerize::Progress| {
        falls |= progress.fraction < last;
        last = progress.fraction;
    };
    let layers = split(image, options, &mut heard, &Cancel::default()).expect("it splits");
    assert!(!falls, "progress fell");
    assert_eq!(layers[0].kind, LayerKind::Background);
    if !options.skip.contains(&"order") {
        let most = options.max_layers.unwrap_or(options.usual_layers);
        assert!(layers.len() <= usize::from(most.max(1)), "too many layers");
    }
    for layer in &layers {
        let (right, bottom) = (layer.x + layer.image.width, layer.y + layer.image.height);
        assert!(
            right <= image.width && bottom <= image.height,
            "off the canvas"
        );
        assert!((0.0..=1.0).contains(&layer.confidence));
        assert!(!layer.name.is_empty());
    }
    let back = composite(image.width, image.height, &layers);
    for (seen, given) in back.pixels.iter().zip(&image.pixels) {
        assert!(seen.abs_diff(*given) <= 1, "the stack is not the picture");
    }
}
