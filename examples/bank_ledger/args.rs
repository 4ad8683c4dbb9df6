//! `Command`: what the command line asks for.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use annals::{AsOf, Version};

use super::failure::{Failure, Result};
use super::money::Money;
use super::statement::Wanted;
use super::storm::Settings;
use super::time::parse_moment;

pub(crate) const USAGE: &str = "\
bank-ledger: keeps accounts in an event store, and shows what annals does

  bank-ledger demo                          a tour of a screen or two, in a temporary directory
  bank-ledger storm [OPTIONS]               transfers from many threads at once; money must neither come nor go
      --accounts N   100    --threads T   8    --seconds S   5    --seed N   the clock's
      --store DIR    a temporary directory unless given

  bank-ledger --store DIR COMMAND           books of your own; open and import start them
    open NAME [MEMO]                        opens an account
    deposit NAME AMOUNT [MEMO]
    withdraw NAME AMOUNT [MEMO]
    transfer FROM TO AMOUNT [MEMO]          one commit over both accounts
      --id TEXT                             with these three: books a command once, however often it is sent
    accounts [--json]                       all balances
    statement NAME                          what happened on one account
      --plot                                its balance as a line
      --version N                           up to version N
      --as-of TIME                          as the books were at TIME
      --until TIME                          what had happened by TIME, even if it was booked later
    history                                 everything, in the order in which it was booked
    import FILE.csv                         date,account,kind,amount,memo; may be repeated
    audit                                   the proof that no money was made or lost

AMOUNT is 12.50 or 12. TIME is 2024-03-31 (all of that day) or 2024-03-31T18:00:00Z. All times are UTC.
What follows -- is never an option.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Demo,
    /// Of the demo, in a process of its own: books in the store of this directory and dies.
    DemoCrash {
        store: PathBuf,
    },
    Storm {
        store: Option<PathBuf>,
        settings: Settings,
    },
    Books {
        store: PathBuf,
        task: Task,
    },
}

/// What is to be done with the books.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Open { name: String, memo: String },
    Deposit { name: String, amount: Money, memo: String, id: Option<String> },
    Withdraw { name: String, amount: Money, memo: String, id: Option<String> },
    Transfer { from: String, to: String, amount: Money, memo: String, id: Option<String> },
    Accounts { json: bool },
    Statement(Wanted),
    History,
    Import { file: PathBuf },
    Audit,
}

impl Task {
    /// Whether the task makes sense where there are no books yet.
    pub(crate) fn starts_books(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Import { .. })
    }
}

impl Command {
    /// Understands the arguments, program name excluded.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut words = Words::split(arguments);
        if words.are_none() {
            return Err(Failure::NoCommand);
        }
        if words.flag("--help") || words.flag("-h") {
            return Ok(Self::Help);
        }
        let store = words.option("--store")?.map(PathBuf::from);
        let command = words.next("COMMAND")?;
        let parsed = match (&*command, store) {
            ("help", _) => return Ok(Self::Help),
            ("demo", None) => Self::Demo,
            ("demo", Some(_)) => {
                return Err(usage("demo takes a temporary directory of its own, no --store"));
            }
            ("demo-crash", Some(store)) => Self::DemoCrash { store },
            ("storm", store) => Self::Storm { store, settings: settings(&mut words)? },
            (command, Some(store)) => Self::Books { store, task: task(command, &mut words)? },
            (command, None) => {
                task(command, &mut words)?;
                return Err(usage(format!("{command} needs to know which books: --store DIR")));
            }
        };
        words.finish()?;
        Ok(parsed)
    }
}

fn settings(words: &mut Words) -> Result<Settings> {
    let from_clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()));
    Ok(Settings {
        accounts: words.number("--accounts", 2..=10_000)?.unwrap_or(100),
        threads: words.number("--threads", 1..=1_000)?.unwrap_or(8),
        seconds: words.number("--seconds", 1..=86_400)?.unwrap_or(5),
        seed: words.number("--seed", 0..=u64::MAX)?.unwrap_or_else(from_clock),
    })
}

