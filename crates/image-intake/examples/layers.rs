//! What forms of layers and the proof of a stack take, beside the plain ways to the same, on one thread.
//!
//!     cargo run --release -p image-intake --example layers -- [SIDE] [LAYERS] [ROUNDS]

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::io::Cursor;
use std::time::{Duration, Instant};

use image_intake::{
    BoundingBox, LayerRows, LayerVariant, Limits, MediaType, RgbaImage, StackProof, decode_rgba,
    encode_layer, encode_webp, inspect_layer, scale_to_fit,
};

fn number(place: usize, usual: u32) -> u32 {
    let given = std::env::args().nth(place);
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn main() {
    let (side, count, rounds) = (number(1, 1024), number(2, 4), number(3, 15));
    let limits = Limits {
        max_bytes: u64::MAX,
        ..Limits::default()
    };
    let layers: Vec<Vec<u8>> = (0..count)
        .map(|place| encode_layer(layer(side, place)))
        .collect();
    let picture = decode_rgba(&layers[0], &limits).expect("it was encoded here");
    println!("{count} layers of {side}², medians of {rounds} rounds");
    say("decode all", rounds, || {
        layers
            .iter()
            .for_each(|file| drop(rows(file, &limits, &mut |_| {})));
    });
    say(
        "measure all: box, mean alpha, likeness (with decoding)",
        rounds,
        || {
            layers
                .iter()
                .for_each(|file| drop(inspect_layer(file, &limits)));
        },
    );
    let thumbnail = LayerVariant {
        part: BoundingBox {
            x: 0,
            y: 0,
            width: side,
            height: side,
        },
        size: (side.min(256), side.min(256)),
        format: MediaType::WebP,
    };
    say("thumbnails of all (with decoding)", rounds, || {
        layers
            .iter()
            .for_each(|file| drop(thumbnail.of(file, &limits)));
    });
    say("the same by whole pictures", rounds, || {
        for file in &layers {
            let whole = decode_rgba(file, &limits).expect("it was encoded here");
            drop(encode_webp(&scale_to_fit(&whole, 256)));
        }
    });
    say(
        "proof of the stack (with decoding the layers)",
        rounds,
        || {
            let mut open: Vec<_> = layers
                .iter()
                .map(|file| LayerRows::open(|| Ok(Cursor::new(file)), &limits).expect("a layer"))
                .collect();
            let bytes = side as usize * 4;
            let mut rows = vec![vec![0; bytes]; layers.len()];
            let mut proof = StackProof::new(side, side, layers.len());
            for row in picture.pixels().chunks_exact(bytes) {
                for (open, row) in open.iter_mut().zip(&mut rows) {
                    open.read(row).expect("as many rows as the canvas has");
                }
                let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
                proof.row(row, &rows);
            }
            std::hint::black_box(proof.finish());
        },
    );
}

fn rows(file: &[u8], limits: &Limits, each: &mut dyn FnMut(&[u8])) -> std::io::Result<()> {
    let mut rows = LayerRows::open(|| Ok(Cursor::new(file)), limits)?;
    let (width, height) = rows.size();
    let mut row = vec![0; width as usize * 4];
    for _ in 0..height {
        rows.read(&mut row)?;
        each(&row);
    }
    Ok(())
}

fn say(what: &str, rounds: u32, mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..rounds.max(1))
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "{:8.1} ms  {what}",
        times[times.len() / 2].as_secs_f64() * 1e3
    );
}

/// The lowest is a ground with grain; the others are soft discs with grain.
fn layer(side: u32, place: u32) -> RgbaImage {
    let (mut state, middle) = (u64::from(place) + 1, f64::from(side) / 2.0);
    let reach = middle * (0.3 + 0.1 * f64::from(place % 5));
    let mut pixels = Vec::with_capacity((side * side * 4) as usize);
    for at in 0..side * side {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let grain = (state >> 60) as u8;
        let (x, y) = (at % side, at / side);
        let far = (f64::from(x) - middle).hypot(f64::from(y) - middle);
        let alpha = if place == 0 {
            255.0
        } else {
            ((reach - far) / 4.0).clamp(0.0, 1.0) * 255.0
        };
        let colour = [
            (x * 200 / side) as u8 + grain,
            (y * 200 / side) as u8 + grain,
            40 * (place % 5) as u8 + grain,
        ];
        pixels.extend_from_slice(&colour);
        pixels.push(alpha as u8);
    }
    RgbaImage::new(side, side, pixels).expect("a square")
}
