//! The same event-store work through annals, through what a user would pick instead (SQLite, redb, fjall, LMDB) and
//! through a raw floor, measured in one run and printed as one table.
//!
//! Each engine works in a process of its own; the measuring process hands out the work in turn, A B A B, so that the
//! machine's moods hit all alike. `--help` tells what can be chosen.
#![expect(clippy::cast_precision_loss, reason = "nanoseconds and bytes are told with three digits")]

#[cfg(test)]
mod agree;
mod appends;
mod args;
mod clock;
mod data;
mod engine;
mod engines;
mod figures;
mod files;
mod group;
mod kind;
mod machine;
mod model;
mod plan;
mod process;
mod protocol;
mod random;
mod record;
mod report;
mod rows;
mod stamp;
mod usage;
mod worker;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use crate::args::Args;
use crate::data::Set;
use crate::figures::Row;
use crate::kind::Kind;
use crate::model::Mode;
use crate::plan::Plan;

fn main() -> Result<()> {
    let mut raw = std::env::args_os().skip(1);
    if let Some(first) = raw.next()
        && first == process::WORKER
    {
        return work(&raw.collect::<Vec<_>>());
    }
    let Some(args) = Args::parse(lexopt::Parser::from_env())? else { return Ok(()) };
    measure(&args)
}

/// What a worker does: its engine, mode, data set and directory are its arguments.
fn work(args: &[OsString]) -> Result<()> {
    let [kind, mode, set, dir] = args else { bail!("a worker takes four arguments") };
    let kind = kind.to_str().and_then(Kind::by_name).context("no such engine")?;
    let set = set.to_str().and_then(Set::by_name).context("no such set")?;
    let mode = if mode == "buffered" { Mode::Buffered } else { Mode::Durable };
    worker::run(kind, Path::new(dir), mode, set)
}

fn measure(args: &Args) -> Result<()> {
    fs::create_dir_all(&args.dir)?;
    let mut rows: Vec<Row> = Vec::new();
    let head = machine::head(&args.dir);
    for set in &args.sets {
        // Stores of one set at a time, and gone at the end: the largest takes tens of gigabytes.
        let dir = tempfile::Builder::new().prefix("peers-").tempdir_in(&args.dir)?;
        rows.extend(rows::measure(args, Plan::new(*set, args.is_quick), dir.path())?);
        // After each set: a run takes long, and what ends it early should not take the figures along.
        write_json(args, &head, &rows)?;
    }
    ensure!(!rows.is_empty(), "no row of these sets is called so");
    rows.extend(rows::growth(&rows, &args.engines));
    for line in &head {
        println!("{line}");
    }
    println!("\n{}", report::table(&rows, &args.engines));
    write_json(args, &head, &rows)
}

fn write_json(args: &Args, head: &[String], rows: &[Row]) -> Result<()> {
    let Some(path) = &args.json else { return Ok(()) };
    let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
    let figures = json!({ "head": head, "date": machine::date(), "quick": args.is_quick, "rows": rows });
    fs::write(path, serde_json::to_string_pretty(&figures)?)
        .with_context(|| format!("writing {}", path.display()))
}
