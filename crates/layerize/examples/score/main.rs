//! Scores the engine on designs whose layers are known, and shows what it does with photos.
//!
//! `score [--tune] [--designs N] [--first SEED] [--sheet PATH] [--quality Q] [--verbose] [--photos-only]`
//! Seeds from 1000 are for tuning (`--tune`), those from 9000 for reporting: thresholds are never
//! chosen on the latter. Every third design goes through JPEG at 85; `--quality` sends all.

mod design;
mod draw;
mod measure;
mod sheet;

use std::time::Instant;

use ab_glyph::FontRef;
use layerize::{Cancel, Layer, Options, RgbaImage, split_with_report};

use design::{Design, Kit};
use measure::Score;
use sheet::Sheet;

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

struct Wishes {
    tune: bool,
    designs: u64,
    first: u64,
    sheet: String,
    quality: Option<u8>,
    verbose: bool,
    photos_only: bool,
}

fn wishes() -> Wishes {
    let mut wishes = Wishes {
        tune: false,
        designs: 60,
        first: 0,
        sheet: concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/score.png").into(),
        quality: None,
        verbose: false,
        photos_only: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("the option has a value");
        match word.as_str() {
            "--tune" => wishes.tune = true,
            "--verbose" => wishes.verbose = true,
            "--photos-only" => wishes.photos_only = true,
            "--designs" => wishes.designs = value().parse().expect("a number of designs"),
            "--first" => wishes.first = value().parse().expect("a seed offset"),
            "--quality" => wishes.quality = Some(value().parse().expect("a JPEG quality")),
            "--sheet" => wishes.sheet = value(),
            other => panic!("unknown option {other}"),
        }
    }
    wishes
}

fn main() {
    let wishes = wishes();
    let begun = Instant::now();
    layerize::Networks::default().warm_up().expect("models load");
    report(&format!(
        "load {:.0} ms",
        begun.elapsed().as_secs_f32() * 1000.0
    ));
    let mut sheet = Sheet::default();
    for name in PHOTOS.iter().chain(DRAWN) {
        let image = load(name);
        let run = timed(&image);
        report(&format!(
            "{name}: {}x{} layers {} error {} {:.2} s (cpu {:.2}) {:.0} MB [{}] {}",
            image.width,
            image.height,
            run.layers.len(),
            measure::worst(&image, &run.layers),
            run.seconds,
            run.cpu,
            run.peak,
            measure::names(&run.layers),
            run.passes
        ));
        sheet.add(&image, &run.layers);
    }
    if !wishes.photos_only {
        designs(&wishes, &mut sheet);
    }
    sheet.save(&wishes.sheet);
    report(&format!("sheet {}", wishes.sheet));
}

fn designs(wishes: &Wishes, sheet: &mut Sheet) {
    let kit = Kit {
        faces: FACES
            .iter()
            .map(|bytes| FontRef::try_from_slice(bytes).expect("a face"))
            .collect(),
        photos: PHOTOS[..3]
            .iter()
            .map(|name| {
                let image = load(name);
                let colours = image.pixels.as_chunks::<4>().0.iter();
                let colours = colours.map(|p| [f32::from(p[0]), f32::from(p[1]), f32::from(p[2])]);
                (
                    image.width as usize,
                    image.height as usize,
                    colours.collect(),
                )
            })
            .collect(),
    };
    let base = if wishes.tune { 1000 } else { 9000 } + wishes.first;
    let mut scores = Vec::new();
    for seed in base..base + wishes.designs {
        let design = kit.design(seed);
        let quality = wishes.quality.or((seed % 3 == 2).then_some(85));
        let source = flatten(&design, quality);
        let run = timed(&source);
        let mut score = measure::score(&design, &source, &run.layers);
        score.about = design.about;
        (score.seconds, score.cpu, score.peak_mb) = (run.seconds, run.cpu, run.peak);
        if wishes.verbose {
            let mean = score.iou_sum / score.matched.max(1) as f32;
            report(&format!(
                "{seed} {} q{quality:?}: {}/{} found {} iou {mean:.3} psnr {:.1} {:.2} s (cpu {:.2}) [{}] {:?} {}",
                design.about,
                score.matched,
                score.truths,
                score.found,
                score.psnr(),
                run.seconds,
                run.cpu,
                measure::names(&run.layers),
                score.misses,
                run.passes
            ));
        }
        if scores.len() < 20 {
            sheet.add(&source, &run.layers);
        }
        scores.push(score);
    }
    let kinds = [
        "flat",
        "linear gradient",
        "radial gradient",
        "texture",
        "card",
        "photo with text",
    ];
    for kind in kinds {
        let some: Vec<&Score> = scores.iter().filter(|score| score.about == kind).collect();
        summary(kind, &some);
    }
    summary("all", &scores.iter().collect::<Vec<_>>());
}

