//! `accounts`: all accounts with their balances, for people or for programs.

use std::io::Write;

use super::bank::Bank;
use super::failure::{Failure, Result};
use super::table::{Side, Table};

/// Lists the accounts in a table.
pub(crate) fn table(bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let mut table =
        Table::new([("account", Side::Left), ("movements", Side::Right), ("balance", Side::Right)]);
    for name in bank.names()? {
        let account = bank.load(&name)?;
        table.row([name, account.movements.to_string(), account.balance.to_string()]);
    }
    table.row(["total".into(), String::new(), bank.total()?.to_string()]);
    Ok(table.write(out)?)
}

/// Lists the accounts as one JSON document. Amounts are texts with two decimals: a JSON number may lose cents.
pub(crate) fn json(bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let mut accounts = Vec::new();
    for name in bank.names()? {
        let account = bank.load(&name)?;
        accounts.push(serde_json::json!({
            "account": name,
            "balance": account.balance.to_string(),
            "movements": account.movements,
        }));
    }
    let document = serde_json::json!({ "accounts": accounts, "total": bank.total()?.to_string() });
    serde_json::to_writer_pretty(&mut *out, &document).map_err(|error| Failure::Output(error.into()))?;
    Ok(writeln!(out)?)
}
