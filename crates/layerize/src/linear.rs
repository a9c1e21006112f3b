//! Small systems of linear equations, for fitting.
//!
//! Invariant: what is solved has pivots well away from zero.

/// Gauss-Jordan with pivoting over `N` equations; in columns from `N` on, right sides become
/// solutions. `None` if the equations do not determine them.
pub(crate) fn solve<const N: usize, const M: usize>(matrix: &mut [[f64; M]; N]) -> Option<()> {
    for k in 0..N {
        let pivot = (k..N).max_by(|&a, &b| matrix[a][k].abs().total_cmp(&matrix[b][k].abs()))?;
        if matrix[pivot][k].abs() < 1e-9 {
            return None;
        }
        matrix.swap(k, pivot);
        let head = matrix[k].map(|value| value / matrix[k][k]);
        matrix[k] = head;
        for (r, row) in matrix.iter_mut().enumerate() {
            if r != k {
                let factor = row[k];
                for (value, h) in row.iter_mut().zip(&head) {
                    *value -= factor * h;
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn two_right_sides_are_solved_at_once_and_a_repeated_equation_is_refused() {
        let mut matrix = [[0.0, 2.0, 6.0, 2.0], [1.0, 1.0, 5.0, -1.0]];
        assert_eq!(solve(&mut matrix), Some(()));
        assert_eq!(
            matrix.map(|row| [row[2], row[3]]),
            [[2.0, -2.0], [3.0, 1.0]]
        );
        assert_eq!(solve(&mut [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), None);
    }
}
