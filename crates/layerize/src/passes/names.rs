//! Names that say what a layer is: the words of a text, a button, a photo, a shape by its colour.
//!
//! Names are for people; programs go by the kind. Two layers of one name are told apart by where they
//! lie, and where that does not do by a number, bottom first. Invariant: every cut gets a name, and no
//! two the same.

use std::collections::HashMap;

use crate::LayerKind;
use crate::plane::Rect;
use crate::scene::{Cut, Scene};

/// Certainty from which words are a name, and the most signs of one.
const LEGIBLE: f32 = 0.6;
const LONGEST: usize = 40;
/// Largest share of the canvas that a button covers.
const BUTTON: f32 = 0.06;
/// How many times higher than the next text a title is.
const TITLE: f32 = 1.4;

/// Names every cut.
pub(super) fn give(scene: &mut Scene) {
    let canvas = (scene.work.w, scene.work.h);
    let title = title(&scene.cuts);
    let names: Vec<String> = (0..scene.cuts.len())
        .map(|index| base(&scene.cuts, index, title, canvas))
        .collect();
    let mut many: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        many.entry(name).or_default().push(index);
    }
    for (name, indices) in &many {
        let places: Vec<&str> = indices
            .iter()
            .map(|&index| place(scene.cuts[index].rect, canvas))
            .collect();
        let apart = (1..places.len()).all(|at| !places[..at].contains(&places[at]));
        for (number, &index) in indices.iter().enumerate() {
            scene.cuts[index].name = match indices.len() {
                1 => (*name).to_owned(),
                _ if apart => format!("{name} {}", places[number]),
                _ => format!("{name} {}", number + 1),
            };
        }
    }
    // "red shape 2" may be what a text says, too.
    let mut seen = std::collections::HashSet::new();
    for cut in &mut scene.cuts {
        while !seen.insert(cut.name.clone()) {
            cut.name.push('\'');
        }
    }
}

/// The text that is far higher than every other.
fn title(cuts: &[Cut]) -> Option<usize> {
    let mut texts: Vec<usize> = (0..cuts.len())
        .filter(|&index| cuts[index].kind == LayerKind::Text)
        .collect();
    texts.sort_by_key(|&index| std::cmp::Reverse(cuts[index].rect.h));
    match texts[..] {
        [first, second, ..] => {
            let higher = cuts[first].rect.h as f32 >= TITLE * cuts[second].rect.h as f32;
            higher.then_some(first)
        }
        _ => None,
    }
}

fn base(cuts: &[Cut], index: usize, title: Option<usize>, canvas: (usize, usize)) -> String {
    let cut = &cuts[index];
    if !cut.name.is_empty() {
        return cut.name.clone();
    }
    match cut.kind {
        LayerKind::Text => words(cut).unwrap_or_else(|| {
            let name = if title == Some(index) {
                "title"
            } else {
                "text"
            };
            name.to_owned()
        }),
        LayerKind::Panel => match button(cuts, index, canvas) {
            Some(Some(label)) => format!("button {label}"),
            Some(None) => "button".to_owned(),
            None => format!("{} panel", colour(cut)),
        },
        LayerKind::Shape => format!("{} shape", colour(cut)),
        LayerKind::Object if is_photo(cut, canvas) => "photo".to_owned(),
        kind => kind.to_string(),
    }
}

/// The words of a text on one line, if they are sure enough; not too many of them.
fn words(cut: &Cut) -> Option<String> {
    let words = cut.words.as_ref().filter(|words| words.sure >= LEGIBLE)?;
    let plain: String = words
        .text
        .chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect();
    let plain = plain.trim();
    if plain.chars().count() <= LONGEST {
        return (!plain.is_empty()).then(|| plain.to_owned());
    }
    let begin: String = plain.chars().take(LONGEST - 1).collect();
    Some(format!("{}…", begin.trim_end()))
}

/// Whether a panel is a button, with one text alone on it, and what that says.
fn button(cuts: &[Cut], index: usize, canvas: (usize, usize)) -> Option<Option<String>> {
    let rect = cuts[index].rect;
    let on_it = |cut: &&Cut| cut.rect.union(rect) == rect;
    let mut above = cuts[index + 1..].iter().filter(on_it);
    let (only, more) = (above.next()?, above.next());
    (more.is_none() && is_button(&cuts[index], only, canvas)).then(|| words(only))
}

