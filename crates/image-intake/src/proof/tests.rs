//! Stacks that are right, and stacks as models give them when they go wrong: a whole picture among the layers, empty ones, one twice, a wrong order,
//! halos, holes.

use super::*;

const WIDTH: u32 = 200;
const HEIGHT: u32 = 150;

/// What a pixel of a layer is, by its place.
type Draw = fn(u32, u32) -> [u8; 4];

fn drawn(draw: Draw) -> RgbaImage {
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| draw(x, y)));
    RgbaImage::new(WIDTH, HEIGHT, pixels.collect()).unwrap()
}

fn ground(x: u32, y: u32) -> [u8; 4] {
    [(x / 2) as u8, (y + 40) as u8, 90, 255]
}

/// A disc with a soft rim of its own colour.
fn disc(x: u32, y: u32) -> [u8; 4] {
    round(x, y, (70.0, 70.0), [220, 40, 30])
}

fn other_disc(x: u32, y: u32) -> [u8; 4] {
    round(x, y, (110.0, 80.0), [20, 60, 230])
}

fn round(x: u32, y: u32, (cx, cy): (f64, f64), [r, g, b]: [u8; 3]) -> [u8; 4] {
    let far = (f64::from(x) - cx).hypot(f64::from(y) - cy);
    let alpha = ((42.0 - far) / 3.0).clamp(0.0, 1.0) * 255.0;
    if alpha < 1.0 {
        [0; 4]
    } else {
        [r, g, b, alpha as u8]
    }
}

fn clear(_: u32, _: u32) -> [u8; 4] {
    [0; 4]
}

fn laid(layers: &[RgbaImage]) -> RgbaImage {
    let mut rows = Vec::new();
    for y in 0..HEIGHT as usize {
        let mut row = vec![[0; PIXEL]; WIDTH as usize];
        for layer in layers {
            let bytes = WIDTH as usize * PIXEL;
            lay(
                &mut row,
                layer.pixels()[y * bytes..][..bytes].as_chunks::<PIXEL>().0,
            );
        }
        rows.extend(row.into_iter().flatten());
    }
    RgbaImage::new(WIDTH, HEIGHT, rows).unwrap()
}

fn proof(picture: &RgbaImage, layers: &[RgbaImage]) -> Proof {
    let mut proof = StackProof::new(picture.width(), picture.height(), layers.len());
    let bytes = picture.width() as usize * PIXEL;
    for (y, row) in picture.pixels().chunks_exact(bytes).enumerate() {
        let rows: Vec<&[u8]> = layers
            .iter()
            .map(|layer| &layer.pixels()[y * bytes..][..bytes])
            .collect();
        proof.row(row, &rows);
    }
    proof.finish().unwrap()
}

fn good() -> Vec<RgbaImage> {
    [ground as Draw, disc, other_disc].map(drawn).to_vec()
}

#[test]
fn a_stack_that_adds_up_says_so_and_nothing_else() {
    let layers = good();
    let found = proof(&laid(&layers), &layers);
    assert_eq!(
        (found.mean, found.p99, found.psnr, found.uncovered),
        (0.0, 0, None, 0.0)
    );
    assert_eq!((found.worst.mean, found.duplicates.len()), (0.0, 0));
    assert_eq!(found.better_order, None);
    assert!(
        found
            .layers
            .iter()
            .all(|layer| !layer.is_empty && !layer.is_whole)
    );
    let visible: f32 = found.layers.iter().map(|layer| layer.visible).sum();
    assert!((visible - 1.0).abs() < 0.01, "{visible}");
    let area = |radius: f32| radius * radius * std::f32::consts::PI / (WIDTH * HEIGHT) as f32;
    assert!((found.layers[2].visible - area(40.5)).abs() < 0.01);
    assert!(
        found.layers[1].visible < found.layers[2].visible,
        "it is covered in part"
    );
}

#[test]
fn what_is_missing_is_told_with_its_place() {
    let layers = good();
    let picture = laid(&layers);
    let mut holed = layers;
    let mut pixels = holed[0].clone().into_pixels();
    for y in 130..150_usize {
        for x in 128..192_usize {
            pixels[(y * WIDTH as usize + x) * 4 + 3] = 0;
        }
    }
    holed[0] = RgbaImage::new(WIDTH, HEIGHT, pixels).unwrap();
    let found = proof(&picture, &holed);
    let hole = 64.0 * 20.0 / (WIDTH * HEIGHT) as f32;
    assert!((found.uncovered - hole).abs() < 1e-6);
    assert!((found.mean - hole * 255.0).abs() < 0.01);
    assert_eq!(found.p99, 255);
    let Tile {
        x,
        y,
        width,
        height,
        mean,
    } = found.worst;
    // The lowest tiles are cut by the picture's edge, 128 to 150.
    assert_eq!((x, y, width, height), (128, 128, 64, 22));
    assert!((mean - 255.0 * 20.0 / 22.0).abs() < 0.01, "{mean}");
    assert!(found.psnr.unwrap() < 30.0);
}

