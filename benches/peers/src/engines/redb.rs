//! redb.
//!
//! Chosen, after its documentation:
//! - Durable is `Durability::Immediate` in one phase, the default.
//! - Buffered is `Durability::None`, the only other there is. It promises less than the others: such commits are gone when
//!   the process is killed, until a durable one follows.
//! - The cache stays at its default, 1 GiB.
//! - Quick repair is off, as it is by default: it makes every commit slower so that opening after a crash is not.
//! - Keys of streams are bytes that sort as they are, which costs less to compare than a tuple of name and number.

use std::path::Path;

use ::redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition};
use anyhow::{Context as _, Result};

use crate::engine::{Appends, Engine};
use crate::group::{GroupCommit, Writer};
use crate::model::{Answer, Fold, Mode, Request};
use crate::record::{self, Layout};
use crate::stamp::Stamp;

use super::keys::{self, Tables};

const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");
const STREAMS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("streams");

pub(crate) struct RedbStore {
    /// Shared with the writer.
    database: std::sync::Arc<Database>,
    layout: Layout,
    group: GroupCommit<RedbWriter>,
}

struct RedbWriter {
    database: std::sync::Arc<Database>,
    durability: Durability,
    layout: Layout,
    stamp: Stamp,
}

struct Open<'t> {
    log: Table<'t, u64, &'static [u8]>,
    streams: Table<'t, &'static [u8], &'static [u8]>,
}

impl RedbStore {
    pub(crate) fn open(dir: &Path, mode: Mode, layout: Layout) -> Result<Self> {
        let path = dir.join("events.redb");
        let is_new = !path.exists();
        let database = std::sync::Arc::new(Database::create(path)?);
        if is_new {
            let transaction = database.begin_write()?;
            transaction.open_table(LOG)?;
            transaction.open_table(STREAMS)?;
            transaction.commit()?;
        }
        let log = database.begin_read()?.open_table(LOG)?;
        let events = log.last()?.map_or(0, |(position, _)| position.value() + 1);
        let durability = match mode {
            Mode::Durable => Durability::Immediate,
            Mode::Buffered => Durability::None,
        };
        let stamp = Stamp::new(events);
        let writer = RedbWriter { database: std::sync::Arc::clone(&database), durability, layout, stamp };
        Ok(Self { database, layout, group: GroupCommit::new(writer) })
    }
}

impl Tables for Open<'_> {
    fn stream_events(&mut self, stream: &str) -> Result<u64> {
        let (first, last) = keys::stream_range(stream);
        let last =
            self.streams.range::<&[u8]>(first.as_slice()..=last.as_slice())?.next_back().transpose()?;
        match last {
            Some((key, _)) => Ok(record::split_stream_key(key.value())?.1 + 1),
            None => Ok(0),
        }
    }

    fn put(&mut self, position: u64, log_value: &[u8], stream_key: &[u8], stream_value: &[u8]) -> Result<()> {
        self.log.insert(position, log_value)?;
        self.streams.insert(stream_key, stream_value)?;
        Ok(())
    }
}

impl Writer for RedbWriter {
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        self.stamp.for_work(|stamp| {
            // The tables are to be closed before the transaction is.
            let answers = {
                let log = transaction.open_table(LOG)?;
                let mut tables = Open { log, streams: transaction.open_table(STREAMS)? };
                keys::put_group(&mut tables, requests, stamp, self.layout)?
            };
            if keys::has_appended(&answers) {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(answers)
        })
    }

    fn events(&self) -> u64 {
        self.stamp.events()
    }
}

impl Engine for RedbStore {
    fn appends(&self) -> &dyn Appends {
        &self.group
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        let transaction = self.database.begin_read()?;
        let (log, streams) = (transaction.open_table(LOG)?, transaction.open_table(STREAMS)?);
        let (first, last) = keys::stream_range(stream);
        for entry in streams.range::<&[u8]>(first.as_slice()..=last.as_slice())? {
            let (key, value) = entry?;
            match self.layout {
                Layout::ByStream => fold.add(&record::decode_by_stream(key.value(), value.value())?),
                Layout::ByPosition => {
                    let position = u64::from_be_bytes(value.value().try_into()?);
                    let value = log.get(position)?.context("an event without record")?;
                    fold.add(&record::decode_by_position(position, value.value())?);
                }
            }
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        let transaction = self.database.begin_read()?;
        let (log, streams) = (transaction.open_table(LOG)?, transaction.open_table(STREAMS)?);
        for entry in log.range::<u64>(..)? {
            let (position, value) = entry?;
            match self.layout {
                Layout::ByPosition => {
                    fold.add(&record::decode_by_position(position.value(), value.value())?);
                }
                Layout::ByStream => {
                    let key = value.value();
                    let record = streams.get(key)?.context("an event without record")?;
                    fold.add(&record::decode_by_stream(key, record.value())?);
                }
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { database, group, .. } = *self;
        drop(group);
        let database = std::sync::Arc::into_inner(database).context("redb is still in use")?;
        Ok(database.close()?)
    }
}
