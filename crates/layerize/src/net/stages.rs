//! Where the graphs are cut: at what is not run by rten, which is what it took more than a few milliseconds longer for, and
//! between these into stages of at most about 15 ms of processor time with AVX-512.
//!
//! Nothing runs here. The names are those of the ONNX files. Each stage is cheap to look at the stop
//! flag between and dear to run, so cuts lie where few values are alive, and behind what rten does
//! in place (a sum, a rectifier) rather than before it.
//! Invariant: a stage is given only values that earlier ones made, the last one makes the answer.

use super::convolution::Interpolation;

/// A piece of a graph.
pub(super) struct Stage {
    /// The values it is given.
    pub(super) from: &'static [&'static str],
    /// The values it makes; one if it is no [`By::Graph`].
    pub(super) to: &'static [&'static str],
    pub(super) by: By,
}

/// What runs a stage.
pub(super) enum By {
    /// rten.
    Graph,
    /// A [`Convolution`](super::convolution::Convolution) of all that is given, joined in that order.
    Convolution(Weights),
    /// Twice the size.
    Upsample(Interpolation),
}

pub(super) struct Weights {
    /// The constants that hold its weights and its bias.
    pub(super) constants: [&'static str; 2],
    pub(super) stride: usize,
    /// Whether a rectifier follows.
    pub(super) relu: bool,
    /// The value that the answer is added to, which no later stage is given.
    pub(super) residual: Option<&'static str>,
}

impl Stage {
    pub(super) fn weights(&self) -> Option<&Weights> {
        match &self.by {
            By::Convolution(weights) => Some(weights),
            By::Graph | By::Upsample(_) => None,
        }
    }

