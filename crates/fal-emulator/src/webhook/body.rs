//! The webhook's bytes. Live ones are Python's `json.dumps(body, sort_keys=True)`: keys sorted,
//! `", "` and `": "` between, everything outside ASCII escaped. Whoever verifies a signature over
//! re-serialised JSON fails here, as with fal.

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::ser::Formatter;
use serde_json::{Map, Serializer, Value, json};

use crate::fault::Fault;
use crate::queue::{Outcome, Ticket};

/// The body that tells how a request ended.
pub(crate) fn body(ticket: &Ticket, outcome: &Outcome) -> Value {
    let mut body = Map::new();
    body.insert("request_id".into(), ticket.id.clone().into());
    body.insert("gateway_request_id".into(), ticket.id.clone().into());
    match outcome {
        Outcome::Output(output) => {
            body.insert("status".into(), "OK".into());
            body.insert("error".into(), Value::Null);
            body.insert("payload".into(), output.as_ref().clone());
        }
        Outcome::Failed(failure) => {
            let error = format!("Invalid status code: {}", failure.status);
            body.insert("status".into(), "ERROR".into());
            body.insert("error".into(), error.into());
            body.insert("payload".into(), failure.body.clone());
        }
    }
    if ticket.meets(&Fault::WebhookNullPayload) {
        body.insert("payload".into(), Value::Null);
        body.insert(
            "payload_error".into(),
            json!(
                "Response payload is not JSON serializable. Either return a JSON serializable \
                   object or use the queue endpoint to retrieve the response."
            ),
        );
    }
    Value::Object(body)
}

/// `json.dumps(value, sort_keys=True)`.
pub(crate) fn python_json(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Python);
    sorted(value)
        .serialize(&mut serializer)
        .expect("a JSON value in memory can always be written");
    bytes
}

/// Sorts by hand: whether a map of serde_json keeps or sorts its keys depends on the features of
/// the whole build.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let entries = entries.into_iter();
            Value::Object(
                entries
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        text: &str,
    ) -> io::Result<()> {
        for unit in text.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() && byte != 0x7f => writer.write_all(&[byte])?,
                _ => write!(writer, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_json_dumps_with_sorted_keys() {
        let value = json!({"b": [1, 2.5, null, "é😀\n\""], "a": {"d": true, "c": {}}, "e": []});
        let expected = r#"{"a": {"c": {}, "d": true}, "b": [1, 2.5, null, "\u00e9\ud83d\ude00\n\""], "e": []}"#;
        assert_eq!(String::from_utf8_lossy(&python_json(&value)), expected);
    }
}
