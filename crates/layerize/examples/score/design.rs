//! Seeded designs with known layers: posters, cards with shadows and photos, text on photos.
//!
//! Nothing here knows the engine. Invariant: one seed, one design; layers bottom first, the first
//! covers the canvas.

use ab_glyph::FontRef;

use crate::draw::{Dice, Frame, Ink, Outline, Truth, cover, paint, shadow, write};

/// A design and the layers it was made of.
pub(crate) struct Design {
    pub(crate) w: usize,
    pub(crate) h: usize,
    pub(crate) about: &'static str,
    pub(crate) layers: Vec<Truth>,
}

/// What designs are made from.
pub(crate) struct Kit {
    pub(crate) faces: Vec<FontRef<'static>>,
    /// Photos: width, height, colours.
    pub(crate) photos: Vec<(usize, usize, Vec<[f32; 3]>)>,
}

/// What [`Design::about`] may say.
pub(crate) const KINDS: &[&str] = &[
    "flat",
    "linear gradient",
    "radial gradient",
    "texture",
    "card",
    "photo with text",
];

const PALETTES: &[[[u8; 3]; 5]] = &[
    [
        [247, 241, 227],
        [30, 58, 95],
        [239, 98, 66],
        [64, 145, 120],
        [255, 209, 102],
    ],
    [
        [255, 255, 255],
        [33, 37, 41],
        [76, 110, 245],
        [240, 62, 62],
        [250, 176, 5],
    ],
    [
        [16, 20, 38],
        [240, 244, 255],
        [0, 187, 170],
        [255, 94, 120],
        [140, 120, 255],
    ],
    [
        [232, 240, 236],
        [38, 70, 83],
        [42, 157, 143],
        [233, 196, 106],
        [231, 111, 81],
    ],
    [
        [250, 235, 240],
        [70, 20, 60],
        [200, 40, 110],
        [255, 150, 120],
        [90, 130, 200],
    ],
    [
        [44, 44, 44],
        [250, 250, 245],
        [220, 180, 60],
        [120, 180, 90],
        [190, 80, 60],
    ],
    [
        [208, 228, 245],
        [20, 60, 110],
        [250, 250, 250],
        [240, 120, 40],
        [60, 160, 220],
    ],
    [
        [255, 246, 214],
        [90, 50, 20],
        [210, 70, 40],
        [110, 150, 60],
        [60, 110, 140],
    ],
];

const WORDS: &[&str] = &[
    "Summer", "Market", "open", "Studio", "fresh", "Coffee", "and", "Music", "Night", "the",
    "Garden", "Sale", "2026", "River", "walk", "Join", "us", "Friday", "9:00", "Design", "with",
    "care", "NEW", "from", "50%", "Harbour", "Festival", "of", "light", "Read", "more", "Book",
    "now", "Quiet",
];

impl Kit {
    pub(crate) fn design(&self, seed: u64) -> Design {
        let mut dice = Dice::new(seed);
        let (w, h) = *dice.pick(&[
            (1024, 1024),
            (800, 600),
            (768, 1024),
            (900, 900),
            (1000, 720),
        ]);
        let mut palette = dice.pick(PALETTES).map(|c| c.map(f32::from));
        if dice.chance(0.5) {
            palette[1..].rotate_left(1);
        }
        let mut draft = Draft {
            kit: self,
            dice,
            w,
            h,
            palette,
            layers: Vec::new(),
            taken: Vec::new(),
        };
        let about = match draft.dice.below(10) {
            0..=4 => draft.poster(),
            5..=7 => draft.card(),
            _ => draft.photo_with_text(),
        };
        Design {
            w,
            h,
            about,
            layers: draft.layers,
        }
    }
}

struct Draft<'a> {
    kit: &'a Kit,
    dice: Dice,
    w: usize,
    h: usize,
    palette: [[f32; 3]; 5],
    layers: Vec<Truth>,
    taken: Vec<Frame>,
}

