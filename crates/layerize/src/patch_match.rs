//! PatchMatch completion for small holes in patterned surroundings: weaves, bricks, regular grain.
//!
//! Patches of 7 by 7 pixels from what is seen around the hole, found by random search and
//! propagation (Barnes et al. 2009) and blended where they overlap, from coarse to fine (Wexler,
//! Shechtman and Irani 2007). It copies colours, so it may only be used where copying is right: it
//! must first win back discs beside the hole, which are known, far better than the smooth fill
//! does, every one of them. Surroundings of several kinds and mere roughness do not pass; they are
//! left to [`crate::grain`]. `docs/engine.md` has the comparison.
//! Invariant: known pixels stay as they were, and nothing that was found or painted is copied.

use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2};
use crate::push_pull;

/// Half a patch: 7 by 7.
const HALF: usize = 3;
/// Rounds of search and blending at each size.
const ROUNDS: usize = 6;
/// Shortest side at which the completion begins.
const SMALLEST: usize = 32;
/// Most pixels of a hole, and its longest side.
const MOST: usize = 16_000;
const LONGEST: usize = 192;
/// How far around the hole patches are taken from.
const AROUND: usize = 56;
/// Radius of a disc that is hidden to try, and how many of eight there must be room for.
const DISC: usize = 10;
const TRIED: usize = 4;
/// How many times smaller the squared error of every disc must be than that of the smooth fill.
const BETTER: f32 = 2.5;
/// Mean squared error of the smooth fill, in levels, under which there is no pattern to continue.
const PATTERN: f32 = 40.0;

/// The picture completed where `known` is 0; `None` where that was not proven to be right. `smooth`
/// is the smooth fill; where `painted` is 1 the picture is a guess, and nothing is copied.
pub(crate) fn fill(
    ctx: &Context<'_>,
    picture: &Rgb,
    known: &Gray,
    painted: &Gray,
    smooth: &Rgb,
) -> Result<Option<Rgb>, Error> {
    let (w, h) = (picture.w, picture.h);
    let mut holes = (0..w * h).filter(|&at| known.data[at] <= 0.0);
    let Some(first) = holes.next() else {
        return Ok(None);
    };
    let (mut count, mut left, mut right, top, mut bottom) =
        (1_usize, first % w, first % w, first / w, first / w);
    for at in holes {
        count += 1;
        (left, right, bottom) = (left.min(at % w), right.max(at % w), at / w);
        if count > MOST || right - left >= LONGEST || bottom - top >= LONGEST {
            return Ok(None);
        }
    }
    let rect = Rect {
        x: left,
        y: top,
        w: right - left + 1,
        h: bottom - top + 1,
    };
    let may = Plane {
        w,
        h,
        data: known
            .data
            .iter()
            .zip(&painted.data)
            .map(|(&k, &p)| f32::from(u8::from(k > 0.0 && p <= 0.0)))
            .collect(),
    };
    if !wins(ctx, picture, &may, rect)? {
        return Ok(None);
    }
    let room = rect.grow(AROUND, w, h);
    let hole = known.crop(room).map(|k| k <= 0.0);
    let made = complete(ctx, &smooth.crop(room), &hole, &may.crop(room))?;
    let mut filled = smooth.clone();
    for (at, _) in hole.data.iter().enumerate().filter(|(_, hole)| **hole) {
        filled.set(room.x + at % room.w, room.y + at / room.w, made.data[at]);
    }
    Ok(Some(filled))
}