fn task(command: &str, words: &mut Words) -> Result<Task> {
    Ok(match command {
        "open" => Task::Open { name: words.next("NAME")?, memo: words.memo() },
        "deposit" => {
            let id = words.id()?;
            Task::Deposit { name: words.next("NAME")?, amount: words.amount()?, memo: words.memo(), id }
        }
        "withdraw" => {
            let id = words.id()?;
            Task::Withdraw { name: words.next("NAME")?, amount: words.amount()?, memo: words.memo(), id }
        }
        "transfer" => {
            let id = words.id()?;
            let (from, to) = (words.next("FROM")?, words.next("TO")?);
            Task::Transfer { from, to, amount: words.amount()?, memo: words.memo(), id }
        }
        "accounts" => Task::Accounts { json: words.flag("--json") },
        "statement" => Task::Statement(wanted(words)?),
        "history" => Task::History,
        "import" => Task::Import { file: words.next("FILE.csv")?.into() },
        "audit" => Task::Audit,
        _ => return Err(usage(format!("{command:?} is not a command"))),
    })
}

fn wanted(words: &mut Words) -> Result<Wanted> {
    let mut moment = |name: &str| -> Result<_> {
        let text = words.option(name)?;
        text.map(|text| parse_moment(&text).map_err(|what| usage(format!("{name}: {what}")))).transpose()
    };
    let recorded = moment("--as-of")?.map(AsOf::Recorded);
    let until = moment("--until")?;
    let version = words.number("--version", 0..=u64::MAX)?.map(|number| AsOf::Version(Version::new(number)));
    if recorded.is_some() && version.is_some() {
        return Err(usage("--as-of and --version are two ways to say the same: give one"));
    }
    Ok(Wanted {
        plot: words.flag("--plot"),
        account: words.next("NAME")?,
        as_of: recorded.or(version),
        until,
    })
}

/// The arguments not understood yet.
struct Words {
    before: Vec<String>,
    /// What followed `--`: never an option.
    after: Vec<String>,
}

impl Words {
    fn split(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut before: Vec<String> = arguments.into_iter().collect();
        let end = before.iter().position(|word| word == "--").unwrap_or(before.len());
        let after = before.split_off(end).into_iter().skip(1).collect();
        Self { before, after }
    }

