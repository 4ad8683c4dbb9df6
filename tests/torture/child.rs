//! A campaign in a process of its own, with little memory and not for ever: an allocation out of proportion aborts it, and
//! a hang is seen from outside.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::campaign::{Budget, Tally};
use crate::support::Fault;

/// Names the campaign that this process is to do itself.
const VARIABLE: &str = "ANNALS_TORTURE_CHILD";
/// More than any campaign needs beyond its time.
const GRACE: Duration = Duration::from_secs(240);

/// What a child is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of its address space, which is more than what is resident.
    pub(crate) address_space_bytes: u64,
    /// What it may have had in memory at most.
    pub(crate) resident_bytes_max: u64,
}

/// Whether this process is the child that does this campaign.
pub(crate) fn is_child(campaign: &str) -> bool {
    std::env::var_os(VARIABLE).is_some_and(|name| name == campaign)
}

/// Runs this campaign in a child, and counts what it found.
pub(crate) fn run(
    campaign: &'static str,
    limits: Limits,
    counts: &[&'static str],
    budget: &Budget,
    tally: &mut Tally,
) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new("sh");
    let kib = (limits.address_space_bytes >> 10).to_string();
    command.args(["-c", "ulimit -v \"$1\" || exit 99; shift; exec \"$@\"", "sh", &kib]);
    command.arg(program).args(["--seed", &budget.first_seed().to_string()]);
    if let Some(left) = budget.left() {
        // What a child may be told: a tenth of a minute at least.
        command.args(["--minutes", &(left.as_secs_f64() / 60.0).max(0.1).to_string()]);
    }
    command.arg(campaign).env(VARIABLE, campaign).stdout(Stdio::piped()).stdin(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return tally.skip(campaign, format_args!("no shell to limit memory with: {error}")),
    };
    let mut output = child.stdout.take().expect("it is piped");
    let (sender, printed) = channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.read_to_string(&mut text);
        let _ = sender.send(read.map(|_| text));
    });
    let printed = match printed.recv_timeout(budget.left().unwrap_or_default() + GRACE) {
        Ok(printed) => printed.expect("what it prints is text"),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            child.kill().expect("it can be killed");
            tally.judge(campaign, || Err(Fault::Wrong("it hangs".to_owned())));
            String::new()
        }
    };
    let status = child.wait().expect("it can be waited for");
    if status.code() == Some(99) {
        return tally.skip(campaign, "the shell cannot limit memory");
    }
    if !tally.take_in_table(&printed, counts) {
        tally.judge(campaign, || -> Result<(), Fault> { panic!("the child ended with {status}") });
    }
}

/// In the child: the most that was resident is within its limit.
pub(crate) fn judge_memory(limits: Limits, word: &'static str, tally: &mut Tally) {
    let Some(bytes) = crate::campaign::largest_memory() else {
        return tally.skip("memory", "this operating system does not tell");
    };
    tally.count(word, bytes >> 20);
    tally.judge("memory", || {
        if bytes <= limits.resident_bytes_max {
            return Ok(());
        }
        Err(Fault::Wrong(format!("{bytes} bytes were resident, {} are allowed", limits.resident_bytes_max)))
    });
}

/// Time of one processor that this thread has had: a busy machine does not make a case look slow. `None` where the
/// operating system does not tell.
fn processor_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(told.split(' ').next()?.parse().ok()?))
}

/// Does a case, which must take less than this of a processor's time.
pub(crate) fn within(limit: Duration, case: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
    let started = processor_time();
    case()?;
    let took = processor_time().zip(started).map(|(now, started)| now.saturating_sub(started));
    match took.filter(|took| *took > limit) {
        Some(took) => Err(Fault::Wrong(format!("it took {took:?}"))),
        None => Ok(()),
    }
}
