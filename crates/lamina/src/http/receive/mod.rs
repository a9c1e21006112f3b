//! Bodies on their way in: counted, timed, kept in memory or on disk, and made into pictures.

pub(in crate::http) mod body;
pub(in crate::http) mod damage;
pub(in crate::http) mod disk_room;
pub(in crate::http) mod file_writer;
pub(in crate::http) mod picture;
pub(in crate::http) mod spool;
pub(in crate::http) mod upload_capacity;
