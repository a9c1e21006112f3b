//! Small lettering on a thing itself (a name tag, a label): a part of the thing, not text on the
//! picture.
//!
//! Invariant: what is given back is seen in the rest again, as if it had never been cut.

use crate::LayerKind;
use crate::plane::{Gray, Rect};
use crate::scene::Scene;

/// Least mean of the mask under lettering that is taken for a part of the thing.
const ON_IT: f32 = 0.6;
/// Lettering is small below these parts of the picture's height and width. A title is wide.
const SMALL: (usize, usize) = (11, 4);

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
        let small = cut.rect.h * SMALL.0 < mask.h && cut.rect.w * SMALL.1 < mask.w;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::plane::Plane;
    use crate::scene::{Cut, Edge};
    use crate::{Cancel, Options, RgbaImage};

    #[test]
    fn a_name_tag_goes_back_and_a_title_stays() {
        let image = RgbaImage {
            width: 400,
            height: 300,
            pixels: vec![90; 400 * 300 * 4],
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        let (tag, title) = ((60, 12), (160, 24));
        for (w, h) in [tag, title] {
            let rect = Rect {
                x: 100,
                y: 100,
                w,
                h,
            };
            let cut = Cut {
                kind: LayerKind::Text,
                confidence: 1.0,
                name: String::new(),
                words: None,
                rect,
                alpha: Plane::filled(w, h, 1.0),
                paint: Plane::filled(w, h, [0.0; 3]),
                edge: Edge::Soft,
            };
            scene.take(cut, &Plane::filled(w, h, [255.0; 3]));
        }
        give_back(&mut scene, &Plane::filled(400, 300, 1.0));
        let left: Vec<usize> = scene.cuts.iter().map(|cut| cut.rect.w).collect();
        assert_eq!(left, [title.0]);
    }
}
