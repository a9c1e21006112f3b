//! A rectangle of values at work size, and the rectangles that cut it.
//!
//! Colours are `[r, g, b]` in 0 to 255, masks are 0 to 1. Reads beyond an edge are not forgiven:
//! callers clamp. Invariant: `data.len() == w * h` and both sides are at least 1.

/// Values on a grid, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane<T> {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) data: Vec<T>,
}

/// A mask or any other single value a pixel.
pub(crate) type Gray = Plane<f32>;
/// Colours.
pub(crate) type Rgb = Plane<[f32; 3]>;

impl<T: Copy> Plane<T> {
    pub(crate) fn filled(w: usize, h: usize, value: T) -> Self {
        Self {
            w,
            h,
            data: vec![value; w * h],
        }
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> T {
        self.data[y * self.w + x]
    }

    pub(crate) fn set(&mut self, x: usize, y: usize, value: T) {
        self.data[y * self.w + x] = value;
    }

    /// A copy of the values inside `rect`, which must lie on the plane.
    pub(crate) fn crop(&self, rect: Rect) -> Self {
        let mut data = Vec::with_capacity(rect.w * rect.h);
        for y in rect.y..rect.y + rect.h {
            let from = y * self.w + rect.x;
            data.extend_from_slice(&self.data[from..from + rect.w]);
        }
        Self {
            w: rect.w,
            h: rect.h,
            data,
        }
    }

    pub(crate) fn map<U>(&self, each: impl Fn(T) -> U) -> Plane<U> {
        Plane {
            w: self.w,
            h: self.h,
            data: self.data.iter().map(|&v| each(v)).collect(),
        }
    }
}

/// A rectangle of pixels, `w` and `h` at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) w: usize,
    pub(crate) h: usize,
}

impl Rect {
    /// The rectangle grown by `by` on every side, kept on a `w` by `h` canvas.
    pub(crate) fn grow(self, by: usize, w: usize, h: usize) -> Self {
        let (x, y) = (self.x.saturating_sub(by), self.y.saturating_sub(by));
        Self {
            x,
            y,
            w: (self.x + self.w + by).min(w) - x,
            h: (self.y + self.h + by).min(h) - y,
        }
    }

    /// The smallest rectangle that holds both.
    pub(crate) fn union(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            w: (self.x + self.w).max(other.x + other.w) - x,
            h: (self.y + self.h).max(other.y + other.h) - y,
        }
    }

    pub(crate) fn contains(self, x: usize, y: usize) -> bool {
        x >= self.x && y >= self.y && x < self.x + self.w && y < self.y + self.h
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }

    pub(crate) fn area(self) -> usize {
        self.w * self.h
    }
}

/// Squared distance of two colours.
pub(crate) fn distance2(a: [f32; 3], b: [f32; 3]) -> f32 {
    let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
}

/// How light a colour looks, in levels (the luma of ITU-R BT.601).
pub(crate) fn lightness([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Largest channel difference of two colours.
pub(crate) fn max_difference(a: [f32; 3], b: [f32; 3]) -> f32 {
    (a[0] - b[0])
        .abs()
        .max((a[1] - b[1]).abs())
        .max((a[2] - b[2]).abs())
}

/// `a` moved towards `b` by `t`.
pub(crate) fn mix(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    [
        a[0] + (b[0] - a[0]) * t,
        a[1] + (b[1] - a[1]) * t,
        a[2] + (b[2] - a[2]) * t,
    ]
}

/// What planes hold: something that can be weighed and summed.
pub(crate) trait Sample: Copy + Send + Sync {
    const ZERO: Self;
    fn add(self, other: Self, weight: f32) -> Self;
}

impl Sample for f32 {
    const ZERO: Self = 0.0;
    fn add(self, other: Self, weight: f32) -> Self {
        self + other * weight
    }
}

impl Sample for [f32; 3] {
    const ZERO: Self = [0.0; 3];
    fn add(self, other: Self, weight: f32) -> Self {
        [
            self[0] + other[0] * weight,
            self[1] + other[1] * weight,
            self[2] + other[2] * weight,
        ]
    }
}

impl<T: Sample> Plane<T> {
    /// The value between pixels, 0 being the middle of the first; beyond the middles of the outermost, theirs.
    pub(crate) fn between(&self, x: f32, y: f32) -> T {
        let split = |at: f32, limit: usize| {
            let at = at.clamp(0.0, limit as f32 - 1.0);
            let low = at as usize;
            (low, (low + 1).min(limit - 1), at - low as f32)
        };
        let ((left, right, across), (up, low, down)) = (split(x, self.w), split(y, self.h));
        let row = |y: usize, weight: f32, sum: T| {
            sum.add(self.at(left, y), weight * (1.0 - across))
                .add(self.at(right, y), weight * across)
        };
        row(low, down, row(up, 1.0 - down, T::ZERO))
    }

    /// The plane at another size: bilinear when growing, triangle-filtered when shrinking.
    pub(crate) fn resize(&self, w: usize, h: usize) -> Self {
        if (self.w, self.h) == (w, h) {
            return self.clone();
        }
        let (columns, rows) = (taps(self.w, w), taps(self.h, h));
        let mut wide = Vec::with_capacity(w * self.h);
        for row in self.data.chunks_exact(self.w) {
            wide.extend(columns.iter().map(|(from, weights)| {
                weights
                    .iter()
                    .zip(&row[*from..])
                    .fold(T::ZERO, |sum, (&weight, &value)| sum.add(value, weight))
            }));
        }
        let mut data = vec![T::ZERO; w * h];
        for (out, (from, weights)) in data.chunks_exact_mut(w).zip(&rows) {
            for (offset, &weight) in weights.iter().enumerate() {
                let row = &wide[(from + offset) * w..][..w];
                for (sum, &value) in out.iter_mut().zip(row) {
                    *sum = sum.add(value, weight);
                }
            }
        }
        Self { w, h, data }
    }
}

/// For every output place: the first input it reads and the weights from there on.
fn taps(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f32 / to as f32;
    let reach = scale.max(1.0);
    (0..to)
        .map(|place| {
            let centre = (place as f32 + 0.5) * scale - 0.5;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor().max(0.0) as usize).min(from - 1);
            let first = first.min(last);
            let mut weights: Vec<f32> = (first..=last)
                .map(|at| (1.0 - (at as f32 - centre).abs() / reach).max(1e-6))
                .collect();
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            (first, weights)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_keeps_a_flat_plane_flat_at_every_size() {
        let plane = Plane::filled(5, 3, 7.0_f32);
        for (w, h) in [(1, 1), (2, 9), (64, 1), (5, 3)] {
            let resized = plane.resize(w, h);
            assert_eq!((resized.w, resized.h), (w, h));
            assert!(resized.data.iter().all(|value| (value - 7.0).abs() < 1e-4));
        }
    }

    #[test]
    fn growing_a_rectangle_stops_at_the_canvas() {
        let rect = Rect {
            x: 1,
            y: 2,
            w: 3,
            h: 1,
        };
        assert_eq!(
            rect.grow(5, 6, 4),
            Rect {
                x: 0,
                y: 0,
                w: 6,
                h: 4
            }
        );
    }
}
