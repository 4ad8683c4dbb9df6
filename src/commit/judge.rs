//! The judge: whether an append is accepted. Pure: values in, a verdict out; it asks what it must know through `View`.

use std::collections::HashSet;

use crate::error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Result};
use crate::types::{EventId, Position, StreamName, Timestamp, Version};

use super::request::{Request, RequestEvent};

/// An event that is in a stream already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) recorded_at: Timestamp,
    /// Whether its type and payload are those of the event in hand.
    pub(crate) same_content: bool,
}

/// What the judge asks the store for.
pub(crate) trait View {
    /// The event of this id in a stream, held against event `at` of the request.
    fn known(&self, stream: &StreamName, id: EventId, at: usize) -> Result<Option<Known>>;
}

/// What becomes of an append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its events get these versions, in their order.
    Append(Vec<Version>),
    /// Its events were appended before, here.
    AlreadyAppended(Vec<Known>),
    /// It has nothing to write and its checks hold.
    Nothing,
    /// Checks failed.
    Refused(Vec<Failure>),
}

/// Judges a request. `versions` are the last ones of the streams that it names.
///
/// # Errors
/// `Invalid` for an id given twice, `Exhausted` at the end of `u64`, and what `View` cannot read.
pub(crate) fn judge(request: &Request, versions: &[Option<Version>], view: &impl View) -> Result<Verdict> {
    if request.events.iter().any(|event| event.id_given) {
        refuse_doubled_ids(request)?;
        let (known, failures) = look_up_ids(request, view)?;
        if !failures.is_empty() {
            // Conflicts are told with them: all failing checks are reported.
            return Ok(Verdict::Refused(failures.into_iter().chain(conflicts(request, versions)).collect()));
        }
        if !known.is_empty() {
            return Ok(Verdict::AlreadyAppended(known));
        }
    }
    let failures: Vec<Failure> = conflicts(request, versions).collect();
    if !failures.is_empty() {
        return Ok(Verdict::Refused(failures));
    }
    if request.events.is_empty() && !request.draft.has_states() {
        return Ok(Verdict::Nothing);
    }
    next_versions(request, versions).map(Verdict::Append)
}

fn refuse_doubled_ids(request: &Request) -> Result<()> {
    let mut seen = HashSet::with_capacity(request.events.len());
    for event in request.events.iter().filter(|event| event.id_given) {
        if !seen.insert((event.stream, event.id)) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("event id {} is given twice in one append", event.id),
            ));
        }
    }
    Ok(())
}

/// Where all the events are, if all are there as given; nothing and no failure if none is there.
fn look_up_ids(request: &Request, view: &impl View) -> Result<(Vec<Known>, Vec<Failure>)> {
    let mut found: Vec<Option<Known>> = Vec::with_capacity(request.events.len());
    for (at, event) in request.events.iter().enumerate() {
        found.push(match (event.id_given, request.streams.get(event.stream)) {
            (true, Some(stream)) => view.known(&stream.name, event.id, at)?,
            _ => None,
        });
    }
    let Some(some_are_there) = found.iter().flatten().next().copied() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let all_are_there = found.iter().all(Option::is_some);
    let mut failures = Vec::new();
    let mut last_in: Vec<Option<Version>> = vec![None; request.streams.len()];
    for (event, known) in request.events.iter().zip(&found) {
        let Some(known) = known else { continue };
        let last = last_in.get_mut(event.stream);
        let in_order = last.as_ref().is_none_or(|last| **last < Some(known.version));
        if let Some(last) = last {
            *last = Some(known.version);
        }
        let what = match (known.same_content, all_are_there, in_order) {
            (false, _, _) => IdReuseReason::OtherContent,
            (true, false, _) => IdReuseReason::PartOfBatch,
            (true, true, false) => IdReuseReason::OtherOrder,
            (true, true, true) => continue,
        };
        failures.extend(id_reuse(request, event, known.version, what));
    }
    debug_assert!(
        all_are_there || !failures.is_empty(),
        "a part that is there is a failure: {some_are_there:?}"
    );
    Ok((found.into_iter().flatten().collect(), failures))
}

