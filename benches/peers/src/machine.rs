//! The head of the table: what was measured, where and when.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The versions that were built, as the lock file has them.
const LOCK: &str = include_str!("../Cargo.lock");

/// Lines that tell machine, date and versions.
pub(crate) fn head(dir: &Path) -> Vec<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = after(&cpus, "model name").unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = after(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map_or_else(|| "unknown".to_owned(), |kib| format!("{:.0} GiB", kib / 1_048_576.0));
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let lmdb = heed::lmdb_version();
    vec![
        format!(
            "{cores} cores of {model}, {memory} of memory, Linux {}, {}; other work on it: load {load}",
            kernel.trim(),
            file_system(dir)
        ),
        format!("{}, built with optimization", date()),
        format!(
            "annals {}; SQLite {} (rusqlite {}); redb {}; fjall {} (lsm-tree {}); LMDB {}.{}.{} (heed {})",
            version("annals"),
            rusqlite::version(),
            version("rusqlite"),
            version("redb"),
            version("fjall"),
            version("lsm-tree"),
            lmdb.major,
            lmdb.minor,
            lmdb.patch,
            version("heed"),
        ),
        "An engine named with -s keeps payloads by stream and version, the others by position.".to_owned(),
        "Figures: median / what one in a hundred is above. Ratios: time of the other by that of annals."
            .to_owned(),
    ]
}

/// What stands behind the colon of the first line that begins so.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The version of a package in the lock file.
fn version(package: &str) -> &'static str {
    let at = LOCK.split_once(&format!("name = \"{package}\"\nversion = \""));
    at.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown")
}

/// The kind of file system that a directory lies on: that of the longest mount point above it.
fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        dir.starts_with(point).then_some((point.len(), kind))
    });
    mounted.max_by_key(|(length, _)| *length).map_or("unknown", |(_, kind)| kind).to_owned()
}

/// Today in UTC, as year-month-day.
pub(crate) fn date() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    civil(since.as_secs() / 86_400)
}

/// The date so many days after the first of January 1970: Howard Hinnant's `civil_from_days`, for days since then.
fn civil(days: u64) -> String {
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::{civil, version};

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), "1970-01-01");
        assert_eq!(civil(19_782), "2024-02-29");
        assert_eq!(civil(20_454), "2026-01-01");
    }

    #[test]
    fn versions_are_found_in_the_lock_file() {
        for package in ["annals", "rusqlite", "redb", "fjall", "heed", "lsm-tree"] {
            assert!(version(package).starts_with(|first: char| first.is_ascii_digit()), "{package}");
        }
    }
}
