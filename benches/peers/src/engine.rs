//! What every engine can do, and which engines there are.

use std::path::Path;

use anyhow::Result;

use crate::engines::{AnnalsStore, FjallStore, FloorStore, LmdbStore, RedbStore, SqliteStore};
use crate::model::{Answer, Fold, Mode, Request};
use crate::record::Layout;

/// An event store in a directory, open. What an append's answer promises was said when it was opened.
pub(crate) trait Engine: Send + Sync {
    /// Appends if every stream has as many events as expected; all or nothing. Callers on other threads share a group.
    fn append(&self, request: Request) -> Result<Answer>;

    /// Appends requests none of which is stale, in the engine's fastest way of taking in many.
    fn fill(&self, requests: Vec<Request>) -> Result<()>;

    /// How many events there are.
    fn events(&self) -> u64;

    /// Folds the events of a stream, oldest first.
    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()>;

    /// Folds all events in order of position.
    fn replay(&self, fold: &mut Fold) -> Result<()>;

    /// Waits until the engine's own threads have nothing left to do.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the store so that opening it again is as quick as it can be.
    fn close(self: Box<Self>) -> Result<()>;
}

/// The engines measured. Those with an s keep payloads by stream and version instead of by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Floor,
    Annals,
    Sqlite(Layout),
    Redb(Layout),
    Fjall(Layout),
    Lmdb(Layout),
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::Floor,
        Self::Annals,
        Self::Sqlite(Layout::ByPosition),
        Self::Sqlite(Layout::ByStream),
        Self::Redb(Layout::ByPosition),
        Self::Redb(Layout::ByStream),
        Self::Fjall(Layout::ByPosition),
        Self::Fjall(Layout::ByStream),
        Self::Lmdb(Layout::ByPosition),
        Self::Lmdb(Layout::ByStream),
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Annals => "annals",
            Self::Sqlite(Layout::ByPosition) => "sqlite",
            Self::Sqlite(Layout::ByStream) => "sqlite-s",
            Self::Redb(Layout::ByPosition) => "redb",
            Self::Redb(Layout::ByStream) => "redb-s",
            Self::Fjall(Layout::ByPosition) => "fjall",
            Self::Fjall(Layout::ByStream) => "fjall-s",
            Self::Lmdb(Layout::ByPosition) => "lmdb",
            Self::Lmdb(Layout::ByStream) => "lmdb-s",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is what a user would take instead of annals.
    pub(crate) const fn is_peer(self) -> bool {
        !matches!(self, Self::Floor | Self::Annals)
    }

    /// Opens the store in `dir`, a directory that is there; makes the store if there is none. Afterwards its head is
    /// known: engines that would put this off are asked for it.
    pub(crate) fn open(self, dir: &Path, mode: Mode) -> Result<Box<dyn Engine>> {
        Ok(match self {
            Self::Floor => Box::new(FloorStore::open(dir, mode)?),
            Self::Annals => Box::new(AnnalsStore::open(dir, mode)?),
            Self::Sqlite(layout) => Box::new(SqliteStore::open(dir, mode, layout)?),
            Self::Redb(layout) => Box::new(RedbStore::open(dir, mode, layout)?),
            Self::Fjall(layout) => Box::new(FjallStore::open(dir, mode, layout)?),
            Self::Lmdb(layout) => Box::new(LmdbStore::open(dir, mode, layout)?),
        })
    }
}