#[test]
fn errors_are_counted_as_their_formulas_have_them() {
    let layers = [drawn(|_, _| [100, 100, 100, 255])];
    // 3 of 300 pixels of every second row are 7 levels off in one channel.
    let picture = drawn(|x, y| [100, 100, if x < 3 && y % 2 == 0 { 107 } else { 100 }, 255]);
    let found = proof(&picture, &layers);
    let share = 3.0 / f64::from(WIDTH) / 2.0;
    assert!((f64::from(found.mean) - 7.0 * share).abs() < 1e-6);
    assert_eq!(found.p99, 0, "less than a hundredth");
    let psnr = 10.0 * (255.0 * 255.0 / (49.0 * share / 3.0)).log10();
    assert!((f64::from(found.psnr.unwrap()) - psnr).abs() < 1e-3);
    let more = drawn(|x, _| [100, 100, if x < 3 { 107 } else { 100 }, 255]);
    assert_eq!(proof(&more, &layers).p99, 7, "one and a half hundredths");
}

#[test]
fn a_clear_picture_is_no_hole() {
    let layers = [drawn(disc)];
    let found = proof(&drawn(disc), &layers);
    assert_eq!((found.uncovered, found.mean), (0.0, 0.0));
    assert!(!found.layers[0].is_whole);
}

/// As fal's model gives it: the whole picture once more, first or last.
#[test]
fn a_whole_picture_among_the_layers_is_recognised_wherever_it_is() {
    let layers = good();
    let picture = laid(&layers);
    for place in [0, 1, 3] {
        let mut framed = layers.clone();
        framed.insert(place, picture.clone());
        let found = proof(&picture, &framed);
        let whole: Vec<usize> = (0..4).filter(|at| found.layers[*at].is_whole).collect();
        assert_eq!(whole, [place]);
        // Its order would always be the best.
        assert!(
            found
                .better_order
                .is_none_or(|better| better.order[0] == place)
        );
    }
    // A picture of one layer is no frame of another.
    let alone = proof(&picture, std::slice::from_ref(&picture));
    assert!(!alone.layers[0].is_whole);
    // A ground from which something small was taken is none either.
    let ground = proof(&picture, &layers);
    assert!(!ground.layers[0].is_whole);
}

#[test]
fn a_small_thing_that_was_taken_out_of_a_small_picture_is_missed() {
    let thing = |x: u32, y: u32| (60..70).contains(&x) && (60..70).contains(&y);
    let drawn = |draw: &dyn Fn(bool) -> [u8; 4]| {
        let pixels = (0..130).flat_map(|y| (0..130).flat_map(move |x| draw(thing(x, y))));
        RgbaImage::new(130, 130, pixels.collect()).unwrap()
    };
    let shade = |thing: bool| if thing { 200 } else { 100 };
    let picture = drawn(&|thing| [shade(thing), shade(thing), shade(thing), 255]);
    let ground = drawn(&|_| [100, 100, 100, 255]);
    let above = drawn(&|thing| [200, 200, 200, if thing { 255 } else { 0 }]);
    let found = proof(&picture, &[ground, above]);
    assert!(!found.layers[0].is_whole, "{found:?}");
}

#[test]
fn a_stack_of_which_a_row_is_missing_is_not_judged() {
    let row = [7; 300 * 4];
    for (rows, is_judged) in [(300, true), (299, false), (301, false)] {
        let mut proof = StackProof::new(300, 300, 1);
        (0..rows).for_each(|_| proof.row(&row, &[&row]));
        assert_eq!(proof.finish().is_some(), is_judged, "{rows} rows");
    }
}

#[test]
fn empty_layers_and_those_with_a_haze_of_nothing_are_told() {
    let mut layers = good();
    let picture = laid(&layers);
    layers.push(drawn(clear));
    layers.push(drawn(|x, y| [255, 255, 255, ((x * 7 + y * 3) % 4) as u8]));
    let dot: Draw = |x, y| {
        if (x, y) == (7, 9) {
            [9, 9, 9, 255]
        } else {
            [0; 4]
        }
    };
    layers.push(drawn(dot));
    let found = proof(&picture, &layers);
    let empty: Vec<bool> = found.layers.iter().map(|layer| layer.is_empty).collect();
    assert_eq!(empty, [false, false, false, true, true, false]);
    assert_eq!(found.duplicates, [], "nothing is no duplicate of nothing");
}

