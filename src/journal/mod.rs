//! Floor 3: frames and files in arrival order; scan, recovery, verify. Knows nothing of what streams mean.

mod appender;
mod chain;
mod commit_view;
mod draft;
mod files;
mod follow;
mod frame;
mod frame_at;
mod history;
mod identify;
mod journal_file;
mod prepared;
mod read_around;
mod record;
mod recover;
mod scan;
mod search;
mod torn;
mod torn_tail;
mod verify;
mod window;

pub(crate) use appender::{Appender, GroupBuffer, WriteFailure};
pub(crate) use commit_view::CommitView;
pub(crate) use draft::CommitDraft;
pub(crate) use files::Files;
pub(crate) use follow::{Follower, Presence};
pub(crate) use frame_at::FrameAt;
pub(crate) use history::{History, history};
pub(crate) use identify::identify;
pub(crate) use prepared::Prepared;
pub(crate) use recover::{Recovered, Recovery, create_first, holds_no_frame, is_unfinished, recover};
pub(crate) use scan::ScannedFrame;
pub(crate) use search::{FoundFrame, FoundReader, Search, search};
pub use torn_tail::TornTail;
pub use verify::Damage;
pub(crate) use verify::verify_files;
