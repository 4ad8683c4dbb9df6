//! `Op`: what a caller may do, and how a process may end and begin; how each is drawn by chance.

use proptest::collection::vec;
use proptest::prelude::*;

use super::ill::{Arm, Kept, arm, kept};

pub(crate) const STREAMS: [&str; 4] = ["account-1", "account-2", "customer-1", "customer-2"];

/// What an event is called by its caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Id {
    /// One that was never used before.
    Fresh,
    /// One of a few, so that ids come again in other appends.
    Known(u64),
    /// The library's.
    None,
}

#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) id: Id,
    /// Type and payload follow from it.
    pub(crate) fill: u8,
    pub(crate) payload_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Any,
    NoStream,
    StreamExists,
    /// So many versions beside the right one; 0 is right.
    Exact(i64),
}

/// What an append does to one stream. One without events only checks it.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) stream: usize,
    pub(crate) expect: Expect,
    pub(crate) events: Vec<Given>,
}

/// How an append differs that is sent again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Twist {
    AsItWas,
    OtherContent,
    WithoutItsLast,
    Reversed,
}

#[derive(Debug, Clone)]
pub(crate) struct ReadOp {
    pub(crate) stream: Option<usize>,
    pub(crate) backward: bool,
    pub(crate) from: Option<u64>,
    pub(crate) as_of: Option<Bound>,
    pub(crate) only: Only,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    Version(u64),
    Position(u64),
    Recorded(i64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Only {
    All,
    Accounts,
    OddType,
    RecordedFrom(i64),
}

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) journal_file_bytes: u64,
    pub(crate) recent_bytes_max: usize,
    /// A torn tail is refused at first.
    pub(crate) strict: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Close,
    Drop,
    Kill,
    PowerCut(Kept),
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Append {
        parts: Vec<Part>,
        synced: bool,
    },
    /// The append so many back, whatever became of it.
    Retry {
        back: usize,
        twist: Twist,
        expect: Option<Expect>,
        synced: bool,
    },
    Read(ReadOp),
    Flush,
    Seal,
    Clock(i64),
    Arm(Arm),
    Heal,
    /// The process ends, and another opens the store; `arms` go wrong in it from the start.
    Restart {
        ending: Ending,
        setup: Setup,
        arms: Vec<Arm>,
    },
}

/// A whole sequence.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) setup: Setup,
    /// While the store is made.
    pub(crate) arms: Vec<Arm>,
    pub(crate) ops: Vec<Op>,
}

pub(crate) fn sequence() -> impl Strategy<Value = Sequence> {
    let arms = prop_oneof![4 => vec(arm(), 0..1), 1 => vec(arm(), 1..2)];
    (setup(), arms, vec(op(), 1..24)).prop_map(|(setup, arms, ops)| Sequence { setup, arms, ops })
}

fn op() -> impl Strategy<Value = Op> {
    let arms = prop_oneof![3 => vec(arm(), 0..1), 2 => vec(arm(), 1..3)];
    let twist = prop_oneof![
        5 => Just(Twist::AsItWas),
        1 => Just(Twist::OtherContent),
        1 => Just(Twist::WithoutItsLast),
        1 => Just(Twist::Reversed),
    ];
    prop_oneof![
        12 => (parts(), any::<bool>()).prop_map(|(parts, synced)| Op::Append { parts, synced }),
        5 => (0..4_usize, twist, prop::option::weighted(0.5, expect()), any::<bool>())
            .prop_map(|(back, twist, expect, synced)| Op::Retry { back, twist, expect, synced }),
        3 => read().prop_map(Op::Read),
        2 => Just(Op::Flush),
        4 => Just(Op::Seal),
        1 => (-100..1_000_i64).prop_map(Op::Clock),
        8 => arm().prop_map(Op::Arm),
        3 => Just(Op::Heal),
        7 => (ending(), setup(), arms).prop_map(|(ending, setup, arms)| Op::Restart { ending, setup, arms }),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let file = prop_oneof![6 => Just(64_u64 << 10), 2 => Just(128 << 10), 1 => Just(600 << 10)];
    let recent = prop_oneof![3 => Just(0_usize), 1 => Just(2_000), 2 => Just(usize::MAX)];
    (file, recent, 0..8_u8).prop_map(|(journal_file_bytes, recent_bytes_max, strict)| Setup {
        journal_file_bytes,
        recent_bytes_max,
        strict: strict == 7,
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        2 => Just(Ending::Close),
        1 => Just(Ending::Drop),
        3 => Just(Ending::Kill),
        4 => kept().prop_map(Ending::PowerCut),
    ]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop_oneof![3 => vec(part(), 1..2), 1 => vec(part(), 2..5)]
}

fn part() -> impl Strategy<Value = Part> {
    let events = prop_oneof![1 => vec(given(), 0..1), 5 => vec(given(), 1..2), 2 => vec(given(), 2..5)];
    (0..STREAMS.len(), expect(), events).prop_map(|(stream, expect, events)| Part { stream, expect, events })
}

fn given() -> impl Strategy<Value = Given> {
    let id = prop_oneof![8 => Just(Id::Fresh), 2 => (0..12_u64).prop_map(Id::Known), 1 => Just(Id::None)];
    let payload_bytes = prop_oneof![
        30 => 1..60_usize,
        12 => 60..3_000_usize,
        4 => 3_000..40_000_usize,
        1 => 60_000..400_000_usize,
    ];
    // The same content for the same known id, mostly, so that another append of it is a retry.
    (id, 1..250_u8, payload_bytes, 0..6_u8).prop_map(|(id, fill, payload_bytes, odd)| match id {
        Id::Known(_) => Given { id, fill: 1 + u8::from(odd == 0), payload_bytes: 10 },
        Id::Fresh | Id::None => Given { id, fill, payload_bytes },
    })
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        6 => Just(Expect::Any),
        1 => Just(Expect::NoStream),
        1 => Just(Expect::StreamExists),
        4 => prop_oneof![6 => Just(0_i64), 1 => -1..3_i64].prop_map(Expect::Exact),
    ]
}

fn read() -> impl Strategy<Value = ReadOp> {
    let as_of = prop_oneof![
        (0..12_u64).prop_map(Bound::Version),
        (0..40_u64).prop_map(Bound::Position),
        (-100..1_000_i64).prop_map(Bound::Recorded),
    ];
    let only = prop_oneof![
        3 => Just(Only::All),
        1 => Just(Only::Accounts),
        1 => Just(Only::OddType),
        1 => (-100..1_000_i64).prop_map(Only::RecordedFrom),
    ];
    let stream = prop::option::of(0..STREAMS.len());
    (stream, any::<bool>(), prop::option::of(0..40_u64), prop::option::of(as_of), only)
        .prop_map(|(stream, backward, from, as_of, only)| ReadOp { stream, backward, from, as_of, only })
}
