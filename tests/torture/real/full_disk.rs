//! Disks that are full: a small file system in memory, and a small ext4, which gives space only when it writes back. The
//! answer is `StorageFull`, reads go on, the store can be opened, and the same handle appends again once there is space.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use annals::disk::{Disk, RealDisk};
use annals::{ErrorKind, Maintenance, Store};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng, to_usize};

use super::child::APPEND;
use super::disks::{Mounted, make_ext4, may_mount_ext4};
use super::kills::append_and_kill;
use super::ledger::{EndedBy, Ledger};
use super::machine::{may_mount, temporary_dir};
use super::process::Job;
use super::told::{Told, kind_word};
use super::work::{LANES, Work, options};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "full disks", share: 2, run };

/// Disks of a short run.
const DISKS: u64 = 4;
/// How often a disk is filled and given space again.
const FILLINGS: u64 = 4;
const TMPFS_BYTES: u64 = 3 << 20;
const EXT4_BYTES: u64 = 8 << 20;
/// After so many refusals a thread goes away.
const REFUSALS_MAX: u64 = 3;
/// More would not go onto the disk.
const APPENDS_MAX: u64 = 100_000;

fn run(budget: &Budget, tally: &mut Tally) {
    if let Err(reason) = may_mount() {
        return tally.skip("full disks", reason);
    }
    let trial = tempfile::tempdir().expect("temporary directory");
    let ext4 = may_mount_ext4(trial.path());
    if let Err(reason) = &ext4 {
        tally.skip("full disks with ext4", reason);
    }
    let filled = Cell::new(0);
    let mut number = 0;
    while budget.goes_on(number, DISKS) {
        let seed = budget.seed(number);
        let is_ext4 = ext4.is_ok() && number % 2 == 1;
        tally.judge(format!("full disks, ext4 {is_ext4}, seed {seed}"), || {
            let dir = temporary_dir(number);
            let mount = mount(dir.path(), is_ext4).unwrap_or_else(|error| panic!("{error}"));
            Filling { dir: mount.at(), filled: &filled }.run(&mut Rng::new(seed))
        });
        number += 1;
    }
    tally.count("full disks", filled.get());
}

fn mount(dir: &Path, is_ext4: bool) -> Result<Mounted, String> {
    let at = dir.join("mount");
    if !is_ext4 {
        return Mounted::tmpfs(&at, TMPFS_BYTES);
    }
    let image = dir.join("image");
    make_ext4(&image, EXT4_BYTES, &[])?;
    Mounted::image(&image, &at, "")
}

/// A disk that is filled by a store again and again.
struct Filling<'a> {
    dir: &'a Path,
    filled: &'a Cell<u64>,
}

