//! Linear light to sRGB samples, and pictures whose profile says by curves and a matrix how their samples become light.
//!
//! Exact in the shadows, where a colour engine's tables are coarse: in linear light the first twenty levels of sRGB lie
//! below one half of a percent. Profiles with tables of their own are not for this file.

use moxcms::{ColorProfile, DataColorSpace, ToneReprCurve};

/// Steps of light in the table of sRGB's curve. One is less than a fifteenth of a level even in the darkest.
const STEPS: usize = 1 << 16;

pub(super) type Matrix = [[f32; 3]; 3];

/// sRGB's curve (IEC 61966-2-1), tabled.
pub(super) struct SrgbCurve(Vec<u8>);

impl SrgbCurve {
    pub(super) fn new() -> Self {
        let sample = |light: f32| {
            let signal = if light <= 0.003_130_8 {
                12.92 * light
            } else {
                1.055 * light.powf(1.0 / 2.4) - 0.055
            };
            (signal * 255.0).round() as u8
        };
        Self(
            (0..=STEPS)
                .map(|step| sample(step as f32 / STEPS as f32))
                .collect(),
        )
    }

    /// The sample of an amount of light, of which 1 is white; more than white is white.
    pub(super) fn sample(&self, light: f32) -> u8 {
        // `as` saturates, so that what is below black is black.
        self.0[((light * STEPS as f32).round() as usize).min(STEPS)]
    }
}

pub(super) fn through(matrix: &Matrix, light: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * light[0] + row[1] * light[1] + row[2] * light[2])
}

/// A profile of curves and a matrix, ready for samples up to a largest one.
pub(super) struct Shaper {
    /// By channel and sample.
    light: [Vec<f32>; 3],
    /// Light of the profile's primaries to that of sRGB's.
    matrix: Matrix,
    srgb: SrgbCurve,
}

impl Shaper {
    /// `None` for a profile of tables.
    pub(super) fn new(profile: &ColorProfile, largest: u16) -> Option<Self> {
        let tables = [
            &profile.lut_a_to_b_perceptual,
            &profile.lut_a_to_b_colorimetric,
            &profile.lut_a_to_b_saturation,
        ];
        if tables.iter().any(|table| table.is_some()) {
            return None;
        }
        let (curves, matrix) = match profile.color_space {
            DataColorSpace::Rgb => {
                let matrix = profile.transform_matrix(&ColorProfile::new_srgb()).v;
                let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc];
                (curves, matrix.map(|row| row.map(|value| value as f32)))
            }
            DataColorSpace::Gray => {
                let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
                ([&profile.gray_trc; 3], identity)
            }
            _ => return None,
        };
        if matrix.iter().flatten().any(|value| !value.is_finite()) {
            return None;
        }
        let mut light = [const { Vec::new() }; 3];
        for (light, curve) in light.iter_mut().zip(curves) {
            *light = tabled(curve.as_ref()?, largest)?;
        }
        if profile.pcs == DataColorSpace::Lab {
            for lightness in light.iter_mut().flatten() {
                *lightness = light_of(*lightness);
            }
        }
        Some(Self {
            light,
            matrix,
            srgb: SrgbCurve::new(),
        })
    }

    /// One pixel's colours.
    pub(super) fn map(&self, samples: [u16; 3]) -> [u8; 3] {
        let mut light = [0.0; 3];
        for ((light, table), sample) in light.iter_mut().zip(&self.light).zip(samples) {
            *light = table[usize::from(sample)];
        }
        through(&self.matrix, light).map(|light| self.srgb.sample(light))
    }
}

/// Whether a profile's curves are to be followed here rather than by a colour engine: those of grey, which the engine takes as light
/// where they are lightness, and those so much steeper than sRGB's in the shadows that its tables of 8 bits lose them.
pub(super) fn is_by_curves(profile: &ColorProfile) -> bool {
    const DARK: f32 = 1.0 / 16.0;
    // sRGB has 0.5 % of light there, a gamma of 1.8 has 0.7 %, linear light has 6 %.
    const MUCH: f32 = 0.015;
    let is_steep = |curve: &ToneReprCurve| {
        let evaluator = curve.make_linear_evaluator();
        evaluator.is_ok_and(|evaluator| evaluator.evaluate_value(DARK) > MUCH)
    };
    profile.color_space == DataColorSpace::Gray || profile.red_trc.as_ref().is_some_and(is_steep)
}

/// Light of a lightness, both of which are 1 for white (CIE 15, L* by 100): a grey profile whose connection space is Lab
/// says L* by its curve (ICC.1, annex F.2).
fn light_of(lightness: f32) -> f32 {
    if lightness > 0.08 {
        ((lightness + 0.16) / 1.16).powi(3)
    } else {
        lightness / 9.033
    }
}

fn tabled(curve: &ToneReprCurve, largest: u16) -> Option<Vec<f32>> {
    let evaluator = curve.make_linear_evaluator().ok()?;
    let light = |sample: u16| evaluator.evaluate_value(f32::from(sample) / f32::from(largest));
    Some((0..=largest).map(light).collect())
}
