//! How a person arranged a job's layers: which, in which order, where, how strong, on what ground, and which part of it. The body of
//! `POST …/composite` and `POST …/export/{format}`; the Dart client's `LayerArrangement.toJson` is one. The only way to hold one is
//! [`Arrangement::parse`]. It does not know the job: whether its layers exist is asked where it is used.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::fields::{FieldError, Fields, ParseError, shorten};

/// Every field, for whoever sends another.
const KNOWN: &str = "layers, background and crop";
const KNOWN_OF_PICTURE: &str = "layers, background, crop, format and max_side";
const KNOWN_OF_LAYER: &str = "id, dx, dy, scale, opacity and visible";
const KNOWN_OF_CROP: &str = "x, y, width and height";
/// Most layers of an arrangement. No stack has more, so that each can be shown; a person may show one several times.
pub const MOST_PLACED: usize = 64;
/// How far a layer may be moved, in pixels.
const FAR: f64 = 100_000.0;
const MOST_SIDE: u32 = 16_384;

/// An arrangement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrangement {
    /// Bottom first; what is not listed is not drawn. `None` is all of them as they are.
    pub layers: Option<Vec<PlacedLayer>>,
    /// What is drawn below all, opaque.
    pub background: Option<[u8; 3]>,
    /// The part of the canvas that is kept.
    pub crop: Option<Crop>,
    /// What one picture of it is written as.
    pub format: FlatFormat,
    /// The longest side of that picture, at most, in pixels.
    pub max_side: Option<u32>,
}

/// A layer in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacedLayer {
    /// Which of the job's.
    pub order: u32,
    /// How far it is moved, right and down, in whole pixels.
    pub offset: (i32, i32),
    /// How large it is drawn, around the middle of its box, before it is moved: 0.01 to 10.
    pub scale: f32,
    /// 0.0 to 1.0, beside its own alpha.
    pub opacity: f32,
    pub visible: bool,
}

/// A rectangle of the canvas, in pixels; it has at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// A picture without layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlatFormat {
    #[default]
    Png,
    /// Lossless.
    WebP,
    /// Without alpha: on the background, or on white.
    Jpeg,
}

impl FlatFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Png, Self::WebP, Self::Jpeg];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Jpeg => "jpeg",
        }
    }

    /// The MIME type.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }
}

impl Arrangement {
    /// Parses the body. Reports every wrong field; unknown fields are refused; `null` counts as absent. What a picture without
    /// layers has, a format and a size, is known where it is to be `flat`.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(body: &[u8], flat: bool) -> Result<Self, ParseError> {
        let mut fields = Fields::of(body)?;
        let layers = layers(&mut fields);
        let background = background(&mut fields);
        let crop = crop(&mut fields);
        let (mut as_format, mut max_side) = (FlatFormat::default(), None);
        if flat {
            as_format = format(&mut fields);
            max_side = fields.take_whole_in("max_side", 1, MOST_SIDE);
        }
        fields.refuse_the_rest(if flat { KNOWN_OF_PICTURE } else { KNOWN });
        if !fields.errors.is_empty() {
            return Err(ParseError::Fields(fields.errors));
        }
        Ok(Self {
            layers,
            background,
            crop,
            format: as_format,
            max_side,
        })
    }
}

impl Arrangement {
    /// The body that it is parsed from, but for what a picture without layers has.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut body = Map::new();
        if let Some(layers) = &self.layers {
            let layers = layers.iter().map(|layer| {
                json!({
                    "id": format!("layer_{}", layer.order), "dx": layer.offset.0, "dy": layer.offset.1,
                    "scale": layer.scale, "opacity": layer.opacity, "visible": layer.visible,
                })
            });
            body.insert("layers".into(), layers.collect());
        }
        if let Some(colour) = self.background {
            let colour = format!("#{}", const_hex::encode(colour));
            body.insert("background".into(), colour.into());
        }
        if let Some(crop) = self.crop {
            let (width, height) = (crop.width, crop.height);
            let crop = json!({ "x": crop.x, "y": crop.y, "width": width, "height": height });
            body.insert("crop".into(), crop);
        }
        Value::Object(body)
    }
}

