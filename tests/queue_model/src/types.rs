//! Stand-ins for the answer to an append, and for a filter.

/// Where the append is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchReceipt {
    pub(crate) position: usize,
}

/// A filter that admits one stream.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) stream: &'static str,
}

impl Filter {
    pub(crate) fn admits_stream(&self, name: &str) -> bool {
        name == self.stream
    }

    pub(crate) fn admits_type(&self, _event_type: &str) -> bool {
        true
    }
}
