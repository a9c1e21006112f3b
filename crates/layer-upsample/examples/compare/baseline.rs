//! What one would do without this crate: bicubic interpolation, and the guided filter (He, Sun, Tang, 2013) with the source as its
//! guide, at full size and fitted small (He, Sun, "Fast Guided Filter", 2015).

use super::draw::Picture;

type Alpha = Vec<f32>;

/// Catmull-Rom, clamped to 0 to 1.
pub(crate) fn bicubic(layers: &[Picture], w: usize, h: usize) -> Vec<Alpha> {
    layers
        .iter()
        .map(|layer| {
            raised(&layer.alpha(), layer.w, layer.h, w, h)
                .iter()
                .map(|a| a.clamp(0.0, 1.0))
                .collect()
        })
        .collect()
}

/// The best of many settings by `error`, and what they are.
pub(crate) fn guided(
    guide: &Picture,
    small: &[Picture],
    bicubic: &[Alpha],
    error: &dyn Fn(&[Alpha]) -> f64,
) -> (f64, String) {
    let (w, h) = (guide.w, guide.h);
    let unit = planes(guide);
    let step = w as f32 / small[0].w as f32;
    let mut best = (f64::MAX, String::new());
    let mut offer = |name: String, found: &[Alpha]| {
        let off = error(found);
        if off < best.0 {
            best = (off, name);
        }
    };
    let (r, eps) = (step.round() as usize, 1e-4);
    let found: Vec<Alpha> = bicubic
        .iter()
        .map(|alpha| {
            let [a, b, c, d] = fit(&unit, alpha, w, h, r, eps);
            apply(&unit, [&a, &b, &c, &d])
        })
        .collect();
    offer(format!("full r={r} eps={eps:.0e}"), &found);
    let (sw, sh) = (small[0].w, small[0].h);
    let small_guide = [0, 1, 2].map(|c| area(&unit[c], w, h, sw, sh));
    for radius in [1, 2, 4] {
        for eps in [1e-5, 1e-4, 1e-3] {
            let found: Vec<Alpha> = small
                .iter()
                .map(|layer| {
                    let coefficients = fit(&small_guide, &layer.alpha(), sw, sh, radius, eps);
                    let [a, b, c, d] = coefficients.map(|plane| raised(&plane, sw, sh, w, h));
                    apply(&unit, [&a, &b, &c, &d])
                })
                .collect();
            offer(format!("fast r={radius} eps={eps:.0e}"), &found);
        }
    }
    best
}

fn planes(picture: &Picture) -> [Vec<f32>; 3] {
    [0, 1, 2].map(|c| {
        picture
            .pixels
            .chunks_exact(4)
            .map(|p| f32::from(p[c]) / 255.0)
            .collect()
    })
}

fn apply(guide: &[Vec<f32>; 3], fit: [&[f32]; 4]) -> Alpha {
    (0..guide[0].len())
        .map(|at| {
            (fit[0][at] * guide[0][at]
                + fit[1][at] * guide[1][at]
                + fit[2][at] * guide[2][at]
                + fit[3][at])
                .clamp(0.0, 1.0)
        })
        .collect()
}

/// The averaged coefficients: three slopes and an offset.
fn fit(
    guide: &[Vec<f32>; 3],
    alpha: &[f32],
    w: usize,
    h: usize,
    r: usize,
    eps: f32,
) -> [Vec<f32>; 4] {
    let blur = |values: Vec<f32>| box_blur(&values, w, h, r);
    let times = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f32>>();
    let mean: [Vec<f32>; 3] = [0, 1, 2].map(|c| blur(guide[c].clone()));
    let mean_alpha = blur(alpha.to_vec());
    let with: [Vec<f32>; 3] = [0, 1, 2].map(|c| blur(times(&guide[c], alpha)));
    let pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
        .map(|(i, j): (usize, usize)| blur(times(&guide[i], &guide[j])));
    let mut out = [0; 4].map(|_| vec![0.0; w * h]);
    for at in 0..w * h {
        let m = [mean[0][at], mean[1][at], mean[2][at]];
        let p = mean_alpha[at];
        let t = [0, 1, 2].map(|c: usize| f64::from(with[c][at] - m[c] * p));
        let v = |n: usize, i: usize, j: usize| f64::from(pairs[n][at] - m[i] * m[j]);
        let e = f64::from(eps);
        let (a, b, c, d, e2, f) = (
            v(0, 0, 0) + e,
            v(3, 0, 1),
            v(4, 0, 2),
            v(1, 1, 1) + e,
            v(5, 1, 2),
            v(2, 2, 2) + e,
        );
        let (m00, m01, m02, m11, m12, m22) = (
            d * f - e2 * e2,
            c * e2 - b * f,
            b * e2 - c * d,
            a * f - c * c,
            b * c - a * e2,
            a * d - b * b,
        );
        let det = a * m00 + b * m01 + c * m02;
        let slope = [
            m00 * t[0] + m01 * t[1] + m02 * t[2],
            m01 * t[0] + m11 * t[1] + m12 * t[2],
            m02 * t[0] + m12 * t[1] + m22 * t[2],
        ]
        .map(|v| (v / det) as f32);
        for c in 0..3 {
            out[c][at] = slope[c];
        }
        out[3][at] = p - slope[0] * m[0] - slope[1] * m[1] - slope[2] * m[2];
    }
    out.map(blur)
}

