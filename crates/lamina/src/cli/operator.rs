//! How the operator's commands reach a service: over HTTP at `--url`, at the running service whose
//! database the configuration names, or, with that service stopped, over its file by the very same
//! routes. They know no SQL and change nothing by themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::{runtime, say};
use crate::app::{self, Absent, AdminState, ControlFile, StartError};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::store::sqlite::OpenError;
use crate::tls;

/// A question ends within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which service is meant, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// A service elsewhere, with the key of ADMIN_KEY; default: the one whose DATABASE_PATH is configured, running or stopped
    #[arg(long, global = true, value_name = "URL", env = "LAMINA_URL")]
    url: Option<Url>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// A service that can be asked.
pub(super) struct Service {
    way: Way,
    runtime: tokio::runtime::Runtime,
}

enum Way {
    Wire {
        client: Client,
        base: String,
        key: SecretString,
    },
    File(Box<AdminState>),
}

impl Target {
    /// Finds the service. What is to be done where there is none and no database either, is asked
    /// only where the database's file is meant.
    pub(super) fn open(&self, file: Option<&Path>, absent: Absent) -> Result<Service, String> {
        let config = Config::load(file).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("the configuration is wrong: {}", errors.join("; "))
        })?;
        let runtime = runtime()?;
        let way = match &self.url {
            Some(url) => {
                let key = config.admin_key.ok_or(
                    "--url wants a key: set ADMIN_KEY to the service's, or to a key made with --admin",
                )?;
                Way::wire(url.as_str().trim_end_matches('/').to_owned(), key)?
            }
            None => Way::on_this_machine(&config, absent)?,
        };
        Ok(Service { way, runtime })
    }
}

impl Way {
    fn wire(base: String, key: SecretString) -> Result<Self, String> {
        // Reads the system's authorities only where the address is https.
        let tls = tls::client_config().map_err(|error| error.to_string())?;
        let client = Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls)
            .build();
        Ok(Self::Wire {
            client: client.map_err(|error| error.to_string())?,
            base,
            key,
        })
    }

    fn on_this_machine(config: &Config, absent: Absent) -> Result<Self, String> {
        let path = &config.database_path;
        let is_new = !path.exists();
        match app::open_admin_state(config, absent, Arc::new(SystemClock::default())) {
            Ok(state) => {
                if is_new {
                    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                    say(&format!(
                        "there was no database; a new one was made at {}, for a service with the same DATABASE_PATH",
                        path.display()
                    ));
                }
                Ok(Self::File(Box::new(state)))
            }
            Err(StartError::Database(OpenError::OwnedByAnother { path })) => {
                let path = path.display();
                let control_file = ControlFile::of(&config.database_path).ok_or_else(|| {
                    format!(
                        "{path} is in use, and the service that uses it left no word where it is; give --url and ADMIN_KEY"
                    )
                })?;
                Self::wire(control_file.url, control_file.key)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Service {
    /// Asks, and gives the answer, or the sentence of the refusal.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Value, String> {
        let (status, answer) = self.runtime.block_on(async {
            match &self.way {
                Way::File(state) => {
                    let reply = state.ask(method.as_str(), path, body).await;
                    Ok((reply.status, reply.body))
                }
                Way::Wire { client, base, key } => {
                    let mut request = client
                        .request(method, format!("{base}{path}"))
                        .bearer_auth(key.expose_secret());
                    if let Some(body) = body {
                        request = request
                            .header("content-type", "application/json")
                            .body(body);
                    }
                    let unreached = |error: reqwest::Error| {
                        format!(
                            "the service at {base} cannot be asked: {}",
                            error.without_url()
                        )
                    };
                    let response = request.send().await.map_err(unreached)?;
                    let status = response.status().as_u16();
                    Ok::<_, String>((status, response.bytes().await.map_err(unreached)?))
                }
            }
        })?;
        let answer: Value = if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer)
                .map_err(|_| format!("{status}, and the answer is no lamina's"))?
        };
        if (200..300).contains(&status) {
            Ok(answer)
        } else {
            Err(refusal(status, &answer))
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Way::File(state) = &self.way {
            self.runtime.block_on(state.store.close());
        }
    }
}

fn refusal(status: u16, problem: &Value) -> String {
    let detail = problem["detail"].as_str().unwrap_or("no reason was given");
    let code = problem["code"].as_str().unwrap_or("no code");
    let mut text = format!("{detail} ({status} {code})");
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n  {}: {}", part("pointer"), part("detail")));
    }
    text
}
