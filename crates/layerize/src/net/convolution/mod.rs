//! Convolutions that keep the size, summed directly.
//!
//! rten multiplies matrices for them, for which it first lays out each value once for every tap; where few channels come
//! out that takes as long as the sums. Those of one channel each it sums one value at a time. Here the sums
//! of many values of a row stay in registers while what is under them goes by, as in Zhang et al., "High Performance
//! Zero-Memory Overhead Direct Convolutions" (2018); `rten-simd` finds the widest registers of the processor.
//! Invariant: a thread works on a few rows, or on one channel, between two looks at the stop flag.

mod dense;
mod depthwise;

use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::Error;
use crate::context::Watch;
use dense::Dense;
use depthwise::Depthwise;

/// Values of a row that are made at a time are a divisor of it, on any processor.
const WIDEST: usize = 32;

/// Zeros stand for what lies beyond the edges.
pub(super) enum Convolution {
    /// Each channel that comes out is made of all that come in, by 3 by 3 taps.
    Dense(Dense),
    /// Each of the one that comes in in its place, by an odd number of taps a side.
    Depthwise(Depthwise),
}

/// Channels one after another, each `h` rows of `w` values.
pub(super) struct Planes<'a> {
    pub(super) w: usize,
    pub(super) h: usize,
    pub(super) channels: Vec<&'a [f32]>,
}

impl Convolution {
    /// `weights` for channel out, channel in, row and column, `bias` for channel out; one channel in makes it
    /// depthwise. Where `rectified`, sums below 0 count as 0. `None` if it is neither kind.
    pub(super) fn new(weights: &Tensor<f32>, bias: Vec<f32>, rectified: bool) -> Option<Self> {
        if bias.len() != *weights.shape().first()? {
            return None;
        }
        let least = if rectified { 0.0 } else { f32::NEG_INFINITY };
        match *weights.shape() {
            [_, 1, side, other] if side == other && side % 2 == 1 => {
                let depthwise = Depthwise::new(weights.to_vec(), bias, side, least);
                Some(Self::Depthwise(depthwise))
            }
            [_, ins, 3, 3] if ins > 0 => {
                Some(Self::Dense(Dense::new(&weights.to_vec(), ins, bias, least)))
            }
            _ => None,
        }
    }

    /// How many channels come out.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.outs,
            Self::Depthwise(depthwise) => depthwise.channels(),
        }
    }

    /// Adds what it makes of `from` to `to`, which has as many values a channel. False if `from` or `to` has not the
    /// channels it is for.
    pub(super) fn add_to(
        &self,
        to: &mut [f32],
        from: &Planes<'_>,
        watch: &Watch<'_>,
    ) -> Result<bool, Error> {
        let size = from.w * from.h;
        let ins = match self {
            Self::Dense(dense) => dense.ins,
            Self::Depthwise(depthwise) => depthwise.channels(),
        };
        let fits = from.channels.len() == ins
            && to.len() == self.channels() * size
            && from.channels.iter().all(|channel| channel.len() == size);
        if !fits || size == 0 {
            return Ok(false);
        }
        match self {
            Self::Dense(dense) => dense.add_to(to, from, watch),
            Self::Depthwise(depthwise) => depthwise.add_to(to, from, watch),
        }?;
        Ok(true)
    }
}

/// Lays what is under `rows` rows of a channel from row `first` on behind what `under` holds: `by` more rows above and
/// below and values at both sides, and rows of the length that [`stride`] tells, so that nothing looks for the edges.
fn lay_under(
    under: &mut Vec<f32>,
    channel: &[f32],
    (w, h): (usize, usize),
    (first, rows): (usize, usize),
    by: usize,
) {
    let stride = stride(w, by);
    let end = under.len();
    under.resize(end + (rows + 2 * by) * stride, 0.0);
    for (row, laid) in under[end..].chunks_exact_mut(stride).enumerate() {
        if (by..h + by).contains(&(first + row)) {
            let row = first + row - by;
            laid[by..by + w].copy_from_slice(&channel[row * w..][..w]);
        }
    }
}

