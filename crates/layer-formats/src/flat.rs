//! The stack without its groups, for formats that know none: what is drawn, how strongly, and where on the canvas.

use super::stack::{Bounds, Layer, Node, Stack};

/// A layer of which something may be seen.
pub(crate) struct Drawn<'a> {
    pub(crate) layer: &'a Layer,
    /// In [`Stack::layers`].
    pub(crate) place: usize,
    /// Its own and that of its groups.
    pub(crate) opacity: u8,
    /// What of its bounds lies on the canvas; at least one pixel.
    pub(crate) inside: Bounds,
}

/// What is drawn, bottom first.
pub(crate) fn drawn(stack: &Stack) -> Vec<Drawn<'_>> {
    let mut found = Vec::new();
    nodes(stack, &stack.nodes, Some(1.0), &mut 0, &mut found);
    found
}

/// `opacity` is that of the groups around; none where one of them is hidden.
fn nodes<'a>(
    stack: &Stack,
    nodes_of: &'a [Node],
    opacity: Option<f64>,
    place: &mut usize,
    found: &mut Vec<Drawn<'a>>,
) {
    for node in nodes_of {
        match node {
            Node::Layer(layer) => {
                let own = f64::from(layer.opacity) * opacity.unwrap_or(0.0);
                let (opacity, inside) = (own.round() as u8, inside(stack, layer.bounds));
                if let (true, 1.., Some(inside)) = (layer.visible, opacity, inside) {
                    found.push(Drawn {
                        layer,
                        place: *place,
                        opacity,
                        inside,
                    });
                }
                *place += 1;
            }
            Node::Group(group) => {
                let own = f64::from(group.opacity) / 255.0;
                let opacity = opacity.filter(|_| group.visible).map(|all| all * own);
                nodes(stack, &group.nodes, opacity, place, found);
            }
        }
    }
}

fn inside(stack: &Stack, bounds: Bounds) -> Option<Bounds> {
    let (left, top) = (bounds.x.max(0), bounds.y.max(0));
    let right = bounds.right().min(stack.width as i32);
    let bottom = bounds.bottom().min(stack.height as i32);
    let is_there = left < right && top < bottom;
    is_there.then(|| Bounds::new(left, top, right.abs_diff(left), bottom.abs_diff(top)))
}
