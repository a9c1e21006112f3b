//! What must hold of every raised stack.

use std::cell::Cell;

use layer_upsample::{Band, Error, Report, Sink, SmallLayer, Source, raise};
use proptest::prelude::*;

#[derive(Default)]
struct Kept {
    layers: Vec<Vec<u8>>,
    seen: Vec<Vec<u8>>,
    rows: usize,
    fail_at: Option<usize>,
}

impl Sink for Kept {
    fn band(&mut self, band: Band<'_>) -> std::io::Result<()> {
        assert_eq!(
            band.first, self.rows,
            "bands come from top to bottom without a gap"
        );
        if self.fail_at.is_some_and(|row| band.first >= row) {
            return Err(std::io::Error::other("full"));
        }
        self.rows += band.rows;
        for index in 0..self.layers.len() {
            self.layers[index].extend_from_slice(band.layer(index));
            self.seen[index].extend_from_slice(band.seen(index));
        }
        Ok(())
    }
}

/// Width, height and pixels of a small layer.
type Small = (u32, u32, Vec<u8>);
type Stack<'a> = &'a [Small];

fn raised(size: (u32, u32), source: &[u8], layers: Stack<'_>) -> Result<(Kept, Report), Error> {
    let source = Source::new(size.0, size.1, source)?;
    let layers = layers
        .iter()
        .map(|(w, h, p)| SmallLayer::new(*w, *h, p))
        .collect::<Result<Vec<_>, _>>()?;
    let mut kept = Kept {
        layers: vec![Vec::new(); layers.len()],
        seen: vec![Vec::new(); layers.len()],
        ..Kept::default()
    };
    let report = raise(&source, &layers, &mut |_| {}, &|| false, &mut kept)?;
    Ok((kept, report))
}

/// *Over* of all layers at one pixel: rounded at each layer, and rounded once.
fn over(layers: &[Vec<u8>], at: usize) -> ([u8; 4], [u8; 4]) {
    let (mut each, mut once) = ([0_u32; 4], [0.0_f64; 4]);
    for layer in layers {
        let own = &layer[at * 4..][..4];
        let a = u32::from(own[3]);
        // What is hidden may be anything; the opaque pixel above it decides.
        if a == 255 || (a > 0 && each[3] < 255) {
            each = [0, 1, 2, 3].map(|c| u32::from(own[c]));
        } else {
            for c in 0..3 {
                each[c] = (u32::from(own[c]) * a + each[c] * (255 - a) + 127) / 255;
            }
        }
        let share = f64::from(own[3]) / 255.0;
        for c in 0..3 {
            once[c] = once[c] * (1.0 - share) + f64::from(own[c]) * share;
        }
        once[3] += (1.0 - once[3]) * share;
    }
    let once = [0, 1, 2, 3].map(|c| {
        if c == 3 {
            (once[3] * 255.0).round() as u8
        } else {
            (once[c] / once[3].max(1e-9)).round() as u8
        }
    });
    (each.map(|v| v as u8), once)
}

