//! A worker: a process of its own for one engine and one store, so that memory, reads and kills are those of this engine
//! alone. It does what the measuring process asks of it, and measures it.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::appends::Appender;
use crate::clock::nanos;
use crate::data::{self, Set};
use crate::engine::Engine;
use crate::kind::Kind;
use crate::model::{Fold, Mode};
use crate::protocol::{Done, Work};
use crate::random::{self, Pick};
use crate::usage;

/// Requests that fill a store go in so many at a time.
const FILL_REQUESTS: u64 = 10_000;

/// Opens the store, tells how long that took, and works until it is told to close or nobody is there any more.
pub(crate) fn run(kind: Kind, dir: &Path, mode: Mode, set: Set) -> Result<()> {
    let before = usage::now()?;
    let started = Instant::now();
    let mut store = Some(kind.open(dir, mode)?);
    let wall = nanos(started);
    let usage = usage::since(&before)?;
    answer(&Done { wall, samples: vec![wall], usage, ..Done::default() })?;
    let mut appender = None;
    for line in std::io::stdin().lock().lines() {
        let work: Work = serde_json::from_str(&line?)?;
        if matches!(work, Work::KeepAppending) {
            answer(&Done::default())?;
        }
        let done = measured(&mut store, &mut appender, work, set)
            .unwrap_or_else(|error| Done { failed: Some(format!("{error:#}")), ..Done::default() });
        answer(&done)?;
        if store.is_none() {
            break;
        }
    }
    Ok(())
}

fn answer(done: &Done) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, done)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn measured(
    store: &mut Option<Box<dyn Engine>>,
    appender: &mut Option<Appender>,
    work: Work,
    set: Set,
) -> Result<Done> {
    let before = usage::now()?;
    let started = Instant::now();
    let mut done = match (work, store.as_deref()) {
        (Work::Close, _) => match store.take() {
            Some(store) => store.close().map(|()| Done::default())?,
            None => bail!("closed already"),
        },
        (_, None) => bail!("closed already"),
        (Work::Fill, Some(store)) => fill(store, set)?,
        (Work::Settle, Some(store)) => store.settle().map(|()| Done::default())?,
        (Work::Load { pick, count, seed, warm }, Some(store)) => load(store, set, pick, count, seed, warm)?,
        (Work::Replay { warm }, Some(store)) => replay(store, warm)?,
        (work, Some(store)) => {
            appender.get_or_insert_with(|| Appender::new(store.appends().events(), set)).work(store, work)?
        }
    };
    if done.wall == 0.0 {
        done.wall = nanos(started);
    }
    done.usage = usage::since(&before)?;
    Ok(done)
}

fn fill(store: &dyn Engine, set: Set) -> Result<Done> {
    // What is made is not part of what is measured.
    let mut wall = 0.0;
    for from in (0..set.events).step_by(usize::try_from(FILL_REQUESTS)?) {
        let requests = set.requests(from, FILL_REQUESTS);
        let started = Instant::now();
        store.appends().fill(requests)?;
        wall += nanos(started);
    }
    ensure!(store.appends().events() == set.events, "the store has {} events", store.appends().events());
    Ok(Done { wall, samples: vec![wall / set.events as f64], events: set.events, ..Done::default() })
}

fn load(store: &dyn Engine, set: Set, pick: Pick, count: usize, seed: u64, warm: bool) -> Result<Done> {
    let names: Vec<String> =
        random::picks(pick, set.streams, count, seed).into_iter().map(data::stream_name).collect();
    if warm {
        let mut fold = Fold::new();
        for name in &names {
            store.load(name, &mut fold)?;
        }
    }
    let mut fold = Fold::new();
    let mut samples = Vec::with_capacity(count);
    for name in &names {
        let started = Instant::now();
        store.load(name, &mut fold)?;
        samples.push(nanos(started));
    }
    let wall = samples.iter().sum();
    Ok(Done {
        samples,
        wall,
        events: fold.events,
        payload_bytes: fold.payload_bytes,
        sum: fold.sum,
        ..Done::default()
    })
}

fn replay(store: &dyn Engine, warm: bool) -> Result<Done> {
    if warm {
        store.replay(&mut Fold::new())?;
    }
    let mut fold = Fold::new();
    let started = Instant::now();
    store.replay(&mut fold)?;
    let wall = nanos(started);
    ensure!(fold.in_time, "recorded_at ran backwards");
    let samples = vec![wall / fold.events as f64];
    Ok(Done {
        samples,
        wall,
        events: fold.events,
        payload_bytes: fold.payload_bytes,
        sum: fold.sum,
        ..Done::default()
    })
}
