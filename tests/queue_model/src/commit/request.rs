//! `Request`: a stand-in for an encoded append: who asks, and what goes wrong when it is served.

/// One append.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) caller: usize,
    /// Counts the appends of its caller.
    pub(crate) number: usize,
    /// What goes wrong in the group that this append is in.
    pub(crate) fault: Option<Fault>,
}

/// What may go wrong while a group is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    WriteFails,
    SyncFails,
    /// Others of the group may still have their requests.
    PanicWhileTaking,
    PanicBeforeSync,
    /// Some of the group are answered, some are not.
    PanicWhileAnswering,
}
