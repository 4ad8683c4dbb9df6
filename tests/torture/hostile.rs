//! Hostile files: values that no store holds under checksums that hold, in every length, count and offset; and on the real
//! disk, things that are no files in place of files. The answer is an error or the right one, within a second, and nothing
//! outside the store is touched. In a child with little memory.

use std::path::PathBuf;
use std::time::Duration;

use annals::ErrorKind;

use crate::campaign::{Budget, Tally};
use crate::child::{self, Limits};
use crate::support::image::{self, Answer, FRAME_HEADER_BYTES, Files, FrameInFile, Image};
use crate::support::segments::{SealedBlock, blocks, segments};
use crate::support::{Fault, Rng, Seal, images};
use crate::{hostile_large, hostile_places};

pub(crate) const NAME: &str = "hostile files";
const LIMITS: Limits = Limits { address_space_bytes: 512 << 20, resident_bytes_max: 64 << 20 };
const COUNTS: [&str; 4] = ["hostile values", "hostile files", "hostile files refused", "hostile files, MiB"];
const CASE: Duration = Duration::from_secs(1);
/// In a short run one in so many values is tried; in a long one all are, again and again with others drawn by chance.
const SHORT: u64 = 12;

/// 0, 1, and the ends of what 16, 31, 32, 63 and 64 bits hold, and the library's own limits with their neighbours.
const VALUES: [u64; 31] = [
    0,
    1,
    2,
    59,
    60,
    61,
    255,
    256,
    257,
    512,
    513,
    1024,
    1025,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x1_0001,
    (16 << 20),
    (16 << 20) + 1,
    (64 << 20) - 1,
    64 << 20,
    (64 << 20) + 1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

pub(crate) fn run(budget: &Budget, tally: &mut Tally) {
    if !child::is_child(NAME) {
        return child::run(NAME, LIMITS, &COUNTS, budget, tally);
    }
    hostile_places::run(budget, tally);
    hostile_large::run(tally);
    let bases = [images::closed(), images::killed(), images::unmarked(), images::sealed()];
    let mut rng = Rng::new(budget.first_seed());
    let mut round = 0;
    loop {
        for base in &bases {
            for field in fields(base) {
                for (at, value) in VALUES.into_iter().enumerate() {
                    if !budget.is_long() && !rng.chance(SHORT) {
                        continue;
                    }
                    let value = if round == 0 { value } else { drawn(value, &mut rng) };
                    judge(base, &field, value, at, tally);
                }
            }
        }
        round += 1;
        if !budget.goes_on(round, 1) {
            break;
        }
    }
    child::judge_memory(LIMITS, "hostile files, MiB", tally);
}

/// Another value of about this size.
fn drawn(value: u64, rng: &mut Rng) -> u64 {
    match rng.below(3) {
        0 => value.wrapping_add(rng.below(64)),
        1 => value.wrapping_sub(rng.below(64)),
        _ => rng.next() >> rng.below(64),
    }
}

fn judge(base: &Image, field: &Field, value: u64, at: usize, tally: &mut Tally) {
    let mut files = base.files.clone();
    let bytes = files.get_mut(&field.path).expect("it is there");
    let Some(place) = bytes.get_mut(field.at..field.at + field.width) else { return };
    place.copy_from_slice(&value.to_le_bytes()[..field.width]);
    field.seal(&base.files, bytes);
    tally.count("hostile values", 1);
    let name =
        format_args!("{} {} = {value:#x} (value {at}), {}", base.name, field.what, field.path.display());
    tally.judge(name, || {
        child::within(CASE, || {
            let (disk, opened) = image::open(&files);
            // A mark that somebody forged is believed: what it says was synced is missed.
            if field.path == image::lock()
                && opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt)
            {
                return Ok(());
            }
            let answer = match base.judge(&files, &opened) {
                // Tables of a segment that somebody forged are believed by who reads, and seen through by who verifies.
                Err(_) if segments(&files).contains(&field.path) => {
                    let report = image::options().disk(disk).verify(image::ROOT);
                    return match report.is_ok_and(|report| report.is_sound()) {
                        true => Err(Fault::Wrong("verify finds nothing, and the answers differ".to_owned())),
                        false => Ok(()),
                    };
                }
                judged => judged?,
            };
            if let (Ok(store), true) = (&opened, answer != Answer::Refused) {
                images::judge_accounts(store)?;
            }
            if field.is_cache && answer != Answer::Whole {
                return Err(Fault::FalseAlarm("a snapshot is no reason not to open".to_owned()));
            }
            Ok(())
        })
    });
}

