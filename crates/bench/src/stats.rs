//! Medians, percentiles and ranges of a few measurements.

use std::time::Duration;

/// The smallest value that at least `percent` of the values do not exceed (nearest rank); 0 when
/// there is none.
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// `median (smallest–largest)` with so many decimals.
pub(crate) fn spread(values: &[f64], decimals: usize) -> String {
    let (low, high) = (percentile(values, 0.0), percentile(values, 100.0));
    let middle = median(values);
    format!("{middle:.decimals$} ({low:.decimals$}–{high:.decimals$})")
}

/// In milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!(percentile(&values, 95.0), 5.0);
        assert_eq!(percentile(&values, 20.0), 1.0);
        assert_eq!(percentile(&values, 21.0), 2.0);
        assert_eq!(percentile(&[], 50.0), 0.0);
    }

    #[test]
    fn a_spread_names_the_extremes() {
        assert_eq!(spread(&[3.0, 1.0, 2.0], 1), "2.0 (1.0–3.0)");
    }
}
