//! `annals export`: events as JSON lines.

use std::path::Path;

use annals::{Events, Filter, Store};

use crate::args;
use crate::event_line::OutgoingLine;
use crate::failure::Failure;
use crate::open::open_existing;
use crate::output::{Output, tell};

pub(crate) fn run(args: &args::Export) -> Result<(), Failure> {
    let store = open_existing(&args.store)?;
    let filter = match &args.category {
        Some(category) => Filter::new().category(category),
        None => Filter::new(),
    };
    let events = match &args.stream {
        Some(name) => {
            let stream = stream(&store, name)?;
            stream.read().filter(filter).iter()
        }
        None => store.read().filter(filter).iter(),
    };
    print(events, usize::MAX, &args.store)
}

/// A handle on a stream; that it has no events is told on standard error, since a misspelt name looks the same.
pub(crate) fn stream(store: &Store, name: &str) -> Result<annals::Stream, Failure> {
    let because = |error: Box<dyn std::error::Error>| Failure::because(format!("stream {name:?}"), error);
    let stream = store.stream(name).map_err(|error| because(error.into()))?;
    if !stream.exists().map_err(|error| because(error.into()))? {
        tell(format_args!("stream {name:?} has no events"));
    }
    Ok(stream)
}

/// Prints up to `limit` events. All that were read before a failure are printed.
pub(crate) fn print(events: Events, limit: usize, store: &Path) -> Result<(), Failure> {
    let mut output = Output::new();
    for event in events.take(limit) {
        let event = event.map_err(|error| Failure::because(format!("reading store {store:?}"), error))?;
        output.json(&OutgoingLine::new(&event))?;
    }
    output.finish()
}
