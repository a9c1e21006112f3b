//! What is no layer to a person: shadows that nobody sees, and crumbs.
//!
//! Small pieces that stand together (an icon, scattered dots) become one; what is still a crumb
//! then stays on what it lies on. Lettering always comes off, in a list small print together. A caller that asks for lines and for more
//! layers than a list usually has gets repeated things (the rules of a list, a row of dots) apart, and icons whole. Invariant: the
//! picture is the same, for a cut that is left out is not peeled off.

use super::compared::compared;
use crate::context::Context;
use crate::plane::Rect;
use crate::scene::{Cut, Scene, join};
use crate::{Error, LayerKind};

/// Share of the canvas below which a piece is joined with such pieces near by, and below which what
/// is left alone is a crumb.
const SMALL: f32 = 0.003;
const CRUMB: f32 = 0.001;
/// How near is near: a part of the canvas's longer side, or of the larger piece's own.
const NEAR: f32 = 0.025;
const OWN: f32 = 0.6;
/// The side of an icon at most, as a part of the canvas's longer side, how many times longer than high it may be, and
/// the share of the canvas below which it is a crumb, where many layers are asked for.
const ICON: f32 = 0.12;
const SQUARE: usize = 2;
const SPECK: f32 = 0.0001;
/// Gap between words of small print that may be one layer, as a part of the canvas's longer side.
const APART: f32 = 0.25;
/// Gap between the bars of one row, such as a bar code, as a part of their length.
const BARS: f32 = 0.1;
/// Coverage a shadow must reach, and the share of the canvas all of it must amount to.
const SEEN: f32 = 0.06;
const SHADE: f32 = 0.0008;

/// Joins and leaves out.
pub(super) fn sweep(scene: &mut Scene, ctx: &Context<'_>) -> Result<(), Error> {
    let canvas = (scene.work.w * scene.work.h) as f32;
    let longest = scene.work.w.max(scene.work.h) as f32;
    scene.cuts.retain(|cut| {
        let most = cut.alpha.data.iter().copied().fold(0.0, f32::max);
        cut.kind != LayerKind::Shadow || (most >= SEEN && share(cut, canvas) >= SHADE)
    });
    ctx.check()?;
    let many = ctx.options.each_thing();
    let near = |a: Rect, b: Rect| {
        together(a, b, longest) && (!many || is_icon(a.union(b), longest) || is_row(a, b))
    };
    let mut small: Vec<bool> = scene.cuts.iter().map(|cut| is_small(cut, canvas)).collect();
    while let Some((low, high)) = pair(&scene.cuts, &small, near, ctx)? {
        ctx.check()?;
        let top = scene.cuts.remove(high);
        small.remove(high);
        scene.cuts[low] = join(&scene.cuts[low], &top);
    }
    scene.cuts.retain(|cut| {
        let thing = matches!(
            cut.kind,
            LayerKind::Text | LayerKind::Subject | LayerKind::Shadow
        );
        thing || share(cut, canvas) >= if many { SPECK } else { CRUMB }
    });
    Ok(())
}

/// Joins texts that would be crumbs with the nearest such texts, until they are none: a few words of small print have no line
/// of a list each. One that is left alone stays.
pub(super) fn join_small_print(
    cuts: &mut Vec<Cut>,
    (w, h): (usize, usize),
    ctx: &Context<'_>,
) -> Result<(), Error> {
    let is_crumb = |cut: &Cut| cut.kind == LayerKind::Text && share(cut, (w * h) as f32) < CRUMB;
    let mut crumbs: Vec<bool> = cuts.iter().map(is_crumb).collect();
    let near = APART * w.max(h) as f32;
    while let Some((low, high)) = nearest(cuts, &crumbs, near, ctx)? {
        let top = cuts.remove(high);
        crumbs.remove(high);
        cuts[low] = join(&cuts[low], &top);
        crumbs[low] = is_crumb(&cuts[low]);
    }
    Ok(())
}

/// The two of these between which the gap is least and nothing lies in the stack.
fn nearest(
    cuts: &[Cut],
    these: &[bool],
    within: f32,
    ctx: &Context<'_>,
) -> Result<Option<(usize, usize)>, Error> {
    let mut best = (within, None);
    for low in (0..cuts.len()).filter(|&low| these[low]) {
        ctx.check()?;
        for high in (low + 1..cuts.len()).filter(|&high| these[high]) {
            let gap = apart(cuts[low].rect, cuts[high].rect);
            if gap < best.0 && may_go_down(cuts, low, high) {
                best = (gap, Some((low, high)));
            }
        }
    }
    Ok(best.1)
}

/// Whether nothing between two in the stack meets the upper one, which would go down.
pub(super) fn may_go_down(cuts: &[Cut], low: usize, high: usize) -> bool {
    let mut between = cuts[low + 1..high].iter();
    !between.any(|cut| {
        compared();
        cut.rect.overlaps(cuts[high].rect)
    })
}

fn share(cut: &Cut, canvas: f32) -> f32 {
    cut.alpha.data.iter().sum::<f32>() / canvas
}

fn is_small(cut: &Cut, canvas: f32) -> bool {
    let kind = matches!(
        cut.kind,
        LayerKind::Shape | LayerKind::Panel | LayerKind::Object
    );
    kind && share(cut, canvas) < SMALL
}

/// Two small pieces that stand together and between which nothing lies in the stack.
fn pair(
    cuts: &[Cut],
    small: &[bool],
    near: impl Fn(Rect, Rect) -> bool,
    ctx: &Context<'_>,
) -> Result<Option<(usize, usize)>, Error> {
    for low in 0..cuts.len() {
        if !small[low] {
            continue;
        }
        ctx.check()?;
        for high in low + 1..cuts.len() {
            compared();
            if small[high] && near(cuts[low].rect, cuts[high].rect) && may_go_down(cuts, low, high)
            {
                return Ok(Some((low, high)));
            }
        }
    }
    Ok(None)
}

