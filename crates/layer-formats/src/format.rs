//! The formats by name: what a caller that is given a word needs to know of each.

use std::io::Write;

use super::error::ExportError;
use super::pictures::Pictures;
use super::stack::Stack;
use super::{bundle, gif, openraster, pptx, psd, svg, tiff};

/// A format that a stack can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Photoshop; PSB by itself where the canvas is too large for PSD.
    Psd,
    /// OpenRaster.
    OpenRaster,
    /// PowerPoint.
    Pptx,
    /// SVG with embedded PNG.
    Svg,
    /// PNG files and a manifest.
    Zip,
    /// TIFF, a page for each layer.
    Tiff,
    /// A small animation that shows the depth.
    Gif,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Psd,
        Self::OpenRaster,
        Self::Pptx,
        Self::Svg,
        Self::Zip,
        Self::Tiff,
        Self::Gif,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Psd => "psd",
            Self::OpenRaster => "ora",
            Self::Pptx => "pptx",
            Self::Svg => "svg",
            Self::Zip => "zip",
            Self::Tiff => "tiff",
            Self::Gif => "gif",
        }
    }

    /// The format of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// The ending of the file's name, without a dot.
    #[must_use]
    pub fn extension(self, stack: &Stack) -> &'static str {
        match self {
            Self::Psd if psd::is_large(stack) => "psb",
            other => other.word(),
        }
    }

    /// Its media type, as registered where it is.
    #[must_use]
    pub fn media_type(self, stack: &Stack) -> &'static str {
        match self {
            // PSB has no type of its own, and programs go by the file's name.
            Self::Psd if psd::is_large(stack) => "application/octet-stream",
            Self::Psd => "image/vnd.adobe.photoshop",
            Self::OpenRaster => "image/openraster",
            Self::Pptx => {
                "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            }
            Self::Svg => "image/svg+xml",
            Self::Zip => "application/zip",
            Self::Tiff => "image/tiff",
            Self::Gif => "image/gif",
        }
    }

    /// Writes the stack in this format, with its usual settings.
    ///
    /// # Errors
    /// Those of the format's own `write`.
    pub fn write(
        self,
        stack: &Stack,
        pictures: &dyn Pictures,
        out: &mut dyn Write,
    ) -> Result<(), ExportError> {
        match self {
            Self::Psd => psd::write(stack, pictures, psd::Compression::default(), out),
            Self::OpenRaster => openraster::write(stack, pictures, out),
            Self::Pptx => pptx::write(stack, pictures, out),
            Self::Svg => svg::write(stack, pictures, out),
            Self::Zip => bundle::write(stack, pictures, out),
            Self::Tiff => tiff::write(stack, pictures, out),
            Self::Gif => gif::write(stack, pictures, out),
        }
    }
}
