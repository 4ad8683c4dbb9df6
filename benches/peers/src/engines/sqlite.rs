//! SQLite, through rusqlite, built with it.
//!
//! Chosen, after SQLite's documentation:
//! - A write-ahead log. Durable is `synchronous = FULL`: the log is synced at each commit. Buffered is `NORMAL`: a killed
//!   process loses nothing, a power cut may undo the last commits.
//! - One connection writes, another reads beside it. Statements are prepared once a connection (`prepare_cached`).
//! - 1 GiB of page cache, as redb has by default, in place of 2 MiB. The file is not mapped, as it is not by default.
//! - By position: a table whose row id is the position, and a unique index on stream and version. By stream: a table
//!   without row ids, whose primary key is stream and version, and a unique index on the position.

use std::path::Path;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};

use crate::engine::{Appends, Engine};
use crate::group::{GroupCommit, Writer};
use crate::model::{Answer, Fold, Mode, Request, Seen};
use crate::record::Layout;
use crate::stamp::Stamp;

use super::keys;

const COLUMNS: &str = "stream TEXT NOT NULL, version INTEGER NOT NULL, id BLOB NOT NULL, type TEXT NOT NULL, \
    occurred_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL, payload BLOB NOT NULL";
const STREAM_EVENTS: &str = "SELECT max(version) FROM events WHERE stream = ?1";
const INSERT: &str = "INSERT INTO events (position, stream, version, id, type, occurred_at, recorded_at, payload) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const LOAD: &str = "SELECT position, stream, version, id, type, occurred_at, recorded_at, payload FROM events \
    WHERE stream = ?1 ORDER BY version";
const REPLAY: &str = "SELECT position, stream, version, id, type, occurred_at, recorded_at, payload FROM events \
    ORDER BY position";

pub(crate) struct SqliteStore {
    reader: Mutex<Connection>,
    group: GroupCommit<SqliteWriter>,
}

struct SqliteWriter {
    connection: Connection,
    stamp: Stamp,
}

impl SqliteStore {
    pub(crate) fn open(dir: &Path, mode: Mode, layout: Layout) -> Result<Self> {
        let path = dir.join("events.sqlite");
        let writer = connect(&path, mode)?;
        writer.execute_batch(&match layout {
            Layout::ByPosition => format!(
                "CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, {COLUMNS}, UNIQUE (stream, version))"
            ),
            Layout::ByStream => format!(
                "CREATE TABLE IF NOT EXISTS events (position INTEGER NOT NULL UNIQUE, {COLUMNS}, \
                 PRIMARY KEY (stream, version)) WITHOUT ROWID"
            ),
        })?;
        let last: Option<i64> = writer.query_row("SELECT max(position) FROM events", [], |row| row.get(0))?;
        let stamp = Stamp::new(last.map_or(0, |position| position.cast_unsigned() + 1));
        let reader = Mutex::new(connect(&path, mode)?);
        Ok(Self { reader, group: GroupCommit::new(SqliteWriter { connection: writer, stamp }) })
    }
}

fn connect(path: &Path, mode: Mode) -> Result<Connection> {
    // Each connection has one user at a time, behind a lock of ours.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let synchronous = match mode {
        Mode::Durable => "FULL",
        Mode::Buffered => "NORMAL",
    };
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA cache_size = -1048576;"
    ))?;
    Ok(connection)
}

impl Writer for SqliteWriter {
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>> {
        self.stamp.for_work(|stamp| put_group(&mut self.connection, stamp, requests))
    }

    fn events(&self) -> u64 {
        self.stamp.events()
    }
}

/// Judges and puts a group of requests in one transaction, which is undone when nothing holds.
fn put_group(connection: &mut Connection, stamp: &mut Stamp, requests: &[Request]) -> Result<Vec<Answer>> {
    stamp.tick();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(if is_stale(&transaction, request)? {
            Answer::Stale
        } else {
            put(&transaction, stamp, request)?;
            Answer::Appended
        });
    }
    if keys::has_appended(&answers) {
        transaction.commit()?;
    }
    Ok(answers)
}

fn is_stale(connection: &Connection, request: &Request) -> Result<bool> {
    let mut statement = connection.prepare_cached(STREAM_EVENTS)?;
    for commit in request {
        let last: Option<i64> = statement.query_row([&commit.stream], |row| row.get(0))?;
        if last.map_or(0, |version| version.cast_unsigned() + 1) != commit.expected {
            return Ok(true);
        }
    }
    Ok(false)
}

fn put(connection: &Connection, stamp: &mut Stamp, request: &Request) -> Result<()> {
    let mut statement = connection.prepare_cached(INSERT)?;
    for commit in request {
        for (version, event) in (commit.expected..).zip(&commit.events) {
            statement.execute(params![
                stamp.position().cast_signed(),
                commit.stream,
                version.cast_signed(),
                stamp.id(event.id),
                event.event_type,
                event.occurred_at,
                stamp.recorded_at(),
                event.payload,
            ])?;
        }
    }
    Ok(())
}

/// A view of a row: nothing is copied.
fn seen<'r>(row: &'r Row<'_>) -> Result<Seen<'r>> {
    Ok(Seen {
        position: row.get_ref(0)?.as_i64()?.cast_unsigned(),
        stream: row.get_ref(1)?.as_str()?,
        version: row.get_ref(2)?.as_i64()?.cast_unsigned(),
        id: row.get_ref(3)?.as_blob()?.try_into().context("an id of another length")?,
        event_type: row.get_ref(4)?.as_str()?,
        occurred_at: row.get_ref(5)?.as_i64()?,
        recorded_at: row.get_ref(6)?.as_i64()?,
        payload: row.get_ref(7)?.as_blob()?,
    })
}

impl Engine for SqliteStore {
    fn appends(&self) -> &dyn Appends {
        &self.group
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        let reader = self.reader.lock();
        let mut statement = reader.prepare_cached(LOAD)?;
        let mut rows = statement.query([stream])?;
        while let Some(row) = rows.next()? {
            fold.add(&seen(row)?);
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        let reader = self.reader.lock();
        let mut statement = reader.prepare_cached(REPLAY)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            fold.add(&seen(row)?);
        }
        Ok(())
    }

    /// The last connection closed writes the log back into the table's file.
    fn close(self: Box<Self>) -> Result<()> {
        let Self { reader, group } = *self;
        reader.into_inner().close().map_err(|(_, error)| error)?;
        group.into_writer().connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}
