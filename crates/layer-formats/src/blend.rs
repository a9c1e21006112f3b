//! One row of pixels drawn on another: straight alpha, 8 bits, rounded once for each layer.
//!
//! The formulas are those of the W3C's *Compositing and Blending Level 1*, sections 5 and 10, in sRGB as it is, which is what
//! Photoshop, browsers and OpenRaster do by default.

use super::stack::Blend;

/// Draws `above` on `below`; both are RGBA of the same length.
pub(crate) fn draw(below: &mut [u8], above: &[u8], opacity: u8, blend: Blend) {
    let alphas = above.as_chunks::<4>().0.iter().map(|pixel| pixel[3]);
    let all = alphas.fold((0, u8::MAX), |(any, every), alpha| {
        (any | alpha, every & alpha)
    });
    match all {
        (0, _) => return,
        (_, u8::MAX) if blend == Blend::Normal && opacity == u8::MAX => {
            below.copy_from_slice(above);
            return;
        }
        _ => {}
    }
    let pixels = below.as_chunks_mut::<4>().0.iter_mut();
    let pixels = pixels.zip(above.as_chunks::<4>().0);
    if blend == Blend::Normal {
        for (below, above) in pixels {
            over(below, *above, scaled(above[3], opacity));
        }
    } else {
        for (below, above) in pixels {
            mixed(below, *above, scaled(above[3], opacity), blend);
        }
    }
}

/// An alpha under an opacity.
fn scaled(alpha: u8, opacity: u8) -> u8 {
    if opacity == u8::MAX {
        return alpha;
    }
    ((u32::from(alpha) * u32::from(opacity) + 127) / 255) as u8
}

fn over(below: &mut [u8; 4], [red, green, blue, _]: [u8; 4], alpha: u8) {
    match (alpha, below[3]) {
        (0, _) => {}
        (255, _) | (_, 0) => *below = [red, green, blue, alpha],
        (_, 255) => {
            let rest = 255 - u32::from(alpha);
            for (under, upper) in below.iter_mut().zip([red, green, blue]) {
                let sum = u32::from(upper) * u32::from(alpha) + u32::from(*under) * rest;
                *under = ((sum + 127) / 255) as u8;
            }
        }
        (_, backdrop) => {
            let upper_part = u32::from(alpha) * 255;
            let lower_part = u32::from(backdrop) * (255 - u32::from(alpha));
            let all = upper_part + lower_part;
            for (under, upper) in below.iter_mut().zip([red, green, blue]) {
                let sum = u32::from(upper) * upper_part + u32::from(*under) * lower_part;
                *under = ((sum + all / 2) / all) as u8;
            }
            below[3] = ((all + 127) / 255) as u8;
        }
    }
}

fn mixed(below: &mut [u8; 4], above: [u8; 4], alpha: u8, blend: Blend) {
    if alpha == 0 {
        return;
    }
    let unit = |value: u8| f32::from(value) / 255.0;
    let (source_alpha, backdrop_alpha) = (unit(alpha), unit(below[3]));
    let all = source_alpha + backdrop_alpha * (1.0 - source_alpha);
    for (under, upper) in below.iter_mut().zip(above).take(3) {
        let (backdrop, source) = (unit(*under), unit(upper));
        let both = function(blend, backdrop, source);
        let sum = source_alpha * (1.0 - backdrop_alpha) * source
            + source_alpha * backdrop_alpha * both
            + (1.0 - source_alpha) * backdrop_alpha * backdrop;
        *under = (sum / all * 255.0).round().clamp(0.0, 255.0) as u8;
    }
    below[3] = (all * 255.0).round() as u8;
}

