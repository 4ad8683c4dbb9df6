//! `Audit`: the proof that money is neither made nor lost. Two ways to one sum: what all events together say, read in
//! order of position, and what the accounts say, each folded from its own stream without cache or snapshot.

use std::io::Write;

use annals::Store;

use super::account::{Account, AccountEvent};
use super::bank::{Bank, CATEGORY};
use super::failure::{Failure, Result};
use super::money::Money;

/// What came in, what went out, and what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) events: u64,
    /// Deposits and interest.
    pub(crate) paid_in: Money,
    /// Withdrawals and fees.
    pub(crate) paid_out: Money,
    pub(crate) transferred_in: Money,
    pub(crate) transferred_out: Money,
    pub(crate) in_accounts: Money,
}

impl Audit {
    pub(crate) fn of(bank: &Bank) -> Result<Self> {
        let mut audit = Self::of_log(bank.store())?;
        let accounts = bank.store().repository::<Account>(CATEGORY);
        for name in bank.names()? {
            audit.in_accounts = audit.in_accounts.plus(accounts.load(name)?.balance).ok_or_else(too_much)?;
        }
        Ok(audit)
    }

    fn of_log(store: &Store) -> Result<Self> {
        store.read().try_fold(Self::default(), |mut audit, event: AccountEvent| {
            audit.events += 1;
            let amount = event.movement().map_or(Money::ZERO, |movement| movement.amount());
            let side = match event {
                AccountEvent::Opened { .. } => return Ok(audit),
                AccountEvent::Deposited { .. } | AccountEvent::InterestPaid { .. } => &mut audit.paid_in,
                AccountEvent::Withdrawn { .. } | AccountEvent::FeeCharged { .. } => &mut audit.paid_out,
                AccountEvent::TransferredIn { .. } => &mut audit.transferred_in,
                AccountEvent::TransferredOut { .. } => &mut audit.transferred_out,
            };
            *side = side.plus(amount).ok_or_else(too_much)?;
            Ok(audit)
        })
    }

    /// What the accounts must hold, as all events together say.
    pub(crate) fn expected(&self) -> Option<Money> {
        self.paid_in.minus(self.paid_out)?.plus(self.transferred_in)?.minus(self.transferred_out)
    }

    pub(crate) fn holds(&self) -> bool {
        self.expected() == Some(self.in_accounts)
    }
}

/// Prints the proof; a failure when it fails.
pub(crate) fn audit(bank: &Bank, out: &mut dyn Write) -> Result<()> {
    let audit = Audit::of(bank)?;
    let expected = audit.expected().ok_or_else(too_much)?;
    writeln!(out, "folded from all {} events", audit.events)?;
    writeln!(out, "  deposits and interest  {:>16}", audit.paid_in)?;
    writeln!(
        out,
        "  withdrawals and fees   {:>16}",
        Money::ZERO.minus(audit.paid_out).ok_or_else(too_much)?
    )?;
    writeln!(out, "  transfers in           {:>16}", audit.transferred_in)?;
    writeln!(
        out,
        "  transfers out          {:>16}",
        Money::ZERO.minus(audit.transferred_out).ok_or_else(too_much)?
    )?;
    writeln!(out, "  so there must be       {expected:>16}")?;
    writeln!(out, "in the accounts there is {:>16}", audit.in_accounts)?;
    if !audit.holds() {
        return Err(Failure::Other("the two differ: money was made or lost".into()));
    }
    Ok(writeln!(out, "the two are equal: no money was made, none was lost")?)
}

fn too_much() -> Failure {
    Failure::Other("the sums are too large to count".into())
}
