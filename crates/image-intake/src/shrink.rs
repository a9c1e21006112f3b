//! A picture made smaller as its rows come, in the memory of a few times the small one.
//!
//! Squares of whole pixels are averaged first, weighted by alpha, to at most four times the sides that are wanted; Lanczos3 does
//! the rest, as in [`scale_to_fit`](super::scale_to_fit). Never enlarges.

use super::glance::Glance;
use super::rgba::RgbaImage;
use super::scale::resized_part;

const PIXEL: usize = 4;
/// Up to this side Lanczos has the last factor of two to four; above, memory counts more.
const FINE_SIDE: u32 = 512;
/// Alpha of a pixel that nothing shines through.
const OPAQUE: u32 = 255;
/// Sums of a square of this many pixels fit in 32 bits.
const MOST_FACTOR: u32 = 256;

/// Takes rows; see [`Self::row`].
pub(super) struct Shrink {
    size: (u32, u32),
    target: (u32, u32),
    factor: u32,
    /// Colours weighted by alpha, and alpha, of the squares of the rows that came last.
    sums: Vec<[u32; PIXEL]>,
    rows_in_sums: u32,
    /// Whether there is anything in them.
    shows: bool,
    came: u32,
    squares: Vec<u8>,
}

/// Means of squares of a picture's pixels.
pub(super) struct Squares {
    pub(super) image: RgbaImage,
    /// What of it there is in the picture, in squares, from the left upper corner.
    part: (f64, f64),
}

impl Squares {
    /// The picture in this size.
    pub(super) fn resized(self, size: (u32, u32)) -> RgbaImage {
        resized_part(self.image, self.part, size)
    }
}

/// The size of a picture that is to have no side longer than `max_side`: its own where it fits.
pub(super) fn within(size: (u32, u32), max_side: u32) -> (u32, u32) {
    let (longest, max_side) = (size.0.max(size.1), max_side.max(1));
    if longest <= max_side {
        return size;
    }
    let fitted = |side: u32| {
        let scaled = u64::from(side) * u64::from(max_side) + u64::from(longest) / 2;
        u32::try_from(scaled / u64::from(longest)).unwrap_or(max_side)
    };
    (fitted(size.0).max(1), fitted(size.1).max(1))
}

impl Shrink {
    /// From rows of a picture of `size` to one of `target`, which is not larger; sides in pixels.
    pub(super) fn new(size: (u32, u32), target: (u32, u32)) -> Self {
        let target = (
            target.0.clamp(1, size.0.max(1)),
            target.1.clamp(1, size.1.max(1)),
        );
        Self::by(size, target, factor(size, target))
    }

    /// To squares alone, at least so many along the longer side, and less than twice as many: [`Self::finish_squares`].
    pub(super) fn to_squares(size: (u32, u32), least_side: u32) -> Self {
        let factor = size.0.max(size.1) / least_side.max(1);
        Self::by(size, size, factor.clamp(1, MOST_FACTOR))
    }

    fn by(size: (u32, u32), target: (u32, u32), factor: u32) -> Self {
        let across = size.0.div_ceil(factor) as usize;
        let down = size.1.div_ceil(factor) as usize;
        Self {
            size,
            target,
            factor,
            sums: vec![[0; PIXEL]; across],
            rows_in_sums: 0,
            shows: false,
            came: 0,
            squares: Vec::with_capacity(across * down * PIXEL),
        }
    }

    /// Pixels that are held at once for it, at most.
    pub(super) fn held_pixels(size: (u32, u32), target: (u32, u32)) -> u64 {
        let factor = factor(size, target);
        u64::from(size.0.div_ceil(factor)) * u64::from(size.1.div_ceil(factor))
    }

    /// The next row: straight-alpha RGBA from the column `left` on. What is left and right of it is transparent.
    pub(super) fn row(&mut self, left: usize, pixels: &[u8]) {
        let glance = Glance::of(pixels.as_chunks::<PIXEL>().0);
        self.row_of(left, pixels, &glance);
    }

