//! What a child process does: it appends and tells what it was answered, each time after it was answered.

use std::io::BufRead;
use std::path::Path;

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Store};

use crate::support::event_with_id;

use super::halting_disk::HaltingDisk;
use super::process::Job;
use super::told::{Told, kind_word};
use super::work::{LANES, Work, options};

/// Appends in several threads until it is killed, or closes after so many appends.
pub(crate) const APPEND: &str = "append";
/// Appends in one thread and meets failures as a caller would: retries, opens again, reads in between.
pub(crate) const STUMBLE: &str = "stumble";
/// Opens, for each line that it is given, the directory that the line names.
pub(crate) const RACE: &str = "race";
/// Small synced appends, and nothing else between two answers.
pub(crate) const STEADY: &str = "steady";

/// Opens and does nothing more.
pub(crate) const HOLD: &str = "hold";

pub(crate) const NAMES: [&str; 5] = [APPEND, STUMBLE, RACE, STEADY, HOLD];

/// A flush follows one of so many appends.
const FLUSH_EVERY: u64 = 11;
/// A file is sealed after so many appends of the first lane.
const SEAL_EVERY: u64 = 29;
/// A stumbling child closes and opens after so many appends.
const REOPEN_EVERY: u64 = 9;
/// One failure is met by trying again, a second one too; what fails for ever is given up.
const ATTEMPTS: usize = 3;

/// Whether the arguments are those of a child process; then all is done when this returns.
pub(crate) fn serve(args: &[String]) -> bool {
    let Some((first, rest)) = args.split_first() else { return false };
    if first != "--child" {
        return false;
    }
    let (job, dir) = Job::from_args(rest).unwrap_or_else(|| panic!("no job for a child: {rest:?}"));
    let dir = Path::new(&dir);
    match job.name {
        APPEND => append(&job, dir),
        STUMBLE => Stumbling { job: &job, dir }.run(),
        RACE => race(&job),
        STEADY => steady(&job, dir),
        HOLD => hold(&job, dir),
        other => unreachable!("{other} is not one of the names"),
    }
    true
}

fn tell(told: Told) {
    println!("{told}");
}

fn open(job: &Job, dir: &Path) -> Option<Store> {
    let maintenance = if job.in_background { Maintenance::Background } else { Maintenance::Inline };
    let options: Options = options(maintenance).journal_file_bytes(job.journal_file_bytes);
    let is_watched = job.halts_at > 0 || job.skips_syncs;
    let options =
        if is_watched { options.disk(HaltingDisk::new(job.halts_at, job.skips_syncs)) } else { options };
    match options.open(dir) {
        Ok(store) => {
            tell(Told::Opened);
            Some(store)
        }
        Err(error) => {
            tell(Told::NotOpened(format!("{} {error:?}", kind_word(error.kind()))));
            None
        }
    }
}

/// Sends a work and tells the answer.
fn send(store: &Store, number: u64) -> Result<(), ErrorKind> {
    let work = Work(number);
    match work.send(store) {
        Ok(place) => {
            tell(Told::Answered { number, position: place.position, durability: work.durability() });
            Ok(())
        }
        Err(error) => {
            eprintln_if_asked(number, &error);
            tell(Told::Failed { number, kind: kind_word(error.kind()) });
            Err(error.kind())
        }
    }
}

/// For whoever looks at one case.
fn eprintln_if_asked(number: u64, error: &annals::Error) {
    if std::env::var_os("TORTURE_TELLS").is_some() {
        eprintln!("append {number}: {error:?}");
    }
}

/// What is there before the flush is called is durable when it returns.
fn flush(store: &Store) -> Result<(), ErrorKind> {
    let head = store.head().as_u64();
    store.flush().map(|()| tell(Told::Durable(head))).map_err(|error| error.kind())
}

/// Seals what is there. It may be refused as an append may be; what is damaged was not damaged by anybody.
fn seal(store: &Store) {
    if let Err(error) = store.seal() {
        let kind = error.kind();
        let is_refused = matches!(
            kind,
            ErrorKind::StorageFull | ErrorKind::Io | ErrorKind::Indeterminate | ErrorKind::Poisoned
        );
        if !is_refused {
            tell(Told::ReadWrong(format!("sealing: {error:?}").replace('\n', " ")));
        }
    }
}

fn close(store: &Store) {
    tell(match store.close() {
        Ok(()) => Told::Closed,
        Err(error) => Told::NotEnded(kind_word(error.kind())),
    });
}

