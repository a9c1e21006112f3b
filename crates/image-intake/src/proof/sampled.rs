//! What is measured on every second row and column: how much of each layer is seen from above, and which layers are one twice.

use super::{PIXEL, SOLID};
use crate::glance::Glance;

/// Of a whole stack.
pub(super) struct Sampled {
    /// For each layer, the light that comes from it and not from one above, in parts of 255².
    visible: Vec<u64>,
    /// For each layer, where it is solid.
    solid: Vec<u64>,
    /// For each upper layer its lower ones, from below.
    pairs: Vec<Pair>,
    count: u64,
    /// Of the row that is looked at: what the layers above let through at each place, and where each layer is solid, in bits.
    left: Vec<u8>,
    bits: Vec<Vec<u64>>,
}

#[derive(Default, Clone)]
struct Pair {
    both: u64,
    colour: u64,
}

/// Two layers by their places, and what they have in common.
pub(super) struct Overlap {
    pub(super) lower: usize,
    pub(super) upper: usize,
    /// Places where both are solid, and where any of the two is.
    pub(super) both: u64,
    pub(super) either: u64,
    /// How far their colours are apart where both are, all together.
    pub(super) colour: u64,
}

impl Sampled {
    pub(super) fn new(width: u32, layers: usize) -> Self {
        let places = (width as usize).div_ceil(2);
        Self {
            visible: vec![0; layers],
            solid: vec![0; layers],
            pairs: vec![Pair::default(); layers * layers.saturating_sub(1) / 2],
            count: 0,
            left: vec![0; places],
            bits: vec![vec![0; places.div_ceil(64)]; layers],
        }
    }

    /// A row of each layer, bottom first.
    pub(super) fn row(&mut self, layers: &[&[u8]], glances: &[Glance]) {
        self.count += self.left.len() as u64;
        self.see(layers, glances);
        for (place, (layer, glance)) in layers.iter().zip(glances).enumerate() {
            self.note_solid(place, layer, glance);
        }
        let mut pairs = self.pairs.iter_mut();
        for (upper, above) in layers.iter().enumerate().skip(1) {
            for (lower, pair) in (0..upper).zip(&mut pairs) {
                let bits = self.bits[upper].iter().zip(&self.bits[lower]);
                for (word, (one, other)) in bits.enumerate() {
                    pair.add(word * 64, one & other, above, layers[lower]);
                }
            }
        }
    }

    fn see(&mut self, layers: &[&[u8]], glances: &[Glance]) {
        self.left.fill(u8::MAX);
        for (place, (layer, glance)) in layers.iter().zip(glances).enumerate().rev() {
            let mut seen = 0_u64;
            let first = glance.shown.start.div_ceil(2);
            let left = self.left.get_mut(first..).unwrap_or_default();
            if glance.is_solid() {
                let shown = glance.shown.end.div_ceil(2).saturating_sub(first);
                for left in left.iter_mut().take(shown) {
                    seen += u64::from(std::mem::take(left)) * 255;
                }
            } else {
                let pixels = &layer.as_chunks::<PIXEL>().0[..glance.shown.end];
                let shown = pixels.iter().skip(first * 2).step_by(2);
                for (left, pixel) in left.iter_mut().zip(shown) {
                    let (before, alpha) = (u32::from(*left), u32::from(pixel[3]));
                    seen += u64::from(before * alpha);
                    *left = (before * (255 - alpha) / 255) as u8;
                }
            }
            self.visible[place] += seen;
        }
    }

    fn note_solid(&mut self, place: usize, layer: &[u8], glance: &Glance) {
        let bits = &mut self.bits[place];
        bits.fill(0);
        if glance.most < SOLID {
            return;
        }
        let pixels = &layer.as_chunks::<PIXEL>().0[..glance.shown.end];
        let first = glance.shown.start.div_ceil(2);
        for (at, pixel) in (first..).zip(pixels.iter().skip(first * 2).step_by(2)) {
            bits[at / 64] |= u64::from(pixel[3] >= SOLID) << (at % 64);
        }
        let count = bits.iter().map(|word| u64::from(word.count_ones()));
        self.solid[place] += count.sum::<u64>();
    }

    /// Share of the canvas, 0 to 1, that is this layer's as it is seen from above.
    pub(super) fn visible(&self, layer: usize) -> f32 {
        let all = (self.count * 255 * 255).max(1);
        let visible = self.visible.get(layer).copied().unwrap_or(0);
        (visible as f64 / all as f64) as f32
    }

    /// All pairs of layers.
    pub(super) fn overlaps(&self) -> impl Iterator<Item = Overlap> {
        let layers = self.solid.len();
        let places = (1..layers).flat_map(|upper| (0..upper).map(move |lower| (lower, upper)));
        places
            .zip(&self.pairs)
            .map(|((lower, upper), pair)| Overlap {
                lower,
                upper,
                both: pair.both,
                either: self.solid[lower] + self.solid[upper] - pair.both,
                colour: pair.colour,
            })
    }
}

impl Pair {
    /// Places from `first` on, each a bit, where both layers are solid.
    fn add(&mut self, first: usize, mut places: u64, above: &[u8], below: &[u8]) {
        self.both += u64::from(places.count_ones());
        while places != 0 {
            let at = (first + places.trailing_zeros() as usize) * 2 * PIXEL;
            places &= places - 1;
            let colours = above[at..at + 3].iter().zip(&below[at..at + 3]);
            let far: u32 = colours
                .map(|(one, other)| u32::from(one.abs_diff(*other)))
                .sum();
            self.colour += u64::from(far);
        }
    }
}