    /// [`Self::row`], of which is known what shows.
    pub(super) fn row_of(&mut self, left: usize, pixels: &[u8], glance: &Glance) {
        let shown = &pixels.as_chunks::<PIXEL>().0[glance.shown.clone()];
        let left = left + glance.shown.start;
        if self.factor == 1 {
            let begins = self.squares.len();
            self.squares
                .resize(begins + self.size.0 as usize * PIXEL, 0);
            let row = self.squares[begins..].as_chunks_mut::<PIXEL>().0;
            row[left..left + shown.len()].copy_from_slice(shown);
        } else if !shown.is_empty() {
            self.add(left, shown, glance.is_solid());
            self.shows = true;
        }
        self.ends_row();
    }

    /// So many transparent rows.
    pub(super) fn skip(&mut self, rows: u32) {
        for _ in 0..rows {
            self.row(0, &[]);
        }
    }

    /// The smaller picture, once all rows came.
    pub(super) fn finish(self) -> Option<RgbaImage> {
        let target = self.target;
        Some(self.finish_squares()?.resized(target))
    }

    /// The squares, once all rows came.
    pub(super) fn finish_squares(mut self) -> Option<Squares> {
        if self.came != self.size.1 {
            return None;
        }
        self.end_squares();
        let (width, height) = (
            self.size.0.div_ceil(self.factor),
            self.size.1.div_ceil(self.factor),
        );
        let image = RgbaImage::new(width, height, self.squares)?;
        // The last squares may be cut: what they stand for is less than a square.
        let part = |side: u32| f64::from(side) / f64::from(self.factor);
        let part = (part(self.size.0), part(self.size.1));
        Some(Squares { image, part })
    }

    fn add(&mut self, left: usize, pixels: &[[u8; PIXEL]], solid: bool) {
        let factor = self.factor as usize;
        let first = (factor - left % factor) % factor;
        let (head, rest) = pixels.split_at(first.min(pixels.len()));
        let mut square = left / factor;
        if !head.is_empty() {
            add_to(&mut self.sums[square], head);
            square += 1;
        }
        let sums = self.sums.get_mut(square..).unwrap_or_default();
        // Of pictures of the usual sizes; to know how many pixels there are makes it quicker.
        match factor {
            2 => add_squares::<2>(sums, rest, solid),
            4 => add_squares::<4>(sums, rest, solid),
            5 => add_squares::<5>(sums, rest, solid),
            8 => add_squares::<8>(sums, rest, solid),
            _ => {
                for (sum, pixels) in sums.iter_mut().zip(rest.chunks(factor)) {
                    add_to(sum, pixels);
                }
            }
        }
    }

    fn ends_row(&mut self) {
        self.came += 1;
        self.rows_in_sums += 1;
        if self.rows_in_sums == self.factor {
            self.end_squares();
        }
    }

    fn end_squares(&mut self) {
        let rows = std::mem::take(&mut self.rows_in_sums);
        if rows == 0 || self.factor == 1 {
            return;
        }
        let begins = self.squares.len();
        self.squares.resize(begins + self.sums.len() * PIXEL, 0);
        if !std::mem::take(&mut self.shows) {
            return;
        }
        let squares = self.squares[begins..].as_chunks_mut::<PIXEL>().0;
        let cut = self.size.0 % self.factor;
        let whole = self.sums.len() - usize::from(cut > 0);
        let (mean, mean_of_cut) = (Mean::of(self.factor * rows), Mean::of(cut * rows));
        for (place, (square, sum)) in squares.iter_mut().zip(&mut self.sums).enumerate() {
            // Of most squares of most layers nothing shows.
            if sum[3] > 0 {
                let mean = if place < whole { &mean } else { &mean_of_cut };
                *square = mean.pixel(std::mem::take(sum));
            }
        }
    }
}

/// The mean of squares of so many pixels.
struct Mean {
    count: u32,
    /// A part of 2⁴⁰ by which multiplying is dividing by `count`, exactly: of less than 2²⁴ by no more than 2¹⁶.
    reciprocal: u64,
}

impl Mean {
    fn of(count: u32) -> Self {
        Self {
            count,
            reciprocal: (1_u64 << 40).div_ceil(u64::from(count.max(1))),
        }
    }

