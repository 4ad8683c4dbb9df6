//! `Time`: a timestamp as text. RFC 3339 in UTC, and an integer of microseconds for what RFC 3339 cannot show: nothing
//! that an `i64` holds is lost. The one file that names jiff.

use std::fmt;

use annals::Timestamp;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

/// What a time is read from, told where it cannot be.
const EXPECTED: &str = "RFC 3339 such as 2016-02-27T16:07:26Z, or microseconds since 1970 as a number";

impl Time {
    /// The time that an RFC 3339 text of any offset names; digits below a microsecond are cut off.
    fn parse(text: &str) -> Result<Self, jiff::Error> {
        let nanos = text.parse::<jiff::Timestamp>()?.as_nanosecond();
        // jiff's times lie within the years -9999 to 9999: far within an i64 of microseconds.
        let micros = i64::try_from(nanos.div_euclid(1000)).unwrap_or(i64::MAX);
        Ok(Self(Timestamp::from_micros(micros)))
    }

    /// The text; `None` when RFC 3339, which has the years 0 to 9999, cannot show it.
    fn text(self) -> Option<String> {
        let time = jiff::Timestamp::from_microsecond(self.0.as_micros()).ok()?;
        let text = time.to_string();
        (!text.starts_with('-')).then_some(text)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(&text),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text() {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_i64(self.0.as_micros()),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;

        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Time, E> {
                Ok(Time(Timestamp::from_micros(micros)))
            }

            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Time, E> {
                match i64::try_from(micros) {
                    Ok(micros) => self.visit_i64(micros),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Unsigned(micros), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                Time::parse(text).map_err(|_| E::custom(format_args!("not a time: expected {EXPECTED}")))
            }
        }

        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_MICROS_OF_YEAR_0: i64 = -62_167_219_200_000_000;

    fn json(micros: i64) -> String {
        serde_json::to_string(&Time(Timestamp::from_micros(micros))).expect("json")
    }

    fn micros(json: &str) -> Option<i64> {
        serde_json::from_str::<Time>(json).ok().map(|time| time.0.as_micros())
    }

    #[test]
    fn every_time_comes_back_as_it_was() {
        let last = jiff::Timestamp::MAX.as_microsecond();
        let year_0 = FIRST_MICROS_OF_YEAR_0;
        let edges = [i64::MIN, year_0 - 1, year_0, -1, 0, 1, 1_456_589_246_000_000, last, last + 1, i64::MAX];
        for time in edges {
            assert_eq!(micros(&json(time)), Some(time), "{}", json(time));
        }
    }

    #[test]
    fn text_is_utc_with_the_digits_it_needs_and_integers_stand_in_where_there_is_no_text() {
        assert_eq!(json(1_456_589_246_000_000), r#""2016-02-27T16:07:26Z""#);
        assert_eq!(json(1_456_589_246_000_001), r#""2016-02-27T16:07:26.000001Z""#);
        assert_eq!(json(1_456_589_246_500_000), r#""2016-02-27T16:07:26.5Z""#);
        assert_eq!(json(FIRST_MICROS_OF_YEAR_0), r#""0000-01-01T00:00:00Z""#);
        assert_eq!(json(FIRST_MICROS_OF_YEAR_0 - 1), (FIRST_MICROS_OF_YEAR_0 - 1).to_string());
        assert_eq!(json(i64::MAX), i64::MAX.to_string());
        assert_eq!(json(i64::MIN), i64::MIN.to_string());
    }

    #[test]
    fn any_offset_is_read_and_what_is_below_a_microsecond_is_cut_off() {
        assert_eq!(micros(r#""2016-02-27T11:07:26-05:00""#), Some(1_456_589_246_000_000));
        assert_eq!(micros(r#""1970-01-01T00:00:00.0000019Z""#), Some(1));
        assert_eq!(micros(r#""1969-12-31T23:59:59.9999991Z""#), Some(-1));
        for bad in [r#""2016-02-27T11:07:26""#, r#""yesterday""#, "1.5", "true", "9223372036854775808"] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }
}
