//! fal's machine-readable error types: one table of name, HTTP status and what to do.
//!
//! The names are stable, the texts beside them are not, so nothing in this crate decides by text
//! where a type is given. Source: fal's pages "Errors" (model errors) and "Request errors"
//! (infrastructure), and the types its Python SDK uses besides. Names that are not in the table are
//! kept as [`ErrorType::Other`].

use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::Class;

macro_rules! error_types {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal $(| $alias:literal)*, $status:literal, $class:ident;)+) => {
        /// What went wrong, in fal's own word. `Display` and `Debug` show a known type only: any
        /// other is text of the answer, which may repeat the input.
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub enum ErrorType {
            $($(#[$doc])+ $variant,)+
            /// A type this crate does not know, cut to 100 characters.
            Other(String),
        }

        impl ErrorType {
            /// Every known type.
            pub const KNOWN: &'static [ErrorType] = &[$(ErrorType::$variant,)+];

            /// The name on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }

            /// The HTTP status that fal documents for it; `None` for an unknown type.
            #[must_use]
            pub fn documented_status(&self) -> Option<u16> {
                match self {
                    $(Self::$variant => Some($status),)+
                    Self::Other(_) => None,
                }
            }

            /// What to do about it when no header says more; `None` for an unknown type.
            pub(crate) fn class(&self) -> Option<Class> {
                match self {
                    $(Self::$variant => Some(Class::$class),)+
                    Self::Other(_) => None,
                }
            }
        }

        impl From<&str> for ErrorType {
            fn from(name: &str) -> Self {
                match name {
                    $($name $(| $alias)* => Self::$variant,)+
                    other => Self::Other(crate::excerpt::excerpt(other).chars().take(100).collect()),
                }
            }
        }
    };
}

error_types! {
    // Errors of the model. "Either" in fal's table: a header may say, and without one a 5xx is
    // worth another run (fal does not bill it), a 4xx is not (it may be billed).
    /// The model failed inside.
    InternalServerError = "internal_server_error", 500, Retryable;
    /// The model took longer than it may.
    GenerationTimeout = "generation_timeout", 504, Retryable;
    /// A service behind the model failed the request. Older documents give it 400, newer ones 500;
    /// with a 400 it is the request that was refused, see `class_of`.
    DownstreamServiceError = "downstream_service_error", 500, Retryable;
    /// A service behind the model is not reachable.
    DownstreamServiceUnavailable = "downstream_service_unavailable", 500, Retryable;
    /// A checker refused the input or the output.
    ContentPolicyViolation = "content_policy_violation", 422, Permanent;
    /// `ctx`: `min_height`, `min_width`.
    ImageTooSmall = "image_too_small", 422, Permanent;
    /// `ctx`: `max_height`, `max_width`.
    ImageTooLarge = "image_too_large", 422, Permanent;
    /// The image does not decode.
    ImageLoadError = "image_load_error", 422, Permanent;
    /// The input file could not be fetched by fal.
    FileDownloadError = "file_download_error", 422, Permanent;
    /// No face was found where one is needed.
    FaceDetectionError = "face_detection_error", 422, Permanent;
    /// `ctx`: `max_size` in bytes.
    FileTooLarge = "file_too_large", 422, Permanent;
    /// `ctx`: `gt`.
    GreaterThan = "greater_than", 422, Permanent;
    /// `ctx`: `ge`.
    GreaterThanEqual = "greater_than_equal", 422, Permanent;
    /// `ctx`: `lt`.
    LessThan = "less_than", 422, Permanent;
    /// `ctx`: `le`.
    LessThanEqual = "less_than_equal", 422, Permanent;
    /// `ctx`: `multiple_of`.
    MultipleOf = "multiple_of", 422, Permanent;
    /// `ctx`: `min_length`.
    SequenceTooShort = "sequence_too_short", 422, Permanent;
    /// `ctx`: `max_length`.
    SequenceTooLong = "sequence_too_long", 422, Permanent;
    /// `ctx`: `expected`, the allowed values.
    OneOf = "one_of", 422, Permanent;
    /// This combination of inputs is not supported.
    FeatureNotSupported = "feature_not_supported", 422, Permanent;
    /// `ctx`: `supported_extensions`.
    InvalidArchive = "invalid_archive", 422, Permanent;
    /// `ctx`: `min_count`, `provided_count`, `supported_extensions`.
    ArchiveFileCountBelowMinimum = "archive_file_count_below_minimum", 422, Permanent;
    /// `ctx`: `max_count`, `provided_count`, `supported_extensions`.
    ArchiveFileCountExceedsMaximum = "archive_file_count_exceeds_maximum", 422, Permanent;
    /// `ctx`: `max_duration`, `provided_duration`.
    AudioDurationTooLong = "audio_duration_too_long", 422, Permanent;
    /// `ctx`: `min_duration`, `provided_duration`.
    AudioDurationTooShort = "audio_duration_too_short", 422, Permanent;
    /// `ctx`: `max_duration`, `provided_duration`.
    VideoDurationTooLong = "video_duration_too_long", 422, Permanent;
    /// `ctx`: `min_duration`, `provided_duration`.
    VideoDurationTooShort = "video_duration_too_short", 422, Permanent;
    /// `ctx`: `supported_formats`.
    UnsupportedImageFormat = "unsupported_image_format", 422, Permanent;
    /// `ctx`: `supported_formats`.
    UnsupportedAudioFormat = "unsupported_audio_format", 422, Permanent;
    /// `ctx`: `supported_formats`.
    UnsupportedVideoFormat = "unsupported_video_format", 422, Permanent;
    /// The model made nothing, commonly a silent refusal.
    NoMediaGenerated = "no_media_generated", 422, Permanent;
    /// A field is missing (the plain item of the web framework).
    Missing = "missing" | "value_error.missing", 422, Permanent;
    /// A field has a wrong value (the plain item of the web framework).
    ValueError = "value_error", 422, Permanent;
    /// A field has a wrong value (fal's SDK).
    InputValueError = "input_value_error", 422, Permanent;

    // Errors of the request: fal's infrastructure.
    /// The run did not finish, or with a start time-out did not start, in time.
    RequestTimeout = "request_timeout", 504, Retryable;
    /// No runner came up in time.
    StartupTimeout = "startup_timeout", 504, Retryable;
    /// No runner could be scheduled.
    RunnerSchedulingFailure = "runner_scheduling_failure", 503, Retryable;
    /// The runner could not be reached in time.
    RunnerConnectionTimeout = "runner_connection_timeout", 503, Retryable;
    /// The runner went away during the run.
    RunnerDisconnected = "runner_disconnected", 503, Retryable;
    /// The runner refused the connection.
    RunnerConnectionRefused = "runner_connection_refused", 503, Retryable;
    /// Any other failure to talk to the runner.
    RunnerConnectionError = "runner_connection_error", 503, Retryable;
    /// The runner's answer was cut short.
    RunnerIncompleteResponse = "runner_incomplete_response", 502, Retryable;
    /// The runner failed.
    RunnerServerError = "runner_server_error", 500, Retryable;
    /// fal failed.
    InternalError = "internal_error", 500, Retryable;
    /// The caller went away.
    ClientDisconnected = "client_disconnected", 499, Cancelled;
    /// The caller cancelled the request.
    ClientCancelled = "client_cancelled", 499, Cancelled;
    /// A malformed request, for example a wrong time-out header.
    BadRequest = "bad_request", 400, Permanent;
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other(_) => "an unknown type",
            known => known.as_str(),
        })
    }
}

impl fmt::Debug for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for ErrorType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_read_back_as_itself() {
        for known in ErrorType::KNOWN {
            assert_eq!(&ErrorType::from(known.as_str()), known);
        }
        assert_eq!(ErrorType::from("value_error.missing"), ErrorType::Missing);
        assert_eq!(
            ErrorType::from("new_one"),
            ErrorType::Other("new_one".into())
        );
    }
}
