//! A picture's true layers, and which of them came out: each by itself, or together with what it belongs to.
//!
//! A file of `truth/NAME/` is named by what it is part of: `list.label3#1.png` is the second line of the third label of the
//! list. Unless lines are asked for, lines are one block. A group is all that is part of one thing (`list`), or a row of
//! things whose names differ by their numbers alone (`list.label*`). A group came out whole if a layer agrees with it and no
//! layer above that holds a part of it by itself. Invariant: what is part of nothing is counted as it always was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use layerize::{Layer, RgbaImage};

/// Agreement from which two are the same, and the share of a part that another layer holds.
const SAME: f64 = 0.5;
/// Agreement with its group from which a part is what carries it.
const CARRIER: f64 = 0.8;

/// What came out of one picture.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) layers: usize,
    /// True layers that came out by themselves.
    pub(crate) hits: usize,
    /// Layers that came out and are a true one or a whole group.
    pub(crate) meant: usize,
    /// Things that are part of nothing else, and how many of them came out, by themselves, in whole or in parts.
    pub(crate) things: usize,
    pub(crate) kept: f64,
    /// A line about each true layer that did not come out, and about each layer that is none.
    pub(crate) missed: Vec<String>,
}

/// Compares what came out of the picture at `path` with the files beside it.
pub(crate) fn compare(path: &Path, image: &RgbaImage, layers: &[Layer], lines: bool) -> Truth {
    let folder = path.with_file_name("truth");
    let Ok(entries) = fs::read_dir(folder.join(path.file_stem().unwrap_or_default())) else {
        return Truth::default();
    };
    let files = entries.map(|entry| entry.expect("an entry").path());
    let parts = parts(files, lines);
    let found: Vec<Vec<f64>> = layers[1..]
        .iter()
        .map(|layer| layer.to_canvas(image.width, image.height))
        .map(|canvas| coverage(canvas.pixels.iter().skip(3).step_by(4).copied()))
        .collect();
    let mut came = Came::default();
    came.alone(&parts, &found);
    for (name, members) in groups(&parts) {
        came.together(&name, &members, &parts, &found);
    }
    let tops: BTreeSet<&str> = parts.keys().map(|name| top(name)).collect();
    let missed = parts.iter().filter(|(name, _)| !came.names.contains(*name));
    let missed =
        missed.map(|(name, mask)| format!("   missed {name}: {}", why(mask, &found, layers)));
    let spare = (0..found.len()).filter(|l| !came.layers.contains(l));
    let spare = spare.map(|l| {
        let share = 100.0 * found[l].iter().sum::<f64>() / found[l].len() as f64;
        format!("   spare {}: {share:.2} %", layers[l + 1].name)
    });
    Truth {
        layers: parts.len(),
        hits: came.hits,
        meant: came.layers.len(),
        things: tops.len(),
        kept: tops.iter().map(|name| came.kept(name, &parts)).sum(),
        missed: missed.chain(spare).collect(),
    }
}

type Parts = BTreeMap<String, Vec<f64>>;

fn parts(files: impl Iterator<Item = PathBuf>, lines: bool) -> Parts {
    let mut parts = Parts::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let block = name.split('#').next().unwrap_or_default();
        let name = if lines { &name } else { block };
        let mask = coverage(
            image::open(&file)
                .expect("a mask")
                .to_luma8()
                .into_raw()
                .into_iter(),
        );
        let own = parts
            .entry(name.to_owned())
            .or_insert_with(|| vec![0.0; mask.len()]);
        union(own, &mask);
    }
    parts.retain(|_, mask| mask.iter().sum::<f64>() >= 1.0);
    parts
}

fn union(own: &mut [f64], mask: &[f64]) {
    for (sum, value) in own.iter_mut().zip(mask) {
        *sum = sum.max(*value);
    }
}

fn top(name: &str) -> &str {
    name.split(['.', '#']).next().unwrap_or_default()
}

/// The names of each group and of its members.
fn groups(parts: &Parts) -> BTreeMap<String, Vec<&str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in parts.keys() {
        let mut keys: BTreeSet<String> = BTreeSet::new();
        keys.extend(
            name.match_indices(['.', '#'])
                .map(|(at, _)| name[..at].to_owned()),
        );
        keys.insert(numberless(name));
        if let Some((of, own)) = name.rsplit_once('.') {
            keys.insert(format!("{of}.{}", numberless(own)));
        }
        keys.remove(name);
        for key in keys {
            groups.entry(key).or_default().push(name);
        }
    }
    groups.retain(|name, members| !name.contains('*') || members.len() > 1);
    groups
}