impl Filling<'_> {
    fn run(&self, rng: &mut Rng) -> Result<(), Fault> {
        let store_dir = self.dir.join("bank");
        let mut ledger = Ledger::default();
        self.recover_on_a_full_disk(rng, &mut ledger)?;
        for filling in 0..FILLINGS {
            let ballast = self.dir.join(format!("ballast-{filling}"));
            let maintenance = if rng.chance(2) { Maintenance::Background } else { Maintenance::Inline };
            let file_bytes = 64 << (10 + 2 * rng.below(3));
            let store = options(maintenance).journal_file_bytes(file_bytes).open(&store_dir);
            let store = store.map_err(|error| Fault::FalseAlarm(format!("opening: {error:?}")))?;
            ledger.check(&store, EndedBy::Kill)?;
            ledger.settle();
            self.leave_space(&ballast, 300 << 10).expect("the ballast file");

            append_until_full(&store, 1 + rng.below(LANES), &mut ledger)?;
            self.filled.set(self.filled.get() + 1);
            ledger.check(&store, EndedBy::Kill)?;
            let store = if rng.chance(2) { store } else { self.open_again(store, &mut ledger)? };

            fs::remove_file(&ballast).expect("the ballast file is there");
            append_some(&store, &mut ledger)?;
            store.close().map_err(|error| Fault::FalseAlarm(format!("closing: {error:?}")))?;
            ledger.check(&store, EndedBy::Kill)?;
            let is_nearly_full = free_bytes(self.dir) < 800 << 10;
            if is_nearly_full {
                break;
            }
        }
        Ok(())
    }

    /// A killed process, and then no space at all. To cut a torn tail a copy of it is needed first: where there is no
    /// space for that, the store is left as it is.
    fn recover_on_a_full_disk(&self, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), Fault> {
        let (store_dir, ballast) = (self.dir.join("bank"), self.dir.join("ballast"));
        append_and_kill(&store_dir, Job::named(APPEND), rng, ledger)?;
        let filled = self.leave_space(&ballast, 0);
        let filled =
            filled.and_then(|()| File::options().append(true).open(&ballast)?.write_all(&[0; 32 << 10]));
        assert!(filled.is_err(), "a full disk takes no more");
        match options(Maintenance::Inline).open(&store_dir) {
            Ok(store) => ledger.check(&store, EndedBy::Kill)?,
            Err(error) if error.kind() == ErrorKind::StorageFull => {}
            Err(error) => return Err(Fault::FalseAlarm(format!("recovering on a full disk: {error:?}"))),
        }
        fs::remove_file(&ballast).expect("the ballast file is there");
        let store = options(Maintenance::Inline).open(&store_dir);
        let store = store.map_err(|error| Fault::FalseAlarm(format!("with space again: {error:?}")))?;
        ledger.check(&store, EndedBy::Kill)?;
        ledger.settle();
        store.close().map_err(|error| Fault::FalseAlarm(format!("closing: {error:?}")))
    }

    /// Fills the disk with a file, but for this many bytes.
    fn leave_space(&self, ballast: &Path, bytes: u64) -> std::io::Result<()> {
        let mut file = File::create(ballast)?;
        let piece = [0x55; 256 << 10];
        loop {
            let too_much = free_bytes(self.dir).saturating_sub(bytes);
            if too_much < 16 << 10 {
                return Ok(());
            }
            file.write_all(&piece[..piece.len().min(to_usize(too_much / 2))])?;
            // Or the file system would not know yet how much is left.
            file.sync_all()?;
        }
    }

    /// Opens the store while there is no space: whatever closing needed and did not get, nothing is lost.
    fn open_again(&self, store: Store, ledger: &mut Ledger) -> Result<Store, Fault> {
        if let Err(error) = store.close()
            && error.kind() != ErrorKind::StorageFull
        {
            return Err(Fault::FalseAlarm(format!("closing on a full disk: {error:?}")));
        }
        drop(store);
        let store = options(Maintenance::Inline).open(self.dir.join("bank"));
        let store = store.map_err(|error| Fault::FalseAlarm(format!("opening on a full disk: {error:?}")))?;
        ledger.check(&store, EndedBy::Kill)?;
        Ok(store)
    }
}

fn free_bytes(dir: &Path) -> u64 {
    RealDisk.free_bytes(dir).expect("a mounted file system tells its free space")
}

/// Several threads append until the disk takes no more. Refusals are clean, and reads go on.
fn append_until_full(store: &Store, lanes: u64, ledger: &mut Ledger) -> Result<(), Fault> {
    let base = ledger.begin_round(lanes);
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let told = &told;
            scope.spawn(move || {
                let mut refused = 0;
                for at in 0..APPENDS_MAX {
                    let line = send(store, base + at * LANES + lane);
                    refused = if matches!(line, Told::Failed { .. }) { refused + 1 } else { 0 };
                    told.lock().expect("no thread panics").push(line);
                    if refused == REFUSALS_MAX {
                        return;
                    }
                }
            });
        }
    });
    let told = told.into_inner().expect("no thread panics");
    let full = kind_word(ErrorKind::StorageFull);
    let unclean = told.iter().find(|told| matches!(told, Told::Failed { kind, .. } if *kind != full));
    if let Some(unclean) = unclean {
        return Err(Fault::FalseAlarm(format!("on a full disk: {unclean}")));
    }
    ledger.note_all(&told)
}

/// There is space again: the same handle appends.
fn append_some(store: &Store, ledger: &mut Ledger) -> Result<(), Fault> {
    let base = ledger.begin_round(1);
    for at in 0..10 {
        let told = send(store, base + at * LANES);
        if let Told::Failed { .. } = &told {
            return Err(Fault::FalseAlarm(format!("there is space again: {told}")));
        }
        ledger.note(&told)?;
    }
    Ok(())
}

fn send(store: &Store, number: u64) -> Told {
    let work = Work(number);
    match work.send(store) {
        Ok(place) => Told::Answered { number, position: place.position, durability: work.durability() },
        Err(error) => Told::Failed { number, kind: kind_word(error.kind()) },
    }
}
