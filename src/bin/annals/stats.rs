//! `annals stats`: figures about a store, those that outlive a process.

use annals::{Error, RecordedEvent, Store};
use comfy_table::Cell;

use crate::args;
use crate::failure::Failure;
use crate::open::open_existing;
use crate::output::Output;
use crate::table::table;
use crate::time::Time;

#[derive(serde::Serialize)]
struct Figures {
    store_id: String,
    events: u64,
    streams: u64,
    commits: u64,
    checkpoints: u64,
    first_recorded_at: Option<Time>,
    last_recorded_at: Option<Time>,
    journal_files: u64,
    journal_bytes: u64,
    segments: u64,
    segment_bytes: u64,
    segment_raw_bytes: u64,
    snapshots: u64,
    snapshot_bytes: u64,
}

pub(crate) fn run(args: &args::Stats) -> Result<(), Failure> {
    let store = open_existing(&args.store)?;
    let figures = figures(&store)
        .map_err(|error| Failure::because(format!("measuring store {:?}", args.store), error))?;
    let mut output = Output::new();
    if args.json {
        output.json(&figures)?;
    } else {
        output.line(show(&figures))?;
    }
    output.finish()
}

fn figures(store: &Store) -> Result<Figures, Error> {
    let stats = store.stats()?;
    let recorded_at = |event: Option<Result<RecordedEvent, Error>>| {
        event.transpose().map(|event| event.map(|event| Time(event.recorded_at())))
    };
    Ok(Figures {
        store_id: stats.store_id.to_string(),
        events: stats.head.as_u64(),
        streams: stats.streams,
        commits: stats.commits,
        checkpoints: stats.checkpoints,
        first_recorded_at: recorded_at(store.read().iter().next())?,
        last_recorded_at: recorded_at(store.read().iter().next_back())?,
        journal_files: stats.journal_files,
        journal_bytes: stats.journal_bytes,
        segments: stats.segments,
        segment_bytes: stats.segment_bytes,
        segment_raw_bytes: stats.segment_raw_bytes,
        snapshots: stats.snapshots,
        snapshot_bytes: stats.snapshot_bytes,
    })
}

fn show(figures: &Figures) -> String {
    let time =
        |time: Option<Time>| Cell::new(time.map_or_else(|| "none".to_owned(), |time| time.to_string()));
    let rows = [
        ("store id", Cell::new(&figures.store_id)),
        ("events", Cell::new(figures.events)),
        ("streams", Cell::new(figures.streams)),
        ("commits", Cell::new(figures.commits)),
        ("checkpoints", Cell::new(figures.checkpoints)),
        ("first recorded at", time(figures.first_recorded_at)),
        ("last recorded at", time(figures.last_recorded_at)),
        ("journal files", Cell::new(figures.journal_files)),
        ("journal bytes", Cell::new(format!("{}, prepared space included", figures.journal_bytes))),
        ("segments", Cell::new(figures.segments)),
        (
            "segment bytes",
            Cell::new(format!("{}, {} before compression", figures.segment_bytes, figures.segment_raw_bytes)),
        ),
        ("snapshots", Cell::new(figures.snapshots)),
        ("snapshot bytes", Cell::new(figures.snapshot_bytes)),
    ];
    table(rows.map(|(what, figure)| [Cell::new(what), figure]))
}
