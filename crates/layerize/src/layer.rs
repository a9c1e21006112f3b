//! One layer of a stack, and the compositing rule that defines what a stack means.
//!
//! Layers are trimmed to the rectangle they occupy. Nothing here decides what a layer is.

use std::fmt;

use crate::RgbaImage;

/// What a layer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// The bottom layer; it covers the whole canvas.
    Background,
    /// Written text.
    Text,
    /// A flat or gradient region.
    Shape,
    /// A region that carries other layers.
    Panel,
    /// What stands out in a photo.
    Subject,
    /// Another thing in a photo.
    Object,
    /// A soft shadow.
    Shadow,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Background => "background",
            Self::Text => "text",
            Self::Shape => "shape",
            Self::Panel => "panel",
            Self::Subject => "subject",
            Self::Object => "object",
            Self::Shadow => "shadow",
        })
    }
}

/// One layer of a stack, cut to the rectangle it occupies.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it shows.
    pub kind: LayerKind,
    /// A short name for people, such as `title` or `blue shape`; of text, its words.
    pub name: String,
    /// The words of a text, lines apart, where they were read; no other layer has any.
    pub text: Option<String>,
    /// How sure the engine is of these words, 0.0 to 1.0.
    pub text_confidence: Option<f32>,
    /// How sure the engine is of this cut, 0.0 to 1.0.
    pub confidence: f32,
    /// Left edge on the canvas, in pixels.
    pub x: u32,
    /// Top edge on the canvas, in pixels.
    pub y: u32,
    /// The pixels; transparent outside the thing itself.
    pub image: RgbaImage,
}

impl Layer {
    /// The layer on a transparent canvas of `width` by `height`; what lies outside is cut off.
    #[must_use]
    pub fn to_canvas(&self, width: u32, height: u32) -> RgbaImage {
        let mut canvas = RgbaImage::transparent(width, height);
        self.each_row(width, height, |at, row| {
            canvas.pixels[at..at + row.len()].copy_from_slice(row);
        });
        canvas
    }

    /// Calls `visit` with the canvas offset in bytes and the bytes of every row on the canvas.
    fn each_row(&self, width: u32, height: u32, mut visit: impl FnMut(usize, &[u8])) {
        let columns = self.image.width.min(width.saturating_sub(self.x)) as usize;
        let rows = self.image.height.min(height.saturating_sub(self.y)) as usize;
        for row in (0..rows).filter(|_| columns > 0) {
            let from = row * self.image.width as usize * 4;
            let at = ((self.y as usize + row) * width as usize + self.x as usize) * 4;
            visit(at, &self.image.pixels[from..from + columns * 4]);
        }
    }
}

/// Composites layers bottom first onto a transparent canvas with straight-alpha *over*, rounding
/// to 8 bits after every layer. A canvas pixel that is still fully transparent takes the layer's
/// pixel as it is, so the colour of transparent pixels survives.
#[must_use]
pub fn composite(width: u32, height: u32, layers: &[Layer]) -> RgbaImage {
    let mut canvas = RgbaImage::transparent(width, height);
    for layer in layers {
        layer.each_row(width, height, |at, row| {
            let under = &mut canvas.pixels[at..at + row.len()];
            for (under, over_it) in under.chunks_exact_mut(4).zip(row.chunks_exact(4)) {
                over(under, over_it);
            }
        });
    }
    canvas
}

/// Straight-alpha *over* of one pixel (Porter and Duff, 1984), rounded to the nearest byte.
fn over(under: &mut [u8], top: &[u8]) {
    let (top_alpha, under_alpha) = (u32::from(top[3]), u32::from(under[3]));
    if under_alpha == 0 && (top_alpha > 0 || under[..3] == [0, 0, 0]) {
        under.copy_from_slice(top);
        return;
    }
    if top_alpha == 0 {
        return;
    }
    let under_share = under_alpha * (255 - top_alpha);
    let total = top_alpha * 255 + under_share;
    for channel in 0..3 {
        let sum =
            u32::from(top[channel]) * top_alpha * 255 + u32::from(under[channel]) * under_share;
        under[channel] = ((sum + total / 2) / total) as u8;
    }
    under[3] = ((total + 127) / 255) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: u32, pixel: [u8; 4]) -> Layer {
        Layer {
            kind: LayerKind::Shape,
            name: "dot".into(),
            text: None,
            text_confidence: None,
            confidence: 1.0,
            x,
            y: 0,
            image: RgbaImage {
                width: 1,
                height: 1,
                pixels: pixel.to_vec(),
            },
        }
    }

    #[test]
    fn half_black_over_white_is_mid_grey() {
        let stack = [dot(0, [255, 255, 255, 255]), dot(0, [0, 0, 0, 128])];
        assert_eq!(composite(1, 1, &stack).pixels, [127, 127, 127, 255]);
    }

    #[test]
    fn a_layer_beyond_the_canvas_is_cut_off() {
        assert_eq!(dot(4, [9, 9, 9, 255]).to_canvas(2, 1).pixels, [0; 8]);
        assert_eq!(
            composite(2, 1, &[dot(1, [9, 8, 7, 255])]).pixels[4..],
            [9, 8, 7, 255]
        );
    }
}
