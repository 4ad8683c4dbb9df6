//! What a store keeps: files on disk, and memory while it is read.

use anyhow::Result;

use crate::figures::Unit;
use crate::files;
use crate::model::Mode;
use crate::protocol::Work;
use crate::random::Pick;

use super::names;
use super::session::Session;

/// Makes the stores of the set, and tells how much disk they take once closed.
pub(super) fn fill(session: &mut Session<'_>) -> Result<()> {
    let mut disk = session.row(names::DISK, Unit::Bytes);
    for kind in session.args.engines.clone() {
        let mut worker = session.start("set", kind, Mode::Durable)?;
        let filled = worker.ask(Work::Fill)?;
        worker.ask(Work::Settle)?;
        worker.close()?;
        let bytes = files::disk_bytes(&session.store("set", kind)?)?;
        disk.cell_mut(kind)?.add_round(bytes as f64, &[]);
        eprintln!("{}: {} filled in {:.1} s", session.plan.set.name, kind.name(), filled.wall / 1e9);
    }
    session.add(disk);
    Ok(())
}

/// Loads hot and random streams and replays, in a process that does nothing else.
pub(super) fn memory(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::MEMORY_PEAK, names::MEMORY_ANONYMOUS]) {
        return Ok(());
    }
    let mut peak = session.row(names::MEMORY_PEAK, Unit::Bytes);
    let mut anonymous = session.row(names::MEMORY_ANONYMOUS, Unit::Bytes);
    let count = session.plan.loads;
    for kind in session.args.engines.clone() {
        let mut worker = session.start("set", kind, Mode::Durable)?;
        for pick in [Pick::Zipf, Pick::Uniform] {
            worker.ask(Work::Load { pick, count, seed: 1, warm: false })?;
        }
        let usage = worker.ask(Work::Replay { warm: false })?.usage;
        worker.close()?;
        peak.cell_mut(kind)?.add_round(usage.resident_peak as f64, &[]);
        anonymous.cell_mut(kind)?.add_round(usage.resident_anonymous as f64, &[]);
    }
    session.add(peak);
    session.add(anonymous);
    Ok(())
}
