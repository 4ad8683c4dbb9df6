//! `annals verify`: every byte looked at, all damage listed, nothing changed.

use std::process::ExitCode;

use annals::{Damage, ErrorKind, Options, Position, VerifyReport};

use crate::args;
use crate::failure::Failure;
use crate::open::require_dir;
use crate::output::{Output, count};

/// The exit code for damage, and for what it cost.
const DAMAGED: u8 = 2;

pub(crate) fn run(args: &args::Verify) -> Result<ExitCode, Failure> {
    require_dir(&args.store)?;
    match Options::new().verify_up_to(&args.store, Position::new(args.head.unwrap_or(0))) {
        Ok(report) => conclude(report.is_sound(), tell(&report)),
        // No manifest, and nothing else that tells which store it is: that is the damage.
        Err(error) if error.kind() == ErrorKind::Corrupt => conclude(false, tell_only(&error)),
        Err(error) => Err(Failure::because(format!("verifying store {:?}", args.store), error)),
    }
}

/// That damage was found is told by the exit code also when nobody reads the list to its end.
pub(crate) fn conclude(sound: bool, told: Result<(), Failure>) -> Result<ExitCode, Failure> {
    match told {
        Err(failure) if !failure.is_closed_output() => Err(failure),
        _ if sound => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(DAMAGED)),
    }
}

fn tell(report: &VerifyReport) -> Result<(), Failure> {
    let VerifyReport { store_id, clean, files, bytes, frames, events, head: _, torn_tail, damages, caches } =
        report;
    let mut output = Output::new();
    list(&mut output, "damage", damages)?;
    list(&mut output, "cache", caches)?;
    if let Some((path, offset)) = torn_tail {
        output.line(format_args!(
            "unfinished write: {path:?} at offset {offset}: the next opening cuts it off"
        ))?;
    }
    let verdict = match damages.len() {
        0 => "sound".to_owned(),
        places => format!("damaged in {}, sound are", count(places as u64, "place")),
    };
    let closed = if *clean { "closed cleanly" } else { "open, or not closed cleanly" };
    output.line(format_args!(
        "{verdict}: {}, {}; {} in {}; store {store_id}, {closed}",
        count(*events, "event"),
        count(*frames, "frame"),
        count(*bytes, "byte"),
        count(*files, "file"),
    ))?;
    output.finish()
}

/// A line for each place.
pub(crate) fn list(output: &mut Output, word: &str, places: &[Damage]) -> Result<(), Failure> {
    places.iter().try_for_each(|Damage { path, offset, what }| {
        output.line(format_args!("{word}: {path:?} at offset {offset}: {what}"))
    })
}

fn tell_only(damage: &annals::Error) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(format_args!("damage: {damage}"))?;
    output.line("damaged: nothing more can be checked")?;
    output.finish()
}
