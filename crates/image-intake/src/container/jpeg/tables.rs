//! Segments of tables: which tables they hold, and what is left of them when those that no scan uses are gone.

use std::cell::Cell;
use std::ops::Range;

use super::huffman::Table;
use super::typical::TYPICAL;
use super::{corrupt, segment};
use crate::error::ImageError;

/// One segment.
#[derive(Debug)]
pub(super) struct Tables {
    marker: u8,
    pub(super) parts: Vec<Part>,
    whole: Range<usize>,
}

/// One table of it.
#[derive(Debug)]
pub(super) struct Part {
    /// Class (of Huffman tables: 0 means, 1 the rest) or precision in the high four bits, number in the low ones.
    pub(super) name: u8,
    range: Range<usize>,
    pub(super) used: Cell<bool>,
}

impl Tables {
    /// The Huffman tables of a DHT segment whose body is this range (B.2.4.2).
    pub(super) fn huffman(bytes: &[u8], body: Range<usize>) -> Result<Self, ImageError> {
        Self::read(bytes, 0xC4, body, |table| {
            let counts = table.get(1..17)?;
            let symbols: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let known = table[0] >> 4 <= 1 && table[0] & 15 <= 3;
            (known && symbols <= 256).then_some(17 + symbols)
        })
        .ok_or_else(|| corrupt("its Huffman tables contradict themselves"))
    }

    /// The quantisation tables of a DQT segment whose body is this range (B.2.4.1).
    pub(super) fn quantisation(bytes: &[u8], body: Range<usize>) -> Result<Self, ImageError> {
        Self::read(bytes, 0xDB, body, |table| match table[0] >> 4 {
            precision @ (0 | 1) if table[0] & 15 <= 3 => {
                Some(1 + 64 * (1 + usize::from(precision)))
            }
            _ => None,
        })
        .ok_or_else(|| corrupt("its quantisation tables contradict themselves"))
    }

    fn read(
        bytes: &[u8],
        marker: u8,
        body: Range<usize>,
        length: impl Fn(&[u8]) -> Option<usize>,
    ) -> Option<Self> {
        let whole = body.start - 4..body.end;
        let (mut at, mut parts) = (body.start, Vec::new());
        while at < body.end {
            let end = at + length(&bytes[at..body.end])?;
            if end > body.end {
                return None;
            }
            parts.push(Part {
                name: bytes[at],
                range: at..end,
                used: Cell::new(false),
            });
            at = end;
        }
        Some(Self {
            marker,
            parts,
            whole,
        })
    }

    /// The segment with the used tables alone; nothing if there are none.
    pub(super) fn in_use(&self, bytes: &[u8]) -> Vec<u8> {
        if self.parts.iter().all(|part| part.used.get()) {
            return bytes[self.whole.clone()].to_vec();
        }
        let used = self.parts.iter().filter(|part| part.used.get());
        let body: Vec<u8> = used
            .flat_map(|part| bytes[part.range.clone()].iter().copied())
            .collect();
        if body.is_empty() {
            return body;
        }
        segment(self.marker, &body)
    }
}

impl Part {
    /// The decoder's form of a Huffman table; `None` where its codes do not fit.
    pub(super) fn table(&self, bytes: &[u8]) -> Option<Table> {
        read_table(&bytes[self.range.clone()])
    }
}

/// The decoder's form of a part.
pub(super) fn read_table(part: &[u8]) -> Option<Table> {
    let (counts, symbols) = part[1..].split_first_chunk::<16>()?;
    Table::new(counts, symbols)
}

/// The typical table of a class and number as a part of a segment, if there is one.
pub(super) fn typical(class: u8, number: u8) -> Option<&'static [u8]> {
    let mut rest: &[u8] = &TYPICAL;
    while let Some(counts) = rest.get(1..17) {
        let length = 17
            + counts
                .iter()
                .map(|count| usize::from(*count))
                .sum::<usize>();
        let (part, tail) = rest.split_at_checked(length)?;
        if part[0] == class << 4 | number {
            return Some(part);
        }
        rest = tail;
    }
    None
}
