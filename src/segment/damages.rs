//! Looking for damage in a segment: every byte of its file is read again and checked, header and footer included, and every table
//! is held against the events. Nothing of it comes from the cache.

use crate::disk::read_some_at;
use crate::error::Error;

use super::block_cache::{Block, Part};
use super::contents::Contents;
use super::directory::{BlockPlace, Directory};
use super::envelope::{ENVELOPE_BYTES, Envelope};
use super::header::HEADER_BYTES;
use super::segment_file::{Segment, read_ends};

/// A byte of the file, and what is wrong there.
type Damage = (u64, String);

impl Segment {
    /// All that is wrong with the segment, by offset in its file.
    pub(crate) fn damages(&self) -> Vec<Damage> {
        let mut found = Vec::new();
        match read_ends(&*self.disk_file, &self.path, self.identity) {
            Ok(footer) if footer == self.footer => {}
            Ok(_) => found.push((0, "the segment is not the one that was opened".to_owned())),
            Err(error) => found.push(damage_of(&error, 0)),
        }
        let sections = [Part::Types, Part::Filter, Part::Directory].map(|part| self.section(part));
        let (mut directory, mut contents) = (None, Contents::new(self));
        for place in sections.into_iter().flatten() {
            match self.read(place) {
                Ok((_, Block::Directory(whole))) => directory = Some(whole),
                Ok((envelope, block)) => contents.take_in(envelope, block),
                Err(error) => found.push(damage_of(&error, place.offset)),
            }
        }
        match directory {
            Some(directory) => self.look_at_blocks(&directory, contents, &mut found),
            None => self.walk(&mut found),
        }
        found.sort();
        found
    }

    /// Looks at each block that the directory tells of.
    fn look_at_blocks(&self, directory: &Directory, mut contents: Contents, found: &mut Vec<Damage>) {
        for place in self.places(directory) {
            match self.read(place) {
                Ok((envelope, block)) => contents.take_in(envelope, block),
                Err(error) => found.push(damage_of(&error, place.offset)),
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
    fn walk(&self, found: &mut Vec<Damage>) {
        let (mut offset, end) = (HEADER_BYTES as u64, self.footer.types_offset());
        while offset < end {
            let mut envelope = [0; ENVELOPE_BYTES];
            let told = match read_some_at(&*self.disk_file, &mut envelope, offset) {
                Ok(_) => Envelope::block_bytes(&envelope),
                Err(error) => return found.push(damage_of(&Error::io("reading", &self.path, error), offset)),
            };
            let Some(bytes) = told.filter(|bytes| *bytes <= end - offset) else {
                return found.push((offset, "block is longer than the rest of the file".to_owned()));
            };
            let mut block = vec![0; usize::try_from(bytes).unwrap_or(0)];
            match read_some_at(&*self.disk_file, &mut block, offset) {
                Ok(count) => {
                    let sound = Envelope::open(block.get(..count).unwrap_or_default(), self.identity.seed());
                    if let Err(bad) = sound {
                        return found.push(damage_of(&bad.at(&self.path, offset), offset));
                    }
                }
                Err(error) => {
                    return found.push(damage_of(&Error::io("reading", &self.path, error), offset));
                }
            }
            offset += bytes;
        }
    }
}

/// Where an error is, or else `offset`, and what it is.
fn damage_of(error: &Error, offset: u64) -> Damage {
    match error.place() {
        Some(place) => (place.offset, error.what().to_owned()),
        None => (offset, error.to_string()),
    }
}
