//! A job's layers as a stack: as they are, or as somebody arranged them.

use layer_formats::{Bounds, Node, Stack, name};

use super::plan::UNNAMED;
use super::stored::background_source;
use crate::jobs::{Arrangement, Crop, FieldError, Layer, PlacedLayer};

/// Of all layers together that are drawn in another size: they are held while they are drawn.
const MOST_SCALED_PIXELS: u64 = 50_000_000;
/// What is not known of a picture: that of a screen.
const PIXELS_PER_INCH: f64 = 72.0;

/// A layer's box in another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scaled {
    /// The place of the layer.
    pub(super) source: usize,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Scaled {
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// All layers as they are, under a title that a caller may have given.
pub(super) fn stack_of(layers: &[Layer], title: Option<&str>) -> Stack {
    let nodes = layers.iter().enumerate();
    Stack {
        width: layers.iter().map(|layer| layer.width).max().unwrap_or(1),
        height: layers.iter().map(|layer| layer.height).max().unwrap_or(1),
        pixels_per_inch: PIXELS_PER_INCH,
        title: name::shown(title.unwrap_or_default(), UNNAMED),
        recipe: None,
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

/// The layers as an arrangement has them, and those that it scales; or what of it this job does not have.
pub(super) fn arranged(
    layers: &[Layer],
    title: Option<&str>,
    arrangement: &Arrangement,
) -> Result<(Stack, Vec<Scaled>), Vec<FieldError>> {
    let mut stack = stack_of(layers, title);
    stack.recipe = (*arrangement != Arrangement::default()).then(|| arrangement.to_json());
    let (mut errors, mut scaled) = (Vec::new(), Vec::new());
    if let Some(placed) = &arrangement.layers {
        stack.nodes.clear();
        for (entry, placed) in placed.iter().enumerate() {
            match placed_layer(layers, placed) {
                Some(mut layer) => {
                    if let Err(detail) = scale(&mut layer, placed.scale, layers, &mut scaled) {
                        let pointer = format!("/layers/{entry}/scale");
                        errors.push(FieldError { pointer, detail });
                    }
                    stack.nodes.push(Node::Layer(layer));
                }
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
        Ok((stack, scaled))
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

/// Gives a layer another size around its middle.
fn scale(
    layer: &mut layer_formats::Layer,
    by: f32,
    layers: &[Layer],
    scaled: &mut Vec<Scaled>,
) -> Result<(), String> {
    let before = layer.bounds;
    let side = |length: u32| (f64::from(length) * f64::from(by)).round().max(1.0) as u32;
    let (width, height) = (side(before.width), side(before.height));
    if before.is_empty() || (width, height) == (before.width, before.height) {
        return Ok(());
    }
    let new = Scaled {
        source: layer.source,
        width,
        height,
    };
    let all: u64 = scaled.iter().map(Scaled::pixels).sum();
    if all + new.pixels() > MOST_SCALED_PIXELS {
        return Err(format!(
            "It would have {width} × {height} pixels, and all scaled layers together may have {MOST_SCALED_PIXELS}."
        ));
    }
    let middle = |at: i32, old: u32, new: u32| at + (signed(old) - signed(new)) / 2;
    layer.bounds = Bounds::new(
        middle(before.x, before.width, width),
        middle(before.y, before.height, height),
        width,
        height,
    );
    layer.source = background_source(layers) + 1 + scaled.len();
    scaled.push(new);
    Ok(())
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
