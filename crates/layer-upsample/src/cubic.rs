//! Reading small planes at places of the large picture: Catmull-Rom (Keys, "Cubic Convolution Interpolation for Digital Image
//! Processing", 1981, a = -0.5), first down the columns for a whole row, then along it.
//!
//! Both pictures cover the same area, whatever their proportions: pixel centres lie at halves. Beyond the edge the last value goes on.
//! Invariant: of equal values comes that value, and where both sizes are the same, values come back as they are.

use super::plane::Plane;

/// Four neighbours on one axis and what each counts for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    pub(crate) at: [u32; 4],
    pub(crate) weight: [f32; 4],
    /// How far from the second to the third.
    pub(crate) share: f32,
    /// Which gap between neighbours this is: 0 before the first, `small` behind the last.
    pub(crate) gap: u32,
}

impl Tap {
    /// The place `at` of `full` pixels among `small` ones.
    pub(crate) fn of(at: usize, small: usize, full: usize) -> Self {
        let place = (at as f64 + 0.5) * small as f64 / full as f64 - 0.5;
        let near = place.floor();
        let t = (place - near) as f32;
        let inside = |offset: i64| (near as i64 + offset).clamp(0, small as i64 - 1) as u32;
        let (t2, t3) = (t * t, t * t * t);
        Self {
            at: [inside(-1), inside(0), inside(1), inside(2)],
            weight: [
                -0.5 * t + t2 - 0.5 * t3,
                1.0 - 2.5 * t2 + 1.5 * t3,
                0.5 * t + 2.0 * t2 - 1.5 * t3,
                -0.5 * t2 + 0.5 * t3,
            ],
            share: t,
            gap: (near as i64 + 1) as u32,
        }
    }

    /// All of an axis.
    pub(crate) fn axis(small: usize, full: usize) -> Vec<Self> {
        (0..full).map(|at| Self::of(at, small, full)).collect()
    }
}

/// Row `y` of the large picture, as wide as the small one.
pub(crate) fn down<const C: usize>(plane: &Plane<C>, y: Tap, out: &mut Vec<[f32; C]>) {
    let rows = y.at.map(|row| plane.row(row as usize));
    out.clear();
    out.extend((0..plane.w).map(|x| {
        std::array::from_fn(|c| {
            y.weight[0] * rows[0][x][c]
                + y.weight[1] * rows[1][x][c]
                + y.weight[2] * rows[2][x][c]
                + y.weight[3] * rows[3][x][c]
        })
    }));
}

/// One value of a row that [`down`] made.
pub(crate) fn along<const C: usize>(row: &[[f32; C]], x: &Tap) -> [f32; C] {
    let v = x.at.map(|at| row[at as usize]);
    std::array::from_fn(|c| {
        x.weight[0] * v[0][c]
            + x.weight[1] * v[1][c]
            + x.weight[2] * v[2][c]
            + x.weight[3] * v[3][c]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_and_equal_sizes_come_back_as_they_are() {
        for (small, full) in [(1, 7), (3, 10), (640, 3000)] {
            for tap in Tap::axis(small, full) {
                assert!((tap.weight.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(tap.at.iter().all(|at| (*at as usize) < small));
            }
        }
        let row = [[3.0], [9.0], [-2.0]];
        for (x, tap) in Tap::axis(3, 3).iter().enumerate() {
            assert_eq!(along(&row, tap), row[x]);
        }
    }
}
