//! HDR to sRGB: PQ and HLG (ITU-R BT.2100-2), told by code points of ITU-T H.273.
//!
//! Reference white (203 cd/m², ITU-R BT.2408, 3) becomes white and everything below it keeps its brightness to the eye;
//! what is brighter keeps its hue and is brought down to the brightest that sRGB has. Brilliance is lost, tone is not.

use super::light::{Matrix, SrgbCurve, through};

/// The light of reference white in cd/m².
const REFERENCE_WHITE: f32 = 203.0;
/// The peak of the nominal display of HLG in cd/m², and the gamma of its system.
const HLG_PEAK: f32 = 1000.0;
const HLG_GAMMA: f32 = 1.2;
const PQ: u8 = 16;
const HLG: u8 = 18;

/// Linear BT.2020 to linear sRGB (ITU-R BT.2087, 4).
const FROM_2020: Matrix = [
    [1.660_491, -0.587_641, -0.072_850],
    [-0.124_550, 1.132_9, -0.008_349],
    [-0.018_151, -0.100_579, 1.118_73],
];
/// Linear Display P3 to linear sRGB (SMPTE EG 432-1 primaries, D65).
const FROM_P3: Matrix = [
    [1.224_94, -0.224_940, 0.0],
    [-0.042_057, 1.042_057, 0.0],
    [-0.019_638, -0.078_636, 1.098_274],
];
const FROM_709: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// One kind of HDR signal.
pub(super) struct HighRange {
    is_hlg: bool,
    /// Samples use the narrow range of video.
    narrow: bool,
    to_srgb: Matrix,
    luminance: [f32; 3],
}

/// A conversion of samples up to a largest one.
pub(super) struct Mapping<'a> {
    range: &'a HighRange,
    /// By sample: the light in multiples of reference white, of HLG before its system's gamma.
    light: Vec<f32>,
    srgb: SrgbCurve,
}

impl HighRange {
    /// `None` unless these are PQ or HLG in RGB with primaries that are in use.
    pub(super) fn from_code_points(code_points: [u8; 4]) -> Option<Self> {
        let [primaries, transfer, matrix, full_range] = code_points;
        if !matches!(transfer, PQ | HLG) || matrix != 0 {
            return None;
        }
        let (to_srgb, luminance) = match primaries {
            1 => (FROM_709, [0.2126, 0.7152, 0.0722]),
            9 => (FROM_2020, [0.2627, 0.6780, 0.0593]),
            12 => (FROM_P3, [0.2290, 0.6917, 0.0793]),
            _ => return None,
        };
        Some(Self {
            is_hlg: transfer == HLG,
            narrow: full_range == 0,
            to_srgb,
            luminance,
        })
    }

    /// Ready for samples from 0 to `largest`.
    pub(super) fn mapping(&self, largest: u16) -> Mapping<'_> {
        let signal = |sample: u16| {
            let signal = f32::from(sample) / f32::from(largest);
            if self.narrow {
                ((signal * 255.0 - 16.0) / 219.0).clamp(0.0, 1.0)
            } else {
                signal
            }
        };
        let light = |signal: f32| {
            if self.is_hlg {
                scene_light(signal)
            } else {
                pq_light(signal) / REFERENCE_WHITE
            }
        };
        Mapping {
            range: self,
            light: (0..=largest).map(|sample| light(signal(sample))).collect(),
            srgb: SrgbCurve::new(),
        }
    }
}

impl Mapping<'_> {
    /// One pixel's colours.
    pub(super) fn map(&self, samples: [u16; 3]) -> [u8; 3] {
        let mut light = samples.map(|sample| self.light[usize::from(sample)]);
        if self.range.is_hlg {
            let [red, green, blue] = self.range.luminance;
            let scene = red * light[0] + green * light[1] + blue * light[2];
            let gain = HLG_PEAK * scene.powf(HLG_GAMMA - 1.0) / REFERENCE_WHITE;
            light = light.map(|light| light * gain);
        }
        let light = through(&self.range.to_srgb, light);
        let brightest = light.iter().copied().fold(1.0, f32::max);
        light.map(|light| self.srgb.sample(light / brightest))
    }
}

/// PQ's electro-optical transfer function in cd/m² (BT.2100, table 4).
fn pq_light(signal: f32) -> f32 {
    const M1: f32 = 2610.0 / 16384.0;
    const M2: f32 = 2523.0 / 4096.0 * 128.0;
    const C1: f32 = 3424.0 / 4096.0;
    const C2: f32 = 2413.0 / 4096.0 * 32.0;
    const C3: f32 = 2392.0 / 4096.0 * 32.0;
    let power = signal.powf(1.0 / M2);
    10_000.0 * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

/// HLG's inverse opto-electronic transfer function, from 0 to 1 (BT.2100, table 5).
fn scene_light(signal: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 1.0 - 4.0 * A;
    const C: f32 = 0.559_910_7;
    if signal <= 0.5 {
        signal * signal / 3.0
    } else {
        (((signal - C) / A).exp() + B) / 12.0
    }
}
