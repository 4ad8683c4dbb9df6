//! `World`: a store on a frail disk beside its model. Every answer is held against what the model says and what went wrong
//! meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals::{
    BatchReceipt, Durability, Error, ErrorKind, ExpectedVersion, NewEvent, Outcome, Position, Store, Version,
};

use super::frail_disk::{FrailDisk, Struck};
use super::model::{Model, Sent, SentEvent, Wanted};
use super::op::{Ending, Expect, Given, Id, Op, Part, STREAMS, Sequence, Setup, Twist};
use crate::support::{Fault, ManualClock, SimDisk, id, to_usize};

/// Ids of one use start here; below are those that come again.
const FRESH_IDS: u64 = 1_000;

/// What a poisoned store must say.
#[derive(Debug)]
pub(crate) struct Poison {
    /// The error that was the first.
    pub(crate) first: String,
}

/// How often each thing happened.
pub(crate) type Counts = BTreeMap<String, u64>;

pub(crate) struct World {
    pub(crate) disk: FrailDisk,
    pub(crate) store: Option<Store>,
    pub(crate) clock: ManualClock,
    pub(crate) model: Model,
    pub(crate) poison: Option<Poison>,
    /// A directory's sync failed while the store was sealed: it seals no more.
    pub(crate) seals_no_more: bool,
    /// A write was cut short, or may have been, since the store was opened.
    pub(crate) may_be_torn: bool,
    pub(crate) setup: Setup,
    pub(crate) sent: Vec<Sent>,
    /// Of those sent, by their number: whoever sent them was not told.
    pub(crate) doubtful: Vec<usize>,
    fresh_ids: u64,
    pub(crate) injected: u64,
    pub(crate) counts: Counts,
}

pub(crate) fn wrong(what: impl Into<String>) -> Fault {
    Fault::Wrong(what.into())
}

/// An error, and nothing went wrong that it could be about.
pub(crate) fn false_alarm(doing: &str, error: &Error) -> Fault {
    Fault::FalseAlarm(format!("{doing}: {:?}: {error}", error.kind()))
}

impl World {
    /// Runs a sequence, then heals the disk, opens the store once more and resolves all that is in doubt.
    pub(crate) fn run(sequence: &Sequence) -> (Result<(), Fault>, Counts) {
        let mut world = Self::new(sequence.setup);
        let ran = world.run_all(sequence);
        world.injected += world.disk.injected();
        let injected = world.injected;
        world.count_by("injected", injected);
        (ran, world.counts)
    }

    fn new(setup: Setup) -> Self {
        Self {
            disk: FrailDisk::new(SimDisk::new()),
            store: None,
            clock: ManualClock::at(0),
            model: Model::default(),
            poison: None,
            seals_no_more: false,
            may_be_torn: false,
            setup,
            sent: Vec::new(),
            doubtful: Vec::new(),
            fresh_ids: FRESH_IDS,
            injected: 0,
            counts: Counts::new(),
        }
    }

    fn run_all(&mut self, sequence: &Sequence) -> Result<(), Fault> {
        self.open(sequence.setup, &sequence.arms)?;
        for (number, op) in sequence.ops.iter().enumerate() {
            self.step(op).map_err(|fault| at_step(number, fault))?;
        }
        let last = sequence.ops.len();
        self.disk.heal();
        self.restart(&Ending::Kill, self.setup, &[]).map_err(|fault| at_step(last, fault))?;
        self.resolve_doubts().map_err(|fault| at_step(last + 1, fault))?;
        self.restart(&Ending::Close, self.setup, &[]).map_err(|fault| at_step(last + 2, fault))
    }

    fn step(&mut self, op: &Op) -> Result<(), Fault> {
        match op {
            Op::Append { parts, synced } => {
                let sent = self.drawn_up(parts, *synced);
                self.append(sent)?;
            }
            Op::Retry { back, twist, expect, synced } => {
                if let Some(sent) = self.twisted(*back, *twist, *expect, *synced) {
                    self.append(sent)?;
                }
            }
            Op::Read(read) => self.read(read)?,
            Op::Flush => self.flush()?,
            Op::Seal => self.seal()?,
            Op::Clock(now) => {
                self.model.now = *now;
                self.clock.set(*now);
            }
            Op::Arm(arm) => self.disk.arm(arm),
            Op::Heal => self.disk.heal(),
            Op::Restart { ending, setup, arms } => self.restart(ending, *setup, arms)?,
        }
        self.check_heads()
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("between operations the store is open")
    }

    pub(crate) fn count(&mut self, what: impl Into<String>) {
        self.count_by(what, 1);
    }

