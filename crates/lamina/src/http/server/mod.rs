//! Connections: accepting them, and speaking HTTP/1 and HTTP/2 on them. It knows no route.

pub(in crate::http) mod accept;
pub(in crate::http) mod connection;
pub(in crate::http) mod edge;
