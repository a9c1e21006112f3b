//! Bytes to pixels, safely.
