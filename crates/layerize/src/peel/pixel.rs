//! One pixel taken apart: the layer's own and what is left below it.
//!
//! With `I` the picture so far, `B` what the model expects below and `a` the wanted coverage, the
//! colour is `F = (I - (1 - a) B) / a`. What the model's `F` and `B` leave unexplained is shared
//! between both; `B` is rounded to 8 bits, `a` is raised until `F` fits into 0 to 255, and `F` is
//! rounded. Rounding `F` moves the composite by at most half a level.
//!
//! Where nothing is below, and where the source has an alpha of its own, one of both owns the pixel
//! as it is. Invariant: *over* in 8 bits of both parts gives the pixel back.

use crate::plane::mix;

/// Coverage below this many 255ths is left to the layer below.
pub(super) const FAINT: i32 = 3;
/// Opacity below this is taken for nothing at all.
const THERE: f32 = 0.5;
/// How many levels the picture below may be moved to explain what is seen through a shadow: it is seen all
/// over there, and so is its texture.
pub(super) const SHADED_GIVES: f32 = 10.0;
/// The same at the soft edge of anything else: more would be seen as its outline when it is taken away.
pub(super) const EDGE_GIVES: f32 = 2.0;

/// What the model expects below a layer.
#[derive(Clone, Copy)]
pub(super) struct Below {
    pub(super) colour: [f32; 3],
    /// 1 but on a picture with alpha of its own.
    pub(super) opacity: f32,
}

impl Below {
    /// The same with a layer on top.
    pub(super) fn under(self, alpha: f32, paint: [f32; 3]) -> Self {
        Self {
            colour: mix(self.colour, paint, alpha),
            opacity: self.opacity + alpha * (1.0 - self.opacity),
        }
    }
}

/// Coverage from the colours at both sides; `None` if they are too alike to tell.
pub(super) fn unmix(picture: [u8; 4], paint: [f32; 3], below: [f32; 3]) -> Option<f32> {
    let (mut along, mut length) = (0.0, 0.0);
    for c in 0..3 {
        let d = paint[c] - below[c];
        along += (f32::from(picture[c]) - below[c]) * d;
        length += d * d;
    }
    (length > 24.0 * 24.0).then(|| (along / length).clamp(0.0, 1.0))
}

/// Splits one pixel into the layer's pixel and the one below, so that *over* gives it back. The one below is at
/// most `gives` levels off what is expected there.
pub(super) fn take_off(
    picture: [u8; 4],
    alpha: f32,
    paint: [f32; 3],
    below: Below,
    gives: f32,
) -> ([u8; 4], [u8; 4]) {
    let mut a = (alpha * 255.0).round() as i32;
    if a < FAINT {
        return ([0; 4], picture);
    }
    let own = below.opacity < THERE || (picture[3] < 255 && a >= 128);
    if own && picture[3] > 0 {
        return (picture, [0; 4]);
    }
    if picture[3] < 255 {
        return ([0; 4], picture);
    }
    let below = below.colour;
    let share = a as f32 / 255.0;
    let rest = 1.0 - share;
    let mut under = [0_u8, 0, 0, 255];
    for c in 0..3 {
        let seen = f32::from(picture[c]);
        let missing = seen - (share * paint[c] + rest * below[c]);
        let give = rest * missing / (share * share + rest * rest);
        let moved = below[c] + give.clamp(-gives, gives) * if a < 255 { 1.0 } else { 0.0 };
        under[c] = moved.round().clamp(0.0, 255.0) as u8;
        a = a.max(least_alpha(picture[c], under[c]));
    }
    let mut top = [0, 0, 0, a as u8];
    for c in 0..3 {
        let solved =
            (255 * i32::from(picture[c]) - (255 - a) * i32::from(under[c])) as f32 / a as f32;
        top[c] = solved.round().clamp(0.0, 255.0) as u8;
    }
    (top, under)
}

/// The least coverage, in 255ths, that explains `seen` over `under` with a colour in 0 to 255.
fn least_alpha(seen: u8, under: u8) -> i32 {
    let (seen, under) = (i32::from(seen), i32::from(under));
    match seen.cmp(&under) {
        std::cmp::Ordering::Greater => (255 * (seen - under) + 254 - under) / (255 - under),
        std::cmp::Ordering::Less => (255 * (under - seen) + under - 1) / under,
        std::cmp::Ordering::Equal => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_over_every_colour_is_given_back() {
        for seen in 0..=255_u8 {
            for below in (0..=255_u8).step_by(5) {
                for alpha in [3, 4, 17, 90, 128, 200, 254, 255] {
                    let model = Below {
                        colour: [f32::from(below); 3],
                        opacity: 1.0,
                    };
                    for gives in [EDGE_GIVES, SHADED_GIVES] {
                        let picture = [seen, seen, seen, 255];
                        let share = alpha as f32 / 255.0;
                        let (top, under) = take_off(picture, share, [40.0; 3], model, gives);
                        let (a, f) = (u32::from(top[3]), u32::from(top[0]));
                        let b = u32::from(under[0]);
                        assert_eq!((f * a + b * (255 - a) + 127) / 255, u32::from(seen));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_below_an_edge_is_what_was_expected_there_whatever_is_seen() {
        for seen in (0..=255_u8).step_by(15) {
            for alpha in [4, 30, 90, 200] {
                let model = Below {
                    colour: [110.0, 160.0, 190.0],
                    opacity: 1.0,
                };
                let share = alpha as f32 / 255.0;
                let picture = [seen, seen, seen, 255];
                let (_, under) = take_off(picture, share, [240.0, 200.0, 60.0], model, EDGE_GIVES);
                for (under, expected) in under.iter().zip(model.colour) {
                    assert!((f32::from(*under) - expected).abs() <= 2.5, "{under}");
                }
            }
        }
    }
}
