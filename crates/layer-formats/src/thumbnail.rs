//! A small picture, averaged from rows as they come, weighted by alpha so that edges keep their colours.

use super::composite::PIXEL;

/// The largest picture of the same shape that fits a square; never larger than the picture.
pub(crate) struct Thumbnail {
    from: (u32, u32),
    size: (u32, u32),
    next: u32,
    /// Of each pixel: red, green and blue times alpha, alpha, and how many pixels there were.
    sums: Vec<[u64; 5]>,
}

impl Thumbnail {
    pub(crate) fn new(width: u32, height: u32, side: u32) -> Self {
        let longest = width.max(height).max(1);
        let shrunk = |length: u32| {
            let exact = u64::from(length) * u64::from(side) / u64::from(longest);
            exact.clamp(1, u64::from(u32::MAX)) as u32
        };
        let size = if longest <= side {
            (width, height)
        } else {
            (shrunk(width), shrunk(height))
        };
        Self {
            from: (width, height),
            size,
            next: 0,
            sums: vec![[0; 5]; size.0 as usize * size.1 as usize],
        }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The next whole rows of RGBA.
    pub(crate) fn rows(&mut self, rows: &[u8]) {
        let (width, height) = self.from;
        for row in rows.chunks_exact(width as usize * PIXEL) {
            let line = u64::from(self.next) * u64::from(self.size.1) / u64::from(height.max(1));
            self.next += 1;
            let sums = &mut self.sums[line as usize * self.size.0 as usize..];
            let sums = &mut sums[..self.size.0 as usize];
            // The place of a column is carried along: a division for each pixel would take most of the time.
            let (mut place, mut part) = (0, 0);
            for [red, green, blue, alpha] in row.as_chunks::<4>().0 {
                let sum = &mut sums[place];
                let weight = u64::from(*alpha);
                sum[0] += u64::from(*red) * weight;
                sum[1] += u64::from(*green) * weight;
                sum[2] += u64::from(*blue) * weight;
                sum[3] += weight;
                sum[4] += 1;
                part += self.size.0;
                if part >= width {
                    part -= width;
                    place += 1;
                }
            }
        }
    }

    /// Straight-alpha RGBA.
    pub(crate) fn pixels(&self) -> Vec<u8> {
        let mean = |sum: u64, count: u64| ((sum + count / 2) / count.max(1)) as u8;
        let of = |[red, green, blue, alpha, count]: &[u64; 5]| {
            [
                mean(*red, *alpha),
                mean(*green, *alpha),
                mean(*blue, *alpha),
                mean(*alpha, *count),
            ]
        };
        self.sums.iter().flat_map(of).collect()
    }

    /// RGB on white.
    pub(crate) fn on_white(&self) -> Vec<u8> {
        let pixels = self.pixels();
        let pixels = pixels.as_chunks::<4>().0.iter();
        pixels
            .flat_map(|[red, green, blue, alpha]| {
                [*red, *green, *blue].map(|value| on_white(value, *alpha))
            })
            .collect()
    }
}

/// A colour as it looks on white under this alpha.
pub(crate) fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}
