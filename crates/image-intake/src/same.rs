//! Whether a frame is the source itself.
//!
//! An engine may hand the whole source back among its layers, scaled and with the small losses of
//! its own coding; such a frame is no layer. It must not be confused with a background from which
//! only a little was removed, nor with a cut-out on transparent ground that happens to look like
//! the source when laid on its colour.

use fast_image_resize::FilterType;

use super::rgba::RgbaImage;
use super::scale::resized;

/// Both pictures are compared at this longer side, where coding noise has averaged out.
const COMPARED_SIDE: u32 = 128;
/// Side of the square cells that differences are also averaged over, at the compared size.
const CELL: usize = 8;
/// Shapes that differ more than this are never the same picture.
const SHAPE_TOLERANCE: f64 = 0.04;

/// How much two pictures differ, in levels of 0–255, as means of |R|, |G| and |B| differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Over the whole picture.
    pub mean: f32,
    /// Over the worst of the cells of 8 × 8 pixels (of 128 along the longer side).
    pub worst_cell: f32,
}

impl Difference {
    /// Up to this mean two pictures are the same. Lossy coding of a whole picture costs 1 to 4.
    pub const SAME_MEAN: f32 = 6.0;
    /// Up to this mean in the worst cell two pictures are the same. An object taken out of a
    /// picture changes its cells by 40 and more, however small its share of the picture.
    pub const SAME_WORST_CELL: f32 = 28.0;

    /// Whether this little difference means the same picture.
    #[must_use]
    pub fn is_same_picture(self) -> bool {
        self.mean <= Self::SAME_MEAN && self.worst_cell <= Self::SAME_WORST_CELL
    }
}

/// Whether `a` and `b` show the same, allowing for scaling and lossy coding.
#[must_use]
pub fn same_picture(a: &RgbaImage, b: &RgbaImage) -> bool {
    difference(a, b).is_some_and(Difference::is_same_picture)
}

/// The difference of two pictures brought to one size; `None` when their shapes differ.
///
/// Both are laid on black and on white and the larger difference counts, so that transparency is
/// never mistaken for a colour.
#[must_use]
pub fn difference(a: &RgbaImage, b: &RgbaImage) -> Option<Difference> {
    let shape = |image: &RgbaImage| f64::from(image.width()) / f64::from(image.height());
    let ratio = shape(a) / shape(b);
    if !(1.0 - SHAPE_TOLERANCE..=1.0 + SHAPE_TOLERANCE).contains(&ratio) {
        return None;
    }
    let longest = a.width().max(a.height()).min(COMPARED_SIDE);
    let scale = f64::from(longest) / f64::from(a.width().max(a.height()));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let (width, height) = (side(a.width()), side(a.height()));
    let a = resized(a, width, height, FilterType::Bilinear);
    let b = resized(b, width, height, FilterType::Bilinear);
    let on_black = on_ground(&a, &b, width as usize, 0);
    let on_white = on_ground(&a, &b, width as usize, u8::MAX);
    Some(Difference {
        mean: on_black.mean.max(on_white.mean),
        worst_cell: on_black.worst_cell.max(on_white.worst_cell),
    })
}

fn on_ground(a: &RgbaImage, b: &RgbaImage, width: usize, ground: u8) -> Difference {
    let cells_across = width.div_ceil(CELL);
    let height = a.height() as usize;
    let mut cells = vec![(0_u32, 0_u32); cells_across * height.div_ceil(CELL)];
    let pairs = a
        .pixels()
        .as_chunks::<4>()
        .0
        .iter()
        .zip(b.pixels().as_chunks::<4>().0);
    for (index, (a, b)) in pairs.enumerate() {
        let (x, y) = (index % width, index / width);
        let cell = &mut cells[y / CELL * cells_across + x / CELL];
        for channel in 0..3 {
            let difference = laid(a, channel, ground).abs_diff(laid(b, channel, ground));
            cell.0 += u32::from(difference);
        }
        cell.1 += 3;
    }
    let mean = |(sum, count): (u32, u32)| sum as f32 / count.max(1) as f32;
    let total = cells
        .iter()
        .fold((0, 0), |total, cell| (total.0 + cell.0, total.1 + cell.1));
    // Cells cut by the picture's edge hold too few pixels to speak for themselves.
    let worst_cell = cells
        .iter()
        .filter(|cell| cell.1 as usize >= CELL * CELL * 3 / 2)
        .map(|cell| mean(*cell))
        .fold(0.0, f32::max);
    Difference {
        mean: mean(total),
        worst_cell,
    }
}

fn laid(pixel: &[u8; 4], channel: usize, ground: u8) -> u8 {
    let alpha = u32::from(pixel[3]);
    let mixed = u32::from(pixel[channel]) * alpha + u32::from(ground) * (255 - alpha);
    ((mixed + 127) / 255) as u8
}
