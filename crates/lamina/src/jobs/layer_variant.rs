//! Variants of a layer's file beside the one that is stored: cut to what shows, as WebP, smaller. There are few of a layer, so that links may ask
//! for any of them and nobody can make many: widths come in steps, and what would be the layer itself is no variant.

use image_intake::{BoundingBox, MediaType};

use super::Layer;

/// Widths that are made, in pixels; one that is asked for is rounded up to one of these, or is the layer's own.
const VARIANT_WIDTHS: [u32; 5] = [128, 256, 512, 1024, 2048];
/// The longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 256;

/// How large a variant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariantSize {
    /// As large as what it shows.
    Whole,
    /// So many pixels wide, one of the steps.
    Width(u32),
    /// No side longer than 256 pixels.
    Thumbnail,
}

/// A variant of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerVariant {
    /// Cut to the layer's `bbox`.
    pub trim: bool,
    pub size: VariantSize,
    /// PNG, or WebP without loss.
    pub format: MediaType,
}

/// What a link asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedVariant {
    pub trim: bool,
    /// The layer's own format without it.
    pub format: Option<MediaType>,
    /// At least so many pixels, where the layer has them.
    pub width: Option<u32>,
}

impl LayerVariant {
    /// What lists of layers show.
    pub const THUMBNAIL: Self = Self {
        trim: false,
        size: VariantSize::Thumbnail,
        format: MediaType::WebP,
    };

    /// Its name beside others of the layer: `trim.w512.webp`.
    #[must_use]
    pub fn name(&self) -> String {
        let trim = if self.trim { "trim." } else { "" };
        let size = match self.size {
            VariantSize::Whole => "whole.".to_owned(),
            VariantSize::Width(width) => format!("w{width}."),
            VariantSize::Thumbnail => "thumbnail.".to_owned(),
        };
        format!("{trim}{size}{}", self.format.extension())
    }

    /// The variant of a name. Other spellings of it may give one too: compare with [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (words, extension) = name.rsplit_once('.')?;
        let mut variant = Self {
            trim: false,
            size: VariantSize::Whole,
            format: MediaType::from_extension(extension)?,
        };
        for word in words.split('.') {
            match word {
                "trim" => variant.trim = true,
                "whole" => variant.size = VariantSize::Whole,
                "thumbnail" => variant.size = VariantSize::Thumbnail,
                word => {
                    let width = word.strip_prefix('w')?.parse().ok()?;
                    variant.size = VariantSize::Width(
                        Some(width).filter(|width| VARIANT_WIDTHS.contains(width))?,
                    );
                }
            }
        }
        matches!(variant.format, MediaType::Png | MediaType::WebP).then_some(variant)
    }

    /// What it shows of the layer's canvas. Of an empty layer that is cut to what shows, one pixel.
    #[must_use]
    pub fn part(&self, layer: &Layer) -> BoundingBox {
        let (width, height) = if self.trim {
            (1, 1)
        } else {
            (layer.width, layer.height)
        };
        let found = layer.bbox.filter(|_| self.trim);
        found.unwrap_or(BoundingBox {
            x: 0,
            y: 0,
            width,
            height,
        })
    }

    /// Its width and height in pixels: those of the part, or smaller in the same proportions.
    #[must_use]
    pub fn pixels(&self, layer: &Layer) -> (u32, u32) {
        let part = self.part(layer);
        let longest = part.width.max(part.height);
        let (of, to) = match self.size {
            VariantSize::Whole => return (part.width, part.height),
            VariantSize::Width(width) => (part.width, width.min(part.width)),
            VariantSize::Thumbnail => (longest, THUMBNAIL_SIDE.min(longest)),
        };
        let scaled = |side: u32| {
            let scaled =
                (u64::from(side) * u64::from(to) + u64::from(of) / 2) / u64::from(of.max(1));
            u32::try_from(scaled).unwrap_or(side).clamp(1, side.max(1))
        };
        (scaled(part.width), scaled(part.height))
    }
}

