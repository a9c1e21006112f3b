//! The stack as one picture, in bands of rows from the top: each layer is open only while a band crosses it.
//!
//! The result has straight alpha and 8 bits a sample. Where nothing is drawn it is transparent black.

use std::io;

use super::blend;
use super::error::ExportError;
use super::pictures::{Pictures, Rows};
use super::stack::{Blend, Bounds, Layer, Node, Stack};

/// Pixels of a band: what is held of the canvas at once, and of each layer that is open.
const BAND_PIXELS: usize = 1 << 16;
pub(crate) const PIXEL: usize = 4;

/// How many rows of this width are worked on at once.
pub(crate) fn band_rows(width: u32) -> usize {
    (BAND_PIXELS / width.max(1) as usize).clamp(1, 64)
}

/// Draws the stack and gives `band` its rows from top to bottom, whole rows of RGBA.
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`] from the pictures or from `band`.
pub fn composite(
    stack: &Stack,
    pictures: &dyn Pictures,
    band: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), ExportError> {
    stack.check()?;
    let row_bytes = stack.width as usize * PIXEL;
    let rows = band_rows(stack.width);
    let mut drawing = Drawing {
        pictures,
        width: stack.width as usize,
        readers: stack.layers().iter().map(|_| None).collect(),
        spare: Vec::new(),
    };
    let mut canvas = vec![0; rows * row_bytes];
    let mut top = 0;
    while top < stack.height as usize {
        let until = (top + rows).min(stack.height as usize);
        let canvas = &mut canvas[..(until - top) * row_bytes];
        canvas.fill(0);
        drawing.nodes(&stack.nodes, &mut 0, canvas, top as i32, until as i32)?;
        band(canvas)?;
        top = until;
    }
    Ok(())
}

struct Drawing<'a> {
    pictures: &'a dyn Pictures,
    /// Of the canvas.
    width: usize,
    /// By the layer's place in [`Stack::layers`].
    readers: Vec<Option<Reader<'a>>>,
    /// The rows of the layer that is being drawn.
    spare: Vec<u8>,
}

/// A layer that is open, and its next row on the canvas.
struct Reader<'a> {
    rows: Box<dyn Rows + 'a>,
    next: i32,
}

impl Drawing<'_> {
    /// Draws the rows `top..until` of all nodes; `place` is that of the first of their layers.
    fn nodes(
        &mut self,
        nodes: &[Node],
        place: &mut usize,
        canvas: &mut [u8],
        top: i32,
        until: i32,
    ) -> io::Result<()> {
        for node in nodes {
            match node {
                Node::Layer(layer) => {
                    if layer.visible && layer.opacity > 0 {
                        self.layer(layer, *place, canvas, top, until)?;
                    }
                    *place += 1;
                }
                Node::Group(group) if !group.visible || group.opacity == 0 => {
                    *place += leaves(&group.nodes);
                }
                Node::Group(group) if group.is_isolated() => {
                    let mut own = vec![0; canvas.len()];
                    self.nodes(&group.nodes, place, &mut own, top, until)?;
                    blend::draw(canvas, &own, group.opacity, Blend::Normal);
                }
                Node::Group(group) => self.nodes(&group.nodes, place, canvas, top, until)?,
            }
        }
        Ok(())
    }

    fn layer(
        &mut self,
        layer: &Layer,
        place: usize,
        canvas: &mut [u8],
        top: i32,
        until: i32,
    ) -> io::Result<()> {
        let bounds = layer.bounds;
        let (first, last) = (top.max(bounds.y), until.min(bounds.bottom()));
        let left = bounds.x.max(0);
        let right = bounds.right().min(self.width as i32);
        if first >= last || left >= right {
            return Ok(());
        }
        let row_bytes = bounds.width as usize * PIXEL;
        if self.readers[place].is_none() {
            self.readers[place] = Some(Reader {
                rows: self.pictures.open(layer.source)?,
                next: bounds.y,
            });
        }
        let Some(reader) = &mut self.readers[place] else {
            return Ok(());
        };
        skip(reader, first, bounds, &mut self.spare)?;
        let rows = (last - first) as usize;
        self.spare.resize(rows * row_bytes, 0);
        reader.rows.read(&mut self.spare)?;
        reader.next = last;
        if last == bounds.bottom() {
            self.readers[place] = None;
        }
        let inside = (left - bounds.x) as usize * PIXEL..(right - bounds.x) as usize * PIXEL;
        let shown = left as usize * PIXEL..right as usize * PIXEL;
        let lines = canvas.chunks_exact_mut(self.width * PIXEL);
        let lines = lines.skip((first - top) as usize);
        for (line, row) in lines.zip(self.spare.chunks_exact(row_bytes)) {
            let (line, row) = (&mut line[shown.clone()], &row[inside.clone()]);
            blend::draw(line, row, layer.opacity, layer.blend);
        }
        Ok(())
    }
}

/// Reads past what lies above the canvas.
fn skip(
    reader: &mut Reader<'_>,
    until: i32,
    bounds: Bounds,
    spare: &mut Vec<u8>,
) -> io::Result<()> {
    let step = band_rows(bounds.width);
    while reader.next < until {
        let rows = step.min((until - reader.next) as usize);
        spare.resize(rows * bounds.width as usize * PIXEL, 0);
        reader.rows.read(spare)?;
        reader.next += rows as i32;
    }
    Ok(())
}

fn leaves(nodes: &[Node]) -> usize {
    let of = |node: &Node| match node {
        Node::Layer(_) => 1,
        Node::Group(group) => leaves(&group.nodes),
    };
    nodes.iter().map(of).sum()
}

/// Gives `band` all rows of a layer's bounds, whole rows at a time.
pub(crate) fn whole_layer(
    layer: &Layer,
    pictures: &dyn Pictures,
    band: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    if layer.bounds.is_empty() {
        return Ok(());
    }
    let row_bytes = layer.bounds.width as usize * PIXEL;
    let mut rows = pictures.open(layer.source)?;
    let mut spare = vec![0; band_rows(layer.bounds.width) * row_bytes];
    let mut left = layer.bounds.height as usize * row_bytes;
    while left > 0 {
        let now = left.min(spare.len());
        rows.read(&mut spare[..now])?;
        band(&spare[..now])?;
        left -= now;
    }
    Ok(())
}
