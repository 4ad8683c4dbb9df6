//! Tables for people. What is printed for programs is JSON.

use comfy_table::{Cell, CellAlignment, Row, Table, presets};

/// The rows as a table without lines, so that it can be cut apart with the usual tools.
pub(crate) fn table(rows: impl IntoIterator<Item = impl Into<Row>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).add_rows(rows);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table.trim_fmt()
}

/// What stands above a column of numbers.
pub(crate) fn above_numbers(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A name as a terminal may see it: what would move its cursor is escaped.
pub(crate) fn name(text: &str) -> Cell {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cell::new(shown)
}

/// A number, to the right.
pub(crate) fn number(number: u64) -> Cell {
    Cell::new(number).set_alignment(CellAlignment::Right)
}
