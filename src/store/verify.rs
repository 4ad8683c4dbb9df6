//! Verifying: every byte of the manifest, the journal and the snapshots looked at, every event decoded, all damage listed.
//! Nothing is changed, no lock is taken.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{CommitView, Damage, identify, verify_files};
use crate::manifest::{MANIFEST_NAME, Manifest, read_durable_mark};
use crate::segment::{Segment, identify_segments};
use crate::snapshot::verify_snapshots;
use crate::types::{Chain, ClosedAt, Position, StoreId, Timestamp};

use super::Options;
use super::open::{SNAPSHOTS_DIR, journal_dir};
use super::sealer::segments_dir;
use super::verify_sealed::verify_sealed;
use super::verify_tiers::verify_tiers;

/// What [`Store::verify`](crate::Store::verify) found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Which store it is.
    pub store_id: StoreId,
    /// Whether it was closed cleanly.
    pub clean: bool,
    /// Segments and journal files looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits and close marks that are sound.
    pub frames: u64,
    /// Events that are sound.
    pub events: u64,
    /// The position behind the last event that is sound.
    pub head: Position,
    /// Where an unfinished write stands, file and offset: the next opening cuts it. No damage.
    pub torn_tail: Option<(PathBuf, u64)>,
    /// All damage to the events and to what tells where they are, in order of files.
    pub damages: Vec<Damage>,
    /// Places in tiers and snapshots that are of no use: after a crash, or because bytes have changed. No damage: both are
    /// caches, what is bad in them is passed over and made anew.
    pub caches: Vec<Damage>,
}

impl VerifyReport {
    /// Whether no damage was found; what is bad in the caches does not count.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }
}

/// How often a store is looked at again when its manifest changed while it was looked at.
const LOOKS_MAX: usize = 8;

impl Options {
    /// Looks at every byte of the store in `path`, as [`Store::verify`](crate::Store::verify) does, on the disk of these options.
    ///
    /// ```
    /// use annals::{Options, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("bank");
    /// Store::open(&path)?.close()?;
    /// std::fs::remove_file(path.join("MANIFEST"))?;
    /// let report = Options::new().disk(annals::disk::RealDisk).verify(&path)?;
    /// assert_eq!(report.damages[0].path, path.join("MANIFEST"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::verify`](crate::Store::verify).
    pub fn verify(self, path: impl AsRef<Path>) -> Result<VerifyReport> {
        verify(&*self.disk, path.as_ref())
    }

    /// The same, for those who keep the head elsewhere: an end before `head` is damage, too. Cut off between two commits after
    /// a crash, a store whose durable mark is lost is sound in itself, and only so is it told.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Options, Position, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("bank");
    /// let store = Store::open(&path)?;
    /// store.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// let kept_elsewhere = store.head();
    /// store.close()?;
    /// assert!(Options::new().verify_up_to(&path, kept_elsewhere)?.is_sound());
    /// assert!(!Options::new().verify_up_to(&path, Position::new(2))?.is_sound());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::verify`](crate::Store::verify).
    pub fn verify_up_to(self, path: impl AsRef<Path>, head: Position) -> Result<VerifyReport> {
        let path = path.as_ref();
        let mut report = verify(&*self.disk, path)?;
        if report.head < head {
            let what = format!("the events end at position {}, and {head} is expected", report.head);
            report.damages.push(Damage { path: journal_dir(path), offset: 0, what });
        }
        Ok(report)
    }
}

/// What there is to hold a journal against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) store: StoreId,
    /// The manifest, if it can be believed, and what is wrong with it otherwise.
    pub(super) manifest: Result<Manifest, Damage>,
}

