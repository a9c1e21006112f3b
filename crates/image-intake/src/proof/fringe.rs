//! Halos: soft edges whose colour is not that of what they are the edge of. Along rows alone.

/// Soft pixels lie between these; below, the colour hardly shows.
const SOFT: std::ops::Range<u8> = 32..224;
/// From here on a pixel is whole.
const WHOLE: u8 = 248;
/// How far from a whole pixel an edge reaches.
const REACH: usize = 4;

/// Of one layer.
#[derive(Default)]
pub(super) struct Fringe {
    far: u64,
    pixels: u64,
}

impl Fringe {
    /// A row, or the part of it that shows anything.
    pub(super) fn row(&mut self, pixels: &[[u8; 4]]) {
        for (at, pixel) in pixels.iter().enumerate() {
            if !SOFT.contains(&pixel[3]) {
                continue;
            }
            let whole = |other: &&[u8; 4]| other[3] >= WHOLE;
            let before = pixels[at.saturating_sub(REACH)..at].iter().rev();
            let behind = pixels[at + 1..].iter().take(REACH);
            for whole in [before.clone().find(whole), behind.clone().find(whole)] {
                let Some(whole) = whole else { continue };
                let far = (0..3).map(|at| u64::from(pixel[at].abs_diff(whole[at])));
                self.far += far.sum::<u64>();
                self.pixels += 1;
            }
        }
    }

    /// From 0 to 1; none without soft edges.
    pub(super) fn mean(&self) -> Option<f32> {
        (self.pixels > 0).then(|| self.far as f32 / (self.pixels * 3 * 255) as f32)
    }
}
