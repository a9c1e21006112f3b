//! Photoshop's format, PSD, and its large form, PSB; by Adobe's *Photoshop File Formats Specification* of 2019.
//!
//! RGB, 8 bits a sample. A file says how long each layer is before the first of them and shows a small picture before that, so the stack
//! is read twice: once drawn as a whole, which gives the merged picture, the small one and, on the way, all lengths; and once
//! layer by layer. Held are the packed merged picture, and one packed layer.

mod measure;
mod merged;
mod plane;
mod record;
mod resources;

use std::io::{self, Write};

use self::measure::measured;
use self::merged::Merged;
use self::plane::Planes;
use self::record::{Record, records};
use super::composite::{composite, whole_layer};
use super::error::ExportError;
use super::pictures::Pictures;
use super::stack::{Layer, Stack};
use super::thumbnail::Thumbnail;
use super::written::Written;

/// The longest side of a PSD; a PSB takes ten times that.
pub const PSD_MAX_SIDE: u32 = 30_000;
/// Sides of the small picture, as Photoshop makes it.
const THUMBNAIL_SIDE: u32 = 160;

/// How a layer's samples are compressed. The merged picture always has PackBits, since few readers take anything else there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Fast, and every reader has it.
    #[default]
    PackBits,
    /// Zlib after taking the difference of neighbours: about half the size for photos, and slower. Photoshop, psd-tools, ag-psd and ImageMagick
    /// read it; older programs do not.
    Zip,
}

/// Which of the two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Psd,
    Psb,
}

/// Whether the stack has to be a PSB, whose file is to end in `.psb`.
#[must_use]
pub fn is_large(stack: &Stack) -> bool {
    stack.width.max(stack.height) > PSD_MAX_SIDE
}

/// Writes the stack: PSD, or PSB where a side is longer than [`PSD_MAX_SIDE`].
///
/// ```
/// use layer_formats::{Bounds, Layer, Node, Stack, psd};
///
/// let stack = Stack {
///     width: 4,
///     height: 2,
///     pixels_per_inch: 72.0,
///     title: "A dot".into(),
///     recipe: None,
///     nodes: vec![Node::Layer(Layer::new(0, "Dot", Bounds::new(1, 0, 1, 1)))],
/// };
/// let pictures = vec![vec![200, 0, 0, 255]];
/// let mut file = Vec::new();
/// psd::write(&stack, &pictures, psd::Compression::PackBits, &mut file)?;
/// assert_eq!(file[..6], *b"8BPS\0\x01");
/// # Ok::<(), layer_formats::ExportError>(())
/// ```
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::TooLarge`] where a PSD would have more than 2 GB; [`ExportError::Io`].
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    compression: Compression,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let form = if is_large(stack) {
        Form::Psb
    } else {
        Form::Psd
    };
    let layers = stack.layers();
    let measuring = measured(&layers, pictures, compression, form);
    let mut thumbnail = Thumbnail::new(stack.width, stack.height, THUMBNAIL_SIDE);
    let mut merged = Merged::new(stack.width);
    composite(stack, &measuring, &mut |rows| {
        thumbnail.rows(rows);
        merged.rows(rows);
        Ok(())
    })?;
    let lengths = measuring.finish()?;
    let records = records(stack, &lengths);

    let mut out = Written::new(out);
    header(stack, &merged, form, &mut out)?;
    resources::write(stack, &thumbnail, &mut out)?;
    let section = Layers {
        layers: &layers,
        pictures,
        records: &records,
        compression,
        form,
        opaque: merged.is_opaque(),
    };
    section.write(&mut out)?;
    merged.write(form, &mut out)?;
    Ok(())
}

fn header(stack: &Stack, merged: &Merged, form: Form, out: &mut Written<'_>) -> io::Result<()> {
    out.bytes(b"8BPS")?;
    out.u16(if form == Form::Psb { 2 } else { 1 })?;
    out.bytes(&[0; 6])?;
    out.u16(if merged.is_opaque() { 3 } else { 4 })?;
    out.u32(stack.height)?;
    out.u32(stack.width)?;
    // 8 bits, RGB, and no colour table.
    out.u16(8)?;
    out.u16(3)?;
    out.u32(0)
}

/// The layers: all records, and then all samples.
struct Layers<'a> {
    layers: &'a [&'a Layer],
    pictures: &'a dyn Pictures,
    records: &'a [Record<'a>],
    compression: Compression,
    form: Form,
    /// Whether the merged picture is.
    opaque: bool,
}

impl Layers<'_> {
    fn write(&self, out: &mut Written<'_>) -> Result<(), ExportError> {
        if self.records.is_empty() {
            // Readers refuse a list of no layers.
            return Ok(out.length(0, self.form)?);
        }
        let head = self.head()?;
        let samples: u64 = self.records.iter().map(Record::samples_length).sum();
        let info = head.len() as u64 + samples;
        let padded = info.next_multiple_of(4);
        // The padded layers with their length, and an empty global mask.
        let section = padded + self.form.length_bytes() + 4;
        if self.form == Form::Psd && section > i32::MAX as u64 {
            return Err(ExportError::TooLarge("PSD"));
        }
        out.length(section, self.form)?;
        out.length(padded, self.form)?;
        out.bytes(&head)?;
        for record in self.records {
            match record.layer() {
                None => out.bytes(&[0; 8])?,
                Some(place) => self.samples(self.layers[place], record, out)?,
            }
        }
        out.bytes(&[0; 4][..(padded - info) as usize])?;
        out.u32(0)?;
        Ok(())
    }

    fn head(&self) -> Result<Vec<u8>, ExportError> {
        let mut head = Vec::new();
        let mut out = Written::new(&mut head);
        let count = i16::try_from(self.records.len()).map_err(|_| ExportError::Nodes)?;
        // Below zero it says that the first further channel of the merged picture is its alpha.
        out.u16(if self.opaque { count } else { -count } as u16)?;
        for record in self.records {
            record.write(self.form, &mut out)?;
        }
        Ok(head)
    }

    fn samples(
        &self,
        layer: &Layer,
        record: &Record<'_>,
        out: &mut Written<'_>,
    ) -> Result<(), ExportError> {
        if layer.bounds.is_empty() {
            // Four channels, as they are, of nothing.
            out.bytes(&[0; 8])?;
            return Ok(());
        }
        let mut planes = Planes::new(layer.bounds.width, self.compression);
        whole_layer(layer, self.pictures, &mut |rows| planes.rows(rows))?;
        let written = planes.finish(self.form)?;
        for (pieces, expected) in written.into_iter().zip(record.lengths()) {
            // A source that gives other pixels the second time would make a file that no one can read.
            if pieces.iter().map(Vec::len).sum::<usize>() as u64 != expected {
                let changed = "a layer's pixels changed while it was exported";
                return Err(io::Error::other(changed).into());
            }
            for piece in pieces {
                out.bytes(&piece)?;
            }
        }
        Ok(())
    }
}

impl Form {
    /// Bytes of the length of a section.
    fn length_bytes(self) -> u64 {
        match self {
            Self::Psd => 4,
            Self::Psb => 8,
        }
    }
}
