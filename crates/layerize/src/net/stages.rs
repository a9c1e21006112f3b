//! Where the graphs are cut for the built-in runtime: stages of at most about a fortieth of a call.
//!
//! Nothing runs here. The names are those of the ONNX files. Each stage is cheap to look at the stop
//! flag between and dear to run, so cuts lie where few values are alive, and behind what rten does
//! in place (a sum, a rectifier) rather than before it.
//! Invariant: a stage is given only values that earlier ones made, the last one makes the mask.

use super::Net;

/// A piece of a graph.
pub(super) struct Stage {
    /// The values it is given.
    pub(super) from: &'static [&'static str],
    /// The values it makes.
    pub(super) to: &'static [&'static str],
    /// How many strips of rows it is run in. With more than one, it makes one value, as tall as all
    /// it is given, by one convolution of 3 by 3 padded to keep its size; what else is in it (joins,
    /// sums, rectifiers) looks at one place alone.
    pub(super) strips: usize,
}

const fn whole(from: &'static [&'static str], to: &'static [&'static str]) -> Stage {
    strips(from, to, 1)
}

const fn strips(
    from: &'static [&'static str],
    to: &'static [&'static str],
    strips: usize,
) -> Stage {
    Stage { from, to, strips }
}

impl Net {
    /// The graph in pieces, in the order they run.
    pub(super) fn stages(self) -> &'static [Stage] {
        match self {
            Self::Saliency => SALIENCY,
            Self::Text => TEXT,
        }
    }

    /// The value that holds the picture.
    pub(super) fn input(self) -> &'static str {
        match self {
            Self::Saliency => "input.1",
            Self::Text => "x",
        }
    }
}

/// An encoder of six steps from 320 to 10 rows, a decoder back up, and six masks joined at the end.
const SALIENCY: &[Stage] = &[
    whole(&["input.1"], &["801"]),
    strips(&["801"], &["804"], 5),
    whole(&["804"], &["808", "919"]),
    whole(&["919", "808"], &["942"]),
    strips(&["942", "804", "801"], &["947"], 6),
    whole(&["947"], &["948"]),
    strips(&["948"], &["951"], 3),
    whole(&["951"], &["954"]),
    whole(&["954"], &["1065"]),
    strips(&["1065", "954", "951"], &["1070"], 2),
    whole(&["1070"], &["1166"]),
    whole(&["1166"], &["1235", "1341", "1936", "1956"]),
    whole(&["1341", "1235"], &["1429", "1916"]),
    whole(&["1429", "1166"], &["1452"]),
    whole(&["1452"], &["1544", "1896"]),
    whole(&["1544"], &["1563"]),
    strips(&["1563", "1070"], &["1567"], 5),
    whole(&["1567"], &["1570"]),
    whole(&["1570"], &["1681"]),
    strips(&["1681", "1570", "1567"], &["1686"], 2),
    whole(&["1686"], &["1876"]),
    whole(&["1686"], &["1705"]),
    strips(&["1705", "947"], &["1709"], 16),
    strips(&["1709"], &["1712"], 5),
    whole(&["1712"], &["1716", "1827"]),
    whole(&["1827", "1716"], &["1850"]),
    strips(&["1850", "1712", "1709"], &["1855"], 6),
    strips(&["1855"], &["1856"], 3),
    whole(&["1856", "1876", "1896", "1916", "1936", "1956"], &["1959"]),
];

/// A chain of light convolutions down to a thirty-second of the size, and four of its levels joined.
const TEXT: &[Stage] = &[
    whole(&["x"], &["batch_norm_67.tmp_2"]),
    whole(&["batch_norm_67.tmp_2"], &["hardswish_58.tmp_0"]),
    whole(&["hardswish_58.tmp_0"], &["p2o.Add.15"]),
    whole(&["p2o.Add.15"], &["p2o.Add.23"]),
    whole(&["p2o.Add.23"], &["p2o.Add.31"]),
    whole(&["p2o.Add.31"], &["hardswish_62.tmp_0"]),
    whole(&["hardswish_62.tmp_0"], &["p2o.Add.247"]),
    whole(&["hardswish_62.tmp_0"], &["p2o.Add.55"]),
    whole(&["p2o.Add.55"], &["hardswish_65.tmp_0"]),
    whole(&["hardswish_65.tmp_0"], &["p2o.Add.241"]),
    whole(&["hardswish_65.tmp_0"], &["p2o.Add.99"]),
    whole(&["p2o.Add.99"], &["p2o.Add.115"]),
    whole(&["p2o.Add.115"], &["p2o.Add.131"]),
    whole(&["p2o.Add.131"], &["hardswish_74.tmp_0"]),
    whole(&["hardswish_74.tmp_0"], &["p2o.Add.235"]),
    whole(&["hardswish_74.tmp_0"], &["p2o.Add.183"]),
    whole(&["p2o.Add.183"], &["hardswish_80.tmp_0"]),
    whole(&["hardswish_80.tmp_0"], &["p2o.Add.229"]),
    whole(
        &["p2o.Add.229", "p2o.Add.235"],
        &["p2o.Add.249", "nearest_interp_v2_3.tmp_0"],
    ),
    whole(&["p2o.Add.249"], &["nearest_interp_v2_4.tmp_0"]),
    whole(&["p2o.Add.249", "p2o.Add.241"], &["p2o.Add.251"]),
    whole(&["p2o.Add.251"], &["p2o.Add.271"]),
    whole(&["p2o.Add.251"], &["nearest_interp_v2_2.tmp_0"]),
    whole(&["p2o.Add.271"], &["nearest_interp_v2_5.tmp_0"]),
    strips(
        &["p2o.Add.247", "nearest_interp_v2_2.tmp_0"],
        &["conv2d_494.tmp_0"],
        5,
    ),
    whole(&["conv2d_494.tmp_0"], &["p2o.Add.277"]),
    strips(
        &[
            "nearest_interp_v2_3.tmp_0",
            "nearest_interp_v2_4.tmp_0",
            "nearest_interp_v2_5.tmp_0",
            "p2o.Add.277",
        ],
        &["batch_norm_0.tmp_4"],
        5,
    ),
    whole(&["batch_norm_0.tmp_4"], &["batch_norm_1.tmp_4"]),
    whole(&["batch_norm_1.tmp_4"], &["sigmoid_0.tmp_0"]),
];
