//! One look at the alpha of a layer's row, which measuring and proving share: most rows of most layers are clear or opaque, and
//! little has to be done for those.

use std::ops::Range;

const PIXEL: usize = 4;

/// Of a row of straight-alpha RGBA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glance {
    /// From the first pixel with any alpha to behind the last one; empty where nothing shows.
    pub(super) shown: Range<usize>,
    /// The sum of all alpha.
    pub(super) alpha: u64,
    /// Pixels that are fully opaque.
    pub(super) opaque: usize,
    /// The lowest and the highest alpha.
    pub(super) least: u8,
    pub(super) most: u8,
}

impl Glance {
    pub(super) fn of(pixels: &[[u8; PIXEL]]) -> Self {
        let (mut sum, mut opaque) = (0_u64, 0);
        let (mut least, mut most) = (u32::from(u8::MAX), 0);
        // In blocks whose sums fit into 32 bits, and in words, which compilers make wide instructions of.
        for block in pixels.chunks(4096) {
            let (mut block_sum, mut block_opaque) = (0_u32, 0_u32);
            for pixel in block {
                let alpha = u32::from_le_bytes(*pixel) >> 24;
                block_sum += alpha;
                block_opaque += u32::from(alpha == u32::from(u8::MAX));
                least = least.min(alpha);
                most = most.max(alpha);
            }
            sum += u64::from(block_sum);
            opaque += block_opaque as usize;
        }
        Self {
            shown: shown(pixels, least, most),
            alpha: sum,
            opaque,
            least: least as u8,
            most: most as u8,
        }
    }

    /// Whether all that shows is fully opaque.
    pub(super) fn is_solid(&self) -> bool {
        self.opaque == self.shown.len()
    }
}

fn shown(pixels: &[[u8; PIXEL]], least: u32, most: u32) -> Range<usize> {
    if most == 0 {
        return 0..0;
    }
    if least > 0 {
        return 0..pixels.len();
    }
    let visible = |pixel: &[u8; PIXEL]| pixel[3] > 0;
    let first = pixels.iter().position(visible).unwrap_or(0);
    let last = pixels.iter().rposition(visible).unwrap_or(first);
    first..last + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(alphas: &[u8]) -> Glance {
        let pixels: Vec<[u8; PIXEL]> = alphas.iter().map(|alpha| [9, 8, 7, *alpha]).collect();
        Glance::of(&pixels)
    }

    #[test]
    fn it_is_what_each_pixel_says() {
        let glance = of(&[0, 0, 7, 0, 255, 255, 0]);
        assert_eq!((glance.shown.clone(), glance.alpha), (2..6, 517));
        assert_eq!((glance.opaque, glance.least, glance.most), (2, 0, 255));
        assert!(!glance.is_solid());
        assert!(of(&[0, 255, 255]).is_solid() && of(&[0, 0]).is_solid());
        assert_eq!((of(&[0; 9]).shown, of(&[1, 2]).shown), (0..0, 0..2));
        assert_eq!(of(&[255; 10_000]).alpha, 2_550_000);
        let nothing = of(&[]);
        assert!(nothing.shown.is_empty() && nothing.is_solid());
    }
}
