//! Regions that are two: a faint edge that compression washed out somewhere lets one run into the other, such as a white
//! card and a nearly white page.
//!
//! Seen in cells of a few pixels the edge is a step, while a gradient is none. Invariant: labels are 1 to the number of
//! pieces as before, and each place keeps its label or gets that of a part of its region.

use crate::components::{self, Components, Piece};
use crate::plane::{Plane, Rect, Rgb, max_difference};

/// Side of a cell, in pixels.
const CELL: usize = 4;
/// Difference of neighbouring cells up to which they are one, in levels.
const JOINED: f32 = 3.0;
/// Least share of the canvas of a part.
const LEAST: f32 = 0.004;

/// Parts the regions of `regions` where cells of `smooth` say so; the largest part keeps the label.
pub(crate) fn part(regions: &mut Components, smooth: &Rgb) {
    let (w, h) = (smooth.w / CELL, smooth.h / CELL);
    if w == 0 || h == 0 {
        return;
    }
    let cells = Cells::of(regions, smooth, w, h);
    let joined = |a: usize, b: usize| {
        cells.labels.data[a] == cells.labels.data[b]
            && max_difference(cells.means.data[a], cells.means.data[b]) <= JOINED
    };
    let parts = components::label_by(w, h, |at| cells.labels.data[at] > 0, joined);
    let least = (LEAST * (w * h) as f32) as usize;
    let inside = inside(&parts);
    let mut large: Vec<(u32, usize)> = parts
        .pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.area >= least.max(4))
        .filter(|(index, piece)| inside[index + 1] * 4 >= piece.area)
        .map(|(index, piece)| (index as u32 + 1, piece.area))
        .collect();
    large.sort_by_key(|&(part, area)| (std::cmp::Reverse(area), part));
    // The label of each part that is to be a region.
    let mut names = vec![0_u32; parts.pieces.len() + 1];
    let mut taken = std::collections::HashSet::new();
    let mut next = regions.pieces.len() as u32;
    let mut first = vec![0_u32; parts.pieces.len() + 1];
    for (at, &part) in parts.labels.data.iter().enumerate() {
        first[part as usize] = cells.labels.data[at];
    }
    for (part, _) in large {
        let own = first[part as usize];
        names[part as usize] = if taken.insert(own) {
            own
        } else {
            next += 1;
            next
        };
    }
    if next as usize == regions.pieces.len() {
        return;
    }
    relabel(regions, smooth, &cells, &parts, &names);
    gather(regions, next as usize);
}

/// How many cells of each part have nothing else around them: few, where it is but the washed edge itself.
fn inside(parts: &Components) -> Vec<usize> {
    let labels = &parts.labels;
    let mut counts = vec![0_usize; parts.pieces.len() + 1];
    for y in 1..labels.h.saturating_sub(1) {
        for x in 1..labels.w.saturating_sub(1) {
            let own = labels.at(x, y);
            let around = [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)];
            counts[own as usize] +=
                usize::from(around.iter().all(|&(x, y)| labels.at(x, y) == own));
        }
    }
    counts
}

/// The picture in cells: the label all pixels of a cell have (0 if they differ), and their mean colour.
struct Cells {
    labels: Plane<u32>,
    means: Rgb,
}

impl Cells {
    fn of(regions: &Components, smooth: &Rgb, w: usize, h: usize) -> Self {
        let mut labels = Plane::filled(w, h, 0_u32);
        let mut means = Plane::filled(w, h, [0.0_f32; 3]);
        for y in 0..h {
            for x in 0..w {
                let first = regions.labels.at(x * CELL, y * CELL);
                let (mut sum, mut same) = ([0.0_f32; 3], true);
                for at in 0..CELL * CELL {
                    let (px, py) = (x * CELL + at % CELL, y * CELL + at / CELL);
                    same &= regions.labels.at(px, py) == first;
                    let colour = smooth.at(px, py);
                    sum = [0, 1, 2].map(|c| sum[c] + colour[c]);
                }
                labels.set(x, y, if same { first } else { 0 });
                means.set(x, y, sum.map(|value| value / (CELL * CELL) as f32));
            }
        }
        Self { labels, means }
    }
}

