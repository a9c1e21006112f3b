//! Scores the engine on designs whose layers are known, and shows what it does with photos.
//!
//! `score [--tune] [--designs N] [--first SEED] [--qualities Q,Q] [--threads N] [--sheet PREFIX]
//! [--only photos|designs|large] [--about KIND] [--pictures FOLDER] [--layers N] [--lines] [--library PATH] [--verbose]`. Seeds from 1000 are for tuning
//! (`--tune`), those from 9000 for reporting: thresholds are never chosen on the latter. In the
//! main row every third design goes through JPEG at 85; then the same designs follow at each of
//! `--qualities`. Times are processor time, so that a busy machine disturbs them least; a stretch
//! without a look at the stop flag is timed the same way, over all threads.

mod bare;
mod design;
mod draw;
mod measure;
mod pictures;
mod run;
mod sheet;
mod truth;
mod wishes;

use std::num::NonZero;
use std::time::Instant;

use ab_glyph::FontRef;
use layerize::{Networks, Options, RgbaImage, TextLayers};

use design::{Design, Kit};
use measure::Score;
use run::Run;
use sheet::Sheet;
use wishes::Wishes;

const FACES: &[&[u8]] = &[
    include_bytes!("fonts/Inter_400Regular.ttf"),
    include_bytes!("fonts/Inter_700Bold.ttf"),
    include_bytes!("fonts/CrimsonPro_700Bold.ttf"),
    include_bytes!("fonts/EBGaramond_400Regular.ttf"),
    include_bytes!("fonts/Oswald_600SemiBold.ttf"),
    include_bytes!("fonts/RobotoMono_500Medium.ttf"),
    include_bytes!("fonts/Pacifico_400Regular.ttf"),
];
const PHOTOS: &[&str] = &[
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
];
const DRAWN: &[&str] = &["design_poster.png", "design_card.png"];
/// Designs on one contact sheet.
const SHOWN: usize = 12;

fn main() {
    let wishes = Wishes::read();
    let (begun, busy) = (Instant::now(), run::processor_time());
    let options = options(&wishes);
    report(&format!(
        "load, cpu {:.0} ms, {:.0} ms passed",
        (run::processor_time() - busy).as_secs_f32() * 1000.0,
        begun.elapsed().as_secs_f32() * 1000.0
    ));
    if let Some(folder) = &wishes.pictures {
        let options = if wishes.lines {
            options
        } else {
            Options {
                text: TextLayers::default(),
                max_layers: wishes.layers,
                ..options
            }
        };
        pictures::run(folder, &wishes, &options);
        return;
    }
    let (text, saliency) = bare::times();
    report(&format!(
        "baseline, cpu: text network {text:.0} ms, saliency network {saliency:.0} ms"
    ));
    if wishes.wants("photos") {
        let mut sheet = Sheet::default();
        for name in PHOTOS.iter().chain(DRAWN) {
            let image = load(name);
            let run = Run::of(&image, &options);
            single(name, &image, &run);
            sheet.add(&image, &run.layers);
        }
        save(&sheet, &format!("{}_photos.png", wishes.sheet));
    }
    if wishes.wants("large") {
        for (name, by) in [
            ("astronaut.png", 2),
            ("astronaut.png", 9),
            ("design_card.png", 4),
        ] {
            let image = enlarged(&load(name), by);
            single(&format!("large {name}"), &image, &Run::of(&image, &options));
        }
    }
    if wishes.wants("designs") {
        rows(&wishes, &options);
    }
}

fn options(wishes: &Wishes) -> Options {
    let networks = match &wishes.library {
        None => Networks::default(),
        #[cfg(feature = "onnxruntime")]
        Some(path) => Networks::onnxruntime(path.as_ref(), wishes.threads).expect("it opens"),
        #[cfg(not(feature = "onnxruntime"))]
        Some(_) => panic!("--library needs the feature onnxruntime"),
    };
    networks.warm_up().expect("models load");
    Options {
        threads: wishes.threads.map(NonZero::get),
        // The truth of a design knows lines and every small thing, which the default list joins.
        text: TextLayers::Lines,
        max_layers: Some(u8::MAX),
        networks,
        clock: run::processor_time,
        ..Options::default()
    }
}

fn single(name: &str, image: &RgbaImage, run: &Run) {
    report(&format!(
        "{name}: {}x{} layers {} error {} cpu {:.2} s ({:.2} passed) {:.0} MB deaf {:.0} ms [{}] {}",
        image.width,
        image.height,
        run.layers.len(),
        measure::worst(image, &run.layers),
        run.cpu,
        run.seconds,
        run.peak,
        run.deaf(),
        measure::names(&run.layers),
        run.passes()
    ));
}

fn kit() -> Kit {
    let faces = FACES.iter().map(|bytes| FontRef::try_from_slice(bytes));
    let photos = PHOTOS[..3].iter().map(|name| {
        let image = load(name);
        let colours = image.pixels.as_chunks::<4>().0.iter();
        let colours = colours.map(|p| [f32::from(p[0]), f32::from(p[1]), f32::from(p[2])]);
        (
            image.width as usize,
            image.height as usize,
            colours.collect(),
        )
    });
    Kit {
        faces: faces.map(|face| face.expect("a face")).collect(),
        photos: photos.collect(),
    }
}

