//! How far a stack is from its picture: the error of each pixel, the largest of its channels', counted as rows come.

use super::{PIXEL, Tile, rounded};

/// Side of the squares of which the worst is told.
const TILE: usize = 64;
/// Errors are counted in so many columns in turn, since the next one of the same size would wait for the last.
const COLUMNS: usize = 4;

/// Errors so far.
pub(super) struct Tally {
    size: (u32, u32),
    rows: u32,
    /// How many pixels have each error.
    errors: [[u64; 256]; COLUMNS],
    squares: u64,
    uncovered: u64,
    tiles: Vec<u64>,
    worst: Tile,
}

/// What they come to.
pub(super) struct Errors {
    pub(super) mean: f32,
    pub(super) p99: u8,
    pub(super) psnr: Option<f32>,
    pub(super) worst: Tile,
    pub(super) uncovered: f32,
}

impl Tally {
    /// Of a canvas in pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self {
            size: (width, height),
            rows: 0,
            errors: [[0; 256]; COLUMNS],
            squares: 0,
            uncovered: 0,
            tiles: vec![0; (width as usize).div_ceil(TILE)],
            worst: Tile {
                x: 0,
                y: 0,
                width: width.min(TILE as u32),
                height: height.min(TILE as u32),
                mean: -1.0,
            },
        }
    }

    /// The next row of the picture, `opaque` or with straight alpha, and what was laid, premultiplied.
    pub(super) fn row(&mut self, picture: &[[u8; PIXEL]], opaque: bool, laid: &[[u8; PIXEL]]) {
        for (place, (meant, found)) in picture.chunks(TILE).zip(laid.chunks(TILE)).enumerate() {
            let sum = if !opaque {
                let mut whole = [[0; PIXEL]; TILE];
                for (whole, meant) in whole.iter_mut().zip(meant) {
                    *whole = premultiplied(*meant);
                }
                self.tile(&whole[..meant.len()], found)
            } else if meant == found {
                self.errors[0][0] += meant.len() as u64;
                0
            } else {
                self.tile(meant, found)
            };
            self.tiles[place] += sum;
        }
        self.rows += 1;
        if (self.rows as usize).is_multiple_of(TILE) || self.rows == self.size.1 {
            self.end_tiles();
        }
    }

    /// The sum of the errors of a part of a row.
    fn tile(&mut self, meant: &[[u8; PIXEL]], found: &[[u8; PIXEL]]) -> u64 {
        let (mut sum, mut squares, mut uncovered) = (0_u32, 0_u32, 0_u32);
        for (at, (meant, found)) in meant.iter().zip(found).enumerate() {
            let far: [u8; PIXEL] = std::array::from_fn(|at| meant[at].abs_diff(found[at]));
            let error = far[0].max(far[1]).max(far[2].max(far[3]));
            self.errors[at % COLUMNS][usize::from(error)] += 1;
            sum += u32::from(error);
            let square = |at: usize| u32::from(far[at]) * u32::from(far[at]);
            squares += square(0) + square(1) + square(2);
            uncovered += u32::from(meant[3].saturating_sub(found[3]));
        }
        self.squares += u64::from(squares);
        self.uncovered += u64::from(uncovered);
        u64::from(sum)
    }

    fn end_tiles(&mut self) {
        let height = (self.rows - 1) % TILE as u32 + 1;
        for (place, sum) in self.tiles.iter_mut().enumerate() {
            let x = (place * TILE) as u32;
            let width = (self.size.0 - x).min(TILE as u32);
            let mean = std::mem::take(sum) as f32 / (width * height) as f32;
            if mean > self.worst.mean {
                let y = self.rows - height;
                self.worst = Tile {
                    x,
                    y,
                    width,
                    height,
                    mean,
                };
            }
        }
    }

    pub(super) fn finish(self) -> Errors {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let counts: [u64; 256] =
            std::array::from_fn(|error| self.errors.iter().map(|column| column[error]).sum());
        let sum: u64 = counts
            .iter()
            .zip(0_u64..)
            .map(|(count, error)| count * error)
            .sum();
        let share = |part: u64, whole: u64| (part as f64 / whole.max(1) as f64) as f32;
        let mean_square = self.squares as f64 / (pixels * 3) as f64;
        Errors {
            mean: share(sum, pixels),
            p99: percentile(&counts, pixels),
            psnr: (self.squares > 0).then(|| (10.0 * (255.0 * 255.0 / mean_square).log10()) as f32),
            worst: self.worst,
            uncovered: share(self.uncovered, pixels * 255),
        }
    }
}

/// No more than a hundredth of the pixels lies above it.
fn percentile(errors: &[u64; 256], pixels: u64) -> u8 {
    let mut above = 0;
    for (error, count) in (0..=u8::MAX).zip(errors).rev() {
        above += count;
        if above > pixels / 100 {
            return error;
        }
    }
    0
}

fn premultiplied([red, green, blue, alpha]: [u8; PIXEL]) -> [u8; PIXEL] {
    if alpha == u8::MAX {
        return [red, green, blue, alpha];
    }
    let with = |value: u8| rounded(u32::from(value) * u32::from(alpha));
    [with(red), with(green), with(blue), alpha]
}
