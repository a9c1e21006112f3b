//! Whether layers add up to their picture, and what is odd about them; as rows come, in the memory of a few rows.
//!
//! Layers are laid over each other from below by straight-alpha *over*, to 8 bits after each, and compared with the picture; the error of a pixel is the
//! largest of its channels', alpha included, so that what nothing covers is wholly wrong. What needs no exact number is measured on every second
//! row and column, or on small likenesses. It judges and changes nothing.

mod fringe;
mod order;

use super::rgba::RgbaImage;
use super::same::same_picture;
use super::shrink::{Shrink, within};

const PIXEL: usize = 4;
/// Side of the squares of which the worst is told.
const TILE: usize = 64;
/// Longest side of the likenesses.
const SMALL_SIDE: u32 = 128;
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
    size: (u32, u32),
    rows: u32,
    laid: Vec<[u8; PIXEL]>,
    errors: [u64; 256],
    squares: u64,
    uncovered: u64,
    tiles: Vec<u64>,
    worst: Tile,
    picture: Shrink,
    layers: Vec<Seen>,
    pairs: Vec<Pair>,
    sampled: u64,
}

struct Seen {
    small: Shrink,
    most: u8,
    least: u8,
    visible: u64,
    fringe: fringe::Fringe,
}

#[derive(Default, Clone)]
struct Pair {
    both: u64,
    either: u64,
    colour: u64,
}

impl StackProof {
    /// Of so many layers, each as large as the canvas, in pixels.
    #[must_use]
    pub fn new(width: u32, height: u32, layers: usize) -> Self {
        let size = (width, height);
        let small = || Shrink::new(size, within(size, SMALL_SIDE));
        let seen = |_| Seen {
            small: small(),
            most: 0,
            least: u8::MAX,
            visible: 0,
            fringe: fringe::Fringe::default(),
        };
        Self {
            size,
            rows: 0,
            laid: vec![[0; PIXEL]; width as usize],
            errors: [0; 256],
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
            picture: small(),
            layers: (0..layers).map(seen).collect(),
            pairs: vec![Pair::default(); layers * layers.saturating_sub(1) / 2],
            sampled: 0,
        }
    }

    /// The next row of the picture and of each layer, bottom first: straight-alpha RGBA, as wide as the canvas.
    pub fn row(&mut self, picture: &[u8], layers: &[&[u8]]) {
        let picture_pixels = picture.as_chunks::<PIXEL>().0;
        self.laid.fill([0; PIXEL]);
        for (seen, layer) in self.layers.iter_mut().zip(layers) {
            let pixels = layer.as_chunks::<PIXEL>().0;
            let alpha = pixels.iter().map(|pixel| pixel[3]);
            let (most, least) = alpha.fold((0, u8::MAX), |(most, least), alpha| {
                (alpha.max(most), alpha.min(least))
            });
            seen.most = seen.most.max(most);
            seen.least = seen.least.min(least);
            seen.small.row(0, layer);
            if most > 0 {
                lay(&mut self.laid, pixels);
            }
        }
        self.picture.row(0, picture);
        self.compare(picture_pixels);
        if self.rows.is_multiple_of(2) {
            self.sample(layers);
        }
        self.rows += 1;
        if (self.rows as usize).is_multiple_of(TILE) || self.rows == self.size.1 {
            self.end_tiles();
        }
    }

