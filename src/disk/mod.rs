//! The disk and the clock that a store uses: the real ones, or your own behind [`Disk`] and [`Clock`].
//!
//! Give them with [`Options::disk`](crate::Options::disk) and [`Options::clock`](crate::Options::clock); tests put a
//! simulated disk and a fixed clock there. Floor 2: the only door to files, clocks and randomness.

mod bytes;
mod checksum;
mod clock;
mod exact;
#[cfg(test)]
pub(crate) mod faulty;
mod numbered;
mod own_dir;
mod random;
mod real_disk;
mod replace;
mod seam;
mod varint;

pub use clock::{Clock, SystemClock};
pub use real_disk::RealDisk;
pub use seam::{Disk, DiskFile, DiskLock, OpenMode};

pub(crate) use bytes::{Cursor, put_i64, put_u16, put_u32, put_u64};
pub(crate) use checksum::Seed;
pub(crate) use exact::{read_exact_at, read_some_at, write_all_at, write_zeros_at};
pub(crate) use numbered::{file_name, number_of};
pub(crate) use own_dir::list_own_dir;
pub(crate) use random::IdSource;
pub(crate) use replace::{CreateFailure, TEMPORARY_SUFFIX, create_complete, replace_file};
pub(crate) use varint::{Varints, put_signed, put_varint};
