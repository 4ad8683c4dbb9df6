//! `Repository`: the aggregates of one category, and how they are loaded and kept at hand.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, DefaultCodec};
use crate::error::{Error, ErrorKind, Quoted, Result};
use crate::store::{Store, Stream};
use crate::types::limits::SNAPSHOTS_KEPT_MAX;

use super::Aggregate;
use super::cache::Cache;
use super::snapshot_policy::SnapshotPolicy;

const ATTEMPTS: u32 = 3;
const SNAPSHOTS_KEPT: u8 = 2;

/// The aggregates of type `A` in one category: cheap to clone, free to share among threads. Made by
/// [`Store::repository`]. The aggregate with id `1` in category `account` is the stream `account-1`.
///
/// ```
/// use annals::{Aggregate, Rejected, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum AccountEvent { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
/// use AccountEvent::{Deposited, Withdrawn};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account { cents: i64 }
///
/// impl Aggregate for Account {
///     type Event = AccountEvent;
///     fn apply(&mut self, event: &AccountEvent) {
///         match event {
///             Deposited { cents } => self.cents += cents,
///             Withdrawn { cents } => self.cents -= cents,
///         }
///     }
/// }
///
/// impl Account {
///     fn deposit(&self, cents: i64) -> Result<[AccountEvent; 1], String> {
///         Ok([Deposited { cents }])
///     }
///     fn withdraw(&self, cents: i64) -> Result<[AccountEvent; 1], String> {
///         if cents > self.cents {
///             return Err(format!("{cents} is more than the {} there are", self.cents));
///         }
///         Ok([Withdrawn { cents }])
///     }
/// }
///
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// let accounts = store.repository::<Account>("account").snapshot_every(500);
/// accounts.execute("1", |account| account.deposit(500))?;
/// let executed = accounts.execute("1", |account| account.withdraw(120))?;
/// assert_eq!(executed.state().cents, 380);
///
/// let refused = accounts.execute("1", |account| account.withdraw(1000));
/// assert!(matches!(refused, Err(Rejected::Command(_))));
/// assert_eq!(accounts.load("1")?.cents, 380);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # A decision over two aggregates
///
/// [`Repository::execute`] decides over one. For two, load both, decide, and append to both streams in one
/// [`Batch`](crate::Batch), each at the version it was loaded at. On a conflict nothing was written: load again.
///
/// ```
/// # use annals::{Aggregate, ExpectedVersion, Store};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # enum AccountEvent { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
/// # use AccountEvent::{Deposited, Withdrawn};
/// # #[derive(Default)]
/// # struct Account { cents: i64 }
/// # impl Aggregate for Account {
/// #     type Event = AccountEvent;
/// #     fn apply(&mut self, event: &AccountEvent) {
/// #         match event {
/// #             Deposited { cents } => self.cents += cents,
/// #             Withdrawn { cents } => self.cents -= cents,
/// #         }
/// #     }
/// # }
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// # store.stream("account-1")?.append(ExpectedVersion::NoStream, [Deposited { cents: 100 }])?;
/// let accounts = store.repository::<Account>("account");
/// let receipt = loop {
///     let (from, to) = (accounts.load("1")?, accounts.load("2")?);
///     if from.cents < 80 {
///         return Err("there is not enough".into());
///     }
///     let committed = store
///         .batch()
///         .append("account-1", from.version(), [Withdrawn { cents: 80 }])
///         .append("account-2", to.version(), [Deposited { cents: 80 }])
///         .commit();
///     match committed {
///         Err(error) if error.is_conflict() => continue,
///         answered => break answered?,
///     }
/// };
/// assert_eq!(receipt.receipts().len(), 2);
/// assert_eq!(accounts.load("2")?.cents, 80);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Repository<A, C = DefaultCodec> {
    pub(super) store: Store,
    category: Arc<str>,
    pub(super) attempts: u32,
    pub(super) keep_snapshots: u8,
    pub(super) snapshots: Option<SnapshotPolicy<A>>,
    pub(super) cache: Option<Cache<A>>,
    codec: PhantomData<fn() -> C>,
}

