//! A picture as an orientation shows it, row by row: so that turning one costs no second picture. It changes nothing.

use image::metadata::Orientation;

use super::rgba::RgbaImage;

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// A view of a picture.
pub(super) struct Turned<'a> {
    image: &'a RgbaImage,
    orientation: Orientation,
}

impl<'a> Turned<'a> {
    pub(super) fn new(image: &'a RgbaImage, orientation: Orientation) -> Self {
        Self { image, orientation }
    }

    /// Width and height as it is shown.
    pub(super) fn size(&self) -> (u32, u32) {
        let (width, height) = (self.image.width(), self.image.height());
        if self.is_on_its_side() {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// So many of its rows, from `first` on, in R, G, B, A; `rows` is overwritten.
    pub(super) fn read(&self, first: usize, count: usize, rows: &mut Vec<u8>) {
        let width = self.size().0 as usize;
        rows.clear();
        rows.resize(count * width * PIXEL, 0);
        let source = self.image.pixels();
        let (across, down) = (self.image.width() as usize, self.image.height() as usize);
        let row = |number: usize| &source[number * across * PIXEL..][..across * PIXEL];
        if self.is_on_its_side() {
            // A row of what is stored is a column here, of which these rows have a part.
            for column in 0..width {
                let stored = row(if self.ends_first() {
                    down - 1 - column
                } else {
                    column
                });
                for number in 0..count {
                    let at = first + number;
                    let at = if self.begins_at_the_right() {
                        across - 1 - at
                    } else {
                        at
                    };
                    let to = (number * width + column) * PIXEL;
                    rows[to..to + PIXEL].copy_from_slice(&stored[at * PIXEL..][..PIXEL]);
                }
            }
            return;
        }
        for (number, shown) in rows.chunks_exact_mut(width * PIXEL).enumerate() {
            let at = first + number;
            shown.copy_from_slice(row(if self.ends_first() { down - 1 - at } else { at }));
            if self.begins_at_the_right() {
                shown.as_chunks_mut::<PIXEL>().0.reverse();
            }
        }
    }

    fn is_on_its_side(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        )
    }

    /// Whether the stored rows are read from the last to the first.
    fn ends_first(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate180
                | Orientation::FlipVertical
                | Orientation::Rotate90
                | Orientation::Rotate270FlipH
        )
    }

    /// Whether each stored row is read from its end.
    fn begins_at_the_right(&self) -> bool {
        matches!(
            self.orientation,
            Orientation::Rotate180
                | Orientation::FlipHorizontal
                | Orientation::Rotate270
                | Orientation::Rotate270FlipH
        )
    }
}