fn summary(kind: &str, scores: &[&Score]) {
    if scores.is_empty() {
        return;
    }
    let sum = |f: fn(&Score) -> f64| scores.iter().map(|score| f(score)).sum::<f64>();
    let (truths, matched) = (sum(|s| s.truths as f64), sum(|s| s.matched as f64));
    let mut psnr: Vec<f64> = scores.iter().map(|score| score.psnr()).collect();
    psnr.sort_by(f64::total_cmp);
    let pooled = measure::psnr((sum(|s| s.ground.0), sum(|s| s.ground.1)));
    report(&format!(
        "{kind:>16} n {:>3}  iou {:.3}  recall {:.3}  found/true {:.2}  colour {:.1}  ground mean {:.1} median {:.1} pooled {pooled:.1} dB  error {}  {:.2} s (max {:.2})  cpu {:.2} s  peak {:.0} MB",
        scores.len(),
        sum(|s| f64::from(s.iou_sum)) / matched.max(1.0),
        matched / truths.max(1.0),
        sum(|s| s.found as f64) / truths.max(1.0),
        sum(|s| f64::from(s.colour_sum)) / matched.max(1.0),
        psnr.iter().sum::<f64>() / psnr.len() as f64,
        psnr[psnr.len() / 2],
        scores.iter().map(|s| s.worst).max().unwrap_or(0),
        sum(|s| f64::from(s.seconds)) / scores.len() as f64,
        scores.iter().map(|s| s.seconds).fold(0.0, f32::max),
        sum(|s| f64::from(s.cpu)) / scores.len() as f64,
        scores.iter().map(|s| s.peak_mb).fold(0.0, f32::max),
    ));
}

/// One split and what it cost.
struct Run {
    layers: Vec<Layer>,
    seconds: f32,
    cpu: f32,
    /// Peak memory above what was held before, in MB.
    peak: f32,
    /// The time of each pass.
    passes: String,
}

fn timed(image: &RgbaImage) -> Run {
    let before = memory("VmRSS");
    // Resets the high-water mark; without it (not Linux) the figure is that of the whole run.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (begun, busy) = (Instant::now(), cpu_seconds());
    let (layers, told) =
        split_with_report(image, &Options::default(), &mut |_| {}, &Cancel::default())
            .expect("splits");
    let passes: Vec<String> = told
        .passes
        .iter()
        .map(|time| {
            let (took, deaf) = (time.took.as_millis(), time.deaf.as_millis());
            format!("{} {took}/{deaf}", time.pass)
        })
        .collect();
    Run {
        layers,
        seconds: begun.elapsed().as_secs_f32(),
        cpu: cpu_seconds() - busy,
        peak: memory("VmHWM") - before,
        passes: passes.join(" "),
    }
}

/// Processor time of all threads so far, which a shared machine disturbs less than the clock.
fn cpu_seconds() -> f32 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |at: usize| stat.split_whitespace().nth(at)?.parse::<f32>().ok();
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    (ticks(13).unwrap_or(0.0) + ticks(14).unwrap_or(0.0)) / 100.0
}

/// A line of `/proc/self/status` in MB; 0 where there is none.
fn memory(key: &str) -> f32 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find(|line| line.starts_with(key))
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<f32>().ok())
        .map_or(0.0, |kilobytes| kilobytes / 1024.0)
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

#[expect(clippy::print_stdout, reason = "a report is what this program is for")]
fn report(line: &str) {
    println!("{line}");
}