/// Which store it is, by its manifest or else by its journal or its segments.
pub(super) fn known(disk: &dyn Disk, root: &Path) -> Result<Known> {
    let path = root.join(MANIFEST_NAME);
    let missing = || Error::corrupt(&path, 0, "the manifest is missing: not a store");
    let error = match Manifest::read(disk, root) {
        Ok(Some(manifest)) => return Ok(Known { store: manifest.store, manifest: Ok(manifest) }),
        Ok(None) => missing(),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::UnsupportedVersion && Manifest::is_sealed(disk, root) {
        // It says so itself, and it is no flipped bit.
        return Err(error);
    }
    let hint = Manifest::named_store(disk, root);
    let named = identify(disk, &journal_dir(root), hint)
        .or_else(|| identify_segments(disk, &segments_dir(root), hint));
    match (named, Damage::of(&path, &error)) {
        (Some(store), Some(damage)) => Ok(Known { store, manifest: Err(damage) }),
        // Nothing tells whose files these are: nothing can be checked.
        _ => Err(error),
    }
}

impl Known {
    pub(super) fn closed(&self) -> Option<ClosedAt> {
        self.manifest.as_ref().ok().and_then(|manifest| manifest.closed)
    }
}

fn verify(disk: &dyn Disk, root: &Path) -> Result<VerifyReport> {
    let mut known = self::known(disk, root)?;
    for _ in 1..LOOKS_MAX {
        let report = look(disk, root, &known, known.closed())?;
        let now = self::known(disk, root)?;
        // A writer that opened or closed the store meanwhile moved the end that was looked for.
        if report.is_sound() || now == known {
            return Ok(report);
        }
        known = now;
    }
    // Somebody opens and closes it all the time: the end is held against nothing but what the frames say themselves.
    look(disk, root, &known, None)
}

/// Looks at everything once. `closed` is where the journal must end.
pub(super) fn look(
    disk: &dyn Disk,
    root: &Path,
    known: &Known,
    closed: Option<ClosedAt>,
) -> Result<VerifyReport> {
    let mut versions = Versions::default();
    let sealed = verify_sealed(disk, root, known, &mut versions)?;
    let (mut events, mut head) = (sealed.events, sealed.head);
    // Read first: what it names is there, whoever writes meanwhile.
    let durable = read_durable_mark(disk, root, known.store)?;
    let findings = verify_files(
        disk,
        &journal_dir(root),
        known.store,
        sealed.oldest_journal,
        sealed.end,
        closed,
        durable,
        &mut |file, frame| {
            versions.follow(frame.header.n);
            let Some(commit) = &frame.commit else { return Ok(()) };
            events += u64::from(commit.event_count());
            head = head.max(commit.positions().end);
            versions.check(commit).map_err(|what| file.corrupt(frame.at.offset, what))
        },
    )?;
    let tiers = verify_tiers(disk, root, known);
    let snapshots = verify_snapshots(disk, &root.join(SNAPSHOTS_DIR), known.store);
    let in_manifest = known.manifest.as_ref().err().cloned();
    Ok(VerifyReport {
        store_id: known.store,
        clean: closed.is_some(),
        files: sealed.files + findings.files,
        bytes: sealed.bytes + findings.bytes,
        frames: sealed.frames + findings.frames,
        events,
        head: Position::new(head),
        torn_tail: findings.torn_tail,
        damages: in_manifest.into_iter().chain(sealed.damages).chain(findings.damages).collect(),
        caches: tiers.into_iter().chain(snapshots).collect(),
    })
}

/// The next version of every stream seen since the last damage, and the time of the last commit.
#[derive(Debug, Default)]
pub(super) struct Versions {
    next: HashMap<String, u64>,
    last_n: u64,
    last_recorded_at: Option<Timestamp>,
    /// Frames are missing before the ones looked at now: a stream may go on at any version.
    after_gap: bool,
}

impl Versions {
    /// From here on a stream may go on at any version.
    pub(super) fn lose_track(&mut self) {
        self.after_gap = true;
        self.next.clear();
    }

    /// Takes note of where the segments end.
    pub(super) fn follow_sealed(&mut self, end: Option<Chain>) {
        self.last_n = end.map_or(0, |end| end.n.saturating_sub(1));
    }

    /// Whether a segment was recorded after the one ahead of it, and goes on with the next version of each of its streams.
    pub(super) fn check_sealed(&mut self, segment: &Arc<Segment>) -> Result<(), String> {
        let (first, last) = segment.recorded();
        let mut told = Ok(());
        if segment.events() > 0 {
            if self.last_recorded_at.is_some_and(|before| before > first) {
                told = Err("the segment was recorded before the one ahead of it".to_owned());
            }
            self.last_recorded_at = Some(last);
        }
        for stream in segment.streams_from("") {
            let (name, run) = stream.map_err(|error| error.to_string())?;
            let version = run.first_version.as_u64();
            let unseen = if self.after_gap { version } else { 0 };
            let next = self.next.entry(name.as_str().to_owned()).or_insert(unseen);
            if version != *next && told.is_ok() {
                told = Err(format!("stream {name} goes on with version {version} where {next} is next"));
            }
            *next = version.saturating_add(run.ordinals.len() as u64);
        }
        told
    }

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
        if commit.event_count() == 0 {
            // Nobody sees when it was.
            return Ok(());
        }
        if self.last_recorded_at.is_some_and(|last| last > commit.recorded_at()) {
            told = Err("commit was recorded before the one ahead of it".to_owned());
        }
        self.last_recorded_at = Some(commit.recorded_at());
        for number in 0..commit.event_count() {
            let (head, stream) = commit.head(number);
            let version = head.version.as_u64();
            let unseen = if self.after_gap { version } else { 0 };
            let next = self.next.entry(stream.to_owned()).or_insert(unseen);
            if version != *next && told.is_ok() {
                told = Err(format!("event {number}: version {version} where {next} is next in its stream"));
            }
            // On from what the event says, so that one gap is told once.
            *next = version.saturating_add(1);
        }
        told
    }
}
