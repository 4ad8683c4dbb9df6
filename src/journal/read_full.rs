//! Reading a file that no frame goes into any more, for whoever seals it.

use crate::error::Result;
use crate::types::Chain;

use super::scan;
use super::{CommitView, JournalFile};

/// All commits of a full file, each checked, and what the frame behind the last must follow.
pub(crate) fn read_full(file: &JournalFile) -> Result<(Vec<CommitView>, Chain)> {
    let mut commits = Vec::new();
    let end = scan::scan(file, file.start, &mut |frame| {
        commits.extend(frame.commit);
        Ok(())
    })?;
    match end.bad {
        Some(bad) => Err(file.corrupt(bad.offset, &bad.what)),
        None => Ok((commits, end.chain)),
    }
}
