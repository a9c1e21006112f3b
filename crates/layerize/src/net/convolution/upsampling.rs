//! Channels at twice their size, as the operator `Resize` of ONNX makes them.

use rayon::prelude::*;

use super::Planes;
use crate::Error;
use crate::context::Watch;

/// What a value between two is.
#[derive(Clone, Copy)]
pub(in crate::net) enum Interpolation {
    /// Each value four times.
    Nearest,
    /// Three quarters of the nearest value and a quarter of the next one, along rows and columns; beyond the edges
    /// they repeat (linear, half pixels).
    Linear,
}

/// The channels of `from`, each `2 h` rows of `2 w` values.
pub(in crate::net) fn upsampled(
    from: &Planes<'_>,
    interpolation: Interpolation,
    watch: &Watch<'_>,
) -> Result<Vec<f32>, Error> {
    let (w, h) = (from.w, from.h);
    let mut made = vec![0.0; from.channels.len() * 4 * w * h];
    if made.is_empty() {
        return Ok(made);
    }
    let each = made.par_chunks_exact_mut(4 * w * h).zip(&from.channels);
    each.try_for_each_init(Vec::new, |mixed, (to, channel)| {
        watch.check()?;
        let row = |y: usize| &channel[y * w..][..w];
        for (y, to) in to.chunks_exact_mut(2 * w).enumerate() {
            let near = row(y / 2);
            match interpolation {
                Interpolation::Nearest => {
                    for (to, value) in to.chunks_exact_mut(2).zip(near) {
                        to.fill(*value);
                    }
                }
                Interpolation::Linear => {
                    let next = if y % 2 == 0 {
                        (y / 2).saturating_sub(1)
                    } else {
                        (y / 2 + 1).min(h - 1)
                    };
                    mixed.clear();
                    mixed.extend(
                        near.iter()
                            .zip(row(next))
                            .map(|(near, next)| mix(*near, *next)),
                    );
                    along(mixed, to);
                }
            }
        }
        Ok(())
    })?;
    Ok(made)
}

fn mix(near: f32, next: f32) -> f32 {
    0.75 * near + 0.25 * next
}

/// A row of twice as many values.
fn along(row: &[f32], to: &mut [f32]) {
    for (values, to) in row.windows(2).zip(to[1..].chunks_exact_mut(2)) {
        to[0] = mix(values[0], values[1]);
        to[1] = mix(values[1], values[0]);
    }
    if let ([first, ..], [.., last]) = (row, row) {
        to[0] = *first;
        to[2 * row.len() - 1] = *last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::{Cancel, Options};

    fn of(values: &[f32], w: usize, between: Interpolation) -> Vec<f32> {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let from = Planes {
            w,
            h: values.len() / w,
            channels: vec![values],
        };
        upsampled(&from, between, &ctx.watch).expect("no stop")
    }

    #[test]
    fn values_stand_at_the_middles_of_their_four() {
        let linear = of(&[0.0, 4.0, 8.0, 12.0], 2, Interpolation::Linear);
        assert_eq!(linear[..4], [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(linear[4..8], [2.0, 3.0, 5.0, 6.0]);
        assert_eq!(linear[8..12], [6.0, 7.0, 9.0, 10.0]);
        assert_eq!(linear[12..], [8.0, 9.0, 11.0, 12.0]);
        assert_eq!(of(&[5.0], 1, Interpolation::Linear), [5.0; 4]);
        assert_eq!(
            of(&[0.0, 4.0], 2, Interpolation::Linear),
            [0.0, 1.0, 3.0, 4.0, 0.0, 1.0, 3.0, 4.0]
        );
        assert_eq!(
            of(&[0.0, 4.0], 1, Interpolation::Linear),
            [0.0, 0.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0]
        );
        assert_eq!(
            of(&[1.0, 2.0], 2, Interpolation::Nearest),
            [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]
        );
    }
}
