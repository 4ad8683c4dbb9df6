//! Verifying: every byte of the journal and the manifest looked at, every event decoded, all damage listed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::journal::{CommitView, Damage, verify_files};
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::types::{StoreId, Timestamp};

use super::open::journal_dir;

/// What [`Store::verify`](crate::Store::verify) found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Which store it is.
    pub store_id: StoreId,
    /// Whether it was closed cleanly.
    pub clean: bool,
    /// Journal files looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits and close marks that are sound.
    pub frames: u64,
    /// Events that are sound.
    pub events: u64,
    /// Where an unfinished write stands, file and offset: the next opening cuts it. No damage.
    pub torn_tail: Option<(PathBuf, u64)>,
    /// All damage, in order of files.
    pub damages: Vec<Damage>,
}

impl VerifyReport {
    /// Whether no damage was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }
}

/// How often a store is looked at again when its manifest changed while it was looked at.
const LOOKS_MAX: usize = 8;

pub(super) fn verify(disk: &dyn Disk, root: &Path) -> Result<VerifyReport> {
    let mut manifest = read_manifest(disk, root)?;
    for _ in 1..LOOKS_MAX {
        let report = look(disk, root, manifest)?;
        let now = read_manifest(disk, root)?;
        // A writer that opened or closed the store meanwhile moved the end that was looked for.
        if report.is_sound() || now == manifest {
            return Ok(report);
        }
        manifest = now;
    }
    // Somebody opens and closes it all the time: the end is held against nothing but what the frames say themselves.
    look(disk, root, Manifest { closed: None, ..manifest })
}

fn read_manifest(disk: &dyn Disk, root: &Path) -> Result<Manifest> {
    Manifest::read(disk, root)?
        .ok_or_else(|| Error::corrupt(&root.join(MANIFEST_NAME), 0, "the manifest is missing: not a store"))
}

fn look(disk: &dyn Disk, root: &Path, manifest: Manifest) -> Result<VerifyReport> {
    let mut events = 0;
    let mut versions = Versions::default();
    let findings = verify_files(
        disk,
        &journal_dir(root),
        manifest.store,
        manifest.oldest_journal,
        manifest.closed,
        &mut |file, frame| {
            versions.follow(frame.header.n);
            let Some(commit) = &frame.commit else { return Ok(()) };
            events += u64::from(commit.event_count());
            versions.check(commit).map_err(|what| file.corrupt(frame.at.offset, what))
        },
    )?;
    Ok(VerifyReport {
        store_id: manifest.store,
        clean: manifest.closed.is_some(),
        files: findings.files,
        bytes: findings.bytes,
        frames: findings.frames,
        events,
        torn_tail: findings.torn_tail,
        damages: findings.damages,
    })
}

/// The next version of every stream seen since the last damage, and the time of the last commit.
#[derive(Debug, Default)]
struct Versions {
    next: HashMap<String, u64>,
    last_n: u64,
    last_recorded_at: Option<Timestamp>,
    /// Frames are missing before the ones looked at now: a stream may go on at any version.
    after_gap: bool,
}

impl Versions {
    /// Takes note of the sequence of the next frame.
    fn follow(&mut self, n: u64) {
        if n != self.last_n.saturating_add(1) {
            // Told already, as damage to the frames that are missing.
            self.after_gap = true;
            self.next.clear();
        }
        self.last_n = n;
    }

    /// Whether a commit was recorded after the one ahead of it, and every event of it carries the next version of its stream.
    fn check(&mut self, commit: &CommitView) -> Result<(), String> {
        let mut told = Ok(());
        if self.last_recorded_at.is_some_and(|last| last > commit.recorded_at()) {
            told = Err("commit was recorded before the one ahead of it".to_owned());
        }
        self.last_recorded_at = Some(commit.recorded_at());
        for number in 0..commit.event_count() {
            let event = commit.event(number);
            let version = event.version().as_u64();
            let unseen = if self.after_gap { version } else { 0 };
            let next = self.next.entry(event.stream().to_owned()).or_insert(unseen);
            if version != *next && told.is_ok() {
                told = Err(format!("event {number}: version {version} where {next} is next in its stream"));
            }
            // On from what the event says, so that one gap is told once.
            *next = version.saturating_add(1);
        }
        told
    }
}
