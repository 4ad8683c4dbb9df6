//! Reads, held against the model.

use annals::{AsOf, Filter, Position, RecordedEvent, Timestamp, Version};

use super::model::Remembered;
use super::op::{Bound, Only, ReadOp, STREAMS};
use super::world::{World, false_alarm, wrong};
use crate::support::{Fault, id};

type Events = Box<dyn DoubleEndedIterator<Item = annals::Result<RecordedEvent>>>;

impl World {
    pub(crate) fn read(&mut self, op: &ReadOp) -> Result<(), Fault> {
        let wanted = self.wanted(op);
        let ((got, error), struck) = self.disk.watch(|| {
            let mut events = self.events(op);
            let mut got = Vec::new();
            loop {
                match events.next() {
                    None => break (got, None),
                    Some(Ok(event)) => got.push(event),
                    Some(Err(error)) => break (got, Some((error, events.next()))),
                }
            }
        });
        if self.disk.death().is_some() {
            return self.rise();
        }
        self.count("reads");
        match error {
            None => self.compare(&got, &wanted)?,
            Some((error, _)) if !struck.any() => return Err(false_alarm("reading", &error)),
            Some((error, after)) => {
                self.count(format!("reads ended by {:?}", error.kind()));
                if !struck.allows(error.kind()) {
                    return Err(wrong(format!("{struck:?}: reading: {:?}: {error}", error.kind())));
                }
                if !matches!(after, Some(Err(_))) {
                    return Err(wrong(format!("after {error} the read yields {after:?}")));
                }
                let before = wanted.get(..got.len()).ok_or_else(|| wrong("more events than there are"))?;
                self.compare(&got, before)?;
            }
        }
        // Whatever it was, it was about that read.
        let again: annals::Result<Vec<_>> = self.disk.unstruck(|| self.events(op).collect());
        let again = again.map_err(|error| false_alarm("reading again", &error))?;
        self.compare(&again, &wanted)
    }

    fn events(&self, op: &ReadOp) -> Events {
        let filter = match op.only {
            Only::All => Filter::new(),
            Only::Accounts => Filter::new().category("account"),
            Only::OddType => Filter::new().event_types(["Odd"]),
            Only::RecordedFrom(time) => Filter::new().recorded(Timestamp::from_micros(time)..),
        };
        let as_of = op.as_of.map(|bound| match bound {
            Bound::Version(version) => AsOf::from(Version::new(version)),
            Bound::Position(position) => AsOf::from(Position::new(position)),
            Bound::Recorded(time) => AsOf::from(Timestamp::from_micros(time)),
        });
        macro_rules! iterated {
            ($read:expr) => {{
                let mut read = $read.filter(filter);
                if let Some(from) = op.from {
                    read = read.from(from.into());
                }
                if let Some(as_of) = as_of {
                    read = read.as_of(as_of);
                }
                if op.backward { Box::new(read.backward().iter()) } else { Box::new(read.iter()) }
            }};
        }
        match op.stream {
            Some(stream) => iterated!(self.store().stream(STREAMS[stream]).expect("name").read()),
            None => iterated!(self.store().read()),
        }
    }

    fn wanted(&self, op: &ReadOp) -> Vec<Remembered> {
        let is_wanted = |(position, event): &(usize, &Remembered)| {
            let position = *position as u64;
            let number = if op.stream.is_some() { event.version } else { position };
            let is_from =
                op.from.is_none_or(|from| if op.backward { number <= from } else { number >= from });
            let is_before = op.as_of.is_none_or(|bound| match bound {
                Bound::Version(version) => event.version <= version,
                Bound::Position(at) => position <= at,
                Bound::Recorded(time) => event.recorded_at <= time,
            });
            let is_admitted = match op.only {
                Only::All => true,
                Only::Accounts => STREAMS[event.sent.stream].starts_with("account-"),
                Only::OddType => event.sent.event_type() == "Odd",
                Only::RecordedFrom(time) => event.recorded_at >= time,
            };
            op.stream.is_none_or(|stream| event.sent.stream == stream) && is_from && is_before && is_admitted
        };
        let admitted = self.model.events.iter().enumerate().filter(is_wanted);
        let mut wanted: Vec<Remembered> = admitted.map(|(_, event)| event.clone()).collect();
        if op.backward {
            wanted.reverse();
        }
        wanted
    }

    /// All of the store, from both sides and by streams, with a disk that does as it is told.
    pub(crate) fn compare_all(&self) -> Result<(), Fault> {
        self.disk.unstruck(|| self.compare_all_of_store())
    }

    pub(crate) fn compare_all_of_store(&self) -> Result<(), Fault> {
        let all_of = |stream, backward| ReadOp { stream, backward, from: None, as_of: None, only: Only::All };
        let streams = (0..STREAMS.len()).map(|stream| all_of(Some(stream), false));
        for op in [all_of(None, false), all_of(None, true)].into_iter().chain(streams) {
            let got: annals::Result<Vec<_>> = self.disk.unstruck(|| self.events(&op).collect());
            let got = got.map_err(|error| false_alarm("reading all", &error))?;
            self.compare(&got, &self.wanted(&op))?;
        }
        Ok(())
    }

    fn compare(&self, got: &[RecordedEvent], wanted: &[Remembered]) -> Result<(), Fault> {
        if self.is_all(got, wanted) { Ok(()) } else { Err(self.misfit_of(got, wanted)) }
    }

    pub(crate) fn is_all(&self, got: &[RecordedEvent], wanted: &[Remembered]) -> bool {
        got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| is_it(got, wanted))
    }

    /// What is wrong with what was found after opening.
    pub(crate) fn misfit(&self, found: &[RecordedEvent]) -> Fault {
        let least = self.model.may_be_found().into_iter().next().unwrap_or_default();
        self.misfit_of(found, &least)
    }

    fn misfit_of(&self, got: &[RecordedEvent], wanted: &[Remembered]) -> Fault {
        let same = got.iter().zip(wanted).take_while(|(got, wanted)| is_it(got, wanted)).count();
        if same == got.len() && same < wanted.len() {
            return Fault::Loss(format!("{} of {} events are there", got.len(), wanted.len()));
        }
        let of = |event: &RecordedEvent| {
            let (stream, version, at) = (event.stream(), event.version(), event.recorded_at().as_micros());
            format!("{stream} version {version} of {} bytes, recorded at {at}", event.payload().len())
        };
        let got_there = got.get(same).map(of);
        let wanted_there = wanted.get(same).map(|event| {
            let stream = STREAMS[event.sent.stream];
            let bytes = event.sent.payload.len();
            format!("{stream} version {} of {bytes} bytes, recorded at {}", event.version, event.recorded_at)
        });
        wrong(format!("event {same} is {got_there:?}, not {wanted_there:?}"))
    }
}

fn is_it(got: &RecordedEvent, wanted: &Remembered) -> bool {
    let sent = &wanted.sent;
    got.stream() == STREAMS[sent.stream]
        && got.version().as_u64() == wanted.version
        && got.recorded_at().as_micros() == wanted.recorded_at
        && got.event_type() == sent.event_type()
        && got.payload() == &sent.payload[..]
        && sent.id.is_none_or(|given| got.id() == id(given))
}