fn id_reuse(
    request: &Request,
    event: &RequestEvent,
    version: Version,
    what: IdReuseReason,
) -> Option<Failure> {
    let stream = request.streams.get(event.stream)?.name.clone();
    Some(Failure::IdReuse(IdReuse { stream, id: event.id, version, what }))
}

/// Every expectation that does not hold.
fn conflicts(request: &Request, versions: &[Option<Version>]) -> impl Iterator<Item = Failure> {
    request.streams.iter().zip(versions).flat_map(|(stream, actual)| {
        let actual = *actual;
        stream.expected.iter().filter(move |expected| !expected.accepts(actual)).map(move |expected| {
            Failure::Conflict(Conflict { stream: stream.name.clone(), expected: *expected, actual })
        })
    })
}

/// Whether what a request expects of streams that it only checks holds.
pub(crate) fn checks_hold(request: &Request, versions: &[Option<Version>]) -> bool {
    let is_written_to = |number: usize| request.events.iter().any(|event| event.stream == number);
    let checked =
        request.streams.iter().zip(versions).enumerate().filter(|(number, _)| !is_written_to(*number));
    let mut expected =
        checked.flat_map(|(_, (stream, actual))| stream.expected.iter().map(move |it| (it, *actual)));
    expected.all(|(expected, actual)| expected.accepts(actual))
}

