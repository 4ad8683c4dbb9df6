//! LMDB, through heed.
//!
//! Chosen, after heed's and LMDB's documentation:
//! - Durable is LMDB's default: two writes and two syncs a transaction, data pages first, then the page that points to
//!   them. Neither `WRITE_MAP` (a stray pointer of the program could destroy the file) nor `NO_META_SYNC` (a power cut may
//!   undo the last commit).
//! - Buffered is `NO_SYNC`: a killed process loses nothing; a power cut may undo the last commits, and may destroy the store
//!   where the file system does not keep the order of writes.
//! - The log is put with `APPEND`, which fills pages to the end where keys come in order.
//! - Readers without thread-local slots, since readers here are short and on any thread.
//! - Read-ahead off, as LMDB advises for random reads of stores that are not in memory. It tells only where the system's
//!   cache is empty: there a load would read megabytes around each of its pages.
//! - The map is 64 GiB of address space, which costs nothing until it is used.

use std::fs;
use std::ops::Bound;
use std::path::Path;

use anyhow::{Context as _, Result};
use heed::byteorder::BigEndian;
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, PutFlags, RwTxn, WithoutTls};

use crate::engine::{Appends, Engine};
use crate::group::{GroupCommit, Writer};
use crate::model::{Answer, Fold, Mode, Request};
use crate::record::{self, Layout};
use crate::stamp::Stamp;

use super::keys::{self, Tables};

const MAP_BYTES: usize = 64 << 30;

type Log = Database<'static, U64<BigEndian>, Bytes>;
type Streams = Database<'static, Bytes, Bytes>;

pub(crate) struct LmdbStore {
    env: Env<WithoutTls>,
    log: Log,
    streams: Streams,
    layout: Layout,
    group: GroupCommit<LmdbWriter>,
}

struct LmdbWriter {
    env: Env<WithoutTls>,
    log: Log,
    streams: Streams,
    layout: Layout,
    stamp: Stamp,
}

struct Transaction<'e, 'w> {
    transaction: RwTxn<'e>,
    log: &'w Log,
    streams: &'w Streams,
}

/// The only unsafe call of this package.
#[expect(
    unsafe_code,
    reason = "heed offers no safe way to open a store, since the file is mapped and must not change under it"
)]
fn open_env(dir: &Path, flags: EnvFlags) -> Result<Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_BYTES).max_dbs(2);
    // SAFETY: the directory was made for this run and nothing but LMDB, which has its own lock file there, writes to it.
    // `NO_SYNC` is unsafe to set because a power cut may destroy the store: it is thrown away after the run.
    Ok(unsafe { options.flags(flags).open(dir)? })
}

impl LmdbStore {
    pub(crate) fn open(dir: &Path, mode: Mode, layout: Layout) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let flags = match mode {
            Mode::Durable => EnvFlags::NO_READ_AHEAD,
            Mode::Buffered => EnvFlags::NO_READ_AHEAD | EnvFlags::NO_SYNC,
        };
        let env = open_env(dir, flags)?;
        let made = env.create_databases_and_commit(env.write_txn()?, |opener, transaction| {
            let log: Database<'_, U64<BigEndian>, Bytes> =
                opener.create_database(transaction, Some("log"))?;
            let streams: Database<'_, Bytes, Bytes> = opener.create_database(transaction, Some("streams"))?;
            heed::Result::Ok(CommitOrAbort::<_, ()>::Commit((log, streams)))
        })?;
        let (log, streams) = made.commit().context("the databases were not made")?;
        let transaction = env.read_txn()?;
        let last = log.last(&transaction)?.map(|(position, _)| position);
        drop(transaction);
        let stamp = Stamp::new(last.map_or(0, |position| position + 1));
        let writer = LmdbWriter { env: env.clone(), log, streams, layout, stamp };
        Ok(Self { env, log, streams, layout, group: GroupCommit::new(writer) })
    }
}

impl Tables for Transaction<'_, '_> {
    fn stream_events(&mut self, stream: &str) -> Result<u64> {
        let (_, last) = keys::stream_range(stream);
        match self.streams.get_lower_than_or_equal_to(&self.transaction, &last)? {
            Some((key, _)) => match record::split_stream_key(key)? {
                (name, version) if name == stream => Ok(version + 1),
                _ => Ok(0),
            },
            None => Ok(0),
        }
    }

    fn put(&mut self, position: u64, log_value: &[u8], stream_key: &[u8], stream_value: &[u8]) -> Result<()> {
        self.log.put_with_flags(&mut self.transaction, PutFlags::APPEND, &position, log_value)?;
        Ok(self.streams.put(&mut self.transaction, stream_key, stream_value)?)
    }
}

impl Writer for LmdbWriter {
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>> {
        let transaction = self.env.write_txn()?;
        let mut tables = Transaction { transaction, log: &self.log, streams: &self.streams };
        self.stamp.for_work(|stamp| {
            let answers = keys::put_group(&mut tables, requests, stamp, self.layout)?;
            if keys::has_appended(&answers) {
                tables.transaction.commit()?;
            }
            Ok(answers)
        })
    }

    fn events(&self) -> u64 {
        self.stamp.events()
    }
}

impl Engine for LmdbStore {
    fn appends(&self) -> &dyn Appends {
        &self.group
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        let transaction = self.env.read_txn()?;
        let (first, last) = keys::stream_range(stream);
        let range = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
        for entry in self.streams.range(&transaction, &range)? {
            let (key, value) = entry?;
            match self.layout {
                Layout::ByStream => fold.add(&record::decode_by_stream(key, value)?),
                Layout::ByPosition => {
                    let position = u64::from_be_bytes(value.try_into()?);
                    let value = self.log.get(&transaction, &position)?.context("an event without record")?;
                    fold.add(&record::decode_by_position(position, value)?);
                }
            }
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        let transaction = self.env.read_txn()?;
        for entry in self.log.iter(&transaction)? {
            let (position, value) = entry?;
            match self.layout {
                Layout::ByPosition => fold.add(&record::decode_by_position(position, value)?),
                Layout::ByStream => {
                    let record = self.streams.get(&transaction, value)?.context("an event without record")?;
                    fold.add(&record::decode_by_stream(value, record)?);
                }
            }
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { env, group, .. } = *self;
        env.force_sync()?;
        drop(group);
        env.prepare_for_closing().wait();
        Ok(())
    }
}
