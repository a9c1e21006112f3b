//! The signing secret that lamina makes for itself when none is configured: 32 random bytes as
//! hex, in a file beside the database that its owner alone can read.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::rand;
use secrecy::{ExposeSecret as _, SecretString};

/// The name of the file.
const NAME: &str = "signing-secret";

/// Reads the secret of `folder`, or makes it.
///
/// # Errors
/// The file cannot be read or written, or holds less than 32 characters.
pub(crate) fn load_or_make(folder: &Path) -> io::Result<SecretString> {
    let path = folder.join(NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= 32 => Ok(SecretString::from(text.trim())),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} holds no secret; remove it, and links made before end",
                path.display()
            ),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        )),
    }
}

/// The text of the secret that lamina made in `folder`; `None` when there is none.
///
/// # Errors
/// The file is there and cannot be read.
pub(crate) fn kept(folder: &Path) -> io::Result<Option<SecretString>> {
    match std::fs::read_to_string(folder.join(NAME)) {
        Ok(text) => Ok(Some(SecretString::from(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<SecretString> {
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    let text = const_hex::encode(bytes);
    write_private(path, &text)?;
    Ok(SecretString::from(text))
}

/// Keeps this secret in `folder`, in place of one that is there.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(folder: &Path, secret: &SecretString) -> io::Result<()> {
    write_private(&folder.join(NAME), secret.expose_secret())
}

/// Writes a file that its owner alone can read, over one that may be there.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // Written aside and renamed: a crash must not leave half a secret.
    let aside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = load_or_make(folder.path()).unwrap();
        let read = load_or_make(folder.path()).unwrap();
        assert_eq!(made.expose_secret(), read.expose_secret());
        assert_eq!(made.expose_secret().len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join("signing-secret"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn half_a_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("signing-secret"), "short").unwrap();
        assert!(load_or_make(folder.path()).is_err());
    }
}
