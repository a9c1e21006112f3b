//! The test photographs: the subject comes off whole and alone, and what is put under it is
//! plausible.

use layerize::{Cancel, Layer, LayerKind, Options, RgbaImage, composite, split};

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

fn layers_of(image: &RgbaImage) -> Vec<Layer> {
    at_most(image, None)
}

fn at_most(image: &RgbaImage, max_layers: Option<u8>) -> Vec<Layer> {
    let options = Options {
        max_layers,
        ..Options::default()
    };
    let layers = split(image, &options, &mut |_| {}, &Cancel::default()).expect("splits");
    let back = composite(image.width, image.height, &layers);
    let pairs = image.pixels.iter().zip(&back.pixels);
    let worst = pairs.map(|(&a, &b)| a.abs_diff(b)).max();
    assert!(worst <= Some(1), "the stack is off by {worst:?}");
    layers
}

fn kinds(layers: &[Layer]) -> Vec<LayerKind> {
    layers.iter().map(|layer| layer.kind).collect()
}

type Span = std::ops::Range<u32>;

/// The mean of `value` over a rectangle.
fn mean(across: Span, down: Span, value: impl Fn(u32, u32) -> f64) -> f64 {
    let count = f64::from((across.end - across.start) * (down.end - down.start));
    let sum: f64 = down
        .flat_map(|y| across.clone().map(move |x| (x, y)))
        .map(|(x, y)| value(x, y))
        .sum();
    sum / count
}

/// Mean coverage, 0 to 1, of the subject over a rectangle of the canvas.
fn coverage(image: &RgbaImage, layers: &[Layer], across: Span, down: Span) -> f64 {
    let subject = layers
        .iter()
        .find(|layer| layer.kind == LayerKind::Subject)
        .expect("a subject")
        .to_canvas(image.width, image.height);
    mean(across, down, |x, y| {
        f64::from(subject.pixel(x, y)[3]) / 255.0
    })
}