fn box_blur(values: &[f32], w: usize, h: usize, r: usize) -> Vec<f32> {
    let mut wide = vec![0.0; w * h];
    for y in 0..h {
        let row = &values[y * w..][..w];
        let mut sum: f64 = row[..r.min(w)].iter().map(|v| f64::from(*v)).sum();
        for x in 0..w {
            if x + r < w {
                sum += f64::from(row[x + r]);
            }
            if x > r {
                sum -= f64::from(row[x - r - 1]);
            }
            wide[y * w + x] = (sum / ((x + r).min(w - 1) + 1 - x.saturating_sub(r)) as f64) as f32;
        }
    }
    let mut out = vec![0.0; w * h];
    let mut sums = vec![0.0_f64; w];
    for y in 0..r.min(h) {
        sums.iter_mut()
            .zip(&wide[y * w..][..w])
            .for_each(|(s, v)| *s += f64::from(*v));
    }
    for y in 0..h {
        if y + r < h {
            sums.iter_mut()
                .zip(&wide[(y + r) * w..][..w])
                .for_each(|(s, v)| *s += f64::from(*v));
        }
        if y > r {
            sums.iter_mut()
                .zip(&wide[(y - r - 1) * w..][..w])
                .for_each(|(s, v)| *s -= f64::from(*v));
        }
        let count = ((y + r).min(h - 1) + 1 - y.saturating_sub(r)) as f64;
        out[y * w..][..w]
            .iter_mut()
            .zip(&sums)
            .for_each(|(o, s)| *o = (s / count) as f32);
    }
    out
}

/// Means over areas; good enough where sides are no multiples.
fn area(values: &[f32], w: usize, h: usize, sw: usize, sh: usize) -> Vec<f32> {
    let mut sums = vec![(0.0_f32, 0.0_f32); sw * sh];
    for y in 0..h {
        for x in 0..w {
            let own = &mut sums[(y * sh / h) * sw + x * sw / w];
            own.0 += values[y * w + x];
            own.1 += 1.0;
        }
    }
    sums.iter()
        .map(|(sum, count)| sum / count.max(1.0))
        .collect()
}

fn raised(values: &[f32], sw: usize, sh: usize, w: usize, h: usize) -> Vec<f32> {
    let taps = |small: usize, full: usize| -> Vec<([usize; 4], [f32; 4])> {
        (0..full)
            .map(|at| {
                let place = (at as f64 + 0.5) * small as f64 / full as f64 - 0.5;
                let t = (place - place.floor()) as f32;
                let of = |o: i64| (place.floor() as i64 + o).clamp(0, small as i64 - 1) as usize;
                (
                    [of(-1), of(0), of(1), of(2)],
                    [
                        -0.5 * t + t * t - 0.5 * t * t * t,
                        1.0 - 2.5 * t * t + 1.5 * t * t * t,
                        0.5 * t + 2.0 * t * t - 1.5 * t * t * t,
                        -0.5 * t * t + 0.5 * t * t * t,
                    ],
                )
            })
            .collect()
    };
    let (across, down) = (taps(sw, w), taps(sh, h));
    let mut out = Vec::with_capacity(w * h);
    let mut row = vec![0.0_f32; sw];
    for (at, weight) in &down {
        for x in 0..sw {
            row[x] = (0..4).map(|k| weight[k] * values[at[k] * sw + x]).sum();
        }
        out.extend(
            across
                .iter()
                .map(|(at, weight)| (0..4).map(|k| weight[k] * row[at[k]]).sum::<f32>()),
        );
    }
    out
}
