//! The command line of annals: bring events in and out of a store, look at it, verify it,
//! salvage it.
//!
//! Every subcommand is a file with one `run`. Exit codes: 0 done, 1 not done (usage errors included), 2 for
//! damage found by `verify` and `inspect`, and for events lost in `salvage`. A reader of our output that goes away ends the command quietly.

mod args;
mod consumers;
mod event_line;
mod export;
mod failure;
mod import;
mod inspect;
mod lines;
mod open;
mod output;
mod progress;
mod read;
mod salvage;
mod stats;
mod streams;
mod table;
mod time;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => {
            // Help that cannot be printed has no other place to go to.
            let _ = told.print();
            return if told.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match run(&args.command) {
        Ok(code) => code,
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(failure);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    let done = match command {
        Command::Import(import) => import::run(import),
        Command::Export(export) => export::run(export),
        Command::Streams(streams) => streams::run(streams),
        Command::Read(read) => read::run(read),
        Command::Stats(stats) => stats::run(stats),
        Command::Consumers(consumers) => consumers::run(consumers),
        Command::Verify(verify) => return verify::run(verify),
        Command::Salvage(salvage) => return salvage::run(salvage),
        Command::Inspect(inspect) => return inspect::run(inspect),
    };
    done.map(|()| ExitCode::SUCCESS)
}
