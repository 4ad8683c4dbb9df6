//! `FilePart`: a part of one of a store's files, as told to people.

/// A part of a file of a store: where it lies, what it is, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The byte where it begins.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// What it is, in the words of the format's description.
    pub what: &'static str,
    /// What it says, by the names that the format's description gives.
    pub fields: Vec<(&'static str, String)>,
    /// What is wrong with it.
    pub damage: Option<String>,
}

impl FilePart {
    pub(crate) fn new(offset: u64, bytes: u64, what: &'static str) -> Self {
        Self { offset, bytes, what, fields: Vec::new(), damage: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    pub(crate) fn damaged(mut self, what: impl ToString) -> Self {
        self.damage = Some(what.to_string());
        self
    }
}
