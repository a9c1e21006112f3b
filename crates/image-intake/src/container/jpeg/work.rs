//! How much work a JPEG may ask for, counted in blocks and tables and never by the clock.
//!
//! A scan of a progressive file may say of 32,767 blocks at once that nothing is new in them, and a decoder goes through each
//! of them all the same, so hours of work fit into a few kilobytes ("Two Issues with the JPEG Standard", LJT-01-003, by
//! libjpeg-turbo, which leaves the limit to whoever calls it). Every encoder's files pass.

use super::frame::Frame;
use super::scan::Scan;
use crate::error::ImageError;
use crate::media_type::MediaType;

/// As many as Chromium's and Android's decoder takes. Encoders write about ten; four components with every bit on its own
/// take 60.
const MAX_SCANS: usize = 100;
/// Scripts of encoders go to a block six times in the mean, and eight at most.
const MAX_VISITS_OF_A_BLOCK: u64 = 10;
/// What any picture may take, however often that goes to each of its blocks: three times the largest photo of the default
/// limits in libjpeg's own script. A few seconds where each visit is as slow as it can be.
const MIN_VISITS: u64 = 32_000_000;
/// Each scan can name eight Huffman tables, four quantisation tables and an interval of its own; this is three times that
/// for all of them. More could only fill memory: a table of 17 bytes takes kilobytes once it can be decoded with.
const MAX_TABLES: usize = 4_096;

/// What was asked for so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) scans: usize,
    visits: u64,
    tables: usize,
}

impl Work {
    /// # Errors
    /// [`ImageError::TooComplex`] for one scan too many.
    pub(super) fn scan(&mut self, scan: &Scan, frame: &Frame) -> Result<(), ImageError> {
        self.scans += 1;
        self.visits += frame.visits(scan);
        if self.scans > MAX_SCANS {
            return Err(too_complex("it has more than 100 scans"));
        }
        if self.visits > MIN_VISITS.max(frame.blocks() as u64 * MAX_VISITS_OF_A_BLOCK) {
            return Err(too_complex(
                "its scans go over the whole picture more often than any encoder's",
            ));
        }
        Ok(())
    }

    /// # Errors
    /// [`ImageError::TooComplex`] for tables and restart intervals that no scan can use.
    pub(super) fn tables(&mut self, count: usize) -> Result<(), ImageError> {
        self.tables += count;
        if self.tables > MAX_TABLES {
            return Err(too_complex("it has more tables than its scans can use"));
        }
        Ok(())
    }
}

fn too_complex(reason: &'static str) -> ImageError {
    ImageError::TooComplex {
        format: MediaType::Jpeg,
        reason,
    }
}
