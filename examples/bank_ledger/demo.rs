//! `demo`: a tour of what annals does, in a temporary directory, each line printed after it was done.
//!
//! The clock is the tour's own, so that there is a yesterday. Only durations differ from one run to the next.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use annals::disk::Clock;
use annals::{Aggregate, ErrorKind, Options, Outcome, Timestamp, Version};

use super::account::{Account, AccountEvent};
use super::audit;
use super::bank::{Bank, CATEGORY, Transfer};
use super::failure::{Failure, Result};
use super::money::Money;
use super::statement::{Wanted, statement};
use super::time;

const MONDAY: &str = "2024-03-04T09:00:00Z";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SALES: usize = 50_000;
const SALES_A_COMMIT: usize = 5_000;

/// A clock that goes when it is told to.
#[derive(Debug, Clone)]
struct TourClock(Arc<AtomicI64>);

impl TourClock {
    fn starting_at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.as_micros())))
    }

    fn advance(&self, by: Duration) {
        self.0.store(self.now().saturating_add(by).as_micros(), Ordering::Relaxed);
    }
}

impl Clock for TourClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

struct Tour<'a> {
    bank: Bank,
    clock: TourClock,
    out: &'a mut dyn Write,
}

/// Gives the tour.
pub(crate) fn demo(out: &mut dyn Write) -> Result<()> {
    let dir =
        tempfile::tempdir().map_err(|error| Failure::Other(format!("a temporary directory: {error}")))?;
    let path = dir.path().join("bank");
    let clock = TourClock::starting_at(time::parse_moment(MONDAY).map_err(Failure::Other)?);
    let bank = open(&path, &clock)?;
    writeln!(out, "A tour of annals, in a temporary directory. Every line tells what was just done.")?;
    let mut tour = Tour { bank, clock, out };
    tour.accounts()?;
    tour.transfer()?;
    tour.stale_version()?;
    tour.sent_twice()?;
    tour.yesterday()?;
    tour.passbook()?;
    tour.snapshot()?;
    tour.unclean_end(&path)?;
    tour.proof()
}

/// In a process of its own: books three deposits, each durable when it is answered, and dies without closing the store.
pub(crate) fn crash(path: &Path) -> Result<()> {
    let clock = TourClock::starting_at(time::parse_moment(MONDAY).map_err(Failure::Other)?);
    clock.advance(DAY);
    let bank = open(path, &clock)?;
    for coin in ["1.00", "2.00", "3.00"] {
        bank.execute("bob", |bob| bob.deposit(money(coin), "found in a coat"))?;
    }
    process::abort();
}

fn open(path: &Path, clock: &TourClock) -> Result<Bank> {
    Ok(Bank::new(Options::new().clock(clock.clone()).open(path)?))
}

