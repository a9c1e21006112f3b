//! One scan: what it declares, and whether every block of it is there (ITU-T T.81, B.2.3, F.2 and G.2).
//!
//! Follows each code to the last block without computing a pixel. What passes here holds no code that a decoder would
//! have to guess at.

use super::frame::{Component, Frame};
use super::huffman::{Bits, Stop, Table};

/// No MCU has more blocks (T.81, B.2.3).
const MAX_BLOCKS_IN_MCU: u32 = 10;

/// What a scan header declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    /// Index of the component, its tables for means and for the rest.
    pub(super) parts: Vec<(usize, u8, u8)>,
    pub(super) first: u8,
    pub(super) last: u8,
    pub(super) high: u8,
    pub(super) low: u8,
}

impl Scan {
    /// `None` for a header that no decoder takes.
    pub(super) fn read(body: &[u8], frame: &Frame) -> Option<Self> {
        let count = usize::from(*body.first()?);
        let [first, last, bits] = *body.get(1 + 2 * count..)? else {
            return None;
        };
        let mut parts: Vec<(usize, u8, u8)> = Vec::with_capacity(4);
        for [id, tables] in body[1..1 + 2 * count].as_chunks::<2>().0 {
            // Of components with the same id each is named once, in their order.
            let taken = |index| parts.iter().any(|(other, _, _)| *other == index);
            let index = (0..frame.components.len())
                .find(|index| frame.components[*index].id == *id && !taken(*index))?;
            if tables >> 4 > 3 || tables & 15 > 3 {
                return None;
            }
            parts.push((index, tables >> 4, tables & 15));
        }
        let area = |(index, _, _): &(usize, u8, u8)| {
            frame.components[*index].across * frame.components[*index].down
        };
        if count == 0 || count > 1 && parts.iter().map(area).sum::<u32>() > MAX_BLOCKS_IN_MCU {
            return None;
        }
        if !frame.progressive {
            // Some writers leave these fields empty; in a sequential file nothing else can be meant.
            return Some(Self {
                parts,
                first: 0,
                last: 63,
                high: 0,
                low: 0,
            });
        }
        let (high, low) = (bits >> 4, bits & 15);
        let band = if first == 0 {
            last == 0
        } else {
            count == 1 && first <= last && last <= 63
        };
        let refines = high == 0 || high == low + 1;
        (band && refines && low <= 13).then_some(Self {
            parts,
            first,
            last,
            high,
            low,
        })
    }

    /// Whether it holds every component of a sequential file.
    pub(super) fn is_the_picture(&self, frame: &Frame) -> bool {
        !frame.progressive && self.parts.len() == frame.components.len()
    }

    pub(super) fn needs_means(&self) -> bool {
        self.first == 0 && self.high == 0
    }

    pub(super) fn needs_rest(&self) -> bool {
        self.last > 0
    }
}

/// Which coefficients of a progressive file are known not to be zero: a bit for each, a word for each block.
pub(super) type Known = Vec<Vec<u64>>;

/// The tables that a scan uses, by component of the scan.
pub(super) struct ScanTables<'a> {
    pub(super) means: Vec<Option<&'a Table>>,
    pub(super) rest: Vec<Option<&'a Table>>,
}

/// How a scan ended that has all its blocks.
pub(super) struct Whole {
    /// Where its last byte ends.
    pub(super) end: usize,
    /// Whether bytes stood where none belong, before a restart marker.
    pub(super) loose: bool,
}

struct Reader<'a, 'b> {
    frame: &'b Frame,
    scan: &'b Scan,
    tables: &'b ScanTables<'b>,
    bits: Bits<'a>,
    /// Blocks that are still to come without anything in this band.
    empty: u32,
}

/// Reads a whole scan that begins at `at`.
pub(super) fn follow(
    bytes: &[u8],
    at: usize,
    (frame, scan): (&Frame, &Scan),
    tables: &ScanTables<'_>,
    interval: u32,
    known: &mut Known,
) -> Result<Whole, Stop> {
    let mut reader = Reader {
        frame,
        scan,
        tables,
        bits: Bits::new(bytes, at),
        empty: 0,
    };
    let alone = match scan.parts[..] {
        [(index, _, _)] => Some(&frame.components[index]),
        _ => None,
    };
    let (across, down) = alone.map_or(frame.mcus, |component| component.alone);
    let (mut left, mut number, mut loose) = (interval, 0, false);
    for row in 0..down {
        for column in 0..across {
            if interval > 0 && left == 0 {
                loose |= reader.bits.restart(number)?;
                number = (number + 1) & 7;
                left = interval;
                reader.empty = 0;
            }
            left = left.wrapping_sub(1);
            reader
                .unit(row, column, alone, known)
                .map_err(|stop| reader.bits.judged(stop))?;
        }
    }
    Ok(Whole {
        end: reader.bits.end(),
        loose,
    })
}

