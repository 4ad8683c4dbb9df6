//! `history`: everything that happened, in the order in which the store took it. One line an event, however many there
//! are: nothing is collected.

use std::io::Write;

use super::account::AccountEvent;
use super::bank::{Bank, account_name};
use super::failure::Result;
use super::{time, words};

/// Prints all events in order of position.
pub(crate) fn history(bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let widest =
        bank.names()?.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("account".len());
    writeln!(
        out,
        "{:>8}  {:<16}  {:<16}  {:<widest$}  {:>7}  {:<14}  {:>12}  memo",
        "position", "recorded", "occurred", "account", "version", "what", "amount"
    )?;
    for entry in bank.store().read().typed::<AccountEvent>() {
        let (recorded, event) = entry?;
        let line = format!(
            "{:>8}  {:<16}  {:<16}  {:<widest$}  {:>7}  {:<14}  {:>12}  {}",
            recorded.position(),
            time::show(recorded.recorded_at()),
            time::show(recorded.occurred_at()),
            account_name(recorded.stream()),
            recorded.version(),
            words::what(&event),
            words::signed(&event),
            words::on_one_line(event.memo()),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
