//! What the passes work on: the picture at work size and the things found in it so far.
//!
//! Forward model: `background` is painted first, then every cut over it, and the result is close
//! to the picture; [`crate::peel`] then makes it exact at full size. A pass that finds a thing
//! adds a [`Cut`] behind those found before and paints the thing out of `rest`, so that later passes
//! see what lies under it, or notes it in `hole` for the pass that fills. Invariant: `cuts` is
//! bottom first.

use fast_image_resize as fir;

use crate::blob::Blob;
use crate::context::Context;
use crate::hole::Hole;
use crate::net::words::Words;
use crate::plane::{Gray, Plane, Rect, Rgb, mix};
use crate::{Error, LayerKind, RgbaImage, ringing};

/// Longest side of the picture the passes look at.
pub(crate) const WORK_SIDE: usize = 1024;
/// Pixels of the source shrunk between two looks at the stop flag.
const LOOK: usize = 1 << 19;
/// Pixels at work size made numbers between two looks.
const BAND: usize = 1 << 18;

/// One thing found: where it is and what colour it has there.
pub(crate) struct Cut {
    pub(crate) kind: LayerKind,
    pub(crate) confidence: f32,
    pub(crate) name: String,
    /// What is written there, if it is text and was read.
    pub(crate) words: Option<Words>,
    /// Place of `alpha` and `paint` on the work canvas.
    pub(crate) rect: Rect,
    /// Coverage, hidden parts included.
    pub(crate) alpha: Gray,
    /// Colour of the thing itself, unmixed with what lies under it.
    pub(crate) paint: Rgb,
    /// How the soft edge is found at full size.
    pub(crate) edge: Edge,
}

/// How the alpha of a cut is brought from work size to full size.
pub(crate) enum Edge {
    /// Enlarged, then solved from the colours at both sides.
    Unmix,
    /// Enlarged as it is.
    Soft,
    /// Guided filter coefficients: `alpha = r*a + g*b + b*c + d` of the full-size colour, 0 to 1.
    Guided(Plane<[f32; 3]>, Gray),
}

/// Pieces on a plain ground that are photographed.
pub(crate) struct Photographed {
    pub(crate) pieces: Vec<Blob>,
    /// The ground as it would look without them.
    pub(crate) plain: Rgb,
    /// Whether there is nothing else: the picture is a photo.
    pub(crate) alone: bool,
}

/// The picture at work size and what is known about it.
pub(crate) struct Scene {
    /// Width and height of the picture itself.
    pub(crate) size: (usize, usize),
    /// How opaque the picture is, 0 to 1; `None` if it is so everywhere.
    pub(crate) opacity: Option<Gray>,
    /// The picture; transparent pixels shown over a plain ground.
    pub(crate) work: Rgb,
    /// The picture with everything found painted out.
    pub(crate) rest: Rgb,
    /// What compression left beside strong edges, in levels.
    pub(crate) ringing: f32,
    /// Whether the picture is a design with a plain ground, and nothing in it is photographed.
    pub(crate) plain: bool,
    /// 1 where `rest` was painted rather than seen.
    pub(crate) painted: Gray,
    /// What lies on a plain ground but is no drawing, if anything.
    pub(crate) photographed: Option<Photographed>,
    /// What was cut and is still seen in `rest`, if anything.
    pub(crate) hole: Option<Hole>,
    pub(crate) cuts: Vec<Cut>,
    /// Most pixels that the rectangles of all cuts may have together at full size, if that is limited.
    pub(crate) most_pixels: Option<usize>,
    /// How many cuts were joined to others, or left in the background, because of a limit.
    pub(crate) merged: usize,
}

impl Scene {
    pub(crate) fn new(source: &RgbaImage, ctx: &Context<'_>) -> Result<Self, Error> {
        let (work, opacity) = work_picture(source, ctx)?;
        ctx.check()?;
        let rest = work.clone();
        ctx.check()?;
        Ok(Self {
            size: (source.width as usize, source.height as usize),
            opacity,
            rest,
            painted: Plane::filled(work.w, work.h, 0.0),
            ringing: ringing::ringing(&work),
            work,
            plain: false,
            photographed: None,
            hole: None,
            cuts: Vec::new(),
            most_pixels: None,
            merged: 0,
        })
    }

