//! From rows to records. A value that cannot be read is a defect of the database, never of a
//! caller, and names its column.

use std::str::FromStr;
use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::Type;

use crate::jobs::{
    BoundingBox, EngineKind, Estimate, Failure, JobId, Layer, LayerLabels, MediaType, OwnerId,
    Phase, UnixMs,
};
use crate::store::{Ended, JobRecord, SourceInfo};

/// The columns that [`job`] reads, in its order.
pub(super) const JOB_COLUMNS: &str = "id, owner, phase, engine, params, source_media, source_width, source_height, \
     source_bytes, reported, progress_floor, accepted_at, expected_ms, queue_position, error_code, error, created_at, expires_at, quality";

/// A job without its layers.
pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        id: parsed(row, "id")?,
        owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
        phase: phase(row)?,
        engine: engine(row)?,
        params: json(row, "params")?,
        source: source(row)?,
        estimate: estimate(row)?,
        queue_position: row.get("queue_position")?,
        failure: failure(row)?,
        created_at: UnixMs(row.get("created_at")?),
        expires_at: UnixMs(row.get("expires_at")?),
        layers: Vec::new(),
        quality: match row.get_ref("quality")? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(json(row, "quality")?),
        },
    })
}

/// A job that ended; reads the columns id, owner, engine and created_at.
pub(super) fn ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    Ok(Ended {
        id: parsed(row, "id")?,
        owner: OwnerId::named(row.get_ref("owner")?.as_str()?),
        engine: engine(row)?,
        created_at: UnixMs(row.get("created_at")?),
        was_finished: row.get("was_finished")?,
    })
}

/// What progress is derived from.
pub(super) fn estimate(row: &Row<'_>) -> rusqlite::Result<Estimate> {
    Ok(Estimate {
        reported: row.get("reported")?,
        floor: row.get("progress_floor")?,
        accepted_at: time(row, "accepted_at")?,
        expected: Duration::from_millis(row.get("expected_ms")?),
    })
}

fn failure(row: &Row<'_>) -> rusqlite::Result<Option<Failure>> {
    let code: Option<String> = row.get("error_code")?;
    let sentence: Option<String> = row.get("error")?;
    Ok(code.zip(sentence).map(|(code, sentence)| Failure {
        code: code.into(),
        sentence: sentence.into(),
    }))
}

/// The stored source of a job, once there is one.
pub(super) fn source(row: &Row<'_>) -> rusqlite::Result<Option<SourceInfo>> {
    if row.get_ref("source_media")? == rusqlite::types::ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(SourceInfo {
        media_type: media(row, "source_media")?,
        width: row.get("source_width")?,
        height: row.get("source_height")?,
        bytes: row.get("source_bytes")?,
    }))
}

/// A layer of a job.
pub(super) fn layer(row: &Row<'_>) -> rusqlite::Result<Layer> {
    let width: Option<u32> = row.get("bbox_width")?;
    let bbox = match width {
        Some(width) => Some(BoundingBox {
            x: row.get("bbox_x")?,
            y: row.get("bbox_y")?,
            width,
            height: row.get("bbox_height")?,
        }),
        None => None,
    };
    Ok(Layer {
        order: row.get("ord")?,
        file: row.get("file")?,
        labels: LayerLabels {
            name: row.get("name")?,
            kind: row.get("kind")?,
            text: row.get("words")?,
            text_confidence: row.get("words_sure")?,
        },
        media_type: media(row, "media")?,
        width: row.get("width")?,
        height: row.get("height")?,
        bytes: row.get("bytes")?,
        sha256: row.get("sha256")?,
        bbox,
        coverage: row.get("coverage")?,
        thumbhash: row.get("thumbhash")?,
        fidelity_bytes: row.get("fidelity_bytes")?,
    })
}

pub(super) fn phase(row: &Row<'_>) -> rusqlite::Result<Phase> {
    word(row, "phase", Phase::parse)
}

pub(super) fn engine(row: &Row<'_>) -> rusqlite::Result<EngineKind> {
    word(row, "engine", EngineKind::parse)
}

pub(super) fn media(row: &Row<'_>, column: &str) -> rusqlite::Result<MediaType> {
    word(row, column, MediaType::from_extension)
}

pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<UnixMs>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UnixMs))
}

/// A column that holds a word of an enum.
pub(super) fn word<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| unreadable(column, &format!("unknown word {text:?}")))
}

/// A column that holds the text of an id.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    word(row, column, |text| text.parse().ok())
}

/// A column that holds JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(column, &error.to_string()))
}

pub(super) fn unreadable(column: &str, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        Type::Text,
        format!("column {column}: {text}").into(),
    )
}

/// Keeps ids of a batch that fit a `json_each` parameter.
pub(super) fn id_list<T: std::fmt::Display>(ids: &[T]) -> String {
    serde_json::Value::from(ids.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// The id column of a query that gives ids only.
pub(super) fn ids<T: FromStr>(
    connection: &rusqlite::Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_map(params, |row| parsed(row, "id"))?
        .collect()
}

/// `JobId` as the store writes it.
pub(super) fn text(id: JobId) -> String {
    id.to_string()
}
