//! Floor 5: a cache of states.
use crate::disk::Disk;
use crate::types::StoreId;
use std::path::PathBuf;
use std::sync::Arc;
#[derive(Debug)]
pub(crate) struct Snapshots;
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SnapshotFigures {
    pub(crate) bytes: u64,
    pub(crate) usable: u64,
}
impl Snapshots {
    pub(crate) fn new(_: Arc<dyn Disk>, _: PathBuf, _: StoreId) -> Self {
        Self
    }
    pub(crate) fn measure(&self) -> SnapshotFigures {
        SnapshotFigures::default()
    }
}
