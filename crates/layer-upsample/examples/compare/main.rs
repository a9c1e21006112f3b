//! Measures the raise beside bicubic interpolation and guided filters of many settings, on designs whose layers are known.
//!
//! `cargo run --release -p layer-upsample --example compare [folder for pictures [a design]]`. Designs are drawn at 3,000 pixels, their layers
//! scaled down to 640 as a model would give them: cleanly, or with what models do to them (see `model.rs`).

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

mod baseline;
mod draw;
mod model;
mod scenes;

use std::path::PathBuf;
use std::time::Instant;

use draw::Picture;
use layer_upsample::{Band, Sink, SmallLayer, Source, raise};

/// All layers in memory.
struct Kept(Vec<Vec<u8>>, Vec<Vec<u8>>);

impl Sink for Kept {
    fn band(&mut self, band: Band<'_>) -> std::io::Result<()> {
        for index in 0..self.0.len() {
            self.0[index].extend_from_slice(band.layer(index));
            self.1[index].extend_from_slice(band.seen(index));
        }
        Ok(())
    }
}

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let only = std::env::args().nth(2);
    println!(
        "mean alpha error of all layers but the bottom one, in 1/1000; guided: the best of all settings for that very row"
    );
    println!(
        "{:<22} {:>8} {:>8} {:>22} {:>8} {:>6} {:>6} {:>7}",
        "design", "bicubic", "guided", "by", "raised", "/bic", "/gui", "time"
    );
    let mut ratios = Vec::new();
    for scene in scenes::all().filter(|scene| only.as_ref().is_none_or(|name| name == scene.name)) {
        for kind in model::Kind::ALL {
            let truth = &scene.layers;
            let picture = kind.source(&draw::composite(truth));
            let small = kind.layers(truth);
            let wanted: Vec<Vec<f32>> = truth[1..].iter().map(Picture::alpha).collect();
            let error = |found: &[Vec<f32>]| {
                let sum = |(a, b): (&Vec<f32>, &Vec<f32>)| {
                    a.iter()
                        .zip(b)
                        .map(|(a, b)| f64::from((a - b).abs()))
                        .sum::<f64>()
                };
                wanted.iter().zip(found).map(sum).sum::<f64>() * 1000.0
                    / (wanted.len() * wanted[0].len()) as f64
            };
            let bicubic = baseline::bicubic(&small[1..], picture.w, picture.h);
            let guided = baseline::guided(&picture, &small[1..], &bicubic, &error);
            let bicubic = error(&bicubic);
            let begin = Instant::now();
            let (kept, report) = raised(&picture, &small);
            let time = begin.elapsed();
            let alphas: Vec<Vec<f32>> = kept.0[1..]
                .iter()
                .map(|p| p.chunks_exact(4).map(|p| f32::from(p[3]) / 255.0).collect())
                .collect();
            let own = error(&alphas);
            ratios.push((own / bicubic, own / guided.0));
            let name = format!("{} {}", scene.name, kind.name());
            println!(
                "{name:<22} {bicubic:>8.3} {:>8.3} {:>22} {own:>8.3} {:>6.2} {:>6.2} {:>5} ms  drift {:.1}",
                guided.0,
                guided.1,
                own / bicubic,
                own / guided.0,
                time.as_millis(),
                report.drift_mean
            );
            assert_eq!(
                over(&kept.0, &picture),
                0,
                "the raised stack is the picture"
            );
            if let Some(folder) = &folder {
                save(folder, &name, &picture, &small, &kept);
            }
        }
    }
    let mean = |of: fn(&(f64, f64)) -> f64| {
        (ratios.iter().map(|r| of(r).ln()).sum::<f64>() / ratios.len() as f64).exp()
    };
    println!(
        "geometric means: {:.2} of bicubic, {:.2} of the best guided filter",
        mean(|r| r.0),
        mean(|r| r.1)
    );
}

fn raised(picture: &Picture, small: &[Picture]) -> (Kept, layer_upsample::Report) {
    let source = Source::new(picture.w as u32, picture.h as u32, &picture.pixels).expect("whole");
    let layers: Vec<_> = small
        .iter()
        .map(|l| SmallLayer::new(l.w as u32, l.h as u32, &l.pixels).expect("whole"))
        .collect();
    let mut kept = Kept(
        vec![Vec::new(); layers.len()],
        vec![Vec::new(); layers.len()],
    );
    let report =
        raise(&source, &layers, &mut |_| {}, &|| false, &mut kept).expect("nothing hinders");
    (kept, report)
}

/// The largest difference of the stack, rounded at each layer, from the picture.
fn over(layers: &[Vec<u8>], picture: &Picture) -> u8 {
    let mut worst = 0;
    for (at, pixel) in picture.pixels.chunks_exact(4).enumerate() {
        let mut so_far = [0_u32; 3];
        for layer in layers {
            let own = &layer[at * 4..][..4];
            let a = u32::from(own[3]);
            for c in 0..3 {
                so_far[c] = (u32::from(own[c]) * a + so_far[c] * (255 - a) + 127) / 255;
            }
        }
        for c in 0..3 {
            worst = worst.max((so_far[c] as u8).abs_diff(pixel[c]));
        }
    }
    worst
}

fn save(folder: &std::path::Path, name: &str, picture: &Picture, small: &[Picture], kept: &Kept) {
    let file = |word: &str| folder.join(format!("{name} {word}.png").replace(' ', "_"));
    let rgba = |pixels: &[u8], w: usize, h: usize, file: PathBuf| {
        image::save_buffer(file, pixels, w as u32, h as u32, image::ColorType::Rgba8)
            .expect("the folder takes files");
    };
    rgba(&picture.pixels, picture.w, picture.h, file("source"));
    for (index, layer) in kept.0.iter().enumerate() {
        rgba(layer, picture.w, picture.h, file(&format!("layer{index}")));
        rgba(
            &small[index].pixels,
            small[index].w,
            small[index].h,
            file(&format!("small{index}")),
        );
        image::save_buffer(
            file(&format!("seen{index}")),
            &kept.1[index],
            picture.w as u32,
            picture.h as u32,
            image::ColorType::L8,
        )
        .expect("the folder takes files");
    }
}
