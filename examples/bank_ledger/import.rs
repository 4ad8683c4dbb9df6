//! `import`: books rows of a CSV file as what happened elsewhere, and may be repeated.
//!
//! A row's events get ids made of what the row says and of how many equal rows came before it in the file: two coffees on
//! one day are two events, and the same file, or a longer one next month, books nothing twice. Rows are booked one by one
//! up to the first bad one; mend it and run the import again.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::Path;

use annals::{EventId, Outcome, Timestamp};

use super::account::AccountEvent;
use super::bank::Bank;
use super::csv::{self, Record};
use super::failure::{Failure, Result};
use super::ids::id_of;
use super::money::Money;
use super::time;

const HEADER: [&str; 5] = ["date", "account", "kind", "amount", "memo"];

/// What an import did with the rows up to its end, or to the first bad one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) booked: usize,
    pub(crate) there_already: usize,
}

/// Imports a file.
pub(crate) fn import(bank: &Bank, file: &Path, out: &mut dyn Write) -> Result<()> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Other(format!("{name}: {error}")))?;
    let mut report = Report::default();
    let answer = import_text(bank, &text, &mut report);
    // The rows are not synced one by one but here, all together. A crash before this point loses nothing that running
    // the import again would not bring back.
    bank.store().flush()?;
    match answer {
        Ok(()) => Ok(writeln!(out, "{name}: {report}")?),
        Err((line, failure)) => {
            let why = match failure {
                Failure::Other(what) => what,
                failure => failure.to_string(),
            };
            Err(Failure::Other(format!("{name}, line {line}: {why}\n{}", report.before_a_bad_line())))
        }
    }
}

/// Imports a text, up to the first bad row, whose line is told.
pub(crate) fn import_text(bank: &Bank, text: &str, report: &mut Report) -> Result<(), (usize, Failure)> {
    let mut rows = csv::records(text);
    let header = rows.next().transpose().map_err(|bad| (bad.line, Failure::Other(bad.to_string())))?;
    if header.is_none_or(|header| header.fields != HEADER) {
        let what = format!("the first line must be {}", HEADER.join(","));
        return Err((1, Failure::Other(what)));
    }
    let mut seen: HashMap<EventId, u32> = HashMap::new();
    for record in rows {
        let record = record.map_err(|bad| (bad.line, Failure::Other(bad.to_string())))?;
        let line = record.line;
        match book(bank, &record, &mut seen).map_err(|failure| (line, failure))? {
            Outcome::Appended => report.booked += 1,
            Outcome::AlreadyAppended => report.there_already += 1,
        }
    }
    Ok(())
}

fn book(bank: &Bank, record: &Record, seen: &mut HashMap<EventId, u32>) -> Result<Outcome> {
    let row = Row::parse(record).map_err(Failure::Other)?;
    let parts: Vec<&str> = record.fields.iter().map(String::as_str).collect();
    let equal_before = seen.entry(id_of(&parts)).or_insert(0);
    let number = equal_before.to_string();
    *equal_before += 1;
    let id = id_of(&[&parts[..], &[&number]].concat());
    let ids = (0..).map(|ordinal| id.derive(ordinal));
    let events: Vec<_> = ids.zip(row.events).collect();
    bank.record(&row.account, &events, row.day)
}

/// A row, understood.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    account: String,
    day: Timestamp,
    /// One; two for an account that was opened with money in it.
    events: Vec<AccountEvent>,
}

impl Row {
    fn parse(record: &Record) -> Result<Self, String> {
        let [day, account, kind, amount, memo] = &record.fields[..] else {
            return Err(format!("{} fields instead of {}", record.fields.len(), HEADER.len()));
        };
        Ok(Self {
            account: account.clone(),
            day: time::parse_day(day)?,
            events: events(kind, amount.parse().map_err(|bad| format!("{bad}"))?, memo)?,
        })
    }
}

fn events(kind: &str, amount: Money, memo: &str) -> Result<Vec<AccountEvent>, String> {
    let memo = memo.to_owned();
    let event = match kind {
        "open" if amount == Money::ZERO => AccountEvent::Opened { memo },
        "open" => {
            return Ok(vec![
                AccountEvent::Opened { memo: memo.clone() },
                AccountEvent::Deposited { amount, memo },
            ]);
        }
        "deposit" => AccountEvent::Deposited { amount, memo },
        "withdrawal" => AccountEvent::Withdrawn { amount, memo },
        "interest" => AccountEvent::InterestPaid { amount, memo },
        "fee" => AccountEvent::FeeCharged { amount, memo },
        "transfer-in" => AccountEvent::TransferredIn { amount, memo, from: None },
        "transfer-out" => AccountEvent::TransferredOut { amount, memo, to: None },
        _ => {
            return Err(format!(
                "{kind:?} is not a kind: open, deposit, withdrawal, interest, fee, transfer-in, transfer-out"
            ));
        }
    };
    Ok(vec![event])
}

