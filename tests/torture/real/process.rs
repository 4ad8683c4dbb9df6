//! `Process`: a child process that tells lines. It is killed when it goes out of sight.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::told::Told;
use super::work::APPENDS_MAX;

/// A process that tells nothing for so long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What a child process is asked to do, as arguments.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// The first number of its round.
    pub(crate) base: u64,
    /// So many threads append, each in a lane of its own.
    pub(crate) lanes: u64,
    /// Appends of each thread before the store is closed.
    pub(crate) appends: u64,
    /// The change to the disk before which it stands still; 0 for none.
    pub(crate) halts_at: u64,
    /// Whether space is prepared in the background.
    pub(crate) in_background: bool,
    pub(crate) journal_file_bytes: u64,
    /// Whether its disk says that it synced and does not: to see that a test can fail.
    pub(crate) skips_syncs: bool,
}

impl Job {
    /// Appends of one thread, as many as a round has numbers for: where a sync costs nothing, a child comes that far before
    /// its parent has read what it tells.
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name,
            base: 0,
            lanes: 1,
            appends: APPENDS_MAX,
            halts_at: 0,
            in_background: false,
            journal_file_bytes: 64 << 10,
            skips_syncs: false,
        }
    }

    /// The arguments that make this program do it in `dir`.
    pub(crate) fn args(&self, dir: &Path) -> Vec<String> {
        let Self { name, base, lanes, appends, halts_at, in_background, journal_file_bytes, skips_syncs } =
            self;
        let flags = [u64::from(*in_background), u64::from(*skips_syncs)];
        let numbers = [&[*base, *lanes, *appends, *halts_at, *journal_file_bytes][..], &flags].concat();
        let words = ["--child".to_owned(), (*name).to_owned(), dir.display().to_string()];
        words.into_iter().chain(numbers.iter().map(u64::to_string)).collect()
    }

    /// As the arguments say, and the directory.
    pub(crate) fn from_args(args: &[String]) -> Option<(Self, String)> {
        let [name, dir, numbers @ ..] = args else { return None };
        let numbers: Vec<u64> = numbers.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        let [base, lanes, appends, halts_at, journal_file_bytes, in_background, skips_syncs] = numbers[..]
        else {
            return None;
        };
        let (in_background, skips_syncs) = (in_background == 1, skips_syncs == 1);
        let name = super::child::NAMES.iter().find(|known| **known == name)?;
        let job =
            Self { name, base, lanes, appends, halts_at, in_background, journal_file_bytes, skips_syncs };
        Some((job, dir.clone()))
    }

    /// Starts this program with the job.
    pub(crate) fn start(&self, dir: &Path) -> Process<Told> {
        Process::start(Command::new(this_program()).args(self.args(dir)))
    }

    /// The same through another program, whose arguments end in the command to run.
    pub(crate) fn start_through<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: &[S],
        dir: &Path,
    ) -> Process<Told> {
        Process::start(&mut self.command_through(program, args, dir))
    }

    /// The command of [`Job::start_through`], for a caller who has more to say about it.
    pub(crate) fn command_through<S: AsRef<OsStr>>(&self, program: &str, args: &[S], dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(args).arg(this_program()).args(self.args(dir));
        command
    }
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().expect("this program has a path")
}

/// A running child process.
#[derive(Debug)]
pub(crate) struct Process<L> {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<L>,
}

impl<L: FromStr<Err = String> + Send + PartialEq + 'static> Process<L> {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // What is no line of ours is told to whoever looks at the output.
                let sent = match line.parse() {
                    Ok(line) => sender.send(line).is_ok(),
                    Err(wrong) => {
                        eprintln!("{wrong}");
                        true
                    }
                };
                if !sent {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line; `None` when the process has nothing more to tell.
    pub(crate) fn next(&mut self) -> Option<L> {
        match self.lines.recv_timeout(HANGS_AFTER) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("process {} hangs", self.id()),
        }
    }

    /// What it has told up to now.
    pub(crate) fn told(&mut self) -> Vec<L> {
        self.lines.try_iter().collect()
    }

    /// All that it still tells until it ends.
    pub(crate) fn rest(&mut self) -> Vec<L> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// What it tells until this line, or until it ends.
    pub(crate) fn told_until(&mut self, last: &L) -> Vec<L> {
        std::iter::from_fn(|| self.next()).take_while(|line| line != last).collect()
    }

    /// Gives it a line.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        // A process that is gone hears nothing; what it told says so.
        let _ = writeln!(stdin, "{line}");
    }

    /// Kills it with SIGKILL; what it had told.
    pub(crate) fn kill(&mut self) -> Vec<L> {
        // It may have ended by itself.
        let _ = self.child.kill();
        let rest = self.rest();
        self.wait();
        rest
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        self.child.wait().expect("a child can be waited for")
    }
}

impl<L> Drop for Process<L> {
    fn drop(&mut self) {
        // Nobody may be left behind, whatever went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