impl Reader<'_, '_> {
    fn unit(
        &mut self,
        row: u32,
        column: u32,
        alone: Option<&Component>,
        known: &mut Known,
    ) -> Result<(), Stop> {
        if let Some(component) = alone {
            let place = row as usize * component.stride as usize + column as usize;
            return self.block(0, place, known);
        }
        let frame = self.frame;
        for (part, (index, _, _)) in self.scan.parts.iter().enumerate() {
            let component = &frame.components[*index];
            for y in 0..component.down {
                for x in 0..component.across {
                    let place = (row * component.down + y) as usize * component.stride as usize
                        + (column * component.across + x) as usize;
                    self.block(part, place, known)?;
                }
            }
        }
        Ok(())
    }

    fn block(&mut self, part: usize, place: usize, known: &mut Known) -> Result<(), Stop> {
        let (scan, tables) = (self.scan, self.tables);
        if scan.first == 0 {
            match tables.means[part] {
                Some(table) => {
                    let length = self.bits.symbol(table)?;
                    self.bits.take(u32::from(length))?;
                }
                // A refinement of means is one bit.
                None => drop(self.bits.take(1)?),
            }
        }
        let Some(table) = tables.rest[part] else {
            return Ok(());
        };
        if !self.frame.progressive {
            return self.rest(table);
        }
        let known = &mut known[scan.parts[part].0][place];
        if scan.high == 0 {
            self.band(table, known)
        } else {
            self.refinement(table, known)
        }
    }

    /// All but the mean of a sequential block (F.2.2.2).
    fn rest(&mut self, table: &Table) -> Result<(), Stop> {
        let mut k = 1;
        while k < 64 {
            let symbol = self.bits.symbol(table)?;
            let (run, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if length == 0 {
                if run != 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            if k > 63 {
                return Err(BEYOND);
            }
            self.bits.take(length)?;
            k += 1;
        }
        Ok(())
    }

    /// The first scan of a band (G.1.2.2).
    fn band(&mut self, table: &Table, known: &mut u64) -> Result<(), Stop> {
        if self.empty > 0 {
            self.empty -= 1;
            return Ok(());
        }
        let last = u32::from(self.scan.last);
        let mut k = u32::from(self.scan.first);
        while k <= last {
            let symbol = self.bits.symbol(table)?;
            let (run, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if length == 0 {
                if run != 15 {
                    self.empty = (1 << run) - 1 + self.bits.take(run)?;
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            if k > last {
                return Err(BEYOND);
            }
            self.bits.take(length)?;
            *known |= 1 << k;
            k += 1;
        }
        Ok(())
    }

    /// A later scan of a band (G.1.2.3): what is known has a bit of correction, what is new a code.
    fn refinement(&mut self, table: &Table, known: &mut u64) -> Result<(), Stop> {
        let last = u32::from(self.scan.last);
        let mut k = u32::from(self.scan.first);
        let before = *known;
        let is_known = |k: u32| before >> k & 1 == 1;
        while self.empty == 0 && k <= last {
            let symbol = self.bits.symbol(table)?;
            let (mut run, length) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match length {
                0 if run != 15 => {
                    self.empty = (1 << run) + self.bits.take(run)?;
                    break;
                }
                0 => {}
                1 => drop(self.bits.take(1)?),
                _ => return Err(Stop::Damaged("a refinement of it is impossible")),
            }
            while k <= last {
                if is_known(k) {
                    self.bits.take(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if length == 1 {
                if k > last {
                    return Err(BEYOND);
                }
                *known |= 1 << k;
            }
            k += 1;
        }
        if self.empty > 0 {
            // At once: a run of such blocks may be long.
            let in_band = before & u64::MAX >> (63 - last);
            let mut left = in_band.checked_shr(k).unwrap_or(0).count_ones();
            while left > 0 {
                let next = left.min(15);
                self.bits.take(next)?;
                left -= next;
            }
            self.empty -= 1;
        }
        Ok(())
    }
}

const BEYOND: Stop = Stop::Damaged("a block of it has more than 64 values");