/// A name with a star for every number.
fn numberless(name: &str) -> String {
    let mut stars = String::new();
    for sign in name.chars() {
        if !sign.is_ascii_digit() {
            stars.push(sign);
        } else if !stars.ends_with('*') {
            stars.push('*');
        }
    }
    stars
}

/// What came out.
#[derive(Default)]
struct Came {
    names: BTreeSet<String>,
    layers: BTreeSet<usize>,
    hits: usize,
}

impl Came {
    /// True layers by themselves, each layer once, the best first.
    fn alone(&mut self, parts: &Parts, found: &[Vec<f64>]) {
        let mut pairs = Vec::new();
        for (l, own) in found.iter().enumerate() {
            pairs.extend(
                parts
                    .iter()
                    .map(|(name, mask)| (overlap(mask, own), name, l)),
            );
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (agreement, name, l) in pairs {
            if agreement >= SAME && !self.names.contains(name) && !self.layers.contains(&l) {
                self.names.insert(name.clone());
                self.layers.insert(l);
                self.hits += 1;
            }
        }
    }

    /// A group in one layer.
    fn together(&mut self, name: &str, members: &[&str], parts: &Parts, found: &[Vec<f64>]) {
        let mut whole = vec![0.0; parts[members[0]].len()];
        members
            .iter()
            .for_each(|member| union(&mut whole, &parts[*member]));
        let inner: Vec<&Vec<f64>> = members
            .iter()
            .map(|member| &parts[*member])
            .filter(|mask| overlap(mask, &whole) < CARRIER)
            .collect();
        for (l, own) in found.iter().enumerate() {
            let apart =
                |mask: &&Vec<f64>| found[l + 1..].iter().any(|upper| held(mask, upper) > SAME);
            if overlap(&whole, own) >= SAME && !inner.iter().any(apart) {
                self.layers.insert(l);
                self.names.insert(name.to_owned());
                self.names
                    .extend(members.iter().map(|&member| member.to_owned()));
            }
        }
    }

    /// How much of a thing came out: all of it if in whole, else the mean of its parts.
    fn kept(&self, name: &str, parts: &Parts) -> f64 {
        if self.names.contains(name) {
            return 1.0;
        }
        let below = parts.keys().filter_map(|part| {
            let rest = part.strip_prefix(name)?.strip_prefix(['.', '#'])?;
            Some(&part[..part.len() - rest.len() + top(rest).len()])
        });
        let below: BTreeSet<&str> = below.collect();
        let sum: f64 = below.iter().map(|part| self.kept(part, parts)).sum();
        sum / below.len().max(1) as f64
    }
}

/// The share of a part that a layer holds.
fn held(mask: &[f64], layer: &[f64]) -> f64 {
    let both: f64 = mask.iter().zip(layer).map(|(a, b)| a.min(*b)).sum();
    both / mask.iter().sum::<f64>().max(1.0)
}

/// Where a true layer that was not found is: in the background, or in layers that hold too little of it or too much else.
fn why(truth: &[f64], found: &[Vec<f64>], layers: &[Layer]) -> String {
    let size: f64 = truth.iter().sum();
    let mut parts: Vec<(f64, f64, usize)> = Vec::new();
    for (l, own) in found.iter().enumerate() {
        let both: f64 = truth.iter().zip(own).map(|(a, b)| a.min(*b)).sum();
        let all: f64 = own.iter().sum();
        parts.push((both / size.max(1.0), both / all.max(1.0), l));
    }
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let parts = parts.iter().filter(|(held, _, _)| *held > 0.2).take(3);
    let parts: Vec<String> = parts
        .map(|(held, pure, l)| format!("{} holds {held:.2}, {pure:.2} of it", layers[l + 1].name))
        .collect();
    let share = 100.0 * size / truth.len() as f64;
    let place = if parts.is_empty() {
        "background".into()
    } else {
        parts.join("; ")
    };
    format!("{share:.2} % {place}")
}

fn coverage(values: impl Iterator<Item = u8>) -> Vec<f64> {
    values.map(|value| f64::from(value) / 255.0).collect()
}

pub(crate) fn overlap(one: &[f64], other: &[f64]) -> f64 {
    let pairs = one.iter().zip(other);
    let (both, either) = pairs.fold((0.0, 0.0), |(both, either), (a, b)| {
        (both + a.min(*b), either + a.max(*b))
    });
    if either == 0.0 { 0.0 } else { both / either }
}
