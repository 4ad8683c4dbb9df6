//! Names that only one may have at a time: those of consumers, which go through one door each.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Result;

use super::Store;

/// The names that are taken in this store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims(Arc<Mutex<BTreeSet<String>>>);

/// A name that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Claims,
    name: String,
}

impl Store {
    /// Whether it was opened to be written to.
    ///
    /// # Errors
    /// `ReadOnly` if not.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.inner().check_writable()
    }

    /// Takes a name; `None` when somebody has it.
    pub(crate) fn claim(&self, name: &str) -> Option<Claim> {
        let claims = self.inner().claims.clone();
        let is_free = claims.0.lock().insert(name.to_owned());
        is_free.then(|| Claim { claims, name: name.to_owned() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.name);
    }
}