fn lightness(image: &RgbaImage, x: u32, y: u32) -> f64 {
    let [r, g, b, _] = image.pixel(x, y).map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Mean step of lightness between neighbours: how lively a texture is.
fn energy(image: &RgbaImage, across: Span, down: Span) -> f64 {
    mean(across, down, |x, y| {
        let here = lightness(image, x, y);
        (here - lightness(image, x + 1, y)).abs() + (here - lightness(image, x, y + 1)).abs()
    })
}

#[test]
fn who_asks_for_more_layers_gets_the_shuttle_and_nothing_that_is_not_a_thing() {
    let image = load("astronaut.png");
    let layers = at_most(&image, Some(6));
    let found = [LayerKind::Background, LayerKind::Object, LayerKind::Subject];
    assert_eq!(kinds(&layers), found);
    let shuttle = layers[1].to_canvas(image.width, image.height);
    let covered = |across: Span, down: Span| {
        mean(across, down, |x, y| {
            f64::from(shuttle.pixel(x, y)[3]) / 255.0
        })
    };
    assert!(covered(385..430, 60..200) > 0.9, "the shuttle");
    assert!(covered(0..340, 0..512) < 0.02, "the flag and the person");
    assert!(covered(470..512, 0..512) < 0.02, "the wall");
    for (name, alone) in [("chelsea.png", 2), ("coffee.png", 3)] {
        let layers = at_most(&load(name), Some(6));
        assert_eq!(layers.len(), alone, "{name}: {:?}", kinds(&layers));
    }
}

#[test]
fn a_longer_list_than_usual_has_no_second_look_taken_at_a_photo() {
    let options = Options {
        usual_layers: 64,
        ..Options::default()
    };
    let layers = split(
        load("astronaut.png"),
        &options,
        &mut |_| {},
        &Cancel::default(),
    );
    let found = [LayerKind::Background, LayerKind::Subject];
    assert_eq!(kinds(&layers.expect("splits")), found);
}

#[test]
fn a_portrait_comes_off_without_the_flag_behind_it() {
    let image = load("astronaut.png");
    let layers = layers_of(&image);
    assert_eq!(kinds(&layers), [LayerKind::Background, LayerKind::Subject]);
    let covered = |across: Span, down: Span| coverage(&image, &layers, across, down);
    assert!(covered(0..18, 240..400) < 0.05, "the flag's strip");
    assert!(covered(190..260, 40..120) > 0.97, "hair and face");
    assert!(covered(300..460, 380..500) > 0.97, "the helmet");
    assert!(covered(370..500, 0..280) < 0.02, "the shuttle");
    assert!(covered(0..14, 395..450) < 0.05, "the stripe in the corner");
    assert!(
        covered(186..200, 110..145) > 0.97,
        "a cheek as light as the wall"
    );
    // No outline of her dark hair is left on the wall.
    let wall = &layers[0].image;
    let darkest = (8..100).flat_map(|y| (140..312).map(move |x| lightness(wall, x, y)));
    assert!(darkest.fold(255.0, f64::min) > 150.0);
    // The fill is smooth: nothing of flag, shuttle or suit is repeated in it.
    assert!(energy(&layers[0].image, 100..300, 250..500) < 1.5);
}

#[test]
fn a_cat_keeps_its_blurred_shoulder() {
    let image = load("chelsea.png");
    let layers = layers_of(&image);
    assert_eq!(kinds(&layers), [LayerKind::Background, LayerKind::Subject]);
    let covered = |across: Span, down: Span| coverage(&image, &layers, across, down);
    assert!(covered(0..150, 200..300) > 0.95, "shoulder and neck");
    assert!(covered(60..320, 20..280) > 0.97, "the head");
    assert!(covered(0..18, 0..60) < 0.05, "the wall on the left");
    assert!(covered(390..451, 100..300) < 0.05, "the cloth on the right");
    assert!(energy(&layers[0].image, 100..300, 50..250) < 1.5);
}

#[test]
fn a_cup_comes_off_its_table_with_its_shadow_apart() {
    let image = load("coffee.png");
    let layers = layers_of(&image);
    assert_eq!(
        kinds(&layers),
        [LayerKind::Background, LayerKind::Shadow, LayerKind::Subject]
    );
    assert!(coverage(&image, &layers, 200..360, 100..360) > 0.98);
    assert!(coverage(&image, &layers, 0..60, 0..400) < 0.01);
    let ground = &layers[0].image;
    let light = |image: &RgbaImage| mean(102..124, 312..340, |x, y| lightness(image, x, y));
    assert!(
        light(&image) < 50.0,
        "the shadow is where it was looked for"
    );
    assert!(light(ground) > 80.0, "no stain is left: {}", light(ground));
}

#[test]
fn wood_goes_on_under_the_cup() {
    let image = load("coffee.png");
    let layers = layers_of(&image);
    let ground = &layers[0].image;
    // The wood on the left is rough, that on the right polished.
    let (rough, polished) = (
        energy(&image, 0..60, 200..380),
        energy(&image, 480..590, 60..300),
    );
    let under = energy(ground, 150..400, 100..350);
    let beside = (rough + polished) / 2.0;
    let ratio = under / beside;
    assert!(
        (0.5..1.5).contains(&ratio),
        "{under} under, {beside} beside"
    );
    // Nothing of the cup is repeated: it is far lighter than any wood.
    let white = mean(150..400, 100..350, |x, y| {
        f64::from(u8::from(lightness(ground, x, y) > 200.0))
    });
    assert!(white < 0.005, "{white} of the fill is white");
}

#[test]
fn a_photo_in_a_card_stays_one_picture() {
    let cat = load("chelsea.png");
    let (width, height) = (700, 560);
    let mut pixels = [228, 232, 240, 255].repeat((width * height) as usize);
    let mut set = |x: u32, y: u32, pixel: [u8; 4]| {
        let at = ((y * width + x) * 4) as usize;
        pixels[at..at + 4].copy_from_slice(&pixel);
    };
    for y in 60..500 {
        for x in 70..630 {
            set(x, y, [255; 4]);
        }
    }
    for y in 0..cat.height {
        for x in 0..cat.width {
            set(x + 120, y + 100, cat.pixel(x, y));
        }
    }
    let image = RgbaImage {
        width,
        height,
        pixels,
    };
    let layers = layers_of(&image);
    assert_eq!(
        kinds(&layers),
        [LayerKind::Background, LayerKind::Panel, LayerKind::Object]
    );
    let photo = &layers[2];
    let off = |a: u32, b: u32| a.abs_diff(b);
    assert!(off(photo.x, 120) <= 2 && off(photo.y, 100) <= 2);
    assert!(off(photo.image.width, cat.width) <= 4 && off(photo.image.height, cat.height) <= 4);
}

#[test]
fn text_on_a_photo_is_text_and_the_photo_keeps_its_subject() {
    use ab_glyph::{Font, FontRef, PxScale, ScaleFont};
    let font = FontRef::try_from_slice(include_bytes!(
        "../examples/score/fonts/CrimsonPro_700Bold.ttf"
    ))
    .expect("a font");
    let mut image = load("coffee.png");
    let scaled = font.as_scaled(PxScale::from(44.0));
    let mut pen = 360.0;
    for letter in "every day".chars() {
        let mut glyph = scaled.scaled_glyph(letter);
        glyph.position = ab_glyph::point(pen, 60.0);
        pen += scaled.h_advance(glyph.id);
        let Some(outline) = font.outline_glyph(glyph) else {
            continue;
        };
        let place = outline.px_bounds().min;
        outline.draw(|x, y, cover| {
            let (x, y) = (place.x as u32 + x, place.y as u32 + y);
            let at = ((y * image.width + x) * 4) as usize;
            for value in &mut image.pixels[at..at + 3] {
                *value = (f32::from(*value) * (1.0 - cover) + 255.0 * cover) as u8;
            }
        });
    }
    let layers = layers_of(&image);
    let count = |kind| layers.iter().filter(|layer| layer.kind == kind).count();
    assert_eq!(count(LayerKind::Text), 1);
    assert_eq!(count(LayerKind::Subject), 1);
    assert_eq!(count(LayerKind::Object) + count(LayerKind::Panel), 0);
    assert!(coverage(&image, &layers, 200..360, 100..360) > 0.98);
    let white = mean(360..(pen as u32), 30..70, |x, y| {
        f64::from(u8::from(lightness(&layers[0].image, x, y) > 225.0))
    });
    assert!(white < 0.01, "lettering is left in the background: {white}");
}
