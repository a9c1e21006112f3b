//! What an export is to be: the format, the stack that its file shows, its name and its tag.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use layer_formats::{Bounds, Format, Stack, gif, name};

use super::arranged::{Scaled, arranged, stack_of};
use crate::jobs::{Arrangement, FieldError, FlatFormat, JobId, Layer, MediaType};

/// Counted up when a writer's bytes change, so that no client keeps parts of two files for one.
const REVISION: u32 = 1;
/// Of all frames of an animation, which are held at once, and one layer in their size.
const GIF_PIXELS: u64 = (gif::FRAMES as u64 + 8) * (gif::SIDE as u64).pow(2);
/// What a file is called whose job nobody named.
pub(super) const UNNAMED: &str = "layers";

/// An export.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) kind: Kind,
    /// What it shows; sources are places in the job's layers.
    pub(super) stack: Stack,
    /// The colour of the layer below all, if there is one.
    pub(super) background: Option<[u8; 3]>,
    /// Layers that are drawn in another size than their own, as sources behind the background's.
    pub(super) scaled: Vec<Scaled>,
    tag: String,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file of layers.
    Layers(Format),
    /// One picture, at most so long at a side.
    Flat(FlatFormat, Option<u32>),
}

impl Plan {
    /// All layers of a job as they are, under a title that a caller may have given.
    #[must_use]
    pub fn whole(job: JobId, layers: &[Layer], format: Format, title: Option<&str>) -> Self {
        let stack = (stack_of(layers, title), Vec::new());
        Self::new(Kind::Layers(format), stack, None, job, layers)
    }

    /// The layers as somebody arranged them.
    ///
    /// # Errors
    /// What of the arrangement this job does not have.
    pub fn arranged(
        job: JobId,
        layers: &[Layer],
        format: Format,
        title: Option<&str>,
        arrangement: &Arrangement,
    ) -> Result<Self, Vec<FieldError>> {
        let stack = arranged(layers, title, arrangement)?;
        let background = arrangement.background;
        Ok(Self::new(
            Kind::Layers(format),
            stack,
            background,
            job,
            layers,
        ))
    }

    /// The same as one picture without layers, in the arrangement's own format.
    ///
    /// # Errors
    /// As [`Self::arranged`].
    pub fn flat(
        job: JobId,
        layers: &[Layer],
        title: Option<&str>,
        arrangement: &Arrangement,
    ) -> Result<Self, Vec<FieldError>> {
        let stack = arranged(layers, title, arrangement)?;
        let kind = Kind::Flat(arrangement.format, arrangement.max_side);
        Ok(Self::new(kind, stack, arrangement.background, job, layers))
    }

