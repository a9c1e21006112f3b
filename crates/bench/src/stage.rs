//! The three runtimes. Their threads carry the names by which `cpu` tells them apart: the client
//! is the main thread alone, service (or bare route) and emulator have one thread a core.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Where everything runs.
pub(crate) struct Stage {
    /// On the main thread, so that the load costs as little as it can.
    pub(crate) client: Runtime,
    /// lamina, or what it is compared with.
    pub(crate) service: Runtime,
    /// fal's stand-in.
    pub(crate) emulator: Runtime,
}

impl Stage {
    /// Starts the threads.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            client: Builder::new_current_thread().enable_all().build()?,
            service: lamina::runtime::runtime("service")?,
            emulator: Builder::new_multi_thread()
                .thread_name("emulator")
                .enable_all()
                .build()?,
        })
    }
}
