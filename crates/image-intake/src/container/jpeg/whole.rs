//! Whether every block of a JPEG is there, and the file that holds nothing but them.

use super::huffman::{Stop, Table};
use std::collections::BTreeSet;

use super::scan::{Known, Scan, ScanTables, follow};
use super::tables::{Tables, read_table, typical};
use super::{Jpeg, Step, TRUNCATED, corrupt, segment};
use crate::error::ImageError;

/// A file of which every block was seen.
pub(crate) struct Cleaned {
    pub(crate) file: Vec<u8>,
    /// Bytes stand between the picture's own that could not be left out.
    pub(crate) loose: bool,
}

/// A Huffman table in force, and the segment that it came from.
#[derive(Clone, Default)]
enum Slot {
    #[default]
    Empty,
    Typical(&'static [u8], Table),
    /// Step, part, and the table unless its codes do not fit.
    Read(usize, usize, Option<Table>),
}

/// A table that a scan uses: a typical one, or one of a step and part.
enum Used {
    Typical(&'static [u8]),
    Read(usize, usize),
}

struct State<'a> {
    jpeg: &'a Jpeg,
    bytes: &'a [u8],
    /// By class and number.
    huffman: [[Slot; 4]; 2],
    /// Step and part by number.
    quantisation: [Option<(usize, usize)>; 4],
    interval: u32,
    known: Known,
    /// How many low bits of each coefficient are still missing; `None` before its first scan.
    missing: Vec<[Option<u8>; 64]>,
    /// The typical tables that kept scans use, as parts of a segment.
    typical: BTreeSet<&'static [u8]>,
    loose: bool,
}

impl Jpeg {
    /// Follows all scans.
    pub(crate) fn cleaned(&self, bytes: &[u8]) -> Result<Cleaned, ImageError> {
        let mut state = State::new(self, bytes);
        let mut scan_ends = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Huffman(tables) => state.define(index, tables),
                Step::Quantisation(tables) => {
                    for (part, table) in tables.parts.iter().enumerate() {
                        state.quantisation[usize::from(table.name & 3)] = Some((index, part));
                    }
                }
                Step::RestartInterval(interval, _) => state.interval = u32::from(*interval),
                Step::Frame(_) => {}
                Step::Scan(scan, header) => match state.scan(scan, header.end) {
                    Ok(end) => {
                        scan_ends.push(end);
                        // Readers show the first whole picture and refuse or ignore another scan.
                        if scan.is_the_picture(&self.frame) {
                            break;
                        }
                    }
                    // What follows a whole picture is no part of it.
                    Err(_) if state.is_complete() => break,
                    Err(error) => return Err(error),
                },
            }
        }
        // An encoder may end a progressive file before its last bits, but only an end marker tells that from a cut.
        let may_end = self.trouble.is_none() && state.has_means();
        if !may_end && !state.is_complete() {
            return Err(self.trouble.clone().unwrap_or(TRUNCATED));
        }
        Ok(Cleaned {
            file: self.rebuilt(
                bytes,
                &scan_ends,
                &state
                    .typical
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect::<Vec<_>>(),
            ),
            loose: state.loose,
        })
    }

    /// The kept parts: steps up to the last whole scan.
    fn rebuilt(&self, bytes: &[u8], scan_ends: &[usize], typical: &[u8]) -> Vec<u8> {
        let mut file = Vec::with_capacity(bytes.len());
        file.extend_from_slice(&bytes[..2]);
        file.extend_from_slice(&self.header);
        if !typical.is_empty() {
            file.extend_from_slice(&segment(0xC4, typical));
        }
        let mut ends = scan_ends.iter();
        for step in &self.steps {
            if ends.as_slice().is_empty() {
                break;
            }
            match step {
                Step::Huffman(tables) | Step::Quantisation(tables) => {
                    file.extend_from_slice(&tables.in_use(bytes));
                }
                Step::RestartInterval(_, range) | Step::Frame(range) => {
                    file.extend_from_slice(&bytes[range.clone()]);
                }
                Step::Scan(_, header) => {
                    let end = ends.next().map_or(header.end, |end| *end);
                    file.extend_from_slice(&bytes[header.start..end]);
                }
            }
        }
        file.extend_from_slice(&[0xFF, 0xD9]);
        file
    }
}

impl<'a> State<'a> {
    fn new(jpeg: &'a Jpeg, bytes: &'a [u8]) -> Self {
        let frame = &jpeg.frame;
        let words = |component: &super::frame::Component| {
            component.stride as usize * (frame.mcus.1 * component.down) as usize
        };
        let known = if frame.progressive {
            let components = frame.components.iter();
            components.map(|one| vec![0; words(one)]).collect()
        } else {
            Vec::new()
        };
        Self {
            jpeg,
            bytes,
            huffman: Default::default(),
            quantisation: [None; 4],
            interval: 0,
            known,
            missing: vec![[None; 64]; frame.components.len()],
            typical: BTreeSet::new(),
            loose: false,
        }
    }