fn layers(fields: &mut Fields<'_>) -> Option<Vec<PlacedLayer>> {
    let entries = fields.take::<Vec<&RawValue>>("layers", "a list of layers, bottom first")?;
    if entries.len() > MOST_PLACED {
        let detail = format!(
            "Expected at most {MOST_PLACED} layers, got {}.",
            entries.len()
        );
        fields.wrong("layers", detail);
        return None;
    }
    let mut placed = Vec::with_capacity(entries.len());
    for (place, entry) in entries.into_iter().enumerate() {
        let below = format!("/layers/{place}");
        if let Some(layer) = inside(fields, &below, entry.get(), placed_layer) {
            placed.push(layer);
        }
    }
    Some(placed)
}

/// An object inside the body, whose errors get their place.
fn inside<T>(
    fields: &mut Fields<'_>,
    below: &str,
    text: &str,
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Option<T> {
    let mut own = match Fields::of(text.as_bytes()) {
        Ok(own) => own,
        Err(_) => {
            fields.errors.push(FieldError {
                pointer: below.to_owned(),
                detail: format!("Expected an object, got {}.", shorten(text)),
            });
            return None;
        }
    };
    let value = read(&mut own);
    let placed = own.errors.into_iter().map(|error| FieldError {
        pointer: format!("{below}{}", error.pointer),
        ..error
    });
    fields.errors.extend(placed);
    value
}

fn placed_layer(fields: &mut Fields<'_>) -> Option<PlacedLayer> {
    let id = fields.take::<String>("id", "a layer's id, such as \"layer_0\"");
    let order = id
        .as_deref()
        .and_then(|id| id.strip_prefix("layer_")?.parse().ok());
    if order.is_none() && fields.errors.is_empty() {
        let got = id
            .as_deref()
            .map_or("nothing".to_owned(), |id| format!("{:?}", shorten(id)));
        fields.wrong(
            "id",
            format!("Expected a layer's id, such as \"layer_0\", got {got}."),
        );
    }
    let mut pixels = |field| {
        let moved = fields.take_in(field, -FAR, FAR).unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "it is within bounds")]
        let moved = f64::round(moved) as i32;
        moved
    };
    let offset = (pixels("dx"), pixels("dy"));
    let scale = fields.take_in("scale", 0.01_f32, 10.0).unwrap_or(1.0);
    let opacity = fields.take_in("opacity", 0.0_f32, 1.0).unwrap_or(1.0);
    let visible = fields
        .take::<bool>("visible", "true or false")
        .unwrap_or(true);
    fields.refuse_the_rest(KNOWN_OF_LAYER);
    Some(PlacedLayer {
        order: order?,
        offset,
        scale,
        opacity,
        visible,
    })
}

fn background(fields: &mut Fields<'_>) -> Option<[u8; 3]> {
    const WANTED: &str = "a colour as \"#rrggbb\", or null for none";
    let text = fields.take::<String>("background", WANTED)?;
    let mut colour = [0; 3];
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    let read = digits.is_some_and(|digits| const_hex::decode_to_slice(digits, &mut colour).is_ok());
    if !read {
        let detail = format!("Expected {WANTED}, got {:?}.", shorten(&text));
        fields.wrong("background", detail);
        return None;
    }
    Some(colour)
}

fn crop(fields: &mut Fields<'_>) -> Option<Crop> {
    let raw = fields.raw("crop")?.to_owned();
    fields.leave_out("crop");
    if raw == "null" {
        return None;
    }
    inside(fields, "/crop", &raw, |fields| {
        let x = fields.take_whole_in("x", 0, MOST_SIDE).unwrap_or(0);
        let y = fields.take_whole_in("y", 0, MOST_SIDE).unwrap_or(0);
        let mut side = |field| {
            let side = fields.take_whole_in(field, 1, MOST_SIDE);
            if side.is_none() && fields.errors.is_empty() {
                fields.wrong(field, "It is missing.");
            }
            side
        };
        let (width, height) = (side("width"), side("height"));
        fields.refuse_the_rest(KNOWN_OF_CROP);
        Some(Crop {
            x,
            y,
            width: width?,
            height: height?,
        })
    })
}

