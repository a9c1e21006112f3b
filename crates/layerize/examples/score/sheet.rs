//! A contact sheet: one row a picture, first the source, then background and layers.
//!
//! Layers are shown on a checkerboard so that coverage can be seen. Writes one PNG.

use image::{Rgb, RgbImage, RgbaImage as Picture, imageops};
use layerize::{Layer, RgbaImage};

const SIDE: u32 = 230;
const COLUMNS: u32 = 12;

/// Rows of thumbnails.
#[derive(Default)]
pub(crate) struct Sheet {
    rows: Vec<Vec<RgbImage>>,
}

impl Sheet {
    pub(crate) fn add(&mut self, source: &RgbaImage, layers: &[Layer]) {
        let mut row = vec![thumb(source)];
        for layer in layers {
            row.push(thumb(&layer.to_canvas(source.width, source.height)));
        }
        for part in row.chunks(COLUMNS as usize) {
            self.rows.push(part.to_vec());
        }
    }

    pub(crate) fn save(&self, path: &str) {
        let step = SIDE + 6;
        let height = (self.rows.len() as u32 * step).max(1);
        let mut sheet = RgbImage::from_pixel(COLUMNS * step, height, Rgb([40, 40, 40]));
        for (y, row) in self.rows.iter().enumerate() {
            for (x, thumb) in row.iter().enumerate() {
                let (left, top) = (i64::from(x as u32 * step), i64::from(y as u32 * step));
                imageops::replace(&mut sheet, thumb, left, top);
            }
        }
        if let Some(folder) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(folder).expect("folder for the sheet");
        }
        sheet.save(path).expect("sheet can be written");
    }
}

fn thumb(image: &RgbaImage) -> RgbImage {
    let full =
        Picture::from_raw(image.width, image.height, image.pixels.clone()).expect("whole rows");
    let longest = image.width.max(image.height) as f32;
    let scale = SIDE as f32 / longest;
    let (w, h) = (
        (image.width as f32 * scale) as u32,
        (image.height as f32 * scale) as u32,
    );
    let mut premultiplied = full;
    for p in premultiplied.pixels_mut() {
        let a = u16::from(p[3]);
        for c in 0..3 {
            p[c] = (u16::from(p[c]) * a / 255) as u8;
        }
    }
    let small = imageops::thumbnail(&premultiplied, w.max(1), h.max(1));
    RgbImage::from_fn(w.max(1), h.max(1), |x, y| {
        let p = small.get_pixel(x, y);
        let square = if (x / 8 + y / 8) % 2 == 0 {
            205_u16
        } else {
            150
        };
        let under = square * (255 - u16::from(p[3])) / 255;
        Rgb([0, 1, 2].map(|c| (u16::from(p[c]) + under).min(255) as u8))
    })
}
