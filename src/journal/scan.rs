//! Reading one journal file from front to back: every frame checked, in order, each handed to the caller. Decides
//! nothing about what to do with a bad one; reads only.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

use super::chain::Chain;
use super::frame::{self, BadHeader, FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use super::journal_file::{FRAMES_AT, JournalFile};
use super::torn::{self, Extent};
use super::window::Window;
use super::{CommitView, FrameAt};

const HEADER_BYTES: u64 = FRAME_HEADER_BYTES as u64;

/// What a scan hands on for each sound frame.
#[derive(Debug)]
pub(crate) struct ScannedFrame {
    pub(crate) header: FrameHeader,
    pub(crate) at: FrameAt,
    /// `None` for a close frame.
    pub(crate) commit: Option<CommitView>,
    /// What the frame behind it must follow.
    pub(crate) next: Chain,
}

/// How a scan ended.
#[derive(Debug)]
pub(crate) struct ScanEnd {
    /// Behind the last sound frame.
    pub(crate) offset: u64,
    /// What the next frame must follow.
    pub(crate) chain: Chain,
    /// The last sound frame.
    pub(crate) last: Option<FrameHeader>,
    /// What stands where the next frame would; `None` when nothing but zeros does.
    pub(crate) bad: Option<BadFrame>,
    /// The file's length.
    pub(crate) file_bytes: u64,
}

/// Bytes that are neither the next frame nor the empty rest of the file.
#[derive(Debug)]
pub(crate) struct BadFrame {
    pub(crate) offset: u64,
    pub(crate) what: String,
    pub(crate) extent: Extent,
    /// A frame that is sound in itself but does not belong here: damage, whatever follows.
    pub(crate) misplaced: bool,
}

impl BadFrame {
    /// Where the next frame may stand. What lies within a frame whose header is sound is its body, whatever it looks like;
    /// and each byte of a file that is full of such headers is read once.
    pub(crate) fn resume_at(&self) -> u64 {
        self.offset + self.extent.frame_bytes().unwrap_or(FRAME_ALIGN)
    }
}

/// Scans `file`, whose first frame must follow `start`. The caller's errors end the scan.
pub(crate) fn scan(
    file: &JournalFile,
    start: Chain,
    each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
) -> Result<ScanEnd> {
    scan_from(file, FRAMES_AT, start, each)
}

/// Scans `file` from `offset` on, where the frame that follows `start` must be. Whether the rest of the file is empty is
/// looked at when no frame is found.
pub(crate) fn scan_from(
    file: &JournalFile,
    offset: u64,
    start: Chain,
    each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
) -> Result<ScanEnd> {
    let mut end = scan_frames(file, offset, start, each)?;
    if end.bad.is_some() && is_empty_from(file, &end)? {
        end.bad = None;
    }
    Ok(end)
}

/// Whether a file holds nothing but zeros behind its last sound frame.
pub(crate) fn is_empty_from(file: &JournalFile, end: &ScanEnd) -> Result<bool> {
    Ok(Window::new(file, end.file_bytes).first_nonzero(end.offset)?.is_none())
}

/// As [`scan_from`], but what follows the last sound frame is not looked at further: it is told as bad also when it is
/// empty.
pub(crate) fn scan_frames(
    file: &JournalFile,
    offset: u64,
    start: Chain,
    each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
) -> Result<ScanEnd> {
    let file_bytes = file.bytes()?;
    let mut window = Window::new(file, file_bytes);
    let mut end = ScanEnd { offset, chain: start, last: None, bad: None, file_bytes };
    while end.offset < file_bytes {
        match next_frame(file, &mut window, &end)? {
            Next::Frame { header, header_crc } => {
                let (bytes, frame_at) = window.share(end.offset);
                let commit = match header.kind {
                    FrameKind::Close => None,
                    FrameKind::Commit | FrameKind::CommitWithStates => Some(
                        CommitView::new(bytes, frame_at, header.body_len, header.first_position)
                            .map_err(|bad| file.corrupt(end.offset, bad))?,
                    ),
                };
                let events = commit.as_ref().map_or(0, |commit| u64::from(commit.event_count()));
                // No store counts this far: it would have refused the append.
                end.chain = end
                    .chain
                    .after(events, header_crc)
                    .map_err(|error| file.corrupt(end.offset, error.what()))?;
                end.last = Some(header);
                let at = FrameAt::new(file.number, end.offset, &header);
                each(ScannedFrame { header, at, commit, next: end.chain })?;
                end.offset += header.frame_bytes() as u64;
            }
            Next::Bad(bad) => {
                end.bad = Some(bad);
                break;
            }
        }
    }
    Ok(end)
}

enum Next {
    Frame { header: FrameHeader, header_crc: u32 },
    Bad(BadFrame),
}

fn next_frame(file: &JournalFile, window: &mut Window<'_>, end: &ScanEnd) -> Result<Next> {
    let offset = end.offset;
    let bad = |what: String, extent, misplaced| Ok(Next::Bad(BadFrame { offset, what, extent, misplaced }));
    let (header, header_crc) = match FrameHeader::decode(window.at(offset, HEADER_BYTES)?, file.seed) {
        Ok(sound) => sound,
        Err(BadHeader::UnknownKind(kind)) => {
            let what = format!("{}: {}", file.path.display(), BadHeader::UnknownKind(kind));
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
        Err(reason) => return bad(reason.to_string(), Extent::HeaderOnly, reason == BadHeader::Impossible),
    };
    if let Err(what) = end.chain.check(&header) {
        return bad(what.to_owned(), Extent::HeaderOnly, true);
    }
    let frame_bytes = header.frame_bytes() as u64;
    let bytes = window.at(offset, frame_bytes)?;
    let extent = Extent::Frame(frame_bytes);
    if (bytes.len() as u64) < frame_bytes {
        return bad("frame is cut by the end of the file".to_owned(), extent, false);
    }
    let (body, padding) = bytes
        .get(FRAME_HEADER_BYTES..)
        .and_then(|rest| rest.split_at_checked(header.body_bytes()))
        .unwrap_or_default();
    if file.seed.checksum(&[body]) != header.body_crc {
        return bad("frame body's checksum differs".to_owned(), extent, false);
    }
    if !frame::is_padding(padding) {
        return bad("frame's padding differs".to_owned(), extent, false);
    }
    Ok(Next::Frame { header, header_crc })
}

/// What an unfinished write left at the end of the last file of a journal that was not closed cleanly, if anything.
/// `durable` is the durable mark; `vouchers` is for this file, and for one end after another in their order.
///
/// # Errors
/// `Corrupt` for anything else that is not as it was written.
pub(crate) fn torn_tail<'a>(
    file: &JournalFile,
    end: &'a ScanEnd,
    durable: u64,
    vouchers: &mut Vouchers,
) -> Result<Option<&'a BadFrame>> {
    let was_synced = end.chain.n <= durable;
    match &end.bad {
        None if was_synced => {
            let what = format!(
                "frame {} was synced, as the lock's file says, and is not here: an older copy was put back, or the end is lost",
                end.chain.n
            );
            Err(file.corrupt(end.offset, what))
        }
        None => Ok(None),
        Some(bad) if !was_synced && is_torn_tail(file, end, bad, vouchers)? => Ok(Some(bad)),
        Some(bad) => Err(file.corrupt(bad.offset, &bad.what)),
    }
}

