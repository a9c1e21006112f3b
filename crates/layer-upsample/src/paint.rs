//! The colour of every layer at every place of the model's size, seen or not, 0 to 1.
//!
//! A model's colours say nothing where its alpha is 0, little where it is low, and drift: what it shows of the source is a few levels off.
//! So colours are carried on from where the layer is ([`push_pull`](super::push_pull)), and what the source shows instead of them, where
//! the layer is all that is seen, is carried on into what is hidden: a membrane over the seam (Pérez, Gangnet, Blake,
//! "Poisson Image Editing", 2003; smooth by the pyramid instead of by an equation).
//!
//! Invariant: where the layer alone is seen, its paint is the source.

use super::plane::{Plane, minus};
use super::push_pull;
use super::shrink::Small;
use super::source::SmallLayer;

/// Alpha from which on a value is 1, and below whose counterpart 0: what models mean by both.
pub(crate) const SNAP: f32 = 0.02;

/// How much of a place a layer has to be for what is seen there to be its colour.
const ALONE: f32 = 0.85;

/// A layer's paint (red, green, blue) and alpha.
pub(crate) fn paint(layer: &SmallLayer<'_>, visible: &Plane<1>, small: &Small) -> Plane<4> {
    let (w, h) = (layer.width, layer.height);
    let each = |of: fn(&[u8; 4]) -> [f32; 3]| layer.pixels.iter().map(of).collect();
    let own = Plane {
        w,
        h,
        data: each(|p| [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0)),
    };
    let known = Plane {
        w,
        h,
        data: layer.pixels.iter().map(|p| [trust(alpha(p))]).collect(),
    };
    let mut colour = push_pull::fill(&own, &known);
    // Pulled together, many places that are seen in part would outweigh the few that are seen whole: they count for nothing.
    let surely = |v: f32| ((v - ALONE) / (1.0 - ALONE)).max(0.0).powi(2);
    let surely = |v: &[f32; 1], a: f32| [if a > 0.9 { surely(v[0]) } else { 0.0 }];
    let seen = visible
        .data
        .iter()
        .zip(&small.alpha.data)
        .map(|(v, a)| surely(v, a[0]))
        .collect();
    let off = small
        .colour
        .data
        .iter()
        .zip(&colour.data)
        .map(|(s, c)| minus(*s, *c))
        .collect();
    let off = push_pull::fill(&Plane { w, h, data: off }, &Plane { w, h, data: seen });
    for (colour, off) in colour.data.iter_mut().zip(&off.data) {
        *colour = std::array::from_fn(|c| (colour[c] + off[c]).clamp(0.0, 1.0));
    }
    let data = colour
        .data
        .iter()
        .zip(layer.pixels)
        .map(|(c, p)| [c[0], c[1], c[2], alpha(p)])
        .collect();
    Plane { w, h, data }
}

/// How much of each layer is seen at each place: its alpha times what those above let through.
pub(crate) fn visible(layers: &[SmallLayer<'_>], index: usize) -> Plane<1> {
    let (own, above) = (&layers[index], &layers[index + 1..]);
    let each = |at: usize| {
        let through = above.iter().map(|layer| 1.0 - alpha(&layer.pixels[at]));
        [alpha(&own.pixels[at]) * through.product::<f32>()]
    };
    let data = (0..own.pixels.len()).map(each).collect();
    Plane {
        w: own.width,
        h: own.height,
        data,
    }
}

/// A pixel's alpha, 0 to 1, with what is nearly nothing or nearly all taken for that.
pub(crate) fn alpha(pixel: &[u8; 4]) -> f32 {
    snapped(f32::from(pixel[3]) / 255.0)
}

pub(crate) fn snapped(alpha: f32) -> f32 {
    if alpha < SNAP {
        0.0
    } else if alpha > 1.0 - SNAP {
        1.0
    } else {
        alpha
    }
}

/// How far a colour is believed at this alpha.
fn trust(alpha: f32) -> f32 {
    if alpha >= 0.98 { 1.0 } else { alpha * alpha }
}
