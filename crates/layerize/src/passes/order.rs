//! Brings the cuts into stacking order, bottom first, and names them.
//!
//! Invariant: no cut is invented, and at most `max_layers - 1` remain.

use crate::context::Context;
use crate::scene::Scene;
use crate::{Error, LayerKind};

pub(crate) fn run(scene: &mut Scene<'_>, ctx: &mut Context<'_>) -> Result<(), Error> {
    scene.cuts.reverse();
    if let Some(most) = ctx.options.max_layers {
        let keep = usize::from(most.max(1)) - 1;
        while scene.cuts.len() > keep {
            scene.cuts.pop();
        }
    }
    name(scene);
    Ok(())
}

fn name(scene: &mut Scene<'_>) {
    for kind in [
        LayerKind::Text,
        LayerKind::Shape,
        LayerKind::Panel,
        LayerKind::Subject,
        LayerKind::Object,
        LayerKind::Shadow,
    ] {
        let many = scene.cuts.iter().filter(|cut| cut.kind == kind).count() > 1;
        for (index, cut) in scene
            .cuts
            .iter_mut()
            .filter(|cut| cut.kind == kind)
            .enumerate()
        {
            let word = match kind {
                LayerKind::Background => "background",
                LayerKind::Text => "text",
                LayerKind::Shape => "shape",
                LayerKind::Panel => "panel",
                LayerKind::Subject => "subject",
                LayerKind::Object => "object",
                LayerKind::Shadow => "shadow",
            };
            cut.name = if many {
                format!("{word} {}", index + 1)
            } else {
                word.to_owned()
            };
        }
    }
}
