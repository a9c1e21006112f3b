//! Whether layers add up to their picture, and what is odd about them; as rows come, in the memory of a few rows.
//!
//! Layers are laid over each other from below by straight-alpha *over*, to 8 bits after each, and compared with the picture; the error of a pixel is the
//! largest of its channels', alpha included, so that what nothing covers is wholly wrong. What needs no exact number is measured on every second
//! row and column, or on small likenesses. It judges and changes nothing.

mod fringe;
mod order;
mod sampled;
mod tally;

use self::sampled::Sampled;
use self::tally::Tally;
use super::glance::Glance;
use super::layer::LIKENESS_SIDE;
use super::rgba::RgbaImage;
use super::same::same_picture;
use super::shrink::Shrink;

const PIXEL: usize = 4;
/// A layer of which nothing is above this alpha shows nothing: models leave a haze of a few levels where they mean to leave nothing.
const FAINT: u8 = 16;
/// From this alpha on a pixel belongs to what a layer is of.
const SOLID: u8 = 128;
/// Two layers are one twice where their shapes meet as far as this, and their colours differ by no more levels than [`ONE_COLOUR`].
const ONE_SHAPE: f32 = 0.9;
const ONE_COLOUR: f32 = 12.0;

/// A square of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile {
    /// Left edge in pixels.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width, at most 64.
    pub width: u32,
    /// Height, at most 64.
    pub height: u32,
    /// Mean error of its pixels, 0 to 255.
    pub mean: f32,
}

/// Two layers that show the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duplicate {
    /// The lower one, by its place in the stack.
    pub lower: usize,
    /// The upper one.
    pub upper: usize,
    /// What both cover of what either covers, 0 to 1.
    pub overlap: f32,
    /// Mean difference of their colours where both are, 0 to 255.
    pub colour: f32,
}

/// Another order of the same layers that gives the picture back better.
#[derive(Debug, Clone, PartialEq)]
pub struct BetterOrder {
    /// Places of the layers as they are, bottom first.
    pub order: Vec<usize>,
    /// Mean error of small likenesses in that order, 0 to 255.
    pub mean: f32,
    /// The same in the order that they have.
    pub mean_now: f32,
}

/// What is known of one layer beside its file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerProof {
    /// Share of the canvas that is this layer's as it is seen from above, 0 to 1.
    pub visible: f32,
    /// Whether nothing on it is more than faint.
    pub is_empty: bool,
    /// Whether it shows the whole picture once more.
    pub is_whole: bool,
    /// How far colours of soft edges are from those of the solid pixels beside them, 0 to 1; none without such edges. A halo of the old
    /// background has 0.1 and more.
    pub fringe: Option<f32>,
}

/// What a stack comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Mean error, 0 to 255.
    pub mean: f32,
    /// No more than a hundredth of the pixels has a larger error, 0 to 255.
    pub p99: u8,
    /// Peak signal-to-noise ratio of the colours in decibels (10 log10 of 255² by the mean squared error); none where all are the same.
    pub psnr: Option<f32>,
    /// Where the error is largest.
    pub worst: Tile,
    /// Share of the canvas, by alpha, that the picture covers and no layer does, 0 to 1.
    pub uncovered: f32,
    /// The layers, bottom first.
    pub layers: Vec<LayerProof>,
    /// Pairs of layers that show the same, each once.
    pub duplicates: Vec<Duplicate>,
    /// None where no order that was tried is clearly better.
    pub better_order: Option<BetterOrder>,
}

/// Takes a stack row by row; see [`Self::row`].
///
/// ```
/// use image_intake::StackProof;
///
/// let (picture, below, above) = ([9, 9, 9, 255, 50, 60, 70, 255], [9, 9, 9, 255, 0, 0, 0, 255], [0, 0, 0, 0, 50, 60, 70, 255]);
/// let mut proof = StackProof::new(2, 1, 2);
/// proof.row(&picture, &[&below, &above]);
/// let proof = proof.finish().expect("all rows came");
/// assert_eq!((proof.mean, proof.p99, proof.psnr, proof.uncovered), (0.0, 0, None, 0.0));
/// assert!(!proof.layers[1].is_empty && proof.better_order.is_none());
/// ```
pub struct StackProof {
    rows: u32,
    laid: Vec<[u8; PIXEL]>,
    tally: Tally,
    picture: Shrink,
    layers: Vec<Seen>,
    sampled: Sampled,
}

struct Seen {
    /// None where the likeness is made elsewhere, while rows are read.
    small: Option<Shrink>,
    most: u8,
    least: u8,
    fringe: fringe::Fringe,
}

impl StackProof {
    /// Of so many layers, each as large as the canvas, in pixels.
    #[must_use]
    pub fn new(width: u32, height: u32, layers: usize) -> Self {
        let mut proof = Self::of_likenesses(width, height, layers);
        for seen in &mut proof.layers {
            seen.small = Some(Shrink::to_squares((width, height), LIKENESS_SIDE));
        }
        proof
    }

    /// [`Self::new`], for [`Self::finish_with`].
    pub(super) fn of_likenesses(width: u32, height: u32, layers: usize) -> Self {
        let seen = |_| Seen {
            small: None,
            most: 0,
            least: u8::MAX,
            fringe: fringe::Fringe::default(),
        };
        Self {
            rows: 0,
            laid: vec![[0; PIXEL]; width as usize],
            tally: Tally::new(width, height),
            picture: Shrink::to_squares((width, height), LIKENESS_SIDE),
            layers: (0..layers).map(seen).collect(),
            sampled: Sampled::new(width, layers),
        }
    }

