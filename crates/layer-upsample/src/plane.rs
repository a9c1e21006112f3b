//! Values of a picture's size: what the crate computes with, in `f32` and without padding.
//!
//! Invariant: `data.len() == w * h`, and neither side is 0.

/// `C` channels for each pixel, row after row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane<const C: usize> {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) data: Vec<[f32; C]>,
}

impl<const C: usize> Plane<C> {
    pub(crate) fn filled(w: usize, h: usize, value: [f32; C]) -> Self {
        let data = vec![value; w * h];
        Self { w, h, data }
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> [f32; C] {
        self.data[y * self.w + x]
    }

    pub(crate) fn row(&self, y: usize) -> &[[f32; C]] {
        &self.data[y * self.w..][..self.w]
    }

    /// Runs `each` over the places within `reach` of a place, that place included.
    pub(crate) fn around(
        &self,
        (x, y): (usize, usize),
        reach: usize,
        mut each: impl FnMut(usize, usize),
    ) {
        for ny in y.saturating_sub(reach)..(y + reach + 1).min(self.h) {
            for nx in x.saturating_sub(reach)..(x + reach + 1).min(self.w) {
                each(nx, ny);
            }
        }
    }
}

/// `from` moved towards `to` by `share`.
pub(crate) fn mix<const C: usize>(from: [f32; C], to: [f32; C], share: f32) -> [f32; C] {
    std::array::from_fn(|c| from[c] + (to[c] - from[c]) * share)
}

pub(crate) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|c| a[c] - b[c])
}
