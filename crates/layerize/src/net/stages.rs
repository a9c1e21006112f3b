//! Where the graphs are cut for the built-in runtime: at the convolutions that it does itself, and between them into
//! stages of at most about a sixteenth of a call.
//!
//! Nothing runs here. The names are those of the ONNX files. Each stage is cheap to look at the stop
//! flag between and dear to run, so cuts lie where few values are alive, and behind what rten does
//! in place (a sum, a rectifier) rather than before it.
//! Invariant: a stage is given only values that earlier ones made, the last one makes the answer.

/// A piece of a graph.
pub(super) struct Stage {
    /// The values it is given.
    pub(super) from: &'static [&'static str],
    /// The values it makes.
    pub(super) to: &'static [&'static str],
    /// What makes it of all it is given, joined in that order; `None` if rten does.
    pub(super) convolution: Option<Weights>,
}

/// Of a [`Convolution`](super::convolution::Convolution).
pub(super) struct Weights {
    /// The constants that hold its weights and its bias.
    pub(super) constants: [&'static str; 2],
    /// Whether a rectifier follows.
    pub(super) rectified: bool,
    /// The value that the answer is added to.
    pub(super) onto: Option<&'static str>,
}

impl Stage {
    pub(super) fn takes(&self, name: &str) -> bool {
        let onto = self.convolution.as_ref().and_then(|weights| weights.onto);
        onto == Some(name) || self.from.contains(&name)
    }
}

type Names = &'static [&'static str];

const fn graph(from: Names, to: Names) -> Stage {
    Stage {
        from,
        to,
        convolution: None,
    }
}

const fn made(from: Names, weights: Weights, to: Names) -> Stage {
    Stage {
        from,
        to,
        convolution: Some(weights),
    }
}

