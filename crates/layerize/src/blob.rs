//! A set of pixels with the rectangle that holds it, and its outline.
//!
//! Invariant: `bits.len() == rect.w * rect.h`; questions outside the rectangle are answered no.

use crate::plane::{Gray, Plane, Rect};

/// A set of pixels on the work canvas.
#[derive(Clone)]
pub(crate) struct Blob {
    pub(crate) rect: Rect,
    pub(crate) bits: Vec<bool>,
}

impl Blob {
    pub(crate) fn from_fn(rect: Rect, inside: impl Fn(usize, usize) -> bool) -> Self {
        let mut bits = Vec::with_capacity(rect.area());
        for y in rect.y..rect.y + rect.h {
            bits.extend((rect.x..rect.x + rect.w).map(|x| inside(x, y)));
        }
        Self { rect, bits }
    }

    /// The same set in a rectangle with `by` pixels of room on each side, as far as the canvas goes.
    pub(crate) fn with_room(&self, by: usize, (w, h): (usize, usize)) -> Self {
        Self::from_fn(self.rect.grow(by, w, h), |x, y| self.has(x, y))
    }

    pub(crate) fn has(&self, x: usize, y: usize) -> bool {
        self.rect.contains(x, y) && self.bits[(y - self.rect.y) * self.rect.w + x - self.rect.x]
    }

    /// Like `has`, for places that may lie off the canvas.
    pub(crate) fn holds(&self, x: i64, y: i64) -> bool {
        x >= 0 && y >= 0 && self.has(x as usize, y as usize)
    }

    pub(crate) fn area(&self) -> usize {
        self.bits.iter().filter(|&&bit| bit).count()
    }

    /// The pixels as a mask over another rectangle.
    pub(crate) fn mask(&self, rect: Rect) -> Gray {
        let grown = Self::from_fn(rect, |x, y| self.has(x, y));
        Plane {
            w: rect.w,
            h: rect.h,
            data: grown.bits.iter().map(|&b| f32::from(u8::from(b))).collect(),
        }
    }

    /// The set with its enclosed gaps filled.
    pub(crate) fn filled(&self) -> Self {
        let (w, h) = (self.rect.w, self.rect.h);
        let mut outside = vec![false; w * h];
        // Marked when put on the stack, so that none is there twice.
        let mut reach = |at: usize, open: &mut Vec<usize>| {
            if !self.bits[at] && !std::mem::replace(&mut outside[at], true) {
                open.push(at);
            }
        };
        let mut open = Vec::new();
        let rim = (0..w).flat_map(|x| [x, (h - 1) * w + x]);
        for at in rim.chain((0..h).flat_map(|y| [y * w, y * w + w - 1])) {
            reach(at, &mut open);
        }
        while let Some(at) = open.pop() {
            let (x, y) = (at % w, at / w);
            if x > 0 {
                reach(at - 1, &mut open);
            }
            if x + 1 < w {
                reach(at + 1, &mut open);
            }
            if y > 0 {
                reach(at - w, &mut open);
            }
            if y + 1 < h {
                reach(at + w, &mut open);
            }
        }
        Self {
            rect: self.rect,
            bits: outside.iter().map(|out| !out).collect(),
        }
    }

    /// The outer outline of the piece that comes first in reading order, clockwise, by Moore's
    /// neighbour tracing; at most four times the perimeter of the rectangle is walked.
    pub(crate) fn outline(&self) -> Vec<(i64, i64)> {
        const AROUND: [(i64, i64); 8] = [
            (1, 0),
            (1, 1),
            (0, 1),
            (-1, 1),
            (-1, 0),
            (-1, -1),
            (0, -1),
            (1, -1),
        ];
        let Some(first) = self.bits.iter().position(|&bit| bit) else {
            return Vec::new();
        };
        let start = (
            (self.rect.x + first % self.rect.w) as i64,
            (self.rect.y + first / self.rect.w) as i64,
        );
        let (mut path, mut at, mut heading) = (vec![start], start, 0_usize);
        for _ in 0..8 * (self.rect.w + self.rect.h) + self.bits.len() {
            let next = (0..8)
                .map(|turn| (heading + 6 + turn) % 8)
                .find(|&way| self.holds(at.0 + AROUND[way].0, at.1 + AROUND[way].1));
            let Some(way) = next else { break };
            at = (at.0 + AROUND[way].0, at.1 + AROUND[way].1);
            heading = way;
            if at == start {
                break;
            }
            path.push(at);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_filled_and_its_outline_walks_round_once() {
        let rect = Rect {
            x: 4,
            y: 2,
            w: 7,
            h: 6,
        };
        let ring = Blob::from_fn(rect, |x, y| x == 4 || y == 2 || x == 10 || y == 7);
        assert_eq!(ring.filled().area(), 42);
        assert_eq!(ring.outline().len(), 2 * (7 + 6) - 4);
    }
}
