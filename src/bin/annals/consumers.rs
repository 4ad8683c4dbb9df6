//! `annals consumers`: which consumers there are and how far each has come.

use std::iter;

use comfy_table::Cell;

use crate::args;
use crate::failure::Failure;
use crate::open::open_existing;
use crate::output::Output;
use crate::table::{above_numbers, name, number, table};

#[derive(serde::Serialize)]
struct ConsumerLine<'a> {
    consumer: &'a str,
    floor: u64,
    lag: u64,
    open: u64,
    parked: u64,
}

pub(crate) fn run(args: &args::Consumers) -> Result<(), Failure> {
    let store = open_existing(&args.store)?;
    let consumers = store
        .consumers()
        .map_err(|error| Failure::because(format!("reading store {:?}", args.store), error))?;
    let lines: Vec<_> = consumers
        .iter()
        .map(|info| ConsumerLine {
            consumer: &info.name,
            floor: info.floor.as_u64(),
            lag: info.lag,
            open: info.open as u64,
            parked: info.parked as u64,
        })
        .collect();
    let mut output = Output::new();
    if args.json {
        lines.iter().try_for_each(|line| output.json(line))?;
        return output.finish();
    }
    let header = ["floor", "lag", "open", "parked"].map(above_numbers);
    let [floor, lag, open, parked] = header;
    let header = [Cell::new("consumer"), floor, lag, open, parked];
    let rows = lines.iter().map(|line| {
        let [floor, lag, open, parked] = [line.floor, line.lag, line.open, line.parked].map(number);
        [name(line.consumer), floor, lag, open, parked]
    });
    output.line(table(iter::once(header).chain(rows)))?;
    output.finish()
}
