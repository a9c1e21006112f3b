//! The fields of a JSON body, taken out one by one, and what is wrong with them: every wrong field
//! is kept, not only the first. It knows no field's name; `spec` does.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::whole_number::whole_number;

/// One thing wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the whole body.
    pub pointer: String,
    /// What is wrong, what is wanted.
    pub detail: String,
}

impl FieldError {
    fn new(field: &str, detail: impl Into<String>) -> Self {
        let pointer = if field.is_empty() {
            String::new()
        } else {
            format!("/{}", escape_pointer(field))
        };
        Self {
            pointer,
            detail: detail.into(),
        }
    }
}

fn escape_pointer(field: &str) -> String {
    field
        .chars()
        .take(64)
        .collect::<String>()
        .replace('~', "~0")
        .replace('/', "~1")
}

/// What parsing a body can come to, beside a spec.
#[derive(Debug)]
pub enum ParseError {
    /// Not JSON at all; the text says where it breaks.
    Syntax(String),
    /// JSON, with these fields wrong.
    Fields(Vec<FieldError>),
}

/// An object's fields, each once, and the names of those that came again: JSON leaves open which of two counts, so
/// that one reader believes the first and another the last.
struct Named<'a> {
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
    again: BTreeSet<String>,
}

impl<'a> Deserialize<'a> for Named<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'a> Visitor<'a> for NamedVisitor {
    type Value = Named<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut fields, mut again) = (BTreeMap::new(), BTreeSet::new());
        while let Some((name, value)) = map.next_entry::<Cow<'a, str>, &'a RawValue>()? {
            match fields.entry(name) {
                Entry::Occupied(before) => {
                    again.insert(before.key().to_string());
                }
                Entry::Vacant(free) => {
                    free.insert(value);
                }
            }
        }
        Ok(Named { fields, again })
    }
}

/// Takes known fields out of a body one by one and keeps what is wrong with them.
pub(crate) struct Fields<'a> {
    left: BTreeMap<Cow<'a, str>, &'a RawValue>,
    pub(crate) errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The fields of a body that must be a JSON object.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, ParseError> {
        let text = json_text(body)?;
        let Named { fields, again } = serde_json::from_str(text).map_err(|_| no_object(text))?;
        let detail = "It is given more than once; give it once.";
        let errors = again.iter().map(|field| FieldError::new(field, detail));
        Ok(Self {
            left: fields,
            errors: errors.collect(),
        })
    }

    /// A field as it stands in the body, which stays there.
    pub(crate) fn raw(&self, field: &str) -> Option<&'a str> {
        self.left.get(field).map(|raw| raw.get())
    }

    /// Leaves a field out.
    pub(crate) fn leave_out(&mut self, field: &str) {
        self.left.remove(field);
    }

    /// A field of this type; absent and `null` are the same.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self, field: &str, wanted: &str) -> Option<T> {
        let raw = self.left.remove(field)?;
        if raw.get() == "null" {
            return None;
        }
        let value = serde_json::from_str(raw.get()).ok();
        if value.is_none() {
            self.wrong(
                field,
                format!("Expected {wanted}, got {}.", shorten(raw.get())),
            );
        }
        value
    }

    /// A whole number of any size, written in any way that JSON has for it: `4`, `4.0`, `4e0`.
    pub(crate) fn take_whole(&mut self, field: &str, wanted: &str) -> Option<u64> {
        let raw = self.left.remove(field)?.get();
        if raw == "null" {
            return None;
        }
        let value = whole_number(raw);
        if value.is_none() {
            self.wrong(field, format!("Expected {wanted}, got {}.", shorten(raw)));
        }
        value
    }

    /// A whole number within these bounds.
    pub(crate) fn take_whole_in<T>(&mut self, field: &str, least: T, most: T) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + Copy + std::fmt::Display,
    {
        let raw = self.raw(field)?;
        let wanted = format!("a whole number from {least} to {most}");
        let value = T::try_from(self.take_whole(field, &wanted)?).ok();
        let value = value.filter(|value| (least..=most).contains(value));
        if value.is_none() {
            self.wrong(field, format!("Expected {wanted}, got {}.", shorten(raw)));
        }
        value
    }

    /// A number within these bounds.
    pub(crate) fn take_in<T: Deserialize<'a> + PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        field: &str,
        least: T,
        most: T,
    ) -> Option<T> {
        let wanted = format!("a number from {least} to {most}");
        let value = self.take::<T>(field, &wanted)?;
        if value < least || value > most {
            self.wrong(field, format!("Expected {wanted}, got {value}."));
            return None;
        }
        Some(value)
    }

    pub(crate) fn wrong(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(field, detail));
    }

    /// What was not taken is not known; `known` lists what is.
    pub(crate) fn refuse_the_rest(&mut self, known: &str) {
        for field in std::mem::take(&mut self.left).into_keys().take(16) {
            self.wrong(&field, format!("Unknown field; known are {known}."));
        }
    }
}

