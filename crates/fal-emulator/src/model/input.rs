//! The model's input schema: names, defaults and ranges of `fal-ai/qwen-image-layered` and its
//! `lora` variant, with the errors that a FastAPI model with fal's error types answers.
//!
//! It looks at JSON only; the image is looked at elsewhere. Unknown fields are ignored, numbers in
//! strings are accepted, as pydantic does. Invariant: an `Input` is within every range.

use serde_json::{Value, json};

use crate::failure::{Failure, Item};

/// A valid input.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) image_url: String,
    pub(crate) prompt: Option<String>,
    pub(crate) num_inference_steps: u32,
    pub(crate) num_layers: u8,
    pub(crate) seed: Option<u64>,
    pub(crate) sync_mode: bool,
    pub(crate) webp: bool,
}

impl Input {
    /// Parses the input of the endpoint at `path` under the application.
    ///
    /// # Errors
    /// 404 for a path that the application does not have, 422 with one item per wrong field.
    pub(crate) fn parse(path: &str, body: &Value) -> Result<Self, Failure> {
        if !matches!(path, "" | "lora") {
            return Err(Failure::text(404, format!("Path /{path} not found")));
        }
        let mut fields = Fields {
            body,
            items: Vec::new(),
        };
        let input = Self {
            image_url: fields.required_string("image_url"),
            prompt: fields.string("prompt"),
            num_inference_steps: fields.integer("num_inference_steps", 28, 1, 50),
            num_layers: u8::try_from(fields.integer("num_layers", 4, 1, 10)).unwrap_or(10),
            seed: fields.seed(),
            sync_mode: fields.boolean("sync_mode", false),
            webp: fields.choice("output_format", &["png", "webp"]) == "webp",
        };
        fields.string("negative_prompt");
        fields.float("guidance_scale", 1.0, 20.0);
        fields.boolean("enable_safety_checker", true);
        fields.choice("acceleration", &["regular", "none", "high"]);
        if path == "lora" {
            fields.loras();
        }
        if fields.items.is_empty() {
            Ok(input)
        } else {
            Err(Failure::items(422, fields.items))
        }
    }
}

struct Fields<'a> {
    body: &'a Value,
    items: Vec<Item>,
}

