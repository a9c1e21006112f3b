//! What belongs together where a list has no room for every thing: which two layers a person would miss least as two.
//!
//! Cheapest are things that repeat (labels, switches, prices, cards: alike, on one line or under each other), then what lies
//! on a small carrier (the label of a button), then neighbours on one carrier. What is large or has large letters is dear.
//! Nothing is joined here. Invariant: the cost of two does not depend on the picture's size.

use super::blocks::{Set, letters, mean_colour};
use super::compared::compared;
use crate::context::Context;
use crate::plane::{Rect, max_difference};
use crate::scene::Cut;
use crate::{Error, LayerKind};

/// What the cost of two is multiplied with: things that repeat in one colour or in two, that are alike elsewhere, text and
/// other text, things of other kinds, text and what it does not lie on, a shadow and what casts it.
const REPEATED: f32 = 0.25;
const RECOLOURED: f32 = 0.3;
const ALIKE: f32 = 0.5;
const TEXTS: f32 = 0.9;
const OTHERS: f32 = 1.0;
const CROSSED: f32 = 1.4;
const SHADE: f32 = 0.3;
/// The same for a text on a small carrier, for other things on a carrier, and for things on one so large that it is a place.
const LABEL: f32 = 0.3;
const CARRIED: f32 = 0.4;
const PLACED: f32 = 1.3;
/// Shares of the canvas of a small carrier and of such a place, and of the largest thing that repeats by one of its sides.
const SMALL: f32 = 0.03;
const PLACE: f32 = 0.15;
const BAR: f32 = 0.04;
/// Share of the canvas below which a layer is a crumb, and what remains of its cost then, unless it repeats.
const CRUMB: f32 = 0.001;
const SLIGHT: f32 = 0.5;
/// For two on one carrier, and on different ones; and what a gap adds that is as wide or high as the canvas.
const BESIDE: f32 = 0.75;
const APART: f32 = 1.4;
const GAP: f32 = 6.0;
/// How alike sizes of letters, and the sides of things, must be, and one side if the colours are the same.
const LETTERS: f32 = 0.84;
const SIDES: f32 = 0.8;
const SIDE: f32 = 0.9;
/// How much longer one of two texts that repeat may be.
const LONGER: f32 = 5.0;
/// Levels within which two colours are one.
const COLOUR: f32 = 60.0;
/// Part of the canvas's longer side by which aligned things may be off.
const ALIGNED: f32 = 0.012;
/// How many times as large as a thing its carrier is, how full, and by how many pixels the thing may stand out.
const CARRIER: f32 = 1.3;
const FULL: f32 = 0.8;
const OUT: usize = 3;

/// Layers that were joined, or one.
pub(super) struct Member {
    kind: LayerKind,
    /// How much all of it would be missed, and the most important of its things.
    importance: f32,
    /// The places of its things, soft edges included, and what is drawn of them.
    places: Vec<Rect>,
    drawn: Vec<Rect>,
    /// Size of the letters, or height, and width of the largest thing, in pixels.
    size: (f32, f32),
    /// Whether its text has several lines.
    block: bool,
    colour: [f32; 3],
    /// Covered pixels: all, and of the largest thing.
    area: f32,
    largest: f32,
    /// The numbers of its things, what carries all of them, and whether each is carried by something.
    things: Vec<usize>,
    carrier: Option<usize>,
    carried: bool,
}

impl Member {
    /// All cuts of a scene, bottom first.
    pub(super) fn all(cuts: &[Cut], ctx: &Context<'_>) -> Result<Vec<Self>, Error> {
        let mut members = Vec::with_capacity(cuts.len());
        for cut in cuts {
            ctx.check()?;
            members.push(Self::of(cut));
        }
        for index in 0..members.len() {
            ctx.check()?;
            let member = &members[index];
            let carries = |other: &&Self| {
                compared();
                let place = other.drawn[0];
                let solid = !matches!(other.kind, LayerKind::Text | LayerKind::Shadow);
                let room = place.area() as f32 > CARRIER * member.drawn[0].area() as f32;
                let full = other.area > FULL * place.area() as f32;
                solid && room && full && lies_in(member.drawn[0], place)
            };
            let carrier = members[..index].iter().filter(carries);
            let carrier = carrier.min_by_key(|other| other.drawn[0].area());
            let carrier = carrier.map(|other| other.things[0]);
            members[index].things = vec![index];
            members[index].carrier = carrier;
            members[index].carried = carrier.is_some();
        }
        Ok(members)
    }

    fn of(cut: &Cut) -> Self {
        let drawn = letters(cut);
        let text = cut.words.as_ref().map_or("", |words| words.text.as_str());
        let area = covered(cut);
        let set = Set::of_block(drawn, text).filter(|_| cut.kind == LayerKind::Text);
        Self {
            kind: cut.kind,
            importance: importance(cut.kind, area),
            places: vec![cut.rect],
            drawn: vec![drawn],
            size: (set.unwrap_or(drawn.h as f32), drawn.w as f32),
            block: text.contains('\n'),
            colour: mean_colour(cut),
            area,
            largest: area,
            things: Vec::new(),
            carrier: None,
            carried: false,
        }
    }

    /// Two as one, of which `cut` is the joined layer.
    pub(super) fn join(low: Self, high: Self, cut: &Cut) -> Self {
        let area = covered(cut);
        let carrier = low.carrier;
        let one = low.carries(&high) || carrier == high.carrier;
        let (mut main, other) = if low.area >= high.area {
            (low, high)
        } else {
            (high, low)
        };
        main.places.extend(other.places);
        main.drawn.extend(other.drawn);
        main.things.extend(other.things);
        main.kind = cut.kind;
        main.importance = importance(cut.kind, area);
        main.area = area;
        main.carrier = carrier.filter(|_| one);
        main.carried &= other.carried;
        main
    }