    fn compare(&mut self, picture: &[[u8; PIXEL]]) {
        let tiles = picture.chunks(TILE).zip(self.laid.chunks(TILE));
        for ((picture, laid), tile) in tiles.zip(&mut self.tiles) {
            let mut sum = 0_u64;
            for (meant, found) in picture.iter().zip(laid) {
                let meant = premultiplied(*meant);
                let far: [u8; PIXEL] = std::array::from_fn(|at| meant[at].abs_diff(found[at]));
                let error = far.into_iter().fold(0, u8::max);
                self.errors[usize::from(error)] += 1;
                sum += u64::from(error);
                if error > 0 {
                    let square = |at: usize| u64::from(far[at]) * u64::from(far[at]);
                    self.squares += square(0) + square(1) + square(2);
                    self.uncovered += u64::from(meant[3].saturating_sub(found[3]));
                }
            }
            *tile += sum;
        }
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

    fn sample(&mut self, layers: &[&[u8]]) {
        for (seen, layer) in self.layers.iter_mut().zip(layers) {
            seen.fringe.row(layer.as_chunks::<PIXEL>().0);
        }
        for x in (0..self.size.0 as usize).step_by(2) {
            let pixel = |layer: &[u8]| {
                <[u8; PIXEL]>::try_from(&layer[x * PIXEL..][..PIXEL]).unwrap_or_default()
            };
            let mut left = u64::from(u8::MAX);
            for (seen, layer) in self.layers.iter_mut().zip(layers).rev() {
                let alpha = u64::from(layer[x * PIXEL + 3]);
                seen.visible += left * alpha;
                left = left * (255 - alpha) / 255;
            }
            self.sampled += 1;
            let mut pairs = self.pairs.iter_mut();
            for (upper, above) in layers.iter().enumerate().skip(1) {
                let above_is = above[x * PIXEL + 3] >= SOLID;
                for (below, pair) in layers[..upper].iter().zip(&mut pairs) {
                    let below_is = below[x * PIXEL + 3] >= SOLID;
                    pair.either += u64::from(above_is || below_is);
                    if above_is && below_is {
                        pair.both += 1;
                        let (one, other) = (pixel(above), pixel(below));
                        let far = (0..3).map(|at| u64::from(one[at].abs_diff(other[at])));
                        pair.colour += far.sum::<u64>();
                    }
                }
            }
        }
    }

    /// What it comes to; none unless all rows came.
    #[must_use]
    pub fn finish(self) -> Option<Proof> {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let errors = self.errors.iter().zip(0_u64..);
        let sum: u64 = errors.map(|(count, error)| count * error).sum();
        let share = |part: u64, whole: u64| (part as f64 / whole.max(1) as f64) as f32;
        let mean_square = self.squares as f64 / (pixels * 3) as f64;
        let picture = self.picture.finish()?;
        let (mut layers, mut smalls) = (Vec::new(), Vec::new());
        for seen in self.layers {
            let small = seen.small.finish()?;
            let is_opaque = seen.least == u8::MAX;
            layers.push(LayerProof {
                visible: share(seen.visible, self.sampled * 255 * 255),
                is_empty: seen.most < FAINT,
                is_whole: is_opaque && same_picture(&small, &picture),
                fringe: seen.fringe.mean(),
            });
            smalls.push(small);
        }
        // The lowest layer may well be all there is to a picture.
        if layers.iter().filter(|layer| !layer.is_empty).count() < 2 {
            layers.iter_mut().for_each(|layer| layer.is_whole = false);
        }
        let counted: Vec<&RgbaImage> = smalls.iter().collect();
        let left_out: Vec<bool> = layers
            .iter()
            .map(|layer| layer.is_whole || layer.is_empty)
            .collect();
        Some(Proof {
            mean: share(sum, pixels),
            p99: percentile(&self.errors, pixels),
            psnr: (self.squares > 0).then(|| (10.0 * (255.0 * 255.0 / mean_square).log10()) as f32),
            worst: self.worst,
            uncovered: share(self.uncovered, pixels * 255),
            duplicates: duplicates(&self.pairs, &layers),
            better_order: order::better(&picture, &counted, &left_out),
            layers,
        })
    }
}

fn duplicates(pairs: &[Pair], layers: &[LayerProof]) -> Vec<Duplicate> {
    let places = (1..layers.len()).flat_map(|upper| (0..upper).map(move |lower| (lower, upper)));
    let found = places.zip(pairs).filter_map(|((lower, upper), pair)| {
        let overlap = pair.both as f32 / pair.either.max(1) as f32;
        let colour = pair.colour as f32 / (pair.both * 3).max(1) as f32;
        let is_one = pair.both > 0 && overlap >= ONE_SHAPE && colour <= ONE_COLOUR;
        is_one.then_some(Duplicate {
            lower,
            upper,
            overlap,
            colour,
        })
    });
    found.collect()
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

fn premultiplied([red, green, blue, alpha]: [u8; PIXEL]) -> [u8; PIXEL] {
    if alpha == u8::MAX {
        return [red, green, blue, alpha];
    }
    let with = |value: u8| rounded(u32::from(value) * u32::from(alpha));
    [with(red), with(green), with(blue), alpha]
}

/// A 255th of it, to the nearest; of at most 255².
fn rounded(value: u32) -> u8 {
    let value = value + 128;
    ((value + (value >> 8)) >> 8) as u8
}

#[cfg(test)]
mod tests;
