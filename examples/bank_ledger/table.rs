//! `Table`: rows of text in columns that are as wide as their widest cell.

use std::io::{self, Write};

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Rows of text in columns.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    sides: [Side; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(head: [(&str, Side); COLUMNS]) -> Self {
        Self { sides: head.map(|(_, side)| side), rows: vec![head.map(|(title, _)| title.to_owned())] }
    }

    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), side) in row.iter().zip(widths).zip(self.sides) {
                match side {
                    Side::Left => line += &format!("{cell:<width$}  "),
                    Side::Right => line += &format!("{cell:>width$}  "),
                }
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() -> io::Result<()> {
        let mut table = Table::new([("name", Side::Left), ("balance", Side::Right)]);
        table.row(["ada".into(), "1.00".into()]);
        table.row(["Grâce".into(), "12345.00".into()]);
        let mut out = Vec::new();
        table.write(&mut out)?;
        let text = String::from_utf8(out).expect("it is text");
        assert_eq!(text, "name    balance\nada        1.00\nGrâce  12345.00\n");
        Ok(())
    }
}