/// A number in a file that says how long, how many or where.
struct Field {
    path: PathBuf,
    what: String,
    at: usize,
    width: usize,
    /// Of the frame it is in, where that starts.
    frame: Option<usize>,
    is_cache: bool,
}

impl Field {
    fn seal(&self, of: &Files, bytes: &mut [u8]) {
        let seal = Seal::of(of);
        match self.frame {
            // Only this frame: those behind it stay where they are.
            Some(start) => {
                let number =
                    self.path.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number");
                // A body that the length no longer fits keeps its bytes.
                let after = bytes.to_vec();
                if seal.frame(number, bytes, start).is_some_and(|end| bytes[end..] != after[end..]) {
                    unreachable!("nothing behind the frame is changed");
                }
            }
            None => seal.file(&self.path, bytes),
        }
    }
}

/// What lies where in the manifest, in the header of a journal file or a segment, in a segment's footer and envelopes, in a
/// frame, in a record, in a pack with one record.
type Layout = &'static [(&'static str, usize, usize)];

const MANIFEST: Layout = &[
    ("version", 8, 4),
    ("length", 12, 4),
    ("oldest journal", 40, 8),
    ("state", 48, 8),
    ("closed at file", 56, 8),
    ("closed at length", 64, 8),
    ("closed at n", 72, 8),
    ("segments", 80, 4),
];
const LOCK: Layout = &[("version", 8, 4), ("zeros", 12, 4), ("durable mark", 16, 8), ("more zeros", 24, 4)];
const JOURNAL: Layout =
    &[("version", 8, 4), ("zeros", 12, 4), ("number", 32, 8), ("first position", 40, 8), ("first n", 48, 8)];
const SEGMENT_FOOTER: Layout = &[
    ("footer's version", 8, 4),
    ("state bytes", 12, 4),
    ("file length", 40, 8),
    ("raw bytes", 48, 8),
    ("events", 56, 4),
    ("streams", 60, 4),
    ("commits", 64, 8),
    ("blocks of events", 72, 4),
    ("blocks of streams", 76, 4),
    ("blocks of ids", 80, 4),
    ("blocks of order", 84, 4),
    ("first position", 88, 8),
    ("first n", 96, 8),
    ("end position", 108, 8),
    ("end n", 116, 8),
    ("least recorded_at", 128, 8),
    ("greatest recorded_at", 136, 8),
    ("greatest occurred_at", 152, 8),
    ("types bytes", 160, 8),
    ("filter bytes", 168, 8),
    ("directory bytes", 176, 8),
    ("new streams", 184, 4),
];
const ENVELOPE: Layout = &[
    ("kind", 0, 1),
    ("codec", 1, 1),
    ("zeros", 2, 2),
    ("stored_len", 4, 4),
    ("raw_len", 8, 4),
    ("first", 12, 4),
    ("count", 16, 4),
];
/// Of a block that is no block of events: what those hold is what somebody says that happened.
const TABLE: Layout = &[("first of its content", 24, 1), ("some of its content", 26, 4)];
const FRAME: Layout = &[
    ("kind", 4, 1),
    ("body_len", 8, 4),
    ("zeros", 12, 4),
    ("first_position", 16, 8),
    ("n", 24, 8),
    ("durable", 32, 8),
];
const COMMIT: Layout = &[("event_count", 8, 4), ("state_count", 12, 4), ("first offset", 16, 4)];
const RECORD: Layout = &[
    ("record_len", 0, 4),
    ("header_len", 4, 2),
    ("version", 8, 8),
    ("stream_len", 46, 2),
    ("type_len", 48, 2),
    ("flags", 50, 1),
    ("metadata_len", 52, 4),
    ("payload_len", 56, 4),
];
const PACK: Layout = &[
    ("pack version", 8, 4),
    ("pack number", 32, 8),
    ("state_len", 56, 4),
    ("sequence", 64, 8),
    ("version", 72, 8),
    ("position", 80, 8),
    ("recorded_at", 88, 8),
    ("schema", 112, 4),
    ("stream_len", 116, 2),
    ("type_len", 118, 2),
    ("codec", 120, 1),
    ("keep", 121, 1),
];

