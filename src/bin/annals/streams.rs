//! `annals streams`: which streams there are and how long they are.

use std::iter;

use annals::Filter;
use comfy_table::Cell;

use crate::args;
use crate::failure::Failure;
use crate::open::open_existing;
use crate::output::Output;
use crate::table::{above_numbers, name, number, table};

#[derive(serde::Serialize)]
struct StreamLine<'a> {
    stream: &'a str,
    events: u64,
    version: u64,
}

pub(crate) fn run(args: &args::Streams) -> Result<(), Failure> {
    let store = open_existing(&args.store)?;
    let streams = match &args.category {
        Some(category) => store.streams_where(&Filter::new().category(category)),
        None => store.streams(),
    };
    let streams =
        streams.map_err(|error| Failure::because(format!("reading store {:?}", args.store), error))?;
    let mut output = Output::new();
    if args.json {
        for stream in &streams {
            let (name, version) = (stream.name.as_str(), stream.version.as_u64());
            output.json(&StreamLine { stream: name, events: stream.events, version })?;
        }
        return output.finish();
    }
    let header = [Cell::new("stream"), above_numbers("events"), above_numbers("last version")];
    let rows = streams
        .iter()
        .map(|stream| [name(stream.name.as_str()), number(stream.events), number(stream.version.as_u64())]);
    output.line(table(iter::once(header).chain(rows)))?;
    output.finish()
}
