//! Damages: 1 to 32 places of a store's files changed by chance, and the answer held against what was there. In a child
//! with little memory.

use std::path::PathBuf;
use std::time::Duration;

use annals::{Options, Store};

use crate::campaign::{Budget, Tally};
use crate::child::{self, Limits};
use crate::support::image::{self, Answer, Files, Image};
use crate::support::segments::segments;
use crate::support::{Fault, Rng, images};

pub(crate) const NAME: &str = "damages";
const LIMITS: Limits = Limits { address_space_bytes: 512 << 20, resident_bytes_max: 64 << 20 };
const COUNTS: [&str; 6] =
    ["damages", "refused", "the whole history", "an end cut", "damages verified", "damages, MiB"];
/// How many there are in a short run.
const SHORT: u64 = 900;
/// One in so many is on the real disk, where `verify` looks at it too.
const ON_REAL_DISK: u64 = 16;
const CASE: Duration = Duration::from_secs(1);

pub(crate) fn run(budget: &Budget, tally: &mut Tally) {
    if !child::is_child(NAME) {
        return child::run(NAME, LIMITS, &COUNTS, budget, tally);
    }
    let bases = [
        images::closed(),
        images::killed(),
        images::unmarked(),
        images::torn(),
        images::sealed(),
        images::sealed_and_killed(),
    ];
    let mut other = images::sealed().files;
    other.extend(images::of_another_store());
    let sources = Sources { older: images::older(), other };
    let mut number = 0;
    while budget.goes_on(number, SHORT) {
        let seed = budget.seed(number);
        let mut rng = Rng::new(seed);
        let base = &bases[rng.index(bases.len())];
        let (files, what) = damaged(base, &sources, &mut rng);
        let on_real_disk = number % ON_REAL_DISK == 0;
        let mut answer = None;
        tally.judge(format_args!("damages seed {seed}: {} {what}", base.name), || {
            child::within(CASE, || {
                let judge = if on_real_disk { judge_on_real_disk } else { judge };
                answer = Some(judge(base, &files)?);
                Ok(())
            })
        });
        tally.count("damages", 1);
        tally.count("damages verified", u64::from(on_real_disk));
        match answer {
            Some(Answer::Refused) => tally.count("refused", 1),
            Some(Answer::Whole) => tally.count("the whole history", 1),
            Some(Answer::Cut) => tally.count("an end cut", 1),
            None => {}
        }
        number += 1;
    }
    child::judge_memory(LIMITS, "damages, MiB", tally);
}

fn judge(base: &Image, files: &Files) -> Result<Answer, Fault> {
    let (_disk, opened) = image::open(files);
    judge_opened(base, files, &opened)
}

fn judge_opened(base: &Image, files: &Files, opened: &annals::Result<Store>) -> Result<Answer, Fault> {
    let answer = base.judge(files, opened)?;
    if let (Ok(store), true) = (opened, answer != Answer::Refused) {
        images::judge_accounts(store)?;
    }
    Ok(answer)
}

fn judge_on_real_disk(base: &Image, files: &Files) -> Result<Answer, Fault> {
    let dir = tempfile::tempdir().expect("temporary directory");
    image::write(files, dir.path());
    let verified = Store::verify(dir.path());
    let unchanged = files
        .iter()
        .all(|(path, bytes)| std::fs::read(image::below(dir.path(), path)).is_ok_and(|now| now == *bytes));
    if !unchanged {
        return Err(Fault::Wrong("verify changed a file".to_owned()));
    }
    let options: Options = image::options();
    let opened = options.open(dir.path());
    let answer = judge_opened(base, files, &opened)?;
    let (sound, torn) =
        verified.map_or((false, false), |report| (report.is_sound(), report.torn_tail.is_some()));
    let (opens, cut) =
        opened.as_ref().map_or((false, false), |store| (true, store.recovery().torn_tail.is_some()));
    // A segment is checked where it is read, and some of it is read by nobody here.
    if !segments(&base.files).is_empty() {
        return match (sound, answer) {
            (true, Answer::Refused) => {
                Err(Fault::Wrong("verify finds nothing and the store is refused".to_owned()))
            }
            _ => Ok(answer),
        };
    }
    if (sound, torn && sound) != (opens, cut) {
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        return Err(Fault::Wrong(format!(
            "verify says sound {sound}, torn {torn}; opening: {opens}, {cut} {error}"
        )));
    }
    Ok(answer)
}

struct Sources {
    older: Files,
    other: Files,
}

