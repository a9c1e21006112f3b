//! The domain: what a job is and how it may change. Pure: no I/O, no async, no clock; whoever
//! needs the time passes it in. Everything else in the crate depends on this module and this
//! module depends on nothing of it. Two plain types come from `image-intake`: a picture's media type
//! and a box in its pixels.

mod arrangement;
mod delivery;
mod engine_kind;
mod failure;
mod fields;
mod hook_address;
mod id;
mod layer;
mod layer_variant;
mod outcome;
mod progress;
mod quality;
mod retry;
mod run_class;
mod sentence;
mod share;
mod spec;
mod stage;
mod state;
mod ticket;
mod time;
mod whole_number;

pub use arrangement::{Arrangement, Crop, FlatFormat, MOST_PLACED, PlacedLayer};
pub use delivery::next_attempt;
pub use engine_kind::{EngineChoice, EngineKind};
pub use failure::{Failure, FailureCode};
pub use fields::{FieldError, ParseError};
pub(crate) use fields::{Fields, shorten};
pub use hook_address::HookAddress;
pub use id::{JobId, Nonce, OwnerId, RequestId, UploadId};
pub use image_intake::{BoundingBox, MediaType};
pub use layer::{Layer, LayerLabels};
pub use layer_variant::{AskedVariant, LayerVariant, VariantSize};
pub use outcome::{Change, Outcome, Step, StepRecord, change_after};
pub use progress::{Estimate, collecting, progress};
pub use quality::{
    DuplicateLayers, LayerCheck, LayerQuality, Quality, SecondTry, StackRules, WorstTile,
};
pub use retry::{AtEngine, Backoff, poll_at};
pub use run_class::{LayersAsked, RunClass, SizeClass};
pub use sentence::sentence;
pub use share::Shares;
pub use spec::{JobSpec, NumLayers, Params, Resolution, SourceInput};
pub use stage::Stage;
pub use state::{Event, InvalidTransition, Phase, Status, transition};
pub use ticket::TicketSpec;
pub use time::{Moment, UnixMs, whole_ms};
