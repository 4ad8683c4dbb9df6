//! `Failure`: why a command of this program did not do what it was asked to.

use std::fmt;
use std::io;

use annals::{ErrorKind, Rejected};

use super::account::{AccountEvent, Refusal};
use super::args::USAGE;
use super::words;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is not one that this program knows.
    Usage(String),
    /// Nothing was asked for.
    NoCommand,
    /// A rule of the bank said no.
    Refused { account: String, refusal: Refusal },
    /// The id of a command was used before, for something else.
    IdUsed { account: String, id: String, booked: Box<AccountEvent> },
    /// The store could not do it.
    Store(annals::Error),
    /// Nobody reads the output any more, or it cannot be written.
    Output(io::Error),
    /// Something else, in words.
    Other(String),
}

impl Failure {
    /// Business and storage apart: a rule that said no is told with the account's name, the store's errors as they are.
    pub(crate) fn rejected(account: &str) -> impl FnOnce(Rejected<Refusal>) -> Self {
        let account = account.to_owned();
        move |rejected| match rejected {
            Rejected::Command(refusal) => Self::Refused { account, refusal },
            Rejected::Store(error) => Self::Store(error),
        }
    }

    pub(crate) fn refused(account: &str) -> impl FnOnce(Refusal) -> Self {
        let account = account.to_owned();
        move |refusal| Self::Refused { account, refusal }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\ntry: bank-ledger help"),
            Self::NoCommand => f.write_str(USAGE.trim_end()),
            Self::IdUsed { account, id, booked } => {
                let id = words::on_one_line(id);
                write!(f, "{account}: refused: the id {id} was used for {}", words::booked(booked))
            }
            Self::Refused { account, refusal } => write!(f, "{account}: refused: {refusal}"),
            Self::Store(error) if error.kind() == ErrorKind::IdReused => {
                write!(f, "refused: the id was given to something else before: {error}")
            }
            Self::Store(error) => match std::error::Error::source(error) {
                Some(cause) => write!(f, "{error}: {cause}"),
                None => error.fmt(f),
            },
            Self::Output(error) => write!(f, "writing the output: {error}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

impl From<annals::Error> for Failure {
    fn from(error: annals::Error) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
