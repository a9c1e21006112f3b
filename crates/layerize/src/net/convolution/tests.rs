//! What direct convolutions make against their definition, when they look at the flag, and what they refuse.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rten_simd::isa::GenericIsa;

use super::*;
use crate::context::Context;
use crate::{Cancel, Options};

/// Which registers sum: 0 the widest of the processor, 1 those of AVX2 where it has them, 2 those of any.
static REGISTERS: AtomicUsize = AtomicUsize::new(0);

pub(super) fn by_registers(operation: impl SimdOp<Output = ()>) {
    match REGISTERS.load(Ordering::Relaxed) {
        2 => operation.eval(GenericIsa::new()),
        #[cfg(target_arch = "x86_64")]
        1 => match rten_simd::isa::Avx2Isa::new() {
            Some(isa) => operation.eval(isa),
            None => operation.dispatch(),
        },
        _ => operation.dispatch(),
    }
}

/// A convolution to try: channels in and out, weights of each channel in, kernel size, stride.
#[derive(Clone, Copy)]
struct Kind {
    in_channels: usize,
    out_channels: usize,
    each: usize,
    kernel: usize,
    stride: usize,
}

fn dense(in_channels: usize, out_channels: usize) -> Kind {
    Kind {
        in_channels,
        out_channels,
        each: in_channels,
        kernel: 3,
        stride: 1,
    }
}

