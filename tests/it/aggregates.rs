//! Aggregates: loading, deciding, retrying, and what a command may rely on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use annals::testing::given;
use annals::{
    Aggregate, AsOf, ErrorKind, EventId, ExpectedVersion, Outcome, Position, Rejected, Repository,
    SnapshotUse, Store, Timestamp, Version,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::account::{Account, Deposited, NotEnough, Withdrawn, applied, deposits, open};

const COMMAND: EventId = EventId::from_bytes([7; 16]);

struct Bank {
    dir: TempDir,
    store: Store,
}

impl Bank {
    fn new() -> Self {
        let dir = TempDir::new().expect("directory");
        let store = open(&dir.path().join("bank"));
        Self { dir, store }
    }

    fn accounts(&self) -> Repository<Account> {
        self.store.repository("account")
    }

    fn deposit_behind_the_back(&self, cents: i64) {
        let account = self.store.stream("account-1").expect("stream");
        account.append(ExpectedVersion::Any, [Deposited { cents }]).expect("append");
    }
}

fn kind<E>(rejected: Rejected<E>) -> ErrorKind {
    match rejected {
        Rejected::Store(error) => error.kind(),
        Rejected::Command(_) => panic!("rejected by the command"),
    }
}

/// Another handle, as another thread would have it.
fn shared<T: Send + Sync + Clone>(handle: &T) -> T {
    handle.clone()
}

#[test]
fn execute_appends_what_was_decided_and_answers_the_state_after_it() {
    let bank = Bank::new();
    let accounts = bank.accounts();
    let fresh = accounts.load("1").expect("load");
    assert_eq!((fresh.state(), fresh.version()), (&Account::default(), None));
    assert!(!accounts.stream("1").expect("stream").exists().expect("exists"));

    accounts.execute("1", |account| account.deposit(500)).expect("deposit");
    let executed = accounts.execute("1", |account| account.withdraw(120)).expect("withdraw");
    assert_eq!(executed.state().cents, 380);
    assert_eq!(executed.version(), Some(Version::new(1)));
    assert_eq!(executed.receipt().outcome(), Outcome::Appended);
    assert_eq!(executed.receipt().stream().as_str(), "account-1");
    assert_eq!((executed.conflicts_retried(), executed.snapshot()), (0, SnapshotUse::None));
    assert_eq!(accounts.load(1).expect("load").into_state(), executed.into_state());
}

#[test]
fn a_rejected_command_writes_nothing_and_keeps_its_reason() {
    let bank = Bank::new();
    let rejected = bank.accounts().execute("1", |account| account.withdraw(30));
    assert!(matches!(rejected, Err(Rejected::Command(NotEnough { missing: 30 }))));
    assert_eq!(bank.store.head(), Position::FIRST);
}

#[test]
fn a_conflict_is_decided_again_after_reading_the_tail_alone() {
    let bank = Bank::new();
    let accounts = bank.accounts();
    accounts.execute("1", |_| Ok::<_, NotEnough>(deposits(1..=50))).expect("deposits");
    let mut decided = 0;
    let mut executed = None;
    let folded = applied(|| {
        let done = accounts.execute("1", |account| {
            decided += 1;
            if decided == 1 {
                bank.deposit_behind_the_back(1000);
            }
            account.withdraw(account.cents)
        });
        executed = done.ok();
    });
    let executed = executed.expect("executed");
    assert_eq!((decided, executed.conflicts_retried(), executed.state().cents), (2, 1, 0));
    // The fifty, the one behind the back, and the withdrawal.
    assert_eq!(folded, 52);
    assert_eq!(accounts.load("1").expect("load").state(), executed.state());
}

#[test]
fn the_conflict_is_returned_after_as_many_attempts_as_asked_for() {
    let bank = Bank::new();
    for (attempts, expected) in [(None, 3), (Some(5), 5), (Some(1), 1), (Some(0), 1)] {
        let accounts = match attempts {
            Some(attempts) => bank.accounts().attempts(attempts),
            None => bank.accounts(),
        };
        let mut decided = 0;
        let rejected = accounts.execute("1", |account| {
            decided += 1;
            bank.deposit_behind_the_back(1);
            account.deposit(1)
        });
        assert_eq!(kind(rejected.expect_err("conflict")), ErrorKind::Conflict);
        assert_eq!(decided, expected, "{attempts:?}");
    }
}

#[test]
fn a_command_sent_twice_is_booked_once_also_after_reopening() {
    let Bank { dir, store } = Bank::new();
    let both = [Deposited { cents: 500 }, Withdrawn { cents: 20 }];
    let accounts = store.repository::<Account>("account");
    let decide = |_: &Account| Ok::<_, NotEnough>(both.clone());
    let first = accounts.execute_once(COMMAND, "1", decide).expect("first");
    assert_eq!(first.receipt().outcome(), Outcome::Appended);
    accounts.execute("1", |account| account.deposit(1)).expect("another command");
    store.close().expect("close");

    let store = open(&dir.path().join("bank"));
    let accounts = store.repository::<Account>("account");
    let again = accounts
        .execute_once(COMMAND, "1", |_| -> Result<Vec<_>, NotEnough> { panic!("decided again") })
        .expect("again");
    assert_eq!(again.receipt().outcome(), Outcome::AlreadyAppended);
    assert!(again.receipt().versions().eq(first.receipt().versions()));
    assert!(again.receipt().positions().eq(first.receipt().positions()));
    assert_eq!(again.receipt().recorded_at(), first.receipt().recorded_at());
    assert_eq!(again.receipt().version(), Some(Version::new(1)));
    assert_eq!((again.state().cents, again.version()), (481, Some(Version::new(2))));
    assert_eq!(store.head(), Position::new(3));
}

#[test]
fn a_command_booked_while_it_is_decided_is_answered_as_booked() {
    for twin_deposits in [500, 700] {
        let bank = Bank::new();
        let accounts = bank.accounts();
        let executed = accounts
            .execute_once(COMMAND, "1", |account| {
                let twin = bank.accounts();
                twin.execute_once(COMMAND, "1", |account| account.deposit(twin_deposits)).expect("twin");
                account.deposit(500)
            })
            .expect("booked");
        assert_eq!(executed.receipt().outcome(), Outcome::AlreadyAppended, "{twin_deposits}");
        assert_eq!(executed.state().cents, twin_deposits);
        assert_eq!(bank.store.head(), Position::new(1));
    }
}

#[test]
fn a_command_without_events_writes_nothing_and_is_decided_on_the_newest_state() {
    let bank = Bank::new();
    let accounts = bank.accounts();
    let mut seen = Vec::new();
    let executed = accounts.execute("1", |account| {
        if seen.is_empty() {
            bank.deposit_behind_the_back(5);
        }
        seen.push(account.cents);
        Ok::<_, NotEnough>([])
    });
    let executed = executed.expect("executed");
    assert_eq!(seen, [0, 5]);
    assert_eq!((executed.state().cents, executed.version()), (5, Some(Version::FIRST)));
    assert_eq!(executed.receipt().versions().len(), 0);
    assert_eq!(bank.store.head(), Position::new(1));
    // Nothing is there to know such a command by.
    for _ in 0..2 {
        let decided = Cell::new(false);
        let executed = accounts.execute_once(COMMAND, "1", |_| {
            decided.set(true);
            Ok::<_, NotEnough>([])
        });
        assert_eq!(executed.expect("executed").receipt().outcome(), Outcome::Appended);
        assert!(decided.get());
    }
}

#[test]
fn the_cache_sees_what_others_append_and_reads_nothing_else() {
    let bank = Bank::new();
    let cached = bank.accounts().cache(2);
    cached.execute("1", |_| Ok::<_, NotEnough>(deposits(1..=100))).expect("deposits");
    assert_eq!(cached.load("1").expect("load").events_folded(), 0);
    bank.deposit_behind_the_back(7);
    let other = bank.accounts();
    other.execute("1", |account| account.deposit(9)).expect("deposit");
    let loaded = shared(&cached).load("1").expect("load");
    assert_eq!(loaded.events_folded(), 2);
    assert_eq!(loaded.state(), other.load("1").expect("load").state());
    // What was used longest ago makes room.
    cached.load("2").expect("load");
    for id in ["2", "3"] {
        cached.execute(id, |account| account.deposit(1)).expect("deposit");
    }
    assert_eq!(cached.load("1").expect("load").events_folded(), 102);
    assert_eq!(cached.load("3").expect("load").events_folded(), 0);
}

#[test]
fn a_cached_state_is_not_changed_by_a_command_that_was_rejected() {
    let bank = Bank::new();
    let cached = bank.accounts().cache(8);
    cached.execute("1", |account| account.deposit(10)).expect("deposit");
    cached.execute("1", |account| account.withdraw(11)).expect_err("not enough");
    assert_eq!(cached.load("1").expect("load").cents, 10);
}

#[derive(Default)]
struct Fragile;

#[derive(Serialize, Deserialize)]
struct Touched {
    breaks: bool,
}

impl Aggregate for Fragile {
    type Event = Touched;

    fn apply(&mut self, event: &Touched) {
        assert!(!event.breaks, "broken");
    }
}

#[test]
fn a_panic_in_decide_or_apply_leaves_the_store_and_the_repository_usable() {
    let bank = Bank::new();
    let accounts = bank.accounts().cache(4).snapshot_every(1);
    accounts.execute("1", |account| account.deposit(10)).expect("deposit");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        accounts.execute("1", |_| -> Result<Vec<_>, NotEnough> { panic!("in decide") })
    }));
    assert!(panicked.is_err());
    accounts.execute("1", |account| account.withdraw(10)).expect("withdraw");
    assert_eq!(accounts.load("1").expect("load").events, 2);

    let fragile = bank.store.repository::<Fragile>("fragile");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        fragile.execute("1", |_| Ok::<_, NotEnough>([Touched { breaks: true }]))
    }));
    assert!(panicked.is_err());
    assert!(fragile.stream("1").expect("stream").exists().expect("exists"), "the commit came before apply");
    fragile.execute("2", |_| Ok::<_, NotEnough>([Touched { breaks: false }])).expect("another");
    bank.store.close().expect("close");
}

