//! Completing and refusing holes, and the comparison of fills that `NOTES.md` shows.

mod textures;

use std::io::Write as _;

use super::*;
use crate::plane::{distance2, lightness};
use crate::{Cancel, Options, grain, push_pull};

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
