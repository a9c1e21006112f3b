//! The fields of a JSON body, taken out one by one, and what is wrong with them: every wrong field
//! is kept, not only the first. It knows no field's name; `spec` does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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

/// Takes known fields out of a body one by one and keeps what is wrong with them.
pub(crate) struct Fields<'a> {
    left: BTreeMap<Cow<'a, str>, &'a RawValue>,
    pub(crate) errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The fields of a body that must be a JSON object.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, ParseError> {
        if body.is_empty() {
            let nothing = "there is nothing in it; send a JSON object";
            return Err(ParseError::Syntax(nothing.to_owned()));
        }
        let whole: &RawValue =
            serde_json::from_slice(body).map_err(|error| ParseError::Syntax(error.to_string()))?;
        let left = serde_json::from_str(whole.get()).map_err(|_| {
            ParseError::Fields(vec![FieldError::new("", "The body must be a JSON object.")])
        })?;
        Ok(Self {
            left,
            errors: Vec::new(),
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
