//! Verifying what is sealed: every byte of every segment, and whether each goes on where the one before it ends.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, file_name, list_own_dir, number_of};
use crate::error::{Error, Result};
use crate::index::Ordered;
use crate::journal::Damage;
use crate::segment::{BlockCache, Segment};
use crate::types::Chain;

use super::open::check_own;
use super::sealer::segments_dir;
use super::verify::{Known, Versions};

/// What a look at the segments found.
#[derive(Debug)]
pub(super) struct SealedFindings {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Commits and close marks.
    pub(super) frames: u64,
    pub(super) events: u64,
    pub(super) damages: Vec<Damage>,
    /// The first journal file, if that is known.
    pub(super) oldest_journal: Option<u64>,
    /// What the journal's first frame must follow; `None` when the last segment does not tell.
    pub(super) end: Option<Chain>,
    /// The position behind the last event that was found.
    pub(super) head: u64,
}

/// Looks at every segment. `versions` learns how far each stream goes.
pub(super) fn verify_sealed(
    disk: &dyn Disk,
    root: &Path,
    known: &Known,
    versions: &mut Versions,
) -> Result<SealedFindings> {
    let dir = segments_dir(root);
    let numbers: Vec<u64> = match &known.manifest {
        Ok(manifest) => manifest.segment_numbers().collect(),
        // Without a manifest all that are there are looked at.
        Err(_) => numbers(disk, &dir)?,
    };
    let oldest_journal = match &known.manifest {
        Ok(manifest) => Some(manifest.oldest_journal),
        Err(_) => numbers.last().and_then(|last| last.checked_add(1)),
    };
    let mut findings = SealedFindings {
        files: 0,
        bytes: 0,
        frames: 0,
        events: 0,
        damages: Vec::new(),
        oldest_journal,
        end: Some(Chain::START),
        head: 0,
    };
    if let Err(error) = check_own(disk, &dir)
        && !numbers.is_empty()
    {
        findings.damages.push(Damage::of(&dir, &error).ok_or(error)?);
    }
    for number in numbers {
        let path = dir.join(file_name(number));
        match Segment::open(disk, &dir, known.store, number, Arc::new(BlockCache::new(0))) {
            Ok(segment) => findings.look_at(&path, &Arc::new(segment), versions),
            Err(error) => {
                findings.damages.push(Damage::of(&path, &error).ok_or(error)?);
                findings.end = None;
                versions.lose_track();
            }
        }
    }
    versions.follow_sealed(findings.end);
    Ok(findings)
}

impl SealedFindings {
    fn look_at(&mut self, path: &Path, segment: &Arc<Segment>, versions: &mut Versions) {
        let damages = segment.damages();
        let damage = |(offset, what)| Damage { path: path.to_owned(), offset, what };
        if self.end.is_some_and(|end| end != segment.start()) {
            self.damages.push(damage((40, "the segment does not follow the one before it".to_owned())));
            versions.lose_track();
        }
        self.files += 1;
        self.bytes += segment.file_bytes();
        self.end = Some(segment.end());
        self.head = segment.positions().end;
        if damages.is_empty() {
            self.events += u64::from(segment.events());
            self.frames += segment.end().n.saturating_sub(segment.start().n);
            if let Err(what) = versions.check_sealed(segment) {
                self.damages.push(damage((0, what)));
            }
        } else {
            let whole = Ordered::whole(segment, None);
            self.events += whole.at(segment.positions()).len() as u64;
            versions.lose_track();
        }
        self.damages.extend(damages.into_iter().map(damage));
    }
}

/// The numbers of the segments that are there, ascending.
fn numbers(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    let names = match list_own_dir(disk, dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(|error| Error::io("listing", dir, error))?,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
