//! `Account`: the aggregate. Its events, the state that they fold into, and the rules that decide on new ones.
//!
//! Nothing here knows of a store: a rule takes a state and gives an event or a refusal, so it is tested without one.

use std::fmt;
use std::mem::discriminant;

use annals::Aggregate;
use serde::{Deserialize, Serialize};

use super::money::Money;

/// What happened to an account. The variant's name is the event's type in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Opened { memo: String },
    Deposited { amount: Money, memo: String },
    Withdrawn { amount: Money, memo: String },
    InterestPaid { amount: Money, memo: String },
    FeeCharged { amount: Money, memo: String },
    TransferredIn { amount: Money, memo: String, from: Option<String> },
    TransferredOut { amount: Money, memo: String, to: Option<String> },
}

impl AccountEvent {
    /// What the event does to the balance; `None` for one that moves no money.
    pub(crate) fn movement(&self) -> Option<Movement> {
        match self {
            Self::Opened { .. } => None,
            Self::Deposited { amount, .. }
            | Self::InterestPaid { amount, .. }
            | Self::TransferredIn { amount, .. } => Some(Movement::In(*amount)),
            Self::Withdrawn { amount, .. }
            | Self::FeeCharged { amount, .. }
            | Self::TransferredOut { amount, .. } => Some(Movement::Out(*amount)),
        }
    }

    /// The account at the other end of a transfer, if it is known.
    fn counterpart(&self) -> Option<&str> {
        match self {
            Self::TransferredIn { from: other, .. } | Self::TransferredOut { to: other, .. } => {
                other.as_deref()
            }
            _ => None,
        }
    }

    /// Whether both say the same but for the memo: the same kind of event, amount and counterpart.
    pub(crate) fn does_the_same_as(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
            && self.movement() == other.movement()
            && self.counterpart() == other.counterpart()
    }

    pub(crate) fn memo(&self) -> &str {
        match self {
            Self::Opened { memo }
            | Self::Deposited { memo, .. }
            | Self::Withdrawn { memo, .. }
            | Self::InterestPaid { memo, .. }
            | Self::FeeCharged { memo, .. }
            | Self::TransferredIn { memo, .. }
            | Self::TransferredOut { memo, .. } => memo,
        }
    }
}

/// Which way money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    In(Money),
    Out(Money),
}

impl Movement {
    pub(crate) fn amount(self) -> Money {
        match self {
            Self::In(amount) | Self::Out(amount) => amount,
        }
    }

    /// The balance after the movement; `None` when it cannot be counted.
    pub(crate) fn apply_to(self, balance: Money) -> Option<Money> {
        match self {
            Self::In(amount) => balance.plus(amount),
            Self::Out(amount) => balance.minus(amount),
        }
    }
}

/// An account as its events leave it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) is_open: bool,
    pub(crate) balance: Money,
    pub(crate) movements: u64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event.movement() {
            None => self.is_open = true,
            Some(movement) => {
                self.balance = movement
                    .apply_to(self.balance)
                    .expect("no rule lets an event through that takes the balance out of an i64");
                self.movements += 1;
            }
        }
    }
}

/// A rule said no. Nothing is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    AlreadyOpen,
    NotOpen,
    NotPositive(Money),
    Negative(Money),
    TooLittle { balance: Money, wanted: Money },
    TooMuch { balance: Money, added: Money },
}

/// The one event that follows from a command, or why there is none.
pub(crate) type Decision = Result<[AccountEvent; 1], Refusal>;

/// The rules for what happens at this bank, now.
impl Account {
    pub(crate) fn open(&self, memo: &str) -> Decision {
        self.book(AccountEvent::Opened { memo: memo.to_owned() })
    }

    pub(crate) fn deposit(&self, amount: Money, memo: &str) -> Decision {
        self.book(AccountEvent::Deposited { amount, memo: memo.to_owned() })
    }

    pub(crate) fn withdraw(&self, amount: Money, memo: &str) -> Decision {
        self.book(AccountEvent::Withdrawn { amount, memo: memo.to_owned() })
    }

    /// Lets an event happen: amounts are more than zero, and nobody gives what is not there.
    pub(crate) fn book(&self, event: AccountEvent) -> Decision {
        match event.movement() {
            Some(movement) if movement.amount() <= Money::ZERO => {
                Err(Refusal::NotPositive(movement.amount()))
            }
            Some(Movement::Out(wanted)) if self.is_open && wanted > self.balance => {
                Err(Refusal::TooLittle { balance: self.balance, wanted })
            }
            _ => self.record(event),
        }
    }
}

