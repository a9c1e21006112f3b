//! Drawing with known coverage: shapes by signed distance, text by outlines, soft shadows.
//!
//! Everything is kept as float coverage and colour, so that the truth is exact before the final
//! rounding. Invariant: coverage is 0 to 1, colours are 0 to 255.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

/// A picture of colours, or the coverage of a layer, on the whole canvas.
#[derive(Clone)]
pub(crate) struct Truth {
    pub(crate) kind: &'static str,
    pub(crate) alpha: Vec<f32>,
    pub(crate) colour: Vec<[f32; 3]>,
}

/// Small seeded random numbers (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0.0 up to, not including, 1.0.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub(crate) fn range(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A box on the canvas: left, top, width, height in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) w: f32,
    pub(crate) h: f32,
}

impl Frame {
    pub(crate) fn overlaps(&self, other: &Self, gap: f32) -> bool {
        self.x < other.x + other.w + gap
            && other.x < self.x + self.w + gap
            && self.y < other.y + other.h + gap
            && other.y < self.y + self.h + gap
    }

    fn centre(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

/// An outline that fills its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outline {
    Rect,
    Round(f32),
    Ellipse,
    Triangle,
    Hexagon,
    Star,
    Ring,
}

/// Coverage of an outline over the canvas.
pub(crate) fn cover(outline: Outline, frame: &Frame, w: usize, h: usize) -> Vec<f32> {
    let mut alpha = vec![0.0; w * h];
    let (x0, x1) = (
        (frame.x - 2.0).max(0.0) as usize,
        ((frame.x + frame.w + 2.0) as usize).min(w),
    );
    let (y0, y1) = (
        (frame.y - 2.0).max(0.0) as usize,
        ((frame.y + frame.h + 2.0) as usize).min(h),
    );
    let points = corners(outline, frame);
    for y in y0..y1 {
        for x in x0..x1 {
            let at = (x as f32 + 0.5, y as f32 + 0.5);
            alpha[y * w + x] = if points.is_empty() {
                (0.5 - distance(outline, frame, at)).clamp(0.0, 1.0)
            } else {
                sampled(&points, x, y)
            };
        }
    }
    alpha
}

/// Corners of the straight-edged outlines.
fn corners(outline: Outline, f: &Frame) -> Vec<(f32, f32)> {
    let (cx, cy) = f.centre();
    let on = |turn: f32, radius: f32| {
        let angle = turn * std::f32::consts::TAU - std::f32::consts::FRAC_PI_2;
        (
            cx + angle.cos() * radius * f.w / 2.0,
            cy + angle.sin() * radius * f.h / 2.0,
        )
    };
    match outline {
        Outline::Triangle => vec![(cx, f.y), (f.x + f.w, f.y + f.h), (f.x, f.y + f.h)],
        Outline::Hexagon => (0..6).map(|k| on(k as f32 / 6.0, 1.0)).collect(),
        Outline::Star => (0..10)
            .map(|k| on(k as f32 / 10.0, if k % 2 == 0 { 1.0 } else { 0.45 }))
            .collect(),
        _ => Vec::new(),
    }
}

/// Share of 4 by 4 samples inside a polygon.
fn sampled(points: &[(f32, f32)], x: usize, y: usize) -> f32 {
    let mut hits = 0;
    for sub in 0..16 {
        let px = x as f32 + ((sub % 4) as f32 + 0.5) / 4.0;
        let py = y as f32 + ((sub / 4) as f32 + 0.5) / 4.0;
        let mut inside = false;
        for (k, a) in points.iter().enumerate() {
            let b = points[(k + 1) % points.len()];
            if (a.1 > py) != (b.1 > py) && px < (b.0 - a.0) * (py - a.1) / (b.1 - a.1) + a.0 {
                inside = !inside;
            }
        }
        hits += u32::from(inside);
    }
    hits as f32 / 16.0
}

/// Signed distance to the round outlines, negative inside.
fn distance(outline: Outline, f: &Frame, (x, y): (f32, f32)) -> f32 {
    let (cx, cy) = f.centre();
    let (dx, dy) = (x - cx, y - cy);
    let boxed = |radius: f32| {
        let qx = dx.abs() - f.w / 2.0 + radius;
        let qy = dy.abs() - f.h / 2.0 + radius;
        qx.max(0.0).hypot(qy.max(0.0)) + qx.max(qy).min(0.0) - radius
    };
    let ellipse = |a: f32, b: f32| {
        let scaled = (dx / a).hypot(dy / b);
        let slope = (dx / (a * a)).hypot(dy / (b * b)).max(1e-6);
        (scaled - 1.0) * scaled.max(1e-6) / slope
    };
    match outline {
        Outline::Round(radius) => boxed(radius.min(f.w / 2.0).min(f.h / 2.0)),
        Outline::Ellipse => ellipse(f.w / 2.0, f.h / 2.0),
        Outline::Ring => ellipse(f.w / 2.0, f.h / 2.0).max(-ellipse(f.w * 0.3, f.h * 0.3)),
        _ => boxed(0.0),
    }
}

/// Coverage of a line of text whose left end of the base line is at `(x, y)`, and its frame.
pub(crate) fn write(
    face: &FontRef<'_>,
    text: &str,
    size: f32,
    x: f32,
    y: f32,
    w: usize,
    h: usize,
) -> (Vec<f32>, Frame) {
    let mut alpha = vec![0.0_f32; w * h];
    let scaled = face.as_scaled(PxScale::from(size));
    let (mut pen, mut last) = (x, None);
    let (mut left, mut right, mut top, mut bottom) = (f32::MAX, 0.0_f32, f32::MAX, 0.0_f32);
    for letter in text.chars() {
        let id = face.glyph_id(letter);
        if let Some(last) = last {
            pen += scaled.kern(last, id);
        }
        let glyph = id.with_scale_and_position(PxScale::from(size), ab_glyph::point(pen, y));
        if let Some(outlined) = face.outline_glyph(glyph) {
            let bounds = outlined.px_bounds();
            (left, right) = (left.min(bounds.min.x), right.max(bounds.max.x));
            (top, bottom) = (top.min(bounds.min.y), bottom.max(bounds.max.y));
            outlined.draw(|gx, gy, c| {
                let (px, py) = (
                    bounds.min.x as i64 + i64::from(gx),
                    bounds.min.y as i64 + i64::from(gy),
                );
                if px >= 0 && py >= 0 && (px as usize) < w && (py as usize) < h {
                    let place = &mut alpha[py as usize * w + px as usize];
                    *place = (*place + c).min(1.0);
                }
            });
        }
        pen += scaled.h_advance(id);
        last = Some(id);
    }
    let frame = Frame {
        x: left.min(right),
        y: top.min(bottom),
        w: (right - left).max(0.0),
        h: (bottom - top).max(0.0),
    };
    (alpha, frame)
}

/// The coverage moved by `(0, down)`, blurred (three box blurs) and weakened.
pub(crate) fn shadow(
    alpha: &[f32],
    w: usize,
    h: usize,
    down: usize,
    blur: usize,
    strength: f32,
) -> Vec<f32> {
    let mut moved = vec![0.0; w * h];
    for y in down..h {
        moved[y * w..(y + 1) * w].copy_from_slice(&alpha[(y - down) * w..(y - down + 1) * w]);
    }
    for _ in 0..3 {
        moved = box_lines(&moved, w, h, blur);
        moved = transpose(&box_lines(&transpose(&moved, w, h), h, w, blur), h, w);
    }
    moved
        .iter()
        .map(|a| (a * strength).clamp(0.0, 1.0))
        .collect()
}

fn box_lines(plane: &[f32], w: usize, h: usize, radius: usize) -> Vec<f32> {
    let mut out = vec![0.0; w * h];
    let window = (2 * radius + 1) as f32;
    for y in 0..h {
        let row = &plane[y * w..(y + 1) * w];
        let mut sum: f32 = row[..radius.min(w)].iter().sum();
        for x in 0..w {
            sum += row.get(x + radius).copied().unwrap_or(0.0);
            out[y * w + x] = sum / window;
            if x >= radius {
                sum -= row[x - radius];
            }
        }
    }
    out
}

fn transpose(plane: &[f32], w: usize, h: usize) -> Vec<f32> {
    let mut out = vec![0.0; w * h];
    for y in 0..h {
        for x in 0..w {
            out[x * h + y] = plane[y * w + x];
        }
    }
    out
}

/// How a layer is coloured.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Flat([f32; 3]),
    /// From one colour to another along a direction, over the frame.
    Linear([f32; 3], [f32; 3], f32),
    /// From the centre outwards.
    Radial([f32; 3], [f32; 3]),
}

/// The colours of an ink over the canvas, fitted to `frame`.
pub(crate) fn paint(ink: Ink, frame: &Frame, w: usize, h: usize) -> Vec<[f32; 3]> {
    let mut out = Vec::with_capacity(w * h);
    let (cx, cy) = frame.centre();
    for y in 0..h {
        for x in 0..w {
            let (dx, dy) = (
                (x as f32 - cx) / frame.w.max(1.0),
                (y as f32 - cy) / frame.h.max(1.0),
            );
            let blend = |a: [f32; 3], b: [f32; 3], t: f32| {
                let t = t.clamp(0.0, 1.0);
                [
                    a[0] + (b[0] - a[0]) * t,
                    a[1] + (b[1] - a[1]) * t,
                    a[2] + (b[2] - a[2]) * t,
                ]
            };
            out.push(match ink {
                Ink::Flat(colour) => colour,
                Ink::Linear(a, b, angle) => blend(a, b, dx * angle.cos() + dy * angle.sin() + 0.5),
                Ink::Radial(a, b) => blend(a, b, dx.hypot(dy) * 1.4),
            });
        }
    }
    out
}
