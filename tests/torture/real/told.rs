//! `Told`: a line that a child process prints, and its parent reads.

use std::fmt;
use std::str::FromStr;

use annals::{Durability, ErrorKind};

/// What a child tells. It tells of an answer only after it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The store is open.
    Opened,
    /// It could not be opened.
    NotOpened(String),
    /// An append was answered; its events lie from this position on.
    Answered { number: u64, position: u64, durability: Durability },
    /// All below this position was told to be durable.
    Durable(u64),
    /// An append was answered with an error.
    Failed { number: u64, kind: String },
    /// Flushing or closing was answered with an error.
    NotEnded(String),
    /// A read beside a failure did not find what it had to.
    ReadWrong(String),
    /// The child stands still before a call to the disk, until it is killed.
    Halted,
    /// The store is closed.
    Closed,
}

/// How an error kind is told.
pub(crate) fn kind_word(kind: ErrorKind) -> String {
    format!("{kind:?}")
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => write!(f, "opened"),
            Self::NotOpened(kind) => write!(f, "not-opened {kind}"),
            Self::Answered { number, position, durability } => {
                let word = if *durability == Durability::Synced { "synced" } else { "buffered" };
                write!(f, "{word} {number} {position}")
            }
            Self::Durable(head) => write!(f, "durable {head}"),
            Self::Failed { number, kind } => write!(f, "failed {number} {kind}"),
            Self::NotEnded(kind) => write!(f, "not-ended {kind}"),
            Self::ReadWrong(what) => write!(f, "read-wrong {what}"),
            Self::Halted => write!(f, "halted"),
            Self::Closed => write!(f, "closed"),
        }
    }
}

impl FromStr for Told {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("not a line that a child tells: {line:?}");
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let two = || rest.split_once(' ').ok_or_else(wrong);
        let answered = |durability| {
            let (first, second) = two()?;
            Ok(Self::Answered { number: number(first)?, position: number(second)?, durability })
        };
        match word {
            "opened" => Ok(Self::Opened),
            "not-opened" => Ok(Self::NotOpened(rest.to_owned())),
            "synced" => answered(Durability::Synced),
            "buffered" => answered(Durability::Buffered),
            "durable" => Ok(Self::Durable(number(rest)?)),
            "failed" => {
                let (first, kind) = two()?;
                Ok(Self::Failed { number: number(first)?, kind: kind.to_owned() })
            }
            "not-ended" => Ok(Self::NotEnded(rest.to_owned())),
            "read-wrong" => Ok(Self::ReadWrong(rest.to_owned())),
            "halted" => Ok(Self::Halted),
            "closed" => Ok(Self::Closed),
            _ => Err(wrong()),
        }
    }
}
