//! `Versions`: what is still to be read of one stream. The older ones lie in segments, in each the run of the stream at one
//! place; the newer ones in the journal.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Found, Log, SealedRun, Tables};
use crate::types::StreamName;

use super::plan::{End, PieceSize, Taken, Unreadable, in_order, next, shrink, within};

#[derive(Debug)]
pub(crate) struct Versions {
    name: StreamName,
    left: Range<u64>,
    /// The stream's runs in the first so many segments, as far as they were looked for.
    runs: Vec<SealedRun>,
    segments: usize,
}

impl Versions {
    pub(super) fn new(name: StreamName, versions: Range<u64>) -> Self {
        Self { name, left: versions, runs: Vec::new(), segments: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn take(&mut self, log: &Log, end: End, count: u64) -> Result<Taken> {
        let found = log.index.read(|tables| self.unsealed(tables, end, count))?;
        if found.is_empty() && !self.is_done() {
            return self.sealed(log, end, count);
        }
        // The events of a stream lie where they arrived.
        found.iter().for_each(Found::touch);
        Ok(Taken { found, unreadable: None })
    }

    /// Up to `count` events from one end, up to the first that is sealed.
    fn unsealed(&mut self, tables: &Tables, end: End, count: u64) -> Result<Vec<Found>> {
        let (mut piece, mut found) = (PieceSize::default(), Vec::new());
        while let Some((part, key, held)) = tables.part_of(self.name.as_str(), next(&self.left, end)) {
            while held.contains(&next(&self.left, end)) {
                if found.len() as u64 >= count || !piece.takes_more() || self.is_done() {
                    return Ok(in_order(found, end));
                }
                let version = next(&self.left, end);
                let place = part.place(key, version).ok_or_else(|| not_found(&self.name, version))?;
                shrink(&mut self.left, end, 1);
                found.push(tables.find_one(part, place)?);
                piece.add(found.last());
            }
        }
        Ok(in_order(found, end))
    }

    /// Up to `count` events from one end, as far as they lie in segments.
    fn sealed(&mut self, log: &Log, end: End, count: u64) -> Result<Taken> {
        let sealed = log.sealed();
        self.runs.extend(sealed.runs(self.name.as_str(), self.segments)?);
        self.segments = sealed.segments().len();
        let mut taken = Taken::default();
        let mut left = count;
        while left > 0 && !self.is_done() {
            let version = next(&self.left, end);
            let after = self.runs.partition_point(|run| run.versions().start <= version);
            let run = after.checked_sub(1).and_then(|at| self.runs.get(at));
            let Some(run) = run.filter(|run| run.versions().contains(&version)) else {
                if taken.found.is_empty() {
                    return Err(not_found(&self.name, version));
                }
                break;
            };
            match run.block(version) {
                Ok((block, held)) => {
                    let length = self.left.end - self.left.start;
                    let beyond = match end {
                        End::Front => held.end.saturating_sub(version),
                        End::Back => (version + 1).saturating_sub(held.start),
                    };
                    let versions = shrink(&mut self.left, end, left.min(beyond).min(length));
                    left -= versions.end - versions.start;
                    let (table, rows) = block.events(run.ordinals(versions));
                    taken.found.push(Found::Rows { table, rows });
                }
                Err(error) => {
                    let (versions, positions) = run.unreadable(version);
                    let passed = within(&self.left, &versions);
                    shrink(&mut self.left, end, passed.end.saturating_sub(passed.start).max(1));
                    taken.unreadable = Some(Unreadable { positions, error });
                    break;
                }
            }
        }
        taken.found = in_order(taken.found, end);
        Ok(taken)
    }
}

fn not_found(name: &StreamName, version: u64) -> Error {
    let what = format!("stream {name}: version {version} is neither in a segment nor in the journal");
    Error::new(ErrorKind::Corrupt, what)
}
