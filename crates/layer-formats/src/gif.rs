//! An animated GIF that shows that the picture has depth: each layer sways a little, the more the higher it lies, and the bottom one stays.
//!
//! It is a small picture on white, at most [`SIDE`] pixels wide and high, in the 256 colours of its first frame, and goes on for ever. All frames are
//! held while one layer after the other is drawn on each, so that memory does not depend on how many there are.

use std::collections::HashMap;
use std::f32::consts::TAU;
use std::io::{self, Write};

use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::blend::draw;
use super::composite::{PIXEL, whole_layer};
use super::error::ExportError;
use super::flat::{Drawn, drawn};
use super::pictures::Pictures;
use super::stack::Stack;
use super::thumbnail::Thumbnail;

/// The longest side, in pixels.
pub const SIDE: u32 = 480;
/// One sway to the left and to the right, in two seconds.
pub const FRAMES: usize = 24;
/// In hundredths of a second; browsers slow down what is below 2.
const DELAY: u16 = 8;
/// How far the topmost layer goes to each side, as a part of the width.
const SWAY: f32 = 0.025;
/// NeuQuant's own middle: it looks at every tenth pixel.
const SAMPLING: i32 = 10;

/// Writes the animation.
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`].
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let (width, height) = Thumbnail::new(stack.width, stack.height, SIDE).size();
    let row_bytes = width as usize * PIXEL;
    let mut frames = vec![vec![u8::MAX; row_bytes * height as usize]; FRAMES];
    let layers = drawn(stack);
    for (number, layer) in layers.iter().enumerate() {
        let small = small(stack, layer, pictures)?;
        let depth = number as f32 / (layers.len().max(2) - 1) as f32;
        for (turn, frame) in frames.iter_mut().enumerate() {
            let angle = turn as f32 / FRAMES as f32 * TAU;
            let shift = angle.sin() * depth * SWAY * width as f32;
            let rows = frame.chunks_exact_mut(row_bytes);
            for (below, row) in rows.zip(small.chunks_exact(row_bytes)) {
                draw(
                    below,
                    &shifted(row, shift),
                    layer.opacity,
                    layer.layer.blend,
                );
            }
        }
    }
    animated((width as u16, height as u16), &frames, out)
}

/// The layer on the whole canvas, in the size of the animation.
fn small(stack: &Stack, drawn: &Drawn<'_>, pictures: &dyn Pictures) -> io::Result<Vec<u8>> {
    let (layer, inside) = (drawn.layer, drawn.inside);
    let mut small = Thumbnail::new(stack.width, stack.height, SIDE);
    let clear = vec![0; stack.width as usize * PIXEL];
    let mut line = clear.clone();
    for _ in 0..inside.y {
        small.rows(&clear);
    }
    let left = (inside.x - layer.bounds.x) as usize * PIXEL;
    let (start, length) = (inside.x as usize * PIXEL, inside.width as usize * PIXEL);
    let mut y = layer.bounds.y;
    whole_layer(layer, pictures, &mut |band| {
        for row in band.chunks_exact(layer.bounds.width as usize * PIXEL) {
            if (inside.y..inside.bottom()).contains(&y) {
                line[start..start + length].copy_from_slice(&row[left..left + length]);
                small.rows(&line);
            }
            y += 1;
        }
        Ok(())
    })?;
    for _ in inside.bottom()..stack.height as i32 {
        small.rows(&clear);
    }
    Ok(small.pixels())
}

/// A row moved to the right by a part of pixels, averaged with their alpha as weight; what comes in is clear.
fn shifted(row: &[u8], by: f32) -> Vec<u8> {
    let (whole, part) = (by.floor() as isize, by - by.floor());
    let pixels = row.as_chunks::<PIXEL>().0;
    let at = |place: isize| {
        let place = usize::try_from(place).ok();
        place
            .and_then(|place| pixels.get(place))
            .copied()
            .unwrap_or_default()
    };
    let mut moved = Vec::with_capacity(row.len());
    for place in 0..pixels.len() as isize {
        let (near, far) = (at(place - whole), at(place - whole - 1));
        let (one, other) = (f32::from(near[3]) * (1.0 - part), f32::from(far[3]) * part);
        let alpha = one + other;
        let mix = |channel: usize| {
            let sum = f32::from(near[channel]) * one + f32::from(far[channel]) * other;
            (sum / alpha.max(1.0 / 256.0)).round() as u8
        };
        moved.extend([mix(0), mix(1), mix(2), alpha.round() as u8]);
    }
    moved
}

/// All frames in the colours of the first, so that what stays does not flicker.
fn animated(
    (width, height): (u16, u16),
    frames: &[Vec<u8>],
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    let colours = frames.first().map_or(&[][..], Vec::as_slice);
    let colours = NeuQuant::new(SAMPLING, 256, colours);
    let mut encoder = Encoder::new(out, width, height, &colours.color_map_rgb()).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    // Looking a colour up takes the most of the time, and most of them come again.
    let mut known = HashMap::new();
    for frame in frames {
        let pixels = frame.as_chunks::<PIXEL>().0.iter();
        let places = pixels.map(|pixel| {
            let place = known.entry(*pixel);
            *place.or_insert_with(|| colours.index_of(pixel) as u8)
        });
        let frame = Frame {
            width,
            height,
            delay: DELAY,
            dispose: DisposalMethod::Keep,
            buffer: places.collect::<Vec<_>>().into(),
            ..Frame::default()
        };
        encoder.write_frame(&frame).map_err(failed)?;
    }
    encoder.into_inner().map_err(failed)?;
    Ok(())
}

fn failed(error: gif::EncodingError) -> ExportError {
    match error {
        gif::EncodingError::Io(error) => error.into(),
        other => io::Error::other(other).into(),
    }
}
