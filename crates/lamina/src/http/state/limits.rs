//! How much and how long: bounds on bodies, on pictures being taken in, and on connections.
//!
//! Pure numbers; the configuration gives them, tests make them small. Every wait in `http/` that
//! depends on a stranger ends by one of these.

use std::time::Duration;

use super::pace::LEAST_RATE;

/// Bounds on what one request may send and on how many are worked on.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// Most bytes of a JSON body. Default 28 MiB: a picture of 20 MiB in base64, and its fields.
    pub json_bytes: u64,
    /// The whole time for a JSON body (or a webhook's). Default 30 s.
    pub json_total: Duration,
    /// What an upload may hold beside the picture: boundaries, part headers, other fields.
    /// Default 64 KiB.
    pub multipart_overhead: u64,
    /// Longest silence within an upload. Default 15 s; where little comes in between, the silences
    /// together are as long at the most (`pace`).
    pub upload_idle: Duration,
    /// The whole time for an upload, so that one byte now and then does not last for ever.
    /// Default 10 minutes.
    pub upload_total: Duration,
    /// How long a ticket can be delivered and used. Default 1 hour, never longer than an upload
    /// is kept.
    pub ticket_ttl: Duration,
    /// Most bytes of a webhook for a submission that exists. Default 1 MiB; it lists addresses, not
    /// pictures.
    pub webhook_bytes: u64,
    /// Most bytes of any other webhook, which are hashed and not kept. Default 64 KiB: what fal sends
    /// is smaller, so that one for a job that was forgotten is still answered as any other.
    pub stranger_webhook_bytes: u64,
    /// Memory of all bodies that are being received, by HTTP/1 and HTTP/2. Default 48 MiB. Where it
    /// is used up, bodies go to the disk sooner.
    pub body_bytes: u64,
    /// Bodies up to this size stay in memory, larger ones go to a nameless file. Default 64 KiB.
    pub memory_bytes: usize,
    /// Pictures taken in at once, between the end of their body and their blob. Default 32.
    pub capacity_pictures: u32,
    /// Encoded bytes of those pictures. Default 64 MiB.
    pub capacity_bytes: u64,
    /// Longest wait for one of those places, then 503. Default 20 s.
    pub capacity_wait: Duration,
    /// Event streams and reads that wait for a change, at once. Default 2,048.
    pub event_streams: usize,
    /// The same of one owner. Default 512.
    pub event_streams_per_owner: Option<usize>,
    /// The longest silence of an event stream, then it says that it is alive. Default 15 s: three of them are over before
    /// the 60 s after which most proxies take a connection for dead.
    pub event_silence: Duration,
    /// How long an event stream lasts. Default 15 minutes: a client that is there connects again and goes on behind its
    /// last event, and one that is not, and whose network says nothing of it, holds its place no longer. A revoked key
    /// ends by then as well.
    pub event_life: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            json_bytes: 28 << 20,
            json_total: Duration::from_secs(30),
            multipart_overhead: 64 << 10,
            upload_idle: Duration::from_secs(15),
            upload_total: Duration::from_secs(600),
            ticket_ttl: Duration::from_secs(3600),
            webhook_bytes: 1 << 20,
            stranger_webhook_bytes: 64 << 10,
            body_bytes: 48 << 20,
            memory_bytes: 64 << 10,
            capacity_pictures: 32,
            capacity_bytes: 64 << 20,
            capacity_wait: Duration::from_secs(20),
            event_streams: 2048,
            event_streams_per_owner: Some(512),
            event_silence: Duration::from_secs(15),
            event_life: Duration::from_secs(15 * 60),
        }
    }
}

/// Bounds on connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections at once. Default 4,096. One more takes the place of one that is idle, or is told to
    /// come back; questions for the service's health have places in reserve.
    pub connections: usize,
    /// From the first wait for a request to the end of its headers; also how long an idle
    /// connection is kept. Default 10 s.
    pub header_read: Duration,
    /// Longest time a client may take none of an answer's bytes. Default 30 s; where it takes little in
    /// between, those times together are as long at the most (`pace`).
    pub write_stall: Duration,
    /// Fewest bytes a second that are taken of an answer in the long run. Default 500.
    pub least_rate: u32,
    /// Read buffer of one connection and the largest header block. Default 64 KiB.
    pub buffer_bytes: usize,
    /// How often a silent HTTP/2 client is pinged, and how long it has to answer. Default 20 s.
    pub ping: Duration,
    /// How long an HTTP/2 connection lasts before its client is asked to make another; requests under way are
    /// finished. Default 1 hour.
    pub longest_life: Duration,
    /// After an answer that left part of the request unread: how long the rest is still taken
    /// off the wire, so that the client can read the answer instead of a reset. Default 2 s.
    pub linger: Duration,
    /// From the stop on: how long running requests may finish. Default 20 s.
    pub drain: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_read: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            least_rate: LEAST_RATE,
            buffer_bytes: 64 << 10,
            ping: Duration::from_secs(20),
            longest_life: Duration::from_secs(3600),
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(20),
        }
    }
}