    /// Adds a cut that lies behind all found before, and paints `under` (same rectangle) into
    /// the rest wherever the cut covers anything.
    pub(crate) fn take(&mut self, cut: Cut, under: &Rgb) {
        let rect = cut.rect;
        for y in 0..rect.h {
            for x in 0..rect.w {
                let alpha = cut.alpha.at(x, y);
                if alpha > 0.0 {
                    let at = (rect.y + y) * self.rest.w + rect.x + x;
                    self.rest.data[at] = under.at(x, y);
                    self.painted.data[at] = 1.0;
                }
            }
        }
        self.put(cut);
    }

    /// Adds a cut that lies behind all found before, and leaves the rest as it is.
    pub(crate) fn put(&mut self, cut: Cut) {
        self.cuts.insert(0, cut);
    }

    /// The places to be completed, for more to be noted.
    pub(crate) fn hole(&mut self) -> &mut Hole {
        let (w, h) = (self.rest.w, self.rest.h);
        self.hole.get_or_insert_with(|| Hole::new(w, h))
    }
}

/// Two cuts as one: `top` over `bottom`, of the kind of the larger. Edges stay sharp if both are.
pub(crate) fn join(bottom: &Cut, top: &Cut) -> Cut {
    let rect = bottom.rect.union(top.rect);
    let mut alpha = Plane::filled(rect.w, rect.h, 0.0_f32);
    let mut paint = Plane::filled(rect.w, rect.h, [0.0; 3]);
    for cut in [bottom, top] {
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                let at = (cut.rect.y - rect.y + y) * rect.w + cut.rect.x - rect.x + x;
                let (a, b) = (cut.alpha.at(x, y), alpha.data[at]);
                let sum = a + b * (1.0 - a);
                if a > 0.0 && sum > 0.0 {
                    paint.data[at] = mix(paint.data[at], cut.paint.at(x, y), a / sum);
                    alpha.data[at] = sum;
                } else if b == 0.0 {
                    // What a soft edge is solved from at full size must be known beside it too.
                    paint.data[at] = cut.paint.at(x, y);
                }
            }
        }
    }
    let weight = |cut: &Cut| cut.alpha.data.iter().sum::<f32>();
    let main = if weight(top) > weight(bottom) {
        top
    } else {
        bottom
    };
    Cut {
        kind: main.kind,
        confidence: bottom.confidence.min(top.confidence),
        name: String::new(),
        words: joined(bottom, top),
        rect,
        alpha,
        paint,
        edge: match (&bottom.edge, &top.edge) {
            (Edge::Unmix, Edge::Unmix) => Edge::Unmix,
            _ => Edge::Soft,
        },
    }
}

/// The words of two cuts, the upper or left one's first; none if there is more to it than words.
fn joined(one: &Cut, other: &Cut) -> Option<Words> {
    let (one_words, other_words) = (one.words.clone()?, other.words.clone()?);
    let middle = |cut: &Cut| cut.rect.y + cut.rect.h / 2;
    let beside = middle(one).abs_diff(middle(other)) * 2 < one.rect.h.min(other.rect.h);
    let first = if beside {
        one.rect.x <= other.rect.x
    } else {
        middle(one) <= middle(other)
    };
    let between = if beside { " " } else { "\n" };
    Some(if first {
        one_words.joined(&other_words, between)
    } else {
        other_words.joined(&one_words, between)
    })
}

/// The source at work size and how opaque it is there; transparent pixels mixed onto a grey that stands off from the rest.
fn work_picture(source: &RgbaImage, ctx: &Context<'_>) -> Result<(Rgb, Option<Gray>), Error> {
    let (w, h) = (source.width as usize, source.height as usize);
    let longest = w.max(h);
    let (small_w, small_h) = if longest > WORK_SIDE {
        let fit = |side: usize| (side * WORK_SIDE).div_ceil(longest).max(1);
        (fit(w), fit(h))
    } else {
        (w, h)
    };
    let bytes = if (small_w, small_h) == (w, h) {
        None
    } else {
        Some(shrink(source, small_w as u32, small_h as u32, ctx)?)
    };
    let pixels = bytes
        .as_deref()
        .unwrap_or(&source.pixels)
        .as_chunks::<4>()
        .0;
    ctx.check()?;
    let ground = plain_ground(pixels);
    let mut data = Vec::with_capacity(pixels.len());
    for band in pixels.chunks(BAND) {
        ctx.check()?;
        data.extend(band.iter().map(|p| {
            let colour = [f32::from(p[0]), f32::from(p[1]), f32::from(p[2])];
            mix(ground, colour, f32::from(p[3]) / 255.0)
        }));
    }
    let picture = Plane {
        w: small_w,
        h: small_h,
        data,
    };
    ctx.check()?;
    let opacity = pixels.iter().any(|p| p[3] < 255).then(|| Plane {
        w: small_w,
        h: small_h,
        data: pixels.iter().map(|p| f32::from(p[3]) / 255.0).collect(),
    });
    Ok((picture, opacity))
}

