//! The measuring process's end of a worker: starts it, asks it, kills it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::data::Set;
use crate::kind::Kind;
use crate::model::Mode;
use crate::protocol::{Done, Work};

/// The first argument of a process that is a worker.
pub(crate) const WORKER: &str = "worker";

/// A worker at work. Dropped without being closed it is killed.
pub(crate) struct Worker {
    kind: Kind,
    child: Child,
    answers: BufReader<ChildStdout>,
    /// What opening the store took.
    pub(crate) opened: Done,
}

impl Worker {
    /// Starts a worker on the store in `dir` and waits until it has opened it.
    pub(crate) fn start(kind: Kind, dir: &Path, mode: Mode, set: Set) -> Result<Self> {
        let mode = match mode {
            Mode::Durable => "durable",
            Mode::Buffered => "buffered",
        };
        let mut child = Command::new(std::env::current_exe()?)
            .args([WORKER, kind.name(), mode, set.name])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = BufReader::new(child.stdout.take().context("a worker without output")?);
        let mut worker = Self { kind, child, answers, opened: Done::default() };
        worker.opened = worker.answer()?;
        Ok(worker)
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Has work done and waits for it.
    pub(crate) fn ask(&mut self, work: Work) -> Result<Done> {
        let input = self.child.stdin.as_mut().context("a worker without input")?;
        writeln!(input, "{}", serde_json::to_string(&work)?)?;
        input.flush()?;
        self.answer().with_context(|| format!("{} at {work:?}", self.kind.name()))
    }

    /// Closes the store and waits for the process to end.
    pub(crate) fn close(mut self) -> Result<Done> {
        let done = self.ask(Work::Close)?;
        self.child.wait()?;
        Ok(done)
    }

    /// Ends the process as a crash would: SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn answer(&mut self) -> Result<Done> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the worker of {} ended without an answer", self.kind.name());
        }
        let done: Done = serde_json::from_str(&line)?;
        match done.failed {
            Some(failed) => bail!("{}: {failed}", self.kind.name()),
            None => Ok(done),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail when it has ended already, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
