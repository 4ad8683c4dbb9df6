//! Floor 6: puts the floors below together: opening, handles, builders, closing, verifying, statistics.

mod batch;
mod checkpoints;
mod draft;
mod following;
mod handle;
mod inner;
mod inspect;
mod maintenance;
mod open;
mod open_read_only;
mod options;
mod read;
mod recovery_report;
mod salvage;
mod salvage_report;
mod salvage_sealed;
mod salvage_states;
mod sealer;
mod stats;
mod stream;
mod tiers;
mod typed;
mod verify;
mod verify_sealed;
mod verify_tiers;

pub use batch::Batch;
pub use draft::Draft;
pub use handle::{Store, StreamInfo};
pub use options::{Creation, Maintenance, Options, Recovery};
pub use read::{Events, Read, SkipDamage, StoreRead, StreamRead};
pub use recovery_report::RecoveryReport;
pub use salvage_report::{LostEnd, LostVersions, SalvageReport};
pub use stats::Stats;
pub use stream::Stream;
pub use typed::TypedEvents;
pub use verify::VerifyReport;
