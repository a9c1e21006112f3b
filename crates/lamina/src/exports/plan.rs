//! What an export is to be: the format, the stack that its file shows, its name and its tag.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use layer_formats::{Bounds, Format, Node, Stack, name};

use super::stored::background_source;
use crate::jobs::{Arrangement, Crop, FieldError, FlatFormat, JobId, Layer, PlacedLayer};

/// Counted up when a writer's bytes change, so that no client keeps parts of two files for one.
const REVISION: u32 = 1;
/// What a file is called whose job nobody named.
const UNNAMED: &str = "layers";
/// What is not known of a picture: that of a screen.
const PIXELS_PER_INCH: f64 = 72.0;

/// An export.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) kind: Kind,
    /// What it shows; sources are places in the job's layers.
    pub(super) stack: Stack,
    /// The colour of the layer below all, if there is one.
    pub(super) background: Option<[u8; 3]>,
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
        let stack = stack_of(layers, title);
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
        stack: Stack,
        background: Option<[u8; 3]>,
        job: JobId,
        layers: &[Layer],
    ) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let mut text = format!("{version} {REVISION} {job} {kind:?} {stack:?} {background:?}");
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

    /// What writing holds in megapixels of four bytes: the whole and one layer, as the format stores them.
    #[must_use]
    pub fn cost_megapixels(&self) -> u32 {
        let pixels = u64::from(self.stack.width) * u64::from(self.stack.height);
        let held = match self.kind {
            Kind::Layers(Format::Psd | Format::OpenRaster) => 2 * pixels,
            Kind::Layers(Format::Pptx | Format::Svg | Format::Zip) => pixels,
            Kind::Flat(FlatFormat::Png, None) => 1,
            // The picture, a smaller or a turned one, and its file.
            Kind::Flat(..) => 3 * pixels,
        };
        u32::try_from(held.div_ceil(1_000_000)).unwrap_or(u32::MAX)
    }

    /// Bytes that the file may have, from what its layers' files have: pixels as they are where a format hardly compresses.
    #[must_use]
    pub fn most_bytes(&self, layer_bytes: u64) -> u64 {
        let area = |bounds: Bounds| u64::from(bounds.width) * u64::from(bounds.height);
        let layers = self.stack.layers();
        let pixels: u64 = layers.iter().map(|layer| area(layer.bounds)).sum();
        let canvas = u64::from(self.stack.width) * u64::from(self.stack.height);
        let text = 1 << 16;
        match self.kind {
            Kind::Layers(Format::Psd) => (pixels + canvas) * 4 * 129 / 128 + text,
            Kind::Layers(Format::Zip) => layer_bytes.saturating_mul(2) + text,
            Kind::Layers(Format::OpenRaster | Format::Pptx | Format::Svg) => {
                layer_bytes.saturating_mul(2) + canvas * 4 + text
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
            Kind::Layers(Format::Zip | Format::OpenRaster | Format::Pptx) => u64::from(u32::MAX),
            Kind::Layers(Format::Psd | Format::Svg) | Kind::Flat(..) => u64::MAX,
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

fn stack_of(layers: &[Layer], title: Option<&str>) -> Stack {
    let nodes = layers.iter().enumerate();
    Stack {
        width: layers.iter().map(|layer| layer.width).max().unwrap_or(1),
        height: layers.iter().map(|layer| layer.height).max().unwrap_or(1),
        pixels_per_inch: PIXELS_PER_INCH,
        title: name::shown(title.unwrap_or_default(), UNNAMED),
        nodes: nodes
            .map(|(place, layer)| Node::Layer(of_layer(place, layer)))
            .collect(),
    }
}

fn of_layer(place: usize, layer: &Layer) -> layer_formats::Layer {
    let labels = &layer.labels;
    let bounds = layer.bbox.map_or_else(Bounds::default, |found| {
        Bounds::new(signed(found.x), signed(found.y), found.width, found.height)
    });
    let kind = labels.kind.as_deref();
    let named = labels.name.as_deref().or(kind).unwrap_or_default();
    let mut shown = layer_formats::Layer::new(place, named, bounds);
    shown.id = format!("layer_{}", layer.order);
    shown.kind.clone_from(&labels.kind);
    shown.text.clone_from(&labels.text);
    shown
}

/// A place on a canvas. No side is longer than `Limits` lets in.
fn signed(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn arranged(
    layers: &[Layer],
    title: Option<&str>,
    arrangement: &Arrangement,
) -> Result<Stack, Vec<FieldError>> {
    let mut stack = stack_of(layers, title);
    let mut errors = Vec::new();
    if let Some(placed) = &arrangement.layers {
        stack.nodes.clear();
        for (entry, placed) in placed.iter().enumerate() {
            match placed_layer(layers, placed) {
                Some(layer) => stack.nodes.push(Node::Layer(layer)),
                None => errors.push(FieldError {
                    pointer: format!("/layers/{entry}/id"),
                    detail: format!(
                        "This job has no layer_{}; it has {} layers, from layer_0 on.",
                        placed.order,
                        layers.len()
                    ),
                }),
            }
        }
    }
    if arrangement.background.is_some() {
        let bounds = Bounds::new(0, 0, stack.width, stack.height);
        let mut ground = layer_formats::Layer::new(background_source(layers), "Background", bounds);
        ground.id = "background".to_owned();
        stack.nodes.insert(0, Node::Layer(ground));
    }
    if let Some(crop) = arrangement.crop {
        errors.extend(cropped(&mut stack, crop));
    }
    if errors.is_empty() {
        Ok(stack)
    } else {
        Err(errors)
    }
}

fn placed_layer(layers: &[Layer], placed: &PlacedLayer) -> Option<layer_formats::Layer> {
    let place = layers
        .iter()
        .position(|layer| layer.order == placed.order)?;
    let mut layer = of_layer(place, &layers[place]);
    layer.bounds.x += placed.offset.0;
    layer.bounds.y += placed.offset.1;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is 0 to 255"
    )]
    let opacity = (placed.opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    layer.opacity = opacity;
    layer.visible = placed.visible;
    Some(layer)
}

/// The canvas becomes the part that is kept; layers stay whole.
fn cropped(stack: &mut Stack, crop: Crop) -> Option<FieldError> {
    let inside = |at: u32, length: u32, all: u32| at.saturating_add(length) <= all;
    if !inside(crop.x, crop.width, stack.width) || !inside(crop.y, crop.height, stack.height) {
        return Some(FieldError {
            pointer: "/crop".to_owned(),
            detail: format!(
                "It reaches beyond the canvas of {} × {} pixels.",
                stack.width, stack.height
            ),
        });
    }
    (stack.width, stack.height) = (crop.width, crop.height);
    for node in &mut stack.nodes {
        if let Node::Layer(layer) = node {
            layer.bounds.x -= signed(crop.x);
            layer.bounds.y -= signed(crop.y);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{BoundingBox, LayerLabels, MediaType, UnixMs};

    fn layer(order: u32) -> Layer {
        Layer {
            order,
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
