//! Following a journal that another process may be writing to: its frames in order, as far as they are durable. Reads
//! only, and holds no lock.
//!
//! A look goes from the last frame handed out to the end. It is asked before and after it who writes. What was durable
//! before the look is handed out, whatever follows: frames up to the durable mark, or up to a clean close. A frame behind
//! that may be taken back, and another put in its place, before the look is over. Then:
//!
//! - Closed cleanly, before the look and after it: the end must be where the manifest says.
//! - Somebody writes: what stands behind the durable mark is not finished, whatever it is.
//! - Nobody writes: all sound frames are handed out that two looks in a row have found, as recovery would find them, and a
//!   bad end is a torn tail or damage.
//!
//! A writer may come, write and go at any moment, so nothing is called torn or damaged before a second look finds the same.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, OpenMode, file_name};
use crate::error::{Error, Result};
use crate::types::{ClosedAt, StoreId};

use super::chain::Chain;
use super::journal_file::{FRAMES_AT, JournalFile};
use super::recover::{check_closed, journal_numbers};
use super::scan::{self, ScanEnd, Vouchers};
use super::{Begin, Files, ScannedFrame, TornTail};

/// How often the end is looked at while writers come and go.
const LOOKS_MAX: usize = 16;
/// Beside a writer, no more frames that nobody vouches for are kept than so many bytes: they cannot be handed out now.
const WAITING_BYTES_MAX: u64 = 8 << 20;

/// What a store's directory tells of its writer at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Where the journal ended at a clean close, if nothing was appended since.
    pub(crate) closed: Option<ClosedAt>,
    /// Whether somebody has the store open to write.
    pub(crate) is_writing: bool,
    /// The durable mark.
    pub(crate) durable: u64,
}

impl Presence {
    /// The last frame that nothing can take away any more.
    fn vouched(&self) -> u64 {
        self.closed.map_or(self.durable, |closed| closed.n)
    }
}

/// Follows one journal.
#[derive(Debug)]
pub(crate) struct Follower {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    store: StoreId,
    begin: Begin,
    /// Gets every file that is opened.
    files: Arc<Files>,
    /// The file of the next frame; `None` before the first look.
    file: Option<Arc<JournalFile>>,
    /// Where the next frame must stand, and what it must follow.
    offset: u64,
    chain: Chain,
}

/// One look from the last frame handed out to the end.
struct Look {
    file: Arc<JournalFile>,
    end: ScanEnd,
    /// Sound frames that nobody vouches for yet.
    waiting: VecDeque<ScannedFrame>,
    /// There are too many of them, and somebody writes: those behind were not kept.
    stopped: bool,
    /// The next file does not follow this one.
    misfit: Option<Error>,
}

/// What a look says about the end.
enum Verdict {
    Done,
    /// Somebody came or went: another look.
    Again,
    /// If the next look finds the same end, and nobody writes still, the frames up to it are there to stay.
    Unsure(Chain),
    /// If another look finds the same at this byte of this file, it is the answer.
    Suspect(u64, u64, Result<Option<TornTail>>),
}

