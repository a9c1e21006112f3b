//! Connected pieces of a mask.
//!
//! Invariant: labels are 1 to `pieces.len()` in `labels`, 0 is outside; each piece is connected
//! over edges and corners.

use crate::plane::{Plane, Rect};

/// A labelled mask.
pub(crate) struct Components {
    /// 0 outside, else the number of the piece plus one.
    pub(crate) labels: Plane<u32>,
    pub(crate) pieces: Vec<Piece>,
}

/// One connected piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) rect: Rect,
    pub(crate) area: usize,
}

/// Labels the connected places where `inside` holds.
pub(crate) fn label(w: usize, h: usize, inside: impl Fn(usize) -> bool) -> Components {
    label_by(w, h, inside, |_, _| true)
}

/// Labels places where `inside` holds, connecting neighbours only where `joined` agrees.
pub(crate) fn label_by(
    w: usize,
    h: usize,
    inside: impl Fn(usize) -> bool,
    joined: impl Fn(usize, usize) -> bool,
) -> Components {
    let mut labels = Plane::filled(w, h, 0_u32);
    let mut pieces = Vec::new();
    let mut open = Vec::new();
    for start in 0..w * h {
        if labels.data[start] != 0 || !inside(start) {
            continue;
        }
        let name = pieces.len() as u32 + 1;
        labels.data[start] = name;
        open.push(start);
        let (mut left, mut right, mut top, mut bottom) = (w, 0, h, 0);
        let mut area = 0;
        while let Some(at) = open.pop() {
            let (x, y) = (at % w, at / w);
            (left, right) = (left.min(x), right.max(x));
            (top, bottom) = (top.min(y), bottom.max(y));
            area += 1;
            for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                    let next = ny * w + nx;
                    if labels.data[next] == 0 && inside(next) && joined(at, next) {
                        labels.data[next] = name;
                        open.push(next);
                    }
                }
            }
        }
        let rect = Rect {
            x: left,
            y: top,
            w: right - left + 1,
            h: bottom - top + 1,
        };
        pieces.push(Piece { rect, area });
    }
    Components { labels, pieces }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_connect_and_gaps_do_not() {
        let mask = [1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1];
        let found = label(4, 3, |at| mask[at] == 1);
        assert_eq!(found.pieces.len(), 2);
        let sizes: Vec<usize> = found.pieces.iter().map(|piece| piece.area).collect();
        assert_eq!(sizes, [3, 1]);
    }
}
