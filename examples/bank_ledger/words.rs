//! Events as people read them.

use super::account::{AccountEvent, Movement};

/// What happened, in a word or three.
pub(crate) fn what(event: &AccountEvent) -> String {
    let kind = match event {
        AccountEvent::Opened { .. } => "opened",
        AccountEvent::Deposited { .. } => "deposit",
        AccountEvent::Withdrawn { .. } => "withdrawal",
        AccountEvent::InterestPaid { .. } => "interest",
        AccountEvent::FeeCharged { .. } => "fee",
        AccountEvent::TransferredIn { from: None, .. } => "transfer in",
        AccountEvent::TransferredOut { to: None, .. } => "transfer out",
        AccountEvent::TransferredIn { from: Some(from), .. } => return format!("from {from}"),
        AccountEvent::TransferredOut { to: Some(to), .. } => return format!("to {to}"),
    };
    kind.to_owned()
}

/// What was booked, after "used for": `a deposit of 7.00`.
pub(crate) fn booked(event: &AccountEvent) -> String {
    match event {
        AccountEvent::Opened { .. } => "the opening of the account".to_owned(),
        AccountEvent::Deposited { amount, .. } => format!("a deposit of {amount}"),
        AccountEvent::Withdrawn { amount, .. } => format!("a withdrawal of {amount}"),
        AccountEvent::InterestPaid { amount, .. } => format!("interest of {amount}"),
        AccountEvent::FeeCharged { amount, .. } => format!("a fee of {amount}"),
        AccountEvent::TransferredIn { amount, .. } | AccountEvent::TransferredOut { amount, .. } => {
            format!("a transfer of {amount} {}", what(event))
        }
    }
}

/// The amount with the sign of its way: `+12.50`, `-12.50`; nothing for an event that moves no money.
pub(crate) fn signed(event: &AccountEvent) -> String {
    match event.movement() {
        None => String::new(),
        Some(Movement::In(amount)) => format!("+{amount}"),
        Some(Movement::Out(amount)) => format!("-{amount}"),
    }
}

/// A text on one line, whatever it holds: memos are any text, and a terminal obeys control characters.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
