//! `annals salvage`: the sound events of a damaged store into a new one, and what is lost line by line.

use std::process::ExitCode;

use annals::{LostEnd, LostVersions, Maintenance, Options, SalvageReport};

use crate::args;
use crate::failure::Failure;
use crate::open::require_dir;
use crate::output::{Output, count};
use crate::verify::{conclude, list};

pub(crate) fn run(args: &args::Salvage) -> Result<ExitCode, Failure> {
    require_dir(&args.store)?;
    let salvaged = Options::new().maintenance(Maintenance::Inline).salvage(&args.store, &args.new);
    let report = salvaged.map_err(|error| {
        Failure::because(format!("salvaging store {:?} into {:?}", args.store, args.new), error)
    })?;
    conclude(report.is_complete(), tell(&report))
}

fn tell(report: &SalvageReport) -> Result<(), Failure> {
    let mut output = Output::new();
    list(&mut output, "damage", &report.damages)?;
    list(&mut output, "left out", &report.left_out)?;
    if let Some((path, offset)) = &report.torn_tail {
        output.line(format_args!("unfinished write: {path:?} at offset {offset}: not counted as lost"))?;
    }
    for lost in &report.lost {
        output.line(format_args!("lost: {}", range("position", lost.start.as_u64(), lost.end.as_u64())))?;
    }
    for LostVersions { stream, versions } in &report.lost_versions {
        let versions = range("version", versions.start.as_u64(), versions.end.as_u64());
        output.line(format_args!("lost: {versions} of stream {:?}", stream.as_str()))?;
    }
    if let Some(LostEnd { from, commits_max, .. }) = &report.lost_end {
        let most = commits_max.map(|commits| format!(", {} at most", count(commits, "commit")));
        let most = most.unwrap_or_default();
        output
            .line(format_args!("lost: all from position {from} on, nothing tells how many events{most}"))?;
    }
    if report.checkpoints_in_doubt {
        output.line("checkpoints: some may be missing, or further back than they were")?;
    }
    output.line(summary(report))?;
    output.finish()
}

fn summary(report: &SalvageReport) -> String {
    let SalvageReport { store_id, new_store_id, commits, events, recorded_at_held, .. } = report;
    let lost = match (report.lost_events(), &report.lost_end) {
        (0, None) => "nothing lost".to_owned(),
        (lost, end) => {
            let least = if end.is_some() { "at least " } else { "" };
            // That there was one is known, though not its commit.
            let lost = lost + end.as_ref().map_or(0, |end| end.events_min);
            let known = report.lost_events_of_known_streams();
            format!("{least}{} lost, {known} of them of known streams", count(lost, "event"))
        }
    };
    let held = match recorded_at_held {
        0 => String::new(),
        held => format!(", {held} recorded_at held"),
    };
    let left_out = match report.left_out.len() {
        0 => String::new(),
        several => format!(", {} left out", count(several as u64, "commit")),
    };
    let checkpoints = match report.checkpoints {
        0 => String::new(),
        several => format!(", {}", count(several, "checkpoint")),
    };
    format!(
        "salvaged {} in {}{checkpoints}, {lost}{left_out}{held}; store {store_id}, the new one {new_store_id}",
        count(*events, "event"),
        count(*commits, "commit"),
    )
}

/// `position 5`, `positions 5 to 7`.
fn range(thing: &str, start: u64, end: u64) -> String {
    match end.saturating_sub(start) {
        0 | 1 => format!("{thing} {start}"),
        _ => format!("{thing}s {start} to {}", end - 1),
    }
}
