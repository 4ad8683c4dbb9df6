//! The table.

use std::fmt::Write as _;

use crate::figures::{Cell, Row, Unit};
use crate::kind::Kind;

/// Says on the way what was measured, for whoever waits.
pub(crate) fn told(row: &Row) {
    let cells = row.cells.iter().map(|cell| format!("{} {}", cell.kind.name(), told_cell(row, cell)));
    eprintln!("{}: {}: {}", row.set, row.name, cells.collect::<Vec<_>>().join(", "));
}

/// A table in Markdown: a row for each piece of work, a column for each engine, and the two ratios.
pub(crate) fn table(rows: &[Row], engines: &[Kind]) -> String {
    let names = engines.iter().map(|kind| kind.name().to_owned());
    let mut head = vec!["set".to_owned(), "work".to_owned()];
    head.extend(names);
    head.extend(["floor / annals".to_owned(), "best peer / annals".to_owned()]);
    let lines = rows.iter().map(|row| {
        let mut line = vec![row.set.to_owned(), row.name.clone()];
        line.extend(
            engines.iter().map(|kind| row.cell(*kind).map_or_else(String::new, |cell| told_cell(row, cell))),
        );
        line.push(row.ratio(Kind::Floor).map_or_else(|| "-".to_owned(), told_ratio));
        line.push(best_peer(row).unwrap_or_else(|| "-".to_owned()));
        line
    });
    let mut lines: Vec<Vec<String>> = std::iter::once(head).chain(lines).collect();
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len))
        .map(|at| lines.iter().filter_map(|line| Some(line.get(at)?.chars().count())).max().unwrap_or(0))
        .collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let mut out = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(out, "| {cell:<width$} ");
        }
        out.push_str("|\n");
    }
    out
}

fn best_peer(row: &Row) -> Option<String> {
    let best = row.best_peer()?;
    Some(format!("{} ({})", told_ratio(row.ratio(best)?), best.name()))
}

/// Two digits behind the point, and two that count where those would be zeros.
fn told_ratio(ratio: f64) -> String {
    match ratio {
        0.1.. => format!("{ratio:.2}"),
        0.001.. => format!("{ratio:.4}"),
        _ => format!("{ratio:.1e}"),
    }
}

/// The median, and behind the stroke what one in a hundred is above.
fn told_cell(row: &Row, cell: &Cell) -> String {
    let median = in_unit(cell.median(), row.unit);
    match cell.p99() {
        Some(p99) => format!("{median} / {}", in_unit(p99, row.unit)),
        None => median,
    }
}

/// A number with its unit, with three digits.
fn in_unit(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let scales: &[(f64, &str)] = match unit {
        Unit::Nanoseconds => &[(1e9, " s"), (1e6, " ms"), (1e3, " µs"), (1.0, " ns")],
        Unit::Bytes => &[(1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")],
        Unit::Count => &[(1.0, "")],
        Unit::Times => &[(1.0, " ×")],
    };
    let scale = scales.iter().find(|(scale, _)| value >= *scale).or_else(|| scales.last());
    let (scale, name) = scale.copied().unwrap_or((1.0, ""));
    let scaled = value / scale;
    let digits = match scaled {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{name}")
}

#[cfg(test)]
mod tests {
    use super::{in_unit, table};
    use crate::figures::{Cell, Row, Unit};
    use crate::kind::Kind;

    #[test]
    fn every_figure_has_its_unit() {
        assert_eq!(in_unit(1_234_567.0, Unit::Nanoseconds), "1.23 ms");
        assert_eq!(in_unit(12.0, Unit::Nanoseconds), "12.0 ns");
        assert_eq!(in_unit(285_000_000.0, Unit::Bytes), "285 MB");
        assert_eq!(in_unit(f64::NAN, Unit::Bytes), "-");
    }

    #[test]
    fn the_table_has_a_column_for_each_engine() {
        let mut cell = Cell::new(Kind::Annals);
        cell.add_samples(&[1000.0, 2000.0, 3000.0].repeat(20));
        let row = Row { set: "small", name: "work".to_owned(), unit: Unit::Nanoseconds, cells: vec![cell] };
        let table = table(&[row], &[Kind::Floor, Kind::Annals]);
        assert!(table.contains("| floor | annals "), "{table}");
        assert!(table.contains("2.00 µs / 3.00 µs"), "{table}");
    }
}
