//! `Encoding`: how an event's payload was made, kept in the event's header beside the payload.

/// Which codec made a payload. Numbers below 128 belong to annals, the others to its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodecId(u8);

impl CodecId {
    /// Bytes that no codec of annals made: what `append_raw` stores unless told otherwise.
    pub const RAW: Self = Self(0);
    /// bincode 2, standard configuration.
    pub const BINCODE: Self = Self(1);
    /// JSON text.
    pub const JSON: Self = Self(2);

    /// The codec with this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// The serde form of the value that a payload holds the content of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Shape {
    /// Not known: raw bytes.
    #[default]
    Opaque = 0,
    /// A unit variant or unit struct: no content.
    Unit = 1,
    /// A newtype variant or newtype struct: one value.
    Newtype = 2,
    /// A tuple variant or tuple struct: values in order.
    Tuple = 3,
    /// A struct variant or struct: named fields in order.
    Struct = 4,
}

impl Shape {
    /// The number kept on disk.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The shape with this number; `None` for one this version does not know.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Opaque,
            1 => Self::Unit,
            2 => Self::Newtype,
            3 => Self::Tuple,
            4 => Self::Struct,
            _ => return None,
        })
    }
}

/// How a payload was made: what a reader must know, beside the event type, to take it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The codec that made the payload.
    pub codec: CodecId,
    /// The serde form of the value.
    pub shape: Shape,
    /// How many fields the value had when it was written.
    pub fields: u16,
    /// The schema version of the event type, counted from 1.
    pub schema_version: u32,
}

impl Encoding {
    /// Raw bytes, schema version 1.
    pub const RAW: Self = Self { codec: CodecId::RAW, shape: Shape::Opaque, fields: 0, schema_version: 1 };
}

impl Default for Encoding {
    fn default() -> Self {
        Self::RAW
    }
}