fn assert_recomposes(source: &[u8], kept: &Kept) {
    for (at, pixel) in source.chunks_exact(4).enumerate() {
        let (each, once) = over(&kept.layers, at);
        if pixel[3] == 0 {
            assert_eq!(each[3], 0);
            continue;
        }
        assert_eq!(each, pixel, "rounded at each layer, at {at}");
        for c in 0..4 {
            assert!(
                once[c].abs_diff(pixel[c]) <= 1,
                "rounded once, at {at}: {once:?} for {pixel:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_source_comes_back_from_any_layers_and_the_order_of_rows_does_not_matter(
        (w, h, sw, sh) in (1..40_u32, 1..30_u32).prop_flat_map(|(w, h)| (Just(w), Just(h), 1..=w, 1..=h)),
        count in 1..5_usize,
        seed in any::<u64>(),
        kind in 0..3_u8,
    ) {
        let mut state = seed | 1;
        let mut byte = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; (state >> 32) as u8 };
        let mut pixels = |n: u32, opaque: bool| -> Vec<u8> {
            (0..n * 4).map(|at| { let b = byte(); if at % 4 < 3 { b } else if opaque { 255 } else { [0, 255, b][usize::from(b) % 3] } }).collect()
        };
        let source = pixels(w * h, kind > 0);
        let layers: Vec<_> = (0..count).map(|index| (sw, sh, pixels(sw * sh, kind > 1 && index == 0))).collect();
        let (kept, report) = raised((w, h), &source, &layers).expect("valid");
        prop_assert_eq!(kept.rows, h as usize);
        assert_recomposes(&source, &kept);
        prop_assert!((0.0..=1.0).contains(&report.uncovered));
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let (again, report_again) = alone.install(|| raised((w, h), &source, &layers)).expect("valid");
        prop_assert_eq!(&kept.layers, &again.layers);
        prop_assert_eq!(&kept.seen, &again.seen);
        prop_assert_eq!(report, report_again);
    }
}

/// A white canvas with a black bar whose edge lies within a small pixel, and the layers of a model.
fn bar() -> ((u32, u32), Vec<u8>, Vec<Small>) {
    let (w, h, step) = (80_u32, 48_u32, 8_u32);
    // Black from column 19 to 45: three of eight columns of the small pixel 2, six of the small pixel 5.
    let black = |x: u32| (19..46).contains(&x);
    let source = (0..w * h)
        .flat_map(|at| {
            if black(at % w) {
                [10, 12, 14, 255]
            } else {
                [240, 238, 236, 255]
            }
        })
        .collect();
    let small = |of: &dyn Fn(u32) -> [u8; 4]| {
        (0..w / step * (h / step))
            .flat_map(|at| of(at % (w / step)))
            .collect::<Vec<u8>>()
    };
    // The ground's colour has drifted, and below the bar the model invented it; alpha 0 holds garbage.
    let ground = small(&|_| [232, 232, 232, 255]);
    let top = small(&|x| {
        let share = (0..step).filter(|i| black(x * step + i)).count() as u32 * 255 / step;
        if share == 0 {
            [255, 0, 200, 0]
        } else {
            [20, 20, 20, share as u8]
        }
    });
    (
        (w, h),
        source,
        vec![(w / step, h / step, ground), (w / step, h / step, top)],
    )
}

#[test]
fn an_edge_within_a_small_pixel_is_found_again_and_garbage_below_alpha_0_is_not_seen() {
    let (size, source, layers) = bar();
    let (kept, report) = raised(size, &source, &layers).expect("valid");
    assert_recomposes(&source, &kept);
    for x in 0..80 {
        let own = &kept.layers[1][(20 * 80 + x) * 4..][..4];
        let wanted = if (19..46).contains(&x) { 255 } else { 0 };
        assert_eq!(own[3], wanted, "alpha in column {x}");
    }
    assert!(
        report.drift_mean > 4.0 && report.uncovered <= 0.0,
        "{report:?}"
    );
}

#[test]
fn what_is_seen_is_the_sources_and_what_is_hidden_goes_on_without_a_seam() {
    let (size, source, layers) = bar();
    let (kept, _) = raised(size, &source, &layers).expect("valid");
    for x in 0..80 {
        let (ground, seen) = (
            &kept.layers[0][(20 * 80 + x) * 4..][..4],
            kept.seen[0][20 * 80 + x],
        );
        let hidden = (19..46).contains(&x);
        assert_eq!(seen, if hidden { 0 } else { 255 }, "in column {x}");
        // The model's grey of 232 would be seen as a bar when the top layer is moved away.
        for (own, wanted) in ground.iter().zip([240_u8, 238, 236, 255]) {
            assert!(own.abs_diff(wanted) <= 1, "column {x}: {ground:?}");
        }
        if hidden {
            assert_eq!(kept.layers[1][(20 * 80 + x) * 4..][..4], [10, 12, 14, 255]);
            assert_eq!(kept.seen[1][20 * 80 + x], 255);
        }
    }
}

#[test]
fn a_faint_shadow_beside_what_is_hidden_does_not_darken_it() {
    let (size, side) = ((96, 96), 12_u32);
    let card = |x: u32, y: u32| (4..8).contains(&x) && (4..8).contains(&y);
    let cells = |of: &dyn Fn(u32, u32) -> [u8; 4]| -> Vec<u8> {
        (0..side * side)
            .flat_map(|at| of(at % side, at / side))
            .collect()
    };
    // A tenth of black over a ground of 200 is 180.
    let ground = cells(&|_, _| [200, 200, 200, 255]);
    let shadow = cells(&|_, _| [0, 0, 0, 26]);
    let top = cells(&|x, y| {
        if card(x, y) {
            [250, 250, 250, 255]
        } else {
            [0; 4]
        }
    });
    let source: Vec<u8> = (0..96 * 96)
        .flat_map(|at| {
            if card(at % 96 / 8, at / 96 / 8) {
                [250, 250, 250, 255]
            } else {
                [180, 180, 180, 255]
            }
        })
        .collect();
    let small = [
        (side, side, ground),
        (side, side, shadow),
        (side, side, top),
    ];
    let (kept, _) = raised(size, &source, &small).expect("valid");
    assert_recomposes(&source, &kept);
    let hidden = &kept.layers[0][(48 * 96 + 48) * 4..][..4];
    assert!(hidden[0].abs_diff(200) <= 1, "{hidden:?}");
}

#[test]
fn glass_stays_glass() {
    let (w, h) = (64_u32, 64_u32);
    let pane = |x: u32| x >= 32;
    let ramp = |y: f32| 40.0 + 2.5 * y;
    let source: Vec<u8> = (0..w * h)
        .flat_map(|at| {
            let below: f32 = ramp((at / w) as f32);
            let v = if pane(at % w) {
                below * 0.6 + 250.0 * 0.4
            } else {
                below
            };
            [v as u8, v as u8, v as u8, 255]
        })
        .collect();
    let ground: Vec<u8> = (0..64)
        .flat_map(|at| {
            [ramp((at / 8 * 8) as f32 + 3.5) as u8; 3]
                .into_iter()
                .chain([255])
        })
        .collect();
    let glass: Vec<u8> = (0..64)
        .flat_map(|at| [250, 250, 250, if at % 8 >= 4 { 102 } else { 0 }])
        .collect();
    let (kept, _) = raised((w, h), &source, &[(8, 8, ground), (8, 8, glass)]).expect("valid");
    assert_recomposes(&source, &kept);
    // Beyond the first and the last row of small pixels nothing is known of the ramp.
    for y in 4..h - 4 {
        for x in 0..w {
            let a = kept.layers[1][((y * w + x) * 4 + 3) as usize];
            let near = match x.abs_diff(32) {
                0..8 => 40,
                8..16 => 20,
                _ => 2,
            };
            assert!(
                a.abs_diff(if pane(x) { 102 } else { 0 }) <= near,
                "alpha {a} at {x}, {y}"
            );
        }
    }
}

#[test]
fn a_transparent_source_stays_as_transparent_and_no_layer_is_seen_where_it_is_not() {
    let source: Vec<u8> = (0..16 * 16)
        .flat_map(|at| [90, 30, 200, [0, 128, 255][at % 3]])
        .collect();
    let layers = vec![
        (4, 4, [255, 255, 255, 255].repeat(16)),
        (4, 4, [90, 30, 200, 200].repeat(16)),
    ];
    let (kept, _) = raised((16, 16), &source, &layers).expect("valid");
    assert_recomposes(&source, &kept);
}

#[test]
fn what_no_layer_covers_goes_to_the_bottom_one_and_is_told() {
    let source = [7, 8, 9, 255].repeat(32 * 32);
    let (kept, report) = raised(
        (32, 32),
        &source,
        &[(4, 4, vec![0; 64]), (4, 4, vec![0; 64])],
    )
    .expect("valid");
    assert_recomposes(&source, &kept);
    assert!(report.uncovered > 0.99);
    assert_eq!(kept.layers[0], source);
}

#[test]
fn a_flag_ends_it_between_two_bands_and_a_sink_that_fails_ends_it_at_once() {
    let pixels = [50, 60, 70, 255].repeat(1000 * 1000);
    let source = Source::new(1000, 1000, &pixels).expect("whole");
    let small = [50, 60, 70, 255].repeat(100);
    let layers = [SmallLayer::new(10, 10, &small).expect("whole")];
    let looks = Cell::new(0);
    let after_six = || {
        looks.set(looks.get() + 1);
        looks.get() > 6
    };
    let mut kept = Kept {
        layers: vec![Vec::new()],
        seen: vec![Vec::new()],
        ..Kept::default()
    };
    let mut heard = Vec::new();
    let ended = raise(
        &source,
        &layers,
        &mut |share| heard.push(share),
        &after_six,
        &mut kept,
    );
    assert!(matches!(ended, Err(Error::Cancelled)));
    assert!(kept.rows > 0 && kept.rows < 1000, "{} rows", kept.rows);
    assert!(heard.is_sorted() && heard.iter().all(|share| (0.0..1.0).contains(share)));
    let mut full = Kept {
        layers: vec![Vec::new()],
        seen: vec![Vec::new()],
        fail_at: Some(100),
        ..Kept::default()
    };
    let ended = raise(&source, &layers, &mut |_| {}, &|| false, &mut full);
    assert!(matches!(ended, Err(Error::Sink(_))));
}

#[test]
fn what_cannot_be_raised_is_refused_before_the_first_row() {
    let source = vec![255; 4 * 4 * 4];
    let refused = |layers: Stack<'_>| {
        raised((4, 4), &source, layers)
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(refused(&[]).starts_with("0 layers"));
    assert!(refused(&vec![(1, 1, vec![0; 4]); 65]).starts_with("65 layers"));
    assert!(refused(&[(1, 1, vec![0; 4]), (2, 1, vec![0; 8])]).contains("different sizes"));
    assert!(refused(&[(5, 4, vec![0; 80])]).contains("larger than the source"));
    assert!(refused(&[(2, 2, vec![0; 15])]).contains("15 bytes"));
    assert!(Source::new(0, 3, &[]).is_err() && Source::new(u32::MAX, u32::MAX, &source).is_err());
}
