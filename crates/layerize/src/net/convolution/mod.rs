//! Convolutions summed directly, and what lies between them.
//!
//! rten multiplies matrices for those of all channels, for which it first lays out each value once for every tap; where few
//! channels come out that takes as long as the sums. Those of one channel each it sums one value at a time. Here the sums
//! of many values of a row stay in registers while what is under them goes by, as in Zhang et al., "High Performance
//! Zero-Memory Overhead Direct Convolutions" (2018); `rten-simd` finds the widest registers of the processor.
//! Invariant: a thread works on a few rows, or on one channel, between two looks at the stop flag.

mod dense;
mod depthwise;
mod doubling;

use rten_simd::SimdOp;
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::Error;
use crate::context::Watch;
use dense::Dense;
use depthwise::Depthwise;
pub(super) use doubling::{Between, doubled};

/// Values of a row that are made at a time are a divisor of it, on any processor.
const WIDEST: usize = 32;

/// Of what lies beyond the edges the sums take zeros.
pub(super) enum Convolution {
    /// Each channel that comes out is made of all that come in, by 3 by 3 taps.
    Dense(Dense),
    /// Each of the one that comes in in its place, by an odd number of taps a side, all places or each second one along rows
    /// and columns.
    Depthwise(Depthwise),
}

/// Channels, each `h` rows of `w` values.
pub(super) struct Planes<'a> {
    pub(super) w: usize,
    pub(super) h: usize,
    pub(super) channels: Vec<&'a [f32]>,
}

impl Convolution {
    /// `weights` for channel out, channel in, row and column, `bias` for channel out; one channel in makes it
    /// depthwise. Only of each `every`-th row and column a value is made: 1, or 2 where it is depthwise. Where
    /// `rectified`, sums below 0 count as 0. `None` if it is neither kind.
    pub(super) fn new(
        weights: &Tensor<f32>,
        bias: Vec<f32>,
        every: usize,
        rectified: bool,
    ) -> Option<Self> {
        if bias.len() != *weights.shape().first()? {
            return None;
        }
        let least = if rectified { 0.0 } else { f32::NEG_INFINITY };
        match *weights.shape() {
            [_, 1, side, other] if side == other && side % 2 == 1 && (1..=2).contains(&every) => {
                let depthwise = Depthwise::new(weights.to_vec(), bias, (side, every), least);
                Some(Self::Depthwise(depthwise))
            }
            [_, ins, 3, 3] if ins > 0 && every == 1 => {
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

    /// The size of what it makes of `w` by `h` values.
    pub(super) fn size(&self, w: usize, h: usize) -> (usize, usize) {
        let every = match self {
            Self::Dense(_) => 1,
            Self::Depthwise(depthwise) => depthwise.every(),
        };
        (w.div_ceil(every), h.div_ceil(every))
    }

    /// Adds what it makes of `from` to `to`, which has [`size`](Self::size) values a channel. False if `from` or `to` has not the
    /// channels it is for, or nothing in them.
    pub(super) fn add_to(
        &self,
        to: &mut [f32],
        from: &Planes<'_>,
        watch: &Watch<'_>,
    ) -> Result<bool, Error> {
        let (size, made) = (from.w * from.h, self.size(from.w, from.h));
        let ins = match self {
            Self::Dense(dense) => dense.ins,
            Self::Depthwise(depthwise) => depthwise.channels(),
        };
        let fits = from.channels.len() == ins
            && to.len() == self.channels() * made.0 * made.1
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
    for row in first..first + rows + 2 * by {
        let end = under.len() + stride;
        if (by..h + by).contains(&row) {
            under.resize(under.len() + by, 0.0);
            under.extend_from_slice(&channel[(row - by) * w..][..w]);
        }
        under.resize(end, 0.0);
    }
}

fn stride(w: usize, by: usize) -> usize {
    w.next_multiple_of(WIDEST) + 2 * by
}

/// By the widest registers of the processor; tests try narrower ones too.
fn sum(operation: impl SimdOp<Output = ()>) {
    #[cfg(not(test))]
    operation.dispatch();
    #[cfg(test)]
    tests::by_registers(operation);
}

#[cfg(test)]
mod tests;
