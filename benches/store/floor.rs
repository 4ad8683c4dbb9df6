//! The floor: what any store must do for the same work, and nothing else. The same bytes to a prepared file with one
//! fdatasync a group; or read back in one pass, each piece held against its checksum.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::{Condvar, Mutex};

const PREPARED_BYTES: usize = 64 << 20;

/// A file filled with zeros and synced, written from front to back and then from the front again.
pub(super) struct RawLog {
    file: File,
    offset: u64,
}

impl RawLog {
    pub(super) fn create(dir: &Path) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.join("raw"))
            .expect("create floor");
        let zeros = vec![0; 1 << 20];
        for at in (0..PREPARED_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at as u64).expect("prepare floor");
        }
        file.sync_all().expect("sync floor");
        Self { file, offset: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        if self.offset as usize + bytes.len() > PREPARED_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(bytes, self.offset).expect("write floor");
        self.offset += bytes.len() as u64;
    }

    pub(super) fn sync(&self) {
        self.file.sync_data().expect("sync floor");
    }
}

/// Group commit at its simplest: whoever finds nobody syncing writes and syncs what all have put into the buffer.
pub(super) struct GroupLog {
    state: Mutex<GroupState>,
    wake: Condvar,
    raw: Mutex<RawLog>,
}

#[derive(Default)]
struct GroupState {
    buffer: Vec<u8>,
    next: u64,
    durable: u64,
    syncing: bool,
}

impl GroupLog {
    pub(super) fn create(dir: &Path) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), raw: Mutex::new(RawLog::create(dir)) }
    }

    pub(super) fn append(&self, bytes: &[u8]) {
        let mut state = self.state.lock();
        state.buffer.extend_from_slice(bytes);
        state.next += 1;
        let mine = state.next;
        while state.durable < mine {
            if state.syncing {
                self.wake.wait(&mut state);
                continue;
            }
            state.syncing = true;
            let (group, upto) = (std::mem::take(&mut state.buffer), state.next);
            drop(state);
            {
                let mut raw = self.raw.lock();
                raw.write(&group);
                raw.sync();
            }
            state = self.state.lock();
            (state.syncing, state.durable) = (false, upto);
            self.wake.notify_all();
        }
    }
}

/// Pieces of one size in a file, each with its checksum, read in one pass.
pub(super) struct RawPieces {
    file: File,
    piece_bytes: usize,
    checksums: Vec<u32>,
}

impl RawPieces {
    pub(super) fn create(dir: &Path, pieces: usize, piece_bytes: usize) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.join("pieces"))
            .expect("create floor");
        let piece: Vec<u8> = (0..piece_bytes).map(|at| (at * 31) as u8).collect();
        let many = piece.repeat(1000);
        for at in (0..pieces).step_by(1000) {
            let count = (pieces - at).min(1000) * piece_bytes;
            file.write_all_at(&many[..count], (at * piece_bytes) as u64).expect("fill floor");
        }
        Self { file, piece_bytes, checksums: vec![crc32fast::hash(&piece); pieces] }
    }

    /// Reads pieces `from..from + count` and says how many bytes their checksums hold for.
    pub(super) fn read(&self, from: usize, count: usize) -> usize {
        const READ_BYTES: usize = 1 << 20;
        let a_read = (READ_BYTES / self.piece_bytes).max(1);
        let mut sound = 0;
        let mut buffer = vec![0; a_read.min(count) * self.piece_bytes];
        for start in (from..from + count).step_by(a_read) {
            let pieces = (from + count - start).min(a_read);
            let bytes = &mut buffer[..pieces * self.piece_bytes];
            self.file.read_exact_at(bytes, (start * self.piece_bytes) as u64).expect("read floor");
            for (piece, checksum) in bytes.chunks(self.piece_bytes).zip(&self.checksums[start..]) {
                assert_eq!(crc32fast::hash(piece), *checksum);
                sound += piece.len();
            }
        }
        sound
    }
}
