//! `Bank`: the accounts of one store, and the commands that change them.
//!
//! A command on one account is `execute`: load, decide, append at the version decided on, again on a conflict. A transfer
//! changes two accounts, so it is a batch: one commit over both streams, each at its exact version.

use annals::{
    Aggregate, BatchReceipt, Bincode, Draft, EventId, Executed, ExpectedVersion, Filter, Loaded, Outcome,
    Repository, Store, Stream, Timestamp,
};

use super::account::{Account, AccountEvent, Decision, Refusal};
use super::failure::{Failure, Result};
use super::ids::id_of;
use super::money::Money;

pub(crate) const CATEGORY: &str = "account";
const SNAPSHOT_EVERY: u64 = 500;
const STATES_CACHED: usize = 10_000;
const TRANSFER_ATTEMPTS: u32 = 20;
const NAME_CHARS_MAX: usize = 40;

/// The accounts of one store. Cheap to clone, free to share among threads, as the store is.
#[derive(Clone)]
pub(crate) struct Bank {
    store: Store,
    accounts: Repository<Account>,
}

/// Money to be moved from one account to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) amount: Money,
    pub(crate) memo: &'a str,
    /// Given by a caller who may send the same transfer again.
    pub(crate) id: Option<&'a str>,
}

impl Bank {
    pub(crate) fn new(store: Store) -> Self {
        let accounts =
            store.repository::<Account>(CATEGORY).snapshot_every(SNAPSHOT_EVERY).cache(STATES_CACHED);
        Self { store, accounts }
    }

    pub(crate) fn open(&self, name: &str, memo: &str) -> Result<Executed<Account>> {
        check_name(name)?;
        self.execute(name, |account| account.open(memo))
    }

    /// Books a decision on one account.
    pub(crate) fn execute(
        &self,
        name: &str,
        decide: impl FnMut(&Account) -> Decision,
    ) -> Result<Executed<Account>> {
        self.accounts.execute(name, decide).map_err(Failure::rejected(name))
    }

    /// Books an event on one account, if the rules let it happen; with an id, once, however often it is sent.
    ///
    /// The store finds the id and decides nothing again: that it is the same command and not another one with a used id
    /// is ours to look at.
    pub(crate) fn book(
        &self,
        name: &str,
        id: Option<&str>,
        event: &AccountEvent,
    ) -> Result<Executed<Account>> {
        let decide = |account: &Account| account.book(event.clone());
        let Some(id) = id else { return self.execute(name, decide) };
        let executed =
            self.accounts.execute_once(id_of(&[id]), name, decide).map_err(Failure::rejected(name))?;
        if executed.receipt().outcome() == Outcome::AlreadyAppended {
            self.booked_before(name, id, event)?;
        }
        Ok(executed)
    }

    /// Whether an event was booked under the id before; a failure when it was another one. Memos are not compared.
    fn booked_before(&self, name: &str, id: &str, event: &AccountEvent) -> Result<bool> {
        let Some(recorded) = self.stream(name)?.find(id_of(&[id]))? else { return Ok(false) };
        let booked: AccountEvent = self.store.decode::<Bincode, _>(&recorded)?;
        if booked.does_the_same_as(event) {
            return Ok(true);
        }
        Err(Failure::IdUsed { account: name.to_owned(), id: id.to_owned(), booked: Box::new(booked) })
    }

    /// Moves money, trying again when somebody else changed one of the two accounts meanwhile.
    pub(crate) fn transfer(&self, transfer: Transfer<'_>) -> Result<Outcome> {
        for _ in 1..TRANSFER_ATTEMPTS {
            match self.try_transfer(transfer) {
                Err(Failure::Store(error)) if error.is_conflict() => {}
                answer => return answer.map(|receipt| receipt.outcome()),
            }
        }
        self.try_transfer(transfer).map(|receipt| receipt.outcome())
    }

