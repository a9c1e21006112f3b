//! Huffman codes and the bits they are written in (ITU-T T.81, annexes C and F.2.2).
//!
//! Reads exactly, and says why it cannot: a decoder that goes on with zeros where the data ended is how half a picture
//! passes for a whole one.

/// What stops a scan from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The data ended, or a marker came, before the last block.
    Short,
    /// Bits that mean nothing.
    Damaged(&'static str),
}

/// Codes up to this length are found in one step; nearly all are.
const FAST_BITS: u32 = 9;

/// One table, ready to decode with.
#[derive(Clone)]
pub(super) struct Table {
    /// By the next nine bits: symbol and, above it, the code's length; 0 for longer codes.
    fast: Box<[u16; 1 << FAST_BITS]>,
    /// For each length: first code, number of codes, and where their symbols begin.
    lengths: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
}

impl Table {
    /// From the counts of codes of each length and the symbols in order (T.81, annex C.2).
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut fast = Box::new([0; 1 << FAST_BITS]);
        let mut lengths = [(0, 0, 0); 17];
        let (mut code, mut at) = (0_u32, 0_usize);
        for (length, count) in (1_u32..).zip(counts) {
            let count = u32::from(*count);
            // No code may be all ones (C.2, and every decoder refuses it).
            if count > 0 && code + count >= 1 << length {
                return None;
            }
            lengths[length as usize] = (code, count, at);
            for symbol in symbols.get(at..at + count as usize)? {
                if length <= FAST_BITS {
                    let first = (code << (FAST_BITS - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(*symbol);
                    fast[first..first + (1 << (FAST_BITS - length))].fill(entry);
                }
                code += 1;
            }
            at += count as usize;
            code <<= 1;
        }
        Some(Self {
            fast,
            lengths,
            symbols: symbols[..at].to_vec(),
        })
    }

    /// Whether every symbol is a length of at most 15 bits, as those of means have to be.
    pub(super) fn suits_means(&self) -> bool {
        self.symbols.iter().all(|symbol| *symbol <= 15)
    }
}

/// The bits of one scan, across its stuffing, up to a marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// For each held byte, newest in the lowest bit, whether a stuffed zero follows it.
    stuffed: u64,
    ended: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            held: 0,
            count: 0,
            stuffed: 0,
            ended: false,
        }
    }

    fn refill(&mut self) {
        while self.count <= 56 && !self.ended {
            match self.bytes.get(self.at) {
                None => self.ended = true,
                Some(0xFF) if self.bytes.get(self.at + 1) == Some(&0) => {
                    self.hold(0xFF, true);
                    self.at += 2;
                }
                Some(0xFF) => self.ended = true,
                Some(byte) => {
                    self.hold(*byte, false);
                    self.at += 1;
                }
            }
        }
    }

    fn hold(&mut self, byte: u8, stuffed: bool) {
        self.held = self.held << 8 | u64::from(byte);
        self.count += 8;
        self.stuffed = self.stuffed << 1 | u64::from(stuffed);
    }

    /// The next `length` bits, at most 16, zeros where the data has ended.
    fn peek(&mut self, length: u32) -> u32 {
        if self.count < length {
            self.refill();
        }
        let mask = (1_u64 << length) - 1;
        let bits = if self.count >= length {
            self.held >> (self.count - length)
        } else {
            self.held << (length - self.count)
        };
        (bits & mask) as u32
    }

    fn skip(&mut self, length: u32) -> Result<(), Stop> {
        self.count = self.count.checked_sub(length).ok_or(Stop::Short)?;
        Ok(())
    }

    /// A number of `length` bits, at most 15.
    pub(super) fn take(&mut self, length: u32) -> Result<u32, Stop> {
        let bits = self.peek(length);
        self.skip(length)?;
        Ok(bits)
    }

    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Stop> {
        let ahead = self.peek(16);
        let entry = table.fast[(ahead >> (16 - FAST_BITS)) as usize];
        if entry != 0 {
            self.skip(u32::from(entry >> 8))?;
            return Ok(entry as u8);
        }
        for length in FAST_BITS + 1..=16 {
            let (first, count, at) = table.lengths[length as usize];
            let code = ahead >> (16 - length);
            if code >= first && code - first < count {
                self.skip(length)?;
                return Ok(table.symbols[at + (code - first) as usize]);
            }
        }
        // Zeros behind the end may look like an impossible code.
        Err(if self.count < 16 && self.ended {
            Stop::Short
        } else {
            Stop::Damaged("its data holds an impossible code")
        })
    }

    /// Where the last byte that was used ends.
    pub(super) fn end(&self) -> usize {
        let unused = self.count / 8;
        let stuffed = (self.stuffed & ((1_u64 << unused) - 1)).count_ones();
        self.at - (unused + stuffed) as usize
    }

    /// What a stop means: at a restart marker the file goes on, so what is missing was not cut off.
    pub(super) fn judged(&self, stop: Stop) -> Stop {
        match super::next_marker(self.bytes, self.at) {
            Some((_, 0xD0..=0xD7)) if stop == Stop::Short => {
                Stop::Damaged("a restart marker stands in the middle of its data")
            }
            _ => stop,
        }
    }

    /// Goes on behind the restart marker of this number; answers whether anything stood before it.
    pub(super) fn restart(&mut self, number: u8) -> Result<bool, Stop> {
        let end = self.end();
        let (start, marker) = super::next_marker(self.bytes, end).ok_or(Stop::Short)?;
        if marker == 0xD0 + number {
            *self = Self::new(self.bytes, start + 2);
            return Ok(start != end);
        }
        Err(match marker {
            0xD0..=0xD7 => Stop::Damaged("a part of it is missing between two restart markers"),
            0x00 => Stop::Damaged("a restart marker is missing"),
            _ => Stop::Short,
        })
    }
}
