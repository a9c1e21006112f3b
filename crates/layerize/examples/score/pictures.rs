//! A folder of pictures split one by one: what came out, and a contact sheet of every ten.
//!
//! Beside `NAME.jpg` or `NAME.png` there may lie `masks/NAME.png`, the coverage of its subject,
//! `truth/NAME/*.png`, the coverage of each of its layers (see `truth.rs`), and `NAME.words`, one line of lettering a line. Nothing here is part of the repository's own
//! measurements: the folder is whatever the caller has.

use std::fs;
use std::path::{Path, PathBuf};

use layerize::{Layer, LayerKind, Options, RgbaImage};

use crate::measure;
use crate::run::Run;
use crate::sheet::Sheet;
use crate::truth::{self, Truth, overlap};
use crate::wishes::Wishes;
use crate::{raw, report, save};

/// Pictures on one contact sheet.
const SHOWN: usize = 10;
/// Share of the canvas below which a layer is a crumb.
const CRUMB: f64 = 0.001;

/// Splits every picture of `folder` and tells about each.
pub(crate) fn run(folder: &Path, wishes: &Wishes, options: &Options) {
    let mut sheet = Sheet::default();
    let (mut ious, mut seconds, mut layers, mut crumbs, mut worst) = (vec![], vec![], 0, 0, 0);
    let (mut words, mut read, mut peak) = (0, 0, 0.0_f32);
    let mut all_truths = Sum::default();
    let pictures = pictures(folder, wishes.about.as_deref());
    for (index, path) in pictures.iter().enumerate() {
        let image = raw(&image::open(path).expect("a picture"));
        let run = Run::of(&image, options);
        let error = measure::worst(&image, &run.layers);
        let shares: Vec<f64> = run.layers[1..].iter().map(|l| share(l, &image)).collect();
        let small = shares.iter().filter(|share| **share < CRUMB).count();
        let iou = mask(path).map(|mask| agreement(&mask, &image, &run.layers));
        let (all, right) = lettering(path, &run.layers);
        let truth = truth::compare(path, &image, &run.layers, wishes.lines);
        all_truths.add(&truth, run.layers.len() - 1);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        report(&format!(
            "{index:>2} {name}: layers {} crumbs {small} error {error} iou {} true {}/{} things {:.1}/{} words {right}/{all} cpu {:.2} s peak {:.0} MB [{}] {}",
            run.layers.len(),
            iou.map_or("-".into(), |iou| format!("{iou:.3}")),
            truth.hits,
            truth.layers,
            truth.kept,
            truth.things,
            run.cpu,
            run.peak,
            told(&run.layers, &shares),
            if wishes.verbose {
                run.passes()
            } else {
                String::new()
            },
        ));
        if wishes.verbose {
            truth.missed.iter().for_each(|miss| report(miss));
        }
        sheet.add(&image, &run.layers);
        if index % SHOWN == SHOWN - 1 || index + 1 == pictures.len() {
            let sheet = std::mem::take(&mut sheet);
            save(&sheet, &format!("{}_{}.png", wishes.sheet, index / SHOWN));
        }
        ious.extend(iou);
        seconds.push(run.cpu);
        layers += shares.len();
        crumbs += small;
        worst = worst.max(error);
        words += all;
        read += right;
        peak = peak.max(run.peak);
    }
    all_truths.tell();
    seconds.sort_by(f32::total_cmp);
    report(&format!(
        "pictures {} layers {layers} crumbs {:.1} % iou mean {:.3} of {} ({} under 0.5) words {read}/{words} error {worst} cpu median {:.2} s most {:.2} s peak {peak:.0} MB",
        pictures.len(),
        100.0 * crumbs as f64 / layers.max(1) as f64,
        ious.iter().sum::<f64>() / ious.len().max(1) as f64,
        ious.len(),
        ious.iter().filter(|iou| **iou < 0.5).count(),
        seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
        seconds.last().copied().unwrap_or(0.0),
    ));
}

/// What came out of all pictures whose layers are known.
#[derive(Default)]
struct Sum {
    layers: usize,
    hits: usize,
    found: usize,
    meant: usize,
    things: usize,
    kept: f64,
}

impl Sum {
    fn add(&mut self, truth: &Truth, found: usize) {
        if truth.layers > 0 {
            self.layers += truth.layers;
            self.hits += truth.hits;
            self.found += found;
            self.meant += truth.meant;
            self.things += truth.things;
            self.kept += truth.kept;
        }
    }

    fn tell(&self) {
        if self.layers == 0 {
            return;
        }
        report(&format!(
            "layers of {} that are true: recall {:.3} precision {:.3}; with groups: precision {:.3}, {:.3} of {} things",
            self.layers,
            self.hits as f64 / self.layers as f64,
            self.hits as f64 / self.found as f64,
            self.meant as f64 / self.found as f64,
            self.kept / self.things as f64,
            self.things,
        ));
    }
}

/// The pictures of a folder by name, those alone whose name begins with one of the comma separated
/// `about`.
fn pictures(folder: &Path, about: Option<&str>) -> Vec<PathBuf> {
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        about.is_none_or(|about| about.split(',').any(|begin| name.starts_with(begin)))
    };
    let entries = fs::read_dir(folder).expect("a folder of pictures");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"))
        .filter(named)
        .collect();
    paths.sort();
    paths
}

fn share(layer: &Layer, image: &RgbaImage) -> f64 {
    let alpha = layer.image.pixels.as_chunks::<4>().0.iter();
    let sum: f64 = alpha.map(|pixel| f64::from(pixel[3]) / 255.0).sum();
    sum / f64::from(image.width * image.height)
}

fn told(layers: &[Layer], shares: &[f64]) -> String {
    let each = layers[1..].iter().zip(shares);
    let each = each.map(|(layer, share)| {
        format!(
            "{} {:.2}% {:.2}",
            layer.name,
            100.0 * share,
            layer.confidence
        )
    });
    each.collect::<Vec<_>>().join(", ")
}

fn mask(path: &Path) -> Option<Vec<f64>> {
    let name = path.with_extension("png");
    let beside = path.with_file_name("masks").join(name.file_name()?);
    let mask = image::open(beside).ok()?.to_luma8();
    Some(
        mask.into_raw()
            .into_iter()
            .map(|v| f64::from(v) / 255.0)
            .collect(),
    )
}

/// Agreement of the true mask with the layer that fits it best, or with all that are no shadow, if
/// that is more.
fn agreement(mask: &[f64], image: &RgbaImage, layers: &[Layer]) -> f64 {
    let mut all = vec![0.0_f64; mask.len()];
    let mut best = 0.0_f64;
    for layer in layers[1..].iter().filter(|l| l.kind != LayerKind::Shadow) {
        let canvas = layer.to_canvas(image.width, image.height);
        let alpha = canvas.pixels.as_chunks::<4>().0.iter();
        let own: Vec<f64> = alpha.map(|pixel| f64::from(pixel[3]) / 255.0).collect();
        best = best.max(overlap(mask, &own));
        for (sum, a) in all.iter_mut().zip(own) {
            *sum = sum.max(a);
        }
    }
    best.max(overlap(mask, &all))
}

/// How many lines of lettering a picture has, and how many of them a layer is named by.
fn lettering(path: &Path, layers: &[Layer]) -> (usize, usize) {
    let Ok(text) = fs::read_to_string(path.with_extension("words")) else {
        return (0, 0);
    };
    let lines: Vec<&str> = text.lines().collect();
    let named = |line: &&&str| layers.iter().any(|layer| layer.name.contains(**line));
    let right = lines.iter().filter(named);
    (lines.len(), right.count())
}