fn fields(base: &Image) -> Vec<Field> {
    let mut found = Vec::new();
    let mut add = |path: &PathBuf, frame, start: usize, layout: Layout| {
        let is_cache = path.parent().is_some_and(|dir| dir.ends_with("snapshots"));
        found.extend(layout.iter().map(|(what, at, width)| Field {
            path: path.clone(),
            what: (*what).to_owned(),
            at: start + at,
            width: *width,
            frame,
            is_cache,
        }));
    };
    add(&image::manifest(), None, 0, MANIFEST);
    if base.files.contains_key(&image::lock()) {
        add(&image::lock(), None, 0, LOCK);
    }
    base.journals().for_each(|(path, _)| add(path, None, 0, JOURNAL));
    let packs = base.files.keys().filter(|path| path.parent().is_some_and(|dir| dir.ends_with("snapshots")));
    packs.for_each(|path| add(path, None, 0, PACK));
    for path in segments(&base.files) {
        let bytes = &base.files[&path];
        add(&path, None, 0, JOURNAL);
        add(&path, None, bytes.len() - 192, SEGMENT_FOOTER);
        let blocks = blocks(bytes);
        for (at, block) in blocks.iter().enumerate() {
            // The first two of each kind, and the last.
            let of_kind = |block: &&SealedBlock| block.kind == blocks[at].kind;
            let (before, behind) = (blocks[..at].iter(), blocks[at + 1..].iter());
            if before.filter(of_kind).count() < 2 || behind.filter(of_kind).count() == 0 {
                add(&path, None, block.bytes.start, ENVELOPE);
                if block.kind != 1 {
                    add(&path, None, block.bytes.start, TABLE);
                }
            }
        }
    }
    for frame in some_frames(base) {
        let (path, start) = (&frame.path, frame.start);
        add(path, Some(start), start, FRAME);
        let is_commit = base.files[path][start + 4] == 1;
        if !is_commit {
            continue;
        }
        let body = start + FRAME_HEADER_BYTES;
        let number =
            |at: usize| u32::from_le_bytes(base.files[path][at..at + 4].try_into().expect("four bytes"));
        add(path, Some(start), body, COMMIT);
        if number(body + 8) > 1 {
            add(path, Some(start), body, &[("second offset", 20, 4)]);
        }
        add(path, Some(start), body + number(body + 16) as usize, RECORD);
    }
    found
}

/// The first frames, some of the middle, the last ones, and the largest.
fn some_frames(base: &Image) -> Vec<FrameInFile> {
    let frames = base.frames();
    let largest = frames.iter().max_by_key(|frame| frame.end - frame.start).cloned();
    let is_taken = |at: usize| at < 2 || at.is_multiple_of(17) || at + 3 > frames.len();
    let taken = frames.iter().enumerate().filter(|(at, _)| is_taken(*at)).map(|(_, frame)| frame.clone());
    taken.chain(largest).collect()
}
