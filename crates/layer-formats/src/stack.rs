//! What is written: a stack of layers and groups on a canvas, without a pixel.
//!
//! Everything is bottom first, as it is drawn. Nothing here is checked when it is made: a writer checks the whole
//! stack before its first byte ([`Stack::check`]).

use super::error::ExportError;

/// The longest side of a canvas: what PSB takes.
pub const MAX_SIDE: u32 = 300_000;
/// How deep groups may stand in each other; Photoshop takes ten.
pub const MAX_DEPTH: usize = 10;
/// The most layers and groups of a stack. PSD counts its records in 16 bits with a sign, two for a group.
pub const MAX_NODES: usize = 8_000;

/// A canvas and what lies on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Width of the canvas in pixels, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Height of the canvas in pixels, 1 to [`MAX_SIDE`].
    pub height: u32,
    /// For printing and for slides; 72 where nothing is known.
    pub pixels_per_inch: f64,
    /// What the picture is called; any text.
    pub title: String,
    /// How it was arranged, in whatever form the program that wrote it takes again; the manifest alone keeps it.
    pub recipe: Option<serde_json::Value>,
    /// Bottom first.
    pub nodes: Vec<Node>,
}

/// A layer, or a group of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A layer.
    Layer(Layer),
    /// A group.
    Group(Group),
}

/// One layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The number by which its pixels are asked of [`Pictures`](super::Pictures).
    pub source: usize,
    /// A stable word for programs; any text.
    pub id: String,
    /// What a person reads; any text.
    pub name: String,
    /// What it is, such as `text`; any text.
    pub kind: Option<String>,
    /// What is written in it.
    pub text: Option<String>,
    /// Where its pixels lie; nothing is drawn outside the canvas. Trimmed bounds make smaller files.
    pub bounds: Bounds,
    /// How strongly it is drawn: 255 is as its own alpha says.
    pub opacity: u8,
    /// Whether it is drawn.
    pub visible: bool,
    /// How it is drawn on what is below.
    pub blend: Blend,
}

impl Layer {
    /// A visible layer, drawn as its own alpha says.
    #[must_use]
    pub fn new(source: usize, name: impl Into<String>, bounds: Bounds) -> Self {
        Self {
            source,
            id: format!("layer_{source}"),
            name: name.into(),
            kind: None,
            text: None,
            bounds,
            opacity: u8::MAX,
            visible: true,
            blend: Blend::Normal,
        }
    }
}

/// A group. At full opacity what is in it is drawn as if there were no group; below that it is drawn by itself
/// first, and then as one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What a person reads; any text.
    pub name: String,
    /// How strongly it is drawn as a whole.
    pub opacity: u8,
    /// Whether anything of it is drawn.
    pub visible: bool,
    /// Bottom first.
    pub nodes: Vec<Node>,
}

impl Group {
    /// Whether it is drawn by itself first.
    pub(crate) fn is_isolated(&self) -> bool {
        self.opacity < u8::MAX
    }
}

/// A rectangle in pixels of the canvas. It may reach beyond the canvas, and be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width; an empty layer has 0.
    pub width: u32,
    /// Height; an empty layer has 0.
    pub height: u32,
}

impl Bounds {
    /// A rectangle.
    #[must_use]
    pub fn new(x: i32, y: i32, width: u32, height: u32) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    /// Whether there is no pixel in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Behind its right edge. What was checked does not overflow.
    pub(crate) fn right(self) -> i32 {
        self.x.saturating_add_unsigned(self.width)
    }

    /// Below its lower edge.
    pub(crate) fn bottom(self) -> i32 {
        self.y.saturating_add_unsigned(self.height)
    }
}

/// How a layer is drawn on what is below it, by the formulas of the W3C's *Compositing and Blending*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Blend {
    /// Straight-alpha *over*.
    #[default]
    Normal,
    /// Darker: the product.
    Multiply,
    /// Lighter: the product of what is missing to white.
    Screen,
    /// Multiply where it is dark below, screen where it is light.
    Overlay,
    /// The darker of both.
    Darken,
    /// The lighter of both.
    Lighten,
    /// Lightens what is below to show the layer.
    ColorDodge,
    /// Darkens what is below to show the layer.
    ColorBurn,
    /// Multiply or screen by the layer's own lightness.
    HardLight,
    /// A softer hard light.
    SoftLight,
    /// How far both are apart.
    Difference,
}

impl Blend {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Normal,
        Self::Multiply,
        Self::Screen,
        Self::Overlay,
        Self::Darken,
        Self::Lighten,
        Self::ColorDodge,
        Self::ColorBurn,
        Self::HardLight,
        Self::SoftLight,
        Self::Difference,
    ];

    /// Its name in CSS, SVG and manifests; that of OpenRaster begins with `svg:`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Multiply => "multiply",
            Self::Screen => "screen",
            Self::Overlay => "overlay",
            Self::Darken => "darken",
            Self::Lighten => "lighten",
            Self::ColorDodge => "color-dodge",
            Self::ColorBurn => "color-burn",
            Self::HardLight => "hard-light",
            Self::SoftLight => "soft-light",
            Self::Difference => "difference",
        }
    }

    /// The mode of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|blend| blend.name() == name)
    }
}

impl Stack {
    /// Whether every writer can write it.
    ///
    /// # Errors
    /// [`ExportError::Canvas`], [`ExportError::Nodes`], [`ExportError::Bounds`] or [`ExportError::Resolution`].
    pub fn check(&self) -> Result<(), ExportError> {
        let side = 1..=MAX_SIDE;
        if !side.contains(&self.width) || !side.contains(&self.height) {
            return Err(ExportError::Canvas {
                width: self.width,
                height: self.height,
            });
        }
        if !(1.0..=30_000.0).contains(&self.pixels_per_inch) {
            return Err(ExportError::Resolution(self.pixels_per_inch));
        }
        let mut count = 0;
        checked(&self.nodes, MAX_DEPTH, &mut count)
    }

    /// All layers, bottom first, whatever group they are in.
    #[must_use]
    pub fn layers(&self) -> Vec<&Layer> {
        fn of<'a>(nodes: &'a [Node], layers: &mut Vec<&'a Layer>) {
            for node in nodes {
                match node {
                    Node::Layer(layer) => layers.push(layer),
                    Node::Group(group) => of(&group.nodes, layers),
                }
            }
        }
        let mut layers = Vec::new();
        of(&self.nodes, &mut layers);
        layers
    }
}

fn checked(nodes: &[Node], depth: usize, count: &mut usize) -> Result<(), ExportError> {
    for node in nodes {
        *count += 1;
        if *count > MAX_NODES {
            return Err(ExportError::Nodes);
        }
        match node {
            Node::Layer(layer) => {
                let Bounds {
                    x,
                    y,
                    width,
                    height,
                } = layer.bounds;
                let far = MAX_SIDE as i32;
                let near =
                    |place: i32, length: u32| (-far..=far).contains(&place) && length <= MAX_SIDE;
                if !near(x, width) || !near(y, height) {
                    return Err(ExportError::Bounds(layer.bounds));
                }
            }
            Node::Group(_) if depth == 0 => return Err(ExportError::Nodes),
            Node::Group(group) => checked(&group.nodes, depth - 1, count)?,
        }
    }
    Ok(())
}