fn format(fields: &mut Fields<'_>) -> FlatFormat {
    const WANTED: &str = "png, webp or jpeg";
    let Some(word) = fields.take::<String>("format", WANTED) else {
        return FlatFormat::default();
    };
    let known = FlatFormat::ALL
        .into_iter()
        .find(|format| format.word() == word);
    if known.is_none() {
        fields.wrong(
            "format",
            format!("Expected {WANTED}, got {:?}.", shorten(&word)),
        );
    }
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> Vec<String> {
        match Arrangement::parse(body.as_bytes(), true) {
            Err(ParseError::Fields(errors)) => errors.into_iter().map(|e| e.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_dart_client_keeps_is_an_arrangement() {
        let body = br#"{"layers":[{"id":"layer_2","dx":-3.6,"dy":0.4,"opacity":0.5,"visible":false},{"id":"layer_0","dx":0.0,"dy":0.0,"opacity":1.0,"visible":true}]}"#;
        let placed = |order, offset, opacity, visible| PlacedLayer {
            order,
            offset,
            scale: 1.0,
            opacity,
            visible,
        };
        let layers = vec![placed(2, (-4, 0), 0.5, false), placed(0, (0, 0), 1.0, true)];
        let expected = Arrangement {
            layers: Some(layers),
            ..Arrangement::default()
        };
        assert_eq!(Arrangement::parse(body, false).unwrap(), expected);
    }

    #[test]
    fn an_empty_body_is_all_layers_as_they_are() {
        assert_eq!(
            Arrangement::parse(b"{}", true).unwrap(),
            Arrangement::default()
        );
        let nulls =
            br#"{"layers":null,"background":null,"crop":null,"format":null,"max_side":null}"#;
        assert_eq!(
            Arrangement::parse(nulls, true).unwrap(),
            Arrangement::default()
        );
    }

    #[test]
    fn everything_can_be_said() {
        let body = br##"{"layers":[],"background":"#0aFF10","crop":{"x":1,"y":2.0,"width":3,"height":4},"format":"jpeg","max_side":256}"##;
        let expected = Arrangement {
            layers: Some(Vec::new()),
            background: Some([10, 255, 16]),
            crop: Some(Crop {
                x: 1,
                y: 2,
                width: 3,
                height: 4,
            }),
            format: FlatFormat::Jpeg,
            max_side: Some(256),
        };
        assert_eq!(Arrangement::parse(body, true).unwrap(), expected);
        assert!(Arrangement::parse(body, false).is_err());
    }

    #[test]
    fn what_it_is_written_as_is_read_as_the_same() {
        let body = br##"{"layers":[{"id":"layer_7","dx":-3,"scale":0.3,"opacity":0.1,"visible":false}],"background":"#0aFF10","crop":{"x":1,"width":3,"height":4}}"##;
        for body in [&body[..], b"{}", br#"{"layers":[]}"#] {
            let arrangement = Arrangement::parse(body, false).unwrap();
            let written = arrangement.to_json().to_string();
            let again = Arrangement::parse(written.as_bytes(), false).unwrap();
            assert_eq!(again, arrangement, "{written}");
        }
    }

    #[test]
    fn every_wrong_field_is_told_with_its_place() {
        let body = r#"{"layers":[{"id":"sky"},{"dx":1e9,"id":"layer_0","scale":0,"z":1},7],"background":"red","crop":{"width":0},"format":"gif","scale":2}"#;
        let expected = [
            "/layers/0/id",
            "/layers/1/dx",
            "/layers/1/scale",
            "/layers/1/z",
            "/layers/2",
            "/background",
            "/crop/width",
            "/format",
            "/scale",
        ];
        assert_eq!(wrong(body), expected);
        assert_eq!(wrong(r#"{"layers":[{}]}"#), ["/layers/0/id"]);
        assert_eq!(wrong(r#"{"layers":{}}"#), ["/layers"]);
        assert_eq!(wrong(r#"{"max_side":0}"#), ["/max_side"]);
        assert_eq!(
            wrong(r#"{"crop":{"x":1,"y":1,"height":2}}"#),
            ["/crop/width"]
        );
        let many = format!(
            "{{\"layers\":[{}]}}",
            vec!["{\"id\":\"layer_0\"}"; 65].join(",")
        );
        assert_eq!(wrong(&many), ["/layers"]);
    }
}
