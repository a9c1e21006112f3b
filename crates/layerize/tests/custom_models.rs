//! Models that a caller brings: small ones that this test writes, and what is wrong with others.

mod onnx;

use layerize::{Cancel, Error, LayerKind, ModelSettings, Networks, Options, RgbaImage};
use onnx::{Graph, Node};

const SIDE: i64 = 64;

/// Marks what is redder than blue: `sigmoid(60 * (red - blue) - 20)` of values from 0 to 1.
fn reds(side: Option<i64>, logits: bool) -> Vec<u8> {
    let mut nodes = vec![Node::new("Conv", &["picture", "weight", "bias"], "reds")];
    if !logits {
        nodes.push(Node::new("Sigmoid", &["reds"], "mask"));
    }
    Graph {
        inputs: vec![("picture", [Some(1), Some(3), side, side])],
        weights: vec![
            ("weight", vec![1, 3, 1, 1], vec![60.0, 0.0, -60.0]),
            ("bias", vec![1], vec![-20.0]),
        ],
        output: if logits { "reds" } else { "mask" },
        nodes,
    }
    .bytes()
}

/// Paints holes in one colour of 0 to `white` and answers with the rest as it is.
fn paints(colour: [f32; 3], white: f32) -> Vec<u8> {
    let side = Some(SIDE);
    Graph {
        inputs: vec![
            ("mask", [Some(1), Some(1), side, side]),
            ("picture", [Some(1), Some(3), side, side]),
        ],
        weights: vec![
            ("one", vec![1], vec![1.0]),
            ("white", vec![1], vec![white]),
            (
                "colour",
                vec![1, 3, 1, 1],
                colour.map(|value| value * white).to_vec(),
            ),
        ],
        nodes: vec![
            Node::new("Sub", &["one", "mask"], "seen"),
            Node::new("Mul", &["picture", "white"], "bright"),
            Node::new("Mul", &["bright", "seen"], "kept"),
            Node::new("Mul", &["colour", "mask"], "painted"),
            Node::new("Add", &["kept", "painted"], "answer"),
        ],
        output: "answer",
    }
    .bytes()
}

fn plain() -> ModelSettings {
    ModelSettings {
        mean: Some([0.0; 3]),
        deviation: Some([1.0; 3]),
        ..ModelSettings::default()
    }
}

const W: usize = 200;
const H: usize = 160;

/// A red lump with soft shading on a ground of coarse noise, so that nothing but a network finds it.
fn photo() -> RgbaImage {
    let noise = |x: usize, y: usize| {
        let at = (x / 2 * 7919 + y / 2 * 104_729) as u32;
        (at.wrapping_mul(2_654_435_761) >> 26) as u8
    };
    let pixels = (0..W * H).flat_map(|at| {
        let (x, y) = (at % W, at / W);
        let n = noise(x, y);
        if inside(x, y) {
            [200 + n / 4, 40 + n / 2, 30 + n / 2, 255]
        } else {
            [60 + n, 100 + n, 80 + n, 255]
        }
    });
    RgbaImage {
        width: W as u32,
        height: H as u32,
        pixels: pixels.collect(),
    }
}

fn inside(x: usize, y: usize) -> bool {
    (x as f32 - 100.0).hypot(y as f32 - 80.0) < 40.0
}

fn split(networks: Networks) -> Vec<layerize::Layer> {
    let options = Options {
        networks,
        skip: vec!["text", "shapes"],
        ..Options::default()
    };
    layerize::split(photo(), &options, &mut |_| {}, &Cancel::default()).expect("splits")
}

/// Share of the lump that the subject covers, and of the rest.
fn covered(layers: &[layerize::Layer]) -> (f32, f32) {
    let subject = layers.iter().find(|layer| layer.kind == LayerKind::Subject);
    let canvas = subject
        .expect("a subject")
        .to_canvas(W as u32, H as u32)
        .pixels;
    let (mut own, mut rest, mut all) = (0.0, 0.0, 0.0);
    for (at, pixel) in canvas.chunks_exact(4).enumerate() {
        let alpha = f32::from(pixel[3]) / 255.0;
        if inside(at % W, at / W) {
            own += alpha;
            all += 1.0;
        } else {
            rest += alpha;
        }
    }
    (own / all, rest / ((W * H) as f32 - all))
}

