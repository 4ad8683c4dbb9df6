//! `BatchName`: what consecutive lines of one commit share.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// The value of a line's `batch`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged, expecting = "batch must be a text or an integer")]
pub(crate) enum BatchName {
    Natural(u64),
    Negative(i64),
    Text(String),
}

impl fmt::Display for BatchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural(number) => number.fmt(f),
            Self::Negative(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// The batch that a line names before it goes wrong: `None` when it goes wrong before naming one, and then it may be
/// part of any; `Some(None)` when it is whole and names none.
pub(crate) fn batch_of_bad_line(line: &str) -> Option<Option<BatchName>> {
    let mut seen = None;
    let mut json = serde_json::Deserializer::from_str(line);
    let whole = json.deserialize_map(BatchFinder(&mut seen)).is_ok();
    seen.or_else(|| whole.then_some(None))
}

/// Looks at a line field by field and keeps the batch, whatever comes after it.
struct BatchFinder<'a>(&'a mut Option<Option<BatchName>>);

impl<'de> Visitor<'de> for BatchFinder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<FieldName<'de>>()? {
            if name.0 == "batch" {
                *self.0 = Some(fields.next_value()?);
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct FieldName<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for FieldName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'a, str>::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_of_a_line_is_known_as_soon_as_it_is_named() {
        let of = |line| batch_of_bad_line(line);
        assert_eq!(of(r#"{"stream":"a","batch":7,"data":{"x"#), Some(Some(BatchName::Natural(7))));
        assert_eq!(of(r#"{"batch":"7","what":1}"#), Some(Some(BatchName::Text("7".into()))));
        assert_eq!(of(r#"{"batch":-7}"#), Some(Some(BatchName::Negative(-7))));
        assert_eq!(of(r#"{"what":1}"#), Some(None));
        assert_eq!(of(r#"{"batch":null"#), Some(None));
        assert_eq!(of(r#"{"stream":"\"batch\":7","#), None);
        assert_eq!(of(r#"{"data":{"batch":7},"#), None);
        assert_eq!(of("[1]"), None);
    }
}