/// A convolution and its rectifier.
const fn rectified(from: Names, constants: [&'static str; 2], to: Names) -> Stage {
    let weights = Weights {
        constants,
        rectified: true,
        onto: None,
    };
    made(from, weights, to)
}

/// A convolution without one.
const fn linear(from: Names, constants: [&'static str; 2], to: Names) -> Stage {
    let weights = Weights {
        constants,
        rectified: false,
        onto: None,
    };
    made(from, weights, to)
}

/// A convolution and its rectifier, added to a value.
const fn added(from: Names, constants: [&'static str; 2], onto: &'static str, to: Names) -> Stage {
    let weights = Weights {
        constants,
        rectified: true,
        onto: Some(onto),
    };
    made(from, weights, to)
}

/// An encoder of six steps from 320 to 10 rows, a decoder back up, and six masks joined at the end.
pub(super) const SALIENCY: &[Stage] = &[
    graph(&["input.1"], &["801"]),
    rectified(&["801"], ["1970", "1971"], &["804"]),
    graph(&["804"], &["805"]),
    rectified(&["805"], ["1973", "1974"], &["808"]),
    graph(&["808"], &["919"]),
    rectified(&["919", "808"], ["2003", "2004"], &["923"]),
    graph(&["923"], &["942"]),
    added(&["942", "804"], ["2006", "2007"], "801", &["947"]),
    graph(&["947"], &["948"]),
    rectified(&["948"], ["2009", "2010"], &["951"]),
    rectified(&["951"], ["2012", "2013"], &["954"]),
    graph(&["954"], &["1065"]),
    added(&["1065", "954"], ["2042", "2043"], "951", &["1070"]),
    graph(&["1070"], &["1166"]),
    graph(&["1166"], &["1235", "1341", "1936", "1956"]),
    graph(&["1341", "1235"], &["1429", "1916"]),
    graph(&["1429", "1166"], &["1452"]),
    graph(&["1452"], &["1544", "1896"]),
    graph(&["1544"], &["1563"]),
    rectified(&["1563", "1070"], ["2225", "2226"], &["1567"]),
    rectified(&["1567"], ["2228", "2229"], &["1570"]),
    graph(&["1570"], &["1681"]),
    added(&["1681", "1570"], ["2258", "2259"], "1567", &["1686"]),
    linear(&["1686"], ["side2.weight", "side2.bias"], &["1857"]),
    graph(&["1857"], &["1876"]),
    graph(&["1686"], &["1705"]),
    rectified(&["1705", "947"], ["2261", "2262"], &["1709"]),
    rectified(&["1709"], ["2264", "2265"], &["1712"]),
    graph(&["1712"], &["1713"]),
    rectified(&["1713"], ["2267", "2268"], &["1716"]),
    graph(&["1716"], &["1827"]),
    rectified(&["1827", "1716"], ["2297", "2298"], &["1831"]),
    graph(&["1831"], &["1850"]),
    added(&["1850", "1712"], ["2300", "2301"], "1709", &["1855"]),
    linear(&["1855"], ["side1.weight", "side1.bias"], &["1856"]),
    graph(&["1856", "1876", "1896", "1916", "1936", "1956"], &["1959"]),
];

/// A chain of light convolutions down to a thirty-second of the size, and four of its levels joined.
pub(super) const TEXT: &[Stage] = &[
    graph(&["x"], &["batch_norm_67.tmp_2"]),
    linear(
        &["batch_norm_67.tmp_2"],
        ["p2o.Add.3.w", "p2o.Add.3.b"],
        &["p2o.Add.3"],
    ),
    graph(&["p2o.Add.3"], &["p2o.Add.15"]),
    graph(&["p2o.Add.15"], &["p2o.Add.27"]),
    linear(
        &["p2o.Add.27"],
        ["p2o.Add.31.w", "p2o.Add.31.b"],
        &["p2o.Add.31"],
    ),
    graph(&["p2o.Add.31"], &["hardswish_62.tmp_0"]),
    graph(&["hardswish_62.tmp_0"], &["p2o.Add.247"]),
    graph(&["hardswish_62.tmp_0"], &["p2o.Add.55"]),
    linear(
        &["p2o.Add.55"],
        ["p2o.Add.59.w", "p2o.Add.59.b"],
        &["p2o.Add.59"],
    ),
    graph(&["p2o.Add.59"], &["hardswish_65.tmp_0"]),
    graph(&["hardswish_65.tmp_0"], &["p2o.Add.241"]),
    graph(&["hardswish_65.tmp_0"], &["p2o.Add.83"]),
    linear(
        &["p2o.Add.83"],
        ["p2o.Add.87.w", "p2o.Add.87.b"],
        &["p2o.Add.87"],
    ),
    graph(&["p2o.Add.87"], &["p2o.Add.99"]),
    linear(
        &["p2o.Add.99"],
        ["p2o.Add.103.w", "p2o.Add.103.b"],
        &["p2o.Add.103"],
    ),
    graph(&["p2o.Add.103"], &["p2o.Add.115"]),
    linear(
        &["p2o.Add.115"],
        ["p2o.Add.119.w", "p2o.Add.119.b"],
        &["p2o.Add.119"],
    ),
    graph(&["p2o.Add.119"], &["p2o.Add.131"]),
    linear(
        &["p2o.Add.131"],
        ["p2o.Add.135.w", "p2o.Add.135.b"],
        &["p2o.Add.135"],
    ),
    graph(&["p2o.Add.135"], &["hardswish_74.tmp_0"]),
    graph(&["hardswish_74.tmp_0"], &["p2o.Add.235"]),
    graph(&["hardswish_74.tmp_0"], &["p2o.Add.163"]),
    linear(
        &["p2o.Add.163"],
        ["p2o.Add.167.w", "p2o.Add.167.b"],
        &["p2o.Add.167"],
    ),
    graph(&["p2o.Add.167"], &["p2o.Add.183"]),
    linear(
        &["p2o.Add.183"],
        ["p2o.Add.187.w", "p2o.Add.187.b"],
        &["p2o.Add.187"],
    ),
    graph(&["p2o.Add.187"], &["p2o.Add.199"]),
    linear(
        &["p2o.Add.199"],
        ["p2o.Add.203.w", "p2o.Add.203.b"],
        &["p2o.Add.203"],
    ),
    graph(&["p2o.Add.203"], &["p2o.Add.229"]),
    graph(
        &["p2o.Add.229", "p2o.Add.235"],
        &["p2o.Add.249", "nearest_interp_v2_3.tmp_0"],
    ),
    graph(&["p2o.Add.249"], &["nearest_interp_v2_4.tmp_0"]),
    graph(&["p2o.Add.249", "p2o.Add.241"], &["p2o.Add.251"]),
    linear(
        &["p2o.Add.251"],
        ["conv2d_491.tmp_0.w", "conv2d_491.tmp_0.b"],
        &["conv2d_491.tmp_0"],
    ),
    graph(&["conv2d_491.tmp_0"], &["p2o.Add.271"]),
    graph(&["p2o.Add.251"], &["nearest_interp_v2_2.tmp_0"]),
    graph(&["p2o.Add.271"], &["nearest_interp_v2_5.tmp_0"]),
    graph(
        &["p2o.Add.247", "nearest_interp_v2_2.tmp_0"],
        &["p2o.Add.253"],
    ),
    linear(
        &["p2o.Add.253"],
        ["conv2d_494.tmp_0.w", "conv2d_494.tmp_0.b"],
        &["conv2d_494.tmp_0"],
    ),
    graph(&["conv2d_494.tmp_0"], &["p2o.Add.277"]),
    rectified(
        &[
            "nearest_interp_v2_3.tmp_0",
            "nearest_interp_v2_4.tmp_0",
            "nearest_interp_v2_5.tmp_0",
            "p2o.Add.277",
        ],
        ["batch_norm_0.tmp_3.w", "batch_norm_0.tmp_3.b"],
        &["batch_norm_0.tmp_4"],
    ),
    graph(&["batch_norm_0.tmp_4"], &["batch_norm_1.tmp_4"]),
    graph(&["batch_norm_1.tmp_4"], &["sigmoid_0.tmp_0"]),
];

/// A chain of blocks, each with a convolution of one channel each, then attention along the line.
#[cfg(feature = "words")]
pub(super) const WORDS: &[Stage] = &[
    graph(&["x"], &["p2o.pd_op.relu.4.0"]),
    linear(
        &["p2o.pd_op.relu.4.0"],
        ["conv2d_74.w_0", "p2o.pd_op.reshape.5.0"],
        &["Add.11"],
    ),
    graph(&["Add.11"], &["Add.23"]),
    linear(
        &["Add.23"],
        ["conv2d_78.w_0", "p2o.pd_op.reshape.10.0"],
        &["Add.25"],
    ),
    graph(&["Add.25"], &["Add.33"]),
    linear(
        &["Add.33"],
        ["conv2d_82.w_0", "p2o.pd_op.reshape.13.0"],
        &["Add.35"],
    ),
    graph(&["Add.35"], &["Add.51"]),
    linear(
        &["Add.51"],
        ["conv2d_89.w_0", "p2o.pd_op.reshape.19.0"],
        &["Add.53"],
    ),
    graph(&["Add.53"], &["Add.65"]),
    linear(
        &["Add.65"],
        ["conv2d_93.w_0", "p2o.pd_op.reshape.24.0"],
        &["Add.67"],
    ),
    graph(&["Add.67"], &["Add.75"]),
    linear(
        &["Add.75"],
        ["conv2d_97.w_0", "p2o.pd_op.reshape.27.0"],
        &["Add.77"],
    ),
    graph(&["Add.77"], &["Add.89"]),
    linear(
        &["Add.89"],
        ["conv2d_101.w_0", "p2o.pd_op.reshape.32.0"],
        &["Add.91"],
    ),
    graph(&["Add.91"], &["Add.99"]),
    linear(
        &["Add.99"],
        ["conv2d_105.w_0", "p2o.pd_op.reshape.35.0"],
        &["Add.101"],
    ),
    graph(&["Add.101"], &["Add.113"]),
    linear(
        &["Add.113"],
        ["conv2d_109.w_0", "p2o.pd_op.reshape.40.0"],
        &["Add.115"],
    ),
    graph(&["Add.115"], &["Add.131"]),
    linear(
        &["Add.131"],
        ["conv2d_116.w_0", "p2o.pd_op.reshape.46.0"],
        &["Add.133"],
    ),
    graph(&["Add.133"], &["Add.145"]),
    linear(
        &["Add.145"],
        ["conv2d_120.w_0", "p2o.pd_op.reshape.51.0"],
        &["Add.147"],
    ),
    graph(&["Add.147"], &["fetch_name_0"]),
];
