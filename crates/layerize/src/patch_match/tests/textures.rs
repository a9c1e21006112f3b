//! Completing and refusing large holes.

use crate::context::Context;
use crate::patch_match::guided::{Texture, texture};
use crate::plane::{Gray, Plane, Rgb, lightness};
use crate::{Cancel, Options, box_blur, push_pull};

const SIZE: (usize, usize) = (480, 360);

/// From a function of the place and a soft random value, about -1 to 1.
fn drawn(colour: impl Fn(f32, f32, f32) -> [f32; 3]) -> Rgb {
    let (w, h) = SIZE;
    let mut state = 5_u64;
    let chance = (0..w * h).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    });
    let chance = Plane {
        w,
        h,
        data: chance.collect(),
    };
    let soft = box_blur::box_blur(&chance, 1);
    let data = (0..w * h).map(|at| {
        let (x, y) = ((at % w) as f32, (at / w) as f32);
        colour(x, y, 2.0 * soft.data[at])
    });
    Plane {
        w,
        h,
        data: data.collect(),
    }
}

fn grass(_: f32, y: f32, chance: f32) -> [f32; 3] {
    let light = 90.0 + 0.1 * y + 45.0 * chance;
    [0.7 * light, light, 0.4 * light]
}

/// 0 in an ellipse in the middle.
fn without_middle(across: f32, down: f32) -> Gray {
    let (w, h) = SIZE;
    let inside = |at: usize| {
        let (x, y) = ((at % w) as f32, (at / w) as f32);
        ((x - w as f32 / 2.0) / across).hypot((y - h as f32 / 2.0) / down) < 1.0
    };
    Plane {
        w,
        h,
        data: (0..w * h)
            .map(|at| f32::from(u8::from(!inside(at))))
            .collect(),
    }
}

fn of(picture: &Rgb, known: &Gray, painted: &Gray) -> Texture {
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut heard = |_| {};
    let ctx = Context::new(&options, &mut heard, &cancel);
    let smooth = push_pull::fill(picture, known);
    texture(&ctx, picture, known, painted, &smooth).expect("not cancelled")
}

fn energy(picture: &Rgb, known: &Gray) -> f32 {
    let light = picture.map(lightness);
    let inside: Vec<usize> = (0..light.data.len())
        .filter(|&at| known.data[at] <= 0.0)
        .collect();
    let step = |&at: &usize| (light.data[at] - light.data[at - 1]).abs();
    inside.iter().map(step).sum::<f32>() / inside.len() as f32
}

#[test]
fn grass_goes_on_under_a_large_hole_and_what_is_known_stays() {
    let (picture, known) = (drawn(grass), without_middle(70.0, 110.0));
    let Texture::Continued(made) = of(&picture, &known, &known.map(|_| 0.0)) else {
        panic!("a texture that can be continued");
    };
    for (at, &k) in known.data.iter().enumerate() {
        assert!(k <= 0.0 || made.data[at] == picture.data[at]);
    }
    let ratio = energy(&made, &known) / energy(&picture, &known);
    assert!((0.6..1.3).contains(&ratio), "{ratio}");
    let again = of(&picture, &known, &known.map(|_| 0.0));
    assert!(matches!(again, Texture::Continued(same) if same == made));
}

#[test]
fn a_horizon_stays_where_it_is_behind_a_large_hole() {
    let picture = drawn(|x, y, chance| {
        if y < 170.0 {
            let light = 150.0 + 25.0 * chance;
            [0.7 * light, 0.9 * light, light]
        } else {
            grass(x, y, chance)
        }
    });
    let known = without_middle(120.0, 100.0);
    let Texture::Continued(made) = of(&picture, &known, &known.map(|_| 0.0)) else {
        panic!("two textures that can be continued");
    };
    let hole = (0..made.data.len()).filter(|&at| known.data[at] <= 0.0);
    let (mut wrong, mut count) = (0, 0);
    for at in hole {
        let y = at / SIZE.0;
        if y.abs_diff(170) > 12 {
            let blue = made.data[at][2] > made.data[at][1];
            wrong += usize::from(blue != (y < 170));
            count += 1;
        }
    }
    assert!(wrong * 200 < count, "{wrong} of {count}");
}

#[test]
fn nothing_painted_is_copied_into_a_large_hole() {
    let mut picture = drawn(grass);
    let known = without_middle(70.0, 90.0);
    let mut painted = known.map(|_| 0.0);
    for y in 40..320 {
        for x in 330..400 {
            picture.set(x, y, [30.0, 30.0, 220.0]);
            painted.set(x, y, 1.0);
        }
    }
    let Texture::Continued(made) = of(&picture, &known, &painted) else {
        panic!("a texture that can be continued");
    };
    let hole = (0..made.data.len()).filter(|&at| known.data[at] <= 0.0);
    let blue = hole.filter(|&at| made.data[at][2] > made.data[at][1] + 20.0);
    assert_eq!(blue.count(), 0);
}

#[test]
fn smooth_surroundings_many_kinds_of_them_and_holes_as_large_as_the_picture_get_no_copies() {
    let sky = drawn(|_, y, _| [90.0 + 0.2 * y, 130.0 + 0.2 * y, 220.0]);
    let known = without_middle(70.0, 90.0);
    let none = known.map(|_| 0.0);
    assert!(matches!(of(&sky, &known, &none), Texture::Mixed));
    // Panels of different colours and sizes that go on nowhere.
    let panels = drawn(|x, y, chance| {
        let cell = (x / 53.0).floor() * 7.0 + (y / 41.0).floor() * 13.0;
        [
            cell * 37.0 % 251.0,
            cell * 91.0 % 241.0,
            cell * 59.0 % 239.0,
        ]
        .map(|v| v + 6.0 * chance)
    });
    assert!(!matches!(of(&panels, &known, &none), Texture::Continued(_)));
    let large = without_middle(190.0, 150.0);
    assert!(!matches!(
        of(&drawn(grass), &large, &none),
        Texture::Continued(_)
    ));
}
