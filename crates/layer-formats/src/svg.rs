//! SVG with a group for each layer and its picture inside the file. Browsers draw it, and Inkscape shows its layers as layers.

use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD;

use super::error::ExportError;
use super::image::layer_png;
use super::name::{shown, xml};
use super::openraster::fraction;
use super::pictures::Pictures;
use super::stack::{Blend, Layer, Node, Stack};

/// Writes the stack. Each layer is held as PNG while it is written.
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`].
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let (width, height) = (stack.width, stack.height);
    let title = xml(&shown(&stack.title, "Layers"));
    write!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
         xmlns:inkscape=\"http://www.inkscape.org/namespaces/inkscape\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{title}</title>\n"
    )?;
    nodes(&stack.nodes, &mut 0, pictures, out)?;
    out.write_all(b"</svg>\n")?;
    Ok(())
}

fn nodes(
    nodes_of: &[Node],
    place: &mut usize,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> io::Result<()> {
    for node in nodes_of {
        match node {
            Node::Layer(layer) => {
                *place += 1;
                one(layer, *place, pictures, out)?;
            }
            Node::Group(group) => {
                let name = shown(&group.name, "Group");
                begin(
                    &name,
                    None,
                    group.opacity,
                    group.visible,
                    Blend::Normal,
                    out,
                )?;
                nodes(&group.nodes, place, pictures, out)?;
                out.write_all(b"</g>\n")?;
            }
        }
    }
    Ok(())
}

fn one(
    layer: &Layer,
    number: usize,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = shown(&layer.name, &format!("Layer {number}"));
    let id = format!("layer-{number}");
    begin(
        &name,
        Some(&id),
        layer.opacity,
        layer.visible,
        layer.blend,
        out,
    )?;
    if !layer.bounds.is_empty() {
        let bounds = layer.bounds;
        write!(
            out,
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" xlink:href=\"data:image/png;base64,",
            bounds.x, bounds.y, bounds.width, bounds.height
        )?;
        let file = layer_png(layer, pictures)?;
        let mut text = base64::write::EncoderWriter::new(&mut *out, &STANDARD);
        text.write_all(&file)?;
        text.finish()?;
        drop(text);
        out.write_all(b"\"/>\n")?;
    }
    out.write_all(b"</g>\n")
}

fn begin(
    name: &str,
    id: Option<&str>,
    opacity: u8,
    visible: bool,
    blend: Blend,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = xml(name);
    write!(
        out,
        "<g inkscape:groupmode=\"layer\" inkscape:label=\"{name}\""
    )?;
    if let Some(id) = id {
        write!(out, " id=\"{id}\"")?;
    }
    if opacity < u8::MAX {
        write!(out, " opacity=\"{}\"", fraction(opacity))?;
    }
    let mut style = Vec::new();
    if !visible {
        style.push("display:none".to_owned());
    }
    if blend != Blend::Normal {
        style.push(format!("mix-blend-mode:{}", blend.name()));
    }
    if !style.is_empty() {
        write!(out, " style=\"{}\"", style.join(";"))?;
    }
    writeln!(out, "><title>{name}</title>")
}