    pub(super) fn takes(&self, name: &str) -> bool {
        let residual = self.weights().and_then(|weights| weights.residual);
        residual == Some(name) || self.from.contains(&name)
    }
}

type Names = &'static [&'static str];
type Constants = [&'static str; 2];

const fn graph(from: Names, to: Names) -> Stage {
    let by = By::Graph;
    Stage { from, to, by }
}

const fn convolution(from: Names, weights: Weights, to: Names) -> Stage {
    let by = By::Convolution(weights);
    Stage { from, to, by }
}

impl Weights {
    const fn of(constants: Constants) -> Self {
        Self {
            constants,
            stride: 1,
            relu: false,
            residual: None,
        }
    }
}

const fn conv(from: Names, constants: Constants, to: Names) -> Stage {
    convolution(from, Weights::of(constants), to)
}

const fn conv_stride_2(from: Names, constants: Constants, to: Names) -> Stage {
    let weights = Weights {
        stride: 2,
        ..Weights::of(constants)
    };
    convolution(from, weights, to)
}

/// A convolution and its rectifier.
const fn conv_relu(from: Names, constants: Constants, to: Names) -> Stage {
    let weights = Weights {
        relu: true,
        ..Weights::of(constants)
    };
    convolution(from, weights, to)
}

/// A convolution and its rectifier, added to a value.
const fn conv_relu_add(
    from: Names,
    constants: Constants,
    residual: &'static str,
    to: Names,
) -> Stage {
    let weights = Weights {
        relu: true,
        residual: Some(residual),
        ..Weights::of(constants)
    };
    convolution(from, weights, to)
}

const fn upsample_linear(from: Names, to: Names) -> Stage {
    let by = By::Upsample(Interpolation::Linear);
    Stage { from, to, by }
}

const fn upsample_nearest(from: Names, to: Names) -> Stage {
    let by = By::Upsample(Interpolation::Nearest);
    Stage { from, to, by }
}

/// An encoder of six steps from 320 to 10 rows, a decoder back up, and six masks joined at the end.
pub(super) const SALIENCY: &[Stage] = &[
    conv_relu(&["input.1"], ["1967", "1968"], &["801"]),
    conv_relu(&["801"], ["1970", "1971"], &["804"]),
    graph(&["804"], &["805"]),
    conv_relu(&["805"], ["1973", "1974"], &["808"]),
    graph(&["808"], &["809"]),
    conv_relu(&["809"], ["1976", "1977"], &["812"]),
    graph(&["812"], &["896"]),
    conv_relu(&["896", "812"], ["2000", "2001"], &["900"]),
    upsample_linear(&["900"], &["919"]),
    conv_relu(&["919", "808"], ["2003", "2004"], &["923"]),
    upsample_linear(&["923"], &["942"]),
    conv_relu_add(&["942", "804"], ["2006", "2007"], "801", &["947"]),
    graph(&["947"], &["948"]),
    conv_relu(&["948"], ["2009", "2010"], &["951"]),
    conv_relu(&["951"], ["2012", "2013"], &["954"]),
    graph(&["954"], &["955"]),
    conv_relu(&["955"], ["2015", "2016"], &["958"]),
    graph(&["958"], &["1042"]),
    conv_relu(&["1042", "958"], ["2039", "2040"], &["1046"]),
    upsample_linear(&["1046"], &["1065"]),
    conv_relu_add(&["1065", "954"], ["2042", "2043"], "951", &["1070"]),
    graph(&["1070"], &["1071"]),
    conv_relu(&["1071"], ["2045", "2046"], &["1074"]),
    conv_relu(&["1074"], ["2048", "2049"], &["1077"]),
    graph(&["1077"], &["1161"]),
    conv_relu_add(&["1161", "1077"], ["2072", "2073"], "1074", &["1166"]),
    graph(&["1166"], &["1235", "1341", "1936", "1956"]),
    graph(&["1341", "1235"], &["1429", "1916"]),
    upsample_linear(&["1429"], &["1448"]),
    conv_relu(&["1448", "1166"], ["2195", "2196"], &["1452"]),
    conv_relu(&["1452"], ["2198", "2199"], &["1455"]),
    graph(&["1455"], &["1539"]),
    conv_relu_add(&["1539", "1455"], ["2222", "2223"], "1452", &["1544"]),
    graph(&["1544"], &["1896"]),
    upsample_linear(&["1544"], &["1563"]),
    conv_relu(&["1563", "1070"], ["2225", "2226"], &["1567"]),
    conv_relu(&["1567"], ["2228", "2229"], &["1570"]),
    graph(&["1570"], &["1571"]),
    conv_relu(&["1571"], ["2231", "2232"], &["1574"]),
    graph(&["1574"], &["1658"]),
    conv_relu(&["1658", "1574"], ["2255", "2256"], &["1662"]),
    upsample_linear(&["1662"], &["1681"]),
    conv_relu_add(&["1681", "1570"], ["2258", "2259"], "1567", &["1686"]),
    conv(&["1686"], ["side2.weight", "side2.bias"], &["1857"]),
    upsample_linear(&["1857"], &["1876"]),
    upsample_linear(&["1686"], &["1705"]),
    conv_relu(&["1705", "947"], ["2261", "2262"], &["1709"]),
    conv_relu(&["1709"], ["2264", "2265"], &["1712"]),
    graph(&["1712"], &["1713"]),
    conv_relu(&["1713"], ["2267", "2268"], &["1716"]),
    graph(&["1716"], &["1717"]),
    conv_relu(&["1717"], ["2270", "2271"], &["1720"]),
    graph(&["1720"], &["1804"]),
    conv_relu(&["1804", "1720"], ["2294", "2295"], &["1808"]),
    upsample_linear(&["1808"], &["1827"]),
    conv_relu(&["1827", "1716"], ["2297", "2298"], &["1831"]),
    upsample_linear(&["1831"], &["1850"]),
    conv_relu_add(&["1850", "1712"], ["2300", "2301"], "1709", &["1855"]),
    conv(&["1855"], ["side1.weight", "side1.bias"], &["1856"]),
    graph(&["1856", "1876", "1896", "1916", "1936", "1956"], &["1959"]),
];

/// A chain of light convolutions down to a thirty-second of the size, and four of its levels joined.
pub(super) const TEXT: &[Stage] = &[
    graph(&["x"], &["batch_norm_67.tmp_2"]),
    conv(
        &["batch_norm_67.tmp_2"],
        ["p2o.Add.3.w", "p2o.Add.3.b"],
        &["p2o.Add.3"],
    ),
    graph(&["p2o.Add.3"], &["p2o.Add.15"]),
    conv_stride_2(
        &["p2o.Add.15"],
        ["p2o.Add.19.w", "p2o.Add.19.b"],
        &["p2o.Add.19"],
    ),
    graph(&["p2o.Add.19"], &["p2o.Add.27"]),
    conv(
        &["p2o.Add.27"],
        ["p2o.Add.31.w", "p2o.Add.31.b"],
        &["p2o.Add.31"],
    ),
    graph(&["p2o.Add.31"], &["hardswish_62.tmp_0"]),
    graph(&["hardswish_62.tmp_0"], &["p2o.Add.247"]),
    graph(&["hardswish_62.tmp_0"], &["p2o.Add.43"]),
    conv_stride_2(
        &["p2o.Add.43"],
        ["p2o.Add.47.w", "p2o.Add.47.b"],
        &["p2o.Add.47"],
    ),
    graph(&["p2o.Add.47"], &["p2o.Add.55"]),
    conv(
        &["p2o.Add.55"],
        ["p2o.Add.59.w", "p2o.Add.59.b"],
        &["p2o.Add.59"],
    ),
    graph(&["p2o.Add.59"], &["hardswish_65.tmp_0"]),
    graph(&["hardswish_65.tmp_0"], &["p2o.Add.241"]),
    graph(&["hardswish_65.tmp_0"], &["p2o.Add.71"]),
    conv_stride_2(
        &["p2o.Add.71"],
        ["p2o.Add.75.w", "p2o.Add.75.b"],
        &["p2o.Add.75"],
    ),
    graph(&["p2o.Add.75"], &["p2o.Add.83"]),
    conv(
        &["p2o.Add.83"],
        ["p2o.Add.87.w", "p2o.Add.87.b"],
        &["p2o.Add.87"],
    ),
    graph(&["p2o.Add.87"], &["p2o.Add.99"]),
    conv(
        &["p2o.Add.99"],
        ["p2o.Add.103.w", "p2o.Add.103.b"],
        &["p2o.Add.103"],
    ),
    graph(&["p2o.Add.103"], &["p2o.Add.115"]),
    conv(
        &["p2o.Add.115"],
        ["p2o.Add.119.w", "p2o.Add.119.b"],
        &["p2o.Add.119"],
    ),
    graph(&["p2o.Add.119"], &["p2o.Add.131"]),
    conv(
        &["p2o.Add.131"],
        ["p2o.Add.135.w", "p2o.Add.135.b"],
        &["p2o.Add.135"],
    ),
    graph(&["p2o.Add.135"], &["hardswish_74.tmp_0"]),
    graph(&["hardswish_74.tmp_0"], &["p2o.Add.235"]),
    graph(&["hardswish_74.tmp_0"], &["p2o.Add.147"]),
    conv_stride_2(
        &["p2o.Add.147"],
        ["p2o.Add.151.w", "p2o.Add.151.b"],
        &["p2o.Add.151"],
    ),
    graph(&["p2o.Add.151"], &["p2o.Add.163"]),
    conv(
        &["p2o.Add.163"],
        ["p2o.Add.167.w", "p2o.Add.167.b"],
        &["p2o.Add.167"],
    ),
    graph(&["p2o.Add.167"], &["p2o.Add.183"]),
    conv(
        &["p2o.Add.183"],
        ["p2o.Add.187.w", "p2o.Add.187.b"],
        &["p2o.Add.187"],
    ),
    graph(&["p2o.Add.187"], &["p2o.Add.199"]),
    conv(
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
    conv(
        &["p2o.Add.251"],
        ["conv2d_491.tmp_0.w", "conv2d_491.tmp_0.b"],
        &["conv2d_491.tmp_0"],
    ),
    graph(&["conv2d_491.tmp_0"], &["p2o.Add.271"]),
    upsample_nearest(&["p2o.Add.251"], &["nearest_interp_v2_2.tmp_0"]),
    upsample_nearest(&["p2o.Add.271"], &["nearest_interp_v2_5.tmp_0"]),
    graph(
        &["p2o.Add.247", "nearest_interp_v2_2.tmp_0"],
        &["p2o.Add.253"],
    ),
    conv(
        &["p2o.Add.253"],
        ["conv2d_494.tmp_0.w", "conv2d_494.tmp_0.b"],
        &["conv2d_494.tmp_0"],
    ),
    graph(&["conv2d_494.tmp_0"], &["p2o.Add.277"]),
    conv_relu(
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
    conv(
        &["p2o.pd_op.relu.4.0"],
        ["conv2d_74.w_0", "p2o.pd_op.reshape.5.0"],
        &["Add.11"],
    ),
    graph(&["Add.11"], &["Add.23"]),
    conv(
        &["Add.23"],
        ["conv2d_78.w_0", "p2o.pd_op.reshape.10.0"],
        &["Add.25"],
    ),
    graph(&["Add.25"], &["Add.33"]),
    conv(
        &["Add.33"],
        ["conv2d_82.w_0", "p2o.pd_op.reshape.13.0"],
        &["Add.35"],
    ),
    graph(&["Add.35"], &["Add.51"]),
    conv(
        &["Add.51"],
        ["conv2d_89.w_0", "p2o.pd_op.reshape.19.0"],
        &["Add.53"],
    ),
    graph(&["Add.53"], &["Add.65"]),
    conv(
        &["Add.65"],
        ["conv2d_93.w_0", "p2o.pd_op.reshape.24.0"],
        &["Add.67"],
    ),
    graph(&["Add.67"], &["Add.75"]),
    conv(
        &["Add.75"],
        ["conv2d_97.w_0", "p2o.pd_op.reshape.27.0"],
        &["Add.77"],
    ),
    graph(&["Add.77"], &["Add.89"]),
    conv(
        &["Add.89"],
        ["conv2d_101.w_0", "p2o.pd_op.reshape.32.0"],
        &["Add.91"],
    ),
    graph(&["Add.91"], &["Add.99"]),
    conv(
        &["Add.99"],
        ["conv2d_105.w_0", "p2o.pd_op.reshape.35.0"],
        &["Add.101"],
    ),
    graph(&["Add.101"], &["Add.113"]),
    conv(
        &["Add.113"],
        ["conv2d_109.w_0", "p2o.pd_op.reshape.40.0"],
        &["Add.115"],
    ),
    graph(&["Add.115"], &["Add.131"]),
    conv(
        &["Add.131"],
        ["conv2d_116.w_0", "p2o.pd_op.reshape.46.0"],
        &["Add.133"],
    ),
    graph(&["Add.133"], &["Add.145"]),
    conv(
        &["Add.145"],
        ["conv2d_120.w_0", "p2o.pd_op.reshape.51.0"],
        &["Add.147"],
    ),
    graph(&["Add.147"], &["fetch_name_0"]),
];
