//! The floor: what any store must do for the same work, and nothing else.
//!
//! One file, prepared ahead with zeros, so that a sync need not write the file system's own records; group commit; one
//! write and one fdatasync a group; an index in memory; one `pread` an event to load, a megabyte at a time to replay.
//! Nothing is checked when it is read, nothing is kept in memory but the index, and opening reads the file through.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use parking_lot::RwLock;

use crate::engine::{Appends, Engine};
use crate::group::{GroupCommit, Writer};
use crate::model::{Answer, Fold, Mode, Request};
use crate::record::{self, Layout, Place};
use crate::stamp::Stamp;

use super::keys;

/// How much space is prepared at once, and how much must be left for a measured turn to begin.
const PREPARED_BYTES: u64 = 64 << 20;
const READ_BYTES: usize = 1 << 20;

/// Where the record of an event lies.
#[derive(Debug, Clone, Copy)]
struct Entry {
    position: u64,
    offset: u64,
    bytes: u32,
}

type Index = HashMap<String, Vec<Entry>>;

pub(crate) struct FloorStore {
    file: Arc<File>,
    index: Arc<RwLock<Index>>,
    group: GroupCommit<FloorWriter>,
}

struct FloorWriter {
    file: Arc<File>,
    index: Arc<RwLock<Index>>,
    mode: Mode,
    stamp: Stamp,
    /// Where the next record goes, and up to where there are zeros.
    end: u64,
    prepared: u64,
    buffer: Vec<u8>,
    record: Vec<u8>,
}

impl FloorStore {
    pub(crate) fn open(dir: &Path, mode: Mode) -> Result<Self> {
        let path = dir.join("floor");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut index = Index::new();
        let mut events = 0;
        let end = scan(&file, |offset, bytes| {
            let seen = record::decode_by_position(events, bytes)?;
            let entry = Entry { position: events, offset, bytes: u32::try_from(bytes.len())? };
            match index.get_mut(seen.stream) {
                Some(entries) => entries.push(entry),
                None => drop(index.insert(seen.stream.to_owned(), vec![entry])),
            }
            events += 1;
            Ok(())
        })?;
        let (file, index) = (Arc::new(file), Arc::new(RwLock::new(index)));
        let writer = FloorWriter {
            prepared: file.metadata()?.len(),
            file: Arc::clone(&file),
            index: Arc::clone(&index),
            mode,
            stamp: Stamp::new(events),
            end,
            buffer: Vec::new(),
            record: Vec::new(),
        };
        Ok(Self { file, index, group: GroupCommit::new(writer) })
    }
}

/// Hands out the records from first to last; ends where a length is 0, and says where.
fn scan(file: &File, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<u64> {
    let mut buffer = vec![0; READ_BYTES];
    let (mut offset, mut filled) = (0_u64, 0);
    loop {
        let read = file.read_at(buffer.get_mut(filled..).unwrap_or_default(), offset + filled as u64)?;
        filled += read;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        let mut used = 0_usize;
        while let Some((length, left)) = rest.split_first_chunk() {
            let length = u32::from_le_bytes(*length);
            if length == 0 {
                return Ok(offset + used as u64);
            }
            let Some((record, left)) = left.split_at_checked(length as usize) else { break };
            each(offset + used as u64 + 4, record)?;
            used += 4 + record.len();
            rest = left;
        }
        if read == 0 {
            return Ok(offset + used as u64);
        }
        if used == 0 && filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        buffer.copy_within(used..filled, 0);
        (offset, filled) = (offset + used as u64, filled - used);
    }
}

impl FloorWriter {
    fn prepare(&mut self, bytes: u64) -> Result<()> {
        let zeros = vec![0; READ_BYTES];
        let until = self.end + bytes;
        while self.prepared < until {
            self.file.write_all_at(&zeros, self.prepared)?;
            self.prepared += zeros.len() as u64;
        }
        Ok(self.file.sync_all()?)
    }

    /// Puts the records of a request that holds into the buffer and into the index.
    fn put(&mut self, request: &Request, index: &mut Index) -> Result<()> {
        for commit in request {
            let entries = match index.get_mut(&commit.stream) {
                Some(entries) => entries,
                None => index.entry(commit.stream.clone()).or_default(),
            };
            for (version, event) in (commit.expected..).zip(&commit.events) {
                let (position, id) = (self.stamp.position(), self.stamp.id(event.id));
                let recorded_at = self.stamp.recorded_at();
                let place = Place { stream: &commit.stream, version, position, id, recorded_at };
                record::encode(Layout::ByPosition, event, &place, &mut self.record)?;
                let bytes = u32::try_from(self.record.len())?;
                self.buffer.extend_from_slice(&bytes.to_le_bytes());
                entries.push(Entry { position, offset: self.end + self.buffer.len() as u64, bytes });
                self.buffer.extend_from_slice(&self.record);
            }
        }
        Ok(())
    }
}

impl Writer for FloorWriter {
    /// The index is changed before the sync: a reader could see what a crash then undoes. The floor may be that careless.
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>> {
        self.stamp.tick();
        self.buffer.clear();
        let index = Arc::clone(&self.index);
        let mut index = index.write();
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let events = |stream: &str| index.get(stream).map_or(0, Vec::len) as u64;
            answers.push(if request.iter().any(|commit| events(&commit.stream) != commit.expected) {
                Answer::Stale
            } else {
                self.put(request, &mut index)?;
                Answer::Appended
            });
        }
        drop(index);
        if keys::has_appended(&answers) {
            if self.end + self.buffer.len() as u64 > self.prepared {
                self.prepare(self.buffer.len() as u64 + PREPARED_BYTES)?;
            }
            self.file.write_all_at(&self.buffer, self.end)?;
            if self.mode == Mode::Durable {
                self.file.sync_data()?;
            }
            self.end += self.buffer.len() as u64;
        }
        Ok(answers)
    }

    fn events(&self) -> u64 {
        self.stamp.events()
    }
}

impl Engine for FloorStore {
    fn appends(&self) -> &dyn Appends {
        &self.group
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        let entries = self.index.read().get(stream).cloned().unwrap_or_default();
        let mut record = Vec::new();
        for Entry { position, offset, bytes } in entries {
            record.resize(bytes as usize, 0);
            self.file.read_exact_at(&mut record, offset)?;
            fold.add(&record::decode_by_position(position, &record)?);
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        let mut position = 0;
        scan(&self.file, |_, record| {
            fold.add(&record::decode_by_position(position, record)?);
            position += 1;
            Ok(())
        })?;
        Ok(())
    }

    /// Prepares space for the turn to come, so that none is prepared in it.
    fn settle(&self) -> Result<()> {
        let mut writer = self.group.writer();
        if writer.prepared < writer.end + PREPARED_BYTES / 2 {
            writer.prepare(PREPARED_BYTES)
        } else {
            Ok(())
        }
    }

    /// Gives back what was prepared and not used.
    fn close(self: Box<Self>) -> Result<()> {
        let writer = self.group.writer();
        writer.file.set_len(writer.end)?;
        writer.file.sync_all().context("syncing the floor")
    }
}
