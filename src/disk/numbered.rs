//! The names of files that are numbered: the number in eight digits or more.

const NAME_DIGITS: usize = 8;

/// The name of file `number`.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:0NAME_DIGITS$}")
}

/// The number in a file's name; `None` when it is no such name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number = name.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_go_together() {
        assert_eq!(file_name(7), "00000007");
        assert_eq!(number_of("00000007"), Some(7));
        assert_eq!(number_of(&file_name(u64::MAX)), Some(u64::MAX));
        for other in ["7", "+0000007", "0000007a", "", "000000007", "00000007.tmp"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
