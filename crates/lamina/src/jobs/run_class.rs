//! Which runs take about as long as each other: those of one engine, over pictures of about one size, asked for as
//! many layers. Pure.

use super::{EngineKind, NumLayers};

/// What the length of a run depends on, as far as that is known before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunClass {
    pub engine: EngineKind,
    pub size: SizeClass,
    pub layers: LayersAsked,
}

/// Pictures between a number of megapixels and 1.4 times that: two classes to a doubling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SizeClass(i8);

/// How many layers were asked for; 0 where the engine was left to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayersAsked(pub u8);

impl SizeClass {
    /// The class of a picture. Those below 1/64 of a megapixel are one, and those above 90.
    #[must_use]
    pub fn of(width: u32, height: u32) -> Self {
        let megapixels = f64::from(width) * f64::from(height) / f64::from(1 << 20);
        let doublings = megapixels.max(f64::MIN_POSITIVE).log2();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is between the two bounds"
        )]
        Self((2.0 * doublings).floor().clamp(-12.0, 13.0) as i8)
    }

    /// Pictures of the class have less, in megapixels of 1024².
    #[must_use]
    pub fn below_megapixels(self) -> f64 {
        (f64::from(self.0 + 1) / 2.0).exp2()
    }

    /// By how many doublings the pictures of another class are larger; negative where they are smaller.
    #[must_use]
    pub fn doublings_to(self, other: Self) -> f64 {
        f64::from(other.0 - self.0) / 2.0
    }
}

impl From<Option<NumLayers>> for LayersAsked {
    fn from(asked: Option<NumLayers>) -> Self {
        match asked {
            Some(NumLayers::Count(count)) => Self(count),
            Some(NumLayers::Auto) | None => Self(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_about_one_size_are_one_class() {
        let square = SizeClass::of(1024, 1024);
        assert_eq!(square, SizeClass::of(1080, 1080));
        assert_eq!(square, SizeClass::of(1280, 1024));
        assert_ne!(square, SizeClass::of(1023, 1024));
        assert_ne!(square, SizeClass::of(1920, 1080));
        assert!((square.below_megapixels() - std::f64::consts::SQRT_2).abs() < 1e-9);
        assert!((square.doublings_to(SizeClass::of(2048, 2048)) - 2.0).abs() < 1e-9);
        for odd in [(0, 0), (1, 1), (u32::MAX, u32::MAX)] {
            let below = SizeClass::of(odd.0, odd.1).below_megapixels();
            assert!((0.01..200.0).contains(&below), "{odd:?}");
        }
    }
}
