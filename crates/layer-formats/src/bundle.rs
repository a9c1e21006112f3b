//! A ZIP of the layers' own PNG files and a `manifest.json` that says how they lie; `manifest.schema.json` beside this crate's
//! README is its schema.

use std::io::Write;

use serde::Serialize;

use super::archive::Archive;
use super::error::ExportError;
use super::image::layer_png;
use super::name::{file_stem, shown};
use super::pictures::{Pictures, PngFile};
use super::stack::{Bounds, Layer, Node, Stack};

/// The version of the manifest: programs refuse one that they do not know.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Manifest {
    version: u32,
    title: String,
    width: u32,
    height: u32,
    pixels_per_inch: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipe: Option<serde_json::Value>,
    nodes: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Entry {
    Layer {
        id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// None for an empty layer.
        file: Option<String>,
        x: i32,
        y: i32,
        width: u32,
        height: u32,
        opacity: f64,
        visible: bool,
        blend_mode: &'static str,
    },
    Group {
        name: String,
        opacity: f64,
        visible: bool,
        nodes: Vec<Entry>,
    },
}

/// Writes the stack. A layer that exists as a file ([`Pictures::file`]) is put in as it is, whatever its bounds; each is held while it is
/// written.
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`], also for a file above 4 GB.
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let mut writing = Writing {
        archive: Archive::new(out),
        pictures,
        place: 0,
    };
    let nodes = writing.nodes(&stack.nodes)?;
    let manifest = Manifest {
        version: VERSION,
        title: shown(&stack.title, "Layers"),
        width: stack.width,
        height: stack.height,
        pixels_per_inch: stack.pixels_per_inch,
        recipe: stack.recipe.clone(),
        nodes,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from)?;
    writing.archive.entry("manifest.json", &text)?;
    writing.archive.finish()?;
    Ok(())
}

struct Writing<'a> {
    archive: Archive<'a>,
    pictures: &'a dyn Pictures,
    place: usize,
}

impl Writing<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<Vec<Entry>, ExportError> {
        let mut entries = Vec::with_capacity(nodes.len());
        for node in nodes {
            entries.push(match node {
                Node::Layer(layer) => self.layer(layer)?,
                Node::Group(group) => Entry::Group {
                    name: shown(&group.name, "Group"),
                    opacity: fraction(group.opacity),
                    visible: group.visible,
                    nodes: self.nodes(&group.nodes)?,
                },
            });
        }
        Ok(entries)
    }

    fn layer(&mut self, layer: &Layer) -> Result<Entry, ExportError> {
        let number = self.place;
        self.place += 1;
        let name = shown(&layer.name, &format!("Layer {}", number + 1));
        let mut file = None;
        let mut bounds = Bounds::default();
        if !layer.bounds.is_empty() {
            let found = match self.pictures.file(layer.source)? {
                Some(found) => found,
                None => PngFile {
                    bytes: layer_png(layer, self.pictures)?,
                    bounds: Bounds::new(0, 0, layer.bounds.width, layer.bounds.height),
                },
            };
            let path = format!("layers/{number:02}-{}.png", file_stem(&name, "layer"));
            self.archive.entry(&path, &found.bytes)?;
            bounds = Bounds {
                x: layer.bounds.x.saturating_add(found.bounds.x),
                y: layer.bounds.y.saturating_add(found.bounds.y),
                ..found.bounds
            };
            file = Some(path);
        }
        Ok(Entry::Layer {
            id: shown(&layer.id, &format!("layer_{number}")),
            name,
            kind: layer.kind.as_ref().map(|kind| shown(kind, "")),
            text: layer.text.clone(),
            file,
            x: bounds.x,
            y: bounds.y,
            width: bounds.width,
            height: bounds.height,
            opacity: fraction(layer.opacity),
            visible: layer.visible,
            blend_mode: layer.blend.name(),
        })
    }
}

/// From 0 to 1, in ten-thousandths.
fn fraction(opacity: u8) -> f64 {
    (f64::from(opacity) / 255.0 * 10_000.0).round() / 10_000.0
}
