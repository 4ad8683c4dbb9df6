//! annals: an embeddable event store.

mod aggregate;
pub mod codec;
mod commit;
pub mod disk;
mod error;
mod index;
mod journal;
mod manifest;
mod reader;
mod snapshot;
mod store;
mod types;

pub use aggregate::scenario as testing;
pub use aggregate::{Aggregate, Executed, Loaded, Rejected, Repository};
#[cfg(feature = "bincode")]
pub use codec::Bincode;
#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Codec, CodecError, DefaultCodec, NoCodec, Upcasters};
pub use error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Place, Result};
pub use journal::{Damage, TornTail};
pub use snapshot::{SnapshotIgnored, SnapshotUse};
pub use store::{
    Batch, Draft, Events, Maintenance, Options, Read, Recovery, RecoveryReport, Stats, Store, StoreRead,
    Stream, StreamInfo, StreamRead, TypedEvents, VerifyReport,
};
pub use types::*;
