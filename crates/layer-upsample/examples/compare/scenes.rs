//! The designs: each a stack of known layers, bottom first.

use super::draw::{Picture, clouds, inside, noise, random, round_box, stroke, text};

const W: usize = 3000;
const H: usize = 2000;
const SANS: &[u8] = include_bytes!("../../../layerize/examples/score/fonts/Inter_400Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../layerize/examples/score/fonts/Inter_700Bold.ttf");
const SERIF: &[u8] =
    include_bytes!("../../../layerize/examples/score/fonts/EBGaramond_400Regular.ttf");
const SCRIPT: &[u8] =
    include_bytes!("../../../layerize/examples/score/fonts/Pacifico_400Regular.ttf");

pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) layers: Vec<Picture>,
}

pub(crate) fn all() -> impl Iterator<Item = Scene> {
    let scenes: [fn() -> Scene; 6] = [poster, card, hair, glass, photo, print];
    scenes.into_iter().map(|scene| scene())
}

fn flat(cover: &[f32], colour: [f32; 3]) -> Picture {
    Picture::of(W, H, |x, y| (colour, cover[y as usize * W + x as usize]))
}

fn lines(size: f32, from: (f32, f32), font: &[u8], lines: &[&str]) -> Vec<f32> {
    let mut cover = vec![0.0; W * H];
    for (nth, line) in lines.iter().enumerate() {
        text(
            &mut cover,
            W,
            font,
            size,
            (from.0, from.1 + nth as f32 * size * 1.35),
            line,
        );
    }
    cover
}

/// Flat colours, sharp edges, large and small text.
fn poster() -> Scene {
    let ground = Picture::of(W, H, |_, _| ([247.0, 241.0, 227.0], 1.0));
    let disc = Picture::of(W, H, |x, y| {
        (
            [232.0, 93.0, 58.0],
            inside((x - 2200.0).hypot(y - 700.0) - 520.0, 1.0),
        )
    });
    let panel = Picture::of(W, H, |x, y| {
        (
            [36.0, 70.0, 99.0],
            inside(round_box(x, y, [200.0, 1200.0, 2300.0, 600.0], 60.0), 1.0),
        )
    });
    let title = flat(
        &lines(330.0, (180.0, 480.0), BOLD, &["Summer", "Concerts"]),
        [28.0, 28.0, 34.0],
    );
    let mut small = lines(
        64.0,
        (300.0, 1360.0),
        SANS,
        &[
            "Every Thursday from eight o'clock, in the old harbour.",
            "Bring a blanket; drinks are sold at the gate.",
            "Children up to twelve come in for nothing.",
        ],
    );
    text(
        &mut small,
        W,
        SANS,
        30.0,
        (300.0, 1700.0),
        "Printed on paper that was made of paper. No tickets on the day itself, sorry. harbour-concerts.example",
    );
    Scene {
        name: "poster",
        layers: vec![
            ground,
            disc,
            panel,
            title,
            flat(&small, [240.0, 236.0, 220.0]),
        ],
    }
}

/// A gradient, a soft shadow, a card with a picture, a button, text.
fn card() -> Scene {
    let ground = Picture::of(W, H, |_, y| {
        let t = y / H as f32;
        ([72.0 + 158.0 * t, 61.0 + 29.0 * t, 180.0 - 40.0 * t], 1.0)
    });
    let frame = [500.0, 300.0, 2000.0, 1400.0];
    let shadow = Picture::of(W, H, |x, y| {
        (
            [0.0; 3],
            0.45 * inside(round_box(x, y - 40.0, frame, 80.0) - 20.0, 160.0),
        )
    });
    let card = Picture::of(W, H, |x, y| {
        (
            [252.0, 252.0, 250.0],
            inside(round_box(x, y, frame, 60.0), 1.0),
        )
    });
    let photo = Picture::of(W, H, |x, y| {
        let n = clouds(x, y, 300.0, 3);
        (
            [
                120.0 + 110.0 * n,
                130.0 + 70.0 * clouds(x, y, 200.0, 9),
                110.0 - 90.0 * n,
            ],
            inside(round_box(x, y, [620.0, 420.0, 800.0, 1160.0], 30.0), 1.0),
        )
    });
    let mut words = lines(
        110.0,
        (1520.0, 600.0),
        BOLD,
        &["A quiet place", "by the lake"],
    );
    for (nth, line) in [
        "Three rooms, a boat, and a",
        "stove that warms all of them.",
        "From the door it is a minute",
        "to the water.",
    ]
    .iter()
    .enumerate()
    {
        text(
            &mut words,
            W,
            SERIF,
            68.0,
            (1520.0, 880.0 + nth as f32 * 90.0),
            line,
        );
    }
    let button = Picture::of(W, H, |x, y| {
        (
            [30.0, 136.0, 229.0],
            inside(round_box(x, y, [1520.0, 1340.0, 520.0, 160.0], 80.0), 1.0),
        )
    });
    Scene {
        name: "card",
        layers: vec![
            ground,
            shadow,
            card,
            photo,
            button,
            flat(&words, [40.0, 40.0, 46.0]),
        ],
    }
}

