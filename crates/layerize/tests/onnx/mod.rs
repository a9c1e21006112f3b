//! Writes ONNX files: as much of the format (`onnx.proto3`) as a handful of operators needs.

/// One operator.
pub(crate) struct Node {
    operator: &'static str,
    from: Vec<&'static str>,
    to: &'static str,
}

impl Node {
    pub(crate) fn new(operator: &'static str, from: &[&'static str], to: &'static str) -> Self {
        Self {
            operator,
            from: from.to_vec(),
            to,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let from = self.from.iter().flat_map(|name| field(1, name.as_bytes()));
        let mut bytes: Vec<u8> = from.collect();
        bytes.extend(field(2, self.to.as_bytes()));
        bytes.extend(field(4, self.operator.as_bytes()));
        if self.operator == "Conv" {
            // rten wants these said, though the format has defaults.
            bytes.extend(field(5, &numbers("strides", &[1, 1])));
            bytes.extend(field(5, &numbers("dilations", &[1, 1])));
            bytes.extend(field(5, &numbers("pads", &[0, 0, 0, 0])));
        }
        bytes
    }
}

/// A model of one graph.
pub(crate) struct Graph {
    /// Names and shapes; a size that is none is left open.
    pub(crate) inputs: Vec<(&'static str, [Option<i64>; 4])>,
    /// Names, shapes and values.
    pub(crate) weights: Vec<(&'static str, Vec<i64>, Vec<f32>)>,
    /// In the order they run.
    pub(crate) nodes: Vec<Node>,
    pub(crate) output: &'static str,
}

/// `TensorProto.FLOAT` and `AttributeProto.INTS`.
const FLOAT: u64 = 1;
const INTS: u64 = 7;

/// An `AttributeProto` of whole numbers.
fn numbers(name: &str, values: &[u64]) -> Vec<u8> {
    let mut bytes = field(1, name.as_bytes());
    for &value in values {
        bytes.extend(number(8, value));
    }
    bytes.extend(number(20, INTS));
    bytes
}

impl Graph {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut graph = Vec::new();
        for node in &self.nodes {
            graph.extend(field(1, &node.bytes()));
        }
        graph.extend(field(2, b"test"));
        for (name, shape, values) in &self.weights {
            let mut tensor = Vec::new();
            for &size in shape {
                tensor.extend(number(1, size.unsigned_abs()));
            }
            tensor.extend(number(2, FLOAT));
            tensor.extend(field(8, name.as_bytes()));
            let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensor.extend(field(9, &raw));
            graph.extend(field(5, &tensor));
        }
        for (name, shape) in &self.inputs {
            graph.extend(field(11, &value(name, Some(shape))));
        }
        graph.extend(field(12, &value(self.output, None)));
        let mut model = number(1, 8);
        model.extend(field(7, &graph));
        // The operators of ONNX, version 13.
        let mut operators = field(1, b"");
        operators.extend(number(2, 13));
        model.extend(field(8, &operators));
        model
    }
}

/// A `ValueInfoProto` of numbers.
fn value(name: &str, shape: Option<&[Option<i64>; 4]>) -> Vec<u8> {
    let mut tensor = number(1, FLOAT);
    if let Some(shape) = shape {
        let mut sizes = Vec::new();
        for size in shape {
            let size = match size {
                Some(size) => number(1, size.unsigned_abs()),
                None => field(2, b"open"),
            };
            sizes.extend(field(1, &size));
        }
        tensor.extend(field(2, &sizes));
    }
    let mut bytes = field(1, name.as_bytes());
    bytes.extend(field(2, &field(1, &tensor)));
    bytes
}

/// A field of bytes.
fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(tag << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

/// A field that is a number.
fn number(tag: u64, value: u64) -> Vec<u8> {
    let mut out = varint(tag << 3);
    out.extend(varint(value));
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 128 {
        out.push((value % 128) as u8 | 128);
        value /= 128;
    }
    out.push(value as u8);
    out
}
