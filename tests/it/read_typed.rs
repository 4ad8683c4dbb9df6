//! Reading values: typed iteration, folds, and what is told when an event cannot be decoded.

use annals::{Bincode, Draft, ErrorKind, ExpectedVersion, NewEvent, Options, Store, Version};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const ANY: ExpectedVersion = ExpectedVersion::Any;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Counted {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
    Closed,
}

#[derive(Debug, Serialize, Deserialize)]
enum Narrow {
    Deposited { cents: i64 },
}

fn counted() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Options::new().recent_bytes_max(0).open(dir.path().join("bank")).expect("open");
    let account = store.stream("account-1").expect("name");
    let events = [Counted::Deposited { cents: 500 }, Counted::Withdrawn { cents: 120 }, Counted::Closed];
    account.append(ExpectedVersion::NoStream, events).expect("append");
    let other = store.stream("account-2").expect("name").with_codec::<annals::Json>();
    other
        .append_drafts(ANY, [Draft::new(Counted::Deposited { cents: 7 }).metadata(*b"json")])
        .expect("append");
    (dir, store)
}

#[test]
fn typed_events_come_back_from_either_end_whatever_codec_made_them() {
    let (_dir, store) = counted();
    let typed: Vec<_> = store.read().typed::<Counted>().collect::<annals::Result<_>>().expect("typed");
    let values: Vec<_> = typed.iter().map(|(_, value)| value.clone()).collect();
    let wanted = [
        Counted::Deposited { cents: 500 },
        Counted::Withdrawn { cents: 120 },
        Counted::Closed,
        Counted::Deposited { cents: 7 },
    ];
    assert_eq!(values, wanted);
    assert_eq!(typed[3].0.event_type(), "Deposited");
    assert_eq!(store.read().typed::<Counted>().next_back().expect("one").expect("typed").1, wanted[3]);
    assert_eq!(store.decode::<Bincode, Counted>(&typed[1].0).expect("decode"), wanted[1]);
}

#[test]
fn folds_go_oldest_first_and_backward_reads_newest_first() {
    let (_dir, store) = counted();
    let account = store.stream("account-1").expect("name");
    let push = |mut seen: Vec<Counted>, event: Counted| {
        seen.push(event);
        seen
    };
    let forward = account.fold(Vec::new(), push).expect("fold");
    let mut backward = account.read().backward().fold(Vec::new(), push).expect("fold");
    backward.reverse();
    assert_eq!(forward, backward);
    let first_two = account.as_of(Version::new(1)).fold(0, |sum, event| match event {
        Counted::Deposited { cents } => sum + cents,
        Counted::Withdrawn { cents } => sum - cents,
        Counted::Closed => sum,
    });
    assert_eq!(first_two.expect("fold"), 380);
}

#[test]
fn a_try_fold_ends_with_the_callers_error() {
    #[derive(Debug)]
    enum Failed {
        Business(i64),
        Store,
    }
    impl From<annals::Error> for Failed {
        fn from(_: annals::Error) -> Self {
            Self::Store
        }
    }
    let (_dir, store) = counted();
    let account = store.stream("account-1").expect("name");
    let mut seen = 0;
    let failed = account.try_fold(0, |_, event| {
        seen += 1;
        if let Counted::Withdrawn { cents } = event { Err(Failed::Business(cents)) } else { Ok(0) }
    });
    assert!(matches!(failed, Err(Failed::Business(120))));
    assert_eq!(seen, 2, "nothing is read beyond it");
    let failed = account.try_fold(0, |sum, _: Narrow| Ok::<_, Failed>(sum + 1));
    assert!(matches!(failed, Err(Failed::Store)));
}

#[test]
fn what_cannot_be_decoded_is_told_with_stream_version_and_type() {
    let (_dir, store) = counted();
    let error =
        store.stream("account-1").expect("name").fold(0, |n, _: Narrow| n + 1).expect_err("unknown type");
    assert_eq!(error.kind(), ErrorKind::Codec);
    for part in ["account-1", "event 1", "Withdrawn"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let mut typed = store.read().typed::<Narrow>();
    typed.next().expect("one").expect("the first is known");
    for _ in 0..3 {
        assert_eq!(typed.next().expect("for ever").expect_err("unknown").kind(), ErrorKind::Codec);
        assert_eq!(typed.next_back().expect("for ever").expect_err("unknown").kind(), ErrorKind::Codec);
    }
    let raw = NewEvent::new("Deposited", vec![0xff; 3]).expect("type");
    store.stream("bad").expect("name").append_raw(ANY, [raw]).expect("any bytes may be appended");
    let error =
        store.stream("bad").expect("name").fold(0, |n, _: Counted| n + 1).expect_err("no value in there");
    assert_eq!(error.kind(), ErrorKind::Codec);
}
