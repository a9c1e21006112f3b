//! `lamina split`: the same way as the service's, in this process: a server on a free loopback port
//! with a database and blobs in a temporary folder, and a client that uploads, waits and saves.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::saved_stack::SavedStack;
use super::{finish, runtime, with_config};
use crate::app::{App, Tuning};
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError};
use crate::exports;
use crate::telemetry;

/// Arguments of `lamina split`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The image: JPEG, PNG, WebP or GIF
    image: PathBuf,
    /// Where layer_0.png … and manifest.json go; made if missing
    #[arg(short, long, value_name = "DIR", default_value = "layers")]
    output: PathBuf,
    /// How many layers, 1 to 10 [default: as many as the engine finds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    layers: Option<u8>,
    /// Also the layers as one file each: layers.psd, layers.ora, …
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = PossibleValuesParser::new(exports::words()))]
    format: Vec<String>,
    /// The engine [default: fal when a key is set, else local]
    #[arg(long)]
    engine: Option<EngineArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EngineArg {
    Local,
    Fal,
}

impl Args {
    /// Splits. `given` is the file of the command line, `file` that or the one that the environment names.
    pub(super) fn run(self, given: Option<&Path>, file: Option<&Path>) -> ExitCode {
        let file = given.or_else(|| servers_file(file.or_else(config::usual_file)));
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => return finish(Err(format!("no temporary folder can be made: {error}"))),
        };
        with_config(self.config(file, folder.path()), |config| {
            let _log = telemetry::start(&config.log);
            finish(runtime().and_then(|runtime| runtime.block_on(self.split(&config))))
        })
    }

    /// What the engines need of the user's configuration, and nothing that a server has: neither its
    /// address and storage nor its limits stop a picture of one's own.
    fn config(&self, file: Option<&Path>, folder: &Path) -> Result<Config, Vec<ConfigError>> {
        let database = folder.join("lamina.db").display().to_string();
        let over = own_options(self.engine, &database);
        Config::load_only(options_of(self.engine), file, over)
    }

    async fn split(&self, config: &Config) -> Result<(), String> {
        let bytes = tokio::fs::read(&self.image)
            .await
            .map_err(|error| format!("{}: {error}", self.image.display()))?;
        let mut saved = SavedStack::open(&self.output)?;
        let app = App::build(config, Arc::new(SystemClock::default()), Tuning::default())
            .map_err(|e| e.to_string())?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| error.to_string())?;
        let base = format!(
            "http://{}",
            listener.local_addr().map_err(|error| error.to_string())?
        );
        let stop = CancellationToken::new();
        let server = tokio::spawn(app.serve(listener, stop.clone()));
        let done = self.through(&base, bytes, &mut saved).await;
        stop.cancel();
        server.await.map_err(|error| error.to_string())?;
        done
    }

    async fn through(
        &self,
        base: &str,
        bytes: Vec<u8>,
        stack: &mut SavedStack,
    ) -> Result<(), String> {
        let client = Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let upload = client
            .post(format!("{base}/api/upload"))
            .header("content-type", "application/octet-stream");
        let upload = answer(upload.body(bytes).send().await).await?;
        let mut body = json!({ "upload_id": upload["upload_id"] });
        if let Some(layers) = self.layers {
            body["num_layers"] = layers.into();
        }
        let created = answer(
            client
                .post(format!("{base}/api/jobs"))
                .json(&body)
                .send()
                .await,
        )
        .await?;
        let job = wait(
            &client,
            &format!(
                "{base}/api/jobs/{}",
                created["job_id"].as_str().unwrap_or_default()
            ),
        )
        .await?;
        let mut saved = Vec::new();
        for layer in job["layers"].as_array().into_iter().flatten() {
            saved.push(save(&client, layer, stack).await?);
        }
        let exported = self.exported(&client, base, &job, stack).await?;
        let manifest = json!({
            "source": self.image.file_name().map(|name| name.to_string_lossy()),
            "width": upload["width"], "height": upload["height"], "engine": job["engine"], "layers": saved,
            "exports": exported,
        });
        stack.finish(&manifest)?;
        super::say(&format!(
            "{} layers in {}",
            saved.len(),
            self.output.display()
        ));
        Ok(())
    }
}

