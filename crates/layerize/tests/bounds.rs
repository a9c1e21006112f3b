//! How much memory a split takes, and how much work it does between two looks at the stop flag,
//! both counted by the allocator, so that a busy machine changes nothing.
//!
//! Nearly every step makes a plane of its own, so the bytes asked for since the last look tell how
//! much was done; they take the place of the clock. Alone in its program and one at a time, since
//! the allocator counts for all threads.

#[expect(dead_code, reason = "other programs use the rest")]
mod glowing;

use std::alloc::System;
use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cap::Cap;
use glowing::{PINK, drawn, dusk};
use layerize::{
    Cancel, LayerInfo, LayerSink, Options, Report, RgbaImage, split_into, split_with_report,
};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A nanosecond a byte asked for so far.
fn bytes() -> Duration {
    Duration::from_nanos(MEMORY.total_allocated() as u64)
}

/// A picture that is made when its turn comes.
type Named = (&'static str, fn() -> RgbaImage);

fn load(name: &str) -> RgbaImage {
    let path = format!(
        "{}/../../testdata/images/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let picture = image::open(path).expect("test image").to_rgba8();
    RgbaImage {
        width: picture.width(),
        height: picture.height(),
        pixels: picture.into_raw(),
    }
}

/// Every pixel `by` times in both directions.
fn enlarged(image: &RgbaImage, by: u32) -> RgbaImage {
    let (width, height) = (image.width * by, image.height * by);
    // No more than it ends up as is asked for on the way: the most held is counted.
    let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
    for y in 0..height {
        pixels.extend((0..width).flat_map(|x| image.pixel(x / by, y / by)));
    }
    RgbaImage {
        width,
        height,
        pixels,
    }
}

/// Hooks within hooks, each about as large as the picture: every thing found takes as much memory
/// as a whole canvas.
fn hooks(side: u32, count: u32) -> RgbaImage {
    let mut pixels = Vec::with_capacity((side * side * 4) as usize);
    for y in 0..side {
        for x in 0..side {
            let place = (x.min(y) * 1024 / side).saturating_sub(40);
            let end = x.max(y) * 1024 / side < 1000;
            let odd = end && place / 16 % 2 == 1 && place / 32 < count;
            let colour = if odd {
                [30, 60 + (place / 8) as u8, 160]
            } else {
                [240, 236, 220]
            };
            pixels.extend([colour[0], colour[1], colour[2], 255]);
        }
    }
    RgbaImage {
        width: side,
        height: side,
        pixels,
    }
}

fn report_of<'a>(image: impl Into<Cow<'a, RgbaImage>>) -> Report {
    let options = Options {
        threads: Some(1),
        clock: bytes,
        ..Options::default()
    };
    let (_, report) =
        split_with_report(image, &options, &mut |_| {}, &Cancel::default()).expect("splits");
    report
}

/// Most bytes asked for between two looks: a stage of a network, which rten runs as a whole, and
/// anything else, where they are about ten planes of the work size.
const OF_A_NETWORK: u128 = 52_000_000;
const OF_OTHERS: u128 = 44_000_000;

#[test]
fn the_work_between_two_looks_at_the_flag_is_bounded() {
    let _turn = turn();
    Options::default().networks.warm_up().expect("models load");
    let pictures: [Named; 7] = [
        ("coffee", || enlarged(&load("coffee.png"), 2)),
        ("a large portrait", || enlarged(&load("astronaut.png"), 6)),
        ("stars", || load("hubble_deep_field.jpg")),
        ("poster", || load("design_poster.png")),
        ("card", || load("design_card.png")),
        ("hooks", || hooks(1024, 6)),
        ("a title that glows", || {
            let title = drawn(dusk, [255.0, 240.0, 200.0], Some(PINK));
            enlarged(&title.image, 2)
        }),
    ];
    for (name, picture) in pictures {
        for pass in report_of(picture()).passes {
            let network = ["text", "subject"].contains(&pass.pass);
            let most = if network { OF_A_NETWORK } else { OF_OTHERS };
            let asked = pass.deaf.as_nanos();
            assert!(asked <= most, "{name}, {}: {asked} bytes", pass.pass);
        }
    }
}

/// Most bytes held at once above what the caller held.
const PEAK: usize = 280_000_000;

/// One test, since the most held since the program began is what the allocator tells: what holds
/// the largest picture comes last.
#[test]
fn a_split_takes_a_bounded_amount_of_memory() {
    let _turn = turn();
    layers_that_are_kept();
    layers_that_are_written_away_are_not_joined_for_their_memory();
}

fn layers_that_are_kept() {
    let portrait = || enlarged(&load("astronaut.png"), 9);
    let pictures: [(bool, Named); 7] = [
        (false, ("card", || load("design_card.png"))),
        (false, ("coffee", || enlarged(&load("coffee.png"), 2))),
        (false, ("few hooks", || hooks(1024, 7))),
        (false, ("many hooks", || hooks(1024, 28))),
        (false, ("a large portrait", portrait)),
        (true, ("a large portrait, lent", portrait)),
        (false, ("large hooks", || hooks(7070, 7))),
    ];
    for (lent, (name, picture)) in pictures {
        let picture = picture();
        let before = MEMORY.allocated();
        let report = if lent {
            report_of(&picture)
        } else {
            report_of(picture)
        };
        // The most since the program began, so it may be that of an earlier picture: no less than
        // what is asked for, and the pictures grow.
        let (peak, found) = (MEMORY.max_allocated() - before, report.found);
        assert!(peak <= PEAK, "{name}: {peak} bytes for {found} layers");
    }
}

/// Counts layers and writes them nowhere.
#[derive(Default)]
struct Counted(usize);

impl LayerSink for Counted {
    fn begin(&mut self, _: LayerInfo) {}
    fn rows(&mut self, _: &[u8]) {}
    fn end(&mut self, seen: bool) {
        self.0 += usize::from(seen);
    }
}

fn layers_that_are_written_away_are_not_joined_for_their_memory() {
    let picture = hooks(7070, 7);
    let before = MEMORY.allocated();
    let (options, cancel) = (Options::default(), Cancel::default());
    let mut counted = Counted::default();
    split_into(picture, &options, &mut |_| {}, &cancel, &mut counted).expect("splits");
    // A single hook has more pixels than all layers may that are kept: these would be joined to one.
    // The seven hooks and the background, as at 1024.
    assert_eq!(counted.0, 8);
    let peak = MEMORY.max_allocated() - before;
    assert!(peak <= PEAK, "{peak} bytes");
}