impl AskedVariant {
    /// The variant of this layer that is meant; none where that is the layer as it is stored.
    #[must_use]
    pub fn on(&self, layer: &Layer) -> Option<LayerVariant> {
        let whole = (layer.width, layer.height);
        let mut variant = LayerVariant {
            trim: self.trim,
            size: VariantSize::Whole,
            format: self.format.unwrap_or(layer.media_type),
        };
        let part = variant.part(layer);
        variant.trim = (part.width, part.height) != whole;
        let step = self
            .width
            .and_then(|width| VARIANT_WIDTHS.into_iter().find(|step| *step >= width));
        if let Some(step) = step.filter(|step| *step < part.width) {
            variant.size = VariantSize::Width(step);
        }
        let is_stored = !variant.trim
            && variant.size == VariantSize::Whole
            && variant.format == layer.media_type;
        (!is_stored).then_some(variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::LayerLabels;

    fn layer(bbox: Option<(u32, u32, u32, u32)>) -> Layer {
        Layer {
            order: 0,
            file: 0,
            labels: LayerLabels::default(),
            media_type: MediaType::Png,
            width: 1000,
            height: 500,
            bytes: 1,
            sha256: String::new(),
            bbox: bbox.map(|(x, y, width, height)| BoundingBox {
                x,
                y,
                width,
                height,
            }),
            coverage: 0.5,
            thumbhash: None,
            fidelity_bytes: None,
        }
    }

    #[test]
    fn every_variant_comes_back_from_its_name() {
        let sizes = VARIANT_WIDTHS.map(VariantSize::Width);
        let sizes = sizes
            .into_iter()
            .chain([VariantSize::Whole, VariantSize::Thumbnail]);
        for size in sizes {
            for (trim, format) in [(false, MediaType::Png), (true, MediaType::WebP)] {
                let variant = LayerVariant { trim, size, format };
                assert_eq!(
                    LayerVariant::parse(&variant.name()),
                    Some(variant),
                    "{}",
                    variant.name()
                );
            }
        }
        for odd in [
            "",
            "jpg",
            "png",
            "whole.gif",
            ".webp",
            "w300.png",
            "w.png",
            "w-1.png",
            "x.png",
            "w99999999999.png",
        ] {
            assert_eq!(LayerVariant::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_width_is_rounded_up_to_a_step_and_never_larger_than_what_is_shown() {
        let layer = layer(Some((10, 20, 600, 300)));
        let pixels = |trim, width| {
            let asked = AskedVariant {
                trim,
                width: Some(width),
                format: None,
            };
            asked.on(&layer).map(|variant| variant.pixels(&layer))
        };
        for (trim, width, expected) in [
            (false, 1, Some((128, 64))),
            (false, 128, Some((128, 64))),
            (false, 129, Some((256, 128))),
            (false, 600, None),
            (false, 1000, None),
            (false, 9999, None),
            (true, 500, Some((512, 256))),
            (true, 513, Some((600, 300))),
            (true, 2048, Some((600, 300))),
        ] {
            assert_eq!(pixels(trim, width), expected, "{trim} {width}");
        }
    }

    #[test]
    fn what_would_be_the_layer_itself_is_no_variant() {
        let full = layer(Some((0, 0, 1000, 500)));
        let webp = AskedVariant {
            format: Some(MediaType::WebP),
            ..AskedVariant::default()
        };
        let trim = AskedVariant {
            trim: true,
            ..AskedVariant::default()
        };
        assert_eq!(AskedVariant::default().on(&full), None);
        assert_eq!(trim.on(&full), None);
        assert_eq!(
            AskedVariant {
                format: Some(MediaType::Png),
                ..trim
            }
            .on(&full),
            None
        );
        let found = AskedVariant { trim: true, ..webp }.on(&full).unwrap();
        assert_eq!(found.name(), "whole.webp");
        assert_eq!(found.pixels(&full), (1000, 500));
        let stored_so = Layer {
            media_type: MediaType::WebP,
            ..full
        };
        assert_eq!(webp.on(&stored_so), None);
    }

    #[test]
    fn an_empty_layer_is_cut_to_one_pixel() {
        let empty = layer(None);
        let variant = AskedVariant {
            trim: true,
            width: Some(128),
            format: None,
        }
        .on(&empty)
        .unwrap();
        assert_eq!(
            (variant.name(), variant.pixels(&empty)),
            ("trim.whole.png".to_owned(), (1, 1))
        );
    }

    #[test]
    fn a_thumbnail_fits_into_its_square_and_small_layers_stay() {
        let mut layer = layer(None);
        assert_eq!(LayerVariant::THUMBNAIL.pixels(&layer), (256, 128));
        (layer.width, layer.height) = (5000, 1);
        assert_eq!(LayerVariant::THUMBNAIL.pixels(&layer), (256, 1));
        (layer.width, layer.height) = (31, 200);
        assert_eq!(LayerVariant::THUMBNAIL.pixels(&layer), (31, 200));
    }

    /// What bounds how many can be made of a layer by whoever has its link.
    #[test]
    fn a_layer_has_few_variants() {
        let layer = Layer {
            width: 16_384,
            height: 9,
            ..layer(Some((1, 1, 16_000, 7)))
        };
        let mut names = std::collections::BTreeSet::new();
        for width in 0..20_000 {
            for trim in [false, true] {
                for format in [None, Some(MediaType::Png), Some(MediaType::WebP)] {
                    let asked = AskedVariant {
                        trim,
                        format,
                        width: Some(width).filter(|width| *width > 0),
                    };
                    names.extend(asked.on(&layer).map(|variant| variant.name()));
                }
            }
        }
        assert_eq!(names.len(), 23);
    }
}