fn append(job: &Job, dir: &Path) {
    let Some(store) = open(job, dir) else { return };
    std::thread::scope(|scope| {
        for lane in 0..job.lanes {
            let store = &store;
            scope.spawn(move || {
                for at in 0..job.appends {
                    if send(store, job.base + at * LANES + lane).is_err() {
                        return;
                    }
                    if at % FLUSH_EVERY == FLUSH_EVERY - 1 && flush(store).is_err() {
                        return;
                    }
                    if lane == 0 && at % SEAL_EVERY == SEAL_EVERY - 1 {
                        seal(store);
                    }
                }
            });
        }
    });
    close(&store);
}

/// A caller who does not give up at once.
struct Stumbling<'a> {
    job: &'a Job,
    dir: &'a Path,
}

impl Stumbling<'_> {
    fn run(&self) {
        let Some(mut store) = self.open_again() else { return };
        for at in 0..self.job.appends {
            let number = self.job.base + at * LANES;
            let Some(goes_on) = self.append(store, number) else { return };
            store = goes_on;
            if at % FLUSH_EVERY == FLUSH_EVERY - 1
                && let Err(kind) = flush(&store)
            {
                tell(Told::NotEnded(kind_word(kind)));
            }
            if at % SEAL_EVERY == SEAL_EVERY - 1 {
                seal(&store);
            }
            if at % REOPEN_EVERY == REOPEN_EVERY - 1 {
                close(&store);
                drop(store);
                let Some(again) = self.open_again() else { return };
                store = again;
            }
        }
        close(&store);
    }

    fn open_again(&self) -> Option<Store> {
        (0..ATTEMPTS).find_map(|_| open(self.job, self.dir))
    }

    /// Sends a work until it is there or all attempts have failed; the store to go on with.
    fn append(&self, mut store: Store, number: u64) -> Option<Store> {
        for _ in 0..ATTEMPTS {
            let Err(kind) = send(&store, number) else { return Some(store) };
            reads_go_on(&store);
            if matches!(kind, ErrorKind::Indeterminate | ErrorKind::Poisoned) {
                // Nothing more is acknowledged. A lane of its own, for what must not be there afterwards.
                let late = number + LANES - 1;
                let acknowledged = (0..2).any(|_| send(&store, late).is_ok()) || store.flush().is_ok();
                if acknowledged || store.close().is_ok() {
                    tell(Told::ReadWrong(format!("acknowledged after append {number} was {kind:?}")));
                }
                drop(store);
                store = self.open_again()?;
            }
        }
        // Waits until its parent has made it possible, if it ever does.
        tell(Told::Halted);
        std::io::stdin().lock().lines().next()?.ok()?;
        send(&store, number).ok().map(|()| store)
    }
}

/// All that is below the head can be read, at the second attempt if a call was made to fail.
fn reads_go_on(store: &Store) {
    let head = store.head().as_u64();
    let read = || store.read().iter().collect::<annals::Result<Vec<_>>>();
    match read().or_else(|_| read()) {
        Ok(events) if events.len() as u64 == head => {}
        Ok(events) => tell(Told::ReadWrong(format!("{} events below head {head}", events.len()))),
        Err(error) => {
            tell(Told::ReadWrong(format!("reading beside a failure: {error:?}").replace('\n', " ")))
        }
    }
}

/// Appends of a child that won a race.
pub(crate) const APPENDS_OF_A_WINNER: u64 = 3;

/// Each line it is given is a base number and a directory to open. The winner appends, and keeps the store until it is
/// given another line.
fn race(job: &Job) {
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(line)) = lines.next() {
        let (base, dir) = line.split_once(' ').expect("a base number and a directory");
        let base: u64 = base.parse().expect("a number");
        let Some(store) = open(job, Path::new(dir)) else { continue };
        for at in 0..APPENDS_OF_A_WINNER {
            // What failed is told.
            let _ = send(&store, base + at * LANES);
        }
        if lines.next().is_none() {
            return;
        }
        close(&store);
    }
}

fn steady(job: &Job, dir: &Path) {
    let Some(store) = open(job, dir) else { return };
    let stream = store.stream("steady").expect("name");
    for number in job.base..job.base + job.appends {
        let receipt = stream.append_raw(ExpectedVersion::Any, [event_with_id(number, "steady")]);
        let receipt = receipt.expect("nothing is in the way of an append");
        let position = receipt.positions().next().expect("one event").as_u64();
        tell(Told::Answered { number, position, durability: Durability::Synced });
    }
    close(&store);
}

/// Keeps the store open until it is killed, or its parent goes.
fn hold(job: &Job, dir: &Path) {
    let Some(_store) = open(job, dir) else { return };
    tell(Told::Halted);
    // The end of standard input is as good as a line.
    let _ = std::io::stdin().lock().lines().next();
}