/// A head of thin strokes before a soft background.
fn hair() -> Scene {
    let ground = Picture::of(W, H, |x, y| {
        let n = noise(x, y, 500.0, 1) + 0.5 * noise(x, y, 170.0, 2);
        (
            [
                150.0 + 50.0 * n,
                176.0 + 40.0 * n,
                190.0 - 30.0 * noise(x, y, 400.0, 5),
            ],
            1.0,
        )
    });
    let mut cover = vec![0.0_f32; W * H];
    for (at, own) in cover.iter_mut().enumerate() {
        let (x, y) = ((at % W) as f32, (at / W) as f32);
        *own = inside((x - 1500.0).hypot((y - 1100.0) * 0.85) - 520.0, 2.0);
    }
    for nth in 0..420 {
        let dice = |k: i32| random(nth, k, 77);
        let angle = std::f32::consts::TAU * nth as f32 / 420.0 + 0.05 * dice(0);
        let from = (1500.0 + 500.0 * angle.cos(), 1100.0 + 590.0 * angle.sin());
        stroke(
            &mut cover,
            W,
            from,
            (angle + 0.5 * dice(1), 2.2 * dice(2)),
            260.0 + 160.0 * dice(3),
            3.4 + 2.0 * dice(4),
        );
    }
    let hair = Picture::of(W, H, |x, y| {
        let n = noise(x, y, 14.0, 4) + noise(x, y, 60.0, 8);
        (
            [70.0 + 18.0 * n, 46.0 + 14.0 * n, 30.0 + 10.0 * n],
            cover[y as usize * W + x as usize],
        )
    });
    Scene {
        name: "hair",
        layers: vec![ground, hair],
    }
}

/// Panes that let half of a busy picture through, and text on them.
fn glass() -> Scene {
    let ground = Picture::of(W, H, |x, y| {
        let n = clouds(x, y, 260.0, 21);
        (
            [
                110.0 + 120.0 * n,
                120.0 + 100.0 * clouds(x, y, 190.0, 33),
                140.0 + 90.0 * clouds(x, y, 320.0, 41),
            ],
            1.0,
        )
    });
    let pane = Picture::of(W, H, |x, y| {
        (
            [245.0, 248.0, 252.0],
            0.55 * inside(round_box(x, y, [300.0, 260.0, 1500.0, 1200.0], 70.0), 1.0),
        )
    });
    let dark = Picture::of(W, H, |x, y| {
        (
            [16.0, 20.0, 40.0],
            0.7 * inside(round_box(x, y, [1500.0, 900.0, 1200.0, 800.0], 40.0), 1.0),
        )
    });
    let words = lines(
        120.0,
        (380.0, 480.0),
        SCRIPT,
        &["Through the glass", "all that is behind", "is still there"],
    );
    Scene {
        name: "glass",
        layers: vec![ground, pane, dark, flat(&words, [20.0, 26.0, 60.0])],
    }
}

/// A textured thing before another texture of like colours.
fn photo() -> Scene {
    let ground = Picture::of(W, H, |x, y| {
        let (n, m) = (clouds(x, y, 180.0, 51), clouds(x, y, 40.0, 52));
        (
            [
                96.0 + 70.0 * n + 30.0 * m,
                120.0 + 60.0 * n + 30.0 * m,
                70.0 + 40.0 * n,
            ],
            1.0,
        )
    });
    let thing = Picture::of(W, H, |x, y| {
        let bumps = 60.0 * noise(x, y, 130.0, 60) + 18.0 * noise(x, y, 30.0, 61);
        let (n, m) = (clouds(x, y, 120.0, 63), clouds(x, y, 24.0, 66));
        (
            [
                176.0 + 60.0 * n + 26.0 * m,
                128.0 + 50.0 * n + 26.0 * m,
                84.0 + 40.0 * n + 20.0 * m,
            ],
            inside((x - 1450.0).hypot(y - 1000.0) - 620.0 + bumps, 3.0),
        )
    });
    Scene {
        name: "photo",
        layers: vec![ground, thing],
    }
}

/// Text over a picture of many colours, light on it.
fn print() -> Scene {
    let ground = Picture::of(W, H, |x, y| {
        let n = clouds(x, y, 420.0, 71);
        let sky = (y / H as f32 - 0.5 + 0.3 * n).clamp(-0.5, 0.5);
        (
            [
                90.0 + 90.0 * sky + 14.0 * clouds(x, y, 30.0, 73),
                110.0 + 40.0 * n,
                140.0 - 100.0 * sky,
            ],
            1.0,
        )
    });
    let big = flat(
        &lines(
            260.0,
            (240.0, 620.0),
            SCRIPT,
            &["Postcards from", "the far coast"],
        ),
        [250.0, 246.0, 232.0],
    );
    let small = flat(
        &lines(
            56.0,
            (260.0, 1300.0),
            SANS,
            &[
                "Vol. 12, photographs of a winter",
                "Forty pages, sewn, in a box that closes",
                "Signed and numbered by the author",
            ],
        ),
        [255.0, 214.0, 90.0],
    );
    Scene {
        name: "print",
        layers: vec![ground, big, small],
    }
}