/// The next version of its stream for every event.
fn next_versions(request: &Request, versions: &[Option<Version>]) -> Result<Vec<Version>> {
    let exhausted = || Error::new(ErrorKind::Exhausted, "a stream's versions are at the end of u64");
    let mut next: Vec<Option<Version>> =
        versions.iter().map(|last| last.map_or(Some(Version::FIRST), Version::next)).collect();
    let mut versions = Vec::with_capacity(request.events.len());
    for event in &request.events {
        let next = next.get_mut(event.stream).ok_or_else(exhausted)?;
        let version = next.ok_or_else(exhausted)?;
        *next = version.next();
        versions.push(version);
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::disk::IdSource;
    use crate::types::{Durability, ExpectedVersion, NewEvent};

    use super::super::request::StreamCheck;

    #[derive(Default)]
    struct Fixed {
        versions: HashMap<&'static str, u64>,
        known: HashMap<(&'static str, EventId), Known>,
    }

    /// What the judge says of a request to this store.
    fn judge(request: &Request, view: &Fixed) -> Result<Verdict> {
        let version = |stream: &StreamCheck| view.versions.get(stream.name.as_str()).copied();
        let versions: Vec<_> =
            request.streams.iter().map(|stream| version(stream).map(Version::new)).collect();
        super::judge(request, &versions, view)
    }

    impl View for Fixed {
        fn known(&self, stream: &StreamName, id: EventId, _: usize) -> Result<Option<Known>> {
            Ok(self
                .known
                .iter()
                .find(|((name, known), _)| *name == stream.as_str() && *known == id)
                .map(|(_, k)| *k))
        }
    }

    fn id(byte: u8) -> EventId {
        EventId::from_bytes([byte; 16])
    }

    fn at(version: u64, same_content: bool) -> Known {
        let position = Position::new(version + 10);
        Known { version: Version::new(version), position, recorded_at: Timestamp::EPOCH, same_content }
    }

    fn request(streams: &[(&str, ExpectedVersion)], events: &[(usize, Option<EventId>)]) -> Request {
        let streams = streams
            .iter()
            .map(|(name, expected)| StreamCheck {
                name: StreamName::new(name).expect("name"),
                expected: vec![*expected],
            })
            .collect();
        let events: Vec<_> = events
            .iter()
            .map(|(stream, id)| {
                let mut event = NewEvent::new("T", *b"x").expect("event");
                event.id = *id;
                (*stream, event)
            })
            .collect();
        let ids = IdSource::default();
        Request::encode(streams, &events, &[], Durability::Synced, None, &ids, Timestamp::EPOCH)
            .expect("request")
    }

    #[test]
    fn all_failing_expectations_are_reported() {
        let view = Fixed { versions: HashMap::from([("a", 3)]), ..Fixed::default() };
        let request =
            request(&[("a", ExpectedVersion::NoStream), ("b", ExpectedVersion::StreamExists)], &[(0, None)]);
        let Ok(Verdict::Refused(failures)) = judge(&request, &view) else { panic!("refused") };
        assert_eq!(failures.len(), 2);
    }

    #[test]
    fn versions_follow_per_stream_in_the_order_given() {
        let view = Fixed { versions: HashMap::from([("a", 3)]), ..Fixed::default() };
        let request = request(
            &[("a", ExpectedVersion::Any), ("b", ExpectedVersion::Any)],
            &[(0, None), (1, None), (0, None)],
        );
        let versions = [4, 0, 5].map(Version::new).to_vec();
        assert_eq!(judge(&request, &view).expect("verdict"), Verdict::Append(versions));
    }

    #[test]
    fn a_retry_is_answered_whatever_it_expects() {
        let known = HashMap::from([(("a", id(1)), at(0, true)), (("a", id(2)), at(5, true))]);
        let view = Fixed { versions: HashMap::from([("a", 9)]), known };
        let retry = request(&[("a", ExpectedVersion::NoStream)], &[(0, Some(id(1))), (0, Some(id(2)))]);
        assert_eq!(
            judge(&retry, &view).expect("verdict"),
            Verdict::AlreadyAppended(vec![at(0, true), at(5, true)])
        );
    }

    #[test]
    fn an_id_with_other_content_in_other_order_or_in_part_is_refused() {
        let known = HashMap::from([
            (("a", id(1)), at(0, true)),
            (("a", id(2)), at(5, true)),
            (("a", id(3)), at(6, false)),
        ]);
        let view = Fixed { versions: HashMap::from([("a", 9)]), known };
        let reason = |events: &[(usize, Option<EventId>)]| match judge(
            &request(&[("a", ExpectedVersion::Any)], events),
            &view,
        ) {
            Ok(Verdict::Refused(failures)) => match failures.first() {
                Some(Failure::IdReuse(reuse)) => reuse.what,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&[(0, Some(id(3)))]), IdReuseReason::OtherContent);
        assert_eq!(reason(&[(0, Some(id(2))), (0, Some(id(1)))]), IdReuseReason::OtherOrder);
        assert_eq!(reason(&[(0, Some(id(1))), (0, Some(id(9)))]), IdReuseReason::PartOfBatch);
        assert_eq!(reason(&[(0, Some(id(1))), (0, None)]), IdReuseReason::PartOfBatch);
    }

    #[test]
    fn the_same_id_twice_is_refused_in_one_stream_and_allowed_in_two() {
        let view = Fixed::default();
        let streams = [("a", ExpectedVersion::Any), ("b", ExpectedVersion::Any)];
        let twice = judge(&request(&streams, &[(0, Some(id(1))), (0, Some(id(1)))]), &view);
        assert_eq!(twice.expect_err("doubled").kind(), ErrorKind::Invalid);
        assert!(judge(&request(&streams, &[(0, Some(id(1))), (1, Some(id(1)))]), &view).is_ok());
    }

    #[test]
    fn a_stream_at_the_end_of_u64_is_exhausted() {
        let view = Fixed { versions: HashMap::from([("a", u64::MAX - 1)]), ..Fixed::default() };
        let streams = [("a", ExpectedVersion::Any)];
        assert_eq!(
            judge(&request(&streams, &[(0, None)]), &view).expect("the last one"),
            Verdict::Append(vec![Version::new(u64::MAX)])
        );
        let past = judge(&request(&streams, &[(0, None), (0, None)]), &view);
        assert_eq!(past.expect_err("past the end").kind(), ErrorKind::Exhausted);
    }
}
