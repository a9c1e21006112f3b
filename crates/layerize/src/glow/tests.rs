//! What is no glow: letters that leave no ground to be compared with, outlines, plates and buttons.

use super::*;
use crate::{Cancel, Options};

/// Letters of upright strokes 8 pixels wide, every 20 pixels, in `place`.
fn strokes(w: usize, h: usize, place: Rect) -> Gray {
    let mut mask = Plane::filled(w, h, 0.0_f32);
    for y in place.y..place.y + place.h {
        for x in (place.x..place.x + place.w).filter(|x| (x - place.x) % 20 < 8) {
            mask.set(x, y, 1.0);
        }
    }
    mask
}

/// A sky with a texture.
fn sky(w: usize, h: usize) -> Rgb {
    let mut picture = Plane::filled(w, h, [0.0_f32; 3]);
    for (at, pixel) in picture.data.iter_mut().enumerate() {
        let (x, y) = ((at % w) as f32, (at / w) as f32);
        let wave = 10.0 * (x / 7.0).sin() * (y / 5.0).cos();
        *pixel = [
            20.0 + y / 2.0 + wave,
            30.0 + y / 3.0 + wave,
            70.0 + y + wave,
        ];
    }
    picture
}

/// Whether a glow is seen around `letters` of light ink laid on a picture.
fn glows(mut picture: Rgb, letters: &Gray, tall: usize) -> bool {
    for (pixel, &a) in picture.data.iter_mut().zip(&letters.data) {
        *pixel = mix(*pixel, [240.0; 3], a);
    }
    has_glow(&picture, letters, tall)
}

/// Whether one is seen around letters that a picture has.
fn has_glow(picture: &Rgb, letters: &Gray, tall: usize) -> bool {
    let (w, h) = (picture.w, picture.h);
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    let on = Ground {
        picture,
        painted: &Plane::filled(w, h, 0.0),
        others: &[],
    };
    let letters = Letters {
        rect: Rect { x: 0, y: 0, w, h },
        alpha: letters,
        tall,
    };
    around(&on, &letters, &ctx)
        .expect("not cancelled")
        .is_some()
}

#[test]
fn letters_that_fill_their_picture_have_no_glow() {
    let place = Rect {
        x: 14,
        y: 16,
        w: 248,
        h: 48,
    };
    assert!(!glows(sky(280, 80), &strokes(280, 80, place), 50));
    assert!(!glows(
        Plane::filled(280, 80, [90.0, 120.0, 60.0]),
        &strokes(280, 80, place),
        50
    ));
}

#[test]
fn an_outline_a_plate_and_a_button_are_no_glows() {
    let place = Rect {
        x: 140,
        y: 96,
        w: 348,
        h: 48,
    };
    let letters = strokes(640, 240, place);
    let far = distance_transform(640, 240, |at| letters.data[at] > 0.0);
    for wide in [2.0, 4.0, 7.0] {
        let mut picture = sky(640, 240);
        for (pixel, &far) in picture.data.iter_mut().zip(&far.data) {
            *pixel = mix(*pixel, [10.0; 3], (wide + 0.5 - far).clamp(0.0, 1.0));
        }
        assert!(!glows(picture, &letters, 48), "an outline of {wide}");
    }
    for beyond in [8, 20, 34] {
        let mut picture = sky(640, 240);
        let plate = place.grow(beyond, 640, 240);
        for (at, pixel) in picture.data.iter_mut().enumerate() {
            if plate.contains(at % 640, at / 640) {
                *pixel = [200.0, 40.0, 50.0];
            }
        }
        assert!(!glows(picture, &letters, 48), "a plate of {beyond}");
    }
}

#[test]
fn a_band_of_light_behind_letters_is_no_glow() {
    let place = Rect {
        x: 140,
        y: 96,
        w: 348,
        h: 48,
    };
    for (half, soft) in [(30.0, 30.0), (24.0, 50.0), (10.0, 30.0)] {
        let mut picture = sky(640, 240);
        for (at, pixel) in picture.data.iter_mut().enumerate() {
            let off = ((at / 640) as f32 - 120.0).abs();
            let share = ((half + soft - off) / soft).clamp(0.0, 1.0);
            *pixel = mix(*pixel, [255.0; 3], share);
        }
        let letters = strokes(640, 240, place);
        for (pixel, &a) in picture.data.iter_mut().zip(&letters.data) {
            *pixel = mix(*pixel, [10.0; 3], a);
        }
        assert!(!has_glow(&picture, &letters, 48), "{half} and {soft}");
    }
}

#[test]
fn large_texts_glow_too_in_lines_high_and_low() {
    // Lines of this height, so many pixels apart.
    for (tall, apart) in [(150, 260), (64, 130), (20, 44), (18, 44)] {
        let (w, h) = (1000, 600);
        let mut letters = Plane::filled(w, h, 0.0_f32);
        for y in (60..h - 60 - tall).step_by(apart) {
            let line = strokes(
                w,
                h,
                Rect {
                    x: 70,
                    y,
                    w: 848,
                    h: tall,
                },
            );
            for (all, line) in letters.data.iter_mut().zip(line.data) {
                *all = all.max(line);
            }
        }
        let mut soft = letters.clone();
        for _ in 0..3 {
            soft = box_blur(&soft, 6);
        }
        let mut picture = Plane::filled(w, h, [60.0, 90.0, 120.0]);
        for (pixel, &a) in picture.data.iter_mut().zip(&soft.data) {
            *pixel = mix(*pixel, [255.0, 80.0, 160.0], (1.6 * a).min(1.0));
        }
        assert!(glows(picture, &letters, tall), "lines of {tall}");
    }
}

#[test]
fn a_soft_light_is_a_glow() {
    let place = Rect {
        x: 140,
        y: 96,
        w: 348,
        h: 48,
    };
    let letters = strokes(640, 240, place);
    let mut soft = letters.clone();
    for _ in 0..3 {
        soft = box_blur(&soft, 6);
    }
    let mut picture = sky(640, 240);
    for (pixel, &a) in picture.data.iter_mut().zip(&soft.data) {
        *pixel = mix(*pixel, [255.0, 80.0, 160.0], (1.6 * a).min(1.0));
    }
    assert!(glows(picture, &letters, 48));
}
