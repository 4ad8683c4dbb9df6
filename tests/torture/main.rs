//! The long runs: what `tests/it` shows in small, done until the time is up, counted and judged.
//!
//! Without `--minutes` each campaign does a short, fixed part of its work, the same every time. With it, each takes its
//! share of the minutes, with a seed that is printed. `tests/torture.sh MINUTES` is the way to start it.

#[path = "../it/account.rs"]
#[expect(dead_code, reason = "each test binary uses its part of what is shared")]
mod account;
mod campaign;
mod child;
mod consumers;
mod crash;
mod damage;
mod hostile;
mod hostile_large;
mod hostile_places;
mod machine;
mod real;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each test binary uses its part of what is shared")]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use campaign::{Budget, Campaign, Tally};

/// What is run, in this order, and its share of the time.
const CAMPAIGNS: &[Campaign] = &[
    crash::CAMPAIGN,
    consumers::CAMPAIGN,
    machine::CAMPAIGN,
    Campaign { name: damage::NAME, share: 4, run: damage::run },
    Campaign { name: hostile::NAME, share: 1, run: hostile::run },
    real::KILLS,
    real::READERS,
    real::POWER_CUTS,
    real::OPEN_RACES,
    real::FULL_DISKS,
    real::SIZE_LIMITS,
    real::INJECTIONS,
    real::SYNC_ORDER,
    real::PLACES,
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if real::serve_child(&args) {
        return ExitCode::SUCCESS;
    }
    match Plan::from_args(&args) {
        Ok(Plan::List) => {
            CAMPAIGNS.iter().for_each(|campaign| println!("{}: test", campaign.name));
            ExitCode::SUCCESS
        }
        Ok(Plan::Run { minutes, seed, filter }) => {
            real::enter_own_mounts(&args);
            run(minutes, seed, filter.as_deref())
        }
        Err(wrong) => {
            eprintln!("{wrong}\nusage: torture [--minutes N] [--seed N] [PART OF A CAMPAIGN'S NAME]");
            ExitCode::FAILURE
        }
    }
}

/// What the arguments ask for.
enum Plan {
    /// As a test runner asks for it.
    List,
    Run {
        minutes: Option<f64>,
        seed: Option<u64>,
        filter: Option<String>,
    },
}

impl Plan {
    fn from_args(args: &[String]) -> Result<Self, String> {
        let (mut minutes, mut seed, mut filter) = (None, None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || args.next().ok_or_else(|| format!("{arg} needs a number"));
            match arg.as_str() {
                "--list" => return Ok(Self::List),
                "--minutes" => {
                    let text = number()?;
                    let given = text.parse().ok().filter(|minutes: &f64| (0.1..=10_000.0).contains(minutes));
                    minutes =
                        Some(given.ok_or_else(|| format!("--minutes {text}: not between 0.1 and 10000"))?);
                }
                "--seed" => {
                    let text = number()?;
                    seed = Some(text.parse().map_err(|error| format!("--seed {text}: {error}"))?);
                }
                // Meant for the harness of other test binaries.
                harness if harness.starts_with("--") => {}
                name => filter = Some(name.to_owned()),
            }
        }
        Ok(Self::Run { minutes, seed, filter })
    }
}

fn run(minutes: Option<f64>, seed: Option<u64>, filter: Option<&str>) -> ExitCode {
    let wanted = |campaign: &&Campaign| filter.is_none_or(|part| campaign.name.contains(part));
    let campaigns: Vec<&Campaign> = CAMPAIGNS.iter().filter(wanted).collect();
    let shares: u32 = campaigns.iter().map(|campaign| campaign.share).sum();
    let seed = seed.unwrap_or_else(|| if minutes.is_some() { random_seed() } else { 1 });
    println!("seed {seed}");
    let mut tally = Tally::default();
    for campaign in campaigns {
        let started = Instant::now();
        let share = |minutes: f64| {
            Duration::from_secs_f64(minutes * 60.0 * f64::from(campaign.share) / f64::from(shares))
        };
        let budget = Budget::new(minutes.map(|minutes| started + share(minutes)), seed);
        let mut own = Tally::default();
        (campaign.run)(&budget, &mut own);
        println!("{}: {own} in {:.1} s", campaign.name, started.elapsed().as_secs_f64());
        tally.merge(own);
    }
    tally.conclude()
}

fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32)
}