/// Whether discs beside the hole are won back far better than smoothly, every one.
fn wins(ctx: &Context<'_>, picture: &Rgb, may: &Gray, hole: Rect) -> Result<bool, Error> {
    let (w, h) = (picture.w, picture.h);
    let gap = DISC + HALF + 2;
    let (middle_x, middle_y) = (hole.x + hole.w / 2, hole.y + hole.h / 2);
    let (low_x, high_x) = (hole.x.checked_sub(gap), hole.x + hole.w + gap);
    let (low_y, high_y) = (hole.y.checked_sub(gap), hole.y + hole.h + gap);
    let places = [
        (low_x, Some(middle_y)),
        (Some(high_x), Some(middle_y)),
        (Some(middle_x), low_y),
        (Some(middle_x), Some(high_y)),
        (low_x, low_y),
        (low_x, Some(high_y)),
        (Some(high_x), low_y),
        (Some(high_x), Some(high_y)),
    ];
    let mut tried = 0;
    for (x, y) in places {
        let (Some(x), Some(y)) = (x, y) else { continue };
        let reach = DISC + HALF;
        if x < reach || y < reach || x + reach >= w || y + reach >= h {
            continue;
        }
        let free =
            (y - reach..=y + reach).all(|y| (x - reach..=x + reach).all(|x| may.at(x, y) > 0.0));
        if !free {
            continue;
        }
        ctx.check()?;
        tried += 1;
        let room = Rect { x, y, w: 1, h: 1 }.grow(AROUND, w, h);
        let disc = Plane {
            w: room.w,
            h: room.h,
            data: (0..room.area())
                .map(|at| {
                    let (dx, dy) = (
                        (room.x + at % room.w).abs_diff(x),
                        (room.y + at / room.w).abs_diff(y),
                    );
                    dx * dx + dy * dy <= DISC * DISC
                })
                .collect(),
        };
        let mut open = may.crop(room);
        for (open, &hidden) in open.data.iter_mut().zip(&disc.data) {
            *open = if hidden { 0.0 } else { *open };
        }
        let truth = picture.crop(room);
        let smooth = push_pull::fill(&truth, &open);
        let made = complete(ctx, &smooth, &disc, &open)?;
        let error = |fill: &Rgb| {
            let hidden = (0..room.area()).filter(|&at| disc.data[at]);
            let squares = hidden.map(|at| distance2(fill.data[at], truth.data[at]) / 3.0);
            squares.sum::<f32>() / disc.data.iter().filter(|d| **d).count() as f32
        };
        if error(&smooth) < PATTERN || error(&made) * BETTER > error(&smooth) {
            return Ok(false);
        }
    }
    Ok(tried >= TRIED)
}

/// The picture with its holes completed from where it `may` be copied; `smooth` is a first guess
/// there, and the picture itself elsewhere.
fn complete(ctx: &Context<'_>, smooth: &Rgb, hole: &Plane<bool>, may: &Gray) -> Result<Rgb, Error> {
    let mut sizes = vec![(smooth.w, smooth.h)];
    while let Some(&(w, h)) = sizes.last()
        && w.min(h) >= 2 * SMALLEST
    {
        sizes.push((w.div_ceil(2), h.div_ceil(2)));
    }
    let mut dice = Dice(7);
    let unknown = hole.map(|hole| f32::from(u8::from(hole)));
    let mut guess: Option<(Rgb, Vec<usize>)> = None;
    for &(w, h) in sizes.iter().rev() {
        let seen = smooth.resize(w, h);
        let level = Level::of(&unknown.resize(w, h), &may.resize(w, h));
        let Some(&first) = level.sources.first() else {
            continue;
        };
        let mut now = seen.clone();
        let mut from = vec![first; w * h];
        for &at in &level.holes {
            from[at] = match &guess {
                None => level.any(&mut dice),
                Some((before, old)) => level.larger(at, before, old, &mut dice),
            };
        }
        if let Some((before, _)) = &guess {
            let large = before.resize(w, h);
            for at in (0..w * h).filter(|&at| level.open[at]) {
                now.data[at] = large.data[at];
            }
        }
        for round in 0..ROUNDS {
            level.search(ctx, &now, &mut from, round % 2 == 1, &mut dice)?;
            now = level.blended(&seen, &now, &from);
        }
        guess = Some((now, from));
    }
    Ok(guess.map_or_else(|| smooth.clone(), |(now, _)| now))
}

