//! Floor 0: the words of the store as types. Values only: nothing here opens a file, asks a clock or takes a lock.

mod as_of;
mod durability;
mod encoding;
mod event_id;
mod event_type;
mod expected_version;
mod filter;
pub mod limits;
mod new_event;
mod position;
mod receipt;
mod recorded_event;
mod store_id;
mod stream_name;
mod subject;
mod timestamp;
mod version;

pub use as_of::AsOf;
pub use durability::Durability;
pub use encoding::{CodecId, Encoding, Shape};
pub use event_id::{EventId, ParseEventIdError};
pub use event_type::EventType;
pub use expected_version::ExpectedVersion;
pub use filter::Filter;
pub use limits::OverLimit;
pub use new_event::NewEvent;
pub use position::Position;
pub use receipt::{BatchReceipt, Outcome, Receipt};
pub use recorded_event::RecordedEvent;
pub(crate) use recorded_event::{Facts, Layout};
pub use store_id::StoreId;
pub use stream_name::StreamName;
pub use subject::{SubjectPattern, SubjectPatternError};
pub use timestamp::Timestamp;
pub use version::Version;
