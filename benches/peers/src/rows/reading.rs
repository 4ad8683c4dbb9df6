//! Loading streams and replaying all of them, from the operating system's cache and from disk.

use anyhow::Result;

use crate::figures::Unit;
use crate::files;
use crate::model::Mode;
use crate::protocol::{Done, Work};
use crate::random::Pick;

use super::names;
use super::session::{Session, in_rounds, turns};

/// Each turn reads what it reads once before it is measured: what is measured is warm, whatever the turns of others did
/// to the cache.
pub(super) fn warm(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::LOAD, names::LOAD_HOT, names::REPLAY]) {
        return Ok(());
    }
    let mut workers = session.start_all("set", Mode::Durable)?;
    let (rounds, count) = (session.plan.rounds, session.plan.loads);
    for (name, pick) in [(names::LOAD, Pick::Uniform), (names::LOAD_HOT, Pick::Zipf)] {
        if !session.wants(&[name]) {
            continue;
        }
        let mut row = session.row(name, Unit::Nanoseconds);
        let work = |round| Work::Load { pick, count, seed: 10 + round as u64, warm: true };
        in_rounds(&mut workers, rounds, work, |kind, done| {
            row.cell_mut(kind)?.add_samples(&done.samples);
            Ok(())
        })?;
        session.add(row);
    }
    if session.wants(&[names::REPLAY]) {
        let mut row = session.row(names::REPLAY, Unit::Nanoseconds);
        in_rounds(
            &mut workers,
            session.plan.replays,
            |_| Work::Replay { warm: true },
            |kind, done| {
                row.cell_mut(kind)?.add_samples(&done.samples);
                Ok(())
            },
        )?;
        session.add(row);
    }
    for worker in workers {
        worker.close()?;
    }
    Ok(())
}

/// The cache is emptied of the store's files before each load, and before the store is opened. What an engine has taken
/// into its own memory meanwhile stays: that is part of what it offers.
pub(super) fn cold(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::LOAD_COLD, names::COLD_BYTES, names::COLD_READS]) {
        return Ok(());
    }
    let mut times = session.row(names::LOAD_COLD, Unit::Nanoseconds);
    let mut bytes = session.row(names::COLD_BYTES, Unit::Bytes);
    let mut reads = session.row(names::COLD_READS, Unit::Count);
    let engines = session.args.engines.clone();
    let count = session.plan.cold_loads;
    for round in 0..session.plan.cold_rounds {
        for turn in turns(engines.len(), round) {
            let Some(kind) = engines.get(turn).copied() else { continue };
            let dir = session.store("set", kind)?;
            files::drop_from_cache(&dir)?;
            let mut worker = session.start("set", kind, Mode::Durable)?;
            let (mut samples, mut disk_bytes, mut all_reads) = (Vec::with_capacity(count), 0, 0);
            for number in 0..count {
                files::drop_from_cache(&dir)?;
                let seed = (100 + round * count + number) as u64;
                let work = Work::Load { pick: Pick::Uniform, count: 1, seed, warm: false };
                let Done { samples: sample, usage, .. } = worker.ask(work)?;
                samples.extend(sample);
                disk_bytes += usage.disk_read_bytes;
                all_reads += usage.read_calls + usage.major_faults;
            }
            worker.close()?;
            times.cell_mut(kind)?.add_samples(&samples);
            bytes.cell_mut(kind)?.add_round(disk_bytes as f64 / count as f64, &[]);
            reads.cell_mut(kind)?.add_round(all_reads as f64 / count as f64, &[]);
        }
    }
    session.add(times);
    session.add(bytes);
    session.add(reads);
    Ok(())
}
