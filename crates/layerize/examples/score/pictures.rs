//! A folder of pictures split one by one: what came out, and a contact sheet of every ten.
//!
//! Beside `NAME.jpg` or `NAME.png` there may lie `masks/NAME.png`, the coverage of its subject,
//! `truth/NAME/*.png`, the coverage of each of its layers, and `NAME.words`, one line of lettering a line. Nothing here is part of the repository's own
//! measurements: the folder is whatever the caller has.

use std::fs;
use std::path::{Path, PathBuf};

use layerize::{Layer, LayerKind, Options, RgbaImage};

use crate::measure;
use crate::run::Run;
use crate::sheet::Sheet;
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
    let (mut truths, mut matched, mut found) = (0, 0, 0);
    let pictures = pictures(folder, wishes.about.as_deref());
    for (index, path) in pictures.iter().enumerate() {
        let image = raw(&image::open(path).expect("a picture"));
        let run = Run::of(&image, options);
        let error = measure::worst(&image, &run.layers);
        let shares: Vec<f64> = run.layers[1..].iter().map(|l| share(l, &image)).collect();
        let small = shares.iter().filter(|share| **share < CRUMB).count();
        let iou = mask(path).map(|mask| agreement(&mask, &image, &run.layers));
        let (all, right) = lettering(path, &run.layers);
        let (true_layers, hits, missed) = layered(path, &image, &run.layers);
        if true_layers > 0 {
            truths += true_layers;
            matched += hits;
            found += run.layers.len() - 1;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        report(&format!(
            "{index:>2} {name}: layers {} crumbs {small} error {error} iou {} true {hits}/{true_layers} words {right}/{all} cpu {:.2} s peak {:.0} MB [{}] {}",
            run.layers.len(),
            iou.map_or("-".into(), |iou| format!("{iou:.3}")),
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
            missed.iter().for_each(|miss| report(miss));
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
    if truths > 0 {
        report(&format!(
            "layers of {truths} that are true: recall {:.3} precision {:.3}",
            f64::from(matched) / f64::from(truths),
            f64::from(matched) / found as f64,
        ));
    }
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

/// How many layers a picture truly has above its ground, and how many were found: coverage that agrees by
/// at least half, each layer once. With a line about each that was not, and each layer that is none.
fn layered(path: &Path, image: &RgbaImage, layers: &[Layer]) -> (u32, u32, Vec<String>) {
    let folder = path.with_file_name("truth");
    let name = path.file_stem().unwrap_or_default();
    let Ok(entries) = fs::read_dir(folder.join(name)) else {
        return (0, 0, Vec::new());
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let truths: Vec<Vec<f64>> = files
        .iter()
        .map(|file| image::open(file).expect("a mask").to_luma8().into_raw())
        .map(|mask| coverage(mask.into_iter()))
        .collect();
    let found: Vec<Vec<f64>> = layers[1..]
        .iter()
        .map(|layer| layer.to_canvas(image.width, image.height))
        .map(|canvas| coverage(canvas.pixels.iter().skip(3).step_by(4).copied()))
        .collect();
    let mut pairs = Vec::new();
    for (l, own) in found.iter().enumerate() {
        for (t, truth) in truths.iter().enumerate() {
            pairs.push((overlap(truth, own), t, l));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut used, mut taken, mut hits) = (vec![false; truths.len()], vec![false; layers.len()], 0);
    for (agreement, t, l) in pairs {
        if agreement >= 0.5 && !used[t] && !taken[l] {
            (used[t], taken[l]) = (true, true);
            hits += 1;
        }
    }
    let missed = (0..truths.len()).filter(|&t| !used[t]);
    let missed = missed.map(|t| {
        let name = files[t].file_stem().unwrap_or_default().to_string_lossy();
        format!("   missed {name}: {}", why(&truths[t], &found, layers))
    });
    let spare = (0..found.len()).filter(|&l| !taken[l]);
    let spare = spare.map(|l| {
        let share = 100.0 * found[l].iter().sum::<f64>() / found[l].len() as f64;
        format!("   spare {}: {share:.2} %", layers[l + 1].name)
    });
    (truths.len() as u32, hits, missed.chain(spare).collect())
}

/// Where a true layer that was not found is: in the background, or in layers that hold too little of it or too much else.
fn why(truth: &[f64], found: &[Vec<f64>], layers: &[Layer]) -> String {
    let size: f64 = truth.iter().sum();
    let mut parts: Vec<(f64, f64, usize)> = Vec::new();
    for (l, own) in found.iter().enumerate() {
        let both: f64 = truth.iter().zip(own).map(|(a, b)| a.min(*b)).sum();
        let all: f64 = own.iter().sum();
        parts.push((both / size.max(1.0), both / all.max(1.0), l));
    }
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let parts = parts.iter().filter(|(held, _, _)| *held > 0.2).take(3);
    let parts: Vec<String> = parts
        .map(|(held, pure, l)| format!("{} holds {held:.2}, {pure:.2} of it", layers[l + 1].name))
        .collect();
    let share = 100.0 * size / truth.len() as f64;
    let place = if parts.is_empty() {
        "background".into()
    } else {
        parts.join("; ")
    };
    format!("{share:.2} % {place}")
}

fn coverage(values: impl Iterator<Item = u8>) -> Vec<f64> {
    values.map(|value| f64::from(value) / 255.0).collect()
}

fn overlap(one: &[f64], other: &[f64]) -> f64 {
    let pairs = one.iter().zip(other);
    let (both, either) = pairs.fold((0.0, 0.0), |(both, either), (a, b)| {
        (both + a.min(*b), either + a.max(*b))
    });
    if either == 0.0 { 0.0 } else { both / either }
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
