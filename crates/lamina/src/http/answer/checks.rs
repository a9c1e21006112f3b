//! How each part of the service is, as `/readyz`, its problem and the metrics show it. `state::readiness`
//! finds it out.

use serde::Serialize;

/// How one part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It works.
    Ok,
    /// It does not; the log says why.
    Failed,
}

/// How each part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Checks {
    /// The service was told to stop.
    pub draining: bool,
    /// A read and a write were answered in time.
    pub database: Part,
    /// Pictures can be read and written.
    pub storage: Part,
    /// Jobs were asked for in the last seconds.
    pub worker: Part,
    /// The disk has room for pictures.
    pub space: Part,
    /// Whether the storage is known to be this database's own. If not, bytes that the database does not
    /// know are left alone; this keeps no work out.
    pub ownership: Part,
}

impl Checks {
    /// Whether work can be taken.
    pub(in crate::http) fn ready(&self) -> bool {
        !self.draining && [self.database, self.storage, self.worker, self.space] == [Part::Ok; 4]
    }

    /// Each part by its name in the answer, and whether it lets work in.
    pub(in crate::http) fn parts(&self) -> [(&'static str, bool); 6] {
        [
            ("accepting", !self.draining),
            ("database", self.database == Part::Ok),
            ("storage", self.storage == Part::Ok),
            ("worker", self.worker == Part::Ok),
            ("space", self.space == Part::Ok),
            ("ownership", self.ownership == Part::Ok),
        ]
    }

    /// What keeps work out, as the end of a sentence.
    pub(in crate::http) fn reasons(&self) -> String {
        let parts = [
            (self.draining, "the server is stopping"),
            (
                self.database == Part::Failed,
                "the database does not answer",
            ),
            (
                self.storage == Part::Failed,
                "the blob store does not answer",
            ),
            (
                self.worker == Part::Failed,
                "the worker does not look for jobs",
            ),
            (
                self.space == Part::Failed,
                "the disk is nearly full, and no pictures are taken until some are deleted or expire",
            ),
        ];
        let reasons = parts.iter().filter(|(wrong, _)| *wrong);
        let reasons: Vec<&str> = reasons.map(|(_, reason)| *reason).collect();
        reasons.join(", ")
    }
}
