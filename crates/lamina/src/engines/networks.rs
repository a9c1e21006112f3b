//! What runs the embedded engine's networks, and the models that an operator brings for it.
//!
//! Files are read here, once, at the start; what must hold of a model is `layerize`'s to check
//! (`docs/engine.md`). Invariant: an error names the option, the file, a stable code and what to do.

use std::io::{self, Read as _};
#[cfg(feature = "onnxruntime")]
use std::num::NonZero;
use std::path::{Path, PathBuf};

use layerize::{ModelSettings, Networks};
use serde::Deserialize;

/// Largest model that is read: three times the largest public ones that finish within seconds.
const MOST_BYTES: u64 = 1 << 30;

/// Where the networks of the embedded engine are from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFiles {
    /// A shared library of ONNX Runtime that runs what is built in; `None` runs it by itself.
    pub onnxruntime: Option<PathBuf>,
    /// A model that marks subjects.
    pub subject_model: Option<PathBuf>,
    /// A model that completes photos under what was cut.
    pub fill_model: Option<PathBuf>,
}

/// Why the networks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// The library of ONNX Runtime.
    #[error("{0}; correct LOCAL_ONNXRUNTIME, or leave it out")]
    Library(layerize::Error),
    /// A model of the operator's.
    #[error(
        "{option} names {path}, which cannot be used ({code}): {reason}; docs/engine.md says what a model must be, and without the option the built-in one is used"
    )]
    Model {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: String,
        /// `model_file`, `model_settings`, or what `layerize` says of it.
        code: &'static str,
        /// What was found, and what was expected.
        reason: String,
    },
}

/// The networks as `files` say, on `threads` threads (`None`: every core). Every model is tried once.
///
/// # Errors
/// When a file cannot be read, or is not what its option wants.
pub fn networks(files: &NetworkFiles, threads: Option<usize>) -> Result<Networks, NetworksError> {
    let mut networks = runtime(files.onnxruntime.as_deref(), threads)?;
    if let Some(path) = &files.subject_model {
        let wrong = refusal("LOCAL_SUBJECT_MODEL", path);
        let (onnx, settings) = read(path).map_err(|(code, reason)| wrong(code, reason))?;
        networks = networks
            .with_subject_model(onnx, &settings)
            .map_err(|error| told(&wrong, error))?;
    }
    if let Some(path) = &files.fill_model {
        let wrong = refusal("LOCAL_FILL_MODEL", path);
        let (onnx, settings) = read(path).map_err(|(code, reason)| wrong(code, reason))?;
        networks = networks
            .with_fill_model(onnx, &settings)
            .map_err(|error| told(&wrong, error))?;
    }
    Ok(networks)
}

fn runtime(library: Option<&Path>, threads: Option<usize>) -> Result<Networks, NetworksError> {
    #[cfg(feature = "onnxruntime")]
    if let Some(library) = library {
        return Networks::onnxruntime(library, threads.and_then(NonZero::new))
            .map_err(NetworksError::Library);
    }
    // Without the feature the configuration has refused a library already.
    let _ = (library, threads);
    Ok(Networks::default())
}

fn refusal(option: &'static str, path: &Path) -> impl Fn(&'static str, String) -> NetworksError {
    let path = path.display().to_string();
    move |code, reason| NetworksError::Model {
        option,
        path: path.clone(),
        code,
        reason,
    }
}

fn told(
    wrong: &impl Fn(&'static str, String) -> NetworksError,
    error: layerize::Error,
) -> NetworksError {
    match error {
        layerize::Error::CustomModel { code, reason, .. } => wrong(code, reason),
        other => wrong("model_file", other.to_string()),
    }
}

/// A model, and the settings beside it, if any.
fn read(path: &Path) -> Result<(Vec<u8>, ModelSettings), (&'static str, String)> {
    let onnx = bounded(path).map_err(|error| ("model_file", error.to_string()))?;
    let beside = beside(path);
    let text = match std::fs::read_to_string(&beside) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((onnx, ModelSettings::default()));
        }
        Err(error) => return Err(("model_settings", format!("{}: {error}", beside.display()))),
    };
    let settings = settings(&text)
        .map_err(|reason| ("model_settings", format!("{}: {reason}", beside.display())))?;
    Ok((onnx, settings))
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MOST_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

