//! The figures of a run: rows of what was measured, and in each row what each engine took.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::kind::Kind;

/// How many samples there must be for a 99th percentile to be told.
const P99_SAMPLES_MIN: usize = 50;

/// What the numbers of a row count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
    /// Things, such as calls.
    Count,
    /// How many times as much.
    Times,
}

/// What one engine took for one row.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    /// One value a round: the median of its samples, or what stands for them.
    pub(crate) rounds: Vec<f64>,
    /// All samples of all rounds, ascending; empty where there is one value a round only.
    pub(crate) samples: Vec<f64>,
}

/// A row of the table. In all of them less is better.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) set: &'static str,
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) cells: Vec<Cell>,
}

impl Cell {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, rounds: Vec::new(), samples: Vec::new() }
    }

    /// Adds a round whose value is the median of its samples.
    pub(crate) fn add_samples(&mut self, samples: &[f64]) {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        self.rounds.push(quantile(&sorted, 0.5));
        self.add_tail(samples);
    }

    /// Adds a round that has a value of its own, beside samples that say how single operations were spread.
    pub(crate) fn add_round(&mut self, value: f64, samples: &[f64]) {
        self.rounds.push(value);
        self.add_tail(samples);
    }

    fn add_tail(&mut self, samples: &[f64]) {
        self.samples.extend_from_slice(samples);
        self.samples.sort_by(f64::total_cmp);
    }

    /// The median of the rounds' values.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        quantile(&sorted, 0.5)
    }

    /// The value that one sample in a hundred is above; of a few samples it would say nothing.
    pub(crate) fn p99(&self) -> Option<f64> {
        (self.samples.len() >= P99_SAMPLES_MIN).then(|| quantile(&self.samples, 0.99))
    }

    /// The mean of the slowest in a thousand samples, of one at least.
    pub(crate) fn slowest_thousandth(&self) -> Option<f64> {
        let count = self.samples.len().div_ceil(1000);
        let slowest = self.samples.get(self.samples.len().checked_sub(count)?..)?;
        (!slowest.is_empty()).then(|| slowest.iter().sum::<f64>() / slowest.len() as f64)
    }
}

impl Row {
    pub(crate) fn cell(&self, kind: Kind) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.kind == kind)
    }

    pub(crate) fn cell_mut(&mut self, kind: Kind) -> Result<&mut Cell> {
        let cell = self.cells.iter_mut().find(|cell| cell.kind == kind);
        cell.with_context(|| format!("no cell for {}", kind.name()))
    }

    /// How much faster annals is than another engine: the median over the rounds, since the two of one round had the same
    /// weather.
    pub(crate) fn ratio(&self, other: Kind) -> Option<f64> {
        let (annals, other) = (self.cell(Kind::Annals)?, self.cell(other)?);
        let mut ratios: Vec<f64> = annals.rounds.iter().zip(&other.rounds).map(|(a, b)| b / a).collect();
        ratios.sort_by(f64::total_cmp);
        Some(quantile(&ratios, 0.5)).filter(|ratio| ratio.is_finite())
    }

    /// The peer with the lowest median.
    pub(crate) fn best_peer(&self) -> Option<Kind> {
        let peers = self.cells.iter().filter(|cell| cell.kind.is_peer());
        peers.min_by(|a, b| a.median().total_cmp(&b.median())).map(|cell| cell.kind)
    }

    pub(crate) fn to_json(&self) -> Value {
        let unit = match self.unit {
            Unit::Nanoseconds => "ns",
            Unit::Bytes => "bytes",
            Unit::Count => "count",
            Unit::Times => "times",
        };
        let cells = self.cells.iter().map(|cell| {
            let figures = json!({
                "median": cell.median(),
                "p99": cell.p99(),
                "samples": cell.samples.len(),
                "rounds": cell.rounds,
                "slowest_thousandth": cell.slowest_thousandth(),
            });
            (cell.kind.name().to_owned(), figures)
        });
        let cells: serde_json::Map<String, Value> = cells.collect();
        let best = self.best_peer();
        json!({
            "set": self.set,
            "row": self.name,
            "unit": unit,
            "engines": cells,
            "floor_by_annals": self.ratio(Kind::Floor),
            "best_peer": best.map(Kind::name),
            "best_peer_by_annals": best.and_then(|best| self.ratio(best)),
        })
    }
}

/// The value below which this share of sorted values lies; not a number when there is none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{Cell, Row, Unit};
    use crate::kind::Kind;
    use crate::record::Layout;

    #[test]
    fn ratios_are_taken_round_by_round_and_the_best_peer_is_the_fastest() {
        let cell = |kind, rounds: &[f64]| Cell { kind, rounds: rounds.to_vec(), samples: Vec::new() };
        let (redb, lmdb) = (Kind::Redb(Layout::ByPosition), Kind::Lmdb(Layout::ByPosition));
        let cells = vec![
            cell(Kind::Floor, &[1.0, 10.0, 2.0]),
            cell(Kind::Annals, &[2.0, 20.0, 4.0]),
            cell(redb, &[9.0, 90.0, 9.0]),
            cell(lmdb, &[8.0, 80.0, 8.0]),
        ];
        let row = Row { set: "small", name: "row".to_owned(), unit: Unit::Nanoseconds, cells };
        assert_eq!(row.ratio(Kind::Floor), Some(0.5));
        assert_eq!(row.best_peer(), Some(lmdb));
        assert_eq!(row.ratio(lmdb), Some(4.0));
    }

    #[test]
    fn the_slowest_thousandth_is_one_sample_at_least() {
        let mut cell = Cell::new(Kind::Floor);
        assert_eq!(cell.slowest_thousandth(), None);
        cell.add_samples(&[3.0, 1.0, 2.0]);
        assert_eq!((cell.median(), cell.slowest_thousandth()), (2.0, Some(3.0)));
    }
}
