//! Compares a stack with the truth.
//!
//! A true layer is matched with the layer whose coverage agrees best (intersection over union, at
//! least 0.5, each layer once). Shadows are compared where nothing lies on them. Invariant: the
//! background is compared only where something was lifted off it.

use layerize::{Layer, LayerKind, RgbaImage, composite};

use crate::design::Design;
use crate::run::Run;

/// What one design scored.
#[derive(Clone, Default)]
pub(crate) struct Score {
    pub(crate) about: &'static str,
    pub(crate) truths: usize,
    pub(crate) matched: usize,
    pub(crate) found: usize,
    pub(crate) iou_sum: f32,
    pub(crate) colour_sum: f32,
    /// Squared error and count of values of the background under lifted things.
    pub(crate) ground: (f64, f64),
    pub(crate) worst: u8,
    pub(crate) seconds: f32,
    pub(crate) cpu: f32,
    pub(crate) deaf: f32,
    pub(crate) peak_mb: f32,
    pub(crate) misses: Vec<String>,
}

impl Score {
    pub(crate) fn psnr(&self) -> f64 {
        psnr(self.ground)
    }
}

/// Peak signal-to-noise ratio in dB, at most 60.
pub(crate) fn psnr((squares, count): (f64, f64)) -> f64 {
    if count == 0.0 {
        return 60.0;
    }
    (10.0 * (255.0 * 255.0 / (squares / count).max(1e-9)).log10()).min(60.0)
}

pub(crate) fn score(design: &Design, source: &RgbaImage, run: &Run) -> Score {
    let layers = &run.layers;
    let pixels = design.w * design.h;
    let truths = &design.layers[1..];
    let mut seen_above = vec![0.0_f32; pixels];
    let mut visible: Vec<Vec<f32>> = Vec::new();
    for truth in truths.iter().rev() {
        visible.push(seen_above.iter().map(|above| 1.0 - above).collect());
        for (above, alpha) in seen_above.iter_mut().zip(&truth.alpha) {
            *above += (1.0 - *above) * alpha;
        }
    }
    visible.reverse();
    let canvases: Vec<RgbaImage> = layers[1..]
        .iter()
        .map(|l| l.to_canvas(design.w as u32, design.h as u32))
        .collect();
    let mut pairs = Vec::new();
    for (t, truth) in truths.iter().enumerate() {
        for (p, canvas) in canvases.iter().enumerate() {
            let open = (truth.kind == "shadow").then_some(&visible[t]);
            let iou = agreement(&truth.alpha, canvas, open);
            pairs.push((iou, t, p));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut result = Score {
        about: design.about,
        seconds: run.seconds,
        cpu: run.cpu,
        deaf: run.deaf(),
        peak_mb: run.peak,
        truths: truths.len(),
        found: canvases.len(),
        ..Score::default()
    };
    let (mut used_t, mut used_p) = (vec![false; truths.len()], vec![false; canvases.len()]);
    for (iou, t, p) in pairs {
        if iou >= 0.5 && !used_t[t] && !used_p[p] {
            (used_t[t], used_p[p]) = (true, true);
            result.matched += 1;
            result.iou_sum += iou;
            result.colour_sum += colour_error(&truths[t], &canvases[p], &visible[t]);
            if iou < 0.85 {
                result
                    .misses
                    .push(format!("{} iou {iou:.2}", truths[t].kind));
            }
        }
    }
    for (t, truth) in truths.iter().enumerate().filter(|(t, _)| !used_t[*t]) {
        let size = truth.alpha.iter().sum::<f32>() / pixels as f32 * 100.0;
        result
            .misses
            .push(format!("{} {t} missed ({size:.2} %)", truth.kind));
    }
    let ground = layers[0].to_canvas(design.w as u32, design.h as u32);
    for at in (0..pixels).filter(|&at| seen_above[at] > 0.02) {
        for c in 0..3 {
            let error =
                f64::from(ground.pixels[at * 4 + c]) - f64::from(design.layers[0].colour[at][c]);
            result.ground.0 += error * error;
            result.ground.1 += 1.0;
        }
    }
    result.worst = worst(source, layers);
    result
}

/// Largest channel difference between a picture and its recomposed stack.
pub(crate) fn worst(source: &RgbaImage, layers: &[Layer]) -> u8 {
    let back = composite(source.width, source.height, layers);
    source
        .pixels
        .iter()
        .zip(&back.pixels)
        .map(|(&a, &b)| a.abs_diff(b))
        .max()
        .unwrap_or(0)
}

fn agreement(truth: &[f32], canvas: &RgbaImage, open: Option<&Vec<f32>>) -> f32 {
    let (mut both, mut either) = (0.0_f64, 0.0_f64);
    for (at, &a) in truth.iter().enumerate() {
        if open.is_some_and(|open| open[at] < 0.95) {
            continue;
        }
        let b = f32::from(canvas.pixels[at * 4 + 3]) / 255.0;
        both += f64::from(a.min(b));
        either += f64::from(a.max(b));
    }
    if either == 0.0 {
        0.0
    } else {
        (both / either) as f32
    }
}

/// Mean colour difference, in levels, where both are solid and the truth can be seen.
fn colour_error(truth: &crate::draw::Truth, canvas: &RgbaImage, visible: &[f32]) -> f32 {
    let (mut sum, mut count) = (0.0_f64, 0.0_f64);
    for (at, &a) in truth.alpha.iter().enumerate() {
        let solid = if truth.kind == "shadow" { 0.05 } else { 0.5 };
        if a > solid && visible[at] > 0.5 && f32::from(canvas.pixels[at * 4 + 3]) > solid * 255.0 {
            for c in 0..3 {
                sum +=
                    f64::from((f32::from(canvas.pixels[at * 4 + c]) - truth.colour[at][c]).abs());
                count += 1.0;
            }
        }
    }
    if count == 0.0 {
        0.0
    } else {
        (sum / count) as f32
    }
}

/// One line about a stack.
pub(crate) fn names(layers: &[Layer]) -> String {
    layers
        .iter()
        .filter(|layer| layer.kind != LayerKind::Background)
        .map(|layer| format!("{} {:.2}", layer.name, layer.confidence))
        .collect::<Vec<_>>()
        .join(", ")
}
