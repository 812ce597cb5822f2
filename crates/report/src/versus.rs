//! Servers that answered the same requests, each compared with the first one.

use crate::comparison::{
    comparison_markdown, comparison_text, csv_rows, metric_ink, titled, value,
};
use crate::grid::{Cell, Grid};
use crate::style::{Ink, Style};
use crate::{csv, escape};
use serde_json::{Value, json};
use stats::{ComparedMetric, ComparedPoint, Comparison};
use std::fmt::Write;
use std::iter::once;

/// What comparisons do not see of servers that were not measured by turns.
const APART: &str =
    "Measured one after the other: what changed on the machine in between is in the changes.";

/// How several servers did on one workload.
#[derive(Clone, Debug)]
pub struct Versus<'a> {
    /// The server that the others are compared with.
    pub base: &'a str,
    /// The others, each with what became of it.
    pub others: &'a [(String, Comparison)],
    /// Whether they answered block after block by turns, or one server all blocks after the other.
    pub by_turns: bool,
}

impl Versus<'_> {
    /// All of them in a table, where there are several, and each comparison; ends with a line break.
    pub fn text(&self, style: Style) -> String {
        let mut out = match self.others {
            [(_, only)] => comparison_text(only, style),
            _ => self.several(style),
        };
        if !self.by_turns {
            let _ = writeln!(out, "    {APART}");
        }
        out
    }

    fn several(&self, style: Style) -> String {
        let mut out = format!("\n  base  {}\n", escape::terminal(self.base));
        for (number, (name, _)) in (1..).zip(self.others) {
            let _ = writeln!(out, "  {number:<4}  {}", escape::terminal(name));
        }
        let points = self.others.first().map(|(_, first)| &first.points);
        for point in points.into_iter().flatten() {
            let name = escape::terminal(&point.point);
            let _ = write!(out, "\n  {}\n\n", style.paint(Ink::Bold, &name));
            for line in self.overview(point).lines(style) {
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
        for (number, (_, comparison)) in (1..).zip(self.others) {
            let title = format!("{number} compared with base");
            let _ = write!(out, "\n  {}\n", style.paint(Ink::Bold, &title));
            out.push_str(&comparison_text(comparison, style));
        }
        out
    }

    /// What decides, a row for each server that measured the point.
    fn overview(&self, point: &ComparedPoint) -> Grid {
        let decide = || {
            let all = point.metrics.iter();
            all.filter(|compared| compared.judgement.is_some())
        };
        let titles = decide().map(|compared| titled(compared.metric));
        let mut grid = Grid::headed(once(String::new()).chain(titles));
        let base = decide().map(|compared| Cell::new(value(compared.metric, compared.base)));
        grid.push(once(Cell::new("base")).chain(base).collect());
        for (number, (_, comparison)) in (1..).zip(self.others) {
            let mut points = comparison.points.iter();
            let Some(same) = points.find(|other| other.point == point.point) else {
                continue;
            };
            let cell = |compared: &ComparedMetric| {
                let of_metric = |other: &&ComparedMetric| other.metric == compared.metric;
                let other = same.metrics.iter().find(of_metric);
                other.map_or_else(
                    || Cell::new(""),
                    |other| {
                        let ink = metric_ink(other.judgement);
                        Cell::inked(value(other.metric, other.new), ink)
                    },
                )
            };
            let first = Cell::new(number.to_string());
            grid.push(once(first).chain(decide().map(cell)).collect());
        }
        grid
    }

    /// As a file: of one other server the comparison itself, of several each with its name.
    pub fn json(&self) -> String {
        let order = if self.by_turns {
            "by_turns"
        } else {
            "one_after_the_other"
        };
        let named = |(name, comparison): &(String, Comparison)| {
            let mut fields = json!(comparison);
            fields["new"] = Value::from(name.as_str());
            fields
        };
        let mut all = match self.others {
            [only] => named(only),
            several => json!({ "comparisons": several.iter().map(named).collect::<Vec<_>>() }),
        };
        all["base"] = Value::from(self.base);
        all["order"] = Value::from(order);
        escape::json(&all)
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        if !self.by_turns {
            let _ = write!(out, "{APART}\n\n");
        }
        for (number, (name, comparison)) in self.others.iter().enumerate() {
            if number > 0 {
                out.push('\n');
            }
            if self.others.len() > 1 {
                let (name, base) = (escape::markdown(name), escape::markdown(self.base));
                let _ = write!(out, "### {name}, compared with {base}\n\n");
            }
            out.push_str(&comparison_markdown(comparison));
        }
        out
    }

    /// A row per metric of each point; of several servers, with the server in front.
    pub fn csv(&self) -> String {
        let several = self.others.len() > 1;
        let rows = self.others.iter().flat_map(|(name, comparison)| {
            let server = several.then(|| ("new_server".to_owned(), name.clone()));
            let rows = csv_rows(comparison).into_iter();
            rows.map(move |row| server.clone().into_iter().chain(row).collect::<Vec<_>>())
        });
        csv::written(&rows.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::{APART, Versus};
    use stats::{Comparison, Judgement};

    #[test]
    fn servers_that_were_not_measured_by_turns_are_said_to_be_so_wherever_a_person_reads_it() {
        let nothing = Comparison {
            judgement: Judgement::CannotTell,
            min_effect: 0.05,
            intervals: 0,
            requests_needed: None,
            points: Vec::new(),
        };
        let all = ["b", "c"].map(|name| (name.to_owned(), nothing.clone()));
        for others in [&all[..1], &all] {
            for by_turns in [true, false] {
                let versus = Versus {
                    base: "a",
                    others,
                    by_turns,
                };
                let text = versus.text(crate::Style { color: false });
                for shown in [text, versus.markdown()] {
                    assert_eq!(shown.contains(APART), !by_turns, "{shown}");
                }
            }
        }
        let markdown = Versus {
            base: "a",
            others: &all,
            by_turns: true,
        }
        .markdown();
        assert_eq!(markdown.matches("\n\n### ").count(), 1, "{markdown}");
    }
}