    fn define(&mut self, step: usize, tables: &Tables) {
        for (index, part) in tables.parts.iter().enumerate() {
            self.huffman[usize::from(part.name >> 4 & 1)][usize::from(part.name & 3)] =
                Slot::Read(step, index, part.table(self.bytes));
        }
    }

    /// Follows one scan and answers where its data ends.
    fn scan(&mut self, scan: &Scan, at: usize) -> Result<usize, ImageError> {
        let frame = &self.jpeg.frame;
        let mut used = Vec::new();
        for (index, means, rest) in &scan.parts {
            if scan.needs_means() {
                used.push(self.ready(0, *means)?);
            }
            if scan.needs_rest() {
                used.push(self.ready(1, *rest)?);
            }
            let number = frame.components[*index].quantisation;
            match self.quantisation.get(usize::from(number)) {
                Some(Some((step, part))) => used.push(Used::Read(*step, *part)),
                _ => return Err(corrupt("a quantisation table is missing")),
            }
        }
        let slots = &self.huffman;
        let tables = ScanTables {
            means: (scan.parts.iter())
                .map(|(_, number, _)| {
                    scan.needs_means()
                        .then(|| slots[0][usize::from(*number)].table())?
                })
                .collect(),
            rest: (scan.parts.iter())
                .map(|(_, _, number)| {
                    scan.needs_rest()
                        .then(|| slots[1][usize::from(*number)].table())?
                })
                .collect(),
        };
        let whole = follow(
            self.bytes,
            at,
            (frame, scan),
            &tables,
            self.interval,
            &mut self.known,
        )
        .map_err(|stop| match stop {
            Stop::Short => TRUNCATED,
            Stop::Damaged(reason) => corrupt(reason),
        })?;
        if self.jpeg.trouble.is_some() && ends_in_zeros(&self.bytes[at..whole.end]) {
            return Err(TRUNCATED);
        }
        // Only a scan that is kept keeps its tables.
        for table in used {
            match table {
                Used::Typical(part) => {
                    self.typical.insert(part);
                }
                Used::Read(step, part) => self.mark(step, part),
            }
        }
        self.loose |= whole.loose;
        for (index, _, _) in &scan.parts {
            self.missing[*index][usize::from(scan.first)..=usize::from(scan.last)]
                .fill(Some(scan.low));
        }
        Ok(whole.end)
    }

    /// Makes sure that a Huffman table can be used, and answers which it is.
    fn ready(&mut self, class: u8, number: u8) -> Result<Used, ImageError> {
        let slot = &mut self.huffman[usize::from(class)][usize::from(number)];
        if matches!(slot, Slot::Empty)
            && !self.jpeg.frame.progressive
            && let Some(part) = typical(class, number)
            && let Some(table) = read_table(part)
        {
            *slot = Slot::Typical(part, table);
        }
        match &*slot {
            Slot::Empty => Err(corrupt("a Huffman table is missing")),
            Slot::Typical(part, _) => Ok(Used::Typical(part)),
            Slot::Read(_, _, None) => Err(corrupt("a Huffman table is impossible")),
            Slot::Read(_, _, Some(table)) if class == 0 && !table.suits_means() => {
                Err(corrupt("a Huffman table is impossible"))
            }
            Slot::Read(step, part, Some(_)) => Ok(Used::Read(*step, *part)),
        }
    }

    fn mark(&self, step: usize, part: usize) {
        if let Step::Huffman(tables) | Step::Quantisation(tables) = &self.jpeg.steps[step] {
            tables.parts[part].used.set(true);
        }
    }

    /// Every bit of every coefficient was there.
    fn is_complete(&self) -> bool {
        (self.missing.iter()).all(|component| component.iter().all(|bits| *bits == Some(0)))
    }

    fn has_means(&self) -> bool {
        self.missing.iter().all(|component| component[0].is_some())
    }
}

/// Whether data ends in a byte of zeros. A writer fills the last byte up with ones (T.81, F.1.2.3); a download that
/// reserved its space and then stopped leaves zeros, which in most tables are codes and would pass for blocks.
fn ends_in_zeros(data: &[u8]) -> bool {
    // Behind 0xFF a zero is stuffing.
    data.ends_with(&[0]) && !data.ends_with(&[0xFF, 0])
}

impl Slot {
    fn table(&self) -> Option<&Table> {
        match self {
            Self::Empty => None,
            Self::Typical(_, table) => Some(table),
            Self::Read(_, _, table) => table.as_ref(),
        }
    }
}
