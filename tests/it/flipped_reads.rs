//! Bits that flip on the way from the disk: an error, and the right answer the next time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::history::{History, open};
use crate::support::{CallKind, Fault, Keep, Rng, SimDisk, Verdict};

/// The files, whose read `read` comes back with `bit` flipped, or that one and all after it while `lasts` says so; and whether
/// there was such a read.
fn flipping(files: &SimDisk, read: u64, bit: usize, lasts: &Arc<AtomicBool>) -> (SimDisk, Arc<AtomicBool>) {
    let disk = files.kill();
    let (mut count, flipped) = (0, Arc::new(AtomicBool::new(false)));
    let (told, lasts) = (Arc::clone(&flipped), Arc::clone(lasts));
    disk.on_call(move |call| {
        if call.kind != CallKind::Read || call.bytes == 0 {
            return Verdict::Proceed;
        }
        count += 1;
        let is_flipped = count == read + 1 || (count > read && lasts.load(Ordering::SeqCst));
        if !is_flipped {
            return Verdict::Proceed;
        }
        told.store(true, Ordering::SeqCst);
        Verdict::FlipBit(bit)
    });
    (disk, flipped)
}

#[test]
fn a_bit_that_flips_while_reading_is_an_error_or_changes_nothing_and_the_next_read_is_right() {
    let mut rng = Rng::printed("flipped reads", 53);
    let disk = SimDisk::new();
    let history = History::run(&disk);
    let disk = disk.crash(Keep::Everything);
    let wanted = history.check(&open(&disk.kill()).expect("open")).expect("the history");
    let (mut at_opening, mut at_reading, mut nowhere) = (0, 0, 0);
    for read in 0.. {
        let mut is_past_the_last = false;
        for turn in 0..6 {
            // Mostly where there is something to be read.
            let bit = if rng.chance(2) { rng.index(8 * 200) } else { rng.index(8 << 16) };
            // Commits that were read together are read one by one when there is something wrong: a flip that does not last is gone.
            let lasts = Arc::new(AtomicBool::new(turn % 2 == 1));
            let (disk, flipped) = flipping(&disk, read, bit, &lasts);
            let what = format!("bit {bit} of read {read}, lasting: {lasts:?}");
            if let Ok(store) = open(&disk) {
                match history.check(&store) {
                    Ok(found) => {
                        assert_eq!(found, wanted, "{what}");
                        nowhere += 1;
                    }
                    // What the check calls so is an error that a read answered.
                    Err(Fault::FalseAlarm(_)) => at_reading += 1,
                    Err(fault) => panic!("{what}: {fault}"),
                }
                lasts.store(false, Ordering::SeqCst);
                assert_eq!(history.check(&store).as_ref(), Ok(&wanted), "{what}, read again");
            } else {
                at_opening += 1;
            }
            disk.heal();
            let store = open(&disk).unwrap_or_else(|error| panic!("{what}, opened again: {error}"));
            assert_eq!(history.check(&store).as_ref(), Ok(&wanted), "{what}, opened again");
            is_past_the_last |= !flipped.load(Ordering::SeqCst);
        }
        if is_past_the_last {
            break;
        }
    }
    println!(
        "flipped: {at_opening} refused at opening, {at_reading} while reading, {nowhere} that change no answer"
    );
    assert!(at_opening > 50 && at_reading > 5, "bits that matter were flipped in both");
}
