//! Times between what people write and the store's microseconds. All of them UTC. The one file that names jiff.

use annals::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The first moment of a day written as `2024-03-31`.
pub(crate) fn parse_day(text: &str) -> Result<Timestamp, String> {
    let date = (text.len() == "2024-03-31".len()).then(|| text.parse::<Date>().ok()).flatten();
    let start = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    let start = start.ok_or_else(|| format!("{text:?} is not a day such as 2024-03-31"))?;
    Ok(Timestamp::from_micros(start.timestamp().as_microsecond()))
}

/// A moment written as `2024-03-31T18:00:00Z`, or the last one of a day written as `2024-03-31`.
pub(crate) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = parse_day(text) {
        return Ok(Timestamp::from_micros(day.as_micros() + MICROS_A_DAY - 1));
    }
    let moment = text.parse::<jiff::Timestamp>().map_err(|_| {
        format!("{text:?} is not a time such as 2024-03-31 (all of that day) or 2024-03-31T18:00:00Z")
    })?;
    Ok(Timestamp::from_micros(moment.as_microsecond()))
}

/// `2024-03-31 18:00`, and only the day when it is midnight.
pub(crate) fn show(time: Timestamp) -> String {
    let format = if time.as_micros() % MICROS_A_DAY == 0 { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
    match jiff::Timestamp::from_microsecond(time.as_micros()) {
        Ok(moment) => moment.strftime(format).to_string(),
        // The store's times reach further than a calendar of four-digit years.
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_and_ends_at_midnight_utc() {
        let start = parse_day("2024-03-31").expect("a day");
        let last = parse_moment("2024-03-31").expect("a moment");
        assert_eq!(show(start), "2024-03-31");
        assert_eq!(show(last), "2024-03-31 23:59");
        assert_eq!(parse_day("2024-04-01").expect("a day").as_micros(), last.as_micros() + 1);
    }

    #[test]
    fn moments_have_an_offset_and_days_are_on_the_calendar() {
        assert_eq!(show(parse_moment("2024-03-31T18:00:00+02:00").expect("a moment")), "2024-03-31 16:00");
        assert!(parse_moment("2024-03-31T18:00:00").is_err());
        for bad in ["", "2024-02-30", "2024-3-31", "20240331", "31.03.2024", "2024-03-31T00:00:00Z"] {
            assert!(parse_day(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_off_the_calendar_are_shown_all_the_same() {
        assert_eq!(show(Timestamp::MAX), format!("{} µs since 1970", i64::MAX));
    }
}
