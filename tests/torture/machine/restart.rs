//! How a process ends and the next one opens the store: what may be found then, and what must be.

use annals::{ErrorKind, Maintenance, Options, Recovery, Store};

use super::frail_disk::{FrailDisk, Struck};
use super::ill::{Arm, End};
use super::op::{Ending, Setup};
use super::world::{World, false_alarm, wrong};
use crate::support::Fault;

const ROOT: &str = "/bank";

/// What is known of how the store was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Clean,
    Open,
}

impl World {
    /// Ends the process and starts another.
    pub(crate) fn restart(&mut self, ending: &Ending, setup: Setup, arms: &[Arm]) -> Result<(), Fault> {
        let left = match ending {
            Ending::Close => self.close()?,
            Ending::Drop => self.drop_store()?,
            Ending::Kill => {
                self.end(&End::Killed);
                Left::Open
            }
            Ending::PowerCut(kept) => {
                self.end(&End::PowerCut(*kept));
                Left::Open
            }
        };
        if let Some(end) = self.disk.death() {
            self.end(&end);
        } else {
            self.start_process();
        }
        let is_unscathed = self.open(setup, arms)?;
        if left == Left::Clean && is_unscathed && !self.store().recovery().clean {
            return Err(wrong("the store was closed, and opening it says that it was not"));
        }
        Ok(())
    }

    /// The process died within an operation: another one takes over.
    pub(crate) fn rise(&mut self) -> Result<(), Fault> {
        let end = self.disk.death().unwrap_or(End::Killed);
        self.end(&end);
        self.open(self.setup, &[]).map(drop)
    }

    /// The process ends without a word.
    fn end(&mut self, end: &End) {
        self.disk.kill();
        self.store = None;
        self.may_be_torn = true;
        match end {
            End::Killed => {
                self.count("kills");
                self.start_process();
            }
            End::PowerCut(kept) => {
                self.count("power cuts");
                self.model.power_cut = true;
                let after = FrailDisk::new(self.disk.sim().crash(kept.to_keep()));
                self.injected += self.disk.injected();
                self.disk = after;
            }
        }
    }

    fn start_process(&mut self) {
        self.injected += self.disk.injected();
        self.disk = FrailDisk::new(self.disk.sim().clone());
    }

    fn close(&mut self) -> Result<Left, Fault> {
        let (answer, struck) = self.disk.watch(|| self.store().close());
        if self.disk.death().is_some() {
            return Ok(Left::Open);
        }
        if self.poison.is_some() {
            self.check_poisoned("close", answer)?;
            self.store = None;
            return self.check_untouched("dropping a poisoned store");
        }
        let left = match &answer {
            Ok(()) if struck.syncs > 0 => return Err(wrong("closed though a sync failed")),
            Ok(()) => {
                self.model.all_is_durable();
                Left::Clean
            }
            Err(error) if struck.allows(error.kind()) => {
                self.may_be_torn = true;
                Left::Open
            }
            Err(error) => return Err(false_alarm("close", error)),
        };
        let (again, _) = self.disk.watch(|| self.store().close());
        if again.as_ref().map_err(ToString::to_string) != answer.as_ref().map_err(ToString::to_string) {
            return Err(wrong(format!("closed again: {again:?}, first {answer:?}")));
        }
        let late = self.store().flush().err().map(|error| error.kind());
        if late != Some(ErrorKind::Closed) {
            return Err(wrong(format!("a flush after closing: {late:?}")));
        }
        self.compare_all_of_store()?;
        self.store = None;
        self.check_untouched("closing twice and dropping")?;
        Ok(left)
    }

    fn drop_store(&mut self) -> Result<Left, Fault> {
        let store = self.store.take();
        let (_, struck) = self.disk.watch(|| drop(store));
        if self.disk.death().is_some() {
            return Ok(Left::Open);
        }
        if self.poison.is_some() {
            return self.check_untouched("dropping a poisoned store");
        }
        if struck.any() {
            self.may_be_torn = true;
            return Ok(Left::Open);
        }
        self.model.all_is_durable();
        Ok(Left::Clean)
    }

    fn check_untouched(&self, doing: &str) -> Result<Left, Fault> {
        match self.disk.calls() {
            0 => Ok(Left::Open),
            calls => Err(wrong(format!("{doing} calls the disk {calls} times"))),
        }
    }

    /// Opens the store. What is armed may prevent it, once: then the disk is healed. Whether the first attempt succeeded.
    pub(crate) fn open(&mut self, setup: Setup, arms: &[Arm]) -> Result<bool, Fault> {
        self.setup = setup;
        (self.poison, self.seals_no_more) = (None, false);
        arms.iter().for_each(|arm| self.disk.arm(arm));
        let mut strict = setup.strict;
        for attempt in 0..4 {
            let options = self.options(setup, strict);
            let (opened, struck) = self.disk.watch(|| options.open(ROOT));
            if let Some(end) = self.disk.death() {
                drop(opened);
                self.count("openings died in");
                self.end(&end);
                continue;
            }
            match opened {
                Ok(store) => {
                    self.store = Some(store);
                    self.check_opened(&struck)?;
                    return Ok(attempt == 0 && !struck.any());
                }
                Err(error) if struck.any() => {
                    let foreign = struck.flips > 0 && error.kind() == ErrorKind::UnsupportedVersion;
                    if !foreign && !struck.allows(error.kind()) {
                        return Err(wrong(format!("{struck:?}: opening: {:?}: {error}", error.kind())));
                    }
                    self.count("openings failed");
                    self.disk.heal();
                }
                Err(error) if strict && self.may_be_torn && error.kind() == ErrorKind::Corrupt => {
                    self.count("torn tails refused");
                    strict = false;
                }
                Err(error) => return Err(false_alarm("opening", &error)),
            }
        }
        Err(wrong("the store does not open"))
    }

    fn options(&self, setup: Setup, strict: bool) -> Options {
        Options::new()
            .disk(self.disk.clone())
            .clock(self.clock.clone())
            .maintenance(Maintenance::Inline)
            .journal_file_bytes(setup.journal_file_bytes)
            .recent_bytes_max(setup.recent_bytes_max)
            .recovery(if strict { Recovery::Strict } else { Recovery::CutTornTail })
    }

    /// The store is open: what it holds is what the model allows.
    fn check_opened(&mut self, struck: &Struck) -> Result<(), Fault> {
        self.count("openings");
        if struck.syncs > 0 {
            return Err(wrong("opened though a sync failed"));
        }
        let torn = self.store().recovery().torn_tail.clone();
        if let Some(torn) = torn {
            self.count("torn tails cut");
            if !self.may_be_torn && struck.flips == 0 {
                return Err(Fault::FalseAlarm(format!("nothing was torn: {torn:?}")));
            }
        }
        let candidates = self.model.may_be_found();
        let found = self.disk.unstruck(|| events(self.store()))?;
        // With the last one first: most is found most often.
        match candidates.into_iter().rev().find(|candidate| self.is_all(&found, candidate)) {
            Some(found) => self.model.settle(found),
            None => return Err(self.misfit(&found)),
        }
        self.may_be_torn = false;
        self.compare_all()
    }
}

fn events(store: &Store) -> Result<Vec<annals::RecordedEvent>, Fault> {
    store.read().iter().collect::<annals::Result<_>>().map_err(|error| false_alarm("reading all", &error))
}
