//! `Lie`: what a `SimDisk` does that no disk may: a sync that does nothing, two steps in another order.
//!
//! With one of them on, a campaign of crashes must report something. If it does not, the sync that the lie takes away is
//! superfluous, or the campaign is blind.

use std::path::Path;

/// A promise of the disk that is broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lie {
    pub(crate) kind: LieKind,
    /// Which files or directories it is told of.
    pub(crate) of: fn(&Path) -> bool,
    pub(crate) when: LieWhen,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LieKind {
    /// Syncs of files do nothing.
    FileSync,
    /// Syncs of directories do nothing.
    DirSync,
    /// A new name is durable at once, and the bytes only when the directory is synced, although they were synced before.
    NameBeforeBytes,
    /// The last write before a sync comes after it.
    WriteAfterSync,
}

/// When the disk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LieWhen {
    Always,
    /// While a store that is there is being opened.
    Recovering,
}

impl Lie {
    /// Whether it is told now, of this path.
    pub(super) fn tells(lie: Option<Self>, kind: LieKind, path: &Path, is_recovering: bool) -> bool {
        lie.is_some_and(|lie| {
            lie.kind == kind && (lie.when == LieWhen::Always || is_recovering) && (lie.of)(path)
        })
    }
}
