//! Floor 7: subscriptions: what was appended, and then what is being appended, without gap or repeat.

#[cfg(feature = "futures")]
mod as_stream;
mod subscribe;
mod subscription_type;
mod update;
mod updates;

#[cfg(feature = "futures")]
pub use as_stream::UpdateStream;
pub use subscribe::Subscribe;
pub use subscription_type::Subscription;
pub use update::Update;
pub use updates::Updates;