/// Numbers by chance, the same ones each time (Knuth's linear congruential generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// One size of the picture.
struct Level {
    w: usize,
    h: usize,
    /// What is to be completed.
    open: Vec<bool>,
    /// Middles of patches that hold something open: for these a source is sought.
    holes: Vec<usize>,
    is_hole: Vec<bool>,
    /// Middles of patches that may be copied.
    sources: Vec<usize>,
    is_source: Vec<bool>,
}

impl Level {
    fn of(unknown: &Gray, may: &Gray) -> Self {
        let (w, h) = (unknown.w, unknown.h);
        let open: Vec<bool> = unknown.data.iter().map(|&u| u > 1e-3).collect();
        let patch = |at: usize| {
            let corner = at - HALF * w - HALF;
            (0..=2 * HALF).flat_map(move |y| (0..=2 * HALF).map(move |x| corner + y * w + x))
        };
        let (mut is_hole, mut is_source) = (vec![false; w * h], vec![false; w * h]);
        for y in HALF..h.saturating_sub(HALF) {
            for x in HALF..w.saturating_sub(HALF) {
                let at = y * w + x;
                is_hole[at] = patch(at).any(|near| open[near]);
                is_source[at] = !is_hole[at] && patch(at).all(|near| may.data[near] > 0.999);
            }
        }
        Self {
            w,
            h,
            open,
            holes: (0..w * h).filter(|&at| is_hole[at]).collect(),
            sources: (0..w * h).filter(|&at| is_source[at]).collect(),
            is_hole,
            is_source,
        }
    }

    fn any(&self, dice: &mut Dice) -> usize {
        self.sources[dice.below(self.sources.len())]
    }

    /// The source that a place had at half the size.
    fn larger(&self, at: usize, before: &Rgb, old: &[usize], dice: &mut Dice) -> usize {
        let (x, y) = (at % self.w, at / self.w);
        let half = (y / 2).min(before.h - 1) * before.w + (x / 2).min(before.w - 1);
        let (sx, sy) = (
            old[half] % before.w * 2 + x % 2,
            old[half] / before.w * 2 + y % 2,
        );
        let wanted = sy.min(self.h - 1) * self.w + sx.min(self.w - 1);
        if self.is_source[wanted] {
            wanted
        } else {
            self.any(dice)
        }
    }

    /// How far two patches differ; stops at `limit`.
    fn off(&self, now: &Rgb, at: usize, source: usize, limit: f32) -> f32 {
        let corner = HALF * self.w + HALF;
        let mut sum = 0.0;
        for dy in 0..=2 * HALF {
            let (a, b) = (at + dy * self.w - corner, source + dy * self.w - corner);
            let rows = now.data[a..=a + 2 * HALF].iter();
            sum += rows
                .zip(&now.data[b..=b + 2 * HALF])
                .map(|(a, b)| distance2(*a, *b))
                .sum::<f32>();
            if sum >= limit {
                return sum;
            }
        }
        sum
    }

    /// Betters the source of every hole: by those of its neighbours and by chance, ever nearer.
    fn search(
        &self,
        ctx: &Context<'_>,
        now: &Rgb,
        from: &mut [usize],
        backwards: bool,
        dice: &mut Dice,
    ) -> Result<(), Error> {
        let step = if backwards { -1 } else { 1 };
        for index in 0..self.holes.len() {
            if index % 1024 == 0 {
                ctx.check()?;
            }
            let at = self.holes[if backwards {
                self.holes.len() - 1 - index
            } else {
                index
            }];
            let mut best = (self.off(now, at, from[at], f32::MAX), from[at]);
            let offer = |candidate: Option<usize>, best: &mut (f32, usize)| {
                if let Some(candidate) = candidate
                    && self.is_source.get(candidate) == Some(&true)
                {
                    let off = self.off(now, at, candidate, best.0);
                    if off < best.0 {
                        *best = (off, candidate);
                    }
                }
            };
            for by in [step, step * self.w as isize] {
                let near = at.wrapping_add_signed(-by);
                if self.is_hole.get(near) == Some(&true) {
                    offer(from[near].checked_add_signed(by), &mut best);
                }
            }
            let mut reach = self.w.max(self.h);
            while reach > 0 {
                let (x, y) = (best.1 % self.w, best.1 / self.w);
                let place = |middle: usize, chance: usize, limit: usize| {
                    (middle + chance).saturating_sub(reach).min(limit - 1)
                };
                let across = place(x, dice.below(2 * reach + 1), self.w);
                let down = place(y, dice.below(2 * reach + 1), self.h);
                offer(Some(down * self.w + across), &mut best);
                reach /= 2;
            }
            from[at] = best.1;
        }
        Ok(())
    }

