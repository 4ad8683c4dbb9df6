//! `Files`: the open journal files of a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::error::Result;

use super::JournalFile;

/// All journal files by number. Shared between the one writer, who adds, and the readers.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_number: RwLock<BTreeMap<u64, Arc<JournalFile>>>,
}

impl Files {
    pub(crate) fn add(&self, file: Arc<JournalFile>) {
        self.by_number.write().insert(file.number, file);
    }

    pub(crate) fn get(&self, number: u64) -> Option<Arc<JournalFile>> {
        self.by_number.read().get(&number).cloned()
    }

    /// The oldest file, if a newer one has been begun: no frame goes into it any more.
    pub(crate) fn oldest_full(&self) -> Option<Arc<JournalFile>> {
        let files = self.by_number.read();
        files.values().next().filter(|_| files.len() > 1).cloned()
    }

    /// Lets go of a file that is not part of the store any more.
    pub(crate) fn remove(&self, number: u64) {
        self.by_number.write().remove(&number);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.by_number.read().len() as u64
    }

    /// How many there are and how many bytes they have.
    pub(crate) fn measure(&self) -> Result<(u64, u64)> {
        let files: Vec<_> = self.by_number.read().values().cloned().collect();
        let bytes = files.iter().map(|file| file.bytes()).sum::<Result<u64>>()?;
        Ok((files.len() as u64, bytes))
    }
}