    /// Of their sums, to the nearest; some alpha there is.
    fn pixel(&self, [red, green, blue, alpha]: [u32; PIXEL]) -> [u8; PIXEL] {
        // Divisions take most of the time here, and most squares of most layers are opaque.
        if alpha == OPAQUE * self.count {
            let colour = |sum: u32| self.divided(sum / OPAQUE);
            return [colour(red), colour(green), colour(blue), u8::MAX];
        }
        let colour = |sum: u32| match sum.checked_add(alpha / 2) {
            Some(sum) => (sum / alpha) as u8,
            None => ((u64::from(sum) + u64::from(alpha / 2)) / u64::from(alpha)) as u8,
        };
        let alpha = self.divided(alpha);
        [colour(red), colour(green), colour(blue), alpha]
    }

    fn divided(&self, sum: u32) -> u8 {
        ((u64::from(sum + self.count / 2) * self.reciprocal) >> 40) as u8
    }
}

fn factor(size: (u32, u32), target: (u32, u32)) -> u32 {
    let finer = if target.0.max(target.1) <= FINE_SIDE {
        2
    } else {
        1
    };
    let across = size.0 / (target.0.max(1) * finer);
    let down = size.1 / (target.1.max(1) * finer);
    across.min(down).clamp(1, MOST_FACTOR)
}

fn add_squares<const SIDE: usize>(sums: &mut [[u32; PIXEL]], pixels: &[[u8; PIXEL]], solid: bool) {
    let (squares, rest) = pixels.as_chunks::<SIDE>();
    if solid {
        for (sum, pixels) in sums.iter_mut().zip(squares) {
            add_solid(sum, pixels);
        }
    } else {
        for (sum, pixels) in sums.iter_mut().zip(squares) {
            add_to(sum, pixels);
        }
    }
    if let Some(sum) = sums.get_mut(squares.len()) {
        add_to(sum, rest);
    }
}

/// [`add_to`] of pixels that are opaque.
fn add_solid<const COUNT: usize>(sum: &mut [u32; PIXEL], pixels: &[[u8; PIXEL]; COUNT]) {
    let mut colours = [0_u32; 3];
    for pixel in pixels {
        for (colour, value) in colours.iter_mut().zip(pixel) {
            *colour += u32::from(*value);
        }
    }
    for (sum, colour) in sum.iter_mut().zip(colours) {
        *sum += colour * OPAQUE;
    }
    sum[3] += COUNT as u32 * OPAQUE;
}

