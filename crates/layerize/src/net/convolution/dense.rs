//! Convolutions of all channels, 3 by 3.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::{Planes, WIDEST, pad, row_length, sum};
use crate::Error;
use crate::context::Watch;

/// Channels whose sums are in registers at a time.
const TOGETHER: usize = 8;
/// Weights of one channel that comes in for them.
const TAPS: usize = 9 * TOGETHER;
/// Rows a thread makes at a time.
const BAND: usize = 4;

pub(in crate::net) struct Dense {
    /// By eight channels out, channel in, tap, channel out; those after the last are 0.
    weights: Vec<f32>,
    bias: Vec<f32>,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    /// What a sum is raised to.
    least: f32,
}

impl Dense {
    /// `weights` by channel out, channel in, tap.
    pub(super) fn new(weights: &[f32], in_channels: usize, mut bias: Vec<f32>, least: f32) -> Self {
        let out_channels = bias.len();
        let all = out_channels.next_multiple_of(TOGETHER);
        let mut grouped = vec![0.0; all * in_channels * 9];
        for (out, weights) in weights.chunks_exact(in_channels * 9).enumerate() {
            let group = &mut grouped[out / TOGETHER * in_channels * TAPS..];
            for (at, weight) in weights.iter().enumerate() {
                group[at * TOGETHER + out % TOGETHER] = *weight;
            }
        }
        bias.resize(all, 0.0);
        Self {
            weights: grouped,
            bias,
            in_channels,
            out_channels,
            least,
        }
    }

    pub(super) fn add_to(
        &self,
        to: &mut [f32],
        from: &Planes<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (w, h) = (from.w, from.h);
        let mut bands: Vec<Vec<&mut [f32]>> = (0..h.div_ceil(BAND)).map(|_| Vec::new()).collect();
        for channel in to.chunks_exact_mut(w * h) {
            let rows = channel.chunks_mut(BAND * w);
            for (band, rows) in bands.iter_mut().zip(rows) {
                band.push(rows);
            }
        }
        let bands = bands.into_par_iter().enumerate();
        bands.try_for_each_init(Vec::new, |padded, (index, to)| {
            watch.check()?;
            let first = index * BAND;
            let rows = BAND.min(h - first);
            padded.clear();
            for channel in &from.channels {
                pad(padded, channel, (w, h), (first, rows), 1);
            }
            let band = Band {
                convolution: self,
                padded,
                row_length: row_length(w, 1),
                w,
                rows,
                to,
            };
            sum(band);
            Ok(())
        })
    }
}

/// Some rows of all channels.
struct Band<'a> {
    convolution: &'a Dense,
    padded: &'a [f32],
    row_length: usize,
    w: usize,
    rows: usize,
    to: Vec<&'a mut [f32]>,
}

impl SimdOp for Band<'_> {
    type Output = ();

    /// Two registers a channel where there are 32 of them.
    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        if isa.f32().len() >= 16 || cfg!(target_arch = "aarch64") {
            self.made_by::<I, 2>(isa);
        } else {
            self.made_by::<I, 1>(isa);
        }
    }
}

impl Band<'_> {
    #[inline(always)]
    fn made_by<I: Isa, const REGISTERS: usize>(&mut self, isa: I) {
        let step = REGISTERS * isa.f32().len();
        let weights = &self.convolution.weights;
        let groups = weights.chunks_exact(self.convolution.in_channels * TAPS);
        for (group, weights) in groups.enumerate() {
            for y in 0..self.rows {
                for x in (0..self.w).step_by(step) {
                    let sums = self.sums::<I, REGISTERS>(isa, weights, group, (x, y));
                    let end = (x + step).min(self.w);
                    for (sums, to) in sums.iter().zip(&mut self.to[group * TOGETHER..]) {
                        for (sum, to) in sums.iter().zip(&mut to[y * self.w..][x..end]) {
                            *to += sum;
                        }
                    }
                }
            }
        }
    }

    /// The sums of eight channels from `x` on in row `y`.
    #[inline(always)]
    fn sums<I: Isa, const REGISTERS: usize>(
        &self,
        isa: I,
        weights: &[f32],
        group: usize,
        (x, y): (usize, usize),
    ) -> [[f32; WIDEST]; TOGETHER] {
        let ops = isa.f32();
        let lanes = ops.len();
        let bias = &self.convolution.bias[group * TOGETHER..][..TOGETHER];
        let mut sums: [[I::F32; REGISTERS]; TOGETHER] =
            std::array::from_fn(|out| [ops.splat(bias[out]); REGISTERS]);
        let channel = (self.rows + 2) * self.row_length;
        for (padded, taps) in self
            .padded
            .chunks_exact(channel)
            .zip(weights.chunks_exact(TAPS))
        {
            for ky in 0..3 {
                let row = &padded[(y + ky) * self.row_length + x..][..REGISTERS * lanes + 2];
                for kx in 0..3 {
                    let values: [I::F32; REGISTERS] =
                        std::array::from_fn(|at| ops.load(&row[kx + at * lanes..]));
                    let weights = &taps[(ky * 3 + kx) * TOGETHER..][..TOGETHER];
                    for (sums, weight) in sums.iter_mut().zip(weights) {
                        let weight = ops.splat(*weight);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = ops.mul_add(value, weight, *sum);
                        }
                    }
                }
            }
        }
        let least = ops.splat(self.convolution.least);
        let mut made = [[0.0; WIDEST]; TOGETHER];
        for (made, sums) in made.iter_mut().zip(sums) {
            for (made, sum) in made.chunks_exact_mut(lanes).zip(sums) {
                ops.store(ops.max(sum, least), made);
            }
        }
        made
    }
}
