//! A large journal file, sound and damaged: what it takes in memory to open, read and verify it stays below twice the file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use annals::{ErrorKind, ExpectedVersion, Options, Store};

use crate::campaign::Tally;
use crate::support::image::{self, FRAMES_AT};
use crate::support::{Fault, Seal, event, to_usize};

/// Events of a mebibyte each.
const EVENTS: u64 = 24;
const EVENT_BYTES: usize = 1 << 20;

fn options() -> Options {
    image::options().journal_file_bytes(64 << 20)
}

pub(crate) fn run(tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("bank");
    let store = options().open(&root).expect("open");
    let seal = Seal::new(store.id().to_bytes());
    for number in 0..EVENTS {
        let stream = store.stream(format!("s-{}", number % 3)).expect("name");
        stream.append_raw(ExpectedVersion::Any, [event(vec![1; EVENT_BYTES])]).expect("append");
    }
    store.close().expect("close");
    drop(store);
    let journal = root.join("journal/00000001");
    tally.judge("a large file", || judge(&root, true));
    let frame = (EVENT_BYTES + 256) as u64;
    let places = [FRAMES_AT as u64 + 4, FRAMES_AT as u64 + 100, 7 * frame, 20 * frame, EVENTS * frame];
    for (at, change) in
        places.into_iter().map(|at| (at, &b"\x55"[..])).chain([(FRAMES_AT as u64, &b"ANFR\x01\0\0\0"[..])])
    {
        let file = File::options().read(true).write(true).open(&journal).expect("open");
        let mut before = vec![0; 56];
        file.read_exact_at(&mut before, at).expect("read");
        let mut after = before.clone();
        after[..change.len()].copy_from_slice(change);
        if change.len() > 1 {
            // The first frame says it is as large as any may be: 64 MiB.
            after[8..12].copy_from_slice(&(63_u32 << 20).to_le_bytes());
            seal.frame_header(1, &mut after, 0);
        }
        file.write_all_at(&after, at).expect("write");
        tally.count("hostile files", 1);
        tally.judge(format_args!("a large file, changed at {at}"), || judge(&root, after == before));
        file.write_all_at(&before, at).expect("write");
    }
}

fn judge(root: &Path, is_sound: bool) -> Result<(), Fault> {
    let verified = Store::verify(root).map_err(|error| Fault::Wrong(error.to_string()))?;
    let opened = options().open(root);
    let answers = (verified.is_sound(), opened.as_ref().map_err(annals::Error::kind).map(|_| ()));
    let wanted = if is_sound { (true, Ok(())) } else { (false, Err(ErrorKind::Corrupt)) };
    if answers != wanted {
        return Err(Fault::Wrong(format!("{answers:?} instead of {wanted:?}")));
    }
    let Ok(store) = opened else { return Ok(()) };
    for read in [store.read(), store.read().backward()] {
        let bytes =
            read.iter().map(|event| event.map(|event| event.payload().len())).sum::<annals::Result<usize>>();
        if !bytes.as_ref().is_ok_and(|bytes| *bytes == to_usize(EVENTS) * EVENT_BYTES) {
            return Err(Fault::Wrong(format!("{bytes:?} bytes of payload")));
        }
    }
    // As it was before: open, so that the same file is closed again and not longer by a close frame each time.
    drop(store);
    Ok(())
}
