//! An event stream as its client reads it, by the HTML standard as far as lamina uses it.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use super::PATIENCE;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// What a stream said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Event(Event),
    Comment,
    /// Milliseconds.
    Retry(u64),
}

/// Reads an answer piece by piece.
pub(crate) struct EventReader {
    pub(crate) answer: Response,
    buffer: String,
}

impl EventReader {
    pub(crate) fn new(answer: Response) -> Self {
        Self {
            answer,
            buffer: String::new(),
        }
    }

    /// The next thing that is said; none when the stream has ended in order.
    pub(crate) async fn said(&mut self) -> Option<Said> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let said = parse(block);
                self.buffer = rest.to_owned();
                return Some(said);
            }
            let piece = timeout(PATIENCE, self.answer.chunk()).await;
            let Some(piece) = piece.expect("the stream says something").unwrap() else {
                assert_eq!(self.buffer, "", "the stream ended within an event");
                return None;
            };
            self.buffer.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The next event, whatever else is said before it.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            match self.said().await? {
                Said::Event(event) => return Some(event),
                Said::Comment | Said::Retry(_) => {}
            }
        }
    }

    /// Events up to the first of this name, that one last.
    pub(crate) async fn until(&mut self, name: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            events.push(event.unwrap_or_else(|| panic!("no {name} after {events:?}")));
            if events.last().is_some_and(|last| last.name == name) {
                return events;
            }
        }
    }

    /// Everything that is said up to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Said> {
        let mut all = Vec::new();
        while let Some(said) = self.said().await {
            all.push(said);
        }
        all
    }

    /// Whether the stream says nothing but comments for so long. Time decides nothing that is right: a stream that
    /// speaks later is found silent here, and one that is wrong may be.
    pub(crate) async fn is_silent_for(&mut self, time: Duration) -> bool {
        let end = tokio::time::Instant::now() + time;
        loop {
            match tokio::time::timeout_at(end, self.said()).await {
                Err(_) => return true,
                Ok(Some(Said::Comment | Said::Retry(_))) => {}
                Ok(_) => return false,
            }
        }
    }
}

fn parse(block: &str) -> Said {
    if block == ":" {
        return Said::Comment;
    }
    if let Some(retry) = block.strip_prefix("retry: ") {
        return Said::Retry(retry.parse().unwrap());
    }
    let lines: Vec<_> = block.lines().collect();
    let [id, name, data] = lines[..] else {
        panic!("not an event: {block}");
    };
    Said::Event(Event {
        id: id.strip_prefix("id: ").unwrap().to_owned(),
        name: name.strip_prefix("event: ").unwrap().to_owned(),
        data: serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap(),
    })
}
