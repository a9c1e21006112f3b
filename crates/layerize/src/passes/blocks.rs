//! Lines of lettering that stand under each other in one style, as one layer.
//!
//! How a line is set follows from the height of its letters and from what they say. Invariant: no line is lost, and what
//! is joined is of one colour and size.

use super::text::bounds;
use crate::plane::{Rect, distance2};
use crate::scene::{Cut, join};

/// Joins the cuts of lines that stand under each other in one colour and size. A block is compared
/// line by line, so that it may grow by any number of them.
pub(super) fn blocks(cuts: &mut Vec<Cut>) {
    let mut blocks: Vec<(Cut, Vec<Line>)> = Vec::new();
    for cut in cuts.drain(..) {
        let rect = letters(&cut);
        let text = cut.words.as_ref().map_or("", |words| words.text.as_str());
        let own = Line {
            rect,
            colour: mean_colour(&cut),
            set: Set::of(rect, text),
        };
        let (mut cut, mut lines) = (cut, vec![own]);
        while let Some(near) = blocks.iter().position(|(_, others)| {
            lines
                .iter()
                .any(|line| others.iter().any(|o| line.follows(o)))
        }) {
            let (other, others) = blocks.remove(near);
            cut = join(&other, &cut);
            lines.extend(others);
        }
        blocks.push((cut, lines));
    }
    cuts.extend(blocks.into_iter().map(|(cut, _)| cut));
}

/// Where the letters of a cut are, without the room around them.
pub(super) fn letters(cut: &Cut) -> Rect {
    bounds(&cut.alpha).map_or(cut.rect, |own| Rect {
        x: cut.rect.x + own.x,
        y: cut.rect.y + own.y,
        ..own
    })
}

/// The mean colour of what a cut covers.
pub(super) fn mean_colour(cut: &Cut) -> [f32; 3] {
    let (mut sum, mut weight) = ([0.0_f32; 3], 1e-6);
    for (colour, &alpha) in cut.paint.data.iter().zip(&cut.alpha.data) {
        for c in 0..3 {
            sum[c] += colour[c] * alpha;
        }
        weight += alpha;
    }
    sum.map(|value| value / weight)
}

/// One line of a block.
struct Line {
    rect: Rect,
    colour: [f32; 3],
    /// How it is set, if that is known from its words.
    set: Option<Set>,
}

/// The size and the baseline of a line, in pixels.
pub(super) struct Set {
    size: f32,
    base: f32,
}

/// Parts of the size that capitals and small letters rise above the baseline and tails hang below it, about the same in
/// most faces.
const CAPITAL: f32 = 0.72;
const SMALL: f32 = 0.54;
const TAIL: f32 = 0.2;
/// How far apart the baselines of a block's lines are at most, in sizes, and how alike their sizes are.
const LEADING: f32 = 1.75;
const SIZE: f32 = 0.8;
/// How far apart they usually are.
const USUAL_LEADING: f32 = 1.25;

impl Set {
    /// From the rectangle of a level line's letters and what they say; `None` for scripts without capitals.
    fn of(rect: Rect, text: &str) -> Option<Self> {
        let mut letters = text.chars().filter(|sign| !sign.is_whitespace()).peekable();
        letters.peek()?;
        if rect.h > rect.w || !letters.all(|sign| u32::from(sign) < 0x0530) {
            return None;
        }
        let rises = |sign: char| {
            sign.is_uppercase() || sign.is_numeric() || "bdfhijklt!?&%$()[]/'\"#".contains(sign)
        };
        let above = if text.contains(rises) { CAPITAL } else { SMALL };
        let below = if text.contains(|sign| "gjpqy,;Q()[]$/".contains(sign)) {
            TAIL
        } else {
            0.0
        };
        let size = rect.h as f32 / (above + below);
        Some(Self {
            size,
            base: (rect.y + rect.h) as f32 - below * size,
        })
    }