    fn count_by(&mut self, what: impl Into<String>, by: u64) {
        *self.counts.entry(what.into()).or_default() += by;
    }

    /// Sends again, with the same ids, whatever was left in doubt: it is there once afterwards.
    fn resolve_doubts(&mut self) -> Result<(), Fault> {
        for number in std::mem::take(&mut self.doubtful) {
            let mut sent = self.sent[number].clone();
            if sent.all_have_ids() {
                sent.checks.iter_mut().for_each(|(_, expected)| *expected = ExpectedVersion::Any);
                self.append(sent)?;
                self.count("doubts resolved");
            }
        }
        Ok(())
    }

    fn drawn_up(&mut self, parts: &[Part], synced: bool) -> Sent {
        let checks =
            parts.iter().map(|part| (part.stream, self.expected(part.stream, part.expect))).collect();
        let mut events = Vec::new();
        for (check, part) in parts.iter().enumerate() {
            for given in &part.events {
                events.push((check, self.event(part.stream, given)));
            }
        }
        Sent { checks, events, synced }
    }

    fn event(&mut self, stream: usize, given: &Given) -> SentEvent {
        let id = match given.id {
            Id::Known(id) => Some(id),
            Id::None => None,
            Id::Fresh => {
                self.fresh_ids += 1;
                Some(self.fresh_ids)
            }
        };
        SentEvent { stream, id, payload: Arc::new(payload(given.fill, given.payload_bytes)) }
    }

    fn expected(&self, stream: usize, expect: Expect) -> ExpectedVersion {
        match expect {
            Expect::Any => ExpectedVersion::Any,
            Expect::NoStream => ExpectedVersion::NoStream,
            Expect::StreamExists => ExpectedVersion::StreamExists,
            Expect::Exact(beside) => match self.model.version(stream) {
                None if beside == 0 => ExpectedVersion::NoStream,
                version => Version::new(version.unwrap_or(0).saturating_add_signed(beside)).into(),
            },
        }
    }

    /// An append that was sent before, perhaps with a difference.
    fn twisted(&self, back: usize, twist: Twist, expect: Option<Expect>, synced: bool) -> Option<Sent> {
        let mut sent = self.sent.get(self.sent.len().checked_sub(back + 1)?)?.clone();
        sent.synced = synced;
        if let Some(expect) = expect {
            for (stream, expected) in &mut sent.checks {
                *expected = self.expected(*stream, expect);
            }
        }
        match twist {
            Twist::AsItWas => {}
            Twist::OtherContent => {
                let (_, last) = sent.events.last_mut()?;
                let mut other = last.payload.to_vec();
                *other.last_mut()? ^= 1;
                last.payload = Arc::new(other);
            }
            Twist::WithoutItsLast => drop(sent.events.pop()?),
            Twist::Reversed => {
                // What a check is followed by stays its own: only the events within one change places.
                sent.events.chunk_by_mut(|(a, _), (b, _)| a == b).for_each(<[_]>::reverse);
            }
        }
        Some(sent)
    }

    fn append(&mut self, sent: Sent) -> Result<(), Fault> {
        let wanted = self.model.judge(&sent);
        let (answer, struck) = self.disk.watch(|| send(self.store(), &sent));
        let number = self.sent.len();
        self.sent.push(sent);
        let sent = &self.sent[number];
        if self.disk.death().is_some() {
            self.leave_in_doubt(number, wanted);
            self.count("appends died in");
            return self.rise();
        }
        if self.poison.is_some() {
            return self.check_poisoned("append", answer.map(drop));
        }
        match answer {
            Ok(receipt) => {
                if struck.syncs > 0 {
                    return Err(wrong(format!("answered though a sync failed: {receipt:?}")));
                }
                self.check_receipt(sent, &wanted, &receipt)?;
                let synced = sent.synced;
                self.count(format!("{:?}", receipt.outcome()));
                if let Wanted::Appended(events) = wanted {
                    self.model.append(events);
                }
                if synced {
                    self.model.all_is_durable();
                }
                Ok(())
            }
            Err(error) => self.refused(number, wanted, &struck, &error),
        }
    }

