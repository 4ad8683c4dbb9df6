//! `Upcasters`: the steps from each old schema version of an event type to the next.
//!
//! A step is looked up by type and version. Every type has a current version: the highest that a step of it or to it
//! reaches, and 1 without steps. An event above it was written by a newer program, one below it must have a step.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::content::decode_content;
use super::field_count::field_count;
use super::{Upcast, Upcasted};
use crate::codec::{Codec, CodecError, Stored};
use crate::types::EventType;
use crate::types::limits::UPCAST_STEPS_MAX;

/// Steps that are applied to old events when they are read.
///
/// The old form of an event is kept as a struct of its own; only the newest is in the enum.
///
/// ```
/// # #[cfg(feature = "bincode")] {
/// use annals::codec::{Bincode, Codec, Upcasters};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct DepositedV1 { cents: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// struct DepositedV2 { currency: String, cents: i64 }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum AccountEvent { Deposited { currency: String, cents: i64 } }
///
/// let upcasters = Upcasters::new().step::<Bincode, _, _>("Deposited", 1, |old: DepositedV1| DepositedV2 {
///     currency: "EUR".into(),
///     cents: old.cents,
/// })?;
/// assert_eq!(upcasters.current_version("Deposited"), 2);
///
/// #[derive(Serialize)]
/// enum OldAccountEvent { Deposited { cents: i64 } }
/// let old = Bincode::encode_event(&OldAccountEvent::Deposited { cents: 500 })?;
/// let new = upcasters.apply(old.as_stored())?;
/// let event: AccountEvent = Bincode::decode_event(new.as_stored())?;
/// assert_eq!(event, AccountEvent::Deposited { currency: "EUR".into(), cents: 500 });
/// # }
/// # Ok::<(), annals::codec::CodecError>(())
/// ```
#[derive(Clone, Default)]
pub struct Upcasters {
    types: Arc<HashMap<String, Steps>>,
}

/// The steps of one event type.
#[derive(Clone)]
struct Steps {
    current_version: u32,
    /// By the version they start from.
    steps: HashMap<u32, Step>,
}

type Step = Arc<dyn Fn(Upcast) -> Result<Upcast, CodecError> + Send + Sync>;

impl Upcasters {
    /// No steps: every type is at version 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A step from this version of the type to the next.
    ///
    /// `Old` and `New` are the content of the event: structs with the fields that its variant had and has now, under any
    /// name. The old payload may be of any codec that is known here; the new one is `C`'s.
    ///
    /// # Errors
    /// When there is a step from this version already, or the version is 0 or the last.
    pub fn step<C, Old, New>(
        self,
        event_type: &str,
        version: u32,
        upcast: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> Result<Self, CodecError>
    where
        C: Codec,
        Old: DeserializeOwned + 'static,
        New: Serialize + 'static,
    {
        let next = next_version(event_type, version)?;
        self.step_into::<C, Old, New>(event_type, version, event_type, next, upcast)
    }

    /// A step from this version of the type to a version of another type, or to a later one of the same.
    ///
    /// # Errors
    /// When there is a step from this version already, a version is 0, or the step goes backwards in its own type.
    pub fn step_into<C, Old, New>(
        self,
        event_type: &str,
        version: u32,
        into_type: &str,
        into_version: u32,
        upcast: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> Result<Self, CodecError>
    where
        C: Codec,
        Old: DeserializeOwned + 'static,
        New: Serialize + 'static,
    {
        let name = into_type.to_owned();
        let step = move |old: Upcast| {
            check_field_count::<Old>(&old)?;
            let mut new = C::encode_event(&upcast(decode_content::<C, Old>(old.as_stored())?))?;
            new.encoding.schema_version = into_version;
            Ok(Upcast { event_type: name.clone(), encoding: new.encoding, payload: new.payload })
        };
        self.insert((event_type, version), (into_type, into_version), Arc::new(step))
    }

    /// A step over the payload's bytes, from this version of the type to the next.
    ///
    /// `upcast` is given the event with the next schema version in its encoding already. It may name another type and
    /// version: then the event goes on from there.
    ///
    /// # Errors
    /// When there is a step from this version already, or the version is 0 or the last.
    pub fn raw_step(
        self,
        event_type: &str,
        version: u32,
        upcast: impl Fn(Upcast) -> Result<Upcast, CodecError> + Send + Sync + 'static,
    ) -> Result<Self, CodecError> {
        let next = next_version(event_type, version)?;
        let name = event_type.to_owned();
        let step = move |mut old: Upcast| {
            old.encoding.schema_version = next;
            let new = upcast(old)?;
            check_forward((&name, version), (&new.event_type, new.encoding.schema_version))?;
            Ok(new)
        };
        self.insert((event_type, version), (event_type, next), Arc::new(step))
    }

    fn insert(mut self, from: (&str, u32), into: (&str, u32), step: Step) -> Result<Self, CodecError> {
        check_step(from, into)?;
        let types = Arc::make_mut(&mut self.types);
        let steps = Steps::of(types, from);
        if steps.steps.insert(from.1, step).is_some() {
            return Err(CodecError::new(format!(
                "there are two upcasters from version {} of {:?}",
                from.1, from.0
            )));
        }
        Steps::of(types, into);
        Ok(self)
    }

    /// The version that new events of this type are written with.
    #[must_use]
    pub fn current_version(&self, event_type: &str) -> u32 {
        self.types.get(event_type).map_or(1, |steps| steps.current_version)
    }

    /// The event at its current version; without a step for it, the event as it is, and nothing is copied.
    ///
    /// # Errors
    /// When the event is newer than the steps, no step leads on from its version, a step fails, or it takes more than
    /// 64 steps.
    pub fn apply<'a>(&self, stored: Stored<'a>) -> Result<Upcasted<'a>, CodecError> {
        let mut event = Upcasted::AsStored(stored);
        for _ in 0..UPCAST_STEPS_MAX {
            let old = event.as_stored();
            let Some(step) = self.next_step(old)? else {
                return Ok(event);
            };
            let new = step(old.into()).map_err(|cause| {
                let version = old.encoding.schema_version;
                cause.in_context(format_args!("upcasting {:?} from version {version}", old.event_type))
            })?;
            event = Upcasted::Changed(new);
        }
        match self.next_step(event.as_stored())? {
            None => Ok(event),
            Some(_) => Err(CodecError::new(format!(
                "event type {:?} takes more than {UPCAST_STEPS_MAX} upcasters: do they run in a circle?",
                stored.event_type
            ))),
        }
    }

