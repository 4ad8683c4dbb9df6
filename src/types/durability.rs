//! `Durability`: what an answer to an append means.

/// What has happened to an append's bytes when the append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// On disk: neither a process crash nor a power cut loses it.
    #[default]
    Synced,
    /// Handed to the operating system: a process crash loses nothing; a power cut may lose a suffix of what was
    /// appended since the last sync, never something in the middle. `flush` makes all before it durable.
    Buffered,
}