    /// An append was not taken: rightly, or because the disk did not do as it was told.
    fn refused(
        &mut self,
        number: usize,
        wanted: Wanted,
        struck: &Struck,
        error: &Error,
    ) -> Result<(), Fault> {
        self.count(format!("{:?}", error.kind()));
        if error.kind() == ErrorKind::Indeterminate {
            self.check_indeterminate("append", struck, error)?;
            self.leave_in_doubt(number, wanted);
            return Ok(());
        }
        if struck.syncs_of_named > 0 {
            return Err(wrong(format!("a sync failed and the answer is {:?}: {error}", error.kind())));
        }
        if wanted == Wanted::Refused(error.kind(), error.failures().len()) {
            return Ok(());
        }
        // Nothing has changed, and the handle goes on: the model stays as it is.
        match (struck.allows(error.kind()), struck.any()) {
            (true, _) => Ok(()),
            (false, true) => Err(wrong(format!("{struck:?}: {:?}: {error}", error.kind()))),
            (false, false) => match wanted {
                Wanted::Refused(..) => Err(wrong(format!("{:?}: {error}, not {wanted:?}", error.kind()))),
                _ => Err(false_alarm("append", error)),
            },
        }
    }

    fn leave_in_doubt(&mut self, number: usize, wanted: Wanted) {
        // A poisoned store writes nothing: what it refused later is in no doubt.
        if let Wanted::Appended(events) = wanted
            && self.model.in_doubt.is_none()
        {
            self.model.in_doubt = Some(events);
            self.doubtful.push(number);
        }
    }

    /// `Indeterminate` comes after a sync that failed, or after an undoing that did; it poisons.
    pub(crate) fn check_indeterminate(
        &mut self,
        doing: &str,
        struck: &Struck,
        error: &Error,
    ) -> Result<(), Fault> {
        if struck.syncs_of_named == 0 && struck.writes < 2 {
            return Err(false_alarm(doing, error));
        }
        let first = std::error::Error::source(error).map(ToString::to_string);
        let first = first.ok_or_else(|| wrong("an indeterminate append without the error it comes from"))?;
        (self.poison, self.may_be_torn) = (Some(Poison { first }), true);
        Ok(())
    }

