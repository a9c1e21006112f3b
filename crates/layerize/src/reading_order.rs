//! The order in which a person goes through things that stand side by side: by rows from the top, in
//! a row from the left.
//!
//! Things are often aligned, and which of two begins a pixel higher is then a matter of noise. So a
//! row is what begins at about the same height, and only in it does the side count.
//! Invariant: a pixel more or less at any edge changes the order only where rows are just about told
//! apart, never where things are aligned.

use crate::plane::Rect;

/// Part of the canvas's longer side by which the beginnings of aligned things may differ, and at least
/// so many pixels.
const ALIGNED: usize = 80;
const LEAST: usize = 4;

/// The indices of `rects` in the order they are read on a canvas of `w` by `h`.
pub(crate) fn reading_order(rects: &[Rect], (w, h): (usize, usize)) -> Vec<usize> {
    let apart = (w.max(h) / ALIGNED).max(LEAST);
    let mut order: Vec<usize> = (0..rects.len()).collect();
    let rows = bands(rects.iter().map(|rect| rect.y), apart);
    let columns = bands(rects.iter().map(|rect| rect.x), apart);
    order.sort_by_key(|&at| (rows[at], columns[at], rects[at].y, rects[at].x));
    order
}

/// The number of the band that each value falls into: a band ends where the next value is more than
/// `apart` beyond the last.
fn bands(values: impl Iterator<Item = usize>, apart: usize) -> Vec<usize> {
    let values: Vec<usize> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&at| values[at]);
    let mut bands = vec![0; values.len()];
    for pair in order.windows(2) {
        let (last, next) = (pair[0], pair[1]);
        bands[next] = bands[last] + usize::from(values[next] - values[last] > apart);
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_things_keep_their_order_whichever_begins_a_pixel_higher() {
        let things = |offsets: [usize; 4]| {
            let places = [(300, 100), (100, 100), (101, 200), (99, 300)];
            let pairs = places.iter().zip(offsets);
            let rects = pairs.map(|(&(x, y), off)| Rect {
                x: x + off % 2,
                y: y + off / 2,
                w: 50,
                h: 50,
            });
            rects.collect::<Vec<_>>()
        };
        for offsets in [[0, 0, 0, 0], [2, 0, 1, 3], [0, 2, 3, 1], [1, 3, 0, 2]] {
            let order = reading_order(&things(offsets), (640, 640));
            assert_eq!(order, [1, 0, 2, 3], "{offsets:?}");
        }
    }
}
