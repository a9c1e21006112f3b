//! The source row by row, taken apart into all layers at once.
//!
//! A row depends on no other, so that the rows of a band are worked on in any order and at once, and the same input gives the same
//! bytes on any number of threads. Held are the source, the layers at the model's size, and one band.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::cubic::{Tap, along, down};
use super::edge::{Guess, THROUGH, unmix};
use super::error::Error;
use super::paint::snapped;
use super::peel::{FIRM, level, take_off};
use super::plane::mix;
use super::report::Report;
use super::shrink::shrink;
use super::source::{SmallLayer, Source, common_size};
use super::stack::{Gap, Stack};

/// Pixels of a band of one layer.
const BAND: usize = 1 << 17;
/// Share of the work that is done at the model's size.
const PREPARED: f32 = 0.15;

/// Whole rows of all layers; see [`Sink`].
#[derive(Clone, Copy)]
pub struct Band<'a> {
    /// The first row's place in the picture.
    pub first: usize,
    /// How many rows there are.
    pub rows: usize,
    layers: &'a [Part],
}

impl Band<'_> {
    /// Rows of the layer with this index, 0 at the bottom: straight-alpha RGBA.
    #[must_use]
    pub fn layer(&self, index: usize) -> &[u8] {
        self.layers[index].pixels.as_flattened()
    }

    /// How far the same pixels are seen in the source, 255 for all, 0 for invented or for nothing: what the layers above let
    /// through. One byte for a pixel.
    #[must_use]
    pub fn seen(&self, index: usize) -> &[u8] {
        &self.layers[index].seen
    }
}

/// Where raised layers go.
pub trait Sink {
    /// Takes the next rows of all layers, from top to bottom.
    ///
    /// # Errors
    /// Whatever hinders writing; it ends the raise.
    fn band(&mut self, band: Band<'_>) -> io::Result<()>;
}

/// Rows of one layer.
struct Part {
    pixels: Vec<[u8; 4]>,
    seen: Vec<u8>,
}

/// Raises `layers`, bottom first and all of one size, to the size of `source`, and gives their rows to `sink`.
///
/// Put over each other with straight-alpha *over*, 8 bits, rounded to nearest at each layer, the raised layers give an opaque source
/// back exactly, a transparent one too; with one rounding at the end they are within one level. `progress` hears shares from 0 to 1.
/// It runs on the current [`rayon`] pool.
///
/// # Errors
/// [`Error`]; [`Error::Cancelled`] soon after `cancel` says so, which is asked for each band. After an error, what `sink` was given is
/// no stack.
pub fn raise(
    source: &Source<'_>,
    layers: &[SmallLayer<'_>],
    progress: &mut dyn FnMut(f32),
    cancel: &dyn Fn() -> bool,
    sink: &mut dyn Sink,
) -> Result<Report, Error> {
    let (w, h) = common_size(source, layers)?;
    let check = || {
        if cancel() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    };
    check()?;
    progress(0.0);
    let stack = Stack::of(layers, &shrink(source, w, h), &check)?;
    let raising = Raising {
        across: Tap::axis(w, source.width),
        uncovered: AtomicUsize::new(0),
        source,
        stack: &stack,
    };
    let rows = (BAND / source.width).clamp(1, 64).min(source.height);
    let part = || Part {
        pixels: vec![[0; 4]; rows * source.width],
        seen: vec![0; rows * source.width],
    };
    let mut parts: Vec<Part> = layers.iter().map(|_| part()).collect();
    for first in (0..source.height).step_by(rows) {
        check()?;
        progress(PREPARED + (1.0 - PREPARED) * first as f32 / source.height as f32);
        let rows = rows.min(source.height - first);
        for part in &mut parts {
            part.pixels.truncate(rows * source.width);
            part.seen.truncate(rows * source.width);
            part.pixels.fill([0; 4]);
            part.seen.fill(0);
        }
        raising.band(first, rows, &mut parts);
        sink.band(Band {
            first,
            rows,
            layers: &parts,
        })?;
    }
    progress(1.0);
    let pixels = source.width as f64 * source.height as f64;
    Ok(Report {
        drift_mean: stack.drift.mean,
        drift_p99: stack.drift.p99,
        uncovered: raising.uncovered.into_inner() as f64 / pixels,
    })
}

/// What the rows have in common.
struct Raising<'a> {
    source: &'a Source<'a>,
    stack: &'a Stack,
    across: Vec<Tap>,
    uncovered: AtomicUsize,
}

/// One row of one layer on its way out.
struct Out<'a> {
    pixels: &'a mut [[u8; 4]],
    seen: &'a mut [u8],
}

/// A layer at one pixel.
struct Cell {
    index: usize,
    paint: [f32; 3],
    /// By interpolation alone.
    alpha: f32,
    /// What is expected below.
    below: [f32; 3],
}

