//! `Compression`: how the blocks of a segment are compressed.

/// How the blocks of segments are compressed. Whatever is chosen, all forms are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// lz4: fast both ways.
    #[default]
    Lz4,
    /// zstd: smaller, slower.
    #[cfg(feature = "zstd")]
    Zstd,
}
