//! The same figures by the plainest way, pixel by pixel: what the quick ways are held to.

use proptest::prelude::*;

use super::fringe::Fringe;
use super::sampled::Sampled;
use super::*;

/// Runs of pixels with one alpha, so that clear, opaque and soft rows and edges all occur.
fn layer(width: usize, height: usize) -> impl Strategy<Value = Vec<u8>> {
    let alpha = prop_oneof![
        Just(0_u8),
        Just(255),
        Just(128),
        Just(127),
        Just(248),
        any::<u8>()
    ];
    let run = (alpha, 1_usize..12, any::<[u8; 3]>());
    proptest::collection::vec(run, 1..60).prop_map(move |runs| {
        let runs = runs.iter().cycle();
        let pixels = runs.flat_map(|(alpha, length, [red, green, blue])| {
            std::iter::repeat_n([*red, *green, *blue, *alpha], *length)
        });
        pixels.take(width * height).flatten().collect()
    })
}

fn stack() -> impl Strategy<Value = (usize, Vec<Vec<u8>>)> {
    let size = (1_usize..40, 1_usize..7, 0_usize..5);
    size.prop_flat_map(|(width, height, count)| {
        (
            Just(width),
            proptest::collection::vec(layer(width, height), count),
        )
    })
}

fn glances(layers: &[&[u8]]) -> Vec<Glance> {
    let of = |layer: &&[u8]| Glance::of(layer.as_chunks::<PIXEL>().0);
    layers.iter().map(of).collect()
}

/// Light that each layer adds to a place, from above.
fn visible(layers: &[&[u8]], at: usize) -> Vec<u64> {
    let (mut left, mut visible) = (255, vec![0; layers.len()]);
    for (place, layer) in layers.iter().enumerate().rev() {
        let alpha = u64::from(layer[at + 3]);
        visible[place] = left * alpha;
        left = left * (255 - alpha) / 255;
    }
    visible
}

fn along<'a>(pixels: impl Iterator<Item = &'a [u8; PIXEL]>) -> (u64, u64) {
    let (mut whole, mut since, mut far, mut count) = ([0; PIXEL], 9, 0, 0);
    for pixel in pixels {
        if pixel[3] >= 248 {
            (whole, since) = (*pixel, 0);
            continue;
        }
        since += 1;
        if since <= 4 && (32..224).contains(&pixel[3]) {
            let channels = (0..3).map(|at| u64::from(pixel[at].abs_diff(whole[at])));
            far += channels.sum::<u64>();
            count += 1;
        }
    }
    (far, count)
}

proptest! {
    #[test]
    fn samples_are_what_each_pixel_says((width, layers) in stack()) {
        let height = layers.first().map_or(1, |layer| layer.len() / width / PIXEL);
        let mut sampled = Sampled::new(width as u32, layers.len());
        let (mut seen, mut count) = (vec![0; layers.len()], 0);
        let mut pairs = vec![[0_u64; 3]; layers.len() * layers.len()];
        for y in 0..height {
            let rows: Vec<&[u8]> = layers.iter().map(|layer| &layer[y * width * PIXEL..][..width * PIXEL]).collect();
            sampled.row(&rows, &glances(&rows));
            for at in (0..width).step_by(2).map(|x| x * PIXEL) {
                count += 1;
                for (seen, visible) in seen.iter_mut().zip(visible(&rows, at)) {
                    *seen += visible;
                }
                for (upper, above) in rows.iter().enumerate() {
                    for (lower, below) in rows[..upper].iter().enumerate() {
                        let solid = [above[at + 3] >= SOLID, below[at + 3] >= SOLID];
                        let pair = &mut pairs[upper * layers.len() + lower];
                        pair[0] += u64::from(solid[0] && solid[1]);
                        pair[1] += u64::from(solid[0] || solid[1]);
                        if solid == [true; 2] {
                            let far = (0..3).map(|channel| u64::from(above[at + channel].abs_diff(below[at + channel])));
                            pair[2] += far.sum::<u64>();
                        }
                    }
                }
            }
        }
        for (place, seen) in seen.iter().enumerate() {
            let share = (*seen as f64 / f64::from(count * 255 * 255)) as f32;
            prop_assert_eq!(sampled.visible(place), share);
        }
        for found in sampled.overlaps() {
            let pair = [found.both, found.either, found.colour];
            prop_assert_eq!(pair, pairs[found.upper * layers.len() + found.lower]);
        }
    }

    #[test]
    fn a_fringe_is_that_of_both_ways_along_a_row(row in layer(40, 1)) {
        let pixels = row.as_chunks::<PIXEL>().0;
        let (there, back) = (along(pixels.iter()), along(pixels.iter().rev()));
        let mut fringe = Fringe::default();
        fringe.row(&pixels[Glance::of(pixels).shown]);
        let (far, count) = (there.0 + back.0, there.1 + back.1);
        let expected = (count > 0).then(|| far as f32 / (count * 3 * 255) as f32);
        prop_assert_eq!(fringe.mean(), expected);
    }
}