/// `model.onnx.toml` beside `model.onnx`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".toml");
    PathBuf::from(name)
}

/// The settings of a model as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    side: Option<usize>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    output: Option<Output>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Output {
    Unit,
    Logits,
    Bytes,
}

fn settings(text: &str) -> Result<ModelSettings, String> {
    let written: Written = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let usable = |values: [f32; 3]| values.iter().all(|v| v.is_finite());
    if written.mean.is_some_and(|mean| !usable(mean)) {
        return Err("mean: expected three numbers".to_owned());
    }
    if written
        .std
        .is_some_and(|std| !usable(std) || std.iter().any(|&v| v <= 0.0))
    {
        return Err("std: expected three numbers above 0".to_owned());
    }
    Ok(ModelSettings {
        side: written.side,
        mean: written.mean,
        deviation: written.std,
        logits: written.output == Some(Output::Logits),
        bytes: written.output == Some(Output::Bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model that keeps the contract of subjects: the one that is built in.
    const SUBJECT: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../layerize/models/u2netp.onnx"
    );
    /// One that does not: any size, and 1 or 3 of other things.
    const READER: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../layerize/models/ppocrv6_rec_small.onnx"
    );

    fn refused(files: &NetworkFiles) -> String {
        networks(files, None)
            .expect_err("it is refused")
            .to_string()
    }

    #[test]
    fn a_model_that_fits_is_taken_and_every_other_is_refused_by_option_file_and_code() {
        let subject = |path: &Path| NetworkFiles {
            subject_model: Some(path.to_owned()),
            ..NetworkFiles::default()
        };
        let taken = networks(&subject(Path::new(SUBJECT)), None).expect("it fits");
        assert!(
            format!("{taken:?}").contains("subject_side: Some(320)"),
            "{taken:?}"
        );

        let folder = tempfile::tempdir().expect("a folder");
        let words = folder.path().join("words.onnx");
        std::fs::write(&words, "no model").expect("written");
        for (path, code) in [
            (Path::new("/nowhere/model.onnx"), "model_file"),
            (words.as_path(), "model_file"),
            (Path::new(READER), "model_input"),
        ] {
            let said = refused(&subject(path));
            let names =
                said.contains("LOCAL_SUBJECT_MODEL") && said.contains(&*path.to_string_lossy());
            assert!(names && said.contains(&format!("({code})")), "{said}");
        }
        let fill = NetworkFiles {
            fill_model: Some(PathBuf::from(SUBJECT)),
            ..NetworkFiles::default()
        };
        let said = refused(&fill);
        assert!(
            said.contains("LOCAL_FILL_MODEL") && said.contains("(model_input)"),
            "{said}"
        );
    }

    #[test]
    fn the_settings_beside_a_model_are_read_and_a_wrong_one_is_named() {
        let read = settings(
            "side = 1024\nmean = [0.5, 0.5, 0.5]\nstd = [1.0, 1.0, 1.0]\noutput = \"logits\"",
        );
        let read = read.expect("settings");
        assert_eq!(
            (read.side, read.logits, read.bytes),
            (Some(1024), true, false)
        );
        assert_eq!(
            (read.mean, read.deviation),
            (Some([0.5; 3]), Some([1.0; 3]))
        );
        assert_eq!(settings(""), Ok(ModelSettings::default()));
        for (text, named) in [
            ("size = 320", "size"),
            ("std = [1.0, 0.0, 1.0]", "std"),
            ("mean = [nan, 0.0, 0.0]", "mean"),
            ("output = \"percent\"", "percent"),
        ] {
            let said = settings(text).expect_err("refused");
            assert!(said.contains(named), "{said}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("own.onnx");
        std::fs::copy(SUBJECT, &model).expect("copied");
        std::fs::write(folder.path().join("own.onnx.toml"), "side = 512").expect("written");
        let files = NetworkFiles {
            subject_model: Some(model),
            ..NetworkFiles::default()
        };
        let said = refused(&files);
        assert!(said.contains("320") && said.contains("512"), "{said}");
    }
}
