//! The calls of one synced append, as strace sees them: one write, one sync, the durable mark, and only then the answer.

use std::fs;

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::Fault;

use super::child::STEADY;
use super::machine::run as run_program;
use super::process::Job;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "sync order", share: 1, run };

/// Fewer than fill half of the space that a new store has.
const APPENDS: u64 = 200;
/// The first ones may still prepare something.
const FIRST: usize = 10;
const ORDER: [&str; 3] = ["pwrite64", "fdatasync", "pwrite64"];

fn run(_: &Budget, tally: &mut Tally) {
    if let Err(reason) = run_program("strace", &["-f", "-qq", "-o", "/dev/null", "true"]) {
        return tally.skip("sync order", reason);
    }
    tally.judge("sync order", || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let log = dir.path().join("strace");
        let job = Job { appends: APPENDS, journal_file_bytes: 1 << 20, ..Job::named(STEADY) };
        let args =
            ["-f", "-qq", "-o", &log.display().to_string(), "-e", "trace=%file,%desc", "-e", "signal=none"];
        let mut child = job.start_through("strace", &args, &dir.path().join("bank"));
        child.rest();
        child.wait();
        check(&fs::read_to_string(log).expect("strace writes its log"))
    });
    tally.count("appends traced", APPENDS - FIRST as u64);
}

fn check(log: &str) -> Result<(), Fault> {
    // A line is the thread's id and the call.
    let calls = log.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start());
    let (mut between, mut answers) = (Vec::new(), 0);
    for call in calls {
        if !call.starts_with("write(1, \"synced ") {
            between.push(call.split('(').next().unwrap_or(call));
            continue;
        }
        answers += 1;
        if answers > FIRST && between != ORDER {
            return Err(Fault::Wrong(format!("before answer {answers}: {between:?}")));
        }
        between.clear();
    }
    if answers as u64 == APPENDS { Ok(()) } else { Err(Fault::Wrong(format!("{answers} answers traced"))) }
}
