//! A variant of one layer's file: cut to what shows, smaller, as WebP.

use std::io;

use image_intake::Limits;

use super::stored::limits;
use crate::jobs::{Layer, LayerVariant, MediaType};

/// Pixels that making one may hold: 320 MB, as much as the largest picture does while it is decoded.
const MOST_HELD: u64 = 80_000_000;

/// How a variant is made of its layer.
#[derive(Clone, Copy, Debug)]
pub struct VariantPlan {
    variant: image_intake::LayerVariant,
    /// Of the layer's file.
    limits: Limits,
    /// Pixels of the layer that are decoded at once.
    decoded: u64,
}

impl VariantPlan {
    /// None for one that its format cannot hold, or that would need too much memory.
    #[must_use]
    pub fn of(layer: &Layer, variant: LayerVariant) -> Option<Self> {
        let variant = image_intake::LayerVariant {
            part: variant.part(layer),
            size: variant.pixels(layer),
            format: variant.format,
        };
        // What is no PNG is decoded whole.
        let whole = u64::from(layer.width) * u64::from(layer.height) * 2;
        let decoded = if layer.media_type == MediaType::Png {
            0
        } else {
            whole
        };
        let plan = Self {
            variant,
            limits: limits(layer),
            decoded,
        };
        (variant.fits_format() && plan.held() <= MOST_HELD).then_some(plan)
    }

    fn held(&self) -> u64 {
        self.variant.held_pixels() + self.decoded
    }

    /// What making it holds, in megapixels of four bytes.
    #[must_use]
    pub fn cost_megapixels(&self) -> u32 {
        u32::try_from(self.held().div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    /// Makes it of the layer's file; on a thread that may block.
    ///
    /// # Errors
    /// A layer that is not what its row says.
    pub fn make(&self, file: &[u8]) -> io::Result<Vec<u8>> {
        self.variant.of(file, &self.limits)
    }
}