impl Raising<'_> {
    fn band(&self, first: usize, rows: usize, parts: &mut [Part]) {
        let width = self.source.width;
        let mut lines: Vec<Vec<Out<'_>>> =
            (0..rows).map(|_| Vec::with_capacity(parts.len())).collect();
        for part in parts {
            let pixels = part.pixels.chunks_exact_mut(width);
            let pairs = pixels.zip(part.seen.chunks_exact_mut(width));
            for (line, (pixels, seen)) in lines.iter_mut().zip(pairs) {
                line.push(Out { pixels, seen });
            }
        }
        let lines = lines.into_par_iter().enumerate();
        lines.for_each(|(row, mut out)| self.row(first + row, &mut out));
    }

    fn row(&self, y: usize, out: &mut [Out<'_>]) {
        let (stack, down_tap) = (self.stack, Tap::of(y, self.stack.h, self.source.height));
        let mut rows = vec![Vec::new(); stack.paints.len()];
        for (row, paint) in rows.iter_mut().zip(&stack.paints) {
            down(paint, down_tap, row);
        }
        let (mut cells, mut uncovered) = (Vec::with_capacity(rows.len()), 0);
        let bottom = 1_u64;
        for (x, (pixel, tap)) in self.source.row(y).iter().zip(&self.across).enumerate() {
            let gap = stack.gap(tap.gap, down_tap.gap);
            let there = (!gap.empty & (u64::MAX >> (64 - rows.len()))) | bottom;
            if pixel[3] == 0 {
                continue;
            }
            if there == bottom && pixel[3] == u8::MAX && gap.empty & bottom == 0 {
                (out[0].pixels[x], out[0].seen[x]) = (*pixel, u8::MAX);
                continue;
            }
            cells.clear();
            self.look(there, gap, &rows, tap, &mut cells);
            let place = Place {
                gap,
                x: tap,
                y: &down_tap,
            };
            uncovered += usize::from(if pixel[3] == u8::MAX {
                self.opaque(*pixel, &cells, &place, x, out)
            } else {
                self.transparent(*pixel, &cells, x, out)
            });
        }
        self.uncovered.fetch_add(uncovered, Ordering::Relaxed);
    }

    /// The layers that are `there` at a pixel, bottom first.
    fn look(
        &self,
        mut there: u64,
        gap: Gap,
        rows: &[Vec<[f32; 4]>],
        tap: &Tap,
        cells: &mut Vec<Cell>,
    ) {
        let mut below = [0.5; 3];
        while there != 0 {
            let index = there.trailing_zeros() as usize;
            there &= there - 1;
            let [r, g, b, a] = along(&rows[index], tap).map(|value| value.clamp(0.0, 1.0));
            let alpha = if gap.solid >> index & 1 == 1 {
                1.0
            } else {
                snapped(a)
            };
            let paint = [r, g, b];
            cells.push(Cell {
                index,
                paint,
                alpha,
                below,
            });
            below = mix(below, paint, alpha);
        }
    }

    /// Takes an opaque pixel apart from the top down; whether hardly any layer covered it.
    fn opaque(
        &self,
        pixel: [u8; 4],
        cells: &[Cell],
        place: &Place<'_>,
        x: usize,
        out: &mut [Out<'_>],
    ) -> bool {
        let (mut picture, mut through) = ([pixel[0], pixel[1], pixel[2]], 1.0_f32);
        let levels = |paint: [f32; 3]| paint.map(|value| value * 255.0);
        for cell in cells.iter().rev() {
            let alpha = if through > THROUGH {
                self.alpha(cell, picture, place)
            } else {
                cell.alpha
            };
            let coverage = level(alpha * 255.0);
            let own = if through <= 0.0 {
                let [r, g, b] = levels(cell.paint).map(level);
                [r, g, b, coverage]
            } else if cell.index == 0 {
                [picture[0], picture[1], picture[2], u8::MAX]
            } else {
                let is_edge = place.gap.edge >> cell.index & 1 == 1;
                let firm = if is_edge { FIRM } else { 1.0 };
                let (own, under) = take_off(
                    picture,
                    coverage,
                    levels(cell.paint),
                    levels(cell.below),
                    firm,
                );
                picture = under;
                own
            };
            if own[3] > 0 {
                let out = &mut out[cell.index];
                (out.pixels[x], out.seen[x]) = (own, level(through * 255.0));
            }
            if cell.index == 0 {
                return through * (1.0 - alpha) > 0.5;
            }
            through *= f32::from(u8::MAX - own[3]) / 255.0;
        }
        false
    }

    /// A pixel that is transparent itself goes to the layer most of which is seen, as it is.
    fn transparent(&self, pixel: [u8; 4], cells: &[Cell], x: usize, out: &mut [Out<'_>]) -> bool {
        let (mut most, mut owner, mut through) = (0.0, 0, 1.0);
        for cell in cells.iter().rev() {
            let seen = through * cell.alpha;
            if seen > most {
                (most, owner) = (seen, cell.index);
            }
            through *= 1.0 - cell.alpha;
        }
        (out[owner].pixels[x], out[owner].seen[x]) = (pixel, u8::MAX);
        false
    }

    /// A layer's alpha at a pixel, told by the picture where there is an edge.
    fn alpha(&self, cell: &Cell, picture: [u8; 3], place: &Place<'_>) -> f32 {
        if place.gap.edge >> cell.index & 1 == 0 {
            return cell.alpha;
        }
        let colour = picture.map(|value| f32::from(value) / 255.0);
        let unmixed = unmix(colour, cell.paint, cell.below);
        let (paint, edges) = (
            &self.stack.paints[cell.index],
            &self.stack.edges[cell.index],
        );
        let mut guess = Guess::default();
        let near = |tap: &Tap| [(tap.at[1], 1.0 - tap.share), (tap.at[2], tap.share)];
        for (y, down) in near(place.y) {
            for (x, across) in near(place.x) {
                let weight = across * down + 1e-4;
                match edges.at(x, y) {
                    Some(fit) => fit.weigh(weight, colour, cell.alpha, &unmixed, &mut guess),
                    None => guess.add(weight * 1e2, paint.at(x as usize, y as usize)[3]),
                }
            }
        }
        snapped(guess.mean())
    }
}

/// Where a pixel lies among the small ones.
struct Place<'a> {
    gap: Gap,
    x: &'a Tap,
    y: &'a Tap,
}