#[test]
fn a_layer_that_is_there_twice_is_told_and_one_of_another_colour_is_not() {
    let mut layers = good();
    layers.push(drawn(|x, y| round(x, y, (70.5, 70.0), [216, 44, 33])));
    layers.push(drawn(|x, y| round(x, y, (110.0, 80.0), [20, 200, 30])));
    let picture = laid(&layers);
    let found = proof(&picture, &layers);
    let pairs: Vec<(usize, usize)> = found
        .duplicates
        .iter()
        .map(|pair| (pair.lower, pair.upper))
        .collect();
    assert_eq!(pairs, [(1, 3)]);
    let pair = found.duplicates[0];
    assert!(
        pair.overlap > 0.95 && (pair.colour - 3.67).abs() < 0.5,
        "{pair:?}"
    );
}

#[test]
fn a_wrong_order_is_told_with_the_better_one() {
    let layers = good();
    let picture = laid(&layers);
    for (wrong, right) in [
        ([2, 1, 0], [2, 1, 0]),
        ([0, 2, 1], [0, 2, 1]),
        ([1, 2, 0], [2, 0, 1]),
    ] {
        let stack: Vec<RgbaImage> = wrong.iter().map(|place| layers[*place].clone()).collect();
        let found = proof(&picture, &stack).better_order.unwrap();
        assert_eq!(found.order, right, "{wrong:?}");
        assert!(
            found.mean < 1.5 && found.mean_now > found.mean + LEAST,
            "{found:?}"
        );
    }
    /// Levels between a right and a wrong order here.
    const LEAST: f32 = 2.0;
}

#[test]
fn layers_that_do_not_overlap_have_no_better_order() {
    let layers = [
        ground as Draw,
        |x, y| round(x, y, (45.0, 70.0), [220, 40, 30]),
        |x, y| round(x, y, (150.0, 80.0), [20, 60, 230]),
    ];
    let layers = layers.map(drawn);
    let picture = laid(&layers);
    let swapped = [layers[0].clone(), layers[2].clone(), layers[1].clone()];
    assert_eq!(proof(&picture, &swapped).better_order, None);
}

#[test]
fn a_halo_of_the_old_ground_has_a_higher_fringe_than_a_clean_edge() {
    let clean = proof(&drawn(ground), &[drawn(disc)]).layers[0]
        .fringe
        .unwrap();
    let halo: Draw = |x, y| match disc(x, y) {
        [.., 0] => [0; 4],
        [r, g, b, 255] => [r, g, b, 255],
        [.., alpha] => [240, 240, 240, alpha],
    };
    let haloed = proof(&drawn(ground), &[drawn(halo)]).layers[0]
        .fringe
        .unwrap();
    assert!(clean < 0.01 && haloed > 0.3, "{clean} {haloed}");
    assert_eq!(
        proof(&drawn(ground), &[drawn(ground)]).layers[0].fringe,
        None
    );
}

#[test]
fn a_stack_of_one_pixel_and_one_of_no_layer_are_judged() {
    let one = RgbaImage::new(1, 1, vec![9, 8, 7, 255]).unwrap();
    assert_eq!(proof(&one, std::slice::from_ref(&one)).mean, 0.0);
    let none = proof(&one, &[]);
    assert_eq!((none.mean, none.uncovered, none.p99), (255.0, 1.0, 255));
    assert!(StackProof::new(2, 2, 1).finish().is_none(), "no row came");
}

proptest::proptest! {
    /// What is claimed as a mean of errors is that of the whole pictures, for any pixels.
    #[test]
    fn the_mean_is_that_of_all_pixels(
        pixels in proptest::collection::vec(proptest::num::u8::ANY, 3 * 4..300),
        width in 1_usize..9,
    ) {
        let height = pixels.len() / 4 / 3 / width;
        proptest::prop_assume!(height > 0);
        let image = |at: usize| {
            let bytes = width * height * 4;
            RgbaImage::new(width as u32, height as u32, pixels[at * bytes..][..bytes].to_vec()).unwrap()
        };
        let (picture, layers) = (image(0), [image(1), image(2)]);
        let found = proof(&picture, &layers);
        let mut sum = 0.0;
        for at in 0..width * height {
            let pixel = |image: &RgbaImage| image.pixels()[at * 4..][..4].to_vec();
            let mut laid = [0.0; 4];
            for layer in &layers {
                let above = pixel(layer);
                let alpha = f64::from(above[3]) / 255.0;
                for (channel, below) in laid.iter_mut().enumerate() {
                    let straight = if channel < 3 { f64::from(above[channel]) } else { 255.0 };
                    *below = straight * alpha + *below * (1.0 - alpha);
                }
            }
            let meant = pixel(&picture);
            let far = (0..4).map(|channel| {
                let alpha = f64::from(meant[3]) / 255.0;
                let straight = if channel < 3 { f64::from(meant[channel]) } else { 255.0 };
                (straight * alpha - laid[channel]).abs()
            });
            sum += far.fold(0.0, f64::max);
        }
        let mean = sum / (width * height) as f64;
        // Each is rounded after each layer, and at last.
        proptest::prop_assert!((f64::from(found.mean) - mean).abs() <= 2.0, "{} {mean}", found.mean);
    }
}