impl Draft<'_> {
    fn canvas(&self) -> Frame {
        Frame {
            x: 0.0,
            y: 0.0,
            w: self.w as f32,
            h: self.h as f32,
        }
    }

    fn add(&mut self, kind: &'static str, alpha: Vec<f32>, colour: Vec<[f32; 3]>) {
        self.layers.push(Truth {
            kind,
            alpha,
            colour,
        });
    }

    fn ground(&mut self) -> &'static str {
        let base = self.palette[0];
        let other = self.palette[2 + self.dice.below(3)];
        let soft = [0, 1, 2].map(|c| base[c] + (other[c] - base[c]) * 0.55);
        let angle = self.dice.range(0.0, 6.2);
        let (name, ink) = match self.dice.below(10) {
            0..=3 => ("flat", Ink::Flat(base)),
            4..=6 => ("linear gradient", Ink::Linear(base, soft, angle)),
            7 => ("radial gradient", Ink::Radial(soft, base)),
            _ => ("texture", Ink::Flat(base)),
        };
        let mut colour = paint(ink, &self.canvas(), self.w, self.h);
        if name == "texture" {
            let strength = self.dice.range(2.0, 7.0);
            for c in &mut colour {
                let grain = (self.dice.unit() + self.dice.unit() - 1.0) * strength;
                *c = c.map(|v| (v + grain).clamp(0.0, 255.0));
            }
        }
        self.add("background", vec![1.0; self.w * self.h], colour);
        name
    }

    /// A frame inside `area` that keeps its distance from what is there.
    fn place(&mut self, area: &Frame, w: f32, h: f32, gap: f32) -> Option<Frame> {
        if w > area.w - 2.0 * gap || h > area.h - 2.0 * gap {
            return None;
        }
        for _ in 0..40 {
            let x = self
                .dice
                .range(area.x + gap, area.x + area.w - w - gap)
                .round();
            let y = self
                .dice
                .range(area.y + gap, area.y + area.h - h - gap)
                .round();
            let frame = Frame { x, y, w, h };
            if self.taken.iter().all(|other| !frame.overlaps(other, gap)) {
                self.taken.push(frame);
                return Some(frame);
            }
        }
        None
    }

    /// A colour that stands off from `from`.
    fn ink_on(&mut self, from: [f32; 3]) -> [f32; 3] {
        let far: Vec<[f32; 3]> = self
            .palette
            .iter()
            .copied()
            .filter(|c| (0..3).map(|k| (c[k] - from[k]).abs()).sum::<f32>() > 150.0)
            .collect();
        if far.is_empty() {
            [255.0 - from[0]; 3]
        } else {
            *self.dice.pick(&far)
        }
    }

    fn ink(&mut self, from: [f32; 3]) -> Ink {
        let first = self.ink_on(from);
        let angle = self.dice.range(0.0, 6.2);
        let toward = self.ink_on(from);
        let second = [0, 1, 2].map(|c| first[c] + (toward[c] - first[c]) * 0.4);
        if self.dice.chance(0.25) {
            Ink::Linear(first, second, angle)
        } else {
            Ink::Flat(first)
        }
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| *self.dice.pick(WORDS)).collect();
        words.join(" ")
    }

    fn text(&mut self, area: &Frame, size: f32, on: [f32; 3]) {
        let count = if size > 50.0 {
            2
        } else {
            2 + self.dice.below(3)
        };
        let words = self.words(count);
        let face = self.dice.below(self.kit.faces.len());
        let (_, rough) = write(
            &self.kit.faces[face],
            &words,
            size,
            0.0,
            size,
            self.w,
            self.h,
        );
        let Some(frame) = self.place(area, rough.w + 2.0, rough.h + 2.0, (size * 0.45).max(8.0))
        else {
            return;
        };
        let (x, y) = (frame.x - rough.x, frame.y + size - rough.y);
        let (alpha, _) = write(&self.kit.faces[face], &words, size, x, y, self.w, self.h);
        let colour = self.ink_on(on);
        self.add("text", alpha, vec![colour; self.w * self.h]);
    }

    fn outline(&mut self) -> Outline {
        let radius = self.dice.range(8.0, 40.0);
        *self.dice.pick(&[
            Outline::Rect,
            Outline::Round(radius),
            Outline::Ellipse,
            Outline::Ellipse,
            Outline::Triangle,
            Outline::Hexagon,
            Outline::Star,
            Outline::Ring,
        ])
    }

    fn shape(&mut self, area: &Frame, on: [f32; 3]) {
        let side = area.w.min(area.h);
        let w = self.dice.range(0.12, 0.3) * side;
        let h = if self.dice.chance(0.5) {
            w
        } else {
            w * self.dice.range(0.5, 1.2)
        };
        let Some(frame) = self.place(area, w.round(), h.round(), 12.0) else {
            return;
        };
        let outline = self.outline();
        let ink = self.ink(on);
        self.drawn("shape", outline, &frame, ink);
    }

    fn drawn(&mut self, kind: &'static str, outline: Outline, frame: &Frame, ink: Ink) {
        let alpha = cover(outline, frame, self.w, self.h);
        self.add(kind, alpha, paint(ink, frame, self.w, self.h));
    }

    /// Two shapes, the second over a part of the first.
    fn pair(&mut self, area: &Frame, on: [f32; 3]) {
        let side = area.w.min(area.h);
        let w = (self.dice.range(0.2, 0.32) * side).round();
        let Some(both) = self.place(area, (w * 1.6).round(), (w * 1.35).round(), 12.0) else {
            return;
        };
        let outlines = [
            Outline::Rect,
            Outline::Ellipse,
            Outline::Triangle,
            Outline::Round(24.0),
        ];
        let (behind, before) = (*self.dice.pick(&outlines), *self.dice.pick(&outlines));
        let first = self.ink_on(on);
        let mut second = self.ink_on(first);
        for _ in 0..8 {
            if (0..3).map(|c| (second[c] - on[c]).abs()).sum::<f32>() > 60.0 {
                break;
            }
            second = self.ink_on(first);
        }
        let back = Frame {
            x: both.x,
            y: both.y,
            w,
            h: w,
        };
        let front = Frame {
            x: both.x + w * 0.62,
            y: both.y + w * 0.4,
            w: w * 0.95,
            h: w * 0.92,
        };
        self.drawn("shape", behind, &back, Ink::Flat(first));
        self.drawn("shape", before, &front, Ink::Flat(second));
    }

    fn cast(&mut self, outline: Outline, frame: &Frame) {
        let alpha = cover(outline, frame, self.w, self.h);
        let down = 4 + self.dice.below(16);
        let blur = 4 + self.dice.below(8);
        let strength = self.dice.range(0.25, 0.5);
        let soft = shadow(&alpha, self.w, self.h, down, blur, strength);
        self.add("shadow", soft, vec![[0.0; 3]; self.w * self.h]);
    }

    fn panel(&mut self, area: &Frame, on: [f32; 3]) {
        let (w, h) = (
            self.dice.range(0.45, 0.75) * area.w,
            self.dice.range(0.3, 0.42) * area.h,
        );
        let Some(frame) = self.place(area, w.round(), h.round(), 16.0) else {
            return;
        };
        let outline = Outline::Round(self.dice.range(0.0, 36.0));
        if self.dice.chance(0.4) {
            self.cast(outline, &frame);
        }
        let colour = self.ink_on(on);
        self.drawn("panel", outline, &frame, Ink::Flat(colour));
        let outer = std::mem::take(&mut self.taken);
        for _ in 0..1 + self.dice.below(2) {
            let size = self.dice.range(18.0, 44.0);
            self.text(&frame, size, colour);
        }
        if self.dice.chance(0.6) {
            self.shape(&frame, colour);
        }
        self.taken = outer;
    }

    fn poster(&mut self) -> &'static str {
        let about = self.ground();
        let (canvas, base) = (self.canvas(), self.palette[0]);
        let size = self.dice.range(48.0, 90.0);
        self.text(&canvas, size, base);
        if self.dice.chance(0.7) {
            self.panel(&canvas, base);
        }
        if self.dice.chance(0.6) {
            self.pair(&canvas, base);
        }
        for _ in 0..1 + self.dice.below(3) {
            self.shape(&canvas, base);
        }
        for _ in 0..1 + self.dice.below(2) {
            let size = self.dice.range(18.0, 36.0);
            self.text(&canvas, size, base);
        }
        about
    }

    fn photo_colours(&mut self, frame: &Frame) -> Vec<[f32; 3]> {
        let (pw, ph, pixels) = &self.kit.photos[self.dice.below(self.kit.photos.len())];
        let scale = (frame.w / *pw as f32).max(frame.h / *ph as f32);
        let mut out = vec![[0.0; 3]; self.w * self.h];
        for y in 0..self.h {
            for x in 0..self.w {
                let u = ((x as f32 - frame.x) / scale).clamp(0.0, (*pw - 1) as f32);
                let v = ((y as f32 - frame.y) / scale).clamp(0.0, (*ph - 1) as f32);
                let (x0, y0) = (u as usize, v as usize);
                let (x1, y1) = ((x0 + 1).min(pw - 1), (y0 + 1).min(ph - 1));
                let (fx, fy) = (u - x0 as f32, v - y0 as f32);
                out[y * self.w + x] = [0, 1, 2].map(|c| {
                    let top = pixels[y0 * pw + x0][c] * (1.0 - fx) + pixels[y0 * pw + x1][c] * fx;
                    let bottom =
                        pixels[y1 * pw + x0][c] * (1.0 - fx) + pixels[y1 * pw + x1][c] * fx;
                    top * (1.0 - fy) + bottom * fy
                });
            }
        }
        out
    }

    fn card(&mut self) -> &'static str {
        self.ground();
        let canvas = self.canvas();
        let (w, h) = (
            canvas.w * self.dice.range(0.6, 0.78),
            canvas.h * self.dice.range(0.5, 0.64),
        );
        let Some(frame) = self.place(&canvas, w.round(), h.round(), 40.0) else {
            return "card";
        };
        let outline = Outline::Round(self.dice.range(8.0, 40.0));
        self.cast(outline, &frame);
        let light = [250.0 + self.dice.below(6) as f32; 3];
        let dark = [38.0, 40.0, 52.0];
        let bright = self.palette[0].iter().sum::<f32>() > 690.0;
        let colour = if bright { dark } else { light };
        self.drawn("panel", outline, &frame, Ink::Flat(colour));
        let outer = std::mem::take(&mut self.taken);
        let photo = Frame {
            x: frame.x + 32.0,
            y: frame.y + 32.0,
            w: (frame.w * 0.42).round(),
            h: (frame.h * 0.5).round(),
        };
        self.taken.push(photo);
        let colours = self.photo_colours(&photo);
        let crop = if self.dice.chance(0.5) {
            Outline::Rect
        } else {
            Outline::Round(18.0)
        };
        let alpha = cover(crop, &photo, self.w, self.h);
        self.add("photo", alpha, colours);
        for size in [40.0, 24.0, 20.0] {
            self.text(&frame, size, colour);
        }
        if let Some(button) = self.place(&frame, 180.0, 56.0, 14.0) {
            let fill = self.palette[2 + self.dice.below(3)];
            self.drawn("panel", Outline::Round(28.0), &button, Ink::Flat(fill));
            let inner = std::mem::take(&mut self.taken);
            self.text(&button, 22.0, fill);
            self.taken = inner;
        }
        self.taken = outer;
        let size = self.dice.range(30.0, 60.0);
        self.text(&canvas, size, self.palette[0]);
        "card"
    }

    fn photo_with_text(&mut self) -> &'static str {
        let canvas = self.canvas();
        let colours = self.photo_colours(&canvas);
        self.add("background", vec![1.0; self.w * self.h], colours);
        let (w, h) = (canvas.w * 0.5, canvas.h * 0.22);
        if let Some(frame) = self.place(&canvas, w.round(), h.round(), 24.0) {
            let colour = *self.dice.pick(&[[250.0; 3], [24.0, 28.0, 40.0]]);
            let outline = Outline::Round(self.dice.range(0.0, 30.0));
            self.drawn("panel", outline, &frame, Ink::Flat(colour));
            let outer = std::mem::take(&mut self.taken);
            for size in [40.0, 24.0] {
                self.text(&frame, size, colour);
            }
            self.taken = outer;
        }
        let size = self.dice.range(50.0, 90.0);
        self.palette = [
            [255.0; 3],
            [255.0; 3],
            [255.0; 3],
            [255.0, 240.0, 120.0],
            [255.0; 3],
        ];
        self.text(&canvas, size, [60.0; 3]);
        "photo with text"
    }
}