#[test]
fn load_as_of_gives_every_past_state_with_snapshots_and_without() {
    let bank = Bank::new();
    let plain = bank.accounts();
    let with_snapshots = bank.accounts().snapshot_every(3).keep_snapshots(4);
    let mut recorded = Vec::new();
    for cents in 1..=20 {
        let other = bank.store.stream("other-1").expect("stream");
        other.append(ExpectedVersion::Any, [Deposited { cents: 0 }]).expect("append");
        let executed = with_snapshots.execute("1", |account| account.deposit(cents)).expect("deposit");
        recorded.push((executed.receipt().positions().next(), executed.receipt().recorded_at()));
    }
    let mut shortened = 0;
    for (number, (position, time)) in recorded.iter().enumerate() {
        let version = Version::new(number as u64);
        let position = position.expect("position");
        for as_of in [AsOf::Version(version), AsOf::Position(position)] {
            let loaded = with_snapshots.load_as_of("1", as_of).expect("load");
            assert_eq!(loaded.version(), Some(version), "{as_of:?}");
            assert_eq!(loaded.state(), plain.load_as_of("1", as_of).expect("load").state());
            shortened += u64::from(matches!(loaded.snapshot(), SnapshotUse::Used { .. }));
        }
        let at_time = with_snapshots.load_as_of("1", *time).expect("load");
        assert_eq!(at_time.state(), plain.load_as_of("1", *time).expect("load").state());
    }
    assert!(shortened >= 20, "{shortened}");
    assert_eq!(plain.load_as_of("1", Timestamp::MIN).expect("load").version(), None);
    assert_eq!(plain.load_as_of("1", Version::new(u64::MAX)).expect("load").events, 20);
}

