//! How much is measured: everything, or within two minutes.

use crate::data::Set;

/// The set on which a quick run measures all rows.
const QUICK_SET: &str = "100k-128";

/// From how many events on a set is measured in fewer rounds.
const LARGE_EVENTS: u64 = 10_000_000;

/// Counts of one set's rows. Where a row is measured in rounds, the counts are those of one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) set: Set,
    /// Whether only the rows on which the size of a payload tells are measured.
    pub(crate) is_brief: bool,
    pub(crate) rounds: usize,
    pub(crate) loads: usize,
    pub(crate) replays: usize,
    pub(crate) cold_rounds: usize,
    /// Few, since what a process has mapped cannot be dropped any more before the next.
    pub(crate) cold_loads: usize,
    pub(crate) appends: usize,
    /// How often appends are measured while the engine has much to do.
    pub(crate) behind_rounds: usize,
    pub(crate) grouped_appends: usize,
    pub(crate) batches: usize,
    pub(crate) refused: usize,
    pub(crate) buffered: usize,
    /// How often a store is opened after it was closed, and after it was killed.
    pub(crate) opens: usize,
}

impl Plan {
    pub(crate) fn new(set: Set, is_quick: bool) -> Self {
        let full = Self {
            set,
            is_brief: false,
            rounds: 5,
            loads: 2_000,
            replays: 5,
            cold_rounds: 10,
            cold_loads: 3,
            appends: 4_000,
            behind_rounds: 2,
            grouped_appends: 6_400,
            batches: 20,
            refused: 20_000,
            buffered: 20_000,
            opens: 5,
        };
        if !is_quick {
            // Reading ten million events takes some engines most of a minute.
            return if set.events < LARGE_EVENTS {
                full
            } else {
                Self { rounds: 3, replays: 2, behind_rounds: 0, opens: 3, ..full }
            };
        }
        Self {
            is_brief: set.name != QUICK_SET,
            rounds: 3,
            loads: 200,
            replays: 3,
            cold_rounds: 2,
            cold_loads: 3,
            appends: 120,
            behind_rounds: 0,
            grouped_appends: 512,
            batches: 4,
            refused: 2_000,
            buffered: 1_000,
            opens: 2,
            ..full
        }
    }
}
