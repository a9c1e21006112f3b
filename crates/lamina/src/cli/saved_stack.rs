//! The folder that `lamina split` writes: layers, and a manifest that names them. It holds one stack at
//! a time. Layers of an earlier split are replaced, all of them, by what its manifest names; layers
//! that no manifest names are somebody's, and the folder is refused before anything is done.
//!
//! Invariant: no layer of one stack lies beside a manifest of another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exports;

const MANIFEST: &str = "manifest.json";

/// A stack being saved.
#[derive(Debug)]
pub(super) struct SavedStack {
    folder: PathBuf,
    /// Where new layers wait for the end of the split; in the folder, so that they can be renamed.
    waiting: tempfile::TempDir,
    /// Layers of the earlier split.
    earlier: Vec<String>,
    new: Vec<String>,
}

impl SavedStack {
    /// A stack in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        let failed = |error: io::Error| {
            format!(
                "{}: no layers can be kept there ({error}); name a folder that can be read and written with --output",
                folder.display()
            )
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let earlier = named(&folder.join(MANIFEST)).map_err(failed)?;
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // A folder of a layer's name could not be replaced when the time for it has come.
            let is_file = !entry.file_type().map_err(failed)?.is_dir();
            let is_known = earlier
                .as_ref()
                .is_some_and(|files| is_file && files.iter().any(|file| *file == name));
            if is_layer(&name) && !is_known {
                return Err(format!(
                    "{} holds {name}, a layer that no {MANIFEST} there names; remove it, or choose another folder with --output",
                    folder.display()
                ));
            }
            if name == MANIFEST && earlier.is_none() {
                return Err(format!(
                    "{} holds a {MANIFEST} that lamina did not write; remove it, or choose another folder with --output",
                    folder.display()
                ));
            }
        }
        let waiting = tempfile::Builder::new()
            .prefix(".lamina-")
            .tempdir_in(folder);
        Ok(Self {
            folder: folder.to_owned(),
            waiting: waiting.map_err(failed)?,
            earlier: earlier.unwrap_or_default(),
            new: Vec::new(),
        })
    }

    /// Keeps a layer until the stack is whole.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn save(&mut self, file: &str, bytes: &[u8]) -> Result<(), String> {
        fs::write(self.waiting.path().join(file), bytes).map_err(|e| format!("{file}: {e}"))?;
        self.new.push(file.to_owned());
        Ok(())
    }

    /// A file of all layers, kept until the stack is whole. One of that name that no manifest of lamina names is somebody's.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn export(&mut self, file: &str) -> Result<fs::File, String> {
        let own = self.earlier.iter().any(|earlier| earlier == file);
        if !own && self.folder.join(file).symlink_metadata().is_ok() {
            return Err(format!(
                "{} holds {file}, which no {MANIFEST} there names; remove it, or choose another folder with --output",
                self.folder.display()
            ));
        }
        let made = fs::File::create(self.waiting.path().join(file));
        let made = made.map_err(|error| format!("{file}: {error}"))?;
        self.new.push(file.to_owned());
        Ok(made)
    }

    /// Puts the stack in place of the earlier one. The manifest goes first and comes last, so that
    /// whatever happens between is seen.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn finish(&self, manifest: &Value) -> Result<(), String> {
        let path = |file: &str| self.folder.join(file);
        let failed = |file: &str| {
            let shown = path(file).display().to_string();
            move |error: io::Error| format!("{shown}: {error}")
        };
        let text = serde_json::to_string_pretty(manifest).map_err(|error| error.to_string())?;
        let manifest_first = std::iter::once(MANIFEST);
        for file in manifest_first.chain(self.earlier.iter().map(String::as_str)) {
            match fs::remove_file(path(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(file)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        for file in &self.new {
            fs::rename(self.waiting.path().join(file), path(file)).map_err(failed(file))?;
        }
        fs::write(path(MANIFEST), text + "\n").map_err(failed(MANIFEST))
    }
}

/// The layers that a manifest of lamina names; `None` where there is no manifest, or not lamina's.
fn named(manifest: &Path) -> io::Result<Option<Vec<String>>> {
    let text = match fs::read(manifest) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let manifest: Option<Value> = serde_json::from_slice(&text).ok();
    let layers = manifest
        .as_ref()
        .and_then(|manifest| manifest["layers"].as_array());
    // A manifest from elsewhere must not name files outside of its folder, nor others in it.
    let file = |layer: &Value| {
        let file = layer["file"].as_str()?;
        is_layer(file).then(|| file.to_owned())
    };
    let files: Option<Vec<String>> = layers.and_then(|layers| layers.iter().map(file).collect());
    let exports = manifest
        .iter()
        .flat_map(|manifest| manifest["exports"].as_array());
    let exports = exports.flatten().filter_map(Value::as_str);
    let exports = exports.filter(|name| is_export(name)).map(str::to_owned);
    Ok(files.map(|files| files.into_iter().chain(exports).collect()))
}

/// Whether a file is called as exports are: `layers.psd`.
fn is_export(name: &str) -> bool {
    let ending = name.strip_prefix("layers.");
    ending.is_some_and(|ending| ending == "psb" || exports::words().contains(&ending))
}

/// Whether a file is called as layers are: `layer_0.png`.
fn is_layer(name: &str) -> bool {
    let number = name.strip_prefix("layer_").and_then(|rest| {
        let (number, extension) = rest.split_once('.')?;
        matches!(extension, "png" | "webp").then_some(number)
    });
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn save(folder: &Path, layers: usize) -> Result<(), String> {
        let mut stack = SavedStack::open(folder)?;
        let mut entries = Vec::new();
        for layer in 0..layers {
            let file = format!("layer_{layer}.png");
            stack.save(&file, format!("{layer} of {layers}").as_bytes())?;
            entries.push(json!({ "file": file }));
        }
        stack.finish(&json!({ "layers": entries }))
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_smaller_stack_replaces_a_larger_one_and_leaves_what_is_not_lamina_s() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        save(&out, 5).unwrap();
        for own in ["notes.txt", "layer_9.psd", "layer_.png", "layers.png"] {
            fs::write(out.join(own), "mine").unwrap();
        }
        save(&out, 2).unwrap();
        let wanted = [
            "layer_.png",
            "layer_0.png",
            "layer_1.png",
            "layer_9.psd",
            "layers.png",
            "manifest.json",
            "notes.txt",
        ];
        assert_eq!(files(&out), wanted);
        assert_eq!(
            fs::read_to_string(out.join("layer_1.png")).unwrap(),
            "1 of 2"
        );
    }

    #[test]
    fn exports_are_replaced_with_their_stack_and_never_somebodys_file() {
        let folder = tempfile::tempdir().unwrap();
        let export = |name: &str| {
            let mut stack = SavedStack::open(folder.path())?;
            drop(stack.export(name)?);
            stack.finish(&json!({ "layers": [], "exports": [name] }))
        };
        fs::write(folder.path().join("layers.ora"), "mine").unwrap();
        export("layers.psd").unwrap();
        export("layers.psd").unwrap();
        assert!(export("layers.ora").unwrap_err().contains("layers.ora"));
        assert_eq!(files(folder.path()), ["layers.ora", "layers.psd", MANIFEST]);
        save(folder.path(), 1).unwrap();
        assert_eq!(
            files(folder.path()),
            ["layer_0.png", "layers.ora", MANIFEST]
        );
        let kept = fs::read_to_string(folder.path().join("layers.ora")).unwrap();
        assert_eq!(kept, "mine");
    }

    #[test]
    fn layers_that_no_manifest_names_are_not_mixed_with_and_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("layer_3.png"), "somebody's").unwrap();
        assert!(save(folder.path(), 2).unwrap_err().contains("layer_3.png"));
        assert_eq!(files(folder.path()), ["layer_3.png"]);
        fs::remove_file(folder.path().join("layer_3.png")).unwrap();
        for manifest in ["{}", "no JSON", r#"{"layers":[{"file":"../notes.txt"}]}"#] {
            fs::write(folder.path().join(MANIFEST), manifest).unwrap();
            assert!(save(folder.path(), 2).unwrap_err().contains(MANIFEST));
        }
    }

    #[test]
    fn what_cannot_be_a_stacks_folder_is_refused_with_a_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "mine").unwrap();
        std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
        std::os::unix::fs::symlink(path("file"), path("to-file")).unwrap();
        std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
        for name in ["file", "file/below", "dangling", "to-file", "loop"] {
            let said = save(&path(name), 1).unwrap_err();
            assert!(said.contains(name) && said.contains("--output"), "{said}");
        }
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "mine");
        assert!(!path("nowhere").exists());
    }

    #[test]
    fn a_link_to_a_folder_is_that_folder_and_a_link_in_it_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (out, link) = (folder.path().join("out"), folder.path().join("link"));
        save(&out, 2).unwrap();
        std::os::unix::fs::symlink(&out, &link).unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "mine").unwrap();
        for linked in ["layer_1.png", MANIFEST] {
            let kept = fs::read(out.join(linked)).unwrap();
            if linked == MANIFEST {
                fs::write(&outside, kept).unwrap();
            }
            fs::remove_file(out.join(linked)).unwrap();
            std::os::unix::fs::symlink(&outside, out.join(linked)).unwrap();
            let before = fs::read(&outside).unwrap();
            save(&link, 2).unwrap();
            assert_eq!(fs::read(&outside).unwrap(), before, "{linked}");
        }
        assert_eq!(files(&out), ["layer_0.png", "layer_1.png", MANIFEST]);
    }

    #[test]
    fn a_folder_in_a_layers_place_leaves_the_earlier_stack_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), 2).unwrap();
        fs::remove_file(folder.path().join("layer_1.png")).unwrap();
        fs::create_dir(folder.path().join("layer_1.png")).unwrap();
        assert!(save(folder.path(), 2).unwrap_err().contains("layer_1.png"));
        assert_eq!(
            files(folder.path()),
            ["layer_0.png", "layer_1.png", MANIFEST]
        );
    }

    #[test]
    fn a_split_that_fails_leaves_the_earlier_stack_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), 3).unwrap();
        let mut stack = SavedStack::open(folder.path()).unwrap();
        stack.save("layer_0.png", b"new").unwrap();
        drop(stack);
        assert_eq!(files(folder.path()).len(), 4);
        let kept = fs::read_to_string(folder.path().join("layer_0.png")).unwrap();
        assert_eq!(kept, "0 of 3");
    }
}