    /// Whether another lies on one of its things.
    pub(super) fn carries(&self, other: &Self) -> bool {
        other.carrier.is_some_and(|id| self.things.contains(&id))
    }

    /// Whether it lies over or under another somewhere.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let mut pairs = self.pairs(&other.places, &self.places);
        pairs.any(|(a, b)| a.overlaps(b))
    }

    fn pairs<'a>(
        &self,
        theirs: &'a [Rect],
        own: &'a [Rect],
    ) -> impl Iterator<Item = (Rect, Rect)> + use<'a> {
        own.iter()
            .flat_map(move |&a| theirs.iter().map(move |&b| (a, b)))
            .inspect(|_| compared())
    }

    /// How much would be lost if two, `low` under `high`, were one layer.
    pub(super) fn cost(low: &Self, high: &Self, (w, h): (usize, usize)) -> f32 {
        let canvas = (w * h) as f32;
        let crumb = low.area.min(high.area) < CRUMB * canvas;
        let least = low.importance.min(high.importance) * if crumb { SLIGHT } else { 1.0 };
        if low.carries(high) {
            let each = low.area / low.things.len() as f32;
            return least
                * if low.area > PLACE * canvas {
                    PLACED
                } else if high.kind == LayerKind::Text && each < SMALL * canvas {
                    LABEL
                } else {
                    CARRIED
                };
        }
        let gaps = low.pairs(&high.drawn, &low.drawn);
        let gaps = gaps.map(|(a, b)| {
            gap((a.x, a.w), (b.x, b.w)) as f32 / w as f32
                + gap((a.y, a.h), (b.y, b.h)) as f32 / h as f32
        });
        let far = 1.0 + GAP * gaps.fold(f32::MAX, f32::min);
        let beside = low.carrier == high.carrier;
        if low.kind == LayerKind::Shadow {
            return least * SHADE * far;
        }
        let alike = low.like(high, BAR * canvas);
        let aligned = || {
            let within = ALIGNED * w.max(h) as f32;
            let mut pairs = low.pairs(&high.drawn, &low.drawn);
            pairs.any(|(a, b)| {
                aligned((a.x, a.w), (b.x, b.w), within) || aligned((a.y, a.h), (b.y, b.h), within)
            })
        };
        if let Some(one_colour) = alike.filter(|_| low.carried == high.carried && aligned()) {
            // A row costs what one more of it does, however long it is.
            let each = |member: &Self| member.importance / (member.things.len() as f32).sqrt();
            let kind = if one_colour { REPEATED } else { RECOLOURED };
            let beside = if beside { BESIDE } else { 1.0 };
            return each(low).min(each(high)) * kind * far * beside;
        }
        let texts = [low, high].map(|member| member.kind == LayerKind::Text);
        let kinds = match (alike, texts) {
            (Some(true), _) => ALIKE,
            (_, [true, true]) => TEXTS,
            (_, [false, false]) => OTHERS,
            _ => CROSSED,
        };
        least * kinds * far * if beside { BESIDE } else { APART }
    }

    /// Whether two are of one kind and size, and if so whether of one colour. Things no larger than `bar` may also share a
    /// side and the colour.
    fn like(&self, other: &Self, bar: f32) -> Option<bool> {
        let text = self.kind == LayerKind::Text;
        if text != (other.kind == LayerKind::Text) {
            return None;
        }
        let one_colour = max_difference(self.colour, other.colour) < COLOUR;
        let ratio = |a: f32, b: f32| a.min(b) / a.max(b).max(1.0);
        let (high, wide) = (
            ratio(self.size.0, other.size.0),
            ratio(self.size.1, other.size.1),
        );
        let alike = if text {
            high > LETTERS && wide * LONGER > 1.0 && self.block == other.block
        } else {
            let small = self.largest.max(other.largest) < bar;
            let solid = |kind| matches!(kind, LayerKind::Shape | LayerKind::Panel);
            let bars = small && one_colour && solid(self.kind) && solid(other.kind);
            high.min(wide) > SIDES || bars && high.max(wide) > SIDE
        };
        alike.then_some(one_colour)
    }
}

/// How much a thing would be missed: by its area, and what it is.
fn importance(kind: LayerKind, area: f32) -> f32 {
    let weight = match kind {
        LayerKind::Text => 4.0,
        LayerKind::Subject | LayerKind::Object => 3.0,
        LayerKind::Panel | LayerKind::Shape | LayerKind::Background => 1.0,
        LayerKind::Shadow => 0.5,
    };
    weight * area.sqrt()
}

fn covered(cut: &Cut) -> f32 {
    cut.alpha.data.iter().sum()
}

fn gap((a, al): (usize, usize), (b, bl): (usize, usize)) -> usize {
    a.max(b).saturating_sub((a + al).min(b + bl))
}

/// Whether two stretches begin, end or have their middle at about the same place.
fn aligned((a, al): (usize, usize), (b, bl): (usize, usize), within: f32) -> bool {
    let off = |a: usize, b: usize| a.abs_diff(b) as f32;
    off(a, b) < within || off(a + al, b + bl) < within || off(2 * a + al, 2 * b + bl) < 2.0 * within
}

fn lies_in(inner: Rect, outer: Rect) -> bool {
    inner.x + OUT >= outer.x
        && inner.y + OUT >= outer.y
        && inner.x + inner.w <= outer.x + outer.w + OUT
        && inner.y + inner.h <= outer.y + outer.h + OUT
}
