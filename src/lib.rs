//! annals is an embeddable event store: a directory of append-only streams, one for each aggregate, with optimistic
//! concurrency on an expected version, snapshots, and replay that you fold into state. No server, no network.
//!
//! ```
//! use annals::{ExpectedVersion, Store};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! enum AccountEvent {
//!     Opened { owner: String },
//!     Deposited { cents: i64 },
//!     Withdrawn { cents: i64 },
//! }
//! use AccountEvent::{Deposited, Opened, Withdrawn};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let path = std::env::temp_dir().join(format!("bank-{}", std::process::id())); // a real program keeps its own
//!     let store = Store::open(&path)?; // creates or recovers
//!
//!     let account = store.stream("account-1")?;
//!     let first = [Opened { owner: "Ada".into() }, Deposited { cents: 500 }];
//!     let receipt = account.append(ExpectedVersion::NoStream, first)?; // all or nothing, on disk before the answer
//!     account.append(receipt.version(), [Withdrawn { cents: 120 }])?;
//!
//!     // The receipt is stale now: whoever still goes by it is told so, and nothing is written.
//!     let refused = account.append(receipt.version(), [Withdrawn { cents: 400 }]);
//!     assert!(refused.is_err_and(|error| error.is_conflict()));
//!
//!     let balance = account.fold(0, |sum, event| match event {
//!         Opened { .. } => sum,
//!         Deposited { cents } => sum + cents,
//!         Withdrawn { cents } => sum - cents,
//!     })?;
//!     println!("balance: {balance} cents");
//!     assert_eq!(balance, 380);
//!
//!     store.close()?;
//!     std::fs::remove_dir_all(path)?;
//!     Ok(())
//! }
//! ```
//!
//! # Where to start
//!
//! - [`Store`] opens a directory; [`Options`] opens it otherwise than most need.
//! - [`Stream`] appends to and reads one stream; [`Batch`] appends to several at once; [`Read`] narrows a read down.
//! - [`Consume`] hands events to workers, who acknowledge each.
//! - [`Subscribe`] follows a store: what was appended, and then what is being appended.
//! - [`Aggregate`] and [`Repository`] load state, decide and append, with retries, snapshots and a cache;
//!   [`testing`] tests an aggregate's rules without a disk.
//! - [`Codec`] and [`Upcasters`] turn values into bytes and keep old ones readable.
//! - [`Error`] is what everything fails with, [`ErrorKind`] what to branch on.
//!
//! # Features
//!
//! | feature | default | what it gives |
//! | --- | --- | --- |
//! | `bincode` | yes | [`Bincode`](codec), the codec of handles that name no other |
//! | `json` | no | [`Json`](codec) |
//! | `futures` | no | a [`Subscription`] as a `Stream`, for tasks of any runtime |
//! | `cli` | no | the command line, binary `annals` |
//! | `zstd` | no | segments compressed with zstd |
//!
//! Without `bincode` a handle has no codec until [`Stream::with_codec`] names one; raw events need none.

mod aggregate;
pub mod codec;
mod commit;
mod consumer;
pub mod disk;
mod error;
mod index;
mod journal;
mod manifest;
mod reader;
mod segment;
mod snapshot;
mod state;
mod store;
mod subscription;
mod types;

pub use aggregate::scenario as testing;
pub use aggregate::{Aggregate, Executed, Loaded, Rejected, Repository};
#[cfg(feature = "bincode")]
pub use codec::Bincode;
#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Codec, CodecError, DefaultCodec, NoCodec, Upcasters};
pub use consumer::{
    AckDurability, Consume, Consumer, ConsumerInfo, ConsumerStats, Delivery, Handled, ParkPolicy, Parked,
};
pub use error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Place, Result};
pub use journal::{Damage, TornTail};
pub use reader::Skipped;
pub use snapshot::{SnapshotIgnored, SnapshotUse};
pub use store::{
    Batch, Creation, Draft, Events, LostEnd, LostVersions, Maintenance, Options, Read, Recovery,
    RecoveryReport, SalvageReport, SkipDamage, Stats, Store, StoreRead, Stream, StreamInfo, StreamRead,
    TypedEvents, VerifyReport,
};
#[cfg(feature = "futures")]
pub use subscription::UpdateStream;
pub use subscription::{Subscribe, Subscription, Update, Updates};
pub use types::*;
