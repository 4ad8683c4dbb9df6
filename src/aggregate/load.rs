//! Loading: a cached state, a snapshot or the default, and the events after it.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::Codec;
use crate::error::Result;
use crate::snapshot::{FoldedUpTo, FoundSnapshot, SnapshotIgnored, SnapshotUse};
use crate::store::Stream;
use crate::types::{AsOf, Version};

use super::snapshot_policy::SnapshotPolicy;
use super::{Aggregate, Loaded, Repository};

impl<A: Aggregate, C: Codec> Repository<A, C> {
    /// The state of an aggregate now; the default when it has no event.
    ///
    /// # Errors
    /// `Invalid` when id and category make no stream's name; `Codec` naming stream, version and type when an event cannot
    /// be decoded; `Corrupt` or `Io` when it cannot be read.
    pub fn load(&self, id: impl fmt::Display) -> Result<Loaded<A>> {
        let stream = self.stream(id)?;
        let loaded = self.fold(&stream)?;
        self.remember(&stream, &loaded.state, loaded.up_to, loaded.snapshot);
        Ok(loaded)
    }

    /// The state of an aggregate as it was at a version, a position or a time. A snapshot is used only when nothing in it
    /// is later than that; none is written.
    ///
    /// # Errors
    /// As [`Repository::load`].
    pub fn load_as_of(&self, id: impl fmt::Display, as_of: impl Into<AsOf>) -> Result<Loaded<A>> {
        let stream = self.stream(id)?;
        let last = stream.as_of(as_of).backward().iter().next().transpose()?;
        let Some(last) = last else {
            return Ok(Loaded::fresh(SnapshotUse::None));
        };
        // From here on the bound is a version: what is appended meanwhile cannot move it.
        let at_most = Some(last.version());
        let mut loaded = self.start(&stream, at_most)?;
        loaded.refold(&stream, at_most)?;
        Ok(loaded)
    }

    /// Writes a snapshot of an aggregate as it is now; the version it is of, `None` when there is no event.
    ///
    /// Loads look for snapshots if [`Repository::snapshot_every`] was asked for, be it with 0.
    ///
    /// # Errors
    /// As [`Repository::load`]; `Codec` when the state would not come back as it is, `Invalid` when it or its type's name
    /// is past a limit, `Closed`, `ReadOnly`, `StorageFull` and `Io`: the older snapshots are there still.
    pub fn snapshot(&self, id: impl fmt::Display) -> Result<Option<Version>>
    where
        A: Serialize + DeserializeOwned,
    {
        let stream = self.stream(id)?;
        let loaded = self.fold(&stream)?;
        let Some(up_to) = loaded.up_to else {
            return Ok(None);
        };
        let policy = self.snapshots.unwrap_or_else(|| SnapshotPolicy::new::<C>(0));
        policy.write(self.store.snapshots(), stream.name(), &loaded.state, up_to, self.keep_snapshots)?;
        Ok(Some(up_to.version))
    }

    /// The state now, from what is nearest at hand.
    pub(super) fn fold(&self, stream: &Stream<C>) -> Result<Loaded<A>> {
        let cached = self.cache.as_ref().and_then(|cache| cache.state(stream.name()));
        let mut loaded = match cached {
            Some((state, up_to)) => Loaded { state, up_to: Some(up_to), ..Loaded::fresh(SnapshotUse::None) },
            None => self.start(stream, None)?,
        };
        loaded.refold(stream, None)?;
        Ok(loaded)
    }

    /// Keeps a state at hand: in the cache, and as a snapshot when one is due or was ignored. Fails nobody.
    pub(super) fn remember(
        &self,
        stream: &Stream<C>,
        state: &A,
        up_to: Option<FoldedUpTo>,
        snapshot: SnapshotUse,
    ) {
        let Some(up_to) = up_to else {
            return;
        };
        if let Some(cache) = &self.cache {
            cache.keep(stream.name(), state, up_to);
        }
        let Some(policy) = &self.snapshots else {
            return;
        };
        let snapshots = self.store.snapshots();
        let was_ignored = matches!(snapshot, SnapshotUse::Ignored(_));
        let is_wanted = was_ignored || policy.is_due(snapshots, stream.name(), up_to);
        if is_wanted && snapshots.takes_writes() {
            // A failure is counted where it happens; the state is in the events.
            let _ = policy.write(snapshots, stream.name(), state, up_to, self.keep_snapshots);
        }
    }

