//! The two drawn designs, whose grounds are known, fall into what they were made of.

use layerize::{
    Cancel, Layer, LayerKind, Options, RgbaImage, TextLayers, USUAL_LAYERS, composite, split,
    split_with_report,
};

fn load(name: &str) -> RgbaImage {
    let path = format!(
        "{}/../../testdata/images/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    raw(&image::open(path).expect("test image"))
}

fn raw(picture: &image::DynamicImage) -> RgbaImage {
    let picture = picture.to_rgba8();
    RgbaImage {
        width: picture.width(),
        height: picture.height(),
        pixels: picture.into_raw(),
    }
}

fn jpeg(image: &RgbaImage, quality: u8) -> RgbaImage {
    let buffer = image::RgbaImage::from_raw(image.width, image.height, image.pixels.clone());
    let colours = image::DynamicImage::from(buffer.expect("whole rows")).to_rgb8();
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(&colours)
        .expect("encodes");
    raw(&image::load_from_memory(&file).expect("decodes"))
}

fn layers_of(image: &RgbaImage, options: &Options) -> Vec<Layer> {
    let layers = split(image, options, &mut |_| {}, &Cancel::default()).expect("splits");
    let back = composite(image.width, image.height, &layers);
    let worst = image
        .pixels
        .iter()
        .zip(&back.pixels)
        .map(|(&a, &b)| a.abs_diff(b))
        .max();
    assert!(worst <= Some(1), "the stack is off by {worst:?}");
    layers
}

/// Every line a layer, and none joined because there are many.
fn line_by_line() -> Options {
    Options {
        text: TextLayers::Lines,
        max_layers: Some(u8::MAX),
        ..Options::default()
    }
}

fn count(layers: &[Layer], kind: LayerKind) -> usize {
    layers.iter().filter(|layer| layer.kind == kind).count()
}

/// Peak signal-to-noise ratio of the background against what it should be.
fn ground_psnr(layers: &[Layer], truth: impl Fn(u32) -> [f64; 3]) -> f64 {
    let ground = &layers[0].image;
    let mut squares = 0.0;
    for y in 0..ground.height {
        let wanted = truth(y);
        for x in 0..ground.width {
            let seen = ground.pixel(x, y);
            squares += (0..3)
                .map(|c| (f64::from(seen[c]) - wanted[c]).powi(2))
                .sum::<f64>();
        }
    }
    let mean = squares / f64::from(ground.width * ground.height * 3);
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

#[test]
fn a_poster_falls_into_text_shapes_and_panel_on_a_clean_ground() {
    let layers = layers_of(&load("design_poster.png"), &line_by_line());
    assert!(count(&layers, LayerKind::Text) >= 6);
    assert_eq!(count(&layers, LayerKind::Panel), 1);
    assert!((3..=5).contains(&count(&layers, LayerKind::Shape)));
    assert!(ground_psnr(&layers, |_| [247.0, 241.0, 227.0]) > 40.0);
}

#[test]
fn a_card_comes_off_with_its_shadow_and_photo() {
    let layers = layers_of(&load("design_card.png"), &line_by_line());
    assert_eq!(count(&layers, LayerKind::Text), 5);
    assert!(count(&layers, LayerKind::Panel) >= 1);
    assert_eq!(count(&layers, LayerKind::Object), 1);
    assert_eq!(count(&layers, LayerKind::Shadow), 1);
    let gradient = |y: u32| {
        let t = f64::from(y) / 1023.0;
        [72.0 + 158.0 * t, 61.0 + 29.0 * t, 180.0 - 40.0 * t]
    };
    assert!(ground_psnr(&layers, gradient) > 35.0);
}

#[test]
fn jpeg_noise_does_not_break_a_poster() {
    let layers = layers_of(&jpeg(&load("design_poster.png"), 75), &line_by_line());
    assert!(count(&layers, LayerKind::Text) >= 6);
    assert_eq!(count(&layers, LayerKind::Panel), 1);
    assert!(layers.len() <= 16);
    assert!(ground_psnr(&layers, |_| [247.0, 241.0, 227.0]) > 35.0);
}

#[test]
fn more_things_than_asked_for_are_merged_and_none_is_lost() {
    let poster = load("design_poster.png");
    let covered = |layers: &[Layer]| {
        let above = composite(poster.width, poster.height, &layers[1..]);
        above.pixels.chunks_exact(4).filter(|p| p[3] > 127).count()
    };
    let all = layers_of(&poster, &Options::default());
    for most in [2, 4] {
        let few = layers_of(
            &poster,
            &Options {
                max_layers: Some(most),
                ..Options::default()
            },
        );
        assert_eq!(few.len(), usize::from(most));
        assert!(covered(&few).abs_diff(covered(&all)) * 100 < covered(&all));
    }
}

#[test]
fn what_was_found_is_told_also_when_more_or_fewer_were_asked_for() {
    let poster = load("design_poster.png");
    let told_of = |most, usual| {
        let options = Options {
            max_layers: most,
            usual_layers: usual,
            skip: vec!["text"],
            ..Options::default()
        };
        let (layers, report) =
            split_with_report(&poster, &options, &mut |_| {}, &Cancel::default()).expect("splits");
        (layers.len(), report.found)
    };
    let told = |most| told_of(most, USUAL_LAYERS);
    let (all, found) = told(None);
    assert_eq!(all, found);
    assert_eq!(told(Some(3)), (3, found));
    assert_eq!(told(Some(1)), (1, found));
    assert_eq!(told(Some(100)), (found, found), "no layer is made up");
    for (usual, given) in [(0, 1), (1, 1), (4, 4), (64, found)] {
        assert_eq!(told_of(None, usual), (given, found));
    }
    assert_eq!(told_of(Some(3), 2), (3, found), "a wish goes before it");
}

/// Light lines of one size on a dark ground, under each other.
fn paragraph(lines: &[&str]) -> RgbaImage {
    use ab_glyph::{Font, FontRef, ScaleFont, point};
    let face = include_bytes!("../examples/score/fonts/Inter_400Regular.ttf");
    let face = FontRef::try_from_slice(face).expect("a face");
    let (width, height) = (420_u32, 60 + 50 * lines.len() as u32);
    let mut pixels = [24, 30, 60, 255].repeat((width * height) as usize);
    for (row, line) in lines.iter().enumerate() {
        let (mut x, y) = (30.0, 60.0 + 50.0 * row as f32);
        for letter in line.chars() {
            let glyph = face
                .glyph_id(letter)
                .with_scale_and_position(36.0, point(x, y));
            x += face.as_scaled(36.0).h_advance(glyph.id);
            let Some(drawn) = face.outline_glyph(glyph) else {
                continue;
            };
            let place = drawn.px_bounds().min;
            drawn.draw(|dx, dy, share| {
                let at = ((place.y as u32 + dy) * width + place.x as u32 + dx) as usize * 4;
                for c in 0..3 {
                    let under = f32::from(pixels[at + c]);
                    pixels[at + c] = (under + (240.0 - under) * share.min(1.0)).round() as u8;
                }
            });
        }
    }
    RgbaImage {
        width,
        height,
        pixels,
    }
}

#[test]
fn lines_of_one_paragraph_share_a_layer_unless_lines_are_asked_for() {
    let image = paragraph(&[
        "The quiet harbour",
        "opens at nine and",
        "closes with music",
    ]);
    let texts = |text| {
        let options = Options {
            text,
            ..Options::default()
        };
        count(&layers_of(&image, &options), LayerKind::Text)
    };
    assert_eq!(texts(TextLayers::Lines), 3);
    assert_eq!(texts(TextLayers::default()), 1);
}

#[test]
fn lines_merge_with_each_other_before_they_merge_with_anything_else() {
    let image = paragraph(&[
        "The quiet harbour",
        "opens at nine and",
        "closes with music",
    ]);
    let options = Options {
        max_layers: Some(2),
        ..Options::default()
    };
    let layers = layers_of(&image, &options);
    assert_eq!((layers.len(), layers[1].kind), (2, LayerKind::Text));
}

#[test]
fn with_every_pass_off_the_picture_is_its_own_background() {
    let poster = load("design_poster.png");
    let skip = layerize::passes();
    let layers = layers_of(
        &poster,
        &Options {
            skip,
            ..Options::default()
        },
    );
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].image, poster);
}

