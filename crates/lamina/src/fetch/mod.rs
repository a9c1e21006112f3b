//! The only way to open a stranger's URL.
