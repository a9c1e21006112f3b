//! One pixel of the source taken apart: a layer's own and what is left below it, in 8 bits.
//!
//! With `I` the picture so far, `B` what is expected below and `a` the coverage, the layer's colour is `F = (I - (1 - a) B) / a`. What
//! paint and `B` leave unexplained is shared between both by weighted least squares; `B` is rounded, `a` is raised until `F` fits into 0 to 255,
//! and `F` is rounded, which moves the composite by at most half a level.
//!
//! Invariant: *over* in 8 bits, rounded to nearest at each layer, of both parts gives the pixel back.

/// Coverage below this many 255ths is left to the layer below.
const FAINT: u8 = 3;

/// How much less what is below a layer's edge gives than the layer itself: what is left there of a hair or a letter is seen as its
/// ghost once the layer is moved away.
pub(crate) const FIRM: f32 = 4.0;

/// Splits an opaque pixel into the layer's pixel and the one below. `paint` and `below` are in levels, 0 to 255; `firm` is how many
/// times as much a level below counts as one of the layer's own.
pub(crate) fn take_off(
    picture: [u8; 3],
    alpha: u8,
    paint: [f32; 3],
    below: [f32; 3],
    firm: f32,
) -> ([u8; 4], [u8; 3]) {
    if alpha < FAINT {
        return ([0; 4], picture);
    }
    if alpha == u8::MAX {
        return (
            [picture[0], picture[1], picture[2], alpha],
            below.map(level),
        );
    }
    let share = f32::from(alpha) / 255.0;
    let (rest, mut a) = (1.0 - share, i32::from(alpha));
    let give = rest / (firm * share * share + rest * rest);
    let mut under = [0_u8; 3];
    for c in 0..3 {
        let missing = f32::from(picture[c]) - (share * paint[c] + rest * below[c]);
        under[c] = level(below[c] + give * missing);
        a = a.max(least_alpha(picture[c], under[c]));
    }
    let top = |c: usize| {
        let own = 255 * i32::from(picture[c]) - (255 - a) * i32::from(under[c]);
        level(own as f32 / a as f32)
    };
    ([top(0), top(1), top(2), a as u8], under)
}

pub(crate) fn level(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
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
                for alpha in [0, 2, 3, 4, 17, 90, 128, 200, 254, 255] {
                    for (paint, firm) in [(0.0, 1.0), (40.0, FIRM), (255.0, 1.0)] {
                        let (top, under) =
                            take_off([seen; 3], alpha, [paint; 3], [f32::from(below); 3], firm);
                        let (a, f, b) = (u32::from(top[3]), u32::from(top[0]), u32::from(under[0]));
                        assert_eq!((f * a + b * (255 - a) + 127) / 255, u32::from(seen));
                    }
                }
            }
        }
    }
}