#[test]
fn a_logo_on_a_transparent_ground_leaves_nothing_behind() {
    let (width, height) = (360_u32, 280_u32);
    let mut image = RgbaImage::transparent(width, height);
    let mut disc = |cx: f32, cy: f32, radius: f32, colour: [u8; 3]| {
        for y in 0..height {
            for x in 0..width {
                let off = (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy);
                let cover = (radius - off + 0.5).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let at = ((y * width + x) * 4) as usize;
                    let under = &mut image.pixels[at..at + 4];
                    let (share, own) = (f32::from(under[3]) / 255.0, cover);
                    let all = own + share * (1.0 - own);
                    for c in 0..3 {
                        let sum =
                            f32::from(colour[c]) * own + f32::from(under[c]) * share * (1.0 - own);
                        under[c] = (sum / all).round() as u8;
                    }
                    under[3] = (all * 255.0).round() as u8;
                }
            }
        }
    };
    disc(130.0, 140.0, 80.0, [200, 40, 60]);
    disc(250.0, 150.0, 60.0, [30, 70, 190]);
    disc(125.0, 135.0, 30.0, [250, 220, 90]);
    let layers = layers_of(&image, &Options::default());
    assert!(layers.len() >= 4, "{} layers", layers.len());
    let left = layers[0].image.pixels.chunks_exact(4);
    let left = left.filter(|p| p[3] > 0).count();
    assert!(
        left < 40,
        "{left} pixels of the logo stay in the background"
    );
}

