//! What a raise to twelve megapixels takes, for some numbers of layers: time, and the most memory of the process by `/proc`.
//!
//! `cargo run --release -p layer-upsample --example cost [layers]`. The picture is a grained ramp with one disc for each layer above the
//! bottom one, each with a soft edge; the rows are counted and dropped.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::time::Instant;

use layer_upsample::{Band, Sink, SmallLayer, Source, raise};

const FULL: (usize, usize) = (4000, 3000);
const SMALL: (usize, usize) = (640, 480);

struct Counted(usize);

impl Sink for Counted {
    fn band(&mut self, band: Band<'_>) -> std::io::Result<()> {
        self.0 += band.rows;
        Ok(())
    }
}

/// How much the disc of a layer covers of a place, both from 0 to 1.
fn disc(layer: usize, x: f32, y: f32, soft: f32) -> f32 {
    let turn = layer as f32 * 2.4;
    let far = (x - 0.5 - 0.25 * turn.cos()).hypot((y - 0.5 - 0.25 * turn.sin()) * 0.75);
    (0.5 - (far - 0.16) / soft).clamp(0.0, 1.0)
}

fn colour(layer: usize, x: f32, y: f32) -> [f32; 3] {
    let tone = layer as f32 * 70.0;
    [(60.0 + tone) % 256.0, 40.0 + 150.0 * y, 60.0 + 120.0 * x]
}

fn main() {
    let layers = std::env::args()
        .nth(1)
        .map_or(4, |count| count.parse().expect("a number of layers"));
    let (w, h) = FULL;
    let mut pixels = Vec::with_capacity(w * h * 4);
    for at in 0..w * h {
        let (x, y) = ((at % w) as f32 / w as f32, (at / w) as f32 / h as f32);
        let mut seen = colour(0, x, y);
        for layer in 1..layers {
            let (cover, own) = (disc(layer, x, y, 0.0006), colour(layer, x, y));
            for (seen, own) in seen.iter_mut().zip(own) {
                *seen += (own - *seen) * cover;
            }
        }
        let grain = (at.wrapping_mul(0x9E37_79B9) >> 28 & 7) as f32 - 3.5;
        pixels.extend(seen.map(|value| (value + grain) as u8));
        pixels.push(255);
    }
    let small: Vec<Vec<u8>> = (0..layers)
        .map(|layer| {
            let pixel = |at: usize| {
                let (x, y) = (
                    (at % SMALL.0) as f32 / SMALL.0 as f32,
                    (at / SMALL.0) as f32 / SMALL.1 as f32,
                );
                let cover = if layer == 0 {
                    1.0
                } else {
                    disc(layer, x, y, 0.002)
                };
                let [r, g, b] = colour(layer, x, y).map(|value| value as u8);
                [r, g, b, (cover * 255.0) as u8]
            };
            (0..SMALL.0 * SMALL.1).flat_map(pixel).collect()
        })
        .collect();
    let source = Source::new(w as u32, h as u32, &pixels).expect("whole");
    let small: Vec<_> = small
        .iter()
        .map(|l| SmallLayer::new(SMALL.0 as u32, SMALL.1 as u32, l).expect("whole"))
        .collect();
    let mut counted = Counted(0);
    let begin = Instant::now();
    raise(&source, &small, &mut |_| {}, &|| false, &mut counted).expect("nothing hinders");
    let took = begin.elapsed();
    assert_eq!(counted.0, h);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("VmHWM: unknown");
    println!(
        "{layers} layers of {} × {} to {w} × {h}: {} ms on {} threads; {most}, the picture's 48 MB with it",
        SMALL.0,
        SMALL.1,
        took.as_millis(),
        rayon::current_num_threads()
    );
}