    /// Whether a state that was just made would be kept at hand.
    pub(super) fn keeps_states(&self) -> bool {
        self.cache.is_some() || self.snapshots.is_some()
    }

    /// The newest snapshot in bounds that fits the log, or the default.
    fn start(&self, stream: &Stream<C>, at_most: Option<Version>) -> Result<Loaded<A>> {
        let Some(policy) = &self.snapshots else {
            return Ok(Loaded::fresh(SnapshotUse::None));
        };
        let snapshots = self.store.snapshots();
        let kind = SnapshotPolicy::<A>::kind();
        let mut ignored: Option<SnapshotIgnored> = None;
        // Each turn rejects a snapshot, so there are no more turns than snapshots.
        loop {
            let (found, passed_over) = snapshots.find(stream.name(), kind, at_most);
            ignored = ignored.or(passed_over);
            let Some(found) = found else {
                let ignored = ignored.or_else(|| snapshots.why_not(stream.name(), kind));
                return Ok(Loaded::fresh(ignored.map_or(SnapshotUse::None, SnapshotUse::Ignored)));
            };
            match open(policy, stream, &found)? {
                Ok(state) => {
                    snapshots.accept();
                    let up_to = found.up_to;
                    let used = SnapshotUse::Used { version: up_to.version };
                    let snapshot = ignored.map_or(used, SnapshotUse::Ignored);
                    return Ok(Loaded { state, up_to: Some(up_to), ..Loaded::fresh(snapshot) });
                }
                Err(reason) => {
                    snapshots.reject(stream.name(), &found);
                    ignored = ignored.or(Some(reason));
                }
            }
        }
    }
}

/// The state in a snapshot, if the event that it was folded up to is in the log as it says.
fn open<A: Aggregate, C: Codec>(
    policy: &SnapshotPolicy<A>,
    stream: &Stream<C>,
    found: &FoundSnapshot,
) -> Result<Result<A, SnapshotIgnored>> {
    Ok(match up_to(stream, found.up_to.version)? {
        None => Err(SnapshotIgnored::NewerThanLog),
        Some(in_log) if in_log != found.up_to => Err(SnapshotIgnored::Foreign),
        Some(_) => policy.decode(found.codec, found.state()).map_err(|_| SnapshotIgnored::CannotDecode),
    })
}

/// The event at a version, as a state remembers it; `None` when the stream is shorter.
pub(super) fn up_to<C>(stream: &Stream<C>, version: Version) -> Result<Option<FoldedUpTo>> {
    let event = stream.read().from(version).as_of(version).iter().next().transpose()?;
    Ok(event.as_ref().map(FoldedUpTo::from))
}

impl<A: Aggregate> Loaded<A> {
    /// The state before the first event.
    fn fresh(snapshot: SnapshotUse) -> Self {
        Self { state: A::default(), up_to: None, snapshot, events_folded: 0 }
    }

    /// Applies what was appended after the state, as far as `at_most`.
    pub(super) fn refold<C: Codec>(&mut self, stream: &Stream<C>, at_most: Option<Version>) -> Result<()> {
        let next = match self.version() {
            Some(version) => version.next(),
            None => Some(Version::FIRST),
        };
        let Some(next) = next else {
            return Ok(());
        };
        let read = stream.read().from(next);
        let read = match at_most {
            Some(version) => read.as_of(version),
            None => read,
        };
        for event in read.typed::<A::Event>() {
            let (recorded, event) = event?;
            self.state.apply(&event);
            self.up_to = Some(FoldedUpTo::from(&recorded));
            self.events_folded += 1;
        }
        Ok(())
    }
}
