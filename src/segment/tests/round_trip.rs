//! What was written comes back, by every way there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::made::{History, Made, any_made, codecs, history, id_of, open, segment};
use crate::disk::{Seed, file_name};
use crate::segment::{Segment, StreamRun};
use crate::state::StateTable;
use crate::types::Compression;
use crate::types::limits::{
    EVENT_TYPE_BYTES_MAX, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};
use crate::types::{Chain, EventId, Extension, Version};

const START: Chain = Chain { position: 1_000_000, n: 903, prev_header_crc: 42 };

/// The streams' runs, as the events say.
fn runs(history: &History) -> BTreeMap<String, StreamRun> {
    let mut runs = BTreeMap::<String, StreamRun>::new();
    for (at, sealed) in history.sorted.iter().enumerate() {
        let at = u32::try_from(at).expect("few");
        let first_version = sealed.event.version();
        let run = runs.entry(sealed.event.stream().to_owned());
        run.or_insert(StreamRun { first_version, ordinals: at..at }).ordinals.end = at + 1;
    }
    runs
}

/// Holds every answer of a segment against the events it was made of.
fn assert_says(segment: &Arc<Segment>, history: &History) {
    let events = u32::try_from(history.sorted.len()).expect("few");
    assert_eq!((segment.start(), segment.end()), (history.start, history.end));
    assert_eq!(segment.events(), events);
    assert_eq!(segment.positions(), history.start.position..history.end.position);
    assert_eq!(segment.damages(), []);
    assert_eq!(segment.states().expect("read"), history.states);
    let runs = runs(history);
    assert_eq!(segment.footer.totals.streams as usize, runs.len());
    for (name, run) in &runs {
        assert_eq!(segment.find_stream(name).expect("read").as_ref(), Some(run), "{name}");
        assert_eq!(segment.find_stream(&format!("{name}0x")).expect("read"), None);
    }
    let all = segment.streams_from("").map(|found| found.expect("read"));
    assert!(all.map(|(name, run)| (name.to_string(), run)).eq(runs.clone()));
    for prefix in ["account-1", "a", "account-", "b", "hä", "\u{10ffff}"] {
        let found = segment.streams_from(prefix).map(|found| found.expect("read").0.to_string());
        assert!(found.eq(runs.keys().filter(|name| name.starts_with(prefix)).cloned()), "{prefix}");
    }
    let mut blocks = segment.blocks(0..events).map(|block| block.expect("read"));
    let mut block = blocks.next();
    for (at, sealed) in history.sorted.iter().enumerate() {
        let ordinal = u32::try_from(at).expect("few");
        if block.as_ref().is_some_and(|block| block.ordinals().end == ordinal) {
            block = blocks.next();
        }
        let block = block.as_ref().expect("a block");
        assert!(block.event(ordinal) == sealed.event && block.event(ordinal).detached() == sealed.event);
        assert_eq!(block.extension(ordinal), sealed.extension);
        assert_eq!(block.position(ordinal), sealed.event.position().as_u64());
        assert_eq!(segment.block_holding(ordinal).expect("read").event(ordinal), sealed.event);
        assert_eq!(segment.ordinal(sealed.event.position().as_u64()).expect("read"), ordinal);
        let run = &runs[sealed.event.stream()];
        assert_eq!(segment.find_id(run, sealed.event.id()).expect("read"), Some(ordinal));
        assert_eq!(segment.find_id(run, id_of(5)).expect("read"), None);
    }
    assert!(blocks.next().is_none());
    let has = |event_type: &str| history.sorted.iter().any(|it| it.event.event_type() == event_type);
    for event_type in ["Deposited", "Withdrawn", "Nothing"] {
        let may_hold = segment.may_hold_type_of(&[event_type.to_owned()]).expect("read");
        assert_eq!(may_hold, has(event_type), "{event_type}");
    }
    let recorded = history.sorted.iter().map(|it| it.event.recorded_at());
    if let (Some(least), Some(greatest)) = (recorded.clone().min(), recorded.max()) {
        assert_eq!(segment.recorded(), (least, greatest));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_written_comes_back(
        made in proptest::collection::vec(any_made(), 0..250),
        first_version in prop_oneof![Just(0), Just(9), Just(u64::MAX - 300)],
    ) {
        let history = history(&made, START, first_version);
        for codec in codecs() {
            let (dir, segment) = segment(&history, codec);
            assert_says(&segment, &history);
            let uncached = open(dir.path(), 0).expect("opened");
            assert_says(&uncached, &history);
            prop_assert_eq!(uncached.cache.stats().bytes, 0);
        }
    }
}

#[test]
fn a_segment_of_many_streams_and_blocks_of_every_kind_says_the_same() {
    let made: Vec<Made> = (0..20_000_u32)
        .map(|at| Made::new(&format!("account-{}", at * 7919 % 6_007), &at.to_le_bytes().repeat(3)))
        .collect();
    let history = history(&made, START, 0);
    let (_dir, segment) = segment(&history, Compression::Lz4);
    assert!(segment.footer.blocks.events > 9 && segment.footer.blocks.streams > 9);
    assert_eq!((segment.footer.blocks.ids, segment.footer.blocks.order), (5, 3));
    assert_says(&segment, &history);
    let absent =
        (0..20_000).filter(|at| segment.find_stream(&format!("other-{at}")).expect("read").is_some());
    assert_eq!(absent.count(), 0);
}

#[test]
fn a_long_stream_is_found_by_its_ids_over_many_blocks() {
    let made: Vec<Made> = (0..10_000_u32)
        .flat_map(|at| {
            [Made::new("long", &at.to_le_bytes()), Made::new("short", b"")]
                .into_iter()
                .take(1 + usize::from(at == 7))
        })
        .collect();
    let history = history(&made, START, 0);
    let (_dir, segment) = segment(&history, Compression::Lz4);
    let run = segment.find_stream("long").expect("read").expect("there");
    for sealed in history.sorted.iter().filter(|it| it.event.stream() == "long").step_by(501) {
        let found = segment.find_id(&run, sealed.event.id()).expect("read").expect("there");
        assert_eq!(segment.block_holding(found).expect("read").event(found), sealed.event);
    }
    for other in 0..100 {
        assert_eq!(segment.find_id(&run, EventId::from_bytes([9; 16]).derive(other)).expect("read"), None);
    }
    assert_eq!(run.first_version, Version::FIRST);
}

#[test]
fn a_run_of_less_than_8_kib_lies_in_one_block() {
    let made: Vec<Made> = (0..2_000_usize)
        .map(|at| Made::new(&format!("account-{}", at % 40), &vec![7; at * 7919 % 500 + 10 * (at % 40)]))
        .collect();
    let history = history(&made, START, 0);
    let (_dir, segment) = segment(&history, Compression::Lz4);
    let mut split = 0;
    for (name, run) in runs(&history) {
        let events = run.ordinals.clone().map(|at| &history.sorted[at as usize].event);
        let bytes: usize = events.map(|event| event.payload().len() + 16 + 16).sum();
        let blocks = segment.blocks(run.ordinals).count();
        assert!(blocks == 1 || bytes >= 8 << 10, "{name}: {bytes} bytes in {blocks} blocks");
        split += usize::from(blocks > 1);
    }
    assert!(split > 0, "some are longer");
}

#[test]
fn a_segment_without_events_is_one_too() {
    let history = history(&[], START, 0);
    let (_dir, segment) = segment(&history, Compression::Lz4);
    assert_says(&segment, &history);
    assert_eq!(segment.find_stream("account-1").expect("read"), None);
    assert_eq!(segment.streams_from("").count(), 0);
}

#[test]
fn more_types_than_the_table_holds_are_not_told() {
    for count in [1_024, 1_025_u32] {
        let made =
            (0..count).map(|at| Made { event_type: format!("type-{at}"), ..Made::new("account-1", b"") });
        let history = history(&made.collect::<Vec<_>>(), START, 0);
        let (_dir, segment) = segment(&history, Compression::Lz4);
        let may_hold = |event_type: &str| segment.may_hold_type_of(&[event_type.to_owned()]).expect("read");
        assert!(may_hold("type-7"));
        assert_eq!(may_hold("other"), count > 1_024, "{count}");
        assert_eq!(segment.damages(), []);
    }
}

#[test]
fn the_largest_event_comes_back_however_well_it_compresses() {
    let largest = Made {
        metadata: vec![0; METADATA_BYTES_MAX],
        extension: Extension { flags: 0xff00, bytes: vec![0; 65_475].into() },
        event_type: "t".repeat(EVENT_TYPE_BYTES_MAX),
        ..Made::new(&"s".repeat(STREAM_NAME_BYTES_MAX), &vec![0; PAYLOAD_BYTES_MAX])
    };
    let history = history(&[Made::new("account-1", b""), largest, Made::new("zebra", b"")], START, 0);
    for codec in codecs() {
        let (_dir, segment) = segment(&history, codec);
        assert_says(&segment, &history);
        assert_eq!(segment.footer.blocks.events, 3, "it has a block to itself");
        assert_eq!(segment.file_bytes() > PAYLOAD_BYTES_MAX as u64, codec == Compression::None);
    }
}

/// If this fails and blocks do not end elsewhere than they did, the format has changed: raise its version, and keep reading
/// the one before.
#[test]
fn a_segment_has_the_same_bytes_for_ever() {
    let with_states = super::damage::small();
    let without = History { states: StateTable::default(), ..super::damage::small() };
    for (history, known) in [(without, (86_224, 3_404_872_974)), (with_states, (86_292, 1_237_187_136))] {
        let (dir, _) = segment(&history, Compression::None);
        let bytes = std::fs::read(dir.path().join(file_name(super::made::NUMBER))).expect("read");
        assert_eq!((bytes.len(), Seed::of_segment(super::made::STORE, 0).checksum(&[&bytes])), known);
    }
}
