//! `annals inspect`: the structure of one file of a store, a line for each part.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use annals::{Error, FilePart, Store};
use serde::Serialize;

use crate::args;
use crate::failure::Failure;
use crate::output::Output;
use crate::verify::conclude;

/// A part as JSON.
#[derive(Serialize)]
struct PartLine<'a> {
    offset: u64,
    bytes: u64,
    what: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
    damage: Option<&'a str>,
}

/// Why telling ended early.
enum Ended {
    Store(Error),
    Output(Failure),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

pub(crate) fn run(args: &args::Inspect) -> Result<ExitCode, Failure> {
    let mut output = Output::new();
    let mut sound = true;
    let told = Store::inspect(&args.file, |part| {
        sound &= part.damage.is_none();
        let written = if args.json { output.json(&json(&part)) } else { output.line(line(&part)) };
        written.map_err(Ended::Output)
    });
    match told {
        Ok(()) => conclude(sound, output.finish()),
        Err(Ended::Output(failure)) => conclude(sound, Err(failure)),
        Err(Ended::Store(error)) => Err(Failure::because(format!("inspecting {:?}", args.file), error)),
    }
}

fn json(part: &FilePart) -> PartLine<'_> {
    PartLine {
        offset: part.offset,
        bytes: part.bytes,
        what: part.what,
        fields: part.fields.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        damage: part.damage.as_deref(),
    }
}

fn line(part: &FilePart) -> String {
    let mut line = format!("{:>10} {:>9}  {}", part.offset, part.bytes, part.what);
    for (number, (name, value)) in part.fields.iter().enumerate() {
        let before = if number == 0 { ": " } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(line, "{before}{name} {value}");
    }
    if let Some(damage) = &part.damage {
        let _ = write!(line, "; DAMAGED: {damage}");
    }
    line
}
