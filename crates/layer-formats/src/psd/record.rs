//! What the file says of each layer before their samples: bounds, channels, blend mode, opacity, names, and where groups begin and end.

use std::io;

use super::Form;
use super::plane::CHANNELS;
use crate::name::{ascii, shown};
use crate::stack::{Blend, Bounds, Layer, Node, Stack};
use crate::written::Written;

/// A hidden layer, and one whose other flag bits mean what Photoshop 5 says.
const HIDDEN: u8 = 2;
const USEFUL: u8 = 8;

/// One record, bottom first. A group has two: where it ends, below its layers, and itself above them.
pub(super) struct Record<'a> {
    what: What<'a>,
    id: u32,
    lengths: [u64; 4],
}

enum What<'a> {
    Layer {
        layer: &'a Layer,
        place: usize,
    },
    GroupEnd,
    Group {
        name: &'a str,
        opacity: u8,
        visible: bool,
        isolated: bool,
    },
}

/// The records of a stack whose layers' channels have these lengths.
pub(super) fn records<'a>(stack: &'a Stack, lengths: &[[u64; 4]]) -> Vec<Record<'a>> {
    let mut records = Vec::new();
    of(&stack.nodes, lengths, &mut 0, &mut records);
    records
}

fn of<'a>(
    nodes: &'a [Node],
    lengths: &[[u64; 4]],
    place: &mut usize,
    records: &mut Vec<Record<'a>>,
) {
    for node in nodes {
        match node {
            Node::Layer(layer) => {
                let what = What::Layer {
                    layer,
                    place: *place,
                };
                push(records, what, lengths[*place]);
                *place += 1;
            }
            Node::Group(group) => {
                push(records, What::GroupEnd, [2; 4]);
                of(&group.nodes, lengths, place, records);
                let what = What::Group {
                    name: &group.name,
                    opacity: group.opacity,
                    visible: group.visible,
                    isolated: group.is_isolated(),
                };
                push(records, what, [2; 4]);
            }
        }
    }
}

fn push<'a>(records: &mut Vec<Record<'a>>, what: What<'a>, lengths: [u64; 4]) {
    let id = records.len() as u32 + 1;
    records.push(Record { what, id, lengths });
}

impl Record<'_> {
    /// The layer's place among all layers; none for what belongs to a group.
    pub(super) fn layer(&self) -> Option<usize> {
        match self.what {
            What::Layer { place, .. } => Some(place),
            _ => None,
        }
    }

    pub(super) fn lengths(&self) -> [u64; 4] {
        self.lengths
    }

    /// Bytes of all its samples.
    pub(super) fn samples_length(&self) -> u64 {
        self.lengths.iter().sum()
    }

    pub(super) fn write(&self, form: Form, out: &mut Written<'_>) -> io::Result<()> {
        let (bounds, blend, opacity, visible) = match &self.what {
            What::Layer { layer, .. } => {
                let bounds = if layer.bounds.is_empty() {
                    Bounds::default()
                } else {
                    layer.bounds
                };
                (bounds, blend_key(layer.blend), layer.opacity, layer.visible)
            }
            What::GroupEnd => (Bounds::default(), b"norm", u8::MAX, true),
            What::Group {
                opacity,
                visible,
                isolated,
                ..
            } => {
                let key = if *isolated { b"norm" } else { b"pass" };
                (Bounds::default(), key, *opacity, *visible)
            }
        };
        for edge in [bounds.y, bounds.x, bounds.bottom(), bounds.right()] {
            out.bytes(&edge.to_be_bytes())?;
        }
        out.u16(CHANNELS.len() as u16)?;
        for ((id, _), length) in CHANNELS.into_iter().zip(self.lengths) {
            out.bytes(&id.to_be_bytes())?;
            out.length(length, form)?;
        }
        out.bytes(b"8BIM")?;
        out.bytes(blend)?;
        // No clipping, flags, and a byte that fills up.
        out.bytes(&[opacity, 0, USEFUL | if visible { 0 } else { HIDDEN }, 0])?;
        let further = self.further()?;
        out.u32(further.len() as u32)?;
        out.bytes(&further)
    }

    /// No mask, no blending ranges, the name twice, an id, and what it is to a group.
    fn further(&self) -> io::Result<Vec<u8>> {
        let name = self.name();
        let mut bytes = Vec::new();
        let mut out = Written::new(&mut bytes);
        out.u32(0)?;
        out.u32(0)?;
        let old = ascii(&name);
        out.bytes(&[old.len() as u8])?;
        out.bytes(old.as_bytes())?;
        let filled = (old.len() + 1).next_multiple_of(4) - old.len() - 1;
        out.bytes(&[0; 4][..filled])?;

        let units: Vec<u16> = name.encode_utf16().collect();
        let length = 4 + units.len() * 2;
        out.bytes(b"8BIMluni")?;
        out.u32(length.next_multiple_of(4) as u32)?;
        out.u32(units.len() as u32)?;
        for unit in &units {
            out.u16(*unit)?;
        }
        out.bytes(&[0; 4][..length.next_multiple_of(4) - length])?;
        out.bytes(b"8BIMlyid")?;
        out.u32(4)?;
        out.u32(self.id)?;
        match self.what {
            What::Layer { .. } => {}
            What::GroupEnd => {
                out.bytes(b"8BIMlsct")?;
                out.u32(4)?;
                out.u32(3)?;
            }
            What::Group { isolated, .. } => {
                out.bytes(b"8BIMlsct")?;
                out.u32(12)?;
                // Shown open.
                out.u32(1)?;
                out.bytes(b"8BIM")?;
                out.bytes(if isolated { b"norm" } else { b"pass" })?;
            }
        }
        Ok(bytes)
    }

    fn name(&self) -> String {
        match &self.what {
            What::Layer { layer, place } => shown(&layer.name, &format!("Layer {}", place + 1)),
            What::GroupEnd => "</Layer group>".to_owned(),
            What::Group { name, .. } => shown(name, "Group"),
        }
    }
}

fn blend_key(blend: Blend) -> &'static [u8; 4] {
    match blend {
        Blend::Normal => b"norm",
        Blend::Multiply => b"mul ",
        Blend::Screen => b"scrn",
        Blend::Overlay => b"over",
        Blend::Darken => b"dark",
        Blend::Lighten => b"lite",
        Blend::ColorDodge => b"div ",
        Blend::ColorBurn => b"idiv",
        Blend::HardLight => b"hLit",
        Blend::SoftLight => b"sLit",
        Blend::Difference => b"diff",
    }
}