    /// The size of the lines of a block that were read, in pixels.
    pub(super) fn of_block(rect: Rect, text: &str) -> Option<f32> {
        let lines = text.lines().count().max(1);
        let one = Rect {
            w: rect.w.max(rect.h),
            ..rect
        };
        let size = Self::of(one, text)?.size;
        Some(rect.h as f32 / (rect.h as f32 / size + USUAL_LEADING * (lines - 1) as f32))
    }

    fn follows(&self, other: &Self) -> bool {
        let (low, tall) = (self.size.min(other.size), self.size.max(other.size));
        low >= SIZE * tall && (self.base - other.base).abs() <= LEADING * low
    }
}

impl Line {
    fn follows(&self, other: &Self) -> bool {
        let (one, two) = (self.rect, other.rect);
        let (low, tall) = (one.h.min(two.h) as f32, one.h.max(two.h) as f32);
        let gap = one.y.max(two.y) as f32 - (one.y + one.h).min(two.y + two.h) as f32;
        let shared = (one.x + one.w).min(two.x + two.w) as f32 - one.x.max(two.x) as f32;
        let near = match (&self.set, &other.set) {
            (Some(one), Some(two)) => one.follows(two),
            _ => low > 0.6 * tall && gap < 1.2 * low,
        };
        near && distance2(self.colour, other.colour) < 900.0
            && shared > 0.3 * one.w.min(two.w) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerKind;
    use crate::net::words::Words;
    use crate::plane::Plane;
    use crate::scene::Edge;

    fn line(y: usize, h: usize, colour: [f32; 3]) -> Cut {
        let rect = Rect { x: 10, y, w: 80, h };
        // Letters leave the corners of their box empty.
        let alpha = Plane {
            w: rect.w,
            h: rect.h,
            data: (0..rect.area())
                .map(|at| f32::from(u8::from(at % 4 == 2)))
                .collect(),
        };
        Cut {
            kind: LayerKind::Text,
            confidence: 0.9,
            name: String::new(),
            words: None,
            rect,
            alpha,
            paint: Plane::filled(rect.w, rect.h, colour),
            edge: Edge::Unmix,
        }
    }

    #[test]
    fn lines_of_one_style_become_a_block_however_many_they_are() {
        let light = [240.0; 3];
        let mut cuts: Vec<Cut> = [0, 30, 60, 90].map(|y| line(y, 20, light)).into();
        blocks(&mut cuts);
        assert_eq!(cuts.len(), 1);
        assert_eq!((cuts[0].rect.y, cuts[0].rect.h), (0, 110));
        assert!(matches!(cuts[0].edge, Edge::Unmix), "letters stay sharp");
        assert_eq!(cuts[0].paint.at(0, 0), light, "also between the letters");
    }

    #[test]
    fn lines_far_apart_or_of_another_size_are_no_block_whatever_their_letters() {
        let light = [240.0; 3];
        let written = |y: usize, h: usize, text: &str| {
            let mut cut = line(y, h, light);
            cut.words = Some(Words {
                text: text.into(),
                sure: 0.9,
            });
            cut
        };
        // The same size of 20: capitals 14 high, with tails 18, their baselines 30 apart.
        let mut near = vec![written(0, 14, "HELLO"), written(30, 18, "Happy")];
        blocks(&mut near);
        assert_eq!(near.len(), 1);
        let mut far = vec![written(0, 18, "Happy"), written(44, 18, "Happy")];
        blocks(&mut far);
        assert_eq!(far.len(), 2, "items of a list");
        let mut sizes = vec![written(0, 18, "HELLO"), written(26, 18, "Happy")];
        blocks(&mut sizes);
        assert_eq!(sizes.len(), 2, "the first is set larger");
    }

    #[test]
    fn a_heading_another_colour_and_a_far_line_stay_apart() {
        let (light, red) = ([240.0; 3], [200.0, 30.0, 30.0]);
        let mut cuts = vec![
            line(0, 60, light),
            line(70, 20, light),
            line(100, 20, red),
            line(200, 20, light),
        ];
        blocks(&mut cuts);
        assert_eq!(cuts.len(), 4);
    }
}
