//! `SubjectPattern`: matches dot-separated stream names, `*` for one token and a final `>` for the rest.

use std::fmt;
use std::str::FromStr;

use super::limits::{STREAM_NAME_BYTES_MAX, SUBJECT_TOKENS_MAX};

/// A pattern over dot-separated names: `orders.*.placed`, `orders.>`.
///
/// `*` stands for exactly one token, `>` as the last token for one or more. A token is the text between dots and may
/// be empty in a name (`a..b` has three), never in a pattern.
///
/// ```
/// use annals::SubjectPattern;
/// let pattern: SubjectPattern = "orders.*.placed".parse()?;
/// assert!(pattern.matches("orders.eu.placed"));
/// assert!(!pattern.matches("orders.eu.north.placed"));
/// # Ok::<(), annals::SubjectPatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubjectPattern(String);

/// Why a text is not a subject pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectPatternError {
    /// A token, or the whole pattern, is empty.
    #[error("subject pattern has an empty token")]
    EmptyToken,
    /// `>` stands before the end.
    #[error("subject pattern has `>` before its last token")]
    RestNotLast,
    /// More than 64 tokens, or more bytes than a stream name may have.
    #[error("subject pattern is longer than a stream name may be, or has more than 64 tokens")]
    TooLong,
}

impl SubjectPattern {
    /// Whether the pattern covers the whole of `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut tokens = name.split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (_, None) => return false,
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// What every name that the pattern covers starts with.
    pub(crate) fn literal_start(&self) -> &str {
        let mut end = 0;
        for token in self.0.split('.') {
            if token == "*" || token == ">" {
                return self.0.get(..end).unwrap_or_default();
            }
            end += token.len() + 1;
        }
        &self.0
    }
}

impl FromStr for SubjectPattern {
    type Err = SubjectPatternError;

    fn from_str(text: &str) -> Result<Self, SubjectPatternError> {
        if text.len() > STREAM_NAME_BYTES_MAX || text.split('.').count() > SUBJECT_TOKENS_MAX {
            return Err(SubjectPatternError::TooLong);
        }
        let mut tokens = text.split('.').peekable();
        while let Some(token) = tokens.next() {
            if token.is_empty() {
                return Err(SubjectPatternError::EmptyToken);
            }
            if token == ">" && tokens.peek().is_some() {
                return Err(SubjectPatternError::RestNotLast);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<SubjectPattern>().expect("pattern").matches(name)
    }

    #[test]
    fn star_is_one_token_and_rest_is_one_or_more() {
        assert!(matches("a.*.c", "a.b.c"));
        assert!(matches("a.*.c", "a..c"));
        assert!(!matches("a.*.c", "a.c"));
        assert!(!matches("a.*", "a.b.c"));
        assert!(matches("a.>", "a.b"));
        assert!(matches("a.>", "a.b.c"));
        assert!(!matches("a.>", "a"));
        assert!(matches(">", "anything"));
        assert!(matches("*", "one"));
        assert!(!matches("*", "one.two"));
    }

    #[test]
    fn bad_patterns_are_refused_with_their_reason() {
        let parse = str::parse::<SubjectPattern>;
        assert_eq!(parse(""), Err(SubjectPatternError::EmptyToken));
        assert_eq!(parse("a..b"), Err(SubjectPatternError::EmptyToken));
        assert_eq!(parse("a.>.b"), Err(SubjectPatternError::RestNotLast));
        assert!(parse(&vec!["a"; SUBJECT_TOKENS_MAX].join(".")).is_ok());
        assert_eq!(parse(&vec!["a"; SUBJECT_TOKENS_MAX + 1].join(".")), Err(SubjectPatternError::TooLong));
        assert!(parse(&"a".repeat(STREAM_NAME_BYTES_MAX)).is_ok());
        assert_eq!(parse(&"a".repeat(STREAM_NAME_BYTES_MAX + 1)), Err(SubjectPatternError::TooLong));
    }
}
