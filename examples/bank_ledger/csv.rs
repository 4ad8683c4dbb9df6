//! `records`: CSV as RFC 4180 has it: fields between commas, in quotes where they hold commas, quotes or line ends.

use std::fmt;

/// One record of a CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The line it starts on, counted from 1.
    pub(crate) line: usize,
    pub(crate) fields: Vec<String>,
}

/// A text is not CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCsv {
    /// The line that the record starts on, counted from 1.
    pub(crate) line: usize,
    what: &'static str,
}

impl fmt::Display for NotCsv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

/// The records of a text, one by one, so that those before a bad one can be used. Empty lines are skipped, and a byte
/// order mark at the start, as spreadsheets write it. Ends after the first error.
pub(crate) fn records(text: &str) -> impl Iterator<Item = Result<Record, NotCsv>> + '_ {
    let mut reader = Some(Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 });
    std::iter::from_fn(move || {
        let record = reader.as_mut()?.record();
        if !matches!(record, Some(Ok(_))) {
            reader = None;
        }
        record
    })
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

/// What ends a field.
#[derive(PartialEq, Eq)]
enum End {
    Field,
    Record,
}

impl Reader<'_> {
    fn record(&mut self) -> Option<Result<Record, NotCsv>> {
        while self.take_line_end() {}
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let mut fields = Vec::new();
        loop {
            match self.field() {
                Ok((field, end)) => {
                    fields.push(field);
                    if end == End::Record {
                        return Some(Ok(Record { line, fields }));
                    }
                }
                Err(what) => return Some(Err(NotCsv { line, what })),
            }
        }
    }

    fn field(&mut self) -> Result<(String, End), &'static str> {
        let field = match self.rest.strip_prefix('"') {
            Some(rest) => {
                self.rest = rest;
                self.quoted()?
            }
            None => self.plain()?,
        };
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return Ok((field, End::Field));
        }
        if self.rest.is_empty() || self.take_line_end() {
            return Ok((field, End::Record));
        }
        Err("there is text behind a closing quote")
    }

    fn plain(&mut self) -> Result<String, &'static str> {
        let end = self.rest.find([',', '\n', '\r']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        if field.contains('"') {
            return Err("there is a quote within a field that does not start with one");
        }
        self.rest = rest;
        Ok(field.to_owned())
    }

    /// What lies before the closing quote. A doubled quote stands for one.
    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut field = String::new();
        loop {
            let (part, rest) = self.rest.split_once('"').ok_or("a quote is not closed")?;
            self.line += part.matches('\n').count();
            field.push_str(part);
            self.rest = rest;
            match rest.strip_prefix('"') {
                Some(rest) => {
                    field.push('"');
                    self.rest = rest;
                }
                None => return Ok(field),
            }
        }
    }

    fn take_line_end(&mut self) -> bool {
        let after = ["\r\n", "\n", "\r"].iter().find_map(|end| self.rest.strip_prefix(end));
        if let Some(rest) = after {
            self.rest = rest;
            self.line += 1;
        }
        after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(usize, Vec<String>)>, NotCsv> {
        records(text).map(|record| record.map(|record| (record.line, record.fields))).collect()
    }

    fn row(line: usize, fields: &[&str]) -> (usize, Vec<String>) {
        (line, fields.iter().map(|&field| field.to_owned()).collect())
    }

    #[test]
    fn fields_lie_between_commas_and_may_be_empty() {
        assert_eq!(all("a,b\n,\nc"), Ok(vec![row(1, &["a", "b"]), row(2, &["", ""]), row(3, &["c"])]));
        assert_eq!(all("a,"), Ok(vec![row(1, &["a", ""])]));
        assert_eq!(all(""), Ok(vec![]));
    }

    #[test]
    fn lines_end_as_on_any_system_and_empty_ones_are_skipped_but_counted() {
        assert_eq!(
            all("\u{feff}a\r\n\r\nb\n\nc\r"),
            Ok(vec![row(1, &["a"]), row(3, &["b"]), row(5, &["c"])])
        );
    }

    #[test]
    fn quoted_fields_hold_commas_quotes_and_line_ends() {
        let text = "1,\"rent, \"\"May\"\"\nand June\",x\n2,\"\",y\n";
        assert_eq!(
            all(text),
            Ok(vec![row(1, &["1", "rent, \"May\"\nand June", "x"]), row(3, &["2", "", "y"])])
        );
    }

    #[test]
    fn what_is_not_csv_names_its_line_after_the_records_before_it() {
        for (text, what) in [
            ("a\n\"b", "a quote is not closed"),
            ("a\n\"b\"c", "there is text behind a closing quote"),
            ("a\nb\"c\"", "there is a quote within a field that does not start with one"),
        ] {
            let mut records = records(text);
            assert_eq!(records.next().expect("a record").expect("it is sound").fields, ["a"]);
            assert_eq!(records.next(), Some(Err(NotCsv { line: 2, what })), "{text:?}");
            assert_eq!(records.next(), None, "{text:?}");
        }
    }
}
