//! Colour tags and what they mean: from the bytes of a profile to a usable one, or to none.
//!
//! Changes no pixel. A tag that is damaged, that fits no picture or that says sRGB in other words
//! counts as sRGB, which is also what an untagged picture is taken for, as browsers do.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    Layout, MatrixCoefficients, ParsingOptions, ToneReprCurve, TransferCharacteristics,
    TransformOptions, XyY,
};

use super::container::Samples;
use super::hdr::HighRange;

/// Larger profiles are ignored. The profiles of printing presses, the largest in use, have 0.5 to
/// 2.5 MB.
pub(super) const MAX_PROFILE_BYTES: usize = 4 * 1024 * 1024;

/// What a file says about its colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColourTag {
    /// Nothing, or sRGB.
    Srgb,
    /// An ICC profile.
    Icc(Vec<u8>),
    /// PNG cICP: primaries, transfer, matrix and range of ITU-T H.273.
    Cicp([u8; 4]),
    /// PNG gAMA (× 100,000) and cHRM (white, red, green, blue as x and y × 100,000).
    Gamma {
        gamma: u32,
        chroma: Option<[u32; 8]>,
    },
}

/// What has to be done to reach sRGB.
pub(super) enum Conversion {
    /// Colours of an ordinary range.
    Profile(Box<ColorProfile>),
    /// Light of a larger range than a screen's white.
    HighRange(HighRange),
}

impl ColourTag {
    /// How to convert to sRGB; `None` when the pixels are to be taken as sRGB.
    pub(super) fn conversion(&self, samples: Samples) -> Option<Conversion> {
        if let Self::Cicp(code_points) = self
            && let Some(range) = HighRange::from_code_points(*code_points)
        {
            return Some(Conversion::HighRange(range));
        }
        let profile = self.profile(samples)?;
        // A profile says by the same code points that its curves are those of PQ or HLG (ICC.1:2022, 9.2.17).
        let high = profile.cicp.as_ref().and_then(|cicp| {
            HighRange::from_code_points([
                cicp.color_primaries as u8,
                cicp.transfer_characteristics as u8,
                0,
                1,
            ])
        });
        Some(high.map_or_else(
            || Conversion::Profile(Box::new(profile)),
            Conversion::HighRange,
        ))
    }

    /// Whether the tag tells how colours of such samples are meant, and be it as sRGB. What tells nothing leaves the word to
    /// the next tag in order.
    pub(super) fn is_usable(&self, samples: Samples) -> bool {
        match self {
            Self::Srgb => true,
            Self::Cicp(points) if HighRange::from_code_points(*points).is_some() => true,
            Self::Icc(_) | Self::Cicp(_) | Self::Gamma { .. } => self.fitting(samples).is_some(),
        }
    }

    fn profile(&self, samples: Samples) -> Option<ColorProfile> {
        self.fitting(samples).filter(|profile| !is_srgb(profile))
    }

    fn fitting(&self, samples: Samples) -> Option<ColorProfile> {
        let profile = match self {
            Self::Srgb => None,
            Self::Icc(bytes) => ColorProfile::new_from_slice_with_options(
                bytes,
                ParsingOptions {
                    max_profile_size: MAX_PROFILE_BYTES + 1,
                    ..ParsingOptions::default()
                },
            )
            .ok(),
            Self::Cicp(code_points) => from_code_points(*code_points),
            Self::Gamma { gamma, chroma } => from_gamma(*gamma, chroma.as_ref()),
        }?;
        let fits = match profile.color_space {
            DataColorSpace::Rgb => samples != Samples::Cmyk,
            DataColorSpace::Gray => samples == Samples::Grey,
            DataColorSpace::Cmyk => samples == Samples::Cmyk,
            _ => false,
        };
        fits.then_some(profile)
    }
}

/// Whether converting from this profile would change nothing that can be seen: no colour of a
/// 9 × 9 × 9 grid moves by more than two of 255 levels.
fn is_srgb(profile: &ColorProfile) -> bool {
    const STEPS: u32 = 9;
    if profile.color_space != DataColorSpace::Rgb {
        return false;
    }
    let Ok(transform) = profile.create_transform_8bit(
        Layout::Rgb,
        &ColorProfile::new_srgb(),
        Layout::Rgb,
        TransformOptions::default(),
    ) else {
        // What cannot be converted from is taken as sRGB.
        return true;
    };
    let level = |index: u32| (index % STEPS * 255 / (STEPS - 1)) as u8;
    let probe: Vec<u8> = (0..STEPS.pow(3))
        .flat_map(|index| {
            [
                level(index),
                level(index / STEPS),
                level(index / STEPS / STEPS),
            ]
        })
        .collect();
    let mut converted = vec![0; probe.len()];
    transform.transform(&probe, &mut converted).is_err()
        || probe
            .iter()
            .zip(&converted)
            .all(|(before, after)| before.abs_diff(*after) <= 2)
}

fn from_code_points(code_points: [u8; 4]) -> Option<ColorProfile> {
    let [primaries, transfer, matrix, full_range] = code_points;
    // PNG allows RGB (matrix 0) only; the narrow range of video is told by nothing else than high range.
    if matrix != 0 || full_range != 1 {
        return None;
    }
    let cicp = CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let profile = ColorProfile::new_from_cicp(cicp);
    profile.red_trc.is_some().then_some(profile)
}

fn from_gamma(gamma: u32, chroma: Option<&[u32; 8]>) -> Option<ColorProfile> {
    // 1/2.2 is what writers mean by sRGB; the curves differ slightly, the intent does not.
    let is_srgb_gamma = gamma.abs_diff(45_455) <= 500;
    if gamma == 0 || (is_srgb_gamma && chroma.is_none()) {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    if !is_srgb_gamma {
        let exponent = 100_000.0 / gamma as f32;
        if !(0.2..=20.0).contains(&exponent) {
            return None;
        }
        let curve = ToneReprCurve::Parametric(vec![exponent]);
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    if let Some(chroma) = chroma {
        let scaled = chroma.map(|value| f64::from(value) / 100_000.0);
        let [
            white_x,
            white_y,
            red_x,
            red_y,
            green_x,
            green_y,
            blue_x,
            blue_y,
        ] = scaled;
        // A zero or a value outside the diagram would make the matrix meaningless.
        if scaled.iter().any(|value| !(0.0..=1.0).contains(value)) || white_y < 0.01 {
            return None;
        }
        let point = |x: f64, y: f64| Chromaticity::new(x as f32, y as f32);
        profile.update_rgb_colorimetry(
            XyY {
                x: white_x,
                y: white_y,
                yb: 1.0,
            },
            ColorPrimaries {
                red: point(red_x, red_y),
                green: point(green_x, green_y),
                blue: point(blue_x, blue_y),
            },
        );
        let colorants = [
            profile.red_colorant,
            profile.green_colorant,
            profile.blue_colorant,
        ];
        if colorants
            .iter()
            .any(|xyz| !(xyz.x + xyz.y + xyz.z).is_finite())
        {
            return None;
        }
    }
    Some(profile)
}