/// Whether a bad frame is a torn tail, given that it is in the last file. Anything else is damage.
fn is_torn_tail(file: &JournalFile, end: &ScanEnd, bad: &BadFrame, vouchers: &mut Vouchers) -> Result<bool> {
    if bad.misplaced || vouchers.vouch(file, end, bad)? {
        return Ok(false);
    }
    let mut window = Window::new(file, end.file_bytes);
    let bytes = window.at(bad.offset, bad.extent.bytes())?;
    Ok(torn::is_torn(bad.offset, bytes, bad.extent))
}

/// The search for later headers of a file that say of a bad frame that it had been synced. It goes on where it stood at
/// the bad frame before, so that a file full of damage is looked through once and not once for each bad frame.
#[derive(Debug, Default)]
pub(crate) struct Vouchers {
    /// Before this, no header says of the last bad frame asked about, or of a later one, that it was synced.
    next: u64,
    /// The header at `next`, if the search stopped at one: what it says was synced.
    durable: Option<u64>,
}

impl Vouchers {
    fn vouch(&mut self, file: &JournalFile, end: &ScanEnd, bad: &BadFrame) -> Result<bool> {
        let behind = bad.offset + FRAME_ALIGN;
        if behind > self.next || self.durable.is_none_or(|durable| durable < end.chain.n) {
            let vouches = |header: &FrameHeader| header.durable >= end.chain.n;
            let found = find_header(file, end.file_bytes, behind.max(self.next), vouches)?;
            self.next = found.map_or(end.file_bytes, |(offset, _)| offset);
            self.durable = found.map(|(_, header)| header.durable);
        }
        Ok(self.durable.is_some())
    }
}

