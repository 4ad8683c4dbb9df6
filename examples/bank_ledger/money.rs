//! `Money`: an amount in minor units, cents for instance. Whole numbers only, and no arithmetic that could be wrong in
//! silence: what does not fit in an `i64` is `None`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in minor units. Written with two decimals: `-12.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Money(i64);

impl Money {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    pub(crate) const fn minor(self) -> i64 {
        self.0
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of many amounts.
    pub(crate) fn total(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", minor / 100, minor % 100))
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotMoney {
    NoAmount(String),
    /// A number, but not with two digits after its point.
    Decimals(String),
    TooLarge(String),
}

impl fmt::Display for NotMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAmount(text) => write!(f, "{text:?} is not an amount such as 12.50 or 12"),
            Self::Decimals(text) => {
                write!(f, "{text:?} is not an amount such as 12.50 or 12: two digits after the point")
            }
            Self::TooLarge(text) => write!(f, "{text:?} is too large"),
        }
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    /// Reads `12.50`, `12` and `-12.50`. One decimal, or three, is more likely a slip than an amount, and is refused.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (major, minor) = digits.split_once('.').unwrap_or((digits, "00"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(major) || !(minor.is_empty() || all_digits(minor)) {
            return Err(NotMoney::NoAmount(text.to_owned()));
        }
        if minor.len() != 2 {
            return Err(NotMoney::Decimals(text.to_owned()));
        }
        // The sign goes on before the sum is checked: the lowest amount has no positive counterpart.
        let parts = major.parse::<i64>().ok().zip(minor.parse::<i64>().ok());
        parts
            .and_then(|(major, minor)| (sign * major).checked_mul(100)?.checked_add(sign * minor))
            .map(Self)
            .ok_or_else(|| NotMoney::TooLarge(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_with_two_decimals() {
        for (text, minor) in [
            ("0.00", 0),
            ("0.07", 7),
            ("-0.07", -7),
            ("12.50", 1_250),
            ("-12.50", -1_250),
            ("92233720368547758.07", i64::MAX),
            ("-92233720368547758.08", i64::MIN),
        ] {
            assert_eq!(text.parse(), Ok(Money(minor)), "{text}");
            assert_eq!(Money(minor).to_string(), text);
        }
        assert_eq!("12".parse(), Ok(Money(1_200)));
        assert_eq!("007.00".parse(), Ok(Money(700)));
    }

    #[test]
    fn what_may_be_a_slip_is_refused() {
        let slips =
            ["", "-", ".", ".50", "1,250.00", "12,50", "+12", "--1", "1e3", " 1", "1 ", "1.-5", "٣.٠٠"];
        for text in slips {
            assert_eq!(text.parse::<Money>(), Err(NotMoney::NoAmount(text.to_owned())), "{text:?}");
        }
        for text in ["12.", "12.5", "-12.5", "12.500"] {
            assert_eq!(text.parse::<Money>(), Err(NotMoney::Decimals(text.to_owned())), "{text:?}");
        }
        for text in ["92233720368547758.08", "-92233720368547758.09", "99999999999999999999"] {
            assert_eq!(text.parse::<Money>(), Err(NotMoney::TooLarge(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_none() {
        assert_eq!(Money(i64::MAX).plus(Money(1)), None);
        assert_eq!(Money(i64::MIN).minus(Money(1)), None);
        assert_eq!(Money::total([Money(5), Money(-7)]), Some(Money(-2)));
        assert_eq!(Money::total([Money(i64::MAX), Money(1), Money(-1)]), None);
    }

    #[test]
    fn amounts_line_up_in_columns() {
        assert_eq!(format!("[{:>8}]", Money(1_250)), "[   12.50]");
    }
}