    /// The next row of the picture and of each layer, bottom first: straight-alpha RGBA, as wide as the canvas.
    pub fn row(&mut self, picture: &[u8], layers: &[&[u8]]) {
        let glances: Vec<Glance> = layers
            .iter()
            .map(|layer| Glance::of(layer.as_chunks::<PIXEL>().0))
            .collect();
        self.row_of(picture, layers, &glances);
    }

    /// [`Self::row`], of whose layers is known what shows.
    pub(super) fn row_of(&mut self, picture: &[u8], layers: &[&[u8]], glances: &[Glance]) {
        self.laid.fill([0; PIXEL]);
        for ((seen, layer), glance) in self.layers.iter_mut().zip(layers).zip(glances) {
            seen.most = seen.most.max(glance.most);
            seen.least = seen.least.min(glance.least);
            if let Some(small) = &mut seen.small {
                small.row_of(0, layer, glance);
            }
            let shown = glance.shown.clone();
            let pixels = &layer.as_chunks::<PIXEL>().0[shown.clone()];
            if glance.is_solid() {
                self.laid[shown].copy_from_slice(pixels);
            } else {
                lay(&mut self.laid[shown], pixels);
            }
        }
        let picture_pixels = picture.as_chunks::<PIXEL>().0;
        let glance = Glance::of(picture_pixels);
        self.picture.row_of(0, picture, &glance);
        self.tally
            .row(picture_pixels, glance.least == u8::MAX, &self.laid);
        if self.rows.is_multiple_of(2) {
            self.sample(layers, glances);
        }
        self.rows += 1;
    }

    fn sample(&mut self, layers: &[&[u8]], glances: &[Glance]) {
        for ((seen, layer), glance) in self.layers.iter_mut().zip(layers).zip(glances) {
            if !glance.is_solid() {
                seen.fringe
                    .row(&layer.as_chunks::<PIXEL>().0[glance.shown.clone()]);
            }
        }
        self.sampled.row(layers, glances);
    }

    /// What it comes to; none unless all rows came.
    #[must_use]
    pub fn finish(mut self) -> Option<Proof> {
        let smalls = self.layers.iter_mut();
        let smalls: Option<Vec<RgbaImage>> = smalls
            .map(|seen| Some(seen.small.take()?.finish_squares()?.image))
            .collect();
        self.finish_with(&smalls?)
    }

    /// [`Self::finish`], with the likeness of each layer: squares as [`LIKENESS_SIDE`] has them.
    pub(super) fn finish_with(self, smalls: &[RgbaImage]) -> Option<Proof> {
        let picture = self.picture.finish_squares()?.image;
        let mut layers = Vec::new();
        for ((place, seen), small) in self.layers.into_iter().enumerate().zip(smalls) {
            let is_opaque = seen.least == u8::MAX;
            layers.push(LayerProof {
                visible: self.sampled.visible(place),
                is_empty: seen.most < FAINT,
                is_whole: is_opaque && same_picture(small, &picture),
                fringe: seen.fringe.mean(),
            });
        }
        // The lowest layer may well be all there is to a picture.
        if layers.iter().filter(|layer| !layer.is_empty).count() < 2 {
            layers.iter_mut().for_each(|layer| layer.is_whole = false);
        }
        let left_out: Vec<bool> = layers
            .iter()
            .map(|layer| layer.is_whole || layer.is_empty)
            .collect();
        let errors = self.tally.finish();
        Some(Proof {
            mean: errors.mean,
            p99: errors.p99,
            psnr: errors.psnr,
            worst: errors.worst,
            uncovered: errors.uncovered,
            duplicates: duplicates(&self.sampled),
            better_order: order::better(&picture, smalls, &left_out),
            layers,
        })
    }
}

fn duplicates(sampled: &Sampled) -> Vec<Duplicate> {
    let found = sampled.overlaps().filter_map(|pair| {
        let overlap = pair.both as f32 / pair.either.max(1) as f32;
        let colour = pair.colour as f32 / (pair.both * 3).max(1) as f32;
        let is_one = pair.both > 0 && overlap >= ONE_SHAPE && colour <= ONE_COLOUR;
        is_one.then_some(Duplicate {
            lower: pair.lower,
            upper: pair.upper,
            overlap,
            colour,
        })
    });
    found.collect()
}

/// Lays a row over what is laid, both premultiplied from here on; rounded after each.
fn lay(laid: &mut [[u8; PIXEL]], layer: &[[u8; PIXEL]]) {
    for (below, above) in laid.iter_mut().zip(layer) {
        // Most pixels of most layers are one or the other.
        match above[3] {
            0 => continue,
            u8::MAX => {
                *below = *above;
                continue;
            }
            _ => {}
        }
        let alpha = u32::from(above[3]);
        let straight = [above[0], above[1], above[2], u8::MAX];
        for (below, above) in below.iter_mut().zip(straight) {
            *below = rounded(u32::from(above) * alpha + u32::from(*below) * (255 - alpha));
        }
    }
}

/// A 255th of it, to the nearest; of at most 255².
fn rounded(value: u32) -> u8 {
    let value = value + 128;
    ((value + (value >> 8)) >> 8) as u8
}

#[cfg(test)]
mod plain;
#[cfg(test)]
mod tests;