    /// Every open pixel as the mean of what the patches over it say, those that fit better more.
    fn blended(&self, seen: &Rgb, now: &Rgb, from: &[usize]) -> Rgb {
        let mut sums = Plane::filled(self.w, self.h, [0.0_f32; 3]);
        let mut weights = Plane::filled(self.w, self.h, 0.0_f32);
        let corner = HALF * self.w + HALF;
        for &at in &self.holes {
            let off = self.off(now, at, from[at], f32::MAX) / 49.0;
            let weight = (-off / 600.0).exp().max(1e-6);
            for dy in 0..=2 * HALF {
                for dx in 0..=2 * HALF {
                    let step = dy * self.w + dx;
                    let (to, source) = (at + step - corner, from[at] + step - corner);
                    for c in 0..3 {
                        sums.data[to][c] += weight * seen.data[source][c];
                    }
                    weights.data[to] += weight;
                }
            }
        }
        let mut out = now.clone();
        for at in 0..out.data.len() {
            if self.open[at] && weights.data[at] > 0.0 {
                out.data[at] = sums.data[at].map(|sum| sum / weights.data[at]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::plane::lightness;
    use crate::{Cancel, Options, grain};

    fn photo(name: &str) -> Rgb {
        let path = format!(
            "{}/../../testdata/images/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        let picture = image::open(path).expect("a test image").to_rgb8();
        let (w, h) = (picture.width() as usize, picture.height() as usize);
        let data = picture.pixels().map(|p| p.0.map(f32::from)).collect();
        Plane { w, h, data }
    }

    /// A drawn texture from a function of the place and a random number of each pixel, 0 to 1.
    fn drawn(value: impl Fn(f32, f32, f32) -> f32) -> Rgb {
        let (w, h) = (240, 240);
        let mut state = 99_u64;
        let data = (0..w * h).map(|at| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let chance = (state >> 40) as f32 / (1 << 24) as f32;
            let v = value((at % w) as f32, (at / w) as f32, chance);
            [40.0 + 160.0 * v, 30.0 + 130.0 * v, 25.0 + 90.0 * v]
        });
        Plane {
            w,
            h,
            data: data.collect(),
        }
    }

    fn energy(picture: &Rgb, inside: &[bool]) -> f32 {
        let light = picture.map(lightness);
        let (mut sum, mut count) = (0.0, 0.0);
        for y in 0..picture.h - 1 {
            for x in 0..picture.w - 1 {
                if inside[y * picture.w + x] {
                    let here = light.at(x, y);
                    sum += (here - light.at(x + 1, y)).abs() + (here - light.at(x, y + 1)).abs();
                    count += 1.0;
                }
            }
        }
        sum / count
    }

    fn weave(x: f32, y: f32, chance: f32) -> f32 {
        0.5 + 0.3 * (0.7 * x).sin() * (0.7 * y).sin() + 0.1 * chance
    }

    /// All but a disc in the middle.
    fn around(picture: &Rgb, radius: f32) -> Gray {
        let (w, h) = (picture.w, picture.h);
        let off = |at: usize| {
            let (x, y) = ((at % w) as f32, (at / w) as f32);
            (x - w as f32 / 2.0).hypot(y - h as f32 / 2.0)
        };
        Plane {
            w,
            h,
            data: (0..w * h)
                .map(|at| f32::from(u8::from(off(at) >= radius)))
                .collect(),
        }
    }

    fn filled(picture: &Rgb, known: &Gray) -> Option<Rgb> {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let (smooth, painted) = (push_pull::fill(picture, known), known.map(|_| 0.0));
        fill(&ctx, picture, known, &painted, &smooth).expect("not cancelled")
    }

    #[test]
    fn a_weave_goes_on_under_a_hole() {
        let truth = drawn(weave);
        let known = around(&truth, 30.0);
        let made = filled(&truth, &known).expect("a pattern that can be continued");
        let smooth = push_pull::fill(&truth, &known);
        let error = |fill: &Rgb| {
            let pairs = fill.data.iter().zip(&truth.data);
            pairs.map(|(a, b)| distance2(*a, *b)).sum::<f32>()
        };
        assert!(error(&made) * 4.0 < error(&smooth));
        for (at, &k) in known.data.iter().enumerate() {
            assert!(k <= 0.0 || made.data[at] == truth.data[at]);
        }
    }

    #[test]
    fn a_thing_beside_the_hole_is_never_copied_into_it() {
        let mut continued = 0;
        let places = [(190.0, 120.0), (120.0, 175.0), (62.0, 62.0), (196.0, 196.0)];
        for place in places {
            let mut picture = drawn(weave);
            for at in 0..picture.data.len() {
                let (x, y) = ((at % 240) as f32, (at / 240) as f32);
                if (x - place.0).hypot(y - place.1) < 18.0 {
                    picture.data[at] = [20.0, 40.0, 230.0];
                }
            }
            let known = around(&picture, 30.0);
            let Some(made) = filled(&picture, &known) else {
                continue;
            };
            continued += 1;
            let blue = |at: &usize| made.data[*at][2] > 150.0;
            let hole = (0..made.data.len()).filter(|&at| known.data[at] <= 0.0);
            assert_eq!(hole.filter(blue).count(), 0, "from {place:?}");
        }
        assert!(continued > 0, "the pattern is continued beside a thing");
    }

    #[test]
    fn rough_surroundings_and_several_kinds_of_them_are_refused() {
        let rough = drawn(|_, _, chance| 0.3 + 0.4 * chance);
        assert!(filled(&rough, &around(&rough, 30.0)).is_none());
        let halves = drawn(|x, y, chance| {
            if x < 120.0 {
                weave(x, y, chance)
            } else {
                0.2 + 0.6 * chance
            }
        });
        assert!(filled(&halves, &around(&halves, 30.0)).is_none());
        for (name, x, y) in [
            ("coffee.png", 440, 60),
            ("coffee.png", 0, 220),
            ("chelsea.png", 130, 130),
            ("astronaut.png", 0, 200),
            ("astronaut.png", 140, 330),
        ] {
            let part = photo(name).crop(Rect {
                x,
                y,
                w: 160,
                h: 160,
            });
            assert!(
                filled(&part, &around(&part, 20.0)).is_none(),
                "{name} {x} {y}"
            );
        }
    }

    #[test]
    fn a_large_hole_is_left_to_the_smooth_fill() {
        let truth = drawn(weave);
        assert!(filled(&truth, &around(&truth, 100.0)).is_none());
    }

    /// Prints how close each fill comes to what a hole has hidden, and how lively it is. Writes the
    /// crops side by side (truth, smooth, grain, PatchMatch) for eyes, where `FILLS` says.
    #[test]
    #[ignore = "a measurement, not a check: prints a table"]
    fn fills_compared() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let part = |name: &str, x: usize, y: usize, side: usize| {
            photo(name).crop(Rect {
                x,
                y,
                w: side,
                h: side,
            })
        };
        let cases: Vec<(&str, Rgb)> = vec![
            ("polished wood", part("coffee.png", 440, 60, 160)),
            ("rough wood", part("coffee.png", 0, 220, 160)),
            ("fur", part("chelsea.png", 130, 130, 160)),
            ("cloth", part("chelsea.png", 291, 60, 160)),
            ("suit", part("astronaut.png", 140, 330, 160)),
            ("flag", part("astronaut.png", 0, 200, 160)),
            ("stars", part("hubble_deep_field.jpg", 400, 300, 240)),
            ("drawn noise", drawn(|_, _, c| 0.4 + 0.2 * c)),
            (
                "drawn wood",
                drawn(|x, y, c| 0.5 + 0.25 * (0.35 * x + 3.0 * (0.02 * y).sin()).sin() + 0.15 * c),
            ),
            ("drawn weave", drawn(weave)),
            (
                "drawn bricks",
                drawn(|x, y, c| {
                    let row = (y / 16.0).floor();
                    let along = (x + row * 20.0) % 40.0;
                    let joint = y % 16.0 < 2.0 || along < 2.0;
                    if joint { 0.9 } else { 0.35 + 0.15 * c }
                }),
            ),
        ];
        let mut out = std::io::stderr();
        let mut sheet = image::RgbImage::new(4 * 242, cases.len() as u32 * 242);
        for (row, (name, truth)) in cases.iter().enumerate() {
            for radius in [16.0_f32, 32.0] {
                let (w, h) = (truth.w, truth.h);
                let inside: Vec<bool> = (0..w * h)
                    .map(|at| {
                        let (x, y) = ((at % w) as f32, (at / w) as f32);
                        (x - w as f32 / 2.0).hypot(y - h as f32 / 2.0) < radius
                    })
                    .collect();
                let known = Plane {
                    w,
                    h,
                    data: inside.iter().map(|&i| if i { 0.0 } else { 1.0 }).collect(),
                };
                let smooth = push_pull::fill(truth, &known);
                let mut grained = smooth.clone();
                let painted = Plane::filled(w, h, 0.0);
                grain::lay(&ctx, truth, &known, &painted, &mut grained).expect("not cancelled");
                let laid = grained != smooth;
                let hole = known.map(|k| k <= 0.0);
                let matched = complete(&ctx, &smooth, &hole, &known).expect("not cancelled");
                let taken = fill(&ctx, truth, &known, &painted, &smooth);
                let taken = taken.expect("not cancelled").is_some();
                let psnr = |fill: &Rgb| {
                    let all = (0..w * h).filter(|&at| inside[at]);
                    let squares: f32 = all
                        .map(|at| distance2(fill.data[at], truth.data[at]) / 3.0)
                        .sum();
                    let count = inside.iter().filter(|&&i| i).count() as f32;
                    10.0 * (255.0 * 255.0 * count / squares).log10()
                };
                let lively = |fill: &Rgb| energy(fill, &inside) / energy(truth, &inside);
                writeln!(
                    out,
                    "{name:>14} r {radius:>2}: dB {:.1} {:.1} {:.1}  life {:.2} {:.2} {:.2}  grain {laid} taken {taken}",
                    psnr(&smooth), psnr(&grained), psnr(&matched),
                    lively(&smooth), lively(&grained), lively(&matched)
                )
                .expect("standard error");
                for (column, fill) in [truth, &smooth, &grained, &matched].iter().enumerate() {
                    for at in 0..w * h {
                        let (x, y) = ((column * 242 + at % w) as u32, (row * 242 + at / w) as u32);
                        let colour = fill.data[at].map(|v| v.clamp(0.0, 255.0) as u8);
                        sheet.put_pixel(x, y, image::Rgb(colour));
                    }
                }
            }
        }
        if let Some(path) = std::env::var_os("FILLS") {
            sheet.save(path).expect("the sheet can be written");
        }
    }
}