impl Args {
    /// Saves the layers in each format that was asked for, and gives the files' names.
    async fn exported(
        &self,
        client: &Client,
        base: &str,
        job: &Value,
        stack: &mut SavedStack,
    ) -> Result<Vec<String>, String> {
        if self.format.is_empty() {
            return Ok(Vec::new());
        }
        let id = text(&job["job_id"]);
        let list = client.get(format!("{base}/api/jobs/{id}/layers")).send();
        let list = answer(list.await).await?;
        let stem = self.image.file_stem().map(|stem| stem.to_string_lossy());
        let mut files = Vec::new();
        for export in list["exports"].as_array().into_iter().flatten() {
            if !self
                .format
                .iter()
                .any(|word| *word == text(&export["format"]))
            {
                continue;
            }
            let file = format!("layers.{}", text(&export["extension"]));
            let mut url = Url::parse(text(&export["url"])).map_err(|error| error.to_string())?;
            url.query_pairs_mut()
                .append_pair("name", stem.as_deref().unwrap_or_default());
            let sent = client.get(url).send().await;
            let sent = sent.and_then(Response::error_for_status);
            let mut sent = sent.map_err(|error| error.without_url().to_string())?;
            let mut saved = stack.export(&file)?;
            while let Some(chunk) = sent
                .chunk()
                .await
                .map_err(|e| e.without_url().to_string())?
            {
                saved
                    .write_all(&chunk)
                    .map_err(|error| format!("{file}: {error}"))?;
            }
            files.push(file);
        }
        Ok(files)
    }
}

/// A server's file, if it can be used: nobody gave it to this command, so it does not stop it.
fn servers_file(file: Option<&Path>) -> Option<&Path> {
    let unusable = config::check_file(file?).err();
    if let Some(error) = &unusable {
        super::say(&format!(
            "lamina: going on without a file of options: {error}"
        ));
    }
    file.filter(|_| unusable.is_none())
}

/// The options that an engine has, and so a split of one's own.
const OF_LOCAL: &[&str] = &[
    "LOCAL_THREADS",
    "LOCAL_TEXT",
    "LOCAL_LAYERS",
    "LOCAL_ONNXRUNTIME",
    "LOCAL_SUBJECT_MODEL",
    "LOCAL_FILL_MODEL",
];
const OF_FAL: &[&str] = &[
    "LOCAL_THREADS",
    "LOCAL_TEXT",
    "LOCAL_LAYERS",
    "LOCAL_ONNXRUNTIME",
    "LOCAL_SUBJECT_MODEL",
    "LOCAL_FILL_MODEL",
    "FAL_API_KEY",
    "FAL_KEY",
    "FAL_ADMIN_KEY",
    "FAL_MODEL",
    "FAL_QUEUE_URL",
    "FAL_REST_URL",
    "FAL_PLATFORM_URL",
];

fn options_of(engine: Option<EngineArg>) -> &'static [&'static str] {
    match engine {
        Some(EngineArg::Local) => OF_LOCAL,
        Some(EngineArg::Fal) | None => OF_FAL,
    }
}

