//! What Linux counts about this process: /proc/self.

use std::fs;

use anyhow::{Context as _, Result};

use crate::protocol::Usage;

/// The counts so far.
pub(crate) fn now() -> Result<Usage> {
    let io = fs::read_to_string("/proc/self/io")?;
    let status = fs::read_to_string("/proc/self/status")?;
    let stat = fs::read_to_string("/proc/self/stat")?;
    Ok(Usage {
        disk_read_bytes: field(&io, "read_bytes:")?,
        read_calls: field(&io, "syscr:")?,
        // Fields are counted behind the program's name, which may hold spaces.
        major_faults: stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(9))
            .context("no field 12 in stat")?
            .parse()?,
        resident_peak: field(&status, "VmHWM:")? * 1024,
        resident_anonymous: field(&status, "RssAnon:")? * 1024,
    })
}

/// What was counted from `before` until now. Calls that only read the counts are taken off.
pub(crate) fn since(before: &Usage) -> Result<Usage> {
    let (after, again) = (now()?, now()?);
    let own_calls = again.read_calls - after.read_calls;
    Ok(Usage {
        disk_read_bytes: after.disk_read_bytes - before.disk_read_bytes,
        read_calls: (after.read_calls - before.read_calls).saturating_sub(own_calls),
        major_faults: after.major_faults - before.major_faults,
        ..after
    })
}

fn field(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("a count is missing")?;
    Ok(line.split_whitespace().next().context("a count is empty")?.parse()?)
}
