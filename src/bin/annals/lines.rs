//! `Lines`: numbered lines of a file or of standard input, none longer than a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::failure::Failure;

/// Bytes in a line, at most, its end not counted: 64 MiB, what a commit may have.
pub(crate) const LINE_BYTES_MAX: u64 = 64 << 20;

pub(crate) struct Lines {
    input: BufReader<Box<dyn Read>>,
    /// How messages name it.
    name: String,
    bytes: Option<u64>,
    number: u64,
    line: Vec<u8>,
}

/// A line that was read, its end taken off.
pub(crate) struct Line<'a> {
    pub(crate) number: u64,
    pub(crate) bytes: &'a [u8],
    /// Bytes it took from the input.
    pub(crate) taken: u64,
}

/// Why there is no next line.
pub(crate) enum LineError<'a> {
    /// Its first bytes, as many as a line may have, are in hand.
    TooLong {
        number: u64,
        start: &'a [u8],
    },
    Io {
        number: u64,
        error: io::Error,
    },
}

impl Lines {
    /// The lines of a file; `-` is standard input. That it can be read is known when this returns.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (input, name, bytes) = if path == Path::new("-") {
            (Box::new(io::stdin().lock()) as Box<dyn Read>, "standard input".to_owned(), None)
        } else {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
            let (found, file) =
                opened.map_err(|error| Failure::because(format!("opening {path:?}"), error))?;
            let bytes = found.is_file().then_some(found.len());
            (Box::new(file) as Box<dyn Read>, format!("{path:?}"), bytes)
        };
        let mut input = BufReader::with_capacity(256 << 10, input);
        input.fill_buf().map_err(|error| Failure::because(format!("reading {name}"), error))?;
        Ok(Self { input, name, bytes, number: 0, line: Vec::new() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes there are in all, if that is known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The next line, numbered from 1.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, LineError<'_>> {
        let number = self.number + 1;
        self.line.clear();
        // One more than the limit, for the line's end.
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX + 1);
        let taken = limited
            .read_until(b'\n', &mut self.line)
            .map_err(|error| LineError::Io { number, error })? as u64;
        if taken == 0 {
            return Ok(None);
        }
        let bytes = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if bytes.len() as u64 > LINE_BYTES_MAX {
            return Err(LineError::TooLong { number, start: bytes });
        }
        self.number = number;
        Ok(Some(Line { number, bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes), taken }))
    }
}
