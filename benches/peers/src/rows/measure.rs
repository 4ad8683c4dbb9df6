//! All rows, in order. Reading comes before appending, so that all that is read is the data set and nothing else, and the
//! engines' answers can be held against each other.

use std::path::Path;

use anyhow::Result;

use crate::args::Args;
use crate::figures::Row;
use crate::plan::Plan;

use super::session::Session;
use super::{append, kept, names, opening, reading};

/// Measures all rows asked for on one data set, whose stores are made in `dir`, a directory that is there.
pub(crate) fn measure(args: &Args, plan: Plan, dir: &Path) -> Result<Vec<Row>> {
    let mut session = Session::new(args, plan, dir);
    if !session.wants(&names::ALL) {
        return Ok(Vec::new());
    }
    kept::fill(&mut session)?;
    opening::after_close(&mut session)?;
    reading::cold(&mut session)?;
    kept::memory(&mut session)?;
    reading::warm(&mut session)?;
    append::durable(&mut session)?;
    append::buffered(&mut session)?;
    opening::after_kill(&mut session)?;
    Ok(session.into_rows())
}
