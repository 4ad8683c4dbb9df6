//! Loading streams and replaying all of them, from the operating system's cache and from disk.

use anyhow::Result;

use crate::figures::Unit;
use crate::files;
use crate::model::Mode;
use crate::protocol::Work;
use crate::random::Pick;

use super::{Session, in_rounds, names, turns};

/// Each turn loads its streams once before it is measured: what is measured is warm, whatever the turns of others did to
/// the cache.
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
            rounds,
            |_| Work::Replay,
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

/// The cache is emptied of the store's files before it is opened, and again after, since opening may have read all of
/// them. What an engine has taken into its own memory in between stays: opening is part of what it offers.
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
            files::drop_from_cache(&dir)?;
            let seed = 100 + round as u64;
            let done = worker.ask(Work::Load { pick: Pick::Uniform, count, seed, warm: false })?;
            worker.close()?;
            times.cell_mut(kind)?.add_samples(&done.samples);
            let usage = done.usage;
            bytes.cell_mut(kind)?.add_round(usage.disk_read_bytes as f64 / count as f64, &[]);
            let all_reads = usage.read_calls + usage.major_faults;
            reads.cell_mut(kind)?.add_round(all_reads as f64 / count as f64, &[]);
        }
    }
    session.add(times);
    session.add(bytes);
    session.add(reads);
    Ok(())
}