/// The next offset at or after `from` where a sound header stands that `wanted` accepts, and the header.
pub(crate) fn find_header(
    file: &JournalFile,
    file_bytes: u64,
    from: u64,
    wanted: impl Fn(&FrameHeader) -> bool,
) -> Result<Option<(u64, FrameHeader)>> {
    let mut window = Window::new(file, file_bytes);
    let mut offset = from.next_multiple_of(FRAME_ALIGN);
    while offset < file_bytes {
        let bytes = window.at(offset, HEADER_BYTES)?;
        if let Ok((header, _)) = FrameHeader::decode(bytes, file.seed)
            && wanted(&header)
        {
            return Ok(Some((offset, header)));
        }
        offset += FRAME_ALIGN;
    }
    Ok(None)
}

/// The commit at a known place, read from disk and checked again.
pub(crate) fn check_frame(
    file: &JournalFile,
    at: FrameAt,
    bytes: &Arc<Vec<u8>>,
    start: u32,
) -> Result<CommitView> {
    let from = usize::try_from(start).unwrap_or(usize::MAX);
    let header = check_bytes(file, at, bytes.get(from..).unwrap_or_default())?;
    CommitView::new(Arc::clone(bytes), start, header.body_len, header.first_position)
        .map_err(|bad| file.corrupt(at.offset, bad))
}

/// Whether `bytes` start with the frame that was found at a known place.
pub(crate) fn check_bytes(file: &JournalFile, at: FrameAt, bytes: &[u8]) -> Result<FrameHeader> {
    let frame = bytes.get(..usize::try_from(at.bytes).unwrap_or(usize::MAX));
    let frame = frame.ok_or_else(|| file.corrupt(at.offset, "frame is cut by the end of the file"))?;
    let (header, _) = FrameHeader::decode(frame, file.seed).map_err(|bad| file.corrupt(at.offset, bad))?;
    let (body, padding) = frame
        .get(FRAME_HEADER_BYTES..)
        .and_then(|rest| rest.split_at_checked(header.body_bytes()))
        .unwrap_or_default();
    if header.first_position != at.first_position {
        return Err(file.corrupt(at.offset, "another frame stands here than the one that was written"));
    }
    if header.frame_bytes() != frame.len() || file.seed.checksum(&[body]) != header.body_crc {
        return Err(file.corrupt(at.offset, "frame body's checksum differs"));
    }
    if !frame::is_padding(padding) {
        return Err(file.corrupt(at.offset, "frame's padding differs"));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{RealDisk, write_all_at};
    use crate::types::StoreId;

    const SLOTS: u64 = 40;
    const SLOT_BYTES: u64 = 64;

    /// Small numbers that look as if by chance.
    fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        }
    }

    fn offset(slot: u64) -> u64 {
        FRAMES_AT + slot * SLOT_BYTES
    }

    #[test]
    fn a_search_for_vouchers_that_goes_on_finds_what_a_new_one_finds() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = StoreId::from_bytes([7; 16]);
        let file_bytes = offset(SLOTS);
        let file =
            JournalFile::create(&RealDisk, dir.path(), store, 1, Chain::START, file_bytes).expect("file");
        let mut found = 0;
        for round in 0..200 {
            let mut number = numbers(round);
            // In some slots stands a header that says what was durable.
            let durable: Vec<Option<u64>> =
                (0..SLOTS).map(|_| (number(3) == 0).then(|| number(20))).collect();
            for (slot, durable) in (0..).zip(&durable) {
                let header = durable.map(|durable| FrameHeader {
                    kind: FrameKind::Commit,
                    body_len: 8,
                    first_position: 0,
                    n: durable + 1,
                    durable,
                    prev_header_crc: 0,
                    body_crc: 0,
                });
                let bytes = header.map_or([0; FRAME_HEADER_BYTES], |header| header.encode(file.seed));
                write_all_at(&*file.disk_file, &bytes, offset(slot)).expect("write");
            }
            let mut vouchers = Vouchers::default();
            let (mut slot, mut n) = (0, 1);
            while slot < SLOTS {
                let bad = BadFrame {
                    offset: offset(slot),
                    what: String::new(),
                    extent: Extent::HeaderOnly,
                    misplaced: false,
                };
                let chain = Chain { n, ..Chain::START };
                let end = ScanEnd { offset: bad.offset, chain, last: None, bad: None, file_bytes };
                let wanted =
                    (0..).zip(&durable).any(|(at, durable)| at > slot && durable.is_some_and(|it| it >= n));
                assert_eq!(
                    vouchers.vouch(&file, &end, &bad).expect("search"),
                    wanted,
                    "round {round}, slot {slot}"
                );
                found += u64::from(wanted);
                (slot, n) = (slot + 1 + number(4), n + number(5));
            }
        }
        assert!(found > 500, "{found}");
    }
}
