//! Real power cuts: a store on an ext4 in a file, and the call that shuts the file system down at once, so that what was
//! not written to its device, and not committed to its journal, is gone. Then it is mounted again and looked at.
//!
//! Before that, files of the store are sometimes synced from outside: the operating system may write what was not synced
//! whenever it likes. And first of all it is seen that a store which does not sync loses something here.
//!
//! The call is made by perl, so that no unsafe code is needed. What is not tried: a device that loses what it had taken
//! but was not told to flush, since the image stays in the page cache of the machine.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use annals::{Durability, Maintenance};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng, to_usize};

use super::child::{APPEND, HOLD};
use super::disks::{Mounted, make_ext4, may_mount_ext4};
use super::kills::{append_and_kill, halt_somewhere};
use super::ledger::{EndedBy, Ledger};
use super::machine::{needs, temporary_dir};
use super::process::{Job, Process};
use super::told::Told;
use super::work::{LANES, options};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "power cuts", share: 8, run };

/// Stores of a short run.
const STORES: u64 = 6;
/// Rounds in the life of a store.
const ROUNDS_MAX: u64 = 16;
const IMAGE_BYTES: u64 = 64 << 20;
/// Half of the stores in the mode that is ext4's own.
const MODES: [&str; 4] = ["data=ordered", "data=writeback", "data=ordered", "data=journal"];

/// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH.
const CUT: &str = r#"
    open(my $dir, "<", $ARGV[0]) or die "open: $!";
    my $flags = pack("l", 2);
    $| = 1;
    print "ready\n";
    <STDIN>;
    ioctl($dir, 0x8004587d, $flags) or die "ioctl: $!";
    print "cut\n";
"#;

fn run(budget: &Budget, tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let possible = needs("perl").and_then(|()| may_mount_ext4(dir.path())).and_then(|()| may_cut(dir.path()));
    if let Err(reason) = possible {
        return tally.skip("power cuts", reason);
    }
    let counts = Counts::default();
    tally.judge("power cuts with syncs that do nothing", || {
        if loses_without_syncs(budget.seed(0)) {
            return Ok(());
        }
        Err(Fault::Wrong("nothing was lost: these power cuts show nothing".to_owned()))
    });
    let mut number = 0;
    while budget.goes_on(number, STORES) {
        let seed = budget.seed(number);
        let mode = MODES[to_usize(number % 4)];
        tally.judge(format!("power cuts, {mode:?}, seed {seed}"), || {
            let machine = Machine::new(number, mode, &counts);
            machine.life_of_a_store(&mut Rng::new(seed))
        });
        number += 1;
    }
    tally.count("power cuts", counts.cuts.get());
    tally.count("torn tails cut", counts.torn.get());
    tally.count("appends synced as power went", counts.late.get());
    tally.count("buffered appends lost", counts.lost.get());
}

/// Whether a store that only says that it synced loses something in a few power cuts, as it must.
fn loses_without_syncs(seed: u64) -> bool {
    let unseen = Counts::default();
    let machine = Machine { skips_syncs: true, ..Machine::new(1, MODES[0], &unseen) };
    let life = machine.life_of_a_store(&mut Rng::new(seed));
    matches!(life, Err(Fault::Loss(_) | Fault::FalseAlarm(_)))
}

/// Whether the file system knows the call.
fn may_cut(dir: &Path) -> Result<(), String> {
    let mounted = Mounted::image(&dir.join("trial"), &dir.join("mount"), "")?;
    let mut switch = Switch::at(mounted.at());
    if switch.cut() { Ok(()) } else { Err("the shutdown call failed".to_owned()) }
}

/// The power of a mounted file system.
struct Switch(Process<Word>);

/// A line of the process that cuts the power.
#[derive(PartialEq)]
struct Word(String);

impl std::str::FromStr for Word {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        Ok(Self(line.to_owned()))
    }
}

impl Switch {
    /// Ready to be used without delay.
    fn at(dir: &Path) -> Self {
        let mut process = Process::start(Command::new("perl").args(["-e", CUT]).arg(dir));
        let ready = process.next();
        assert!(ready.is_some_and(|word: Word| word.0 == "ready"), "perl opens the mounted directory");
        Self(process)
    }

    fn flip(&mut self) {
        self.0.say("now");
    }

    /// Cuts the power; whether that was done.
    fn cut(&mut self) -> bool {
        self.flip();
        let done = self.0.next().is_some_and(|word| word.0 == "cut");
        self.0.wait();
        done
    }
}

/// A disk whose power is cut again and again.
struct Machine<'a> {
    dir: tempfile::TempDir,
    mode: &'static str,
    skips_syncs: bool,
    counts: &'a Counts,
}

/// What the power cuts did.
#[derive(Debug, Default)]
struct Counts {
    cuts: Cell<u64>,
    torn: Cell<u64>,
    lost: Cell<u64>,
    late: Cell<u64>,
}

impl<'a> Machine<'a> {
    fn new(number: u64, mode: &'static str, counts: &'a Counts) -> Self {
        let dir = temporary_dir(number);
        make_ext4(&dir.path().join("image"), IMAGE_BYTES, &[]).expect("an image as in the trial");
        Self { dir, mode, skips_syncs: false, counts }
    }

    fn job(&self) -> Job {
        Job { skips_syncs: self.skips_syncs, ..Job::named(APPEND) }
    }