fn depthwise(channels: usize, kernel: usize, stride: usize) -> Kind {
    Kind {
        in_channels: channels,
        out_channels: channels,
        each: 1,
        kernel,
        stride,
    }
}

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The definition, in double precision: what a kernel of `kernel` by `kernel` make of `from` at `(x, y)`.
fn defined(from: &Planes<'_>, weights: &[f32], kernel: usize, (x, y): (usize, usize)) -> f64 {
    let padding = kernel / 2;
    let mut sum = 0.0;
    for (channel, weights) in from
        .channels
        .iter()
        .zip(weights.chunks_exact(kernel * kernel))
    {
        for (tap, weight) in weights.iter().enumerate() {
            let at = (
                (x + tap % kernel).checked_sub(padding),
                (y + tap / kernel).checked_sub(padding),
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

fn made(kind: Kind, relu: bool) -> (Vec<f32>, Vec<f32>, Convolution) {
    let weights = numbers(kind.out_channels * kind.each * kind.kernel * kind.kernel, 1);
    let bias = numbers(kind.out_channels, 2);
    let shape = [kind.out_channels, kind.each, kind.kernel, kind.kernel];
    let tensor = Tensor::from_data(&shape, weights.clone());
    let convolution = Convolution::new(&tensor, bias.clone(), kind.stride, relu);
    (
        weights,
        bias,
        convolution.expect("it is of a kind that is known"),
    )
}

/// Compares what is made of `w` by `h` values a channel with its definition.
fn agree(kind: Kind, (w, h): (usize, usize), relu: bool) {
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    let (weights, bias, convolution) = made(kind, relu);
    let values = numbers(kind.in_channels * w * h, 3);
    let (made_w, made_h) = (w.div_ceil(kind.stride), h.div_ceil(kind.stride));
    let before = numbers(kind.out_channels * made_w * made_h, 4);
    let from = Planes {
        w,
        h,
        channels: values.chunks_exact(w * h).collect(),
    };
    let mut to = before.clone();
    assert!(
        convolution
            .add_to(&mut to, &from, &ctx.watch)
            .expect("no stop")
    );
    for (at, made) in to.iter().enumerate() {
        let out = at / (made_w * made_h);
        let (x, y) = (
            at % made_w * kind.stride,
            at / made_w % made_h * kind.stride,
        );
        let taps = kind.each * kind.kernel * kind.kernel;
        let own = &weights[out * taps..][..taps];
        let channels = if kind.each == 1 {
            vec![from.channels[out]]
        } else {
            from.channels.clone()
        };
        let padded = Planes { w, h, channels };
        let mut wanted = defined(&padded, own, kind.kernel, (x, y)) + f64::from(bias[out]);
        if relu {
            wanted = wanted.max(0.0);
        }
        wanted += f64::from(before[at]);
        let off = (wanted - f64::from(*made)).abs();
        assert!(
            off < 1e-4,
            "{} to {} of {w} x {h}: {off} at {out}, {x}, {y}",
            kind.in_channels,
            kind.out_channels
        );
    }
}

/// Other tests of the process sum by the widest registers again, also after a panic.
struct Widest;

impl Drop for Widest {
    fn drop(&mut self) {
        REGISTERS.store(0, Ordering::Relaxed);
    }
}

#[test]
fn sums_are_those_of_the_definition_up_to_the_edges() {
    let _after = Widest;
    for registers in 0..3 {
        REGISTERS.store(registers, Ordering::Relaxed);
        for size in [(32, 8), (1, 1), (5, 3), (70, 9), (33, 4)] {
            agree(dense(3, 16), size, true);
            agree(dense(8, 8), size, true);
            agree(dense(7, 1), size, false);
            agree(dense(2, 12), size, false);
            agree(depthwise(5, 3, 1), size, true);
            agree(depthwise(3, 5, 1), size, false);
            agree(depthwise(4, 3, 2), size, false);
            agree(depthwise(2, 5, 2), size, true);
        }
    }
}

static LOOKS: AtomicUsize = AtomicUsize::new(0);

fn counted() -> Duration {
    LOOKS.fetch_add(1, Ordering::Relaxed);
    Duration::ZERO
}

#[test]
fn the_flag_is_looked_at_between_rows_and_between_channels() {
    let options = Options {
        clock: counted,
        ..Options::default()
    };
    let (w, h) = (40, 32);
    let values = numbers(12 * w * h, 3);
    let from = Planes {
        w,
        h,
        channels: values.chunks_exact(w * h).collect(),
    };
    let looks = |work: &dyn Fn(&Watch<'_>)| {
        let cancel = Cancel::default();
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let before = LOOKS.load(Ordering::Relaxed);
        work(&ctx.watch);
        LOOKS.load(Ordering::Relaxed) - before
    };
    for (kind, count) in [
        (dense(12, 8), h / 4),
        (depthwise(12, 3, 1), 12),
        (depthwise(12, 3, 2), 12),
    ] {
        let (_, _, convolution) = made(kind, true);
        let seen = looks(&|watch| {
            let mut to = vec![0.0; kind.out_channels * w * h / (kind.stride * kind.stride)];
            assert!(convolution.add_to(&mut to, &from, watch).expect("no stop"));
        });
        assert_eq!(seen, count);
    }
    let seen =
        looks(&|watch| drop(upsampled(&from, Interpolation::Linear, watch).expect("no stop")));
    assert_eq!(seen, 12);
    // And it is obeyed.
    let cancel = Cancel::default();
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    cancel.cancel();
    let (_, _, convolution) = made(dense(12, 8), true);
    let stopped = convolution.add_to(&mut vec![0.0; 8 * w * h], &from, &ctx.watch);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let of = |shape: &[usize], bias: usize, stride: usize| {
        let weights = Tensor::<f32>::zeros(shape);
        Convolution::new(&weights, vec![0.0; bias], stride, true)
    };
    assert!(of(&[8, 4, 2, 2], 8, 1).is_none());
    assert!(of(&[8, 1, 4, 4], 8, 1).is_none());
    assert!(of(&[8, 4, 3, 3], 7, 1).is_none());
    assert!(of(&[8, 4, 3, 3], 8, 2).is_none());
    assert!(of(&[8, 1, 3, 3], 8, 0).is_none());
    assert!(of(&[8, 1, 3, 3], 8, 3).is_none());
    assert!(of(&[8], 8, 1).is_none());
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    let values = [0.0; 12];
    let from = |count: usize| Planes {
        w: 2,
        h: 2,
        channels: values.chunks_exact(4).take(count).collect(),
    };
    let fits = |convolution: &Convolution, count: usize, to: usize| {
        let fits = convolution.add_to(&mut vec![0.0; to], &from(count), &ctx.watch);
        fits.expect("no stop")
    };
    let dense = of(&[8, 3, 3, 3], 8, 1).expect("a convolution");
    assert!(fits(&dense, 3, 8 * 4));
    assert!(!fits(&dense, 2, 8 * 4) && !fits(&dense, 3, 4 * 4));
    let halved = of(&[3, 1, 3, 3], 3, 2).expect("a convolution");
    assert!(fits(&halved, 3, 3));
    assert!(!fits(&halved, 3, 3 * 4));
    let empty = Planes {
        w: 0,
        h: 2,
        channels: vec![&[]; 3],
    };
    assert!(!dense.add_to(&mut [], &empty, &ctx.watch).expect("no stop"));
}
