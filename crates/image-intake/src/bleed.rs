//! Colour under transparency.
//!
//! Game engines, browsers' canvases and video editors scale straight alpha channel by channel, so the colour of a pixel
//! that does not show mixes into the edge of one that does; black there makes dark rims. Here the colours of the edge go
//! on outwards, a few pixels far: enough for a scale of a quarter, and little to compress. Alpha, and the colour of
//! whatever shows at all, are never touched.

use super::rgba::RgbaImage;

/// How many pixels far the colour goes on.
pub(super) const REACH: u32 = 8;

/// Gives pixels with alpha 0 near visible ones the mean colour of their neighbours; the others become black.
pub(super) fn bleed(image: &mut RgbaImage) {
    if image.is_opaque() {
        return;
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.pixels_mut().as_chunks_mut::<4>().0;
    let mut has_colour: Vec<bool> = pixels.iter().map(|pixel| pixel[3] > 0).collect();
    for (pixel, shows) in pixels.iter_mut().zip(&has_colour) {
        if !shows {
            *pixel = [0; 4];
        }
    }
    let mut edge: Vec<usize> = (0..pixels.len())
        .filter(|at| {
            // Of what shows, only what has a hidden neighbour is worth a look.
            has_colour[*at] && neighbours(*at, width, height).any(|other| !has_colour[other])
        })
        .collect();
    for _ in 0..REACH {
        let mut next: Vec<usize> = edge
            .iter()
            .flat_map(|at| neighbours(*at, width, height))
            .filter(|other| !has_colour[*other])
            .collect();
        next.sort_unstable();
        next.dedup();
        // All of a ring are computed before any counts as coloured, so that no direction is preferred.
        for at in &next {
            let (mut sum, mut count) = ([0_u32; 3], 0);
            for other in neighbours(*at, width, height).filter(|other| has_colour[*other]) {
                for (sum, colour) in sum.iter_mut().zip(pixels[other]) {
                    *sum += u32::from(colour);
                }
                count += 1;
            }
            let mean = sum.map(|sum| ((sum + count / 2) / count.max(1)) as u8);
            pixels[*at][..3].copy_from_slice(&mean);
        }
        for at in &next {
            has_colour[*at] = true;
        }
        edge = next;
    }
}

/// The up to eight pixels around one.
fn neighbours(at: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % width, at / width);
    let columns = x.saturating_sub(1)..=(x + 1).min(width - 1);
    let rows = y.saturating_sub(1)..=(y + 1).min(height - 1);
    rows.flat_map(move |row| columns.clone().map(move |column| row * width + column))
        .filter(move |other| *other != at)
}
