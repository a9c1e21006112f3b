//! Small lettering on a thing itself (a name tag, a label): a part of the thing, not text on the
//! picture.
//!
//! Invariant: what is given back is seen in the rest again, as if it had never been cut.

use crate::LayerKind;
use crate::plane::{Gray, Rect};
use crate::scene::Scene;

/// Least mean of the mask under lettering that is taken for a part of the thing.
const ON_IT: f32 = 0.6;
/// Lettering is small below this part of the picture's height.
const SMALL: usize = 11;

/// Undoes the cuts of text that lie on what `mask` shows, unless a panel carries them.
pub(crate) fn give_back(scene: &mut Scene, mask: &Gray) {
    let carriers: Vec<Rect> = scene
        .cuts
        .iter()
        .filter(|cut| cut.kind == LayerKind::Panel)
        .map(|cut| cut.rect)
        .collect();
    let (work, rest, painted) = (&scene.work, &mut scene.rest, &mut scene.painted);
    scene.cuts.retain(|cut| {
        let part = mask.crop(cut.rect);
        let mean = part.data.iter().sum::<f32>() / part.data.len() as f32;
        let carried = carriers.iter().any(|panel| panel.union(cut.rect) == *panel);
        let small = cut.rect.h * SMALL < mask.h;
        let printed = cut.kind == LayerKind::Text && !carried && mean > ON_IT && small;
        if printed {
            for y in cut.rect.y..cut.rect.y + cut.rect.h {
                for x in cut.rect.x..cut.rect.x + cut.rect.w {
                    rest.set(x, y, work.at(x, y));
                    painted.set(x, y, 0.0);
                }
            }
        }
        !printed
    });
}
