//! PowerPoint: one slide as large as the canvas, each layer a picture in its place, with its name as name and as text for people who do not
//! see it. By ECMA-376, with every part that PowerPoint asks for, so that it has nothing to repair.
//!
//! Not in the format, and left out: blend modes. A group's opacity is given to each of its pictures.

mod parts;
mod slide;

use std::io::Write;

use self::slide::slide;
use super::archive::Archive;
use super::error::ExportError;
use super::image::layer_png;
use super::name::{shown, xml};
use super::pictures::Pictures;
use super::stack::{Layer, Stack};

/// Writes the stack. Each layer is held as PNG while it is written.
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`], also for a file above 4 GB.
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let layers = stack.layers();
    let shown_layers: Vec<(usize, &Layer)> = layers
        .into_iter()
        .enumerate()
        .filter(|(_, layer)| !layer.bounds.is_empty())
        .collect();
    let scale = slide::Scale::of(stack);
    let mut archive = Archive::new(out);
    archive.entry("[Content_Types].xml", parts::CONTENT_TYPES.as_bytes())?;
    archive.entry("_rels/.rels", parts::RELATIONS.as_bytes())?;
    let title = xml(&shown(&stack.title, "Layers"));
    archive.entry("docProps/core.xml", parts::core(&title).as_bytes())?;
    archive.entry("docProps/app.xml", parts::APP.as_bytes())?;
    let presentation = parts::presentation(scale.slide());
    archive.entry("ppt/presentation.xml", presentation.as_bytes())?;
    for (name, text) in parts::FIXED {
        archive.entry(name, text.as_bytes())?;
    }
    archive.entry("ppt/slides/slide1.xml", slide(stack, &scale).as_bytes())?;
    let numbers = shown_layers.iter().map(|(place, _)| place + 1);
    let relations = slide::relations(numbers);
    archive.entry("ppt/slides/_rels/slide1.xml.rels", relations.as_bytes())?;
    for (place, layer) in shown_layers {
        let file = layer_png(layer, pictures)?;
        archive.entry(&format!("ppt/media/image{}.png", place + 1), &file)?;
    }
    archive.finish()?;
    Ok(())
}
