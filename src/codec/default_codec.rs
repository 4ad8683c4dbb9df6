//! `DefaultCodec`: what typed handles use until another codec is named.

/// The codec of handles that name none: [`Bincode`](super::Bincode).
#[cfg(feature = "bincode")]
pub type DefaultCodec = super::Bincode;

/// The codec of handles that name none: without the feature `bincode` there is none to default to.
#[cfg(not(feature = "bincode"))]
pub type DefaultCodec = NoCodec;

/// No codec. It does not implement [`Codec`](super::Codec), so a handle with it has the raw calls, and the typed ones
/// do not compile until one with a codec is made (`with_codec`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NoCodec;