/// A page of one colour with rectangles `(x, y, w, h)` and their colours on it, the later ones above.
fn page(side: u32, colour: [u8; 3], marks: &[([u32; 4], [u8; 3])]) -> RgbaImage {
    let mut pixels = Vec::new();
    for at in 0..side * side {
        let (px, py) = (at % side, at / side);
        let holds = |&[x, y, w, h]: &[u32; 4]| (x..x + w).contains(&px) && (y..y + h).contains(&py);
        let top = marks.iter().rev().find(|(place, _)| holds(place));
        pixels.extend(top.map_or(colour, |(_, colour)| *colour));
        pixels.push(255);
    }
    RgbaImage {
        width: side,
        height: side,
        pixels,
    }
}

/// Whether a layer covers this rectangle and hardly anything else.
fn covers(layers: &[Layer], [x, y, w, h]: [u32; 4]) -> bool {
    let near = |a: u32, b: u32| a.abs_diff(b) <= 6;
    layers[1..].iter().any(|layer| {
        let solid = layer.image.pixels.chunks_exact(4).filter(|p| p[3] > 127);
        near(layer.x, x)
            && near(layer.y, y)
            && near(layer.image.width, w)
            && near(layer.image.height, h)
            && solid.count() as f32 > 0.9 * (w * h) as f32
    })
}

#[test]
fn cards_hardly_lighter_than_their_page_come_off_a_jpeg() {
    let cards = [
        [40, 110, 520, 130],
        [40, 260, 520, 130],
        [40, 410, 520, 130],
    ];
    let mut marks = vec![([0, 0, 600, 80], [200, 50, 60])];
    for [x, y, w, h] in cards {
        marks.push(([x, y, w, h], [255; 3]));
        marks.push(([x + 30, y + 30, 70, 70], [70, 120, 160]));
        marks.push(([x + 130, y + 40, 200, 20], [30; 3]));
    }
    let image = page(600, [244, 245, 247], &marks);
    for picture in [jpeg(&image, 85), image] {
        let layers = layers_of(&picture, &line_by_line());
        for card in cards {
            assert!(covers(&layers, card), "{card:?}");
        }
        let clean = ground_psnr(&layers, |_| [244.0, 245.0, 247.0]);
        assert!(clean > 38.0, "{clean}");
    }
}