    fn are_none(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    fn flag(&mut self, name: &str) -> bool {
        let at = self.before.iter().position(|word| word == name);
        at.map(|at| self.before.remove(at)).is_some()
    }

    /// The value of `--name VALUE` or `--name=VALUE`.
    fn option(&mut self, name: &str) -> Result<Option<String>> {
        let value_within = |word: &str| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned());
        let named = |word: &String| word == name || value_within(word).is_some();
        let Some(at) = self.before.iter().position(named) else {
            return Ok(None);
        };
        let word = self.before.remove(at);
        if let Some(value) = value_within(&word) {
            return Ok(Some(value));
        }
        match self.before.get(at) {
            Some(value) if !is_option(value) => Ok(Some(self.before.remove(at))),
            _ => Err(usage(format!("{name} needs a value"))),
        }
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>> {
        let Some(text) = self.option(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (low, high) = (range.start(), range.end());
        number
            .map(Some)
            .ok_or_else(|| usage(format!("{name}: {text:?} is not a number from {low} to {high}")))
    }

    /// An empty id is a variable that a script forgot to set: all its commands would be one.
    fn id(&mut self) -> Result<Option<String>> {
        match self.option("--id")? {
            Some(id) if id.is_empty() => Err(usage("--id needs a value")),
            id => Ok(id),
        }
    }

    /// The next word that is no option.
    fn next(&mut self, what: &str) -> Result<String> {
        match self.before.first() {
            Some(word) if is_option(word) => Err(unknown(word)),
            Some(_) => Ok(self.before.remove(0)),
            None if self.after.is_empty() => Err(usage(format!("{what} is missing"))),
            None => Ok(self.after.remove(0)),
        }
    }

    fn amount(&mut self) -> Result<Money> {
        self.next("AMOUNT")?.parse().map_err(|bad| usage(format!("{bad}")))
    }

    fn memo(&mut self) -> String {
        self.next("MEMO").unwrap_or_default()
    }

    fn finish(self) -> Result<()> {
        match self.before.iter().chain(&self.after).next() {
            None => Ok(()),
            Some(word) if is_option(word) => Err(unknown(word)),
            Some(word) => {
                Err(usage(format!("{word:?} is one word too many: a memo of several goes in quotes")))
            }
        }
    }
}

/// An amount below zero is no option, however it is written; the bank has its own words for it.
fn is_option(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn unknown(word: &str) -> Failure {
    usage(format!("{word} is not an option here"))
}

fn usage(what: impl Into<String>) -> Failure {
    Failure::Usage(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    fn refused(line: &str) -> String {
        match parse(line) {
            Err(Failure::Usage(what)) => what,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    #[test]
    fn options_may_stand_anywhere_before_two_hyphens() {
        let expected = Command::Books {
            store: "books".into(),
            task: Task::Deposit {
                name: "ada".into(),
                amount: Money::from_minor(1_250),
                memo: "wages".into(),
                id: Some("may".into()),
            },
        };
        for line in [
            "--store books deposit ada 12.50 wages --id may",
            "deposit --id=may ada --store=books 12.50 wages",
            "--store books deposit --id may -- ada 12.50 wages",
        ] {
            assert_eq!(parse(line).expect(line), expected, "{line}");
        }
        let memo = parse("--store b open ada -- --store").expect("a memo");
        assert_eq!(
            memo,
            Command::Books {
                store: "b".into(),
                task: Task::Open { name: "ada".into(), memo: "--store".into() }
            }
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, what) in [
            ("--store b", "COMMAND is missing"),
            ("fly", "\"fly\" is not a command"),
            ("accounts", "accounts needs to know which books: --store DIR"),
            ("--store b accounts --xml", "--xml is not an option here"),
            ("--store b deposit ada", "AMOUNT is missing"),
            ("--store b deposit ada seven", "\"seven\" is not an amount such as 12.50 or 12"),
            (
                "--store b deposit ada 20.5",
                "\"20.5\" is not an amount such as 12.50 or 12: two digits after the point",
            ),
            ("--store b deposit ada 99999999999999999999", "\"99999999999999999999\" is too large"),
            (
                "--store b open ada two words",
                "\"words\" is one word too many: a memo of several goes in quotes",
            ),
            ("accounts --store", "--store needs a value"),
            ("--store b deposit ada 7 --id", "--id needs a value"),
            ("--store b deposit ada 7 --id=", "--id needs a value"),
            ("storm --accounts 1", "--accounts: \"1\" is not a number from 2 to 10000"),
            (
                "--store b statement ada --version 1 --as-of 2024-01-01",
                "--as-of and --version are two ways to say the same: give one",
            ),
        ] {
            assert_eq!(refused(line), what, "{line}");
        }
    }

    #[test]
    fn no_arguments_are_a_failure_and_help_is_none() {
        assert!(matches!(parse(""), Err(Failure::NoCommand)));
        for line in ["help", "--help", "-h", "--store b open --help"] {
            assert_eq!(parse(line).expect(line), Command::Help, "{line}");
        }
    }

    #[test]
    fn an_amount_below_zero_is_left_to_the_rules() {
        let Ok(Command::Books { task: Task::Withdraw { amount, .. }, .. }) =
            parse("--store b withdraw ada -5")
        else {
            panic!("it is a withdrawal");
        };
        assert_eq!(amount, Money::from_minor(-500));
    }
}
