//! Reading commits whose places are known: neighbours together, each checked.

use std::sync::Arc;

use crate::disk::read_exact_at;
use crate::error::{Error, ErrorKind, Result};

use super::scan::check_frame;
use super::{CommitView, FrameAt, JournalFile};

/// Bytes read at once when frames lie one behind another.
const READ_BYTES_MAX: u64 = 1 << 20;

/// A commit's file and its place in it.
type InFile<'a> = (&'a Arc<JournalFile>, FrameAt);

/// The commits at these places up to the first that cannot be read, and why it cannot.
pub(crate) fn read_commits_until_failure(places: &[InFile<'_>]) -> (Vec<CommitView>, Option<Error>) {
    let mut commits = Vec::with_capacity(places.len());
    if read_commits(places, &mut commits).is_ok() {
        return (commits, None);
    }
    // One of several that were read together is bad: one at a time tells which.
    for place in places.iter().skip(commits.len()) {
        match read_commit(*place) {
            Ok(commit) => commits.push(commit),
            Err(error) => return (commits, Some(error)),
        }
    }
    (commits, None)
}

/// The commit at one place, read from disk and checked.
fn read_commit(place: InFile<'_>) -> Result<CommitView> {
    let mut commits = Vec::with_capacity(1);
    read_neighbours(&[place], &mut commits)?;
    commits.pop().ok_or_else(|| Error::new(ErrorKind::Corrupt, "a commit was read and is not there"))
}

/// Adds the commits at these places, each read from disk and checked. Neighbours are read together.
fn read_commits(places: &[InFile<'_>], commits: &mut Vec<CommitView>) -> Result<()> {
    let are_neighbours = |a: &InFile<'_>, b: &InFile<'_>| a.1.file == b.1.file && a.1.end() == b.1.offset;
    for run in places.chunk_by(are_neighbours) {
        let mut rest = run;
        while let Some((_, first)) = rest.first() {
            let fits =
                rest.iter().take_while(|(_, at)| at.end() - first.offset <= READ_BYTES_MAX).count().max(1);
            let (together, later) = rest.split_at(fits);
            read_neighbours(together, commits)?;
            rest = later;
        }
    }
    Ok(())
}

fn read_neighbours(places: &[InFile<'_>], commits: &mut Vec<CommitView>) -> Result<()> {
    let (Some((file, first)), Some((_, last))) = (places.first(), places.last()) else {
        return Ok(());
    };
    let mut bytes = vec![0; usize::try_from(last.end() - first.offset).unwrap_or(usize::MAX)];
    read_exact_at(&*file.disk_file, &mut bytes, first.offset).map_err(|error| {
        let what = format!("reading offset {} of", first.offset);
        Error::io(&what, &file.path, error)
    })?;
    let bytes = Arc::new(bytes);
    for (_, at) in places {
        let start = u32::try_from(at.offset - first.offset).unwrap_or(u32::MAX);
        commits.push(check_frame(file, *at, &bytes, start)?);
    }
    Ok(())
}
