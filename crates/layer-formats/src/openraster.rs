//! OpenRaster (`.ora`), version 0.0.5 of its specification: what GIMP, Krita, MyPaint and Pinta exchange.

use std::fmt::Write as _;
use std::io::Write;

use super::archive::Archive;
use super::error::ExportError;
use super::image::{layer_png, merged_png};
use super::name::{shown, xml};
use super::pictures::Pictures;
use super::stack::{Blend, Layer, Node, Stack};

/// What the specification wants of the small picture.
const THUMBNAIL_SIDE: u32 = 256;
/// An empty layer has to have a picture; it has one clear pixel.
const CLEAR_PIXEL: &[u8] = include_bytes!("clear.png");

/// Writes the stack. Each layer is held as PNG while it is written, and so is the whole.
///
/// ```
/// use layer_formats::{Bounds, Layer, Node, Stack, openraster};
///
/// let stack = Stack {
///     width: 4,
///     height: 2,
///     pixels_per_inch: 72.0,
///     title: "A dot".into(),
///     recipe: None,
///     nodes: vec![Node::Layer(Layer::new(0, "Dot", Bounds::new(1, 0, 1, 1)))],
/// };
/// let mut file = Vec::new();
/// openraster::write(&stack, &vec![vec![200, 0, 0, 255]], &mut file)?;
/// assert_eq!(&file[30..54], b"mimetypeimage/openraster");
/// # Ok::<(), layer_formats::ExportError>(())
/// ```
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`], also for a file above 4 GB.
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let (merged, thumbnail) = merged_png(stack, pictures, THUMBNAIL_SIDE)?;
    let mut archive = Archive::new(out);
    archive.entry("mimetype", b"image/openraster")?;
    archive.entry("stack.xml", stack_xml(stack).as_bytes())?;
    for (place, layer) in stack.layers().into_iter().enumerate() {
        let name = data_name(place);
        if layer.bounds.is_empty() {
            archive.entry(&name, CLEAR_PIXEL)?;
        } else {
            archive.entry(&name, &layer_png(layer, pictures)?)?;
        }
    }
    archive.entry("mergedimage.png", &merged)?;
    archive.entry("Thumbnails/thumbnail.png", &thumbnail)?;
    archive.finish()?;
    Ok(())
}

fn data_name(place: usize) -> String {
    format!("data/layer{place:03}.png")
}

fn stack_xml(stack: &Stack) -> String {
    let resolution = (stack.pixels_per_inch.round() as u32).max(1);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<image version=\"0.0.5\" w=\"{}\" h=\"{}\" xres=\"{resolution}\" yres=\"{resolution}\">\n<stack>\n",
        stack.width, stack.height,
    );
    let mut place = stack.layers().len();
    nodes(&stack.nodes, &mut place, &mut text);
    text.push_str("</stack>\n</image>\n");
    text
}

/// The format lists the top first. `place` is one above the topmost layer that is left.
fn nodes(nodes_of: &[Node], place: &mut usize, text: &mut String) {
    for node in nodes_of.iter().rev() {
        match node {
            Node::Layer(layer) => {
                *place -= 1;
                layer_xml(layer, *place, text);
            }
            Node::Group(group) => {
                let name = xml(&shown(&group.name, "Group"));
                let state = attributes(group.opacity, group.visible, Blend::Normal);
                let isolation = if group.is_isolated() {
                    "isolate"
                } else {
                    "auto"
                };
                // Writing to a string does not fail.
                let _ = writeln!(
                    text,
                    "<stack name=\"{name}\" isolation=\"{isolation}\"{state}>"
                );
                nodes(&group.nodes, place, text);
                text.push_str("</stack>\n");
            }
        }
    }
}

fn layer_xml(layer: &Layer, place: usize, text: &mut String) {
    let name = xml(&shown(&layer.name, &format!("Layer {}", place + 1)));
    let (x, y) = if layer.bounds.is_empty() {
        (0, 0)
    } else {
        (layer.bounds.x, layer.bounds.y)
    };
    let state = attributes(layer.opacity, layer.visible, layer.blend);
    let source = data_name(place);
    let _ = writeln!(
        text,
        "<layer name=\"{name}\" src=\"{source}\" x=\"{x}\" y=\"{y}\"{state}/>"
    );
}

fn attributes(opacity: u8, visible: bool, blend: Blend) -> String {
    let composite = match blend {
        Blend::Normal => "src-over",
        other => other.name(),
    };
    let visibility = if visible { "visible" } else { "hidden" };
    format!(
        " opacity=\"{}\" visibility=\"{visibility}\" composite-op=\"svg:{composite}\"",
        fraction(opacity)
    )
}

/// An opacity from 0 to 1, exact when it is read again.
pub(crate) fn fraction(opacity: u8) -> String {
    match opacity {
        0 => "0".to_owned(),
        u8::MAX => "1".to_owned(),
        other => format!("{:.4}", f64::from(other) / 255.0),
    }
}
