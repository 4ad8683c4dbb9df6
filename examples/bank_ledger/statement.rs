//! `statement`: what happened on one account, with its running balance, as of now or of a past moment.

use std::io::Write;

use annals::{AsOf, Filter, Timestamp};

use super::account::AccountEvent;
use super::bank::Bank;
use super::failure::{Failure, Result};
use super::money::Money;
use super::plot::plot;
use super::table::{Side, Table};
use super::{time, words};

/// Of what a statement is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) account: String,
    /// As the books were at this time or version, whatever was booked later.
    pub(crate) as_of: Option<AsOf>,
    /// Only what had happened by this time, whenever it was booked.
    pub(crate) until: Option<Timestamp>,
    pub(crate) plot: bool,
}

/// Prints a statement.
pub(crate) fn statement(bank: &Bank, wanted: &Wanted, out: &mut dyn Write) -> Result<()> {
    let mut read = bank.existing(&wanted.account)?.read();
    if let Some(as_of) = wanted.as_of {
        read = read.as_of(as_of);
    }
    if let Some(until) = wanted.until {
        read = read.filter(Filter::new().occurred(..=until));
    }
    let mut table = Table::new([
        ("version", Side::Right),
        ("occurred", Side::Left),
        ("what", Side::Left),
        ("amount", Side::Right),
        ("balance", Side::Right),
        ("memo", Side::Left),
    ]);
    let mut balance = Money::ZERO;
    let mut balances = Vec::new();
    let mut days = Vec::new();
    for entry in read.typed::<AccountEvent>() {
        let (recorded, event) = entry?;
        balance = event.movement().map_or(Some(balance), |movement| movement.apply_to(balance)).ok_or_else(
            || Failure::Other(format!("{}: the balance is too large to count", wanted.account)),
        )?;
        let occurred = time::show(recorded.occurred_at());
        table.row([
            recorded.version().to_string(),
            occurred.clone(),
            words::what(&event),
            words::signed(&event),
            balance.to_string(),
            words::on_one_line(event.memo()),
        ]);
        balances.push(balance);
        days.push(occurred);
    }
    let (Some(oldest), Some(newest)) = (days.first(), days.last()) else {
        return Ok(writeln!(out, "{}: {}", wanted.account, nothing(wanted))?);
    };
    if wanted.plot {
        writeln!(out, "balance of {} after each of {} events\n", wanted.account, balances.len())?;
        for line in plot(&balances, (oldest, newest)) {
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    Ok(table.write(out)?)
}

fn nothing(wanted: &Wanted) -> &'static str {
    match wanted.as_of {
        Some(AsOf::Recorded(_)) => {
            "nothing had been booked by then (for what had happened by then, booked later: --until)"
        }
        _ => "nothing had happened by then",
    }
}
