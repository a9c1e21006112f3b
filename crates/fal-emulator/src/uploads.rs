//! Uploads that have begun: single PUTs and multipart uploads of both kinds of client, and what
//! came of them.
//!
//! It holds parts in memory until they are joined. Invariant: a multipart upload becomes a file
//! only with all the parts it names, in the order of their numbers, whatever the order of arrival.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::cdn::Lifecycle;
use crate::shared::lock;

/// A finished upload, for inspection.
#[derive(Clone, Debug, Serialize)]
pub struct Upload {
    /// The name that the client gave.
    pub file_name: String,
    /// The content type that the client gave.
    pub content_type: String,
    /// Size in bytes.
    pub bytes: usize,
    /// Path of the file under the emulator's URL.
    pub path: String,
    /// The lifecycle header, as it came.
    pub lifecycle: Option<String>,
}

/// An upload that was announced.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    /// Where the file will be.
    pub(crate) path: String,
    pub(crate) lifecycle: Option<String>,
}

impl Pending {
    pub(crate) fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
            .as_deref()
            .map(Lifecycle::parse)
            .unwrap_or_default()
    }
}

/// Why parts do not make a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum JoinError {
    #[error("Upload not found")]
    Unknown,
    #[error("Part {0} is missing or its etag is wrong")]
    Part(u64),
    #[error("The list of parts cannot be read")]
    List,
}

#[derive(Debug)]
struct Session {
    pending: Pending,
    parts: BTreeMap<u64, (Bytes, String)>,
}

/// All uploads of one emulator.
#[derive(Default)]
pub(crate) struct Uploads {
    sessions: Mutex<HashMap<String, Session>>,
    tokens: Mutex<Vec<String>>,
    finished: Mutex<Vec<Upload>>,
}

impl Uploads {
    /// Announces an upload; the id that is returned authorises it.
    pub(crate) fn begin(&self, pending: Pending) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let session = Session {
            pending,
            parts: BTreeMap::new(),
        };
        lock(&self.sessions).insert(id.clone(), session);
        id
    }

    /// The announced upload, which stays open: a client may repeat a PUT.
    pub(crate) fn pending(&self, id: &str) -> Option<Pending> {
        lock(&self.sessions)
            .get(id)
            .map(|session| session.pending.clone())
    }

    /// Keeps a part and returns its etag.
    pub(crate) fn part(&self, id: &str, number: u64, body: Bytes) -> Option<String> {
        let mut sessions = lock(&self.sessions);
        let session = sessions.get_mut(id)?;
        let etag = format!("\"{}\"", Uuid::new_v4().simple());
        session.parts.insert(number, (body, etag.clone()));
        Some(etag)
    }

    /// Joins the parts that `{"parts": [{"partNumber", "etag"}]}` names.
    pub(crate) fn join(&self, id: &str, list: &Value) -> Result<(Pending, Bytes), JoinError> {
        let mut sessions = lock(&self.sessions);
        let session = sessions.get(id).ok_or(JoinError::Unknown)?;
        let list = list["parts"].as_array().ok_or(JoinError::List)?;
        if list.is_empty() {
            return Err(JoinError::List);
        }
        let mut chosen = BTreeMap::new();
        for entry in list {
            let number = entry["partNumber"].as_u64().ok_or(JoinError::List)?;
            let (body, etag) = session.parts.get(&number).ok_or(JoinError::Part(number))?;
            let claimed = entry["etag"].as_str().unwrap_or_default();
            if claimed.trim_matches('"') != etag.trim_matches('"') {
                return Err(JoinError::Part(number));
            }
            chosen.insert(number, body.clone());
        }
        let mut joined = BytesMut::new();
        for body in chosen.values() {
            joined.extend_from_slice(body);
        }
        let session = sessions.remove(id).ok_or(JoinError::Unknown)?;
        Ok((session.pending, joined.freeze()))
    }

    /// A token for the CDN's own upload endpoint.
    pub(crate) fn issue_token(&self) -> String {
        let token = Uuid::new_v4().simple().to_string();
        lock(&self.tokens).push(token.clone());
        token
    }

    /// Whether this token was issued.
    pub(crate) fn knows_token(&self, token: &str) -> bool {
        lock(&self.tokens).iter().any(|known| known == token)
    }

    /// Notes a finished upload.
    pub(crate) fn note(&self, pending: &Pending, bytes: usize) {
        lock(&self.finished).push(Upload {
            file_name: pending.file_name.clone(),
            content_type: pending.content_type.clone(),
            bytes,
            path: pending.path.clone(),
            lifecycle: pending.lifecycle.clone(),
        });
    }

    /// Finished uploads, oldest first.
    pub(crate) fn finished(&self) -> Vec<Upload> {
        lock(&self.finished).clone()
    }

    /// Forgets everything but the tokens, which clients keep for hours.
    pub(crate) fn clear(&self) {
        lock(&self.sessions).clear();
        lock(&self.finished).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_are_joined_by_number_not_by_order() {
        let uploads = Uploads::default();
        let id = uploads.begin(Pending {
            file_name: "a".into(),
            content_type: "b".into(),
            path: "/c".into(),
            lifecycle: None,
        });
        let second = uploads.part(&id, 2, Bytes::from_static(b"world"));
        let first = uploads.part(&id, 1, Bytes::from_static(b"hello "));
        let wrong = json!({"parts": [{"partNumber": 1, "etag": "e"}]});
        assert_eq!(uploads.join(&id, &wrong).err(), Some(JoinError::Part(1)));
        let list = json!({"parts": [
            {"partNumber": 2, "etag": second}, {"partNumber": 1, "etag": first}]});
        let (_, joined) = uploads.join(&id, &list).expect("all parts are there");
        assert_eq!(joined, "hello world");
        assert_eq!(uploads.join(&id, &list).err(), Some(JoinError::Unknown));
    }
}
