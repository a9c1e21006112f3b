//! The four channels of a layer, packed row by row as its pixels come; each is a table of row lengths and the rows, or one
//! zlib stream.

use std::io::{self, Write};

use super::{Compression, Form};
use crate::composite::PIXEL;
use crate::packbits::{pack, packed_length};

/// Alpha, red, green, blue: the order in which Photoshop writes them.
pub(super) const CHANNELS: [(i16, usize); 4] = [(-1, 3), (0, 0), (1, 1), (2, 2)];

/// The samples of one channel of a row of RGBA. What is fully transparent becomes black, so that it packs well.
pub(super) fn channel(row: &[u8], place: usize, samples: &mut Vec<u8>) {
    let pixels = row.as_chunks::<PIXEL>().0;
    samples.resize(pixels.len(), 0);
    let shift = place * 8;
    // In this form it is compiled to work on many pixels at once.
    for (sample, pixel) in samples.iter_mut().zip(pixels) {
        let pixel = u32::from_le_bytes(*pixel);
        let shown = if pixel < 0x0100_0000 { 0 } else { pixel };
        *sample = (shown >> shift) as u8;
    }
}

/// The samples of one channel as they are.
pub(super) fn samples(row: &[u8], place: usize, samples: &mut Vec<u8>) {
    let pixels = row.as_chunks::<PIXEL>().0;
    samples.resize(pixels.len(), 0);
    for (sample, pixel) in samples.iter_mut().zip(pixels) {
        *sample = (u32::from_le_bytes(*pixel) >> (place * 8)) as u8;
    }
}

/// The channels of a layer.
pub(super) struct Planes {
    width: usize,
    spare: Vec<u8>,
    packers: [Packer; 4],
}

enum Packer {
    PackBits { lengths: Vec<u32>, rows: Vec<u8> },
    Zip(Box<flate2::write::ZlibEncoder<Vec<u8>>>),
}

impl Planes {
    pub(super) fn new(width: u32, compression: Compression) -> Self {
        Self {
            width: width as usize,
            spare: Vec::new(),
            packers: std::array::from_fn(|_| match compression {
                Compression::PackBits => Packer::PackBits {
                    lengths: Vec::new(),
                    rows: Vec::new(),
                },
                Compression::Zip => Packer::Zip(Box::new(flate2::write::ZlibEncoder::new(
                    Vec::new(),
                    flate2::Compression::fast(),
                ))),
            }),
        }
    }

    pub(super) fn rows(&mut self, rows: &[u8]) -> io::Result<()> {
        for row in rows.chunks_exact(self.width * PIXEL) {
            for (packer, (_, place)) in self.packers.iter_mut().zip(CHANNELS) {
                channel(row, place, &mut self.spare);
                match packer {
                    Packer::PackBits { lengths, rows } => {
                        let before = rows.len();
                        pack(&self.spare, rows);
                        lengths.push((rows.len() - before) as u32);
                    }
                    Packer::Zip(zip) => {
                        differences(&mut self.spare);
                        zip.write_all(&self.spare)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What stands in the file for each channel, in pieces.
    pub(super) fn finish(self, form: Form) -> io::Result<Vec<Vec<Vec<u8>>>> {
        let of = |packer| {
            Ok(match packer {
                Packer::PackBits { lengths, rows } => {
                    vec![vec![0, 1], row_lengths(&lengths, form), rows]
                }
                Packer::Zip(zip) => vec![vec![0, 3], zip.finish()?],
            })
        };
        self.packers.into_iter().map(of).collect()
    }
}

/// The table before packed rows.
pub(super) fn row_lengths(lengths: &[u32], form: Form) -> Vec<u8> {
    match form {
        // A row of 30,000 samples has at most 30,235 bytes.
        Form::Psd => lengths
            .iter()
            .flat_map(|length| (*length as u16).to_be_bytes())
            .collect(),
        Form::Psb => lengths
            .iter()
            .flat_map(|length| length.to_be_bytes())
            .collect(),
    }
}

/// Each sample less the one before it.
fn differences(samples: &mut [u8]) {
    for at in (1..samples.len()).rev() {
        samples[at] = samples[at].wrapping_sub(samples[at - 1]);
    }
}

/// How long each channel becomes by PackBits, counted as rows come.
#[derive(Clone, Default)]
pub(super) struct Counted {
    pub(super) lengths: [u64; 4],
    spare: Vec<u8>,
}

impl Counted {
    /// A layer without rows.
    pub(super) fn new() -> Self {
        Self {
            lengths: [2; 4],
            spare: Vec::new(),
        }
    }

    pub(super) fn rows(&mut self, rows: &[u8], width: u32, form: Form) {
        let entry = match form {
            Form::Psd => 2,
            Form::Psb => 4,
        };
        for row in rows.chunks_exact(width as usize * PIXEL) {
            for (length, (_, place)) in self.lengths.iter_mut().zip(CHANNELS) {
                channel(row, place, &mut self.spare);
                *length += entry + packed_length(&self.spare) as u64;
            }
        }
    }
}