fn add_to(sum: &mut [u32; PIXEL], pixels: &[[u8; PIXEL]]) {
    for [red, green, blue, alpha] in pixels {
        // Most of a layer is, and adds nothing.
        if *alpha == 0 {
            continue;
        }
        let alpha = u32::from(*alpha);
        sum[0] += u32::from(*red) * alpha;
        sum[1] += u32::from(*green) * alpha;
        sum[2] += u32::from(*blue) * alpha;
        sum[3] += alpha;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale_to_fit;

    fn shrunk(image: &RgbaImage, max_side: u32) -> RgbaImage {
        let size = (image.width(), image.height());
        let mut shrink = Shrink::new(size, within(size, max_side));
        for row in image.pixels().chunks_exact(size.0 as usize * PIXEL) {
            shrink.row(0, row);
        }
        shrink.finish().unwrap()
    }

    /// Waves, with a soft alpha across.
    fn waves(width: u32, height: u32) -> RgbaImage {
        let pixels = (0..height).flat_map(|y| {
            (0..width).flat_map(move |x| {
                let wave = |at: u32, of: u32| {
                    (127.0 + 120.0 * (f64::from(at) / f64::from(of) * 9.0).sin()) as u8
                };
                [
                    wave(x, width),
                    wave(y, height),
                    wave(x + y, width + height),
                    (x * 255 / width) as u8,
                ]
            })
        });
        RgbaImage::new(width, height, pixels.collect()).unwrap()
    }

    #[test]
    fn it_is_the_picture_that_scaling_it_whole_gives() {
        for (size, side) in [
            ((1023, 517), 64),
            ((640, 641), 256),
            ((300, 7), 100),
            ((65, 33), 64),
            ((1500, 1400), 600),
        ] {
            let image = waves(size.0, size.1);
            let (small, whole) = (shrunk(&image, side), scale_to_fit(&image, side));
            assert_eq!(
                (small.width(), small.height()),
                (whole.width(), whole.height())
            );
            let pairs = small
                .pixels()
                .as_chunks::<4>()
                .0
                .iter()
                .zip(whole.pixels().as_chunks::<4>().0);
            for (at, (one, other)) in pairs.enumerate() {
                let far = |channel: usize| {
                    let alpha = f64::from(one[3].max(other[3])) / 255.0;
                    f64::from(one[channel].abs_diff(other[channel]))
                        * if channel < 3 { alpha } else { 1.0 }
                };
                for channel in 0..4 {
                    assert!(
                        far(channel) <= 8.0,
                        "{size:?} to {side}, pixel {at}: {one:?} {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_lies_in_place_is_what_whole_rows_give() {
        let image = waves(90, 40);
        for (left, top, width, canvas, side) in [
            (0, 0, 90, (90, 40), 9),
            (7, 5, 90, (200, 61), 20),
            (13, 3, 90, (103, 43), 103),
        ] {
            let mut placed = Shrink::new(canvas, within(canvas, side));
            let mut whole = Shrink::new(canvas, within(canvas, side));
            placed.skip(top);
            whole.skip(top);
            for row in image.pixels().chunks_exact(width * PIXEL) {
                placed.row(left, row);
                let mut full = vec![0; canvas.0 as usize * PIXEL];
                full[left * PIXEL..][..row.len()].copy_from_slice(row);
                whole.row(0, &full);
            }
            let below = canvas.1 - top - 40;
            placed.skip(below);
            whole.skip(below);
            assert!(placed.finish() == whole.finish());
        }
    }

    #[test]
    fn an_opaque_square_has_the_mean_that_any_other_way_to_it_gives() {
        let plain = |sum: u32, count: u32| {
            let alpha = u64::from(OPAQUE * count);
            ((u64::from(sum) + alpha / 2) / alpha) as u8
        };
        for count in [1, 2, 3, 4, 16, 25, 35, 255, 256, 40_000, 65_535, 65_536] {
            for sum in (0..=u32::from(u8::MAX) * count).step_by(1 + count as usize / 300) {
                let weighted = sum * OPAQUE;
                let found = Mean::of(count).pixel([weighted, 0, weighted, OPAQUE * count]);
                let wanted = plain(weighted, count);
                assert_eq!(found, [wanted, 0, wanted, u8::MAX], "{sum} of {count}");
            }
        }
    }

    #[test]
    fn opaque_squares_are_summed_as_any_others() {
        let image = waves(83, 9);
        let mut pixels = image.pixels().as_chunks::<PIXEL>().0[..83].to_vec();
        pixels.iter_mut().for_each(|pixel| pixel[3] = u8::MAX);
        let summed = |solid| {
            let mut sums = [[7; PIXEL]; 17];
            add_squares::<5>(&mut sums, &pixels, solid);
            sums
        };
        assert_eq!(summed(true), summed(false));
        assert_eq!(summed(true)[16][3], 7 + 3 * OPAQUE);
    }

    #[test]
    fn a_square_of_white_keeps_its_sums() {
        let side = 16_384;
        let mut shrink = Shrink::new((side, 300), (10, 1));
        assert_eq!(shrink.factor, 150);
        let row = vec![255; side as usize * PIXEL];
        for _ in 0..300 {
            shrink.row(0, &row);
        }
        assert!(
            shrink
                .finish()
                .unwrap()
                .pixels()
                .iter()
                .all(|value| *value == 255)
        );
        let mut most = [0; PIXEL];
        for _ in 0..MOST_FACTOR {
            add_to(&mut most, &vec![[255; PIXEL]; MOST_FACTOR as usize]);
        }
        assert_eq!(most[0], MOST_FACTOR * MOST_FACTOR * 255 * 255);
    }
}
