//! `Extension`: what a later version wrote about an event and this one does not know. It is carried along, so that nothing is
//! lost when an event moves from one file to another.

/// What an event's header holds beyond the fields that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Extension {
    /// Bits of the high byte only: of the low byte's, each must be known to whoever reads the event.
    pub(crate) flags: u16,
    /// The header's bytes behind the known fields.
    pub(crate) bytes: Box<[u8]>,
}