#[test]
fn a_frame_around_a_page_is_no_photo_of_the_page() {
    let (dark, red) = ([43, 45, 66], [239, 35, 60]);
    let marks = [
        ([40, 40, 520, 520], red),
        ([46, 46, 508, 508], dark),
        ([220, 260, 160, 160], [237, 242, 244]),
    ];
    let image = page(600, dark, &marks);
    for picture in [jpeg(&image, 85), image] {
        let layers = layers_of(&picture, &line_by_line());
        assert!(covers(&layers, [220, 260, 160, 160]));
        let frame = layers[1..].iter().find(|layer| layer.image.width > 500);
        let frame = frame.expect("the frame is a layer");
        let solid = frame.image.pixels.chunks_exact(4).filter(|p| p[3] > 127);
        assert!(solid.count() < 2 * 4 * 520 * 6, "it is hollow");
    }
}

#[test]
fn a_sign_in_the_colour_of_the_paper_lies_on_its_label_and_a_ring_stays_hollow() {
    let (paper, blue) = ([255, 255, 255], [40, 60, 200]);
    let marks = [
        ([60, 60, 300, 200], blue),
        ([90, 90, 60, 100], paper),
        ([400, 340, 160, 160], blue),
        ([430, 370, 100, 100], paper),
    ];
    let layers = layers_of(&page(600, paper, &marks), &line_by_line());
    assert!(covers(&layers, [60, 60, 300, 200]), "the label is whole");
    assert!(covers(&layers, [90, 90, 60, 100]), "the sign is a thing");
    assert!(!covers(&layers, [400, 340, 160, 160]), "the ring is none");
}

#[test]
fn a_thin_rule_is_a_thing_of_its_own() {
    let mut marks = vec![([60, 300, 420, 4], [30, 40, 60])];
    marks.push(([200, 400, 120, 120], [200, 60, 40]));
    let image = page(600, [250, 245, 235], &marks);
    for picture in [jpeg(&image, 85), image] {
        let layers = layers_of(&picture, &Options::default());
        assert!(covers(&layers, [60, 300, 420, 4]));
    }
}

#[test]
fn a_bordered_card_on_a_pale_page_and_what_lies_on_it_come_off_a_jpeg() {
    let (x, y) = (120, 60);
    let mut marks = vec![
        ([x, y, 360, 480], [255, 112, 67]),
        ([x + 2, y + 2, 356, 476], [255; 3]),
        ([x + 40, y + 400, 280, 50], [67, 160, 71]),
    ];
    let signs = [[x + 40, y + 60, 44, 44], [x + 40, y + 140, 44, 44]];
    marks.extend(signs.map(|sign| (sign, [67, 160, 71])));
    let image = page(600, [232, 245, 233], &marks);
    for picture in [jpeg(&image, 85), image] {
        let layers = layers_of(&picture, &line_by_line());
        assert!(covers(&layers, [x, y, 360, 480]), "the card");
        assert!(covers(&layers, [x + 40, y + 400, 280, 50]), "the button");
        for sign in signs {
            assert!(covers(&layers, sign), "{sign:?}");
        }
    }
}

#[test]
fn a_photo_out_of_focus_is_one_layer_though_a_card_lies_on_it() {
    let mut image = page(600, [232, 238, 246], &[]);
    for y in 40..320_u32 {
        for x in 40..560_u32 {
            let (a, b) = (f64::from(x), f64::from(y));
            let colour = [
                150.0 + 80.0 * (a / 30.0).sin() * (b / 36.0).cos(),
                90.0 + 60.0 * ((a + b) / 40.0).sin(),
                60.0 + 45.0 * (b / 24.0).cos(),
            ];
            let at = ((y * 600 + x) * 4) as usize;
            for (value, level) in image.pixels[at..at + 3].iter_mut().zip(colour) {
                *value = level as u8;
            }
        }
    }
    for y in 240..560_u32 {
        for x in 120..480_u32 {
            let at = ((y * 600 + x) * 4) as usize;
            image.pixels[at..at + 3].fill(252);
        }
    }
    for picture in [jpeg(&image, 85), image] {
        let layers = layers_of(&picture, &line_by_line());
        assert!(covers(&layers, [120, 240, 360, 320]), "the card");
        assert!(covers(&layers, [40, 40, 520, 280]), "the photo");
        assert_eq!(count(&layers, LayerKind::Object), 1);
        assert_eq!(layers.len(), 3);
    }
}
