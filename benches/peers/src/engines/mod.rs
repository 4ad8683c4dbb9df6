//! The engines, a file each. What was chosen for an engine, and why, stands at the head of its file.

mod annals;
mod fjall;
mod floor;
mod keys;
mod lmdb;
mod redb;
mod sqlite;

pub(crate) use self::annals::AnnalsStore;
pub(crate) use self::fjall::FjallStore;
pub(crate) use self::floor::FloorStore;
pub(crate) use self::lmdb::LmdbStore;
pub(crate) use self::redb::RedbStore;
pub(crate) use self::sqlite::SqliteStore;
