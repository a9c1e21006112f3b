//! Options that decide who may ask: keys, secrets, pages of other origins.

use std::collections::HashMap;

use secrecy::SecretString;
use url::{Host, Url};

use super::reader::Reader;
use crate::access::owner_name;
use crate::http::{CorsOrigins, HostNames};

impl Reader<'_> {
    pub(super) fn signing_secrets(&mut self) -> Vec<SecretString> {
        let secrets: Vec<&str> = self.list("SIGNING_SECRET").collect();
        if secrets.iter().any(|secret| secret.len() < 32) {
            self.wrong(
                "SIGNING_SECRET",
                "expected at least 32 characters; openssl rand -hex 32 makes one",
            );
        }
        secrets.into_iter().map(SecretString::from).collect()
    }

    pub(super) fn api_keys(&mut self) -> Vec<(String, SecretString)> {
        let mut keys: Vec<(String, SecretString)> = Vec::new();
        let mut names: HashMap<&str, &str> = HashMap::new();
        for (index, part) in self.list("API_KEYS").enumerate() {
            let pair = part
                .split_once(':')
                .map(|(name, key)| (name.trim(), key.trim()));
            match pair {
                Some((_, key)) if key.starts_with(['"', '\'']) && key.ends_with(['"', '\'']) => self
                    .wrong(
                        "API_KEYS",
                        format!(
                            "key number {} is in quotes, and they are part of it; write name:key,name:key without quotes",
                            index + 1
                        ),
                    ),
                Some((name, key)) if owner_name(name).is_some() && key.len() >= 16 => {
                    if let Some(other) = names.insert(key, name).filter(|other| *other != name) {
                        self.wrong(
                            "API_KEYS",
                            format!("{other} and {name} have the same key, so that nobody could tell whose request it is; give each its own"),
                        );
                    }
                    keys.push((name.to_owned(), SecretString::from(key)));
                }
                // Which one is told by its place: a part without a colon may be a key.
                _ => self.wrong(
                    "API_KEYS",
                    format!(
                        "expected name:key,name:key with keys of at least 16 characters; number {} is not so",
                        index + 1
                    ),
                ),
            }
        }
        keys
    }

    pub(super) fn admin_api_key(&mut self) -> Option<SecretString> {
        let key = self.text("ADMIN_KEY");
        if key.is_empty() {
            return None;
        }
        let named = self
            .list("API_KEYS")
            .filter_map(|part| part.split_once(':'))
            .find(|(_, given)| given.trim() == key);
        if let Some((name, _)) = named {
            self.wrong(
                "ADMIN_KEY",
                format!("is the key of {} in API_KEYS too, and a key opens either /api or /api/admin; make another", name.trim()),
            );
        }
        if key.len() < 16 {
            self.wrong(
                "ADMIN_KEY",
                "expected at least 16 characters; openssl rand -hex 32 makes one",
            );
        }
        Some(SecretString::from(key))
    }

    pub(super) fn cors(&mut self) -> CorsOrigins {
        if self.text("CORS_ORIGINS") == "*" {
            return CorsOrigins::Any;
        }
        let mut origins = Vec::new();
        for part in self.list("CORS_ORIGINS") {
            match part.parse::<Url>() {
                Ok(origin) if is_origin(&origin) => origins.push(origin),
                _ => self.wrong(
                    "CORS_ORIGINS",
                    format!("expected * or origins such as https://app.example.com, separated by commas, got {part:?}"),
                ),
            }
        }
        if origins.is_empty() {
            CorsOrigins::None
        } else {
            CorsOrigins::List(origins)
        }
    }

    /// Names as browsers write them; an address needs no leave and is left out.
    pub(super) fn host_names(&mut self) -> HostNames {
        if self.text("ALLOWED_HOSTS") == "*" {
            return HostNames::Any;
        }
        let mut names = Vec::new();
        for part in self.list("ALLOWED_HOSTS") {
            match Host::parse(part) {
                Ok(Host::Domain(name)) if !name.contains('*') => {
                    names.push(name.trim_end_matches('.').to_owned());
                }
                Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {}
                Ok(Host::Domain(_)) | Err(_) => self.wrong(
                    "ALLOWED_HOSTS",
                    format!("expected * or names such as layers.example.com, without scheme, port and path, got {part:?}"),
                ),
            }
        }
        HostNames::List(names)
    }
}

/// Whether a URL names an origin that some browser has: `localhost:3000` is a scheme to the parser, and with other marks than
/// commas between them two origins are one host.
fn is_origin(url: &Url) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || b".-_:[]".contains(&letter);
    url.host_str()
        .is_some_and(|host| !host.is_empty() && host.bytes().all(is_letter))
}
