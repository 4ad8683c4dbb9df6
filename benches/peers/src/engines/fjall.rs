//! fjall.
//!
//! Chosen, after its documentation:
//! - Both tables are keyspaces of one database, written in one batch. Durable is a batch with `PersistMode::SyncData`, the
//!   fdatasync that its documentation names for transactions.
//! - Buffered is a batch with `PersistMode::Buffer`: a killed process loses nothing, a power cut may lose a suffix.
//! - The block cache has 1 GiB: a fifth to a quarter of memory is advised, or as much as the data where that fits; 1 GiB
//!   holds most of what is read here and is what redb takes by default.
//! - No transactional database: the group's leader is the only writer, so the events that a group has put stand in a map
//!   until the batch is committed, which is what a transaction would do with more work.
//! - Blocks, filters, compression and compaction as they are by default (lz4 in the lower levels).

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use anyhow::{Context as _, Result};

use crate::engine::{Appends, Engine};
use crate::group::{GroupCommit, Writer};
use crate::model::{Answer, Fold, Mode, Request};
use crate::record::{self, Layout};
use crate::stamp::Stamp;

use super::keys::{self, Tables};

const CACHE_BYTES: u64 = 1 << 30;

pub(crate) struct FjallStore {
    database: Database,
    log: Keyspace,
    streams: Keyspace,
    layout: Layout,
    group: GroupCommit<FjallWriter>,
}

struct FjallWriter {
    database: Database,
    log: Keyspace,
    streams: Keyspace,
    persist: PersistMode,
    layout: Layout,
    stamp: Stamp,
}

struct Batch<'w> {
    batch: OwnedWriteBatch,
    log: &'w Keyspace,
    streams: &'w Keyspace,
    /// How many events the streams have that this batch has put events into.
    grown: HashMap<String, u64>,
}

impl FjallStore {
    pub(crate) fn open(dir: &Path, mode: Mode, layout: Layout) -> Result<Self> {
        let database = Database::builder(dir.join("fjall")).cache_size(CACHE_BYTES).open()?;
        let log = database.keyspace("log", KeyspaceCreateOptions::default)?;
        let streams = database.keyspace("streams", KeyspaceCreateOptions::default)?;
        let last = log.last_key_value().map(::fjall::Guard::key).transpose()?;
        let events = match last {
            Some(key) => u64::from_be_bytes(key.as_ref().try_into()?) + 1,
            None => 0,
        };
        let persist = match mode {
            Mode::Durable => PersistMode::SyncData,
            Mode::Buffered => PersistMode::Buffer,
        };
        let stamp = Stamp::new(events);
        let (writer_log, writer_streams) = (log.clone(), streams.clone());
        let writer = FjallWriter {
            database: database.clone(),
            log: writer_log,
            streams: writer_streams,
            persist,
            layout,
            stamp,
        };
        Ok(Self { database, log, streams, layout, group: GroupCommit::new(writer) })
    }
}

impl Tables for Batch<'_> {
    fn stream_events(&mut self, stream: &str) -> Result<u64> {
        if let Some(events) = self.grown.get(stream) {
            return Ok(*events);
        }
        let (first, last) = keys::stream_range(stream);
        match self.streams.range(first..=last).next_back() {
            Some(entry) => Ok(record::split_stream_key(&entry.key()?)?.1 + 1),
            None => Ok(0),
        }
    }

    fn put(&mut self, position: u64, log_value: &[u8], stream_key: &[u8], stream_value: &[u8]) -> Result<()> {
        self.batch.insert(self.log, position.to_be_bytes(), log_value);
        self.batch.insert(self.streams, stream_key, stream_value);
        let (stream, version) = record::split_stream_key(stream_key)?;
        match self.grown.get_mut(stream) {
            Some(events) => *events = version + 1,
            None => drop(self.grown.insert(stream.to_owned(), version + 1)),
        }
        Ok(())
    }
}

impl Writer for FjallWriter {
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>> {
        let batch = self.database.batch().durability(Some(self.persist));
        let mut tables = Batch { batch, log: &self.log, streams: &self.streams, grown: HashMap::new() };
        self.stamp.for_work(|stamp| {
            let answers = keys::put_group(&mut tables, requests, stamp, self.layout)?;
            if keys::has_appended(&answers) {
                tables.batch.commit()?;
            }
            Ok(answers)
        })
    }

    fn events(&self) -> u64 {
        self.stamp.events()
    }
}

impl Engine for FjallStore {
    fn appends(&self) -> &dyn Appends {
        &self.group
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        let (first, last) = keys::stream_range(stream);
        for entry in self.streams.range(first..=last) {
            let (key, value) = entry.into_inner()?;
            match self.layout {
                Layout::ByStream => fold.add(&record::decode_by_stream(&key, &value)?),
                Layout::ByPosition => {
                    let record = self.log.get(&value)?.context("an event without record")?;
                    let position = u64::from_be_bytes(value.as_ref().try_into()?);
                    fold.add(&record::decode_by_position(position, &record)?);
                }
            }
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        for entry in self.log.iter() {
            let (key, value) = entry.into_inner()?;
            match self.layout {
                Layout::ByPosition => {
                    let position = u64::from_be_bytes(key.as_ref().try_into()?);
                    fold.add(&record::decode_by_position(position, &value)?);
                }
                Layout::ByStream => {
                    let record = self.streams.get(&value)?.context("an event without record")?;
                    fold.add(&record::decode_by_stream(&value, &record)?);
                }
            }
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        // There is nothing to wait on: it is asked until it has been idle for a while.
        let mut idle = 0;
        while idle < 5 {
            let is_busy = self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0;
            idle = if is_busy { 0 } else { idle + 1 };
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
