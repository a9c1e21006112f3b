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
    pub(super) fn row(&mut self, pixels: &[[u8; 4]]) {
        self.along(pixels.iter());
        self.along(pixels.iter().rev());
    }

    /// Soft pixels that come after a whole one.
    fn along<'a>(&mut self, pixels: impl Iterator<Item = &'a [u8; 4]>) {
        let (mut whole, mut since) = ([0; 4], REACH + 1);
        for pixel in pixels {
            if pixel[3] >= WHOLE {
                (whole, since) = (*pixel, 0);
                continue;
            }
            since = since.saturating_add(1);
            if since <= REACH && SOFT.contains(&pixel[3]) {
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
