//! Where a store lies: its files are its owner's alone, and a place that may not be written to is left as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use annals::{ErrorKind, Maintenance};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::Fault;

use super::child::APPEND;
use super::disks::Mounted;
use super::machine::may_mount;
use super::process::Job;
use super::told::Told;
use super::work::options;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "places", share: 1, run };

fn run(_: &Budget, tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = dir.path().join("bank");
    tally.judge("modes", || {
        // Whatever the user's mask leaves open, a store does not.
        let script = ["-c", "umask 0; exec \"$0\" \"$@\""];
        let job = Job { lanes: 2, appends: 60, halts_at: 900, ..Job::named(APPEND) };
        let mut child = job.start_through("sh", &script, &store);
        child.told_until(&Told::Halted);
        child.kill();
        check_modes(&store)
    });
    tally.count("places", 1);
    if let Err(reason) = may_mount() {
        return tally.skip("a store on a read-only mount", reason);
    }
    tally.judge("read-only mount", || {
        let mount = Mounted::read_only(&store, &dir.path().join("read-only"));
        check_read_only(mount.unwrap_or_else(|error| panic!("{error}")).at())
    });
    tally.count("places", 1);
}

/// Everything below a directory, and the directory.
fn tree(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(tree(&path)) } else { found.push(path) }
    }
    found
}

fn check_modes(store: &Path) -> Result<(), Fault> {
    let all = tree(store);
    for path in &all {
        let metadata = fs::metadata(path).expect("it is there");
        let mode = metadata.permissions().mode() & 0o7777;
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        if mode != wanted {
            return Err(Fault::Wrong(format!("{} has mode {mode:o}", path.display())));
        }
    }
    let files = all.iter().filter(|path| path.is_file()).count();
    if files < 4 { Err(Fault::Wrong(format!("only {files} files to look at"))) } else { Ok(()) }
}

/// Bytes and times of everything.
fn state(store: &Path) -> BTreeMap<PathBuf, (i64, i64, Vec<u8>)> {
    let of = |path: PathBuf| {
        let metadata = fs::metadata(&path).expect("it is there");
        let bytes = if metadata.is_file() { fs::read(&path).expect("it can be read") } else { Vec::new() };
        let state = (metadata.mtime(), metadata.mtime_nsec(), bytes);
        (path, state)
    };
    tree(store).into_iter().map(of).collect()
}

fn check_read_only(store: &Path) -> Result<(), Fault> {
    let before = state(store);
    match options(Maintenance::Inline).open(store) {
        Ok(_) => {
            return Err(Fault::Wrong("a store was opened to write where nothing can be written".to_owned()));
        }
        Err(error) if error.kind() == ErrorKind::Io => {}
        Err(error) => return Err(Fault::FalseAlarm(format!("opening: {error:?}"))),
    }
    let reader = options(Maintenance::Inline).read_only().open(store);
    let reader = reader.map_err(|error| Fault::FalseAlarm(format!("opening to read: {error:?}")))?;
    let events = reader.read().iter().collect::<annals::Result<Vec<_>>>();
    let events = events.map_err(|error| Fault::FalseAlarm(format!("reading: {error:?}")))?;
    let head = reader.refresh().map_err(|error| Fault::FalseAlarm(format!("refreshing: {error:?}")))?;
    if events.is_empty() || head.as_u64() != events.len() as u64 {
        return Err(Fault::Loss(format!("{} events below head {head}", events.len())));
    }
    if state(store) == before { Ok(()) } else { Err(Fault::Wrong("the store was changed".to_owned())) }
}