    /// Moves money in one commit, or not at all: a conflict when one of the accounts was changed meanwhile.
    pub(crate) fn try_transfer(&self, transfer: Transfer<'_>) -> Result<BatchReceipt> {
        let Transfer { from, to, amount, memo, id } = transfer;
        if from == to {
            return Err(Failure::Other(format!("{from}: a transfer needs two accounts")));
        }
        let memo = memo.to_owned();
        let out = AccountEvent::TransferredOut { amount, memo: memo.clone(), to: Some(to.to_owned()) };
        let in_ = AccountEvent::TransferredIn { amount, memo, from: Some(from.to_owned()) };
        let booked_before = match id {
            // Both are looked at: the id may be in one account only, used for something else.
            Some(id) => self.booked_before(from, id, &out)? & self.booked_before(to, id, &in_)?,
            None => false,
        };
        let (of_giver, of_taker) = if booked_before {
            // Not decided again, for the money may be gone by now: the store compares and answers where it is.
            (ExpectedVersion::Any, ExpectedVersion::Any)
        } else {
            (self.check(from, &out)?, self.check(to, &in_)?)
        };
        let draft = |event| match id {
            Some(id) => Draft::new(event).id(id_of(&[id])),
            None => Draft::new(event),
        };
        let batch = self.store.batch();
        let batch = batch.append_drafts(stream_name(from), of_giver, [draft(out)]);
        Ok(batch.append_drafts(stream_name(to), of_taker, [draft(in_)]).commit()?)
    }

    /// Whether the rules let the event happen, and the version that they were asked at.
    fn check(&self, name: &str, event: &AccountEvent) -> Result<ExpectedVersion> {
        let account = self.accounts.load(name)?;
        account.book(event.clone()).map_err(Failure::refused(name))?;
        Ok(account.version().into())
    }

    /// Books events as facts that happened at `when`. The ids make it safe to do so again.
    pub(crate) fn record(
        &self,
        name: &str,
        events: &[(EventId, AccountEvent)],
        when: Timestamp,
    ) -> Result<Outcome> {
        check_name(name)?;
        let stream = self.stream(name)?;
        let booked_before = match events.first() {
            Some((id, _)) => stream.find(*id)?.is_some(),
            None => false,
        };
        let expected = if booked_before {
            ExpectedVersion::Any
        } else {
            let account = self.accounts.load(name)?;
            let version = account.version();
            let mut state = account.into_state();
            for (_, event) in events {
                let [event] = state.record(event.clone()).map_err(Failure::refused(name))?;
                state.apply(&event);
            }
            version.into()
        };
        let drafts = events.iter().map(|(id, event)| Draft::new(event.clone()).id(*id).occurred_at(when));
        Ok(stream.append_drafts(expected, drafts)?.outcome())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn stream(&self, name: &str) -> Result<Stream> {
        Ok(self.accounts.stream(name)?)
    }

    /// The stream of an account that somebody wants to look at.
    pub(crate) fn existing(&self, name: &str) -> Result<Stream> {
        let stream = self.stream(name)?;
        if stream.exists()? {
            return Ok(stream);
        }
        Err(Failure::refused(name)(Refusal::NotOpen))
    }

    pub(crate) fn load(&self, name: &str) -> Result<Loaded<Account>> {
        Ok(self.accounts.load(name)?)
    }

    /// The names of all accounts, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let streams = self.store.streams_where(&Filter::new().category(CATEGORY))?;
        Ok(streams.iter().map(|stream| account_name(stream.name.as_str()).to_owned()).collect())
    }

    /// What is in all accounts together, each folded from its own stream.
    pub(crate) fn total(&self) -> Result<Money> {
        let balances: Vec<Money> =
            self.names()?.iter().map(|name| Ok(self.load(name)?.balance)).collect::<Result<_>>()?;
        Money::total(balances)
            .ok_or_else(|| Failure::Other("all accounts together: too much to count".into()))
    }
}

/// The stream of an account.
pub(crate) fn stream_name(account: &str) -> String {
    format!("{CATEGORY}-{account}")
}

/// The account of a stream.
pub(crate) fn account_name(stream: &str) -> &str {
    stream.strip_prefix(CATEGORY).and_then(|rest| rest.strip_prefix('-')).unwrap_or(stream)
}

