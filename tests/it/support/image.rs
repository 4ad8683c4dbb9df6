//! `Image`: the files of a store, and what the store said before somebody laid hands on them. A damaged copy is judged
//! against it: it must answer with an error, or with exactly the history that was there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals::{Error, ErrorKind, Maintenance, Options, Position, RecordedEvent, Store};

use super::segments::segments;
use super::{Fault, SimDisk};

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Where images lie on the simulated disk.
pub(crate) const ROOT: &str = "/bank";
pub(crate) const FRAMES_AT: usize = 4096;
pub(crate) const FRAME_HEADER_BYTES: usize = 56;

/// The files of a store and its history.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) name: &'static str,
    pub(crate) files: Files,
    pub(crate) events: Vec<RecordedEvent>,
    pub(crate) checkpoints: Vec<(String, Position)>,
}

/// Where a frame is, and what its header says.
#[derive(Debug, Clone)]
pub(crate) struct FrameInFile {
    pub(crate) path: PathBuf,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) first_position: u64,
    pub(crate) durable: u64,
    pub(crate) n: u64,
}

/// How a damaged copy answered, when that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An error that says that something is wrong.
    Refused,
    /// The whole history.
    Whole,
    /// What was at the end, and nobody is left to vouch for, is cut off, and that is told if there was something to cut.
    Cut,
}

/// Options that read every event from the disk.
pub(crate) fn options() -> Options {
    Options::new().maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).recent_bytes_max(0)
}

impl Image {
    /// Takes the history from the store as it is, and its files from its disk.
    pub(crate) fn of(name: &'static str, files: Files, store: &Store) -> Self {
        Self { name, files, events: super::all(store), checkpoints: store.checkpoints() }
    }

    pub(crate) fn journals(&self) -> impl Iterator<Item = (&PathBuf, &Vec<u8>)> {
        self.files.iter().filter(|(path, _)| path.parent().is_some_and(|dir| dir.ends_with("journal")))
    }

    /// All frames, in their order, without the start of one that was never finished.
    pub(crate) fn frames(&self) -> Vec<FrameInFile> {
        let mut found = self.journals().flat_map(|(path, bytes)| frames(path, bytes)).peekable();
        // Those before it are sealed.
        let first = found.peek().map_or(1, |frame| frame.n);
        (first..).zip(found).take_while(|(n, frame)| frame.n == *n).map(|(_, frame)| frame).collect()
    }

    /// The last frame that the lock's file says was synced; 0 without one.
    fn durable_mark(&self) -> u64 {
        let n = self.files.get(&lock()).and_then(|bytes| bytes.get(16..24));
        n.map_or(0, |n| u64::from_le_bytes(n.try_into().expect("eight bytes")))
    }

    /// Judges what a store made of damaged files of this image.
    ///
    /// # Errors
    /// What is wrong with the answer.
    pub(crate) fn judge(&self, damaged: &Files, opened: &annals::Result<Store>) -> Result<Answer, Fault> {
        let journals_are_the_same = self.journals().all(|(path, bytes)| damaged.get(path) == Some(bytes));
        let segments_are_the_same =
            segments(&self.files).iter().all(|path| damaged.get(path) == self.files.get(path));
        let same = journals_are_the_same
            && segments_are_the_same
            && damaged.get(&manifest()) == self.files.get(&manifest());
        let store = match opened {
            Ok(store) => store,
            Err(error) if same => {
                return Err(Fault::FalseAlarm(format!("nothing it needs is changed: {error}")));
            }
            Err(error) => return refusal(error),
        };
        let found = match read_all_ways(store) {
            Ok(found) => found,
            // A segment is checked where it is read.
            Err(ReadFault::Error(error)) if !segments_are_the_same => return refusal(&error),
            Err(ReadFault::Error(error)) => {
                return Err(Fault::Wrong(format!("opened, and then an event cannot be read: {error}")));
            }
            Err(ReadFault::Differs(what)) => return Err(Fault::Wrong(what)),
        };
        if let Some(at) = found.iter().zip(&self.events).position(|(found, event)| found != event) {
            return Err(Fault::Wrong(format!("event {at} is altered: {:?}", found.get(at))));
        }
        if found.len() > self.events.len() {
            return Err(Fault::Wrong(format!("{} events instead of {}", found.len(), self.events.len())));
        }
        if found.len() == self.events.len() {
            if store.checkpoints() != self.checkpoints {
                return Err(Fault::Wrong(format!("checkpoints are at {:?}", store.checkpoints())));
            }
            return Ok(Answer::Whole);
        }
        self.may_be_cut(damaged, store, found.len() as u64).map(|()| Answer::Cut)
    }