impl Store {
    /// The aggregates of one category. Writes nothing.
    ///
    /// The category goes up to the first `-` of a stream's name, so it has none itself; an id may have any. A category
    /// that is empty or has a `-` is refused when the repository is used.
    #[must_use]
    pub fn repository<A: Aggregate>(&self, category: impl AsRef<str>) -> Repository<A> {
        Repository {
            store: self.clone(),
            category: category.as_ref().into(),
            attempts: ATTEMPTS,
            keep_snapshots: SNAPSHOTS_KEPT,
            snapshots: None,
            cache: None,
            codec: PhantomData,
        }
    }
}

impl<A: Aggregate, C> Repository<A, C> {
    /// The same aggregates, encoding events with another codec. Reading understands all codecs either way. Snapshots keep
    /// the codec that the repository had when they were asked for.
    #[must_use]
    pub fn with_codec<D: Codec>(self) -> Repository<A, D> {
        let Self { store, category, attempts, keep_snapshots, snapshots, cache, codec: _ } = self;
        Repository { store, category, attempts, keep_snapshots, snapshots, cache, codec: PhantomData }
    }

    /// How often a command is decided in all when other appends come first; then the conflict is returned. 3 unless set,
    /// at least 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How many snapshots of one aggregate are kept: 2 unless set, at least 1, at most 64. Older ones serve
    /// [`Repository::load_as_of`], and the next load when the newest is damaged.
    #[must_use]
    pub fn keep_snapshots(mut self, count: usize) -> Self {
        self.keep_snapshots = u8::try_from(count.clamp(1, SNAPSHOTS_KEPT_MAX)).unwrap_or(SNAPSHOTS_KEPT);
        self
    }

    /// Keeps the states of up to `capacity` aggregates in memory, those used last; a load then reads only what was
    /// appended since. Clones of this repository share them. 0 keeps none.
    #[must_use]
    pub fn cache(mut self, capacity: usize) -> Self
    where
        A: Clone,
    {
        self.cache = (capacity > 0).then(|| Cache::new(capacity));
        self
    }

    /// The category.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }
}

impl<A: Aggregate, C: Codec> Repository<A, C> {
    /// Uses snapshots, and writes one whenever this many events have happened since the last: after the commit was
    /// answered, in the caller's thread. With 0 only [`Repository::snapshot`] writes them.
    ///
    /// A snapshot is a cache: one that cannot be written fails no command, one that is damaged or does not fit the log is
    /// ignored and written anew. [`Loaded::snapshot`](crate::Loaded::snapshot) and [`Store::stats`] tell of both. Raise
    /// [`Aggregate::SNAPSHOT_SCHEMA`] when the type or `apply` changes. A field with `#[serde(skip)]` is not in a
    /// snapshot and comes back as its default.
    #[must_use]
    pub fn snapshot_every(mut self, events: u64) -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        self.snapshots = Some(SnapshotPolicy::new::<C>(events));
        self
    }

    /// The stream of an aggregate.
    ///
    /// # Errors
    /// `Invalid` when the category is empty or has a `-`, when the id is empty, or when both are too long for a stream's
    /// name.
    pub fn stream(&self, id: impl fmt::Display) -> Result<Stream<C>> {
        let name = format!("{}-{id}", self.category);
        let id_is_empty = name.len() == self.category.len() + 1;
        if self.category.is_empty() || self.category.contains('-') || id_is_empty {
            let what = format!(
                "stream {} of category {}: a category may not be empty and has no \"-\", an id may not be empty",
                Quoted(&name),
                Quoted(&self.category)
            );
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        Ok(self.store.stream(name)?.with_codec())
    }
}

impl<A, C> Clone for Repository<A, C> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            category: Arc::clone(&self.category),
            attempts: self.attempts,
            keep_snapshots: self.keep_snapshots,
            snapshots: self.snapshots,
            cache: self.cache.clone(),
            codec: PhantomData,
        }
    }
}

impl<A, C> fmt::Debug for Repository<A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository")
            .field("category", &self.category)
            .field("attempts", &self.attempts)
            .field("snapshots", &self.snapshots)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
