//! The layers of one stack in one pass over their rows: each is inflated once, measured, and held against the picture with the
//! others. A few rows of each are in memory.
//!
//! It decides nothing that looking at each layer alone would not: where anything is odd it gives no answer, and whoever asks
//! goes on with [`inspect_layer`](super::inspect_layer) and [`StackProof`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::glance::Glance;
use super::layer::streamed::Streamed;
use super::layer::{LIKENESS_SIDE, LayerMeasures, decode_layer};
use super::limits::Limits;
use super::proof::{Proof, StackProof};
use super::rgba::RgbaImage;
use super::shrink::Shrink;

/// What [`inspect_layer`](super::inspect_layer) says of each file, and the [`StackProof`] of all of them, bottom first, against the
/// picture that they were made of.
///
/// Layers that cannot be read row by row (WebP, interlaced, a palette) are held as pixels, `most_held_pixels` of them together.
/// `None` where one of the files is not as large as the picture, is no layer, or breaks on the way, and where there are more such pixels.
#[must_use]
pub fn inspect_stack<F: AsRef<[u8]>>(
    picture: &RgbaImage,
    files: &[F],
    limits: &Limits,
    most_held_pixels: u64,
) -> Option<(Vec<LayerMeasures>, Proof)> {
    let inspect = || inspected(picture, files, limits, most_held_pixels);
    // As for every decoder: one that panics has not decoded it.
    catch_unwind(AssertUnwindSafe(inspect)).ok()?
}

fn inspected<F: AsRef<[u8]>>(
    picture: &RgbaImage,
    files: &[F],
    limits: &Limits,
    most_held_pixels: u64,
) -> Option<(Vec<LayerMeasures>, Proof)> {
    let size = (picture.width(), picture.height());
    let mut room = most_held_pixels;
    let mut layers = Vec::with_capacity(files.len());
    for file in files {
        let layer = Layer::open(file.as_ref(), limits, &mut room)?;
        if layer.size() != size {
            return None;
        }
        layers.push(layer);
    }
    let row_bytes = size.0 as usize * 4;
    let mut rows = vec![vec![0; row_bytes]; layers.len()];
    let mut glances = Vec::with_capacity(layers.len());
    let mut proof = StackProof::of_likenesses(size.0, size.1, layers.len());
    for picture in picture.pixels().chunks_exact(row_bytes) {
        glances.clear();
        for (layer, row) in layers.iter_mut().zip(&mut rows) {
            glances.push(layer.read(row)?);
        }
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        proof.row_of(picture, &rows, &glances);
    }
    let (mut measures, mut likenesses) = (Vec::new(), Vec::new());
    for layer in layers {
        let (measured, likeness) = layer.finish()?;
        measures.push(measured);
        likenesses.push(likeness);
    }
    Some((measures, proof.finish_with(&likenesses)?))
}

enum Layer<'a> {
    Streamed(Box<Streamed<'a>>),
    Whole {
        measures: LayerMeasures,
        likeness: Box<Shrink>,
        pixels: Vec<u8>,
        at: usize,
    },
}

impl<'a> Layer<'a> {
    fn open(file: &'a [u8], limits: &Limits, room: &mut u64) -> Option<Self> {
        if let Some(streamed) = Streamed::open(file, limits) {
            return Some(Self::Streamed(Box::new(streamed)));
        }
        let header = super::header(file, limits).ok()?;
        *room = room.checked_sub(u64::from(header.width) * u64::from(header.height))?;
        let (measures, image) = decode_layer(file, limits).ok()?;
        Some(Self::Whole {
            measures,
            likeness: Box::new(Shrink::to_squares(
                (image.width(), image.height()),
                LIKENESS_SIDE,
            )),
            pixels: image.into_pixels(),
            at: 0,
        })
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Streamed(streamed) => streamed.size(),
            Self::Whole { measures, .. } => (measures.width, measures.height),
        }
    }

    fn read(&mut self, row: &mut [u8]) -> Option<Glance> {
        match self {
            Self::Streamed(streamed) => streamed.read(row),
            Self::Whole {
                likeness,
                pixels,
                at,
                ..
            } => {
                let end = *at + row.len();
                row.copy_from_slice(pixels.get(*at..end)?);
                *at = end;
                let glance = Glance::of(row.as_chunks::<4>().0);
                likeness.row_of(0, row, &glance);
                Some(glance)
            }
        }
    }

    fn finish(self) -> Option<(LayerMeasures, RgbaImage)> {
        match self {
            Self::Streamed(streamed) => streamed.finish(),
            Self::Whole {
                measures, likeness, ..
            } => Some((measures, likeness.finish_squares()?.image)),
        }
    }
}
