//! `Failure`: why a command was not done, in the words that standard error gets.

use std::error::Error;
use std::fmt;
use std::io;

/// What was tried, and the cause.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    cause: Option<Box<dyn Error>>,
    closed_output: bool,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cause: None, closed_output: false }
    }

    pub(crate) fn because(what: impl Into<String>, cause: impl Into<Box<dyn Error>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(what) }
    }

    /// Standard output could not be written to.
    pub(crate) fn output(error: io::Error) -> Self {
        let closed_output = error.kind() == io::ErrorKind::BrokenPipe;
        Self { closed_output, ..Self::because("writing to standard output", error) }
    }

    /// Whether the reader of standard output went away: no more is wanted of us.
    pub(crate) fn is_closed_output(&self) -> bool {
        self.closed_output
    }
}

impl fmt::Display for Failure {
    /// The message and its causes, leaving out a cause that the message before it ends with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut last = self.what.clone();
        let mut cause = self.cause.as_deref();
        while let Some(error) = cause {
            let text = error.to_string();
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
                last = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}
