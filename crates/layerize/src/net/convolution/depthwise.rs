//! Convolutions of one channel each.
//!
//! Invariant: two to four registers are summed at a time, so that a sum need not wait for the one before.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::{Planes, WIDEST, pad, row_length, sum};
use crate::Error;
use crate::context::Watch;

/// Values that a thread takes at least: fewer are not worth handing over.
const FEWEST: usize = 8192;

pub(in crate::net) struct Depthwise {
    /// By channel, row, column.
    weights: Vec<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    /// What a sum is raised to.
    least: f32,
}

impl Depthwise {
    pub(super) fn new(
        weights: Vec<f32>,
        bias: Vec<f32>,
        (kernel, stride): (usize, usize),
        least: f32,
    ) -> Self {
        Self {
            weights,
            bias,
            kernel,
            stride,
            least,
        }
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn channels(&self) -> usize {
        self.bias.len()
    }

    pub(super) fn add_to(
        &self,
        to: &mut [f32],
        from: &Planes<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let (w, h) = (from.w, from.h);
        let padding = self.kernel / 2;
        let each = to
            .par_chunks_exact_mut(w.div_ceil(self.stride) * h.div_ceil(self.stride))
            .with_min_len(FEWEST.div_ceil(w * h))
            .zip(&from.channels)
            .zip(self.weights.par_chunks_exact(self.kernel * self.kernel))
            .zip(&self.bias);
        each.try_for_each_init(Vec::new, |padded, (((to, channel), weights), bias)| {
            watch.check()?;
            padded.clear();
            pad(padded, channel, (w, h), (0, h), padding);
            let channel = Channel {
                padded,
                row_length: row_length(w, padding),
                kernel: self.kernel,
                stride: self.stride,
                weights,
                bias: *bias,
                least: self.least,
                w,
                to,
            };
            sum(channel);
            Ok(())
        })
    }
}

struct Channel<'a> {
    padded: &'a [f32],
    row_length: usize,
    kernel: usize,
    stride: usize,
    weights: &'a [f32],
    bias: f32,
    least: f32,
    w: usize,
    to: &'a mut [f32],
}

impl SimdOp for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        if isa.f32().len() >= 16 {
            self.made_by::<I, 2>(isa);
        } else {
            self.made_by::<I, 4>(isa);
        }
    }
}

impl Channel<'_> {
    #[inline(always)]
    fn made_by<I: Isa, const REGISTERS: usize>(self, isa: I) {
        let ops = isa.f32();
        let (lanes, least) = (ops.len(), ops.splat(self.least));
        let (step, stride) = (REGISTERS * lanes, self.stride);
        let rows = self.to.chunks_exact_mut(self.w.div_ceil(stride));
        for (y, to) in rows.enumerate() {
            // All of a row are summed: that is quicker than to gather each second value.
            for (at, to) in to.chunks_mut(step / stride).enumerate() {
                let mut sums = [ops.splat(self.bias); REGISTERS];
                for (ky, weights) in self.weights.chunks_exact(self.kernel).enumerate() {
                    let row = &self.padded[(y * stride + ky) * self.row_length + at * step..];
                    for (kx, weight) in weights.iter().enumerate() {
                        let (row, weight) = (&row[kx..][..step], ops.splat(*weight));
                        for (part, sum) in sums.iter_mut().enumerate() {
                            let values = ops.load(&row[part * lanes..]);
                            *sum = ops.mul_add(values, weight, *sum);
                        }
                    }
                }
                let mut made = [0.0; WIDEST];
                for (made, sum) in made.chunks_exact_mut(lanes).zip(sums) {
                    ops.store(ops.max(sum, least), made);
                }
                for (to, made) in to.iter_mut().zip(made.iter().step_by(stride)) {
                    *to += made;
                }
            }
        }
    }
}