    /// Whether the commits from position `kept` on may be gone: nothing that is left of the image vouches for them, none
    /// of them is there still, and what there was to cut is reported.
    fn may_be_cut(&self, damaged: &Files, store: &Store, kept: u64) -> Result<(), Fault> {
        let frames = self.frames();
        // Without those that have no events: the next one begins where they do.
        let next = frames.iter().skip(1).map(Some).chain([None]);
        let with_events = frames
            .iter()
            .zip(next)
            .filter(|(frame, next)| next.is_none_or(|next| next.first_position > frame.first_position));
        let lost = with_events.map(|(frame, _)| frame).find(|frame| frame.first_position >= kept);
        let lost = lost.expect("a commit is lost");
        if lost.first_position != kept {
            return Err(Fault::Wrong(format!("cut within a commit, at position {kept}")));
        }
        let is_there = |frame: &FrameInFile, end: usize| {
            let bytes = |files: &Files| files.get(&frame.path)?.get(frame.start..end).map(<[u8]>::to_vec);
            bytes(damaged).is_some() && bytes(damaged) == bytes(&self.files)
        };
        if is_there(lost, lost.end) {
            return Err(Fault::Loss(format!("frame {} is sound and passed over", lost.n)));
        }
        let vouches = |frame: &&FrameInFile| {
            frame.durable >= lost.n && is_there(frame, frame.start + FRAME_HEADER_BYTES)
        };
        if let Some(voucher) = frames.iter().find(vouches) {
            return Err(Fault::Loss(format!(
                "frame {} is gone though frame {} vouches for it",
                lost.n, voucher.n
            )));
        }
        if damaged.get(&lock()) == self.files.get(&lock()) && self.durable_mark() >= lost.n {
            return Err(Fault::Loss(format!(
                "frame {} is gone though the durable mark vouches for it",
                lost.n
            )));
        }
        if store.recovery().clean {
            return Err(Fault::Loss(format!("frame {} of a closed store is gone", lost.n)));
        }
        let left = damaged.get(&lost.path).and_then(|bytes| bytes.get(lost.start..)).unwrap_or_default();
        if left.iter().any(|byte| *byte != 0) && store.recovery().torn_tail.is_none() {
            return Err(Fault::Loss(format!("frame {} is cut and nothing told", lost.n)));
        }
        Ok(())
    }
}

pub(crate) fn manifest() -> PathBuf {
    Path::new(ROOT).join("MANIFEST")
}

pub(crate) fn lock() -> PathBuf {
    Path::new(ROOT).join("LOCK")
}

/// The frames of a journal file whose bytes are as they were written.
pub(crate) fn frames(path: &Path, bytes: &[u8]) -> Vec<FrameInFile> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let mut found = Vec::new();
    let mut at = FRAMES_AT;
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"ANFR")) {
        let body = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        let end = at + ((FRAME_HEADER_BYTES + body) / 8 + 1) * 8;
        let (first_position, n, durable) = (number(at + 16), number(at + 24), number(at + 32));
        found.push(FrameInFile { path: path.to_owned(), start: at, end, first_position, durable, n });
        at = end;
    }
    found
}

/// An error that a damaged store may answer with.
fn refusal(error: &Error) -> Result<Answer, Fault> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::UnsupportedVersion | ErrorKind::Io => Ok(Answer::Refused),
        // A directory that has lost its manifest and holds something else is no store.
        ErrorKind::Invalid | ErrorKind::NotFound => Ok(Answer::Refused),
        other => Err(Fault::Wrong(format!("{other:?} for damage: {error}"))),
    }
}

enum ReadFault {
    Error(Error),
    Differs(String),
}

impl From<Error> for ReadFault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// All events, read forward, backward and by stream, which must agree.
fn read_all_ways(store: &Store) -> Result<Vec<RecordedEvent>, ReadFault> {
    let forward = store.read().iter().collect::<annals::Result<Vec<_>>>()?;
    let mut backward = store.read().backward().iter().collect::<annals::Result<Vec<_>>>()?;
    backward.reverse();
    if backward != forward {
        return Err(ReadFault::Differs("reading backward yields another history".to_owned()));
    }
    let mut by_stream = Vec::with_capacity(forward.len());
    for stream in store.streams()? {
        by_stream.extend(store.stream(stream.name)?.read().iter().collect::<annals::Result<Vec<_>>>()?);
    }
    by_stream.sort_by_key(RecordedEvent::position);
    if by_stream != forward {
        return Err(ReadFault::Differs("the streams hold another history than the store".to_owned()));
    }
    Ok(forward)
}

/// Opens damaged files on a simulated disk.
pub(crate) fn open(files: &Files) -> (SimDisk, annals::Result<Store>) {
    let disk = SimDisk::with_files(files);
    let opened = options().disk(disk.clone()).open(ROOT);
    (disk, opened)
}

/// Where a file of an image lies below another root.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix(ROOT).expect("below the root"))
}

/// Writes an image to the real disk.
pub(crate) fn write(files: &Files, root: &Path) {
    for (path, bytes) in files {
        let path = below(root, path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        std::fs::write(path, bytes).expect("write");
    }
}
