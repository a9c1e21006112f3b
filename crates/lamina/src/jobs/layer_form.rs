//! Forms of a layer's file beside the one that is stored: cut to what shows, as WebP, smaller. There are few of a layer, so that links may ask
//! for any of them and nobody can make many: widths come in steps, and what would be the layer itself is no form.

use image_intake::{BoundingBox, MediaType};

use super::Layer;

/// Widths that are made, in pixels; one that is asked for is rounded up to one of these, or is the layer's own.
const FORM_WIDTHS: [u32; 5] = [128, 256, 512, 1024, 2048];
/// The longest side of a thumbnail, in pixels.
const THUMBNAIL_SIDE: u32 = 256;

/// How large a form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormSize {
    /// As large as what it shows.
    Whole,
    /// So many pixels wide, one of the steps.
    Width(u32),
    /// No side longer than 256 pixels.
    Thumbnail,
}

/// A form of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayerForm {
    /// Cut to the layer's `bbox`.
    pub trim: bool,
    pub size: FormSize,
    /// PNG, or WebP without loss.
    pub format: MediaType,
}

/// What a link asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedForm {
    pub trim: bool,
    /// The layer's own format without it.
    pub format: Option<MediaType>,
    /// At least so many pixels, where the layer has them.
    pub width: Option<u32>,
}

impl LayerForm {
    /// What lists of layers show.
    pub const THUMBNAIL: Self = Self {
        trim: false,
        size: FormSize::Thumbnail,
        format: MediaType::WebP,
    };

    /// Its name beside others of the layer: `trim.w512.webp`.
    #[must_use]
    pub fn name(&self) -> String {
        let trim = if self.trim { "trim." } else { "" };
        let size = match self.size {
            FormSize::Whole => "whole.".to_owned(),
            FormSize::Width(width) => format!("w{width}."),
            FormSize::Thumbnail => "thumbnail.".to_owned(),
        };
        format!("{trim}{size}{}", self.format.extension())
    }

    /// The form of a name. Other spellings of it may give one too: compare with [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (words, extension) = name.rsplit_once('.')?;
        let mut form = Self {
            trim: false,
            size: FormSize::Whole,
            format: MediaType::from_extension(extension)?,
        };
        for word in words.split('.') {
            match word {
                "trim" => form.trim = true,
                "whole" => form.size = FormSize::Whole,
                "thumbnail" => form.size = FormSize::Thumbnail,
                word => {
                    let width = word.strip_prefix('w')?.parse().ok()?;
                    form.size =
                        FormSize::Width(Some(width).filter(|width| FORM_WIDTHS.contains(width))?);
                }
            }
        }
        matches!(form.format, MediaType::Png | MediaType::WebP).then_some(form)
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
            FormSize::Whole => return (part.width, part.height),
            FormSize::Width(width) => (part.width, width.min(part.width)),
            FormSize::Thumbnail => (longest, THUMBNAIL_SIDE.min(longest)),
        };
        let scaled = |side: u32| {
            let scaled =
                (u64::from(side) * u64::from(to) + u64::from(of) / 2) / u64::from(of.max(1));
            u32::try_from(scaled).unwrap_or(side).clamp(1, side.max(1))
        };
        (scaled(part.width), scaled(part.height))
    }
}

impl AskedForm {
    /// The form of this layer that is meant; none where that is the layer as it is stored.
    #[must_use]
    pub fn on(&self, layer: &Layer) -> Option<LayerForm> {
        let whole = (layer.width, layer.height);
        let mut form = LayerForm {
            trim: self.trim,
            size: FormSize::Whole,
            format: self.format.unwrap_or(layer.media_type),
        };
        let part = form.part(layer);
        form.trim = (part.width, part.height) != whole;
        let step = self
            .width
            .and_then(|width| FORM_WIDTHS.into_iter().find(|step| *step >= width));
        if let Some(step) = step.filter(|step| *step < part.width) {
            form.size = FormSize::Width(step);
        }
        let is_stored =
            !form.trim && form.size == FormSize::Whole && form.format == layer.media_type;
        (!is_stored).then_some(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::LayerLabels;

    fn layer(bbox: Option<(u32, u32, u32, u32)>) -> Layer {
        Layer {
            order: 0,
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
        }
    }

    #[test]
    fn every_form_comes_back_from_its_name() {
        let sizes = FORM_WIDTHS.map(FormSize::Width);
        let sizes = sizes
            .into_iter()
            .chain([FormSize::Whole, FormSize::Thumbnail]);
        for size in sizes {
            for (trim, format) in [(false, MediaType::Png), (true, MediaType::WebP)] {
                let form = LayerForm { trim, size, format };
                assert_eq!(
                    LayerForm::parse(&form.name()),
                    Some(form),
                    "{}",
                    form.name()
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
            assert_eq!(LayerForm::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_width_is_rounded_up_to_a_step_and_never_larger_than_what_is_shown() {
        let layer = layer(Some((10, 20, 600, 300)));
        let pixels = |trim, width| {
            let asked = AskedForm {
                trim,
                width: Some(width),
                format: None,
            };
            asked.on(&layer).map(|form| form.pixels(&layer))
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
    fn what_would_be_the_layer_itself_is_no_form() {
        let full = layer(Some((0, 0, 1000, 500)));
        let webp = AskedForm {
            format: Some(MediaType::WebP),
            ..AskedForm::default()
        };
        let trim = AskedForm {
            trim: true,
            ..AskedForm::default()
        };
        assert_eq!(AskedForm::default().on(&full), None);
        assert_eq!(trim.on(&full), None);
        assert_eq!(
            AskedForm {
                format: Some(MediaType::Png),
                ..trim
            }
            .on(&full),
            None
        );
        let found = AskedForm { trim: true, ..webp }.on(&full).unwrap();
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
        let form = AskedForm {
            trim: true,
            width: Some(128),
            format: None,
        }
        .on(&empty)
        .unwrap();
        assert_eq!(
            (form.name(), form.pixels(&empty)),
            ("trim.whole.png".to_owned(), (1, 1))
        );
    }

    #[test]
    fn a_thumbnail_fits_into_its_square_and_small_layers_stay() {
        let mut layer = layer(None);
        assert_eq!(LayerForm::THUMBNAIL.pixels(&layer), (256, 128));
        (layer.width, layer.height) = (5000, 1);
        assert_eq!(LayerForm::THUMBNAIL.pixels(&layer), (256, 1));
        (layer.width, layer.height) = (31, 200);
        assert_eq!(LayerForm::THUMBNAIL.pixels(&layer), (31, 200));
    }

    /// What bounds how many can be made of a layer by whoever has its link.
    #[test]
    fn a_layer_has_few_forms() {
        let layer = Layer {
            width: 16_384,
            height: 9,
            ..layer(Some((1, 1, 16_000, 7)))
        };
        let mut names = std::collections::BTreeSet::new();
        for width in 0..20_000 {
            for trim in [false, true] {
                for format in [None, Some(MediaType::Png), Some(MediaType::WebP)] {
                    let asked = AskedForm {
                        trim,
                        format,
                        width: Some(width).filter(|width| *width > 0),
                    };
                    names.extend(asked.on(&layer).map(|form| form.name()));
                }
            }
        }
        assert_eq!(names.len(), 23);
    }
}
