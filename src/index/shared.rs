//! `Index`: the tables behind one lock, taken for moments: never while a caller's code runs or a disk is asked.

use parking_lot::RwLock;

use super::Tables;

#[derive(Debug)]
pub(crate) struct Index {
    tables: RwLock<Tables>,
}

impl Index {
    pub(crate) fn new(tables: Tables) -> Self {
        Self { tables: RwLock::new(tables) }
    }

    /// Looks something up.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.tables.read())
    }

    /// Changes the tables, in one step for all who read.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        change(&mut self.tables.write())
    }
}