/// Whether a thing is small, wide and carries a text in its middle.
fn is_button(face: &Cut, label: &Cut, canvas: (usize, usize)) -> bool {
    let (own, text) = (face.rect, label.rect);
    let small = own.area() as f32 <= BUTTON * (canvas.0 * canvas.1) as f32;
    let middle = |r: Rect| (r.x * 2 + r.w, r.y * 2 + r.h);
    let ((x, y), (own_x, own_y)) = (middle(text), middle(own));
    let centred = x.abs_diff(own_x) * 4 < own.w && y.abs_diff(own_y) * 2 < own.h;
    small && own.w * 2 >= own.h * 3 && label.kind == LayerKind::Text && centred
}

/// What a button is called whose label becomes one layer with it.
pub(super) fn of_button(face: &Cut, label: &Cut, canvas: (usize, usize)) -> Option<String> {
    let said = words(label).filter(|_| is_button(face, label, canvas))?;
    Some(format!("button {said}"))
}

/// Whether a piece fills its rectangle and is no small thing.
fn is_photo(cut: &Cut, canvas: (usize, usize)) -> bool {
    let covered = cut.alpha.data.iter().sum::<f32>();
    let area = cut.rect.area() as f32;
    covered >= 0.93 * area && area >= 0.02 * (canvas.0 * canvas.1) as f32
}

fn place(rect: Rect, (w, h): (usize, usize)) -> &'static str {
    let third =
        |from: usize, length: usize, all: usize| ((from * 2 + length) * 3 / (2 * all)).min(2);
    let names = [
        ["top left", "top", "top right"],
        ["left", "middle", "right"],
        ["bottom left", "bottom", "bottom right"],
    ];
    names[third(rect.y, rect.h, h)][third(rect.x, rect.w, w)]
}

/// What people call the mean colour of a cut.
fn colour(cut: &Cut) -> &'static str {
    let (mut sum, mut weight) = ([0.0_f32; 3], 1e-6);
    for (colour, &alpha) in cut.paint.data.iter().zip(&cut.alpha.data) {
        for c in 0..3 {
            sum[c] += colour[c] * alpha;
        }
        weight += alpha;
    }
    named(sum.map(|value| value / weight))
}

/// One of eleven names of colours, by hue, saturation and lightness.
fn named([r, g, b]: [f32; 3]) -> &'static str {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let range = high - low;
    if range < 24.0 || range < 0.14 * high {
        return match high {
            h if h < 60.0 => "black",
            h if h > 215.0 => "white",
            _ => "grey",
        };
    }
    let hue = if high == r {
        (g - b) / range
    } else if high == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    } * 60.0;
    match (hue + 360.0) % 360.0 {
        h if !(16.0..344.0).contains(&h) => {
            if high > 190.0 && low > 110.0 {
                "pink"
            } else {
                "red"
            }
        }
        h if h < 42.0 => {
            if high < 170.0 {
                "brown"
            } else {
                "orange"
            }
        }
        h if h < 70.0 => "yellow",
        h if h < 165.0 => "green",
        h if h < 190.0 => "turquoise",
        h if h < 255.0 => "blue",
        h if h < 295.0 => "purple",
        _ => "pink",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::net::words::Words;
    use crate::plane::Plane;
    use crate::scene::Edge;
    use crate::{Cancel, Options, RgbaImage};

    fn cut(kind: LayerKind, rect: (usize, usize, usize, usize), words: Option<&str>) -> Cut {
        let (x, y, w, h) = rect;
        Cut {
            kind,
            confidence: 0.9,
            name: String::new(),
            words: words.map(|text| Words {
                text: text.into(),
                sure: 0.9,
            }),
            rect: Rect { x, y, w, h },
            alpha: Plane::filled(w, h, 1.0),
            paint: Plane::filled(w, h, [30.0, 60.0, 220.0]),
            edge: Edge::Unmix,
        }
    }

    #[test]
    fn names_tell_words_buttons_colours_and_places_and_are_never_the_same() {
        let image = RgbaImage {
            width: 300,
            height: 300,
            pixels: vec![255; 300 * 300 * 4],
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        scene.cuts = vec![
            cut(LayerKind::Shape, (0, 0, 60, 60), None),
            cut(LayerKind::Shape, (240, 0, 60, 60), None),
            cut(LayerKind::Panel, (100, 200, 90, 30), None),
            cut(LayerKind::Text, (120, 208, 50, 14), Some("Buy\nnow")),
            cut(LayerKind::Object, (100, 100, 100, 60), None),
            cut(LayerKind::Text, (100, 20, 100, 40), None),
            cut(LayerKind::Text, (100, 70, 100, 12), Some("photo")),
        ];
        give(&mut scene);
        let names: Vec<&str> = scene.cuts.iter().map(|cut| cut.name.as_str()).collect();
        let wanted = [
            "blue shape top left",
            "blue shape top right",
            "button Buy now",
            "Buy now",
            "photo middle",
            "title",
            "photo top",
        ];
        assert_eq!(names, wanted);
    }
}
