//! Looking for damage in a segment: every byte of its file is read again and checked, header and footer included, and every table
//! is held against the events. Nothing of it comes from the cache.

use crate::disk::read_some_at;
use crate::error::{Error, ErrorKind, Result};

use super::block_cache::{Block, Part};
use super::contents::Contents;
use super::directory::{BlockPlace, Directory};
use super::envelope::{ENVELOPE_BYTES, Envelope};
use super::header::HEADER_BYTES;
use super::segment_file::{Segment, read_ends};

/// A byte of the file, and what is wrong there.
type Damage = (u64, String);

/// The same, and the error when it is that the disk did not give it.
pub(super) struct Fault {
    offset: u64,
    what: String,
    not_read: Option<Error>,
}

impl Segment {
    /// All that is wrong with the segment, by offset in its file.
    pub(crate) fn damages(&self) -> Vec<Damage> {
        self.faults().into_iter().map(|fault| (fault.offset, fault.what)).collect()
    }

    /// Looks at all that [`Segment::damages`] looks at. What the disk did not give is no damage, and told as it was.
    pub(crate) fn check_all(&self) -> Result<()> {
        match self.faults().into_iter().next() {
            None => Ok(()),
            Some(Fault { not_read: Some(error), .. }) => Err(error),
            Some(Fault { offset, what, .. }) => Err(self.corrupt(offset, &what)),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut found = Vec::new();
        match read_ends(&*self.disk_file, &self.path, self.identity) {
            Ok(footer) if footer == self.footer => {}
            Ok(_) => found.push(Fault::new(0, "the segment is not the one that was opened")),
            Err(error) => found.push(Fault::of(error, 0)),
        }
        let sections =
            [Part::State, Part::Types, Part::Filter, Part::Directory].map(|part| self.section(part));
        let (mut directory, mut contents) = (None, Contents::new(self));
        for place in sections.into_iter().flatten() {
            match self.read(place) {
                Ok((_, Block::Directory(whole))) => directory = Some(whole),
                Ok((envelope, block)) => contents.take_in(envelope, block),
                Err(error) => found.push(Fault::of(error, place.offset)),
            }
        }
        match directory {
            Some(directory) => self.look_at_blocks(&directory, contents, &mut found),
            None => self.walk(&mut found),
        }
        found.sort_by(|a, b| (a.offset, &a.what).cmp(&(b.offset, &b.what)));
        found
    }

    /// Looks at each block that the directory tells of.
    fn look_at_blocks(&self, directory: &Directory, mut contents: Contents, found: &mut Vec<Fault>) {
        for place in self.places(directory) {
            match self.read(place) {
                Ok((envelope, block)) => contents.take_in(envelope, block),
                Err(error) => found.push(Fault::of(error, place.offset)),
            }
        }
        // What is missing would only be told a second time.
        if found.is_empty() {
            found.extend(contents.check(self, directory, self.places(directory)));
        }
    }

    fn places<'a>(&'a self, directory: &'a Directory) -> impl Iterator<Item = BlockPlace> + 'a {
        (0..).map_while(|index| directory.place(index, self.footer.totals))
    }

    /// Looks at block after block, without a directory, as far as one leads to the next: up to the first that is damaged.
    fn walk(&self, found: &mut Vec<Fault>) {
        let (mut offset, end) = (HEADER_BYTES as u64, self.footer.state_offset());
        while offset < end {
            let mut envelope = [0; ENVELOPE_BYTES];
            let told = match read_some_at(&*self.disk_file, &mut envelope, offset) {
                Ok(_) => Envelope::block_bytes(&envelope),
                Err(error) => return found.push(Fault::of(Error::io("reading", &self.path, error), offset)),
            };
            let Some(bytes) = told.filter(|bytes| *bytes <= end - offset) else {
                return found.push(Fault::new(offset, "block is longer than the rest of the file"));
            };
            let mut block = vec![0; usize::try_from(bytes).unwrap_or(0)];
            match read_some_at(&*self.disk_file, &mut block, offset) {
                Ok(count) => {
                    let sound = Envelope::open(block.get(..count).unwrap_or_default(), self.identity.seed());
                    if let Err(bad) = sound {
                        return found.push(Fault::of(bad.at(&self.path, offset), offset));
                    }
                }
                Err(error) => {
                    return found.push(Fault::of(Error::io("reading", &self.path, error), offset));
                }
            }
            offset += bytes;
        }
    }
}

impl Fault {
    pub(super) fn new(offset: u64, what: impl Into<String>) -> Self {
        Self { offset, what: what.into(), not_read: None }
    }

    /// Where an error is, or else at `offset`, and what it is.
    pub(super) fn of(error: Error, offset: u64) -> Self {
        match error.place() {
            Some(place) => Self::new(place.offset, error.what()),
            None => {
                let what = error.to_string();
                let not_read = (error.kind() == ErrorKind::Io).then_some(error);
                Self { offset, what, not_read }
            }
        }
    }
}