/// Whether two stand much closer than they are long.
fn is_row(a: Rect, b: Rect) -> bool {
    let long = a.w.max(a.h).min(b.w.max(b.h));
    apart(a, b) <= BARS * long as f32
}

/// The gap between two rectangles, the larger of both directions.
fn apart(a: Rect, b: Rect) -> f32 {
    let gap =
        |a: usize, al: usize, b: usize, bl: usize| a.max(b).saturating_sub((a + al).min(b + bl));
    gap(a.x, a.w, b.x, b.w).max(gap(a.y, a.h, b.y, b.h)) as f32
}

fn together(a: Rect, b: Rect, longest: f32) -> bool {
    let apart = apart(a, b);
    let own = a.w.min(a.h).max(b.w.min(b.h)) as f32;
    apart <= (OWN * own).min(2.0 * NEAR * longest).max(NEAR * longest)
}

/// Whether a rectangle is as small and about as long as high as an icon.
fn is_icon(rect: Rect, longest: f32) -> bool {
    let (long, short) = (rect.w.max(rect.h), rect.w.min(rect.h));
    long as f32 <= ICON * longest && long <= SQUARE * short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Plane;
    use crate::scene::Edge;
    use crate::{Cancel, Options, RgbaImage};

    fn cut(kind: LayerKind, x: usize, y: usize, side: usize, alpha: f32) -> Cut {
        Cut {
            kind,
            confidence: 0.9,
            name: String::new(),
            words: None,
            rect: Rect {
                x,
                y,
                w: side,
                h: side,
            },
            alpha: Plane::filled(side, side, alpha),
            paint: Plane::filled(side, side, [10.0; 3]),
            edge: Edge::Unmix,
        }
    }

    #[test]
    fn rules_of_a_list_stay_apart_where_every_thing_is_asked_for_and_icons_and_bar_codes_do_not() {
        let image = RgbaImage {
            width: 400,
            height: 400,
            pixels: vec![255; 400 * 400 * 4],
        };
        let options = Options {
            text: crate::TextLayers::Lines,
            max_layers: Some(100),
            ..Options::default()
        };
        let cancel = Cancel::default();
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        let bar = |x: usize, y: usize, w: usize, h: usize| Cut {
            rect: Rect { x, y, w, h },
            alpha: Plane::filled(w, h, 1.0),
            paint: Plane::filled(w, h, [10.0; 3]),
            ..cut(LayerKind::Shape, 0, 0, 1, 1.0)
        };
        scene.cuts = vec![
            bar(20, 20, 60, 2),
            bar(20, 30, 60, 2),
            bar(200, 20, 16, 4),
            bar(200, 28, 16, 4),
            bar(300, 20, 3, 50),
            bar(307, 20, 2, 50),
            bar(20, 300, 5, 5),
        ];
        sweep(&mut scene, &ctx).expect("not cancelled");
        assert_eq!(scene.cuts.len(), 5, "two rules, an icon, a bar code, a dot");
        let mut usual = Scene::new(&image, &ctx).expect("not cancelled");
        usual.cuts = vec![bar(20, 20, 60, 2), bar(20, 30, 60, 2), bar(20, 300, 5, 5)];
        let (options, mut heard) = (Options::default(), |_| {});
        let ctx = Context::new(&options, &mut heard, &cancel);
        sweep(&mut usual, &ctx).expect("not cancelled");
        assert_eq!(usual.cuts.len(), 1, "one thing of two rules, and no dot");
    }

    #[test]
    fn a_small_thing_on_a_panel_does_not_go_behind_it_to_another_beside_the_panel() {
        let image = RgbaImage {
            width: 400,
            height: 400,
            pixels: vec![255; 400 * 400 * 4],
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        scene.cuts = vec![
            cut(LayerKind::Shape, 80, 120, 18, 1.0),
            cut(LayerKind::Panel, 100, 100, 150, 1.0),
            cut(LayerKind::Shape, 104, 120, 18, 1.0),
        ];
        sweep(&mut scene, &ctx).expect("not cancelled");
        let kinds: Vec<LayerKind> = scene.cuts.iter().map(|cut| cut.kind).collect();
        assert_eq!(
            kinds,
            [LayerKind::Shape, LayerKind::Panel, LayerKind::Shape]
        );
    }

    #[test]
    fn dots_that_stand_together_are_one_and_a_lone_crumb_and_a_faint_shade_are_none() {
        let image = RgbaImage {
            width: 400,
            height: 400,
            pixels: vec![255; 400 * 400 * 4],
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        scene.cuts = vec![
            cut(LayerKind::Shadow, 0, 0, 200, 0.03),
            cut(LayerKind::Panel, 0, 200, 150, 1.0),
            cut(LayerKind::Shape, 20, 20, 12, 1.0),
            cut(LayerKind::Shape, 40, 20, 12, 1.0),
            cut(LayerKind::Text, 200, 20, 4, 1.0),
            cut(LayerKind::Shape, 60, 22, 12, 1.0),
            cut(LayerKind::Shape, 350, 350, 8, 1.0),
        ];
        sweep(&mut scene, &ctx).expect("not cancelled");
        let left: Vec<(LayerKind, usize)> = scene.cuts.iter().map(|c| (c.kind, c.rect.w)).collect();
        let wanted = [
            (LayerKind::Panel, 150),
            (LayerKind::Shape, 52),
            (LayerKind::Text, 4),
        ];
        assert_eq!(left, wanted);
    }
}