impl Report {
    /// What was done, when a bad line ended the import.
    fn before_a_bad_line(self) -> String {
        let were = |count: usize| if count == 1 { "was" } else { "were" };
        match (self.booked, self.there_already) {
            (0, 0) => "nothing before this line was booked, and nothing from it on".to_owned(),
            (0, there) => format!(
                "{} before this line {} there already, and nothing was booked",
                rows(there),
                were(there)
            ),
            (booked, 0) => {
                format!("{} before this line {} booked, and nothing from it on", rows(booked), were(booked))
            }
            (booked, there) => format!(
                "{} before this line {} booked, {there} {} there already, and nothing from it on was booked",
                rows(booked),
                were(booked),
                were(there)
            ),
        }
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.booked, self.there_already) {
            (0, 0) => f.write_str("no rows"),
            (0, there) => write!(f, "nothing new, all {} there already", rows(there)),
            (booked, 0) => write!(f, "{} booked", rows(booked)),
            (booked, there) => write!(f, "{} booked, {there} there already", rows(booked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use annals::Store;

    use super::*;

    const SAMPLE: &str = include_str!("sample.csv");

    fn bank() -> (tempfile::TempDir, Bank) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let bank = Bank::new(Store::open(dir.path()).expect("a new store"));
        (dir, bank)
    }

    fn report(bank: &Bank, text: &str) -> Report {
        let mut report = Report::default();
        import_text(bank, text, &mut report).expect("all rows are sound");
        report
    }

    /// The line, the message, and how many rows were booked before it.
    fn stopped(bank: &Bank, rows: &str) -> (usize, String, usize) {
        let mut report = Report::default();
        let text = format!("{}\n{rows}", HEADER.join(","));
        let (line, failure) = import_text(bank, &text, &mut report).expect_err("a bad row");
        (line, failure.to_string(), report.booked)
    }

    #[test]
    fn an_import_may_be_repeated_and_go_on_where_it_ended() {
        let (_dir, bank) = bank();
        let half: String = SAMPLE.split_inclusive('\n').take(10).collect();
        assert_eq!(report(&bank, &half), Report { booked: 9, there_already: 0 });
        assert_eq!(report(&bank, SAMPLE), Report { booked: 15, there_already: 9 });
        assert_eq!(report(&bank, SAMPLE), Report { booked: 0, there_already: 24 });
        assert_eq!(bank.load("ada").expect("an account").balance.to_string(), "1731.56");
        assert_eq!(bank.load("grace").expect("an account").balance.to_string(), "1821.12");
    }

    #[test]
    fn a_bad_line_tells_what_was_booked_before_it() {
        for (booked, there_already, told) in [
            (0, 0, "nothing before this line was booked, and nothing from it on"),
            (0, 1, "1 row before this line was there already, and nothing was booked"),
            (2, 0, "2 rows before this line were booked, and nothing from it on"),
            (
                1,
                2,
                "1 row before this line was booked, 2 were there already, and nothing from it on was booked",
            ),
        ] {
            assert_eq!(Report { booked, there_already }.before_a_bad_line(), told);
        }
    }

    #[test]
    fn equal_rows_are_as_many_events_wherever_they_stand() {
        let (_dir, bank) = bank();
        let head = format!("{}\n2024-01-01,ada,open,0.00,\n", HEADER.join(","));
        let coffee = "2024-01-08,ada,withdrawal,3.20,coffee\n";
        assert_eq!(report(&bank, &format!("{head}{coffee}{coffee}")), Report { booked: 3, there_already: 0 });
        let other = "2024-01-07,ada,deposit,1.00,found\n";
        assert_eq!(
            report(&bank, &format!("{head}{other}{coffee}{coffee}{coffee}")),
            Report { booked: 2, there_already: 3 }
        );
    }

    #[test]
    fn the_first_bad_row_is_named_and_only_what_is_before_it_is_booked() {
        let (_dir, bank) = bank();
        let open = "2024-01-01,ada,open,1.00,\n";
        let first = stopped(&bank, &format!("{open}2024-01-32,ada,fee,1.00,\n2024-01-03,ada,fee,1.00,\n"));
        assert_eq!(first, (3, "\"2024-01-32\" is not a day such as 2024-03-31".to_owned(), 1));
        for (row, what) in [
            ("2024-01-02,ada,fee,1.00", "4 fields instead of 5"),
            ("2024-01-02,ada,fee,-1.00,", "ada: refused: the amount must not be negative, as -1.00 is"),
            ("2024-01-02,eve,fee,1.00,", "eve: refused: there is no such account"),
            ("2024-01-02,ada,open,0.00,", "ada: refused: the account is open already"),
            ("2024-01-02,ada,\"fee,1.00,", "a quote is not closed"),
        ] {
            assert_eq!(stopped(&bank, &format!("{open}{row}")), (3, what.to_owned(), 0), "{row}");
        }
        assert_eq!(bank.load("ada").expect("an account").balance.to_string(), "1.00");
    }
}