impl<'a> Fields<'a> {
    /// The value, unless absent. An explicit null counts as absent: every optional field allows it.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    fn refuse(&mut self, kind: &str, name: &str, message: String, value: &Value) {
        self.items.push(Item::new(kind, name, message).input(value));
    }

    fn required_string(&mut self, name: &str) -> String {
        if self.body.get(name).is_none() {
            let item = Item::new("missing", name, "Field required").input(self.body);
            self.items.push(item);
            return String::new();
        }
        if self.body[name].is_null() {
            let message = "Input should be a valid string".to_owned();
            self.refuse("string_type", name, message, &Value::Null);
        }
        self.string(name).unwrap_or_default()
    }

    fn string(&mut self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        let message = "Input should be a valid string".to_owned();
        self.refuse("string_type", name, message, value);
        None
    }

    fn boolean(&mut self, name: &str, default: bool) -> bool {
        let Some(value) = self.get(name) else {
            return default;
        };
        match value {
            Value::Bool(set) => *set,
            Value::String(text) if text == "true" => true,
            Value::String(text) if text == "false" => false,
            other => {
                let message = "Input should be a valid boolean".to_owned();
                self.refuse("bool_parsing", name, message, other);
                default
            }
        }
    }

    fn integer(&mut self, name: &str, default: u32, least: u32, most: u32) -> u32 {
        let Some(value) = self.get(name) else {
            return default;
        };
        let Some(number) = whole(value) else {
            let message = "Input should be a valid integer".to_owned();
            self.refuse("int_parsing", name, message, value);
            return default;
        };
        self.range(
            name,
            number as f64,
            f64::from(least),
            f64::from(most),
            value,
        );
        u32::try_from(number).unwrap_or(default)
    }

    fn float(&mut self, name: &str, least: f64, most: f64) {
        let Some(value) = self.get(name) else { return };
        let number = value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match number {
            Some(number) => self.range(name, number, least, most, value),
            None => {
                let message = "Input should be a valid number".to_owned();
                self.refuse("float_parsing", name, message, value);
            }
        }
    }

    fn range(&mut self, name: &str, number: f64, least: f64, most: f64, value: &Value) {
        let (kind, context, message) = if number < least {
            let message = format!("Input should be greater than or equal to {least}");
            ("greater_than_equal", json!({"ge": least}), message)
        } else if number > most {
            let message = format!("Input should be less than or equal to {most}");
            ("less_than_equal", json!({"le": most}), message)
        } else {
            return;
        };
        let item = Item::new(kind, name, message).context(context).input(value);
        self.items.push(item);
    }

    fn seed(&mut self) -> Option<u64> {
        let value = self.get("seed")?;
        if let Some(seed) = value.as_u64() {
            return Some(seed);
        }
        match whole(value) {
            // A negative seed is as good as any; torch takes it modulo 2^64.
            Some(seed) => Some(seed as u64),
            None => {
                let message = "Input should be a valid integer".to_owned();
                self.refuse("int_parsing", "seed", message, value);
                None
            }
        }
    }

    fn choice(&mut self, name: &str, allowed: &[&'static str]) -> &'static str {
        let Some(value) = self.get(name) else {
            return allowed[0];
        };
        let found = allowed.iter().find(|one| value.as_str() == Some(one));
        if found.is_none() {
            let item = Item::new(
                "one_of",
                name,
                format!("Input should be one of {allowed:?}"),
            )
            .context(json!({"expected": allowed}))
            .input(value);
            self.items.push(item);
        }
        found.copied().unwrap_or(allowed[0])
    }

    fn loras(&mut self) {
        let Some(value) = self.get("loras") else {
            return;
        };
        let Some(loras) = value.as_array() else {
            let message = "Input should be a valid list".to_owned();
            return self.refuse("list_type", "loras", message, value);
        };
        if loras.len() > 3 {
            let item = Item::new("sequence_too_long", "loras", "At most 3 LoRAs")
                .context(json!({"max_length": 3}));
            self.items.push(item);
        }
        for (index, lora) in loras.iter().enumerate() {
            if !lora["path"].is_string() {
                let item = Item::new("missing", "loras", "Field required")
                    .at([json!(index), json!("path")])
                    .input(lora);
                self.items.push(item);
            }
            let scale = lora.get("scale").map_or(Some(1.0), Value::as_f64);
            if !scale.is_some_and(|scale| (0.0..=4.0).contains(&scale)) {
                let item = Item::new("less_than_equal", "loras", "Scale is 0 to 4")
                    .at([json!(index), json!("scale")])
                    .context(json!({"le": 4}))
                    .input(&lora["scale"]);
                self.items.push(item);
            }
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64().or_else(|| {
            other
                .as_f64()
                .filter(|number| number.fract() == 0.0)
                .map(|number| number as i64)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(path: &str, body: &Value) -> Vec<(String, String)> {
        let failure = Input::parse(path, body).expect_err("the input is wrong");
        assert_eq!(failure.status, 422);
        failure.body["detail"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| {
                let place: Vec<String> = item["loc"]
                    .as_array()
                    .expect("a location")
                    .iter()
                    .map(|part| part.to_string().replace('"', ""))
                    .collect();
                (
                    item["type"].as_str().expect("a type").to_owned(),
                    place.join("."),
                )
            })
            .collect()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let found = kinds(
            "",
            &json!({
                "prompt": 3, "num_layers": 11, "num_inference_steps": 0, "guidance_scale": "x",
                "seed": 1.5, "sync_mode": "maybe", "output_format": "gif", "acceleration": "warp",
            }),
        );
        let expected = [
            ("missing", "body.image_url"),
            ("string_type", "body.prompt"),
            ("greater_than_equal", "body.num_inference_steps"),
            ("less_than_equal", "body.num_layers"),
            ("int_parsing", "body.seed"),
            ("bool_parsing", "body.sync_mode"),
            ("one_of", "body.output_format"),
            ("float_parsing", "body.guidance_scale"),
            ("one_of", "body.acceleration"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(kind, place)| ((*kind).to_owned(), (*place).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn seeds_use_all_64_bits() {
        let body = json!({"image_url": "x", "seed": 17_454_220_438_242_315_174_u64});
        let input = Input::parse("", &body).expect("valid");
        assert_eq!(input.seed, Some(17_454_220_438_242_315_174));
    }

    #[test]
    fn loras_are_checked_on_their_own_path_only() {
        let body = json!({"image_url": "x", "loras": [{}, {"path": "p", "scale": 9}, 1, 2]});
        assert!(Input::parse("", &body).is_ok());
        let found = kinds("lora", &body);
        assert_eq!(found[0].1, "body.loras");
        assert_eq!(found[1].1, "body.loras.0.path");
        let missing = Input::parse("other", &json!({"image_url": "x"})).expect_err("no such path");
        assert_eq!(missing.status, 404);
    }
}
