//! Tests of annals through its public face, in one binary: a subject a file.

#[cfg(feature = "bincode")]
mod account;
#[cfg(feature = "bincode")]
mod aggregates;
mod append;
#[cfg(feature = "bincode")]
mod behind_checksums;
#[cfg(feature = "bincode")]
mod callers;
mod checkpoints;
#[cfg(feature = "cli")]
mod command_line;
#[cfg(feature = "cli")]
mod command_line_consumers;
#[cfg(feature = "cli")]
mod command_line_salvage;
mod concurrency;
mod consumers;
mod consumers_crash;
mod consumers_parked;
mod consumers_workers;
#[cfg(feature = "bincode")]
mod crash;
#[cfg(feature = "bincode")]
mod crash_lies;
mod damage;
#[cfg(feature = "bincode")]
mod damage_judged;
#[cfg(feature = "bincode")]
mod damage_sealed;
#[cfg(feature = "bincode")]
mod faults;
mod faults_sealing;
#[cfg(feature = "bincode")]
mod flipped_reads;
#[cfg(feature = "bincode")]
mod golden;
mod handles;
mod held_under_attack;
mod hostile_files;
mod idempotency;
mod in_time;
mod inspect;
mod limits;
mod misplaced;
mod model;
#[cfg(feature = "bincode")]
mod nested;
mod opening;
mod read;
mod read_damaged;
mod read_from_disk;
mod read_only;
mod read_only_between;
mod read_only_sealing;
#[cfg(all(feature = "bincode", feature = "json"))]
mod read_typed;
mod recent;
mod restored;
#[cfg(all(feature = "bincode", feature = "json"))]
mod ripgrep_history;
#[cfg(feature = "bincode")]
mod roll_after_close;
mod salvage;
mod salvage_disk;
mod salvage_hostile;
mod salvage_sealed;
mod sealing;
mod skip_damage;
#[cfg(feature = "bincode")]
mod snapshot_model;
#[cfg(feature = "bincode")]
mod snapshots;
mod subscriptions;
#[cfg(feature = "futures")]
mod subscriptions_in_tasks;
#[cfg_attr(
    not(feature = "bincode"),
    expect(dead_code, unused_imports, reason = "most of what crashes stores needs a codec for snapshots")
)]
mod support;
mod tiers;
mod verify;
