//! Who runs: lamina's release binary as operators start it, and the Node peer, both with the same
//! engine, over a folder of their own and with the defaults they come with.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::Arena;
use super::engine::Engine;
use super::options::{node, peer, program};
use super::server::Server;
use crate::process::Process;
use crate::service::Way;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Lamina,
    /// With layers checked as the peer does: header and checksums.
    LaminaChecksums,
    Node,
}

pub(super) const BOTH: [Contender; 2] = [Contender::Lamina, Contender::Node];

impl Contender {
    /// Starts it over `folder`, which exists.
    pub(super) fn start(
        self,
        arena: &Arena,
        folder: &Path,
        engine: &Engine,
        way: Way,
    ) -> anyhow::Result<Server> {
        let port = Process::port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let url = engine.url()?;
        let mut command = match self {
            Self::Lamina | Self::LaminaChecksums => {
                let mut command = Command::new(program("lamina")?);
                command
                    .env_clear()
                    .arg("serve")
                    .env("DATABASE_PATH", folder.join("lamina.db"))
                    .env("FAL_API_KEY", engine.key())
                    .env("FAL_REST_URL", &url)
                    .env("FETCH_ALLOW_HTTP", "true")
                    .env("FETCH_ALLOW_NETS", "127.0.0.0/8")
                    // Rounds keep more than one caller is meant to.
                    .env("MAX_STORED_BYTES_PER_KEY", "off")
                    .env("STOP_GRACE", "1s");
                if self == Self::LaminaChecksums {
                    command.env("LAYER_CHECK", "checksums");
                }
                command
            }
            Self::Node => {
                let mut command = Command::new(node()?);
                command
                    .env_clear()
                    .arg(peer().join("main.js"))
                    .env("NODE_ENV", "production")
                    .env("DATA", folder.join("data"))
                    .env("FAL_KEY", engine.key())
                    .env(
                        "SOURCE_CHECK",
                        if arena.options.peer_decodes {
                            "pixels"
                        } else {
                            "header"
                        },
                    )
                    .env("WEBHOOKS", (way == Way::Webhooks).to_string());
                command
            }
        };
        command
            .current_dir(folder)
            .env("PORT", port.to_string())
            .env("FAL_QUEUE_URL", &url)
            .env("FAL_JWKS_URL", format!("{url}/.well-known/jwks.json"));
        if way == Way::Webhooks {
            command.env("PUBLIC_URL", format!("http://{address}"));
        }
        let log = folder.join("service.log");
        Server::start(command, address, "/healthz", &log)
    }
}
