//! The slide: pictures and groups of them, in English Metric Units, 914,400 to an inch.

use std::fmt::Write as _;

use super::super::name::{shown, xml};
use super::super::stack::{Bounds, Group, Layer, Node, Stack};

/// A pixel at 96 to an inch.
const PIXEL: f64 = 9525.0;
/// One inch and 56: what PowerPoint takes as a slide's side.
const SIDES: (f64, f64) = (914_400.0, 51_206_400.0);
const RELATION: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// How long a pixel is on the slide.
pub(super) struct Scale {
    unit: f64,
    slide: (i64, i64),
}

impl Scale {
    pub(super) fn of(stack: &Stack) -> Self {
        let (width, height) = (f64::from(stack.width), f64::from(stack.height));
        let smallest = SIDES.0 / width.min(height);
        let largest = SIDES.1 / width.max(height);
        let unit = PIXEL.max(smallest).min(largest);
        let side = |length: f64| (length * unit).round().clamp(SIDES.0, SIDES.1) as i64;
        Self {
            unit,
            slide: (side(width), side(height)),
        }
    }

    pub(super) fn slide(&self) -> (i64, i64) {
        self.slide
    }

    /// Left, top, width and height; edges are rounded, so that what touches still does.
    fn place(&self, bounds: Bounds) -> [i64; 4] {
        let at = |pixel: i32| (f64::from(pixel) * self.unit).round() as i64;
        let (left, top) = (at(bounds.x), at(bounds.y));
        [
            left,
            top,
            at(bounds.right()) - left,
            at(bounds.bottom()) - top,
        ]
    }
}

/// The slide's own part.
pub(super) fn slide(stack: &Stack, scale: &Scale) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <p:sld xmlns:a=\"http://schemas.openxmlformats.org/drawingml/2006/main\" xmlns:r=\"{RELATION}\" \
         xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"><p:cSld><p:spTree>\
         <p:nvGrpSpPr><p:cNvPr id=\"1\" name=\"\"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr>\
         <p:grpSpPr><a:xfrm><a:off x=\"0\" y=\"0\"/><a:ext cx=\"0\" cy=\"0\"/><a:chOff x=\"0\" y=\"0\"/>\
         <a:chExt cx=\"0\" cy=\"0\"/></a:xfrm></p:grpSpPr>"
    );
    let mut drawing = Drawing {
        scale,
        number: 0,
        shape: 1,
        text: &mut text,
    };
    drawing.nodes(&stack.nodes, 1.0, false);
    text.push_str("</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:sld>\n");
    text
}

/// What the slide's part refers to; the numbers are those of its pictures.
pub(super) fn relations(numbers: impl Iterator<Item = usize>) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Id=\"rIdLayout\" Type=\"{RELATION}/slideLayout\" Target=\"../slideLayouts/slideLayout1.xml\"/>"
    );
    for number in numbers {
        let _ = write!(
            text,
            "<Relationship Id=\"rId{number}\" Type=\"{RELATION}/image\" Target=\"../media/image{number}.png\"/>"
        );
    }
    text.push_str("</Relationships>\n");
    text
}

struct Drawing<'a> {
    scale: &'a Scale,
    /// Of the layer, from 1, empty ones too.
    number: usize,
    /// The last shape's id.
    shape: usize,
    text: &'a mut String,
}

impl Drawing<'_> {
    fn nodes(&mut self, nodes: &[Node], opacity: f64, hidden: bool) {
        for node in nodes {
            match node {
                Node::Layer(layer) => {
                    self.number += 1;
                    if !layer.bounds.is_empty() {
                        self.picture(layer, opacity, hidden);
                    }
                }
                Node::Group(group) => self.group(group, opacity, hidden),
            }
        }
    }

    fn picture(&mut self, layer: &Layer, opacity: f64, hidden: bool) {
        self.shape += 1;
        let number = self.number;
        let name = xml(&shown(&layer.name, &format!("Layer {number}")));
        let hidden = if hidden || !layer.visible {
            " hidden=\"1\""
        } else {
            ""
        };
        let strength = f64::from(layer.opacity) / 255.0 * opacity;
        let faded = if strength < 1.0 {
            format!(
                "<a:alphaModFix amt=\"{}\"/>",
                (strength * 100_000.0).round()
            )
        } else {
            String::new()
        };
        let [x, y, width, height] = self.scale.place(layer.bounds);
        let _ = write!(
            self.text,
            "<p:pic><p:nvPicPr><p:cNvPr id=\"{}\" name=\"{name}\" descr=\"{name}\"{hidden}/><p:cNvPicPr>\
             <a:picLocks noChangeAspect=\"1\"/></p:cNvPicPr><p:nvPr/></p:nvPicPr><p:blipFill>\
             <a:blip r:embed=\"rId{number}\">{faded}</a:blip><a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr>\
             <a:xfrm><a:off x=\"{x}\" y=\"{y}\"/><a:ext cx=\"{width}\" cy=\"{height}\"/></a:xfrm>\
             <a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></p:spPr></p:pic>",
            self.shape
        );
    }

    /// A group whose own coordinates are the slide's.
    fn group(&mut self, group: &Group, opacity: f64, hidden: bool) {
        self.shape += 1;
        let hidden = hidden || !group.visible;
        let name = xml(&shown(&group.name, "Group"));
        let [x, y, width, height] =
            around(&group.nodes).map_or([0; 4], |all| self.scale.place(all));
        let _ = write!(
            self.text,
            "<p:grpSp><p:nvGrpSpPr><p:cNvPr id=\"{}\" name=\"{name}\"{}/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr>\
             <p:grpSpPr><a:xfrm><a:off x=\"{x}\" y=\"{y}\"/><a:ext cx=\"{width}\" cy=\"{height}\"/>\
             <a:chOff x=\"{x}\" y=\"{y}\"/><a:chExt cx=\"{width}\" cy=\"{height}\"/></a:xfrm></p:grpSpPr>",
            self.shape,
            if hidden { " hidden=\"1\"" } else { "" }
        );
        self.nodes(
            &group.nodes,
            opacity * f64::from(group.opacity) / 255.0,
            hidden,
        );
        self.text.push_str("</p:grpSp>");
    }
}

/// The smallest rectangle around all layers that have pixels.
fn around(nodes: &[Node]) -> Option<Bounds> {
    let of = |node: &Node| match node {
        Node::Layer(layer) => Some(layer.bounds).filter(|bounds| !bounds.is_empty()),
        Node::Group(group) => around(&group.nodes),
    };
    nodes.iter().filter_map(of).reduce(|one, other| {
        let (x, y) = (one.x.min(other.x), one.y.min(other.y));
        let right = one.right().max(other.right());
        let bottom = one.bottom().max(other.bottom());
        Bounds::new(x, y, right.abs_diff(x), bottom.abs_diff(y))
    })
}
