//! How flat a picture is, place by place: what tells drawn pieces from photographed ones.
//!
//! A place is flat if it hardly differs from the four beside it, at a size at which the noise of
//! JPEG and of a sensor is averaged away and single odd pixels are taken off by a median. Over a
//! whole picture the share of flat places says little, for a sky is flat too; over what lies on
//! the ground it says much. Invariant: a change of every pixel by one level moves a share by a
//! little, never from one end to the other.

use crate::Error;
use crate::blob::Blob;
use crate::context::Context;
use crate::plane::{Plane, Rgb, max_difference};

/// Longest side at which is looked.
const SIDE: usize = 512;
/// Difference of neighbours, in levels, up to which they are one flat place.
const LEVELS: f32 = 2.5;

/// Which places of a picture are flat.
pub(crate) struct Flatness {
    flat: Plane<bool>,
    /// The size of the picture it was made from.
    of: (usize, usize),
}

impl Flatness {
    /// Looks at a picture.
    pub(crate) fn of(picture: &Rgb, ctx: &Context<'_>) -> Result<Self, Error> {
        let longest = picture.w.max(picture.h).max(SIDE);
        let fit = |side: usize| (side * SIDE).div_ceil(longest).max(1);
        let small = picture.resize(fit(picture.w), fit(picture.h));
        ctx.check()?;
        let calm = median(&small, ctx)?;
        let (w, h) = (calm.w, calm.h);
        let mut flat = Plane::filled(w, h, true);
        for y in 0..h {
            for x in 0..w {
                let here = calm.at(x, y);
                let same = |x: usize, y: usize| max_difference(here, calm.at(x, y)) <= LEVELS;
                let is_flat = (x == 0 || same(x - 1, y))
                    && (x + 1 == w || same(x + 1, y))
                    && (y == 0 || same(x, y - 1))
                    && (y + 1 == h || same(x, y + 1));
                flat.set(x, y, is_flat);
            }
        }
        Ok(Self {
            flat,
            of: (picture.w, picture.h),
        })
    }

    /// The share of a piece that is flat, 0 to 1.
    pub(crate) fn share(&self, blob: &Blob) -> f32 {
        let (mut flat, mut all) = (0_usize, 0_usize);
        let across = |x: usize| x * self.flat.w / self.of.0;
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (
                blob.rect.x + at % blob.rect.w,
                blob.rect.y + at / blob.rect.w,
            );
            all += 1;
            flat += usize::from(self.flat.at(across(x), y * self.flat.h / self.of.1));
        }
        flat as f32 / all.max(1) as f32
    }
}

/// The median of 3 by 3 pixels, each channel by itself; the rim stays as it is.
fn median(picture: &Rgb, ctx: &Context<'_>) -> Result<Rgb, Error> {
    let (w, h) = (picture.w, picture.h);
    let mut calm = picture.clone();
    if w < 3 {
        return Ok(calm);
    }
    for y in 1..h.saturating_sub(1) {
        if y % 64 == 1 {
            ctx.check()?;
        }
        // The three rows, each as the values to the left, of the pixel itself, and to its right.
        let inner = 3 * (w - 2);
        let near: [&[f32]; 9] = std::array::from_fn(|k| {
            let row = picture.data[(y + k / 3 - 1) * w..][..w].as_flattened();
            &row[k % 3 * 3..][..inner]
        });
        let out = &mut calm.data[y * w..][1..w - 1].as_flattened_mut()[..inner];
        for (chunk, out) in out.chunks_mut(LANES).enumerate() {
            let middle = middle_of(near.map(|values| {
                let values = &values[chunk * LANES..][..out.len()];
                std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0))
            }));
            out.copy_from_slice(&middle[..out.len()]);
        }
    }
    Ok(calm)
}

/// Medians that are taken at once.
const LANES: usize = 16;

/// The median of nine in each lane, by the exchanges of Paeth (Graphics Gems, 1990), which need no branch.
fn middle_of(mut v: [[f32; LANES]; 9]) -> [f32; LANES] {
    const EXCHANGES: [(usize, usize); 19] = [
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 1),
        (3, 4),
        (6, 7),
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 3),
        (5, 8),
        (4, 7),
        (3, 6),
        (1, 4),
        (2, 5),
        (4, 7),
        (4, 2),
        (6, 4),
        (4, 2),
    ];
    for (low, high) in EXCHANGES {
        let (a, b) = (v[low], v[high]);
        v[low] = std::array::from_fn(|lane| a[lane].min(b[lane]));
        v[high] = std::array::from_fn(|lane| a[lane].max(b[lane]));
    }
    v[4]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Rect;
    use crate::{Cancel, Options};

    #[test]
    fn the_middle_of_nine_is_that_of_the_sorted_ones() {
        let mut state = 5_u32;
        for _ in 0..2_000 {
            let nine: [f32; 9] = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 28) as f32
            });
            let mut sorted = nine;
            sorted.sort_unstable_by(f32::total_cmp);
            let middle = middle_of(nine.map(|value| [value; LANES]));
            assert_eq!(middle, [sorted[4]; LANES], "{nine:?}");
        }
    }

    #[test]
    fn a_drawn_half_is_flat_and_a_rough_half_is_not_whatever_one_level_does() {
        let (w, h) = (240, 160);
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        for off in [0.0, 1.0] {
            let mut picture = Plane::filled(w, h, [0.0; 3]);
            for at in 0..w * h {
                let level = if at % w < w / 2 {
                    90.0 + off * (next() % 3) as f32 - off
                } else {
                    40.0 + (next() % 120) as f32
                };
                picture.data[at] = [level; 3];
            }
            let (options, cancel) = (Options::default(), Cancel::default());
            let mut heard = |_| {};
            let ctx = Context::new(&options, &mut heard, &cancel);
            let flat = Flatness::of(&picture, &ctx).expect("not cancelled");
            let half = |x: usize| {
                let rect = Rect {
                    x,
                    y: 0,
                    w: w / 2 - 4,
                    h,
                };
                flat.share(&Blob::from_fn(rect, |_, _| true))
            };
            assert!(half(0) > 0.95, "{}", half(0));
            assert!(half(w / 2 + 4) < 0.1, "{}", half(w / 2 + 4));
        }
    }
}