#[test]
fn names_that_are_no_category_or_id_are_refused() {
    let bank = Bank::new();
    let id_too_long = "1".repeat(600);
    for (category, id) in [("", "1"), ("bank-account", "1"), ("account", ""), ("account", &id_too_long)] {
        let error = bank.store.repository::<Account>(category).load(id).expect_err(category);
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    bank.accounts().execute("eu-1", |account| account.deposit(1)).expect("an id may have a hyphen");
}

#[test]
fn threads_that_share_a_repository_lose_no_command() {
    let bank = Bank::new();
    let accounts = bank.accounts().attempts(u32::MAX).cache(2).snapshot_every(7);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let accounts = shared(&accounts);
            scope.spawn(move || {
                for _ in 0..25 {
                    accounts.execute("1", |account| account.deposit(1)).expect("deposit");
                }
            });
        }
    });
    assert_eq!(accounts.load("1").expect("load").cents, 100);
    assert_eq!(bank.accounts().load("1").expect("load").cents, 100);
}

#[cfg(feature = "json")]
#[test]
fn a_repository_with_another_codec_reads_the_events_of_both() {
    let bank = Bank::new();
    bank.accounts().execute("1", |account| account.deposit(5)).expect("bincode");
    let json = bank.accounts().with_codec::<annals::Json>().snapshot_every(1);
    json.execute("1", |account| account.deposit(6)).expect("json");
    let last = bank.store.stream("account-1").expect("stream").last().expect("read").expect("event");
    assert_eq!(last.payload(), br#"{"cents":6}"#);
    // The snapshot is JSON, and another repository reads it.
    let loaded = bank.accounts().snapshot_every(10).load("1").expect("load");
    assert_eq!((loaded.cents, loaded.events_folded()), (11, 0));
}

#[test]
fn a_scenario_passes_when_what_follows_is_what_was_expected() {
    given([]).when(|account: &Account| account.deposit(5)).then([Deposited { cents: 5 }]).then_state(
        |account| {
            assert_eq!(account.cents, 5);
        },
    );
    given([Deposited { cents: 5 }])
        .when(|account: &Account| account.withdraw(6))
        .then_rejected(NotEnough { missing: 1 })
        .then_state(|account| assert_eq!(account.cents, 5));
    given(deposits(1..=3)).then_state(|account: &Account| assert_eq!(account.cents, 6));
}

#[test]
fn a_scenario_that_fails_says_what_was_expected_and_what_came() {
    let message = |scenario: fn()| {
        let panic = catch_unwind(scenario).expect_err("fails");
        panic.downcast_ref::<String>().expect("message").clone()
    };
    let other_events = message(|| {
        given([]).when(|account: &Account| account.deposit(5)).then([Withdrawn { cents: 5 }]);
    });
    assert_eq!(
        other_events,
        "other events follow\n  expected: [Withdrawn { cents: 5 }]\n   decided: [Deposited { cents: 5 }]"
    );
    let not_rejected = message(|| {
        given([]).when(|account: &Account| account.deposit(5)).then_rejected(NotEnough { missing: 1 });
    });
    assert!(
        not_rejected.starts_with("the command was not rejected\n  expected: NotEnough"),
        "{not_rejected}"
    );
    let rejected = message(|| {
        given([]).when(|account: &Account| account.withdraw(5)).then([Withdrawn { cents: 5 }]);
    });
    assert!(rejected.contains("rejected: NotEnough { missing: 5 }"), "{rejected}");
}
