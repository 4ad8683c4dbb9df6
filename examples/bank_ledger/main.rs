//! A program to keep books with, and the place to learn annals from.
//!
//! ```text
//! cargo run --release --example bank-ledger -- demo
//! cargo run --release --example bank-ledger -- --store books import examples/bank_ledger/sample.csv
//! cargo run --release --example bank-ledger -- --store books statement ada --plot
//! ```
//!
//! Read `account.rs` first: events, state and rules, which know of no store. Then `bank.rs`: commands on one account, and
//! transfers over two. Then what interests you: `demo.rs` shows what annals does, `import.rs` how to repeat safely,
//! `storm.rs` many threads, `statement.rs` looking into the past, `audit.rs` a fold over everything.

mod account;
mod accounts;
mod args;
mod audit;
mod bank;
mod csv;
mod demo;
mod failure;
mod history;
mod ids;
mod import;
mod money;
mod plot;
mod random;
mod statement;
mod storm;
mod table;
mod time;
mod words;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use annals::{Creation, Durability, Executed, Options, Outcome, Store};

use account::{Account, AccountEvent};
use args::{Command, Task};
use bank::{Bank, Transfer};
use failure::{Failure, Result};

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let answer = Command::parse(std::env::args().skip(1)).and_then(|command| run(command, &mut out));
    let answer = answer.and_then(|()| Ok(out.flush()?));
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        // `history | head`: the reader has seen enough.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::NoCommand) => {
            eprint!("{}", args::USAGE);
            ExitCode::FAILURE
        }
        Err(failure) => {
            // What was printed before comes before the message.
            let _ = out.flush();
            eprintln!("bank-ledger: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<()> {
    match command {
        Command::Help => Ok(write!(out, "{}", args::USAGE)?),
        Command::Demo => demo::demo(out),
        Command::DemoCrash { store } => demo::crash(&store),
        Command::Storm { store: Some(store), settings } => {
            let bank = Bank::new(Store::open(store)?);
            storm::storm(&bank, settings, out)?;
            Ok(bank.store().close()?)
        }
        Command::Storm { store: None, settings } => {
            let dir = tempfile::tempdir()
                .map_err(|error| Failure::Other(format!("a temporary directory: {error}")))?;
            let bank = Bank::new(Store::open(dir.path())?);
            storm::storm(&bank, settings, out)?;
            Ok(bank.store().close()?)
        }
        Command::Books { store, task } => {
            let bank = books(&store, &task)?;
            // Closed whatever the task answers; the task's failure is the one to tell.
            let answer = perform(&bank, task, out);
            let closed = bank.store().close();
            answer.and_then(|()| Ok(closed?))
        }
    }
}

/// Opens the store. A mistyped directory does not become a store unless the task is to start books.
fn books(dir: &Path, task: &Task) -> Result<Bank> {
    let creation = if task.starts_books() { Creation::IfMissing } else { Creation::Never };
    // An import may be repeated, so it does not wait for the disk row by row: it syncs once, at its end.
    let durability = match task {
        Task::Import { .. } => Durability::Buffered,
        _ => Durability::Synced,
    };
    match Options::new().creation(creation).durability(durability).open(dir) {
        Err(error) if error.kind() == annals::ErrorKind::NotFound => Err(Failure::Other(format!(
            "there are no books in {}: open an account or import some to start them",
            dir.display()
        ))),
        opened => Ok(Bank::new(opened?)),
    }
}

fn perform(bank: &Bank, task: Task, out: &mut dyn Write) -> Result<()> {
    match task {
        Task::Open { name, memo } => tell(&name, &bank.open(&name, &memo)?, out),
        Task::Deposit { name, amount, memo, id } => {
            let event = AccountEvent::Deposited { amount, memo };
            tell(&name, &bank.book(&name, id.as_deref(), &event)?, out)
        }
        Task::Withdraw { name, amount, memo, id } => {
            let event = AccountEvent::Withdrawn { amount, memo };
            tell(&name, &bank.book(&name, id.as_deref(), &event)?, out)
        }
        Task::Transfer { from, to, amount, memo, id } => {
            let transfer = Transfer { from: &from, to: &to, amount, memo: &memo, id: id.as_deref() };
            let outcome = bank.transfer(transfer)?;
            let (giver, taker) = (bank.load(&from)?.balance, bank.load(&to)?.balance);
            Ok(writeln!(out, "{}: {from} has {giver}, {to} has {taker}", booked(outcome))?)
        }
        Task::Accounts { json: false } => accounts::table(bank, out),
        Task::Accounts { json: true } => accounts::json(bank, out),
        Task::Statement(wanted) => statement::statement(bank, &wanted, out),
        Task::History => history::history(bank, out),
        Task::Import { file } => import::import(bank, &file, out),
        Task::Audit => audit::audit(bank, out),
    }
}

fn tell(name: &str, executed: &Executed<Account>, out: &mut dyn Write) -> Result<()> {
    let (outcome, balance) = (executed.receipt().outcome(), executed.state().balance);
    Ok(writeln!(out, "{}: {name} has {balance}", booked(outcome))?)
}

fn booked(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Appended => "booked",
        Outcome::AlreadyAppended => "booked before, nothing changed",
    }
}
