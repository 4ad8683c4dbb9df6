//! `EventLine`: a line read. Fields that are not known are refused, so that a misspelt one is not lost.

use std::borrow::Cow;
use std::fmt;
use std::str::Utf8Error;

use annals::limits::{METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX};
use annals::{Encoding, EventType, NewEvent, OverLimit, StreamName, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use super::BatchName;
use super::encoding_words::{EncodingWords, JSON};
use crate::time::Time;

/// What a line says.
#[derive(Debug)]
pub(crate) struct EventLine {
    pub(crate) stream: StreamName,
    pub(crate) event: NewEvent,
    pub(crate) recorded_at: Option<Timestamp>,
    pub(crate) batch: Option<BatchName>,
}

/// Why a line is not an event.
#[derive(Debug)]
pub(crate) struct BadLine {
    /// Counted from 1, in bytes; `None` when the line as a whole is wrong.
    pub(crate) column: Option<usize>,
    pub(crate) what: String,
}

impl BadLine {
    fn whole(what: impl fmt::Display) -> Self {
        Self { column: None, what: what.to_string() }
    }
}

impl From<Utf8Error> for BadLine {
    fn from(error: Utf8Error) -> Self {
        Self { column: Some(error.valid_up_to() + 1), what: "not UTF-8".to_owned() }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    occurred_at: Option<Time>,
    recorded_at: Option<Time>,
    batch: Option<BatchName>,
    encoding: Option<EncodingWords>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata_base64: Option<Cow<'a, str>>,
    /// These two are given by `export`; the store counts anew.
    #[serde(rename = "version")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "position")]
    _position: Option<IgnoredAny>,
}

/// A value that is there, also when it is `null`: that is a payload.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl EventLine {
    /// The event that a line holds.
    pub(crate) fn parse(line: &str) -> Result<Self, BadLine> {
        // serde would take an array too, as the fields in order, and name what it misses in one.
        if !line.trim_ascii_start().starts_with('{') {
            return Err(BadLine::whole("a line must be a JSON object"));
        }
        let fields: Fields<'_> = serde_json::from_str(line).map_err(|error| not_json(&error))?;
        let stream = StreamName::new(&fields.stream).map_err(BadLine::whole)?;
        let event_type = EventType::new(fields.event_type.into_owned()).map_err(BadLine::whole)?;
        let id = fields.id.map(|id| id.parse()).transpose().map_err(BadLine::whole)?;
        let assumed = if fields.data.is_some() { JSON } else { Encoding::RAW };
        let payload = bytes("data", fields.data, fields.data_base64.as_deref())?
            .ok_or_else(|| BadLine::whole("neither data nor data_base64 is given"))?;
        check("payload", &payload, PAYLOAD_BYTES_MAX)?;
        let metadata =
            bytes("metadata", fields.metadata, fields.metadata_base64.as_deref())?.unwrap_or_default();
        check("metadata", &metadata, METADATA_BYTES_MAX)?;
        let event = NewEvent {
            id,
            event_type,
            payload,
            metadata,
            occurred_at: fields.occurred_at.map(|time| time.0),
            encoding: fields.encoding.map_or(assumed, Encoding::from),
        };
        Ok(Self { stream, event, recorded_at: fields.recorded_at.map(|time| time.0), batch: fields.batch })
    }
}

/// Bytes given as JSON text or in base64.
fn bytes(name: &str, json: Option<&RawValue>, base64: Option<&str>) -> Result<Option<Vec<u8>>, BadLine> {
    match (json, base64) {
        (Some(_), Some(_)) => Err(BadLine::whole(format_args!("both {name} and {name}_base64 are given"))),
        (Some(json), None) => Ok(Some(json.get().as_bytes().to_vec())),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map(Some)
            .map_err(|error| BadLine::whole(format_args!("{name}_base64: {error}"))),
        (None, None) => Ok(None),
    }
}

/// Told here, where the line is known, and not first by the commit.
fn check(what: &'static str, bytes: &[u8], max: usize) -> Result<(), BadLine> {
    if bytes.len() <= max {
        return Ok(());
    }
    Err(BadLine::whole(OverLimit::TooLarge { what, unit: "bytes", actual: bytes.len(), max }))
}

/// serde_json ends its messages with a place, which is told with the line's number instead.
fn not_json(error: &serde_json::Error) -> BadLine {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let what = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    BadLine { column: (column > 0).then_some(column), what: what.to_owned() }
}
