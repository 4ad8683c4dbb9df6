//! `OutgoingLine`: a recorded event as a line, such that `import` makes the same event of it.

use annals::{Encoding, RecordedEvent};
use base64::display::Base64Display;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::encoding_words::{EncodingWords, JSON};
use crate::time::Time;

/// The line of an event, to be serialized.
#[derive(serde::Serialize)]
pub(crate) struct OutgoingLine<'a> {
    stream: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    id: Shown<annals::EventId>,
    version: u64,
    position: u64,
    occurred_at: Time,
    recorded_at: Time,
    batch: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<EncodingWords>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_base64: Option<Shown<Base64Display<'a, 'static, GeneralPurpose>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<Shown<Base64Display<'a, 'static, GeneralPurpose>>>,
}

impl<'a> OutgoingLine<'a> {
    pub(crate) fn new(event: &'a RecordedEvent) -> Self {
        let encoding = event.encoding();
        let data = if encoding.codec == JSON.codec { one_line_json(event.payload()) } else { None };
        // A metadata of `null` is none.
        let metadata = one_line_json(event.metadata()).filter(|json| json.get() != "null");
        // What `import` takes for granted need not be said.
        let assumed = if data.is_some() { JSON } else { Encoding::RAW };
        Self {
            stream: event.stream(),
            event_type: event.event_type(),
            id: Shown(event.id()),
            version: event.version().as_u64(),
            position: event.position().as_u64(),
            occurred_at: Time(event.occurred_at()),
            recorded_at: Time(event.recorded_at()),
            batch: event.commit_position().as_u64(),
            encoding: (encoding != assumed).then(|| encoding.into()),
            metadata,
            metadata_base64: (metadata.is_none() && !event.metadata().is_empty())
                .then(|| base64(event.metadata())),
            data,
            data_base64: data.is_none().then(|| base64(event.payload())),
        }
    }
}

/// The bytes as JSON text, if they are just that: with a line break, or with spaces around it, they would not be the
/// same bytes after `import`.
fn one_line_json(bytes: &[u8]) -> Option<&RawValue> {
    if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return None;
    }
    let json: &RawValue = serde_json::from_slice(bytes).ok()?;
    (json.get().len() == bytes.len()).then_some(json)
}

fn base64(bytes: &[u8]) -> Shown<Base64Display<'_, 'static, GeneralPurpose>> {
    Shown(Base64Display::new(bytes, &STANDARD))
}

/// A value that is written as its text, without a copy of it.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
