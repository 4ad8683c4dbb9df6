//! The real machine: processes that are killed, disks that are full, calls that fail, power that goes.
//!
//! The runner starts itself as a child process (`--child NAME DIR ARGS`); a child tells on its standard output what it
//! was answered, after it was answered. `Ledger` holds what was told against what is found.

mod beside;
mod child;
mod counter;
mod disks;
mod full_disk;
mod halting_disk;
mod injection;
mod kills;
mod ledger;
mod machine;
mod open_race;
mod places;
mod power_cut;
mod process;
mod size_limit;
mod sync_order;
mod told;
mod work;

pub(crate) use child::serve as serve_child;
pub(crate) use machine::enter_own_mounts;

use crate::campaign::Campaign;

pub(crate) const KILLS: Campaign = kills::CAMPAIGN;
pub(crate) const READERS: Campaign = beside::CAMPAIGN;
pub(crate) const POWER_CUTS: Campaign = power_cut::CAMPAIGN;
pub(crate) const OPEN_RACES: Campaign = open_race::CAMPAIGN;
pub(crate) const FULL_DISKS: Campaign = full_disk::CAMPAIGN;
pub(crate) const SIZE_LIMITS: Campaign = size_limit::CAMPAIGN;
pub(crate) const INJECTIONS: Campaign = injection::CAMPAIGN;
pub(crate) const SYNC_ORDER: Campaign = sync_order::CAMPAIGN;
pub(crate) const PLACES: Campaign = places::CAMPAIGN;
