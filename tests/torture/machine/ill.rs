//! `Arm`: what will go wrong with the disk, at which call, and for how long.

use std::io;

use proptest::prelude::*;

use crate::support::{Keep, Rng};

/// What a call to the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Read,
    Write,
    Sync,
    SyncDir,
    Open,
    Create,
    CreateDir,
    Rename,
    Remove,
    List,
    Lock,
    /// The durable mark is written.
    Mark,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ill {
    /// A write puts down so many bytes and fails.
    Write {
        put_down: usize,
        error: io::ErrorKind,
    },
    /// A write takes nothing and says so.
    WriteNothing,
    ShortWrites(usize),
    ShortReads(usize),
    /// Reads and writes are interrupted: every other one while it lasts, or they would never end.
    Interrupts,
    /// A file's sync fails, and what it should have made durable never is.
    Sync(io::ErrorKind),
    SyncDir(io::ErrorKind),
    Read,
    /// One bit of what a read returns is another one.
    Flip(usize),
    /// Something done to a name fails.
    Name(Doing, io::ErrorKind),
    /// The process is gone at this call, whatever it does; a write puts down so many bytes before.
    Dies {
        put_down: usize,
        after_it: bool,
        end: End,
    },
}

/// How a process ends that does not close its store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// What it wrote is still in the operating system's hands: synced or not, it can be read.
    Killed,
    PowerCut(Kept),
}

/// What a power cut leaves of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kept {
    Nothing,
    Everything,
    /// Each sector and each name by chance.
    Some(u64),
}

impl Kept {
    pub(crate) fn to_keep(self) -> Keep {
        match self {
            Self::Nothing => Keep::Nothing,
            Self::Everything => Keep::Everything,
            Self::Some(seed) => Keep::Some(Rng::new(seed)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    Once,
    UntilHealed,
}

/// Something that will go wrong at the n-th call of its kind from now, counted from 0.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    pub(crate) ill: Ill,
    pub(crate) nth: u32,
    pub(crate) lasts: Lasts,
}

impl Arm {
    /// Whether a call is one of those that are counted.
    pub(crate) fn is_about(&self, doing: Doing) -> bool {
        match self.ill {
            Ill::Write { .. } | Ill::WriteNothing | Ill::ShortWrites(_) => doing == Doing::Write,
            Ill::ShortReads(_) | Ill::Read | Ill::Flip(_) => doing == Doing::Read,
            Ill::Interrupts => matches!(doing, Doing::Read | Doing::Write),
            Ill::Sync(_) => doing == Doing::Sync,
            Ill::SyncDir(_) => doing == Doing::SyncDir,
            Ill::Name(named, _) => doing == named,
            Ill::Dies { .. } => true,
        }
    }

    /// Whether it strikes at the `call`-th call that it is about.
    pub(crate) fn strikes_at(&self, call: u32) -> bool {
        match self.lasts {
            Lasts::Once => call == self.nth,
            Lasts::UntilHealed => {
                let since = call.checked_sub(self.nth);
                since.is_some_and(|since| self.ill != Ill::Interrupts || since.is_multiple_of(2))
            }
        }
    }
}

pub(crate) fn kept() -> impl Strategy<Value = Kept> {
    prop_oneof![2 => Just(Kept::Nothing), 1 => Just(Kept::Everything), 5 => any::<u64>().prop_map(Kept::Some)]
}

pub(crate) fn end() -> impl Strategy<Value = End> {
    prop_oneof![1 => Just(End::Killed), 2 => kept().prop_map(End::PowerCut)]
}

fn error_of_a_write() -> impl Strategy<Value = io::ErrorKind> {
    use io::ErrorKind::{FileTooLarge, Other, QuotaExceeded, StorageFull};
    prop_oneof![3 => Just(StorageFull), 1 => Just(QuotaExceeded), 1 => Just(FileTooLarge), 3 => Just(Other)]
}

/// Whatever a sync fails with, it has failed.
fn error_of_a_sync() -> impl Strategy<Value = io::ErrorKind> {
    prop_oneof![error_of_a_write(), Just(io::ErrorKind::Interrupted), Just(io::ErrorKind::WouldBlock)]
}

/// From nothing over parts of a sector to all of what is written.
fn put_down() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 4 => 1..1_200_usize, 2 => 1_200..80_000_usize, 2 => Just(usize::MAX)]
}

/// Mostly near the front of what is read, where frames are.
fn flipped_bit() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..(6_000 * 8_usize), 1 => any::<usize>()]
}

fn ill() -> impl Strategy<Value = Ill> {
    let name = prop_oneof![
        Just(Doing::Open),
        Just(Doing::Create),
        Just(Doing::CreateDir),
        Just(Doing::Rename),
        Just(Doing::Remove),
        Just(Doing::List),
        Just(Doing::Lock),
    ];
    prop_oneof![
        6 => (put_down(), error_of_a_write()).prop_map(|(put_down, error)| Ill::Write { put_down, error }),
        1 => Just(Ill::WriteNothing),
        1 => (8..600_usize).prop_map(Ill::ShortWrites),
        1 => (8..600_usize).prop_map(Ill::ShortReads),
        1 => Just(Ill::Interrupts),
        4 => error_of_a_sync().prop_map(Ill::Sync),
        2 => error_of_a_sync().prop_map(Ill::SyncDir),
        2 => Just(Ill::Read),
        3 => flipped_bit().prop_map(Ill::Flip),
        3 => (name, error_of_a_write()).prop_map(|(doing, error)| Ill::Name(doing, error)),
        4 => (put_down(), any::<bool>(), end())
            .prop_map(|(put_down, after_it, end)| Ill::Dies { put_down, after_it, end }),
    ]
}

pub(crate) fn arm() -> impl Strategy<Value = Arm> {
    let nth = prop_oneof![4 => Just(0_u32), 4 => 1..4_u32, 2 => 4..20_u32];
    (ill(), nth, any::<bool>()).prop_map(|(ill, nth, lasts)| {
        let once = !lasts || matches!(ill, Ill::Flip(_) | Ill::Dies { .. });
        Arm { ill, nth, lasts: if once { Lasts::Once } else { Lasts::UntilHealed } }
    })
}