impl Tour<'_> {
    fn accounts(&mut self) -> Result<()> {
        self.title("An account is a stream of events; its balance is what they add up to")?;
        let opened = self.bank.open("ada", "Ada Lovelace")?;
        self.line("ada opens an account", format_args!("version {}", number(opened.version())))?;
        for (amount, memo) in [("500.00", "savings"), ("20.00", "birthday")] {
            let done = self.bank.execute("ada", |ada| ada.deposit(money(amount), memo))?;
            let told = format!("version {}, balance {}", number(done.version()), done.state().balance);
            self.line(format_args!("ada deposits {amount}"), told)?;
        }
        let done = self.bank.execute("ada", |ada| ada.withdraw(money("120.00"), "shoes"))?;
        let told = format!("version {}, balance {}", number(done.version()), done.state().balance);
        self.line("ada withdraws 120.00", told)?;
        let refused = self.bank.execute("ada", |ada| ada.withdraw(money("1000.00"), "piano"));
        self.line("ada withdraws 1000.00", refusal(refused)?)?;
        self.bank.open("bob", "Bob")?;
        self.line("bob opens an account", "balance 0.00")
    }

    fn transfer(&mut self) -> Result<()> {
        self.title("A transfer is one commit over two streams: both or neither")?;
        let dinner = Transfer { from: "ada", to: "bob", amount: money("80.00"), memo: "dinner", id: None };
        let receipt = self.bank.try_transfer(dinner)?;
        let positions: Vec<_> = receipt.receipts().iter().flat_map(|one| one.positions()).collect();
        let places = positions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        self.line("ada sends bob 80.00", format_args!("one commit, positions {places} of the store"))?;
        self.balances()?;
        let piano = Transfer { amount: money("900.00"), memo: "piano", ..dinner };
        let refused = self.bank.try_transfer(piano);
        self.line("ada sends bob 900.00", refusal(refused)?)?;
        let nobody = Transfer { to: "nobody", ..dinner };
        let refused = self.bank.try_transfer(nobody);
        self.line("ada sends nobody 80.00", refusal(refused)?)?;
        self.balances()
    }

    fn stale_version(&mut self) -> Result<()> {
        self.title("Two tellers, one version: the stale one is told so and decides again")?;
        let (first, second) = (self.bank.load("ada")?, self.bank.load("ada")?);
        let seen = format!("version {}, balance {}", number(second.version()), second.balance);
        self.line("both tellers look at ada's account", seen)?;
        let stream = self.bank.stream("ada")?;
        let all = first.withdraw(money("300.00"), "a bicycle").map_err(Failure::refused("ada"))?;
        let receipt = stream.append(first.version(), all)?;
        self.line("the first pays out 300.00", format_args!("version {}", number(receipt.version())))?;
        let some = second.withdraw(money("100.00"), "a lamp").map_err(Failure::refused("ada"))?;
        match stream.append(second.version(), some) {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.line("the second pays out 100.00", "a conflict, and nothing written:")?;
                writeln!(self.out, "    {error}")?;
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Failure::Other("a stale version was taken".into())),
        }
        let again = self.bank.execute("ada", |ada| ada.withdraw(money("100.00"), "a lamp"));
        self.line("the second looks and decides again", refusal(again)?)
    }

    fn sent_twice(&mut self) -> Result<()> {
        self.title("A command with an id is booked once, however often it is sent")?;
        let wages = AccountEvent::Deposited { amount: money("1800.00"), memo: "wages".into() };
        for attempt in ["the employer pays wages of 1800.00", "hears no answer, sends them again"] {
            let done = self.bank.book("ada", Some("wages of March 2024"), &wages)?;
            let version = number(done.receipt().version());
            let told = match done.receipt().outcome() {
                Outcome::Appended => format!("booked at version {version}"),
                Outcome::AlreadyAppended => format!("booked before, at version {version}"),
            };
            self.line(attempt, format_args!("{told}, balance {}", done.state().balance))?;
        }
        Ok(())
    }

    fn yesterday(&mut self) -> Result<()> {
        let monday_evening = self.clock.now().saturating_add(8 * 60 * MINUTE);
        self.clock.advance(DAY);
        self.title("What was, remains: any past state can be asked for")?;
        let done = self.bank.execute("ada", |ada| ada.withdraw(money("700.00"), "rent"))?;
        self.line("ada pays the rent of 700.00", format_args!("balance {}", done.state().balance))?;
        let accounts = self.bank.store().repository::<Account>(CATEGORY);
        let evening = accounts.load_as_of("ada", monday_evening)?;
        let when = format!("as of yesterday, {}", time::show(monday_evening));
        self.line(when, format_args!("balance {}, version {}", evening.balance, number(evening.version())))?;
        let before = accounts.load_as_of("ada", Version::new(2))?;
        self.line("as of version 2", format_args!("balance {}", before.balance))
    }

    fn passbook(&mut self) -> Result<()> {
        self.title("The passbook of ada")?;
        let wanted = Wanted { account: "ada".into(), ..Wanted::default() };
        statement(&self.bank, &wanted, &mut *self.out)
    }

    fn snapshot(&mut self) -> Result<()> {
        self.title("A snapshot spares the folding; it never is the truth")?;
        self.bank.open("till", "a shop")?;
        let started = Instant::now();
        self.sell()?;
        let told = format!("{} commits, {}", SALES / SALES_A_COMMIT, millis(started.elapsed()));
        self.line(format_args!("the shop sells {SALES} sweets"), told)?;
        let accounts = self.bank.store().repository::<Account>(CATEGORY);
        let with_snapshots = accounts.clone().snapshot_every(0);
        let started = Instant::now();
        let folded = accounts.load("till")?;
        let told = format!("{:>5} events folded, {}", folded.events_folded(), millis(started.elapsed()));
        self.line("the till, loaded without a snapshot", told)?;
        with_snapshots.snapshot("till")?;
        with_snapshots
            .execute("till", |till| till.deposit(money("0.10"), "a sweet"))
            .map_err(Failure::rejected("till"))?;
        let started = Instant::now();
        let loaded = with_snapshots.load("till")?;
        let told = format!("{:>5} event folded, {}", loaded.events_folded(), millis(started.elapsed()));
        self.line("with one, and a sale after it", told)?;
        if accounts.load("till")?.state() != loaded.state() {
            return Err(Failure::Other("a snapshot changed an answer".into()));
        }
        self.line("both give the same", format_args!("balance {}", loaded.balance))
    }

    /// Many small movements, each decided by the rules.
    fn sell(&mut self) -> Result<()> {
        let till = self.bank.load("till")?;
        let mut version = till.version();
        let mut state = till.into_state();
        let stream = self.bank.stream("till")?;
        for _ in 0..SALES / SALES_A_COMMIT {
            let mut sales: Vec<AccountEvent> = Vec::new();
            for _ in 0..SALES_A_COMMIT {
                let [sale] = state.deposit(money("0.10"), "a sweet").map_err(Failure::refused("till"))?;
                state.apply(&sale);
                sales.push(sale);
            }
            version = stream.append(version, sales)?.version();
        }
        Ok(())
    }

    fn unclean_end(&mut self, path: &Path) -> Result<()> {
        self.title("A process dies; what it was answered is there")?;
        self.bank.store().close()?;
        let program = process::Command::new(std::env::current_exe()?)
            .args(["demo-crash", "--store"])
            .arg(path)
            .stdout(process::Stdio::null())
            .stderr(process::Stdio::null())
            .status()?;
        self.line("another process books 6.00 for bob, aborts", program)?;
        self.bank = open(path, &self.clock)?;
        let report = self.bank.store().recovery().clone();
        let end = if report.clean { "closed cleanly" } else { "not closed" };
        self.line("opened again: the store had been", end)?;
        let (sealed, took) = (report.sealed_events, millis(report.took));
        self.line("events, and how many of them are sealed", format!("{}, {sealed}", report.events))?;
        self.line("read and checked", format!("{} events, {took}", report.events - sealed))?;
        let torn = report.torn_tail.map_or("none".to_owned(), |torn| format!("{torn:?}"));
        self.line("unfinished write at the end", torn)?;
        self.balances()
    }

    fn proof(&mut self) -> Result<()> {
        self.title("Money is neither made nor lost")?;
        audit::audit(&self.bank, &mut *self.out)?;
        Ok(self.bank.store().close()?)
    }

    fn title(&mut self, title: &str) -> Result<()> {
        self.clock.advance(MINUTE);
        let now = time::show(self.clock.now());
        Ok(writeln!(self.out, "\n{title:<78}  {now}")?)
    }

    fn line(&mut self, done: impl Display, answer: impl Display) -> Result<()> {
        // What is padded must be a text: a width does not reach into what is formatted piece by piece.
        Ok(writeln!(self.out, "  {:<42}  {answer}", done.to_string())?)
    }

    fn balances(&mut self) -> Result<()> {
        let (ada, bob) = (self.bank.load("ada")?.balance, self.bank.load("bob")?.balance);
        self.line("", format_args!("ada has {ada}, bob has {bob}"))
    }
}

fn number(version: Option<Version>) -> String {
    version.map_or("none".to_owned(), |version| version.to_string())
}

fn money(text: &str) -> Money {
    text.parse().expect("the tour's amounts are amounts")
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// The rule's answer to what a rule must refuse.
fn refusal<T>(answer: Result<T>) -> Result<String> {
    match answer {
        Err(Failure::Refused { account, refusal }) => Ok(format!("refused, {account}: {refusal}")),
        Err(failure) => Err(failure),
        Ok(_) => Err(Failure::Other("a rule let through what it must refuse".into())),
    }
}
