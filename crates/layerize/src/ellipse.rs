//! The ellipse that a part of an outline lies on, if it lies on one.
//!
//! Axes along those of the picture only. Invariant: an ellipse that is answered runs within a pixel
//! or so of nearly all the points it was fitted to.

use crate::linear;
use crate::outline::Point;

/// An ellipse along the axes.
pub(crate) struct Ellipse {
    centre: Point,
    radii: Point,
}

impl Ellipse {
    /// Least squares over `A x² + B y² + C x + D y = 1`; `None` unless nearly all points are within
    /// a pixel or so of it and they see a good part of its round.
    pub(crate) fn fit(points: &[Point]) -> Option<Self> {
        if points.len() < 40 {
            return None;
        }
        let count = points.len() as f32;
        let sum = points
            .iter()
            .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
        let middle = (sum.0 / count, sum.1 / count);
        let scale = points
            .iter()
            .map(|p| (p.0 - middle.0).hypot(p.1 - middle.1))
            .fold(1.0_f32, f32::max);
        let mut matrix = [[0.0_f64; 5]; 4];
        for p in points {
            let (x, y) = (
                f64::from((p.0 - middle.0) / scale),
                f64::from((p.1 - middle.1) / scale),
            );
            let basis = [x * x, y * y, x, y];
            for (row, value) in matrix.iter_mut().zip(basis) {
                for (sum, other) in row.iter_mut().zip(basis) {
                    *sum += value * other;
                }
                row[4] += value;
            }
        }
        linear::solve(&mut matrix)?;
        let [a, b, c, d] = matrix.map(|row| row[4]);
        if a <= 0.0 || b <= 0.0 {
            return None;
        }
        let centre = (-c / (2.0 * a), -d / (2.0 * b));
        let size = 1.0 + a * centre.0 * centre.0 + b * centre.1 * centre.1;
        let radii = (
            (size / a).sqrt() as f32 * scale,
            (size / b).sqrt() as f32 * scale,
        );
        let centre = (
            middle.0 + centre.0 as f32 * scale,
            middle.1 + centre.1 as f32 * scale,
        );
        let ellipse = Self { centre, radii };
        ellipse.holds(points).then_some(ellipse)
    }

    fn holds(&self, points: &[Point]) -> bool {
        let mut seen = [false; 24];
        let mut near = 0;
        for p in points {
            let (dx, dy) = (
                (p.0 - self.centre.0) / self.radii.0,
                (p.1 - self.centre.1) / self.radii.1,
            );
            if (dx.hypot(dy) - 1.0).abs() * self.radii.0.min(self.radii.1) < 1.6 {
                near += 1;
                let turn = dy.atan2(dx) / std::f32::consts::TAU + 0.5;
                seen[((turn * 24.0) as usize).min(23)] = true;
            }
        }
        near * 100 >= points.len() * 94 && seen.iter().filter(|&&s| s).count() >= 9
    }

    /// Where a row crosses it.
    pub(crate) fn crossings(&self, y: f32) -> Vec<f32> {
        let dy = (y - self.centre.1) / self.radii.1;
        let half = (1.0 - dy * dy).max(0.0).sqrt() * self.radii.0;
        vec![self.centre.0 - half, self.centre.0 + half]
    }
}