fn rows(wishes: &Wishes, options: &Options) {
    let kit = kit();
    let base = if wishes.tune { 1000 } else { 9000 } + wishes.first;
    let of = |label: &str, quality: &dyn Fn(u64) -> Option<u8>| {
        let (mut scores, mut sheet) = (Vec::new(), Sheet::default());
        for seed in base..base + wishes.designs {
            let design = kit.design(seed);
            if wishes
                .about
                .as_deref()
                .is_some_and(|about| about != design.about)
            {
                continue;
            }
            let source = flatten(&design, quality(seed));
            let run = Run::of(&source, options);
            let score = measure::score(&design, &source, &run);
            if wishes.verbose {
                told(seed, &score, &run);
            }
            if scores.len() < SHOWN {
                sheet.add(&source, &run.layers);
            }
            scores.push(score);
        }
        if label == "main" {
            for kind in design::KINDS {
                let some: Vec<&Score> = scores.iter().filter(|s| s.about == *kind).collect();
                summary(kind, &some);
            }
        }
        summary(label, &scores.iter().collect::<Vec<_>>());
        let slug = label.replace(' ', "_");
        save(&sheet, &format!("{}_{slug}.png", wishes.sheet));
    };
    of("main", &|seed| (seed % 3 == 2).then_some(85));
    for &quality in &wishes.qualities {
        of(&format!("jpeg {quality}"), &|_| Some(quality));
    }
}

fn told(seed: u64, score: &Score, run: &Run) {
    report(&format!(
        "{seed} {}: {}/{} found {} iou {:.3} psnr {:.1} cpu {:.2} s deaf {:.0} ms [{}] {:?} {}",
        score.about,
        score.matched,
        score.truths,
        score.found,
        score.iou_sum / score.matched.max(1) as f32,
        score.psnr(),
        run.cpu,
        run.deaf(),
        measure::names(&run.layers),
        score.misses,
        run.passes()
    ));
}

fn summary(label: &str, scores: &[&Score]) {
    if scores.is_empty() {
        return;
    }
    let sum = |f: fn(&Score) -> f64| scores.iter().map(|score| f(score)).sum::<f64>();
    let most = |f: fn(&Score) -> f32| scores.iter().map(|score| f(score)).fold(0.0, f32::max);
    let (truths, matched) = (sum(|s| s.truths as f64), sum(|s| s.matched as f64));
    let mut psnr: Vec<f64> = scores.iter().map(|score| score.psnr()).collect();
    psnr.sort_by(f64::total_cmp);
    report(&format!(
        "{label:>16} n {:>3}  iou {:.3}  recall {:.3}  found/true {:.2}  colour {:.1}  ground mean {:.1} median {:.1} dB  error {}  cpu {:.2} s (max {:.2})  passed {:.2} s  deaf max {:.0} ms  peak {:.0} MB",
        scores.len(),
        sum(|s| f64::from(s.iou_sum)) / matched.max(1.0),
        matched / truths.max(1.0),
        sum(|s| s.found as f64) / truths.max(1.0),
        sum(|s| f64::from(s.colour_sum)) / matched.max(1.0),
        psnr.iter().sum::<f64>() / psnr.len() as f64,
        psnr[psnr.len() / 2],
        scores.iter().map(|s| s.worst).max().unwrap_or(0),
        sum(|s| f64::from(s.cpu)) / scores.len() as f64,
        most(|s| s.cpu),
        sum(|s| f64::from(s.seconds)) / scores.len() as f64,
        most(|s| s.deaf),
        most(|s| s.peak_mb),
    ));
}

fn flatten(design: &Design, quality: Option<u8>) -> RgbaImage {
    let mut colours = design.layers[0].colour.clone();
    for layer in &design.layers[1..] {
        for (under, (alpha, top)) in colours
            .iter_mut()
            .zip(layer.alpha.iter().zip(&layer.colour))
        {
            for c in 0..3 {
                under[c] += (top[c] - under[c]) * alpha;
            }
        }
    }
    let bytes: Vec<u8> = colours
        .iter()
        .flatten()
        .map(|v| v.round().clamp(0.0, 255.0) as u8)
        .collect();
    let picture =
        image::RgbImage::from_raw(design.w as u32, design.h as u32, bytes).expect("whole rows");
    let picture = match quality {
        None => image::DynamicImage::from(picture),
        Some(quality) => {
            let mut file = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality)
                .encode_image(&picture)
                .expect("encodes");
            image::load_from_memory(&file).expect("decodes")
        }
    };
    raw(&picture)
}

/// The picture `by` times as large in both directions.
fn enlarged(image: &RgbaImage, by: u32) -> RgbaImage {
    let from = image::RgbaImage::from_raw(image.width, image.height, image.pixels.clone());
    let (w, h) = (image.width * by, image.height * by);
    let filter = image::imageops::FilterType::Triangle;
    let large = image::imageops::resize(&from.expect("whole rows"), w, h, filter);
    raw(&image::DynamicImage::from(large))
}

fn load(name: &str) -> RgbaImage {
    let path = format!(
        "{}/../../testdata/images/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    raw(&image::open(path).expect("a test image"))
}

fn raw(picture: &image::DynamicImage) -> RgbaImage {
    let picture = picture.to_rgba8();
    RgbaImage {
        width: picture.width(),
        height: picture.height(),
        pixels: picture.into_raw(),
    }
}

fn save(sheet: &Sheet, path: &str) {
    sheet.save(path);
    report(&format!("sheet {path}"));
}

#[expect(clippy::print_stdout, reason = "a report is what this program is for")]
fn report(line: &str) {
    println!("{line}");
}
