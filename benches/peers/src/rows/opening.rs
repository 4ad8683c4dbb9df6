//! Opening a store, after it was closed and after its process was killed while it appended.

use anyhow::Result;

use crate::figures::Unit;
use crate::model::Mode;
use crate::protocol::Work;
use crate::random::Pick;

use super::names;
use super::session::{Session, turns};

/// How many appends were answered before the process is killed in the next.
const APPENDED: usize = 50;

/// Opens each store in turn, and loads one stream.
pub(super) fn after_close(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::OPEN, names::OPEN_LOAD]) {
        return Ok(());
    }
    let mut open = session.row(names::OPEN, Unit::Nanoseconds);
    let mut open_load = session.row(names::OPEN_LOAD, Unit::Nanoseconds);
    let engines = session.args.engines.clone();
    for round in 0..session.plan.opens {
        for turn in turns(engines.len(), round) {
            let Some(kind) = engines.get(turn).copied() else { continue };
            let mut worker = session.start("set", kind, Mode::Durable)?;
            let opened = worker.opened.wall;
            let loaded = worker.ask(Work::Load { pick: Pick::Uniform, count: 1, seed: 2, warm: false })?.wall;
            worker.close()?;
            open.cell_mut(kind)?.add_samples(&[opened]);
            open_load.cell_mut(kind)?.add_samples(&[opened + loaded]);
        }
    }
    session.add(open);
    session.add(open_load);
    Ok(())
}

/// Kills each store's process while it appends, and opens the store again.
pub(super) fn after_kill(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::OPEN_KILLED]) {
        return Ok(());
    }
    let mut open = session.row(names::OPEN_KILLED, Unit::Nanoseconds);
    let engines = session.args.engines.clone();
    for round in 0..session.plan.opens {
        for turn in turns(engines.len(), round) {
            let Some(kind) = engines.get(turn).copied() else { continue };
            let mut worker = session.start("set", kind, Mode::Durable)?;
            worker.ask(Work::Append { threads: 1, count: APPENDED, seed: 6_000 + round as u64 })?;
            worker.ask(Work::KeepAppending)?;
            worker.kill()?;
            let worker = session.start("set", kind, Mode::Durable)?;
            open.cell_mut(kind)?.add_samples(&[worker.opened.wall]);
            worker.close()?;
        }
    }
    session.add(open);
    Ok(())
}
