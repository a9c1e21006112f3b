//! The frame of a JPEG: its size, its components and how many blocks each has (ITU-T T.81, A.1, A.2 and B.2.2).

use super::scan::Scan;
use super::{corrupt, unsupported};
use crate::container::LEAST_PIXEL_BITS;
use crate::error::ImageError;

/// What the frame header declares.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// MCUs of a scan of several components.
    pub(super) mcus: (u32, u32),
}

#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) across: u32,
    pub(super) down: u32,
    pub(super) quantisation: u8,
    /// Blocks in a scan of this component alone.
    pub(super) alone: (u32, u32),
    /// Blocks of a row, with those that only fill an MCU.
    pub(super) stride: u32,
}

impl Frame {
    pub(super) fn read(marker: u8, body: &[u8]) -> Result<Self, ImageError> {
        let [bits, h1, h0, w1, w0, count, ..] = *body else {
            return Err(corrupt("its frame header is too short"));
        };
        if bits != 8 {
            return Err(unsupported("more than 8 bits a sample"));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(unsupported(
                "a number of colour components other than 1, 3 or 4",
            ));
        }
        let height = u32::from(u16::from_be_bytes([h1, h0]));
        if height == 0 {
            return Err(unsupported("a height that is declared behind the picture"));
        }
        let width = u32::from(u16::from_be_bytes([w1, w0]));
        let Some(declared) = body[6..].as_chunks::<3>().0.get(..usize::from(count)) else {
            return Err(corrupt("its frame header is too short"));
        };
        let factors = || {
            declared
                .iter()
                .map(|[_, factors, _]| (u32::from(factors >> 4), u32::from(factors & 15)))
        };
        if factors().any(|(across, down)| !(1..=4).contains(&across) || !(1..=4).contains(&down)) {
            return Err(corrupt("its sampling factors are impossible"));
        }
        let most_across = factors().map(|(across, _)| across).max().unwrap_or(1);
        let most_down = factors().map(|(_, down)| down).max().unwrap_or(1);
        if factors().any(|(across, down)| most_across % across != 0 || most_down % down != 0) {
            return Err(unsupported(
                "sampling factors of which one is no multiple of the other",
            ));
        }
        let mcus = (
            width.div_ceil(8 * most_across),
            height.div_ceil(8 * most_down),
        );
        let components = declared
            .iter()
            .zip(factors())
            .map(|([id, _, quantisation], (across, down))| Component {
                id: *id,
                across,
                down,
                quantisation: *quantisation,
                alone: (
                    (width * across).div_ceil(most_across).div_ceil(8),
                    (height * down).div_ceil(most_down).div_ceil(8),
                ),
                stride: mcus.0 * across,
            })
            .collect();
        Ok(Self {
            width,
            height,
            progressive: marker == 0xC2,
            components,
            mcus,
        })
    }

    /// A decoder keeps the coefficients of all components, two bytes each, until the last scan was read, and then makes
    /// RGBA of them.
    pub(super) fn pixel_bits_of_scans(&self) -> u64 {
        let pixels = (u64::from(self.width) * u64::from(self.height)).max(1);
        let coefficients = (self.blocks() as u64 * 64 * 16).div_ceil(pixels);
        LEAST_PIXEL_BITS.max(32 + coefficients)
    }

    /// Blocks of all components together, those that only fill an MCU left out.
    pub(super) fn blocks(&self) -> usize {
        let blocks =
            |component: &Component| component.alone.0 as usize * component.alone.1 as usize;
        self.components.iter().map(blocks).sum()
    }

    /// Blocks that a scan goes through.
    pub(super) fn visits(&self, scan: &Scan) -> u64 {
        let component = |part: &(usize, u8, u8)| &self.components[part.0];
        if let [part] = &scan.parts[..] {
            let (across, down) = component(part).alone;
            return u64::from(across) * u64::from(down);
        }
        let in_mcu = (scan.parts.iter().map(component))
            .map(|component| u64::from(component.across * component.down))
            .sum::<u64>();
        u64::from(self.mcus.0) * u64::from(self.mcus.1) * in_mcu
    }
}
