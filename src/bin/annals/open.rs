//! Opening a store that must be there: looking at a store never makes one.

use std::path::Path;

use annals::{Creation, Error, ErrorKind, Options, Store};

use crate::failure::Failure;
use crate::output::{count, tell};

/// The store in `path`. What recovery cut off is told on standard error.
pub(crate) fn open_existing(path: &Path) -> Result<Store, Failure> {
    open(Options::new().read_only(), path)
}

/// The store in `path`, if there is one.
pub(crate) fn open_if_there(options: Options, path: &Path) -> Result<Option<Store>, Failure> {
    match options.creation(Creation::Never).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => told(opened, path).map(Some),
    }
}

/// Opens a store as `options` say, and tells on standard error what was cut off.
pub(crate) fn open(options: Options, path: &Path) -> Result<Store, Failure> {
    told(options.open(path), path)
}

fn told(opened: Result<Store, Error>, path: &Path) -> Result<Store, Failure> {
    let store = opened.map_err(|error| {
        if error.kind() == ErrorKind::Corrupt {
            tell("`annals verify` lists all damage, `annals salvage` writes what is sound into a new store");
        }
        Failure::because(format!("opening store {path:?}"), error)
    })?;
    if let Some(torn) = &store.recovery().torn_tail {
        let what = format!("{} in {:?} at offset {}", count(torn.bytes, "byte"), torn.path, torn.offset);
        match &torn.quarantined {
            Some(copy) => tell(format_args!(
                "the store was not closed cleanly: an unfinished write of {what} was cut off, a copy is in {copy:?}"
            )),
            None => tell(format_args!(
                "the store was not closed cleanly: an unfinished write of {what} is left out"
            )),
        }
    }
    Ok(store)
}

/// Whether there is a directory to look at.
pub(crate) fn require_dir(path: &Path) -> Result<(), Failure> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failure::new(format!("{path:?} is not a store: it is not a directory"))),
        Err(error) => Err(Failure::because(format!("looking at store {path:?}"), error)),
    }
}