/// B(backdrop, source) of section 10.
fn function(blend: Blend, backdrop: f32, source: f32) -> f32 {
    let screen = |one: f32, other: f32| one + other - one * other;
    let hard = |backdrop: f32, source: f32| {
        if source <= 0.5 {
            backdrop * 2.0 * source
        } else {
            screen(backdrop, 2.0 * source - 1.0)
        }
    };
    match blend {
        Blend::Normal => source,
        Blend::Multiply => backdrop * source,
        Blend::Screen => screen(backdrop, source),
        Blend::Overlay => hard(source, backdrop),
        Blend::Darken => backdrop.min(source),
        Blend::Lighten => backdrop.max(source),
        Blend::ColorDodge if backdrop == 0.0 => 0.0,
        Blend::ColorDodge if source >= 1.0 => 1.0,
        Blend::ColorDodge => (backdrop / (1.0 - source)).min(1.0),
        Blend::ColorBurn if backdrop >= 1.0 => 1.0,
        Blend::ColorBurn if source == 0.0 => 0.0,
        Blend::ColorBurn => 1.0 - ((1.0 - backdrop) / source).min(1.0),
        Blend::HardLight => hard(backdrop, source),
        Blend::SoftLight if source <= 0.5 => {
            backdrop - (1.0 - 2.0 * source) * backdrop * (1.0 - backdrop)
        }
        Blend::SoftLight => {
            let curve = if backdrop <= 0.25 {
                ((16.0 * backdrop - 12.0) * backdrop + 4.0) * backdrop
            } else {
                backdrop.sqrt()
            };
            backdrop + (2.0 * source - 1.0) * (curve - backdrop)
        }
        Blend::Difference => (backdrop - source).abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by exact fractions, for *over*.
    fn exact(below: [u8; 4], above: [u8; 4], opacity: u8) -> [f64; 4] {
        let alpha = f64::from(above[3]) * f64::from(opacity) / 255.0 / 255.0;
        let backdrop = f64::from(below[3]) / 255.0;
        let all = alpha + backdrop * (1.0 - alpha);
        let mut out = [0.0, 0.0, 0.0, all * 255.0];
        for channel in 0..3 {
            let sum = f64::from(above[channel]) * alpha
                + f64::from(below[channel]) * backdrop * (1.0 - alpha);
            out[channel] = if all > 0.0 { sum / all } else { 0.0 };
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn over_is_exact_to_a_rounding(below: [u8; 4], above: [u8; 4], whole: bool) {
            let opacity = if whole { 255 } else { 128 };
            let mut drawn = below;
            draw(&mut drawn, &above, opacity, Blend::Normal);
            let expected = exact(below, above, opacity);
            proptest::prop_assert!((f64::from(drawn[3]) - expected[3]).abs() <= 1.01);
            // What is nearly invisible may have any colour.
            if drawn[3] > 8 {
                for channel in 0..3 {
                    let apart = (f64::from(drawn[channel]) - expected[channel]).abs();
                    let allowed = 1.0 + 255.0 / f64::from(drawn[3]);
                    proptest::prop_assert!(apart <= allowed, "{drawn:?} {expected:?}");
                }
            }
        }

        #[test]
        fn no_mode_draws_anything_where_the_layer_is_clear(below: [u8; 4], colour: [u8; 3]) {
            for blend in Blend::ALL {
                let mut drawn = below;
                let [red, green, blue] = colour;
                draw(&mut drawn, &[red, green, blue, 0], 255, blend);
                proptest::prop_assert_eq!(drawn, below);
            }
        }
    }

    #[test]
    fn modes_are_those_of_the_w3c() {
        let drawn = |blend, below: u8, above: u8| {
            let mut pixel = [below, below, below, 255];
            draw(&mut pixel, &[above, above, above, 255], 255, blend);
            pixel[0]
        };
        // Backdrop 64, source 192: computed by hand from section 10.
        assert_eq!(drawn(Blend::Multiply, 64, 192), 48);
        assert_eq!(drawn(Blend::Screen, 64, 192), 208);
        assert_eq!(drawn(Blend::Overlay, 64, 192), 96);
        assert_eq!(drawn(Blend::Darken, 64, 192), 64);
        assert_eq!(drawn(Blend::Lighten, 64, 192), 192);
        assert_eq!(drawn(Blend::ColorDodge, 64, 192), 255);
        assert_eq!(drawn(Blend::ColorBurn, 64, 192), 1);
        assert_eq!(drawn(Blend::HardLight, 64, 192), 161);
        assert_eq!(drawn(Blend::Difference, 64, 192), 128);
        assert_eq!(drawn(Blend::SoftLight, 64, 192), 96);
    }
}