impl Follower {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        store: StoreId,
        files: Arc<Files>,
        begin: Begin,
    ) -> Self {
        let (offset, chain) = (FRAMES_AT, begin.follows);
        Self { disk, dir, store, begin, files, file: None, offset, chain }
    }

    /// Goes on where the journal begins now, if it was further back: what lies before was sealed meanwhile.
    pub(crate) fn begin_at(&mut self, begin: Begin) {
        self.begin = begin;
        if self.file.as_ref().is_none_or(|file| file.number < begin.file) {
            (self.file, self.offset, self.chain) = (None, FRAMES_AT, begin.follows);
        }
    }

    /// The sequence of the last frame handed out.
    pub(crate) fn last_n(&self) -> u64 {
        self.chain.n - 1
    }

    /// Hands out the frames that have become durable since the last time. What an unfinished write left at the end, if
    /// nobody writes any more.
    pub(crate) fn advance(
        &mut self,
        presence: &mut dyn FnMut() -> Result<Presence>,
        each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
    ) -> Result<Option<TornTail>> {
        let mut before = presence()?;
        // Of the look before: what another kind of look comes between counts no more.
        let (mut suspected, mut seen) = (None, None);
        for _ in 0..LOOKS_MAX {
            let look = self.look(before, each)?;
            let now = presence()?;
            let suspected_before = suspected.take();
            match self.judge(look, before, now, seen.take(), each)? {
                Verdict::Done => return Ok(None),
                Verdict::Again => {}
                Verdict::Unsure(end) => seen = Some(end),
                Verdict::Suspect(file, offset, answer) => {
                    if suspected_before == Some((file, offset)) {
                        return answer;
                    }
                    suspected = Some((file, offset));
                }
            }
            before = now;
        }
        // Somebody opens and closes it all the time. What was handed out is true.
        Ok(None)
    }

    fn look(&mut self, before: Presence, each: &mut dyn FnMut(ScannedFrame) -> Result<()>) -> Result<Look> {
        let durable = before.vouched();
        // A gap among the files is damage, and would look like the end.
        journal_numbers(&*self.disk, &self.dir, self.begin)?;
        let mut file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.enter(self.open(self.begin.file)?)?,
        };
        loop {
            let (mut waiting, mut waiting_bytes, mut stopped) = (VecDeque::new(), 0, false);
            let (start, chain) = (self.offset, self.chain);
            let end = scan::scan_frames(&file, start, chain, &mut |frame| {
                let vouched = frame.header.durable.max(durable);
                waiting_bytes += u64::from(frame.at.bytes);
                if !stopped {
                    waiting.push_back(frame);
                }
                self.hand_out(&mut waiting, vouched, each)?;
                if waiting.is_empty() {
                    waiting_bytes = 0;
                }
                stopped |= before.is_writing && waiting_bytes > WAITING_BYTES_MAX;
                Ok(())
            })?;
            let next = if stopped { None } else { self.open_if_there(file.number.saturating_add(1))? };
            match next {
                None => return Ok(Look { file, end, waiting, stopped, misfit: None }),
                Some(next) if next.start == end.chain => {
                    // A file is synced before the next one has its name.
                    self.hand_out(&mut waiting, u64::MAX, each)?;
                    file = self.enter(next)?;
                }
                Some(next) => {
                    let misfit = match &end.bad {
                        Some(bad) => file.corrupt(bad.offset, &bad.what),
                        None => next.corrupt(40, "the file does not follow the one before it"),
                    };
                    return Ok(Look { file, end, waiting, stopped, misfit: Some(misfit) });
                }
            }
        }
    }

    fn judge(
        &mut self,
        look: Look,
        before: Presence,
        now: Presence,
        seen: Option<Chain>,
        each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
    ) -> Result<Verdict> {
        let is_closed = now.closed.is_some() && before.closed == now.closed;
        let is_abandoned = now.closed.is_none() && !before.is_writing && !now.is_writing;
        let Look { file, mut end, mut waiting, stopped, misfit } = look;
        let (number, offset) = (file.number, end.offset);
        let suspect = |answer| Ok(Verdict::Suspect(number, offset, answer));
        if let Some(error) = misfit {
            return suspect(Err(error));
        }
        let is_live = before.is_writing && now.is_writing && !is_closed;
        if is_live && (stopped || self.last_n() >= before.durable) {
            return Ok(Verdict::Done);
        }
        if !is_live && !is_closed && !is_abandoned {
            return Ok(Verdict::Again);
        }
        if is_abandoned && !waiting.is_empty() {
            if seen != Some(end.chain) {
                return Ok(Verdict::Unsure(end.chain));
            }
            // Found by two looks, and between them nobody wrote who could have taken it back.
            self.hand_out(&mut waiting, u64::MAX, each)?;
        }
        if end.bad.is_some() && scan::is_empty_from(&file, &end)? {
            end.bad = None;
        }
        if let Some(closed) = now.closed.filter(|_| is_closed) {
            return match check_closed(&file, &end, closed) {
                Ok(()) => Ok(Verdict::Done),
                Err(error) => suspect(Err(error)),
            };
        }
        match scan::torn_tail(&file, &end, before.durable, &mut Vouchers::default()) {
            Ok(None) => Ok(Verdict::Done),
            Ok(Some(bad)) => suspect(TornTail::found(&file, &end, bad).map(Some)),
            Err(error) => suspect(Err(error)),
        }
    }

    /// Hands out the frames at the front that are not later than `durable`.
    fn hand_out(
        &mut self,
        waiting: &mut VecDeque<ScannedFrame>,
        durable: u64,
        each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
    ) -> Result<()> {
        while waiting.front().is_some_and(|frame| frame.header.n <= durable) {
            let Some(frame) = waiting.pop_front() else { break };
            let (offset, chain) = (frame.at.end(), frame.next);
            each(frame)?;
            (self.offset, self.chain) = (offset, chain);
        }
        Ok(())
    }

    /// Goes on to a file, whose first frame is the next one.
    fn enter(&mut self, file: JournalFile) -> Result<Arc<JournalFile>> {
        if file.start != self.chain {
            return Err(file.corrupt(40, "the file does not follow the one before it"));
        }
        let file = Arc::new(file);
        self.files.add(Arc::clone(&file));
        self.file = Some(Arc::clone(&file));
        self.offset = FRAMES_AT;
        Ok(file)
    }

    fn open(&self, number: u64) -> Result<JournalFile> {
        JournalFile::open(&*self.disk, &self.dir, self.store, number, OpenMode::Read)
    }

    fn open_if_there(&self, number: u64) -> Result<Option<JournalFile>> {
        match self.disk.open(&self.dir.join(file_name(number)), OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => self.open(number).map(Some),
        }
    }
}