/// Names are data to the store and may be any text. This bank wants them to be typed and printed with ease.
fn check_name(name: &str) -> Result<()> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(odd) {
        return Err(Failure::Other(format!(
            "{name:?} is not a name for an account: 1 to {NAME_CHARS_MAX} characters without spaces"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Audit;

    fn money(text: &str) -> Money {
        text.parse().expect("an amount")
    }

    /// A bank where ada has 5.00 and bob nothing.
    fn bank() -> Result<(tempfile::TempDir, Bank)> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let bank = Bank::new(Store::open(dir.path())?);
        bank.open("ada", "")?;
        bank.open("bob", "")?;
        bank.execute("ada", |ada| ada.deposit(money("5.00"), ""))?;
        Ok((dir, bank))
    }

    fn balances(bank: &Bank) -> Result<[String; 2]> {
        Ok([bank.load("ada")?.balance.to_string(), bank.load("bob")?.balance.to_string()])
    }

    #[test]
    fn a_transfer_books_both_sides_or_neither() -> Result<()> {
        let (_dir, bank) = bank()?;
        let transfer = Transfer { from: "ada", to: "bob", amount: money("3.00"), memo: "", id: None };
        assert_eq!(bank.transfer(transfer)?, Outcome::Appended);
        assert_eq!(balances(&bank)?, ["2.00", "3.00"]);
        for (to, amount) in [("bob", "2.01"), ("nobody", "1.00"), ("ada", "1.00"), ("bob", "0.00")] {
            let refused = bank.transfer(Transfer { to, amount: money(amount), ..transfer });
            assert!(!matches!(refused, Ok(_) | Err(Failure::Store(_))), "{amount} to {to}: {refused:?}");
            assert_eq!(balances(&bank)?, ["2.00", "3.00"]);
        }
        assert!(Audit::of(&bank)?.holds());
        Ok(())
    }

    #[test]
    fn a_transfer_with_an_id_is_booked_once_even_when_the_money_is_gone() -> Result<()> {
        let (_dir, bank) = bank()?;
        let id = Some("dinner");
        let transfer = Transfer { from: "ada", to: "bob", amount: money("5.00"), memo: "", id };
        assert_eq!(bank.transfer(transfer)?, Outcome::Appended);
        assert_eq!(bank.transfer(transfer)?, Outcome::AlreadyAppended);
        assert_eq!(balances(&bank)?, ["0.00", "5.00"]);
        let other = bank.transfer(Transfer { amount: money("1.00"), ..transfer });
        assert_eq!(refusal(other), "ada: refused: the id dinner was used for a transfer of 5.00 to bob");
        Ok(())
    }

    fn refusal<T>(answer: Result<T>) -> String {
        answer.err().map_or_else(|| "it was let through".to_owned(), |failure| failure.to_string())
    }

    #[test]
    fn an_id_that_was_used_for_another_command_is_refused_and_nothing_is_booked() -> Result<()> {
        let (_dir, bank) = bank()?;
        let deposit =
            |amount, memo: &str| AccountEvent::Deposited { amount: money(amount), memo: memo.into() };
        let withdrawal = AccountEvent::Withdrawn { amount: money("7.00"), memo: String::new() };
        let id = Some("inv-1");
        let outcome =
            |event: &AccountEvent| Ok::<_, Failure>(bank.book("ada", id, event)?.receipt().outcome());
        assert_eq!(outcome(&deposit("7.00", ""))?, Outcome::Appended);
        assert_eq!(outcome(&deposit("7.00", "sent again"))?, Outcome::AlreadyAppended);
        let used = "ada: refused: the id inv-1 was used for a deposit of 7.00";
        assert_eq!(refusal(outcome(&deposit("8.00", ""))), used);
        assert_eq!(refusal(outcome(&withdrawal)), used);
        for (from, to) in [("ada", "bob"), ("bob", "ada")] {
            let amount = money("7.00");
            assert_eq!(refusal(bank.transfer(Transfer { from, to, amount, memo: "", id })), used);
        }
        assert_eq!(balances(&bank)?, ["12.00", "0.00"]);
        Ok(())
    }

    #[test]
    fn names_are_short_and_without_spaces() -> Result<()> {
        let (_dir, bank) = bank()?;
        for name in ["", "two words", "tab\t", "line\n", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert!(matches!(bank.open(name, ""), Err(Failure::Other(_))), "{name:?}");
        }
        bank.open(&"ß".repeat(NAME_CHARS_MAX), "")?;
        bank.open("a-b", "")?;
        assert_eq!(bank.names().expect("names").len(), 4);
        Ok(())
    }
}