fn stride(w: usize, by: usize) -> usize {
    w.next_multiple_of(WIDEST) + 2 * by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::{Cancel, Options};

    /// Numbers between -1 and 1 without a pattern.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// The definition, in double precision: what `taps` weights a side make of `from` at `(x, y)`.
    fn sum(from: &Planes<'_>, weights: &[f32], side: usize, (x, y): (usize, usize)) -> f64 {
        let by = side / 2;
        let mut sum = 0.0;
        for (channel, weights) in from.channels.iter().zip(weights.chunks_exact(side * side)) {
            for (tap, weight) in weights.iter().enumerate() {
                let at = (
                    (x + tap % side).checked_sub(by),
                    (y + tap / side).checked_sub(by),
                );
                if let (Some(x), Some(y)) = at
                    && x < from.w
                    && y < from.h
                {
                    sum += f64::from(channel[y * from.w + x]) * f64::from(*weight);
                }
            }
        }
        sum
    }

    /// Compares what is made of `ins` channels by `outs` with its definition.
    fn agree((ins, outs, side): (usize, usize, usize), (w, h): (usize, usize), rectified: bool) {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let each = if side == 3 && outs != ins { ins } else { 1 };
        let weights = numbers(outs * each * side * side, 1);
        let (bias, values) = (numbers(outs, 2), numbers(ins * w * h, 3));
        let before = numbers(outs * w * h, 4);
        let from = Planes {
            w,
            h,
            channels: values.chunks_exact(w * h).collect(),
        };
        let tensor = Tensor::from_data(&[outs, each, side, side], weights.clone());
        let convolution = Convolution::new(&tensor, bias.clone(), rectified);
        let convolution = convolution.expect("it is of a kind that is known");
        let mut to = before.clone();
        assert!(
            convolution
                .add_to(&mut to, &from, &ctx.watch)
                .expect("no stop")
        );
        for (at, made) in to.iter().enumerate() {
            let (out, x, y) = (at / (w * h), at % w, at / w % h);
            let own = &weights[out * each * side * side..][..each * side * side];
            let under = Planes {
                w,
                h,
                channels: if each == 1 {
                    vec![from.channels[out]]
                } else {
                    from.channels.clone()
                },
            };
            let mut wanted = sum(&under, own, side, (x, y)) + f64::from(bias[out]);
            if rectified {
                wanted = wanted.max(0.0);
            }
            wanted += f64::from(before[at]);
            let off = (wanted - f64::from(*made)).abs();
            assert!(
                off < 1e-4,
                "{ins} to {outs} of {w} x {h}: {off} at {out}, {x}, {y}"
            );
        }
    }

    #[test]
    fn sums_are_those_of_the_definition_up_to_the_edges() {
        for size in [(32, 8), (1, 1), (5, 3), (70, 9), (33, 4)] {
            agree((3, 16, 3), size, true);
            agree((7, 1, 3), size, false);
            agree((2, 24, 3), size, false);
            agree((5, 5, 3), size, true);
            agree((3, 3, 5), size, false);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let of = |shape: &[usize], bias: usize| {
            let weights = Tensor::<f32>::zeros(shape);
            Convolution::new(&weights, vec![0.0; bias], true)
        };
        assert!(of(&[8, 4, 2, 2], 8).is_none());
        assert!(of(&[8, 1, 4, 4], 8).is_none());
        assert!(of(&[8, 4, 3, 3], 7).is_none());
        assert!(of(&[8], 8).is_none());
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (values, mut to) = ([0.0; 12], [0.0; 8 * 4]);
        let four = of(&[8, 4, 3, 3], 8).expect("a convolution");
        let channels = values.chunks_exact(4).collect();
        let from = Planes {
            w: 2,
            h: 2,
            channels,
        };
        assert!(!four.add_to(&mut to, &from, &ctx.watch).expect("no stop"));
    }
}