/// A copy of an image with damage to it, and what was done, in words.
fn damaged(base: &Image, sources: &Sources, rng: &mut Rng) -> (Files, String) {
    let mut files = base.files.clone();
    let mut what = String::new();
    // Few places more often than many: one of many is met first, and the others are not seen behind it.
    let places = match rng.below(4) {
        0 => 1,
        1 => 1 + rng.below(3),
        2 => 1 + rng.below(8),
        _ => 1 + rng.below(32),
    };
    if rng.chance(12) {
        what += &misplace(&mut files, sources, rng);
    }
    let paths: Vec<PathBuf> = files.keys().cloned().collect();
    // Often all at the end of the journal, where it is decided what is torn.
    let at_end = rng
        .chance(3)
        .then(|| base.frames().pop().expect("a frame").path)
        .filter(|path| files.contains_key(path));
    for _ in 0..places {
        let path = at_end.as_ref().unwrap_or(&paths[rng.index(paths.len())]);
        let donor = files[&paths[rng.index(paths.len())]].clone();
        let bytes = files.get_mut(path).expect("it is there");
        let change = change(bytes, &donor, at_end.is_some(), rng);
        what += &format!("{}: {change}; ", path.display());
    }
    (files, what)
}

/// A file taken from elsewhere, deleted, doubled or swapped.
fn misplace(files: &mut Files, sources: &Sources, rng: &mut Rng) -> String {
    let paths: Vec<PathBuf> = files.keys().cloned().collect();
    let (path, other) = (paths[rng.index(paths.len())].clone(), paths[rng.index(paths.len())].clone());
    let done = match rng.below(5) {
        0 => {
            files.remove(&path);
            "deleted".to_owned()
        }
        1 => {
            let (one, another) = (files[&path].clone(), files[&other].clone());
            files.insert(path.clone(), another);
            files.insert(other.clone(), one);
            format!("swapped with {}", other.display())
        }
        2 => {
            files.insert(other.clone(), files[&path].clone());
            format!("put in place of {}", other.display())
        }
        // An older manifest beside an older journal would be an older store: not both at once.
        3 if !path.ends_with("MANIFEST") => {
            sources.older.get(&path).map(|older| files.insert(path.clone(), older.clone()));
            "of an older copy".to_owned()
        }
        _ => {
            sources.other.get(&path).map(|other| files.insert(path.clone(), other.clone()));
            "of another store".to_owned()
        }
    };
    format!("{} {done}; ", path.display())
}

/// Damages one place of a file; what was done.
fn change(bytes: &mut Vec<u8>, donor: &[u8], at_end: bool, rng: &mut Rng) -> String {
    if bytes.is_empty() {
        bytes.extend_from_slice(&donor[..donor.len().min(100)]);
        return "filled".to_owned();
    }
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(bytes.len(), |at| at + 1);
    // Mostly where something is, and often near its end.
    let at = match if at_end { 1 } else { rng.below(8) } {
        0 => rng.index(bytes.len()),
        1 | 2 => used.saturating_sub(1 + rng.index(used.min(2_000))),
        3 => rng.index(used.min(5_000)),
        _ => rng.index(used),
    };
    let most = [2, 9, 64, 600, 5_000][rng.index(5)];
    let length = (1 + rng.index(most)).min(bytes.len() - at);
    match rng.below(10) {
        0 | 1 => {
            bytes[at] ^= 1 << rng.below(8);
            return format!("a bit at {at}");
        }
        2 => bytes[at..at + length].iter_mut().for_each(|byte| *byte = rng.next().to_le_bytes()[0]),
        3 => bytes[at..at + length].fill(0),
        4 => bytes[at..at + length].fill(0xff),
        5 => {
            let size = if rng.chance(2) { 512 } else { 4096 };
            let start = at / size * size;
            let end = (start + size).min(bytes.len());
            bytes[start..end].fill(0);
            return format!("zeros from {start} to {end}");
        }
        6 => {
            let from = rng.index(donor.len().max(1));
            let piece = &donor[from.min(donor.len())..(from + length).min(donor.len())];
            bytes[at..at + piece.len()].copy_from_slice(piece);
            return format!("{} bytes copied to {at} from {from} of a file of {}", piece.len(), donor.len());
        }
        7 => {
            bytes.truncate(at);
            return format!("cut to {at}");
        }
        8 => {
            let added =
                if rng.chance(2) { vec![0; length] } else { donor[..length.min(donor.len())].to_vec() };
            bytes.extend_from_slice(&added);
            return format!("{} bytes added", added.len());
        }
        _ => {
            let value = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX][rng.index(7)];
            let width = [2, 4, 8][rng.index(3)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
            return format!("{value:#x} in {width} bytes at {at}");
        }
    }
    format!("{length} bytes at {at}")
}
