//! One HTTP exchange: send, read the answer up to a limit, keep what is known when it breaks.
//!
//! A broken body does not hide the head: status and headers of an answer that was cut are kept,
//! because for a submit they decide whether money may have been spent.

use std::error::Error as _;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::excerpt::{excerpt, without_secrets};
use crate::{Client, Error, Failure};

/// An answer whose head arrived.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// As much of the body as came.
    pub(crate) body: Bytes,
    /// Why there is no more of it, when it is not whole.
    pub(crate) cut: Option<Error>,
}

impl Client {
    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// Only while there is no head: [`Error::Invalid`], [`Error::Connect`], [`Error::Timeout`] or
    /// [`Error::Interrupted`].
    pub(crate) async fn exchange(&self, request: RequestBuilder) -> Result<Answer, Error> {
        self.exchange_up_to(request, usize::MAX).await
    }

    /// The same, for an answer that is small: at most `limit` bytes of it are read, and never more
    /// than [`Config::max_answer_bytes`](crate::Config::max_answer_bytes).
    pub(crate) async fn exchange_up_to(
        &self,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<Answer, Error> {
        let limit = limit.min(self.config().max_answer_bytes);
        let mut response = request.send().await.map_err(error_of)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let (body, cut) = read(response, limit).await;
        Ok(Answer {
            status,
            headers,
            body,
            cut,
        })
    }

    /// What an answer says that is no success, with the key kept out of it.
    pub(crate) fn failure(&self, answer: &Answer) -> Box<Failure> {
        let text = String::from_utf8_lossy(&answer.body);
        let text = without_secrets(&text, &self.secrets());
        Box::new(Failure::read(answer.status, &answer.headers, &text))
    }

    /// The error of an answer that is no success.
    pub(crate) fn refusal(&self, answer: &Answer) -> Error {
        Error::from_failure(self.failure(answer))
    }

    /// Passes a whole success on; everything else is an error.
    pub(crate) fn success(&self, answer: Answer) -> Result<Answer, Error> {
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        match answer.cut {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Reads a body as JSON, telling "not whole JSON" from "another shape". The parser's own message
    /// may repeat a value, so only the place is told.
    pub(crate) fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| {
            let (line, column, length) = (error.line(), error.column(), body.len());
            let place = format!("line {line} column {column} of {length} bytes");
            if error.is_data() {
                Error::Unexpected(place)
            } else {
                Error::Malformed(place)
            }
        })
    }
}

async fn read(mut response: Response, limit: usize) -> (Bytes, Option<Error>) {
    let declared = response.content_length().unwrap_or(0);
    let expected = usize::try_from(declared).unwrap_or(usize::MAX);
    if expected > limit {
        return (Bytes::new(), Some(Error::TooLarge { limit }));
    }
    // A declared length is a promise, not a reason to allocate much before a byte has come.
    let mut body = BytesMut::with_capacity(expected.min(1 << 20));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return (body.freeze(), Some(Error::TooLarge { limit }));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body.freeze(), None),
            Err(error) => return (body.freeze(), Some(error_of(error))),
        }
    }
}

/// Sorts a transport error by how far the request got.
pub(crate) fn error_of(error: reqwest::Error) -> Error {
    // Before "timeout": a connect that ran out of time is a connect that was never made.
    if error.is_connect() {
        Error::Connect(describe(error))
    } else if error.is_timeout() {
        Error::Timeout(describe(error))
    } else if error.is_builder() {
        Error::Invalid(describe(error))
    } else {
        Error::Interrupted(describe(error))
    }
}

/// The causes of a transport error in one line, without the address (it may be signed).
pub(crate) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    excerpt(&text)
}
