//! The colour of every layer at every place of the model's size, seen or not, 0 to 1.
//!
//! A model's colours say nothing where its alpha is 0, little where it is low, and drift: what it shows of the source is a few levels off.
//! So colours are carried on from where the layer is ([`push_pull`](super::push_pull)), and what the source shows instead of them, where
//! the layer is all that is seen, is carried on into what is hidden: a membrane over the seam (Pérez, Gangnet, Blake,
//! "Poisson Image Editing", 2003; smooth by the pyramid instead of by an equation).
//!
//! Invariant: where the layer alone is seen, its paint is the source.

use super::plane::Plane;
use super::push_pull;
use super::source::SmallLayer;

/// Alpha from which on a value is 1, and below whose counterpart 0: what models mean by both.
pub(crate) const SNAP: f32 = 0.02;

/// How much of a place a layer has to be for what is seen there to be its colour.
const ALONE: f32 = 0.85;

/// A layer's paint (red, green, blue) and alpha. `off` is by how much the source differs from the whole stack.
pub(crate) fn paint(
    layer: &SmallLayer<'_>,
    visible: &Plane<1>,
    off: &Plane<3>,
    opacity: &Plane<1>,
) -> Plane<4> {
    let (w, h) = (layer.width, layer.height);
    let own = layer
        .pixels
        .iter()
        .map(|p| [p[0], p[1], p[2]].map(|v| f32::from(v) / 255.0));
    let own = Plane {
        w,
        h,
        data: own.collect(),
    };
    let known = layer.pixels.iter().map(|p| [trust(alpha(p))]);
    let mut colour = push_pull::fill(
        &own,
        &Plane {
            w,
            h,
            data: known.collect(),
        },
    );
    let off = push_pull::fill(&own_share(off, visible), &alone(visible, opacity));
    for (colour, off) in colour.data.iter_mut().zip(&off.data) {
        *colour = std::array::from_fn(|c| (colour[c] + off[c]).clamp(0.0, 1.0));
    }
    let pairs = colour.data.iter().zip(layer.pixels);
    let data = pairs.map(|(c, p)| [c[0], c[1], c[2], alpha(p)]).collect();
    Plane { w, h, data }
}

/// What the stack is off, as the layer's own colour would have to change for it.
fn own_share(off: &Plane<3>, visible: &Plane<1>) -> Plane<3> {
    let each = |(off, share): (&[f32; 3], &[f32; 1])| off.map(|value| value / share[0].max(ALONE));
    let data = off.data.iter().zip(&visible.data).map(each).collect();
    Plane { data, ..*off }
}

/// Where the layer is nearly all that is seen, and how surely. Pulled together, many places that are seen in part would outweigh the few
/// that are seen whole: they count for nothing.
fn alone(visible: &Plane<1>, opacity: &Plane<1>) -> Plane<1> {
    let surely = |share: f32| ((share - ALONE) / (1.0 - ALONE)).max(0.0).powi(2);
    let each = |(share, opacity): (&[f32; 1], &[f32; 1])| {
        [if opacity[0] > 0.9 {
            surely(share[0])
        } else {
            0.0
        }]
    };
    let data = visible.data.iter().zip(&opacity.data).map(each).collect();
    Plane { data, ..*visible }
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