/// Gives every pixel of a parted region the label of the part whose colour near by is most like its own.
fn relabel(
    regions: &mut Components,
    smooth: &Rgb,
    cells: &Cells,
    parts: &Components,
    names: &[u32],
) {
    let (w, h) = (cells.labels.w, cells.labels.h);
    let name_of = |x: usize, y: usize| names[parts.labels.at(x, y) as usize];
    let mut parted = vec![false; regions.pieces.len() + 1];
    for (&label, &part) in cells.labels.data.iter().zip(&parts.labels.data) {
        let name = names[part as usize];
        parted[label as usize] |= name > 0 && name != label;
    }
    for y in 0..smooth.h {
        for x in 0..smooth.w {
            let own = regions.labels.at(x, y);
            if !parted[own as usize] {
                continue;
            }
            let (cx, cy) = ((x / CELL).min(w - 1), (y / CELL).min(h - 1));
            if cells.labels.at(cx, cy) == own && name_of(cx, cy) > 0 {
                regions.labels.set(x, y, name_of(cx, cy));
                continue;
            }
            let mut best = (f32::MAX, own);
            // Two cells around: the washed edge itself belongs to neither part.
            for ny in cy.saturating_sub(2)..(cy + 3).min(h) {
                for nx in cx.saturating_sub(2)..(cx + 3).min(w) {
                    let name = name_of(nx, ny);
                    if name == 0 || cells.labels.at(nx, ny) != own {
                        continue;
                    }
                    let off = max_difference(smooth.at(x, y), cells.means.at(nx, ny));
                    if off < best.0 {
                        best = (off, name);
                    }
                }
            }
            regions.labels.set(x, y, best.1);
        }
    }
}

/// Counts the pieces again.
fn gather(regions: &mut Components, count: usize) {
    let labels = &regions.labels;
    let mut found: Vec<(usize, [usize; 4])> = vec![(0, [usize::MAX, usize::MAX, 0, 0]); count];
    for (at, &label) in labels.data.iter().enumerate().filter(|(_, l)| **l > 0) {
        let (x, y) = (at % labels.w, at / labels.w);
        let (area, [left, top, right, bottom]) = &mut found[label as usize - 1];
        *area += 1;
        (*left, *top) = ((*left).min(x), (*top).min(y));
        (*right, *bottom) = ((*right).max(x), (*bottom).max(y));
    }
    let piece = |(area, [left, top, right, bottom]): (usize, [usize; 4])| Piece {
        rect: if area == 0 {
            Rect {
                x: 0,
                y: 0,
                w: 0,
                h: 0,
            }
        } else {
            Rect {
                x: left,
                y: top,
                w: right - left + 1,
                h: bottom - top + 1,
            }
        },
        area,
    };
    regions.pieces = found.into_iter().map(piece).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_whose_edge_was_washed_out_is_parted_from_its_page_and_a_gradient_is_not() {
        let (w, h) = (200, 120);
        let card = |x: usize, y: usize| (60..140).contains(&x) && (40..80).contains(&y);
        for (sheet, count) in [(true, 2), (false, 1)] {
            let mut picture = Plane::filled(w, h, [0.0; 3]);
            for y in 0..h {
                for x in 0..w {
                    let level = if sheet {
                        // Over some pixels from 244 to 255, so that no step is above 3.
                        let near = |d: usize| {
                            card(x + d, y)
                                || card(x - d.min(x), y)
                                || card(x, y + d)
                                || card(x, y - d.min(y))
                        };
                        let steps = (1..5).filter(|&d| !card(x, y) && near(d)).count() as f32;
                        if card(x, y) {
                            255.0
                        } else {
                            244.0 + 2.2 * steps
                        }
                    } else {
                        100.0 + x as f32 * 0.6 + y as f32 * 0.3
                    };
                    picture.set(x, y, [level; 3]);
                }
            }
            let joined =
                |a: usize, b: usize| max_difference(picture.data[a], picture.data[b]) <= 3.0;
            let mut regions = components::label_by(w, h, |_| true, joined);
            assert_eq!(regions.pieces.len(), 1);
            part(&mut regions, &picture);
            let whole: Vec<usize> = regions.pieces.iter().map(|piece| piece.area).collect();
            assert_eq!(whole.len(), count, "{whole:?}");
            assert_eq!(whole.iter().sum::<usize>(), w * h);
            if sheet {
                assert_ne!(regions.labels.at(100, 60), regions.labels.at(10, 10));
                assert!(whole[1].abs_diff(80 * 40) < 700, "{whole:?}");
            }
        }
    }
}