fn own_options(engine: Option<EngineArg>, database: &str) -> [(&'static str, &str); 5] {
    let engine = match engine {
        Some(EngineArg::Local) => "local",
        Some(EngineArg::Fal) => "fal",
        None => "auto",
    };
    [
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("DATABASE_PATH", database),
        ("ENGINE", engine),
        // The progress bar has the terminal; failures are told by the API's own sentence.
        ("LOG", "off"),
    ]
}

/// Saves a layer and returns its entry of the manifest: what the API says, with a file name in
/// place of the link.
async fn save(client: &Client, layer: &Value, stack: &mut SavedStack) -> Result<Value, String> {
    let url = layer["url"].as_str().unwrap_or_default();
    let response = client
        .get(url)
        .send()
        .await
        .and_then(Response::error_for_status);
    let response = response.map_err(|error| error.without_url().to_string())?;
    let extension = match layer["content_type"].as_str() {
        Some("image/webp") => "webp",
        _ => "png",
    };
    let file = format!("{}.{extension}", layer["id"].as_str().unwrap_or("layer"));
    let bytes = response
        .bytes()
        .await
        .map_err(|error| error.without_url().to_string())?;
    stack.save(&file, &bytes)?;
    let mut entry = layer.clone();
    if let Some(fields) = entry.as_object_mut() {
        fields.remove("url");
        fields.insert("file".into(), file.into());
    }
    Ok(entry)
}

async fn wait(client: &Client, url: &str) -> Result<Value, String> {
    let bar = ProgressBar::new(100);
    let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let job = answer(client.get(url).send().await).await?;
        let percent = (job["progress"].as_f64().unwrap_or_default() * 100.0).clamp(0.0, 100.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0 to 100"
        )]
        bar.set_position(percent as u64);
        bar.set_message(job["status"].as_str().unwrap_or_default().to_owned());
        match job["status"].as_str() {
            Some("completed") => {
                bar.finish_and_clear();
                return Ok(job);
            }
            Some("failed") => {
                bar.finish_and_clear();
                return Err(format!(
                    "{} ({})",
                    text(&job["error"]),
                    text(&job["error_code"])
                ));
            }
            _ => sleep_until(Instant::now() + Duration::from_millis(100)).await,
        }
    }
}

/// The JSON of a good answer, or the problem's sentence.
async fn answer(response: Result<Response, reqwest::Error>) -> Result<Value, String> {
    let response = response.map_err(|error| error.without_url().to_string())?;
    let good = response.status().is_success();
    let body: Value = response
        .json()
        .await
        .map_err(|error| error.without_url().to_string())?;
    if good {
        Ok(body)
    } else {
        Err(format!(
            "{} ({})",
            text(&body["detail"]),
            text(&body["code"])
        ))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OPTIONS;

    /// What a server's file may say of every option, right and wrong.
    fn said(value: &str, engine: Option<EngineArg>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lamina.toml");
        let lines = OPTIONS
            .iter()
            .filter(|option| !OF_FAL.contains(&option.name));
        let lines = lines.map(|option| format!("{} = {value}\n", option.name));
        let lines = lines.collect::<String>() + "option_of_a_later_version = 1\n";
        std::fs::write(&file, lines).unwrap();
        let own = own_options(engine, "/tmp/split.db");
        let config = Config::load_only(options_of(engine), Some(&file), own);
        format!("{:?}", config.unwrap_or_else(|errors| panic!("{errors:?}")))
    }

    #[test]
    fn no_option_of_a_server_stops_or_limits_a_split() {
        for engine in [None, Some(EngineArg::Local)] {
            let own = own_options(engine, "/tmp/split.db");
            let plain = format!("{:?}", Config::from_pairs(own).unwrap());
            for value in [
                "\"1\"",
                "\"no value of any option\"",
                "\"'quoted'\"",
                "[1]",
                "0",
            ] {
                assert_eq!(said(value, engine), plain, "{value}");
            }
        }
    }

    #[test]
    fn every_option_that_is_taken_exists() {
        for name in OF_FAL.iter().chain(OF_LOCAL) {
            assert!(OPTIONS.iter().any(|option| option.name == *name), "{name}");
        }
    }

    #[test]
    fn a_split_on_this_machine_takes_nothing_of_fal() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lamina.toml");
        std::fs::write(&file, "FAL_API_KEY = \"no key\"\nFAL_MODEL = \"\"\n").unwrap();
        let load = |engine| {
            let own = own_options(engine, "/tmp/split.db");
            Config::load_only(options_of(engine), Some(&file), own)
        };
        assert!(load(Some(EngineArg::Local)).is_ok());
        assert!(load(Some(EngineArg::Fal)).is_err());
    }
}