/// The source at a smaller size, band by band so that the flag is looked at in between.
fn shrink(source: &RgbaImage, w: u32, h: u32, ctx: &Context<'_>) -> Result<Vec<u8>, Error> {
    // The resizer refuses sides of 0 and short buffers, which `RgbaImage::check` has ruled out.
    let refused = || Error::BadImage {
        width: source.width,
        height: source.height,
        bytes: source.pixels.len(),
    };
    let (pixel, filter) = (fir::PixelType::U8x4, fir::FilterType::Bilinear);
    let (wide, tall) = (f64::from(source.width), f64::from(source.height));
    let row_bytes = source.width as usize * 4;
    // The filter reaches one row of the small picture to both sides.
    let reach = (tall / f64::from(h)).ceil() as u32 + 2;
    let mut resizer = fir::Resizer::new();
    let mut small = Vec::with_capacity(w as usize * h as usize * 4);
    let a_row = source.pixels.len() / 4 / h as usize;
    let most = (LOOK / a_row.max(1)).clamp(1, 64) as u32;
    for first in (0..h).step_by(most as usize) {
        ctx.check()?;
        let rows = (h - first).min(most);
        let at = |row: u32| f64::from(row) * tall / f64::from(h);
        let (from, to) = (at(first), at(first + rows));
        // The resizer makes a copy of all it is given, so it is given no more than it reads; rows
        // beyond the band are among it where the source goes on, so bands leave no seams.
        let top = (from as u32).saturating_sub(reach);
        let bottom = (to.ceil() as u32 + reach).min(source.height);
        let part = &source.pixels[top as usize * row_bytes..bottom as usize * row_bytes];
        let view = fir::images::ImageRef::new(source.width, bottom - top, part, pixel)
            .map_err(|_| refused())?;
        let mut band = fir::images::Image::new(w, rows, pixel);
        let options = fir::ResizeOptions::new()
            .resize_alg(fir::ResizeAlg::Convolution(filter))
            .crop(0.0, from - f64::from(top), wide, to - from);
        resizer
            .resize(&view, &mut band, &options)
            .map_err(|_| refused())?;
        small.extend_from_slice(band.buffer());
    }
    Ok(small)
}

/// White, or black when what can be seen is mostly light.
fn plain_ground(pixels: &[[u8; 4]]) -> [f32; 3] {
    let (mut sum, mut weight) = (0_u64, 0_u64);
    for p in pixels.iter().step_by(7) {
        let light = u64::from(p[0]) + 2 * u64::from(p[1]) + u64::from(p[2]);
        sum += light * u64::from(p[3]);
        weight += 4 * u64::from(p[3]);
    }
    if sum > weight * 160 {
        [0.0; 3]
    } else {
        [255.0; 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    #[test]
    fn a_picture_shrunk_in_bands_has_no_seams() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (w, h) = (300_u32, 1700_u32);
        let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
        let source = RgbaImage {
            width: w,
            height: h,
            pixels: (0..w * h * 4)
                .map(|at| if at % 4 == 3 { 255 } else { noise(at) })
                .collect(),
        };
        let banded = shrink(&source, 181, 1024, &ctx).expect("it shrinks");
        let pixel = fir::PixelType::U8x4;
        let view = fir::images::ImageRef::new(w, h, &source.pixels, pixel).expect("a view");
        let mut whole = fir::images::Image::new(181, 1024, pixel);
        let filter = fir::ResizeAlg::Convolution(fir::FilterType::Bilinear);
        let options = fir::ResizeOptions::new().resize_alg(filter);
        fir::Resizer::new()
            .resize(&view, &mut whole, &options)
            .expect("it shrinks");
        let off = banded
            .iter()
            .zip(whole.buffer())
            .map(|(a, b)| a.abs_diff(*b));
        assert!(off.max() <= Some(1));
    }
}
