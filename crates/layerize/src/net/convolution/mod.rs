//! Convolutions summed directly, and upsampling.
//!
//! rten multiplies matrices for those of all channels, for which it first lays out each value once for every tap; where few
//! channels come out that takes as long as the sums. Those of one channel each it sums one value at a time. Here the sums
//! of many values of a row stay in registers while the values under them go by, as in Zhang et al., "High Performance
//! Zero-Memory Overhead Direct Convolutions" (2018); `rten-simd` finds the widest registers of the processor.
//! Invariant: a thread works on a few rows, or on one channel, between two looks at the stop flag.

mod dense;
mod depthwise;
mod upsampling;

use rten_simd::SimdOp;
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use crate::Error;
use crate::context::Watch;
use dense::Dense;
use depthwise::Depthwise;
pub(super) use upsampling::{Interpolation, upsampled};

/// A multiple of how many values of a row are made at a time, on any processor.
const WIDEST: usize = 32;

/// Of what lies beyond the edges the sums take zeros.
pub(super) enum Convolution {
    /// Each channel that comes out is made of all that come in, by a kernel of 3 by 3.
    Dense(Dense),
    /// Each of the one that comes in in its place, by a square kernel of odd size, with a stride of 1 or 2.
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
    /// depthwise. `stride` is 1, or 2 where it is depthwise; with `relu` a rectifier follows. `None` if it is neither
    /// kind.
    pub(super) fn new(
        weights: &Tensor<f32>,
        bias: Vec<f32>,
        stride: usize,
        relu: bool,
    ) -> Option<Self> {
        if bias.len() != *weights.shape().first()? {
            return None;
        }
        let least = if relu { 0.0 } else { f32::NEG_INFINITY };
        match *weights.shape() {
            [_, 1, kernel, other]
                if kernel == other && kernel % 2 == 1 && (1..=2).contains(&stride) =>
            {
                let depthwise = Depthwise::new(weights.to_vec(), bias, (kernel, stride), least);
                Some(Self::Depthwise(depthwise))
            }
            [_, in_channels, 3, 3] if in_channels > 0 && stride == 1 => Some(Self::Dense(
                Dense::new(&weights.to_vec(), in_channels, bias, least),
            )),
            _ => None,
        }
    }

    /// How many channels come out.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.out_channels,
            Self::Depthwise(depthwise) => depthwise.channels(),
        }
    }

    /// The size of what it makes of `w` by `h` values.
    pub(super) fn size(&self, w: usize, h: usize) -> (usize, usize) {
        let stride = match self {
            Self::Dense(_) => 1,
            Self::Depthwise(depthwise) => depthwise.stride(),
        };
        (w.div_ceil(stride), h.div_ceil(stride))
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
        let in_channels = match self {
            Self::Dense(dense) => dense.in_channels,
            Self::Depthwise(depthwise) => depthwise.channels(),
        };
        let fits = from.channels.len() == in_channels
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

/// Adds to `padded` what `rows` rows of a channel from row `first` on are made of, with `padding` more rows above and below and
/// values at both sides, in rows of [`row_length`], so that nothing looks for the edges.
fn pad(
    padded: &mut Vec<f32>,
    channel: &[f32],
    (w, h): (usize, usize),
    (first, rows): (usize, usize),
    padding: usize,
) {
    let row_length = row_length(w, padding);
    for row in first..first + rows + 2 * padding {
        let end = padded.len() + row_length;
        if (padding..h + padding).contains(&row) {
            padded.resize(padded.len() + padding, 0.0);
            padded.extend_from_slice(&channel[(row - padding) * w..][..w]);
        }
        padded.resize(end, 0.0);
    }
}

fn row_length(w: usize, padding: usize) -> usize {
    w.next_multiple_of(WIDEST) + 2 * padding
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
