//! What the rows are called. The names say what one figure is for.

use crate::figures::{Cell, Row, Unit};
use crate::kind::Kind;

pub(super) const APPEND_1: &str = "durable append, 1 thread";
pub(super) const APPEND_16: &str = "durable append, 16 threads, share of wall time";
pub(super) const APPEND_64: &str = "durable append, 64 threads, share of wall time";
pub(super) const BATCH: &str = "durable batch of 1,000";
pub(super) const BUFFERED: &str = "buffered append";
pub(super) const REFUSED: &str = "refused append";
pub(super) const SLOWEST: &str = "slowest 0.1 % of durable appends, mean";
pub(super) const APPEND_BEHIND: &str = "durable append, 1 thread, right behind 300,000 others";
pub(super) const SLOWEST_BEHIND: &str = "slowest 0.1 % of durable appends behind them, mean";
pub(super) const REPLAY_RECENT: &str = "replay of events just appended, per event";
pub(super) const LOAD: &str = "load, random stream, warm";
pub(super) const LOAD_HOT: &str = "load, hot streams (zipf), warm";
pub(super) const LOAD_COLD: &str = "load, random stream, cold";
pub(super) const COLD_BYTES: &str = "load, cold: bytes from disk";
pub(super) const COLD_READS: &str = "load, cold: read calls and page faults";
pub(super) const REPLAY: &str = "replay in order, per event";
pub(super) const OPEN: &str = "open after close";
pub(super) const OPEN_LOAD: &str = "open after close, and first load";
pub(super) const OPEN_KILLED: &str = "open after kill";
pub(super) const DISK: &str = "disk, closed";
pub(super) const MEMORY_PEAK: &str = "memory, loading and replaying: peak, maps included";
pub(super) const MEMORY_ANONYMOUS: &str = "memory, after it: without maps";

/// All rows measured on a set.
pub(super) const ALL: [&str; 22] = [
    APPEND_1,
    APPEND_16,
    APPEND_64,
    BATCH,
    BUFFERED,
    REFUSED,
    SLOWEST,
    APPEND_BEHIND,
    SLOWEST_BEHIND,
    LOAD,
    LOAD_HOT,
    LOAD_COLD,
    COLD_BYTES,
    COLD_READS,
    REPLAY,
    REPLAY_RECENT,
    OPEN,
    OPEN_LOAD,
    OPEN_KILLED,
    DISK,
    MEMORY_PEAK,
    MEMORY_ANONYMOUS,
];

/// The rows on which the size of a payload tells.
pub(super) const BRIEF: [&str; 4] = [APPEND_1, LOAD, REPLAY, DISK];

/// Rows that say how much slower a store of 10 million events is than one of 1 million. Streams are shorter there, so
/// loads are compared by the event.
pub(crate) fn growth(rows: &[Row], engines: &[Kind]) -> Vec<Row> {
    let find = |set, name| rows.iter().find(|row| row.set == set && row.name == name);
    let grown = [(APPEND_1, 1.0), (LOAD, 10.0)].into_iter().filter_map(|(name, times)| {
        let (small, large) = (find("1m-128", name)?, find("10m-128", name)?);
        let cells = engines.iter().filter_map(|kind| {
            let mut cell = Cell::new(*kind);
            cell.rounds.push(large.cell(*kind)?.median() / small.cell(*kind)?.median() * times);
            Some(cell)
        });
        let name = format!("growth to 10 million events: {name}, by the event");
        Some(Row { set: "1m to 10m", name, unit: Unit::Times, cells: cells.collect() })
    });
    grown.collect()
}