/// The rules for what has happened already, elsewhere.
impl Account {
    /// Takes the event as a fact. A fact need not obey this bank's rules, so the balance may end below zero; but an
    /// account is opened once, before all else, no amount is negative, and the balance can be counted.
    pub(crate) fn record(&self, event: AccountEvent) -> Decision {
        match event.movement() {
            None if self.is_open => return Err(Refusal::AlreadyOpen),
            None => {}
            Some(_) if !self.is_open => return Err(Refusal::NotOpen),
            Some(movement) if movement.amount() < Money::ZERO => {
                return Err(Refusal::Negative(movement.amount()));
            }
            Some(movement) if movement.apply_to(self.balance).is_none() => {
                return Err(Refusal::TooMuch { balance: self.balance, added: movement.amount() });
            }
            Some(_) => {}
        }
        Ok([event])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyOpen => f.write_str("the account is open already"),
            Self::NotOpen => f.write_str("there is no such account"),
            Self::NotPositive(amount) => write!(f, "the amount must be more than zero, not {amount}"),
            Self::Negative(amount) => write!(f, "the amount must not be negative, as {amount} is"),
            Self::TooLittle { balance, wanted } => {
                write!(f, "{wanted} is more than the balance of {balance}")
            }
            Self::TooMuch { balance, added } => {
                write!(f, "with {added} more, the balance of {balance} would be too large to count")
            }
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use annals::testing::given;

    use super::*;

    const ALL: Money = Money::from_minor(i64::MAX);

    fn money(text: &str) -> Money {
        text.parse().expect("an amount")
    }

    fn opened() -> AccountEvent {
        AccountEvent::Opened { memo: String::new() }
    }

    fn deposited(amount: &str) -> AccountEvent {
        AccountEvent::Deposited { amount: money(amount), memo: String::new() }
    }

    fn withdrawn(amount: &str) -> AccountEvent {
        AccountEvent::Withdrawn { amount: money(amount), memo: String::new() }
    }

    fn transferred_out(amount: Money) -> AccountEvent {
        AccountEvent::TransferredOut { amount, memo: String::new(), to: Some("bob".into()) }
    }

    #[test]
    fn an_account_is_opened_once() {
        given([]).when(|account: &Account| account.open("")).then([opened()]);
        given([opened()]).when(|account: &Account| account.open("")).then_rejected(Refusal::AlreadyOpen);
    }

    #[test]
    fn nothing_moves_before_an_account_is_open() {
        let one = money("1.00");
        given([]).when(|account: &Account| account.deposit(one, "")).then_rejected(Refusal::NotOpen);
        given([]).when(|account: &Account| account.withdraw(one, "")).then_rejected(Refusal::NotOpen);
    }

    #[test]
    fn a_withdrawal_may_take_all_but_no_more() {
        let history = || [opened(), deposited("5.00"), withdrawn("2.00")];
        given(history())
            .when(|account: &Account| account.withdraw(money("3.00"), ""))
            .then([withdrawn("3.00")]);
        given(history())
            .when(|account: &Account| account.withdraw(money("3.01"), ""))
            .then_rejected(Refusal::TooLittle { balance: money("3.00"), wanted: money("3.01") });
    }

    #[test]
    fn amounts_are_more_than_zero() {
        for amount in [Money::ZERO, money("-1.00"), Money::from_minor(i64::MIN)] {
            let no = Refusal::NotPositive(amount);
            given([opened()]).when(|account: &Account| account.deposit(amount, "")).then_rejected(no);
            given([opened()]).when(|account: &Account| account.withdraw(amount, "")).then_rejected(no);
            given([opened()])
                .when(|account: &Account| account.book(transferred_out(amount)))
                .then_rejected(no);
        }
    }

    #[test]
    fn a_balance_that_could_not_be_counted_is_refused() {
        let full = || [opened(), AccountEvent::Deposited { amount: ALL, memo: String::new() }];
        given(full())
            .when(|account: &Account| account.deposit(money("0.01"), ""))
            .then_rejected(Refusal::TooMuch { balance: ALL, added: money("0.01") });
    }

    #[test]
    fn recorded_history_may_go_below_zero_but_not_before_the_opening() {
        given([opened()])
            .when(|account: &Account| account.record(withdrawn("7.00")))
            .then([withdrawn("7.00")]);
        given([]).when(|account: &Account| account.record(deposited("7.00"))).then_rejected(Refusal::NotOpen);
        given([opened()])
            .when(|account: &Account| account.record(deposited("-7.00")))
            .then_rejected(Refusal::Negative(money("-7.00")));
    }

    #[test]
    fn the_balance_is_what_came_in_less_what_went_out() {
        let mut account = Account::default();
        for event in [opened(), deposited("5.00"), withdrawn("2.00"), transferred_out(money("1.00"))] {
            account.apply(&event);
        }
        assert_eq!(account, Account { is_open: true, balance: money("2.00"), movements: 3 });
    }
}
