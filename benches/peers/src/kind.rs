//! Which engines there are.

use std::path::Path;

use anyhow::Result;

use crate::engine::Engine;
use crate::engines::{AnnalsStore, FjallStore, FloorStore, LmdbStore, RedbStore, SqliteStore};
use crate::model::Mode;
use crate::record::Layout;

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
