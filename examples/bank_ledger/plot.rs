//! `plot`: balances as a stepped line in text, with amounts at its side. Pure: numbers in, lines out.

use super::money::Money;

/// How many columns the line may take.
const COLUMNS: usize = 72;
/// How wide one balance is drawn at most, when there are few.
const COLUMNS_A_BALANCE: usize = 8;
/// Rows from one amount at the side to the next.
const ROWS_A_STEP: i128 = 3;
/// About how many amounts stand at the side.
const STEPS: i128 = 4;

/// What one column shows: where the balance stood at its end, and how far it went within.
#[derive(Debug, Clone, Copy)]
struct Column {
    lowest: i128,
    highest: i128,
    last: i128,
}

/// The balances, oldest at the left, above an axis with a text at either end. Empty when there is none.
pub(crate) fn plot(balances: &[Money], (oldest, newest): (&str, &str)) -> Vec<String> {
    let columns = columns(balances);
    let Some(scale) = Scale::of(&columns) else {
        return Vec::new();
    };
    let grid = draw(&columns, &scale);
    let label = |row: usize| scale.label(row).unwrap_or_default();
    let wide = (0..grid.len()).map(|row| label(row).len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (row, cells) in grid.iter().enumerate().rev() {
        let label = label(row);
        let tick = if label.is_empty() { '│' } else { '┤' };
        let cells: String = cells.iter().collect();
        lines.push(format!("{label:>wide$} {tick}{}", cells.trim_end()));
    }
    let axis = columns.len().max(oldest.chars().count() + newest.chars().count() + 2);
    let gap = axis - oldest.chars().count();
    lines.push(format!("{:wide$} └{}", "", "─".repeat(axis)));
    lines.push(format!("{:wide$}  {oldest}{newest:>gap$}", ""));
    lines
}

/// One balance over several columns when there are few, several balances in one column when there are many.
fn columns(balances: &[Money]) -> Vec<Column> {
    let minor = |balance: &Money| i128::from(balance.minor());
    if balances.len() <= COLUMNS {
        let wide = (COLUMNS / balances.len().max(1)).clamp(1, COLUMNS_A_BALANCE);
        let one = |balance: i128| Column { lowest: balance, highest: balance, last: balance };
        return balances.iter().flat_map(|balance| std::iter::repeat_n(one(minor(balance)), wide)).collect();
    }
    let bound = |column: usize| column * balances.len() / COLUMNS;
    let parts = (0..COLUMNS).filter_map(|column| balances.get(bound(column)..bound(column + 1)));
    let parts = parts.filter_map(|part| {
        Some(Column {
            lowest: part.iter().map(minor).min()?,
            highest: part.iter().map(minor).max()?,
            last: minor(part.last()?),
        })
    });
    parts.collect()
}

/// Which amounts the rows stand for: from zero or below to zero or above, in steps of a round amount.
struct Scale {
    low: i128,
    step: i128,
    rows: usize,
}

impl Scale {
    fn of(columns: &[Column]) -> Option<Self> {
        let lowest = columns.iter().map(|column| column.lowest).min()?.min(0);
        let highest = columns.iter().map(|column| column.highest).max()?.max(0);
        let step = round_step((highest - lowest).max(1));
        let low = lowest.div_euclid(step) * step;
        let steps = (highest - low + step - 1).div_euclid(step).max(1);
        Some(Self { low, step, rows: usize::try_from(steps * ROWS_A_STEP + 1).unwrap_or(1) })
    }

    /// The row of an amount, counted from the lowest. What is below zero, be it by a cent, is drawn below its row.
    fn row(&self, minor: i128) -> usize {
        let nearest = |minor: i128| {
            let row = ((minor - self.low) * ROWS_A_STEP + self.step / 2).div_euclid(self.step);
            usize::try_from(row).unwrap_or(0).min(self.rows - 1)
        };
        if minor < 0 { nearest(minor).min(nearest(0).saturating_sub(1)) } else { nearest(minor) }
    }

    /// The amount of a row that has one at its side.
    fn label(&self, row: usize) -> Option<String> {
        let row = i128::try_from(row).ok().filter(|row| row % ROWS_A_STEP == 0)?;
        let minor = self.low + row / ROWS_A_STEP * self.step;
        // The ends of the scale may lie beyond the amounts that can be counted.
        i64::try_from(minor).ok().map(|minor| Money::from_minor(minor).to_string())
    }
}

/// 1, 2 or 5 times a power of ten, so that about [`STEPS`] of them cover the span.
fn round_step(span: i128) -> i128 {
    let wanted = (span + STEPS - 1) / STEPS;
    let mut power = 1;
    loop {
        for round in [power, 2 * power, 5 * power] {
            if round >= wanted {
                return round;
            }
        }
        power *= 10;
    }
}

/// The line as characters, lowest row first.
fn draw(columns: &[Column], scale: &Scale) -> Vec<Vec<char>> {
    let mut grid = vec![vec![' '; columns.len()]; scale.rows];
    let zero = scale.row(0);
    if zero > 0 {
        grid[zero].fill('┄');
    }
    let mut before: Option<usize> = None;
    for (at, column) in columns.iter().enumerate() {
        let end = scale.row(column.last);
        let start = before.unwrap_or(end);
        // How far it went within the column is told from a second row on: one row is no more than rounding.
        let (bottom, top) = (start.min(end), start.max(end));
        let low = Some(scale.row(column.lowest)).filter(|row| row + 1 < bottom).unwrap_or(bottom);
        let high = Some(scale.row(column.highest)).filter(|&row| row > top + 1).unwrap_or(top);
        for row in grid.iter_mut().take(high + 1).skip(low) {
            row[at] = '│';
        }
        match start.cmp(&end) {
            _ if (low, high) != (bottom, top) => {}
            std::cmp::Ordering::Equal => grid[end][at] = '─',
            std::cmp::Ordering::Less => (grid[start][at], grid[end][at]) = ('╯', '╭'),
            std::cmp::Ordering::Greater => (grid[start][at], grid[end][at]) = ('╮', '╰'),
        }
        before = Some(end);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balances(majors: &[i64]) -> Vec<Money> {
        majors.iter().map(|major| Money::from_minor(major * 100)).collect()
    }

    #[test]
    fn a_line_steps_up_and_down_between_labelled_amounts() {
        let lines = plot(&balances(&[0, 20, 10]), ("May", "June"));
        let expected = "\
20.00 ┤        ╭───────╮
      │        │       │
      │        │       │
15.00 ┤        │       │
      │        │       │
      │        │       │
10.00 ┤        │       ╰───────
      │        │
      │        │
 5.00 ┤        │
      │        │
      │        │
 0.00 ┤────────╯
      └────────────────────────
       May                 June";
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn below_zero_there_is_a_line_at_zero() {
        let lines = plot(&balances(&[3, -1]), ("a", "b"));
        assert!(lines.iter().any(|line| line.starts_with(" 0.00 ┤┄┄┄")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("-1.00 ┤")), "{lines:#?}");
        let cent_below =
            Scale::of(&columns(&[Money::from_minor(10_000), Money::from_minor(-1)])).expect("a scale");
        assert_eq!(cent_below.row(-1) + 1, cent_below.row(0));
    }

    #[test]
    fn nothing_is_plotted_of_nothing_and_all_of_the_extremes() {
        assert_eq!(plot(&[], ("", "")), Vec::<String>::new());
        assert!(!plot(&[Money::ZERO], ("", "")).is_empty());
        let lines = plot(&[Money::from_minor(i64::MIN), Money::from_minor(i64::MAX)], ("", ""));
        assert!(lines.len() < 24, "{lines:#?}");
    }

    #[test]
    fn many_balances_share_columns_and_no_peak_is_lost() {
        let mut many = vec![1; 1_000];
        many[500] = 40;
        let lines = plot(&balances(&many), ("first", "last"));
        assert!(lines[0].starts_with("40.00 ┤") && lines[0].contains('│'), "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS + 10), "{lines:#?}");
    }
}
