//! PackBits, as PSD and TIFF have it: a count below 128 and so many bytes more, or 257 less a count and one byte that is repeated.
//!
//! A row is packed by itself. What is written is never longer than a row and one byte for each 128 of it, begun.

/// Takes the pieces of a packed row.
trait Sink {
    fn literal(&mut self, bytes: &[u8]);
    fn repeat(&mut self, byte: u8, count: usize);
}

impl Sink for Vec<u8> {
    fn literal(&mut self, bytes: &[u8]) {
        self.push((bytes.len() - 1) as u8);
        self.extend_from_slice(bytes);
    }

    fn repeat(&mut self, byte: u8, count: usize) {
        self.extend_from_slice(&[(257 - count) as u8, byte]);
    }
}

struct Length(usize);

impl Sink for Length {
    fn literal(&mut self, bytes: &[u8]) {
        self.0 += 1 + bytes.len();
    }

    fn repeat(&mut self, _: u8, _: usize) {
        self.0 += 2;
    }
}

/// The longest piece of either kind.
const MOST: usize = 128;

/// Appends a packed row.
pub(crate) fn pack(row: &[u8], packed: &mut Vec<u8>) {
    run(row, packed);
}

/// How long it becomes.
pub(crate) fn packed_length(row: &[u8]) -> usize {
    let mut length = Length(0);
    run(row, &mut length);
    length.0
}

fn run(row: &[u8], sink: &mut impl Sink) {
    let mut at = 0;
    while at < row.len() {
        let begins = next_run(row, at);
        literals(&row[at..begins], sink);
        at = begins;
        let Some(byte) = row.get(at) else {
            return;
        };
        let mut left = same(&row[at..], *byte);
        at += left;
        while left > 0 {
            let now = left.min(MOST);
            // One byte left over is no run.
            if now == 1 {
                sink.literal(&[*byte]);
            } else {
                sink.repeat(*byte, now);
            }
            left -= now;
        }
    }
}

/// Where the next three bytes are the same, from `at` on; the row's end where none are. Fewer gain nothing.
fn next_run(row: &[u8], mut at: usize) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Eight places at once: a byte that is zero in `apart` begins three that are the same.
    while let Some(window) = row[at..].first_chunk::<10>() {
        let eight = |from: usize| {
            window[from..]
                .first_chunk()
                .map_or(0, |eight| u64::from_le_bytes(*eight))
        };
        let (first, second, third) = (eight(0), eight(1), eight(2));
        let apart = (first ^ second) | (first ^ third);
        let zero = apart.wrapping_sub(LOW) & !apart & HIGH;
        if zero != 0 {
            return at + zero.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let found = row[at..]
        .windows(3)
        .position(|three| three[0] == three[1] && three[1] == three[2]);
    found.map_or(row.len(), |place| at + place)
}

/// How many of the first bytes are this one; at least the first is.
fn same(bytes: &[u8], byte: u8) -> usize {
    let wide = u64::from_ne_bytes([byte; 8]);
    let (eights, _) = bytes.as_chunks::<8>();
    let whole = eights
        .iter()
        .take_while(|eight| u64::from_ne_bytes(**eight) == wide)
        .count();
    let rest = &bytes[whole * 8..];
    whole * 8 + rest.iter().take_while(|other| **other == byte).count()
}

fn literals(bytes: &[u8], sink: &mut impl Sink) {
    for piece in bytes.chunks(MOST) {
        sink.literal(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(mut packed: &[u8]) -> Vec<u8> {
        let mut row = Vec::new();
        while let [count, rest @ ..] = packed {
            packed = match *count {
                128 => rest,
                count @ 0..128 => {
                    let (bytes, rest) = rest.split_at(usize::from(count) + 1);
                    row.extend_from_slice(bytes);
                    rest
                }
                count => {
                    row.extend(std::iter::repeat_n(rest[0], 257 - usize::from(count)));
                    &rest[1..]
                }
            };
        }
        row
    }

    proptest::proptest! {
        #[test]
        fn any_row_comes_back(
            runs in proptest::collection::vec((0_u8..4, 1_usize..300), 0..40),
            noise in proptest::collection::vec(0_u8.., 0..300),
        ) {
            let mut row: Vec<u8> = runs.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
            row.extend(noise);
            let mut packed = Vec::new();
            pack(&row, &mut packed);
            proptest::prop_assert_eq!(packed.len(), packed_length(&row));
            proptest::prop_assert!(packed.len() <= row.len() + row.len().div_ceil(MOST));
            proptest::prop_assert_eq!(unpacked(&packed), row);
        }
    }

    #[test]
    fn apples_example_is_packed_as_apple_packs_it() {
        // Technical Note TN1023.
        let row = [
            0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22,
            0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
        ];
        let mut packed = Vec::new();
        pack(&row, &mut packed);
        let expected = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7,
            0xAA,
        ];
        assert_eq!(packed, expected);
    }
}
