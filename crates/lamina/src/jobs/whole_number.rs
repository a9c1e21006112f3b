//! Whole numbers as JSON writes them. JSON has one kind of number: 4, 4.0 and 4e0 are the same, and
//! languages without integers write any of them.
//!
//! Invariant: exact. The digits are never read through a floating-point number.

/// Where floating-point numbers stop to tell whole numbers apart: 2^53. Beyond it a fraction or an
/// exponent shows that the number came from one, and that its last digits are not what was meant.
const EXACT_FLOATS: u64 = 1 << 53;
/// More digits than this are no `u64`, however many of them are zeros behind the point.
const MAX_DIGITS: usize = 400;

/// The value of a JSON number that is whole and no less than 0.
pub(super) fn whole_number(raw: &str) -> Option<u64> {
    if raw.len() > MAX_DIGITS {
        return None;
    }
    let (sign, digits) = raw
        .strip_prefix('-')
        .map_or((false, raw), |digits| (true, digits));
    let is_plain = digits.bytes().all(|letter| letter.is_ascii_digit());
    let value = if is_plain {
        digits.parse().ok()?
    } else {
        of_float(digits).filter(|value| *value <= EXACT_FLOATS)?
    };
    (!sign || value == 0).then_some(value)
}

/// `digits[.digits][e[+-]digits]`
fn of_float(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|letter| letter.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // How many zeros stand behind the significant digits once the point is gone.
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let fraction = i32::try_from(fraction.len()).ok()?;
    let zeros = exponent
        .checked_sub(fraction)?
        .checked_add(i32::try_from(trailing).ok()?)?;
    let scale = 10_u64.checked_pow(u32::try_from(zeros).ok()?)?;
    significant.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_many_spellings() {
        for (raw, value) in [
            ("4", 4),
            ("4.0", 4),
            ("4.000", 4),
            ("4e0", 4),
            ("4E+0", 4),
            ("40e-1", 4),
            ("0.4e1", 4),
            ("0.0004e4", 4),
            ("400.0e-2", 4),
            ("28.0", 28),
            ("1e1", 10),
            ("0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("0e99", 0),
            ("0.0e-99", 0),
            ("18446744073709551615", u64::MAX),
            ("9007199254740992.0", 1 << 53),
            ("9007199254740993", (1 << 53) + 1),
            ("9.007199254740992e15", 1 << 53),
        ] {
            assert_eq!(whole_number(raw), Some(value), "{raw}");
        }
    }

    #[test]
    fn what_is_not_whole_or_not_exact_is_none() {
        for raw in [
            "4.5",
            "4.0000001",
            "45e-1",
            "4e-1",
            "-1",
            "-4.0",
            "18446744073709551616",
            "9007199254740993.0",
            "1.8446744073709552e19",
            "1e400",
            "1e99999999999",
            "1e-2147483648",
            "\"4\"",
            "true",
            "[4]",
            "",
            "-",
            "e1",
            ".e1",
        ] {
            assert_eq!(whole_number(raw), None, "{raw}");
        }
        assert_eq!(whole_number(&format!("4.{}", "0".repeat(500))), None);
    }
}