    fn next_step(&self, stored: Stored<'_>) -> Result<Option<&Step>, CodecError> {
        let (name, version) = (stored.event_type, stored.encoding.schema_version);
        let steps = self.types.get(name);
        let current = steps.map_or(1, |steps| steps.current_version);
        if version > current {
            return Err(CodecError::new(format!(
                "event type {name:?} is at schema version {current} here and the event at {version}: this program is \
                 older than the data"
            )));
        }
        match steps.and_then(|steps| steps.steps.get(&version)) {
            None if version < current => Err(CodecError::new(format!(
                "event type {name:?} is at schema version {current} here and no upcaster leads there from {version}"
            ))),
            step => Ok(step),
        }
    }
}

impl Steps {
    /// The steps of a type, of which now at least this version is known.
    fn of<'t>(types: &'t mut HashMap<String, Self>, (name, version): (&str, u32)) -> &'t mut Self {
        let steps = types
            .entry(name.to_owned())
            .or_insert_with(|| Self { current_version: 1, steps: HashMap::new() });
        steps.current_version = steps.current_version.max(version);
        steps
    }
}

fn next_version(event_type: &str, version: u32) -> Result<u32, CodecError> {
    version
        .checked_add(1)
        .ok_or_else(|| CodecError::new(format!("there is no version after {version} of {event_type:?}")))
}

fn check_step(from: (&str, u32), into: (&str, u32)) -> Result<(), CodecError> {
    for (name, version) in [from, into] {
        EventType::new(name.to_owned()).map_err(|over| CodecError::new(over.to_string()))?;
        if version == 0 {
            return Err(CodecError::new(format!("schema versions count from 1: version 0 of {name:?}")));
        }
    }
    check_forward(from, into)
}

fn check_forward(from: (&str, u32), into: (&str, u32)) -> Result<(), CodecError> {
    if from.0 == into.0 && into.1 <= from.1 {
        return Err(CodecError::new(format!(
            "an upcaster of {:?} goes backwards, from version {} to {}",
            from.0, from.1, into.1
        )));
    }
    Ok(())
}

impl fmt::Debug for Upcasters {
    /// Each type with its current version.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut types: Vec<_> =
            self.types.iter().map(|(name, steps)| (name, steps.current_version)).collect();
        types.sort_unstable();
        f.write_str("Upcasters ")?;
        f.debug_map().entries(types).finish()
    }
}

/// An old form is read whole: fields that it does not know would be dropped without a word. They are there when the event
/// was written in a newer form by a program that did not have the upcasters, and so marked as old.
fn check_field_count<Old: DeserializeOwned>(old: &Upcast) -> Result<(), CodecError> {
    let (has, version) = (usize::from(old.encoding.fields), old.encoding.schema_version);
    match field_count::<Old>() {
        Some(reads) if has > reads => Err(CodecError::new(format!(
            "the event has {has} fields, and the step from schema version {version} reads {reads}: was it written by a \
             program without these upcasters?"
        ))),
        _ => Ok(()),
    }
}
