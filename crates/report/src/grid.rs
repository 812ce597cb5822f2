//! Cells that line up.

use crate::Style;
use crate::style::Ink;
use crate::width::columns;

/// Instead of a column's title: that of the next column is its title too.
pub(crate) const NEXT: &str = "→";

/// Cells that line up: the first column to the left, all others to the right, two blanks between.
pub(crate) struct Grid {
    /// Of the first rows, so many hold the titles of the columns.
    titles: usize,
    rows: Vec<Vec<Cell>>,
}

/// One cell and how it stands out.
pub(crate) struct Cell {
    text: String,
    /// What a page has room for and a terminal has not.
    note: String,
    ink: Ink,
    is_next: bool,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::inked(text, Ink::Plain)
    }

    pub(crate) fn inked(text: impl Into<String>, ink: Ink) -> Self {
        Self {
            text: text.into(),
            note: String::new(),
            ink,
            is_next: false,
        }
    }

    /// The same with a note.
    pub(crate) fn noted(self, note: String) -> Self {
        Self { note, ..self }
    }

    /// Whether it stands under the title of the next column.
    pub(crate) fn belongs_to_next(&self) -> bool {
        self.is_next
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn note(&self) -> &str {
        &self.note
    }

    pub(crate) const fn ink(&self) -> Ink {
        self.ink
    }
}

impl Grid {
    /// A grid under rows of dim column titles.
    pub(crate) fn titled<const N: usize, const M: usize>(titles: [[&str; M]; N]) -> Self {
        let title = |title: &str| Cell {
            is_next: title == NEXT,
            ..Cell::inked(if title == NEXT { "" } else { title }, Ink::Dim)
        };
        let rows = titles.map(|row| row.map(title).into());
        Self {
            titles: N,
            rows: rows.into(),
        }
    }

    /// The same with one row of titles, as many as there are.
    pub(crate) fn headed(titles: impl Iterator<Item = String>) -> Self {
        let titles = titles.map(|title| Cell::inked(title, Ink::Dim));
        Self {
            titles: 1,
            rows: vec![titles.collect()],
        }
    }

    /// The rows of titles, and the others.
    pub(crate) fn parts(&self) -> (&[Vec<Cell>], &[Vec<Cell>]) {
        self.rows.split_at(self.titles)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// One line per row, indented by two blanks, without blanks at the end.
    pub(crate) fn lines(&self, style: Style) -> impl Iterator<Item = String> {
        let widths = self.widths();
        self.rows.iter().map(move |row| {
            let mut line = String::new();
            let mut blanks = 2;
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = width - columns(&cell.text);
                if index > 0 {
                    blanks += padding;
                }
                if !cell.text.is_empty() {
                    line.push_str(&" ".repeat(blanks));
                    line.push_str(&style.paint(cell.ink, &cell.text));
                    blanks = 0;
                }
                blanks += if index == 0 { padding + 2 } else { 2 };
            }
            line
        })
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.rows.iter().map(Vec::len).max().unwrap_or(0)];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(&cell.text));
            }
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Grid};
    use crate::Style;
    use crate::style::Ink;

    #[test]
    fn colour_does_not_move_a_column() {
        let mut grid = Grid::titled([["key", "value"]]);
        grid.push(vec![Cell::new("a"), Cell::inked("1.5", Ink::Dim)]);
        let plain: Vec<_> = grid.lines(Style { color: false }).collect();
        assert_eq!(plain, ["  key  value", "  a      1.5"]);
        let colored: Vec<_> = grid.lines(Style { color: true }).collect();
        assert_eq!(colored[1], "  a      \u{1b}[2m1.5\u{1b}[0m");
    }
}
