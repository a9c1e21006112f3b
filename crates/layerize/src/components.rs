//! Connected pieces of a mask.
//!
//! Invariant: labels are 1 to `pieces.len()` in `labels`, 0 is outside; each piece is connected
//! over edges and corners.

use crate::plane::{Gray, Plane, Rect};

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

/// The rectangle of everything above 0.
pub(crate) fn bounds(mask: &Gray) -> Option<Rect> {
    let mut bounds = NONE;
    for (y, row) in mask.data.chunks_exact(mask.w.max(1)).enumerate() {
        let Some(first) = row.iter().position(|&value| value > 0.0) else {
            continue;
        };
        let last = row.iter().rposition(|&value| value > 0.0);
        bounds.add(first, y);
        bounds.add(last.unwrap_or(first), y);
    }
    (bounds.area > 0).then(|| bounds.piece().rect)
}

/// Labels places where `inside` holds, connecting neighbours only where `joined` agrees, which must
/// not depend on the order of the two. Row by row, with equal labels brought together at the end
/// (Rosenfeld and Pfaltz, 1966).
pub(crate) fn label_by(
    w: usize,
    h: usize,
    inside: impl Fn(usize) -> bool,
    joined: impl Fn(usize, usize) -> bool,
) -> Components {
    let mut labels = Plane::filled(w, h, 0_u32);
    let mut equal = vec![0_u32];
    for y in 0..h {
        for x in 0..w {
            let at = y * w + x;
            if !inside(at) {
                continue;
            }
            let mut name = 0;
            let before = [
                (x > 0, 1),
                (y > 0 && x > 0, w + 1),
                (y > 0, w),
                (y > 0 && x + 1 < w, w.wrapping_sub(1)),
            ];
            for (_, back) in before.into_iter().filter(|(there, _)| *there) {
                let near = at - back;
                let label = labels.data[near];
                if label != 0 && label != name && joined(near, at) {
                    name = if name == 0 {
                        label
                    } else {
                        united(&mut equal, name, label)
                    };
                }
            }
            if name == 0 {
                name = equal.len() as u32;
                equal.push(name);
            }
            labels.data[at] = name;
        }
    }
    gathered(labels, &mut equal)
}

/// The first of all labels equal to this one.
fn first(equal: &mut [u32], label: u32) -> u32 {
    let mut at = label as usize;
    while equal[at] as usize != at {
        equal[at] = equal[equal[at] as usize];
        at = equal[at] as usize;
    }
    at as u32
}

fn united(equal: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (first(equal, a), first(equal, b));
    equal[a.max(b) as usize] = a.min(b);
    a.min(b)
}

/// One label and one piece for all that are equal, in reading order.
fn gathered(mut labels: Plane<u32>, equal: &mut [u32]) -> Components {
    let mut count = 0;
    // A label is never smaller than those it is equal to, so they have their final name already.
    for label in 1..equal.len() {
        equal[label] = if equal[label] as usize == label {
            count += 1;
            count
        } else {
            equal[equal[label] as usize]
        };
    }
    let mut bounds = vec![NONE; count as usize];
    for (y, row) in labels.data.chunks_exact_mut(labels.w).enumerate() {
        for (x, label) in row.iter_mut().enumerate().filter(|(_, label)| **label > 0) {
            *label = equal[*label as usize];
            bounds[*label as usize - 1].add(x, y);
        }
    }
    let pieces = bounds.iter().map(Bounds::piece).collect();
    Components { labels, pieces }
}

#[derive(Clone, Copy)]
struct Bounds {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    area: usize,
}

const NONE: Bounds = Bounds {
    left: usize::MAX,
    right: 0,
    top: usize::MAX,
    bottom: 0,
    area: 0,
};

impl Bounds {
    fn add(&mut self, x: usize, y: usize) {
        (self.left, self.right) = (self.left.min(x), self.right.max(x));
        (self.top, self.bottom) = (self.top.min(y), self.bottom.max(y));
        self.area += 1;
    }

    fn piece(&self) -> Piece {
        let rect = Rect {
            x: self.left,
            y: self.top,
            w: self.right - self.left + 1,
            h: self.bottom - self.top + 1,
        };
        Piece {
            rect,
            area: self.area,
        }
    }
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

    #[test]
    fn the_bounds_of_a_mask_are_those_of_all_its_pieces() {
        let mut mask = Gray {
            w: 5,
            h: 4,
            data: vec![0.0; 20],
        };
        assert!(bounds(&mask).is_none());
        (mask.data[8], mask.data[11]) = (0.4, 1.0);
        let rect = bounds(&mask).expect("two places");
        assert_eq!((rect.x, rect.y, rect.w, rect.h), (1, 1, 3, 2));
    }

    #[test]
    fn arms_that_meet_below_are_one_piece_named_in_reading_order() {
        // A comb with its back below, a dot between its teeth and one after it.
        let rows = ["#.#.#.#", "#...#..", "#.#.#.#", "#...#..", "#####.#"];
        let mask: Vec<u8> = rows.concat().into_bytes();
        let found = label(7, 5, |at| mask[at] == b'#');
        let sizes: Vec<usize> = found.pieces.iter().map(|piece| piece.area).collect();
        assert_eq!(sizes, [13, 1, 1, 1, 1, 1]);
        let rect = found.pieces[0].rect;
        assert_eq!((rect.x, rect.y, rect.w, rect.h), (0, 0, 5, 5));
        assert_eq!(found.labels.data[4], 1, "the second tooth");
        assert_eq!(found.labels.data[2], 2, "the dot between them");
    }
}