/// Why a text is no JSON object: only now is it worth a second walk to tell whether it is JSON at all.
fn no_object(text: &str) -> ParseError {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => ParseError::Fields(vec![FieldError::new("", "The body must be a JSON object.")]),
        Err(error) => ParseError::Syntax(error.to_string()),
    }
}

/// The text of a body. A byte order mark before it is left out, as RFC 8259 allows (8.1); what is in
/// another encoding, or compressed and not declared so, is named: a parser would only say that its
/// first character is wrong.
fn json_text(body: &[u8]) -> Result<&str, ParseError> {
    let named = match body {
        [] => Some("there is nothing in it; send a JSON object"),
        [0x1f, 0x8b, ..] => Some(
            "it is compressed with gzip; say so in the header Content-Encoding: gzip, or send it as it is",
        ),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => {
            Some("it is in UTF-32; send it in UTF-8")
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            Some("it is in UTF-16; send it in UTF-8")
        }
        _ => None,
    };
    if let Some(named) = named {
        return Err(ParseError::Syntax(named.to_owned()));
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(text).map_err(|error| {
        let place = body.len() - text.len() + error.valid_up_to();
        ParseError::Syntax(format!("byte {place} is not UTF-8; send it in UTF-8"))
    })
}

/// A wrong value as it may stand in an error: short, and on one line.
pub(crate) fn shorten(raw: &str) -> String {
    let mut short: String = raw
        .chars()
        .take(40)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if short.len() < raw.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(body: &[u8]) -> String {
        match Fields::of(body).map(|_| ()) {
            Err(ParseError::Syntax(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        let bytes = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_before_utf_8_is_left_out() {
        let fields = Fields::of(b"\xef\xbb\xbf{\"a\":1}").unwrap();
        assert_eq!(fields.raw("a"), Some("1"));
        assert!(syntax(b"\xef\xbb\xbf").contains("EOF"));
    }

    #[test]
    fn another_encoding_is_named() {
        for little in [true, false] {
            for text in ["\u{feff}{\"a\":1}", "{\"a\":1}"] {
                assert!(syntax(&utf16(text, little)).contains("UTF-16"), "{text}");
            }
        }
        for start in [
            &[0xff, 0xfe, 0, 0, b'{', 0, 0, 0][..],
            &[b'{', 0, 0, 0],
            &[0, 0, 0, b'{'],
            &[0, 0, 0xfe, 0xff, 0, 0, 0, b'{'],
        ] {
            assert!(syntax(start).contains("UTF-32"), "{start:?}");
        }
        assert!(syntax(b"{\"prompt\":\"caf\xe9\"}").contains("byte 14 is not UTF-8"));
        assert!(syntax(&[0x1f, 0x8b, 8, 0]).contains("Content-Encoding"));
    }

    #[test]
    fn a_whole_number_is_taken_however_it_is_written() {
        let body = br#"{"a":4.0,"b":4.5,"c":"4","d":300,"e":null,"f":11}"#;
        let mut fields = Fields::of(body).unwrap();
        assert_eq!(fields.take_whole_in("a", 1_u8, 10), Some(4));
        for field in ["b", "c", "d", "e", "f"] {
            assert_eq!(fields.take_whole_in("x", 1_u8, 10), None);
            assert_eq!(fields.take_whole_in(field, 1_u8, 10), None);
        }
        let said: Vec<&str> = fields.errors.iter().map(|e| e.detail.as_str()).collect();
        assert_eq!(
            said,
            [
                "Expected a whole number from 1 to 10, got 4.5.",
                "Expected a whole number from 1 to 10, got \"4\".",
                "Expected a whole number from 1 to 10, got 300.",
                "Expected a whole number from 1 to 10, got 11.",
            ]
        );
    }
}
