//! `Output`: standard output, buffered. What was written goes out at `finish`; a buffer that is dropped after a failure
//! still goes out, its errors unheard.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::failure::Failure;

pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

/// Tells the user something, on standard error. If that cannot be written to, there is no other place to go to.
pub(crate) fn tell(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "annals: {text}");
}

/// `1 event`, `2 events`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

impl Output {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.0, "{text}").map_err(Failure::output)
    }

    /// A line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| Failure::output(error.into()))?;
        self.0.write_all(b"\n").map_err(Failure::output)
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::output)
    }
}