    fn new(
        kind: Kind,
        (stack, scaled): (Stack, Vec<Scaled>),
        background: Option<[u8; 3]>,
        job: JobId,
        layers: &[Layer],
    ) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let mut text =
            format!("{version} {REVISION} {job} {kind:?} {stack:?} {background:?} {scaled:?}");
        for layer in layers {
            // Writing to a string does not fail.
            let _ = write!(text, " {}", layer.sha256);
        }
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let tag = format!(
            "\"{}-{}\"",
            kind.word(),
            const_hex::encode(&hash.as_ref()[..16])
        );
        Self {
            kind,
            stack,
            background,
            scaled,
            tag,
        }
    }

    /// A strong entity tag: tied to everything that the bytes depend on.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The word of its format.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.kind.word()
    }

    /// The file's name without its ending, safe everywhere.
    #[must_use]
    pub fn file_stem(&self) -> String {
        name::file_stem(&self.stack.title, UNNAMED)
    }

    /// The ending, without a dot.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        match self.kind {
            Kind::Layers(format) => format.extension(&self.stack),
            Kind::Flat(FlatFormat::Jpeg, _) => "jpg",
            Kind::Flat(format, _) => format.word(),
        }
    }

    /// The file's type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.kind {
            Kind::Layers(format) => format.media_type(&self.stack),
            Kind::Flat(format, _) => format.mime(),
        }
    }

    /// What writing holds in megapixels of four bytes: the whole and one layer, as the format stores them, and those of the job's
    /// layers that are not read row by row.
    #[must_use]
    pub fn cost_megapixels(&self, layers: &[Layer]) -> u32 {
        let pixels = u64::from(self.stack.width) * u64::from(self.stack.height);
        let held = match self.kind {
            Kind::Layers(Format::Psd | Format::OpenRaster) => 2 * pixels,
            Kind::Layers(Format::Pptx | Format::Svg | Format::Zip | Format::Tiff) => pixels,
            Kind::Layers(Format::Gif) => GIF_PIXELS,
            Kind::Flat(FlatFormat::Png, None) => 1,
            // The picture, a smaller or a turned one, and its file.
            Kind::Flat(..) => 3 * pixels,
        };
        // They may all be open at once, and each is made of its own size.
        let scaled = self.scaled.iter().map(|scaled| scaled.pixels() * 2);
        let decoded = layers
            .iter()
            .filter(|layer| layer.media_type != MediaType::Png);
        let decoded = decoded.map(|layer| u64::from(layer.width) * u64::from(layer.height) * 2);
        let held = held + scaled.sum::<u64>() + decoded.sum::<u64>();
        u32::try_from(held.div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    /// Bytes that the file may have, from what its layers' files have: pixels as they are where a format hardly compresses.
    #[must_use]
    pub fn most_bytes(&self, layer_bytes: u64) -> u64 {
        let area = |bounds: Bounds| u64::from(bounds.width) * u64::from(bounds.height);
        let layers = self.stack.layers();
        let pixels: u64 = layers.iter().map(|layer| area(layer.bounds)).sum();
        let canvas = u64::from(self.stack.width) * u64::from(self.stack.height);
        let scaled = self.scaled.iter().map(|scaled| scaled.pixels() * 4);
        let (scaled, text) = (scaled.sum::<u64>(), 1 << 16);
        match self.kind {
            Kind::Layers(Format::Psd) => (pixels + canvas) * 4 * 129 / 128 + text,
            Kind::Layers(Format::Zip) => layer_bytes.saturating_mul(2) + scaled + text,
            // Hardly compressed pixels, and tags.
            Kind::Layers(Format::Tiff) => {
                pixels * 4 * 129 / 128 + layers.len() as u64 * 4096 + text
            }
            Kind::Layers(Format::Gif) => GIF_PIXELS * 2 + text,
            Kind::Layers(Format::OpenRaster | Format::Pptx | Format::Svg) => {
                layer_bytes.saturating_mul(2) + scaled + canvas * 4 + text
            }
            Kind::Flat(..) => canvas * 4 + text,
        }
    }
}

impl Plan {
    /// Whether its file may be larger than its format can be; then none is begun.
    #[must_use]
    pub fn is_too_large(&self, layer_bytes: u64) -> bool {
        let most = match self.kind {
            Kind::Layers(Format::Psd) if self.extension() == "psd" => i32::MAX as u64,
            Kind::Layers(Format::Zip | Format::OpenRaster | Format::Pptx | Format::Tiff) => {
                u64::from(u32::MAX)
            }
            Kind::Layers(Format::Psd | Format::Svg | Format::Gif) | Kind::Flat(..) => u64::MAX,
        };
        self.most_bytes(layer_bytes) > most
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Layers(format) => format.word(),
            Self::Flat(format, _) => format.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{BoundingBox, LayerLabels, UnixMs};

    fn layer(order: u32) -> Layer {
        Layer {
            order,
            file: order,
            labels: LayerLabels::default(),
            media_type: MediaType::Png,
            width: 40,
            height: 30,
            bytes: 100,
            sha256: format!("{order:064}"),
            bbox: Some(BoundingBox {
                x: 1,
                y: 2,
                width: 3,
                height: 4,
            }),
            coverage: 0.5,
            thumbhash: None,
            fidelity_bytes: None,
        }
    }

    #[test]
    fn a_tag_changes_with_all_that_the_bytes_depend_on_and_with_nothing_else() {
        let job = JobId::new(UnixMs(7));
        let layers = [layer(0), layer(1)];
        let of = |layers: &[Layer], format, title| Plan::whole(job, layers, format, title).tag;
        let first = of(&layers, Format::Psd, None);
        assert_eq!(first, of(&layers, Format::Psd, None));
        assert_eq!(first, of(&layers, Format::Psd, Some(" \u{202e}\0")));
        let mut other = layers.clone();
        other[1].sha256 = "ff".to_owned();
        let mut named = layers.clone();
        named[0].labels.name = Some("Sky".to_owned());
        for changed in [
            of(&layers, Format::Zip, None),
            of(&layers, Format::Psd, Some("Title")),
            of(&other, Format::Psd, None),
            of(&named, Format::Psd, None),
            Plan::whole(JobId::new(UnixMs(8)), &layers, Format::Psd, None).tag,
        ] {
            assert_ne!(first, changed);
        }
    }

    #[test]
    fn a_layer_is_called_by_its_name_or_what_it_is() {
        let mut kinds = [layer(0), layer(1), layer(2)];
        kinds[0].labels.name = Some("Sky".to_owned());
        kinds[0].labels.kind = Some("background".to_owned());
        kinds[1].labels.kind = Some("text".to_owned());
        kinds[2].bbox = None;
        let plan = Plan::whole(JobId::new(UnixMs(7)), &kinds, Format::Psd, None);
        let names: Vec<_> = plan
            .stack
            .layers()
            .iter()
            .map(|layer| layer.name.clone())
            .collect();
        assert_eq!(names, ["Sky", "text", ""]);
        assert!(plan.stack.layers()[2].bounds.is_empty());
        assert_eq!(plan.file_stem(), "layers");
    }
}
