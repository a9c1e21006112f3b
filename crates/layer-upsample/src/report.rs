//! What was found about a stack while it was raised.

use super::paint::alpha;
use super::plane::{Plane, minus, mix};
use super::shrink::Small;
use super::source::SmallLayer;

/// What was found about a stack while it was raised.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// How far the small layers, put over each other, are from the source at their size: mean difference of a channel, in levels of
    /// 0 to 255. The raised stack shows the source nevertheless; the higher this is, the less the model's alpha is worth.
    pub drift_mean: f32,
    /// The difference that 99 of 100 small pixels do not exceed in any channel, in levels.
    pub drift_p99: u8,
    /// Share of the source's pixels that no layer covered by half. They went to the bottom layer.
    pub uncovered: f64,
}

/// How far the small layers, put over each other, are from the source at their size.
pub(crate) struct Drift {
    pub(crate) mean: f32,
    pub(crate) p99: u8,
    /// The source less the layers, 0 to 1.
    pub(crate) off: Plane<3>,
}

impl Drift {
    /// Counted are places where the source is opaque.
    pub(crate) fn of(layers: &[SmallLayer<'_>], small: &Small) -> Self {
        let (mut counts, mut sum, mut count) = ([0_usize; 256], 0.0_f64, 0_usize);
        let (w, h) = (small.colour.w, small.colour.h);
        let mut off = Plane::filled(w, h, [0.0; 3]);
        for (at, source) in small.colour.data.iter().enumerate() {
            let over = layers.iter().fold([0.5; 3], |below, layer| {
                let pixel = &layer.pixels[at];
                let [r, g, b, _] = pixel.map(|value| f32::from(value) / 255.0);
                mix(below, [r, g, b], alpha(pixel))
            });
            off.data[at] = minus(*source, over);
            if small.alpha.data[at][0] > 0.99 {
                let levels = off.data[at].map(|value| value.abs() * 255.0);
                sum += f64::from(levels.iter().sum::<f32>() / 3.0);
                let most = levels.iter().fold(0.0_f32, |most, v| most.max(*v));
                counts[most.round().min(255.0) as usize] += 1;
                count += 1;
            }
        }
        let mut above = 0;
        let rarely = |&level: &usize| {
            above += counts[level];
            above * 100 > count
        };
        let p99 = (0..256).rev().find(rarely).unwrap_or(0) as u8;
        Self {
            mean: (sum / count.max(1) as f64) as f32,
            p99,
            off,
        }
    }
}