    fn power_up(&self) -> Mounted {
        let (image, at) = (self.dir.path().join("image"), self.dir.path().join("mount"));
        Mounted::image(&image, &at, self.mode).unwrap_or_else(|error| panic!("{error}"))
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("mount/bank")
    }

    fn life_of_a_store(&self, rng: &mut Rng) -> Result<(), Fault> {
        let mut ledger = Ledger::default();
        let mut disk = self.power_up();
        for _ in 0..1 + rng.below(ROUNDS_MAX) {
            let killed_first = rng.chance(3);
            if killed_first {
                // What it wrote may sit in the page cache only: whoever recovers it must make it durable.
                append_and_kill(&self.store(), self.job(), rng, &mut ledger)?;
            }
            disk = if killed_first && rng.chance(2) {
                self.open_and_cut(disk, &mut ledger)?
            } else {
                self.append_and_cut(disk, rng, &mut ledger)?
            };
            while rng.chance(3) {
                disk = self.recover_and_cut(disk, rng)?;
            }
            let store = options(Maintenance::Inline).open(self.store());
            let store = store.map_err(|error| Fault::FalseAlarm(format!("opening: {error:?}")))?;
            self.counts.torn.set(self.counts.torn.get() + u64::from(store.recovery().torn_tail.is_some()));
            ledger.check(&store, EndedBy::PowerCut)?;
            ledger.retry_unanswered(&store)?;
            ledger.settle();
            store.close().map_err(|error| Fault::FalseAlarm(format!("closing: {error:?}")))?;
        }
        self.counts.lost.set(self.counts.lost.get() + ledger.lost());
        disk.unmount().unwrap_or_else(|error| panic!("{error}"));
        Ok(())
    }

    /// A child that appends, and no power after so many lines, or at a change to its disk.
    fn append_and_cut(&self, disk: Mounted, rng: &mut Rng, ledger: &mut Ledger) -> Result<Mounted, Fault> {
        let lanes = 1 + rng.below(LANES);
        let in_background = rng.chance(2);
        let mut job = Job { base: ledger.begin_round(lanes), lanes, in_background, ..self.job() };
        let mut lines = u64::MAX;
        if rng.chance(2) {
            lines = rng.below(80);
        } else {
            halt_somewhere(&mut job, rng);
        }
        let mut switch = Switch::at(disk.at());
        let mut child = job.start(&self.store());
        let mut told = Vec::new();
        while (told.len() as u64) < lines {
            match child.next() {
                None | Some(Told::Halted) => break,
                Some(line) => told.push(line),
            }
        }
        // What is told until now was answered with the power on.
        told.extend(child.told());
        ledger.note_all(&told)?;
        if !rng.chance(3) {
            self.write_back_some(rng);
        }
        let (disk, told) = self.cut(disk, &mut switch, &mut child);
        // Told while the power went: whoever was told that it is synced has the word of a file system that had not been
        // shut down yet. One that has been answers every sync with an error.
        let is_synced = |told: &&Told| matches!(told, Told::Answered { durability: Durability::Synced, .. });
        let told: Vec<&Told> = told.iter().filter(is_synced).collect();
        self.counts.late.set(self.counts.late.get() + told.len() as u64);
        ledger.note_all(told)?;
        Ok(disk)
    }

    /// A child that opens the store, and no power as soon as it has: what it found is durable.
    fn open_and_cut(&self, disk: Mounted, ledger: &mut Ledger) -> Result<Mounted, Fault> {
        let mut switch = Switch::at(disk.at());
        let mut child = Job { name: HOLD, ..self.job() }.start(&self.store());
        let told = child.told_until(&Told::Halted);
        if told != [Told::Opened] {
            return Err(Fault::FalseAlarm(format!("opening what a killed process left: {told:?}")));
        }
        ledger.note_all(&told)?;
        Ok(self.cut(disk, &mut switch, &mut child).0)
    }

    /// A child that opens the store and closes it, and no power at a change to its disk.
    fn recover_and_cut(&self, disk: Mounted, rng: &mut Rng) -> Result<Mounted, Fault> {
        let job = Job { appends: 0, halts_at: 1 + rng.below(16), ..self.job() };
        let mut switch = Switch::at(disk.at());
        let mut child = job.start(&self.store());
        while let Some(told) = child.next() {
            if let Told::NotOpened(error) = &told {
                return Err(Fault::FalseAlarm(format!("opening: {error}")));
            }
            if told == Told::Halted {
                break;
            }
        }
        Ok(self.cut(disk, &mut switch, &mut child).0)
    }

    /// Syncs some files and directories of the store, as the operating system may at any time.
    fn write_back_some(&self, rng: &mut Rng) {
        let store = self.store();
        for dir in [store.clone(), store.join("journal"), store.join("snapshots")] {
            let names = std::fs::read_dir(&dir).into_iter().flatten().map_while(Result::ok);
            for path in names.map(|entry| entry.path()).chain([dir.clone()]) {
                if rng.chance(2) {
                    // It may be gone by now.
                    let _ = std::fs::File::open(path).and_then(|file| file.sync_all());
                }
            }
        }
    }

    /// Power off, and on again; what the child told meanwhile.
    fn cut(&self, disk: Mounted, switch: &mut Switch, child: &mut Process<Told>) -> (Mounted, Vec<Told>) {
        self.counts.cuts.set(self.counts.cuts.get() + 1);
        assert!(switch.cut(), "the power is cut as in the trial");
        let told = child.kill();
        disk.unmount().unwrap_or_else(|error| panic!("{error}"));
        (self.power_up(), told)
    }
}