    /// A poisoned store says so, names the first error, and does not touch the disk.
    pub(crate) fn check_poisoned(&mut self, doing: &str, answer: Result<(), Error>) -> Result<(), Fault> {
        self.count("Poisoned");
        let error = answer.err().ok_or_else(|| wrong(format!("{doing} on a poisoned store")))?;
        let first = std::error::Error::source(&error).map(ToString::to_string);
        let poison = self.poison.as_ref().map(|poison| poison.first.clone());
        if error.kind() != ErrorKind::Poisoned || first != poison {
            return Err(wrong(format!(
                "{doing} on a store poisoned by {poison:?}: {:?}: {error}",
                error.kind()
            )));
        }
        if self.disk.calls() > 0 {
            return Err(wrong(format!("{doing} on a poisoned store calls the disk")));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let (answer, struck) = self.disk.watch(|| self.store().flush());
        if self.disk.death().is_some() {
            return self.rise();
        }
        if self.poison.is_some() {
            return self.check_poisoned("flush", answer);
        }
        match answer {
            Ok(()) if struck.syncs > 0 => Err(wrong("flush: answered though a sync failed")),
            Ok(()) => {
                self.model.all_is_durable();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Indeterminate => {
                self.check_indeterminate("flush", &struck, &error)
            }
            Err(error) => Err(false_alarm("flush", &error)),
        }
    }

    /// Whatever becomes of it, nothing that readers see changes, and the handle goes on.
    fn seal(&mut self) -> Result<(), Fault> {
        let (answer, struck) = self.disk.watch(|| self.store().seal());
        if self.disk.death().is_some() {
            return self.rise();
        }
        if self.poison.is_some() {
            return self.check_poisoned("seal", answer.map(drop));
        }
        match answer {
            Ok(_) if struck.syncs > 0 || self.seals_no_more => Err(wrong("sealed though a sync failed")),
            Ok(files) => {
                self.count_by("journal files sealed", files);
                self.model.all_is_durable();
                self.disk.unstruck(|| self.compare_all_of_store())
            }
            Err(error) if error.kind() == ErrorKind::Indeterminate => {
                self.check_indeterminate("seal", &struck, &error)
            }
            Err(error) if error.kind() == ErrorKind::Poisoned && self.seals_no_more => Ok(()),
            Err(error) if struck.allows(error.kind()) => {
                self.count(format!("seals ended by {:?}", error.kind()));
                self.seals_no_more |= struck.syncs_of_named > 0;
                Ok(())
            }
            Err(error) => Err(false_alarm("seal", &error)),
        }
    }

    fn check_receipt(&self, sent: &Sent, wanted: &Wanted, receipt: &BatchReceipt) -> Result<(), Fault> {
        let (outcome, positions, recorded_at): (_, Vec<usize>, Option<i64>) = match wanted {
            Wanted::Appended(events) => {
                let first = self.model.events.len();
                let at = events.first().map(|event| event.recorded_at);
                (Outcome::Appended, (first..first + events.len()).collect(), at)
            }
            Wanted::AlreadyAppended(known) => {
                let at = known.iter().map(|at| self.model.events[*at].recorded_at).max();
                (Outcome::AlreadyAppended, known.clone(), at)
            }
            Wanted::Nothing => (Outcome::Appended, Vec::new(), self.model.last_recorded_at()),
            Wanted::Refused(..) => return Err(wrong(format!("{receipt:?}, but it should be {wanted:?}"))),
        };
        let mut told = (receipt.outcome(), receipt.recorded_at().as_micros());
        if (told.0, told.1) != (outcome, recorded_at.unwrap_or_default()) {
            return Err(wrong(format!("{receipt:?}, but it should be {wanted:?}")));
        }
        let version_of = |position: usize| match wanted {
            Wanted::Appended(events) => events[position - self.model.events.len()].version,
            _ => self.model.events[position].version,
        };
        for (stream, name) in STREAMS.iter().enumerate() {
            if !sent.checks.iter().any(|(checked, _)| *checked == stream) {
                continue;
            }
            let of_stream =
                sent.events.iter().zip(&positions).filter(|((_, event), _)| event.stream == stream);
            let places: Vec<(u64, usize)> = of_stream.map(|(_, at)| (version_of(*at), *at)).collect();
            let receipt = receipt.stream(name).ok_or_else(|| wrong(format!("no receipt for {name}")))?;
            told = (receipt.outcome(), told.1);
            let versions = receipt.versions().map(Version::as_u64);
            let got: Vec<(u64, usize)> =
                versions.zip(receipt.positions().map(|at| to_usize(at.as_u64()))).collect();
            if got != places || told.0 != outcome {
                return Err(wrong(format!("{receipt:?}, but its places are {places:?}")));
            }
            let last = match (places.last(), wanted) {
                (Some((version, _)), _) => Some(*version),
                (None, Wanted::AlreadyAppended(_)) => continue,
                (None, _) => self.model.version(stream),
            };
            if receipt.version().map(Version::as_u64) != last {
                return Err(wrong(format!("{receipt:?}, but the stream is at {last:?}")));
            }
        }
        Ok(())
    }

    /// After every operation.
    fn check_heads(&self) -> Result<(), Fault> {
        let store = self.store();
        let wanted = self.model.events.len() as u64;
        if store.head() != Position::new(wanted) {
            return Err(wrong(format!("the head is {}, not {wanted}", store.head())));
        }
        let mut versions = Vec::new();
        for stream in self.disk.unstruck(|| store.streams()).expect("streams") {
            versions.push((stream.name.as_str().to_owned(), Some(stream.version.as_u64())));
        }
        let wanted = STREAMS.iter().enumerate().filter_map(|(stream, name)| {
            let version = self.model.version(stream);
            version.is_some().then(|| ((*name).to_owned(), version))
        });
        let wanted: Vec<_> = wanted.collect();
        if versions == wanted { Ok(()) } else { Err(wrong(format!("{versions:?}, not {wanted:?}"))) }
    }
}

fn at_step(number: usize, fault: Fault) -> Fault {
    match fault {
        Fault::Loss(what) => Fault::Loss(format!("step {number}: {what}")),
        Fault::Wrong(what) => Fault::Wrong(format!("step {number}: {what}")),
        Fault::FalseAlarm(what) => Fault::FalseAlarm(format!("step {number}: {what}")),
    }
}

/// Bytes that are never zero, as zeros in the very last commit before a crash are the one thing that cannot be told from a
/// torn write (docs/guarantees.md).
fn payload(fill: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((usize::from(fill) + at * 7) % 255).map_or(1, |byte| byte + 1)).collect()
}

fn send(store: &Store, sent: &Sent) -> annals::Result<BatchReceipt> {
    let durability = if sent.synced { Durability::Synced } else { Durability::Buffered };
    let mut batch = store.batch().durability(durability);
    for (check, (stream, expected)) in sent.checks.iter().enumerate() {
        let of_check = sent.events.iter().filter(|(of, _)| *of == check);
        let events: Vec<NewEvent> = of_check.map(|(_, event)| to_new_event(event)).collect();
        batch = match events.is_empty() {
            true => batch.check(STREAMS[*stream], *expected),
            false => batch.append_raw(STREAMS[*stream], *expected, events),
        };
    }
    batch.commit()
}

fn to_new_event(event: &SentEvent) -> NewEvent {
    let mut new = NewEvent::new(event.event_type(), event.payload.to_vec()).expect("within the limits");
    new.id = event.id.map(id);
    new
}
