//! The event store on top of two tables of keys and values, the same for redb, fjall and LMDB: a log by position and an
//! index by stream and version. One of the two holds the events, the other the key into it.

use anyhow::Result;

use crate::model::{Answer, Request};
use crate::record::{self, Layout, Place};
use crate::stamp::Stamp;

/// An open transaction on both tables, which sees what it has put itself.
pub(super) trait Tables {
    /// How many events the stream has: one more than the version in the last key of the stream, so that no append has
    /// to write a head beside the events.
    fn stream_events(&mut self, stream: &str) -> Result<u64>;

    /// Puts an event into both tables.
    fn put(&mut self, position: u64, log_value: &[u8], stream_key: &[u8], stream_value: &[u8]) -> Result<()>;
}

/// Judges and puts a group of requests. The caller commits, if there is an answer `Appended`.
pub(super) fn put_group(
    tables: &mut impl Tables,
    requests: &[Request],
    stamp: &mut Stamp,
    layout: Layout,
) -> Result<Vec<Answer>> {
    stamp.tick();
    let mut value = Vec::new();
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(if is_stale(tables, request)? {
            Answer::Stale
        } else {
            put(tables, request, stamp, layout, &mut value)?;
            Answer::Appended
        });
    }
    Ok(answers)
}

fn is_stale(tables: &mut impl Tables, request: &Request) -> Result<bool> {
    for commit in request {
        if tables.stream_events(&commit.stream)? != commit.expected {
            return Ok(true);
        }
    }
    Ok(false)
}

fn put(
    tables: &mut impl Tables,
    request: &Request,
    stamp: &mut Stamp,
    layout: Layout,
    value: &mut Vec<u8>,
) -> Result<()> {
    for commit in request {
        for (version, event) in (commit.expected..).zip(&commit.events) {
            let (position, id) = (stamp.position(), stamp.id(event.id));
            let place =
                Place { stream: &commit.stream, version, position, id, recorded_at: stamp.recorded_at() };
            record::encode(layout, event, &place, value)?;
            let key = record::stream_key(&commit.stream, version);
            match layout {
                Layout::ByPosition => tables.put(position, value, &key, &position.to_be_bytes())?,
                Layout::ByStream => tables.put(position, &key, &key, value)?,
            }
        }
    }
    Ok(())
}

/// Whether a group has anything to commit.
pub(super) fn has_appended(answers: &[Answer]) -> bool {
    answers.contains(&Answer::Appended)
}

/// The first and the last key that an event of the stream can have.
pub(super) fn stream_range(stream: &str) -> (Vec<u8>, Vec<u8>) {
    (record::stream_key(stream, 0), record::stream_key(stream, u64::MAX))
}