#[test]
fn a_subject_model_marks_in_place_of_the_network() {
    let logits = ModelSettings {
        logits: true,
        ..plain()
    };
    let open = ModelSettings {
        side: Some(96),
        ..plain()
    };
    for (model, settings) in [
        (reds(Some(SIDE), false), plain()),
        (reds(Some(SIDE), true), logits),
        (reds(None, false), open),
    ] {
        let networks = Networks::default().with_subject_model(model, &settings);
        let layers = split(networks.expect("it keeps the contract"));
        let (own, rest) = covered(&layers);
        assert!(own > 0.9 && rest < 0.06, "{own} {rest}");
        let image = photo();
        assert_eq!(layerize::composite(W as u32, H as u32, &layers), image);
    }
}

#[test]
fn a_fill_model_completes_and_touches_nothing_that_is_seen() {
    let green = [0.1, 0.8, 0.2];
    let bytes = ModelSettings {
        bytes: true,
        ..ModelSettings::default()
    };
    for (white, settings) in [(1.0, ModelSettings::default()), (255.0, bytes)] {
        let networks = Networks::default()
            .with_subject_model(reds(Some(SIDE), false), &plain())
            .and_then(|networks| networks.with_fill_model(paints(green, white), &settings));
        let layers = split(networks.expect("both keep the contract"));
        let image = photo();
        let background = layers[0].to_canvas(W as u32, H as u32).pixels;
        let middle = &background[(80 * W + 100) * 4..][..3];
        let wanted = green.map(|value| value * 255.0);
        for (value, wanted) in middle.iter().zip(wanted) {
            assert!((f32::from(*value) - wanted).abs() < 3.0, "{middle:?}");
        }
        assert_eq!(background[..4 * W], image.pixels[..4 * W], "the first row");
        assert_eq!(layerize::composite(W as u32, H as u32, &layers), image);
    }
}

/// The code of what is wrong with a model.
fn code(result: Result<Networks, Error>) -> &'static str {
    match result.expect_err("it is refused") {
        Error::CustomModel { code, reason, .. } => {
            assert!(!reason.is_empty());
            code
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_does_not_keep_the_contract_is_refused_with_a_code() {
    let side = Some(SIDE);
    let subject = |onnx, settings: &ModelSettings| {
        code(Networks::default().with_subject_model(onnx, settings))
    };
    let fill =
        |onnx, settings: &ModelSettings| code(Networks::default().with_fill_model(onnx, settings));
    assert_eq!(subject(b"no model".to_vec(), &plain()), "model_file");
    assert_eq!(subject(Vec::new(), &plain()), "model_file");
    // A side that nobody says, one that is said otherwise, one too small, and one input too many.
    assert_eq!(subject(reds(None, false), &plain()), "model_input");
    let other = ModelSettings {
        side: Some(320),
        ..plain()
    };
    assert_eq!(subject(reds(side, false), &other), "model_input");
    assert_eq!(subject(reds(Some(16), false), &plain()), "model_input");
    assert_eq!(subject(paints([0.5; 3], 1.0), &plain()), "model_input");
    assert_eq!(fill(reds(side, false), &plain()), "model_input");
    // Logits that were not said to be some.
    assert_eq!(subject(reds(side, true), &plain()), "model_values");
    // White is 255, or is not, against what was said.
    assert_eq!(
        fill(paints([0.5; 3], 255.0), &ModelSettings::default()),
        "model_values"
    );
    let bytes = ModelSettings {
        bytes: true,
        ..ModelSettings::default()
    };
    assert_eq!(fill(paints([0.5; 3], 1.0), &bytes), "model_values");
    // An answer of three channels, and one of a fifth of the side.
    let copies = Graph {
        inputs: vec![("picture", [Some(1), Some(3), side, side])],
        weights: vec![("half", vec![1], vec![0.5])],
        nodes: vec![Node::new("Mul", &["picture", "half"], "answer")],
        output: "answer",
    };
    assert_eq!(subject(copies.bytes(), &plain()), "model_output");
    let nothing = Graph {
        inputs: vec![("picture", [Some(1), Some(3), side, side])],
        weights: vec![
            ("weight", vec![1, 3, 1, 1], vec![0.0, 0.0, 0.0]),
            ("bias", vec![1], vec![f32::NAN]),
        ],
        nodes: vec![Node::new("Conv", &["picture", "weight", "bias"], "answer")],
        output: "answer",
    };
    assert_eq!(subject(nothing.bytes(), &plain()), "model_values");
}
