//! How the command line on the same machine finds a running service and is let in: a file beside
//! the database, which only the service's own user can read, with its address and a key that opens
//! `/api/admin`. Whoever can read it can read the database too, so it gives no new right. The key
//! is made anew at each start and is worth nothing afterwards; the file goes with an orderly stop,
//! and one that a crash left behind leads to a refusal, never elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::access::ApiKey;
use crate::secret;

/// Where the running service is, and the key for it.
#[derive(Debug, Deserialize)]
pub(crate) struct ControlFile {
    /// Its address, such as `http://127.0.0.1:8080`.
    pub(crate) url: String,
    /// Opens `/api/admin`.
    pub(crate) key: SecretString,
}

impl ControlFile {
    /// Reads what a service over this database wrote; `None` when none runs or it cannot be read.
    pub(crate) fn of(database: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(database)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The file while the service runs; removed when dropped.
#[derive(Debug)]
pub(super) struct OpenControlFile(PathBuf);

impl OpenControlFile {
    /// Writes the file. A service whose folder cannot be written has worse to tell, so a failure
    /// is only logged: the command line can still be given a URL and `ADMIN_KEY`.
    pub(super) fn write(database: &Path, bound: SocketAddr, pass: &ApiKey) -> Option<Self> {
        let path = path(database);
        let url = format!("http://{}", reachable(bound));
        let text = serde_json::json!({ "url": url, "key": pass.expose() }).to_string();
        match secret::write_private(&path, &text) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!(%error, "the command line on this machine will not find this service");
                None
            }
        }
    }
}

impl Drop for OpenControlFile {
    fn drop(&mut self) {
        // What cannot be removed names a key that is worth nothing any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".operator");
    PathBuf::from(name)
}

/// The address by which this machine itself reaches a listener.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_file_is_private_true_and_gone_after_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (database, pass) = (folder.path().join("lamina.db"), ApiKey::random());
        let bound = "0.0.0.0:81".parse().unwrap();
        let open = OpenControlFile::write(&database, bound, &pass).unwrap();
        let read = ControlFile::of(&database).unwrap();
        assert_eq!(read.url, "http://127.0.0.1:81");
        assert_eq!(read.key.expose_secret(), pass.expose());
        assert!(!format!("{read:?}").contains(pass.expose()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path(&database))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(open);
        assert!(ControlFile::of(&database).is_none());
    }
}
