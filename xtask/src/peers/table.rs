//! What was reported beside the server's own truth, as a Markdown table.

use super::measured::Measured;
use std::fmt::Write;

/// How far a number may be from the server's own: the larger of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    pub(crate) share: f64,
    pub(crate) floor: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Holds,
    Fails(String),
    /// It is there to be read.
    Shown,
}

#[derive(Debug)]
struct Row {
    what: String,
    reported: String,
    own: String,
    difference: String,
    outcome: Outcome,
}

/// The rows of one peer.
#[derive(Debug)]
pub(crate) struct Table {
    peer: &'static str,
    rows: Vec<Row>,
}

/// The head of the Markdown table.
pub(crate) const HEAD: &str =
    "| server | what | reported | its own | difference | |\n|---|---|---:|---:|---:|---|\n";

impl Table {
    pub(crate) const fn new(peer: &'static str) -> Self {
        Self {
            peer,
            rows: Vec::new(),
        }
    }

    /// How many checks did not hold.
    pub(crate) fn failures(&self) -> usize {
        let failed = |row: &&Row| matches!(row.outcome, Outcome::Fails(_));
        self.rows.iter().filter(failed).count()
    }

    /// Two numbers of one unit, that must be as close as `within` says.
    pub(crate) fn near(
        &mut self,
        what: impl Into<String>,
        (reported, own): (Option<f64>, Option<f64>),
        within: Within,
    ) {
        let limit = own.map(|own| f64::max(within.share * own.abs(), within.floor));
        let (difference, outcome) = match (reported, own, limit) {
            (Some(reported), Some(own), Some(limit)) => {
                let difference = reported - own;
                let outcome = if difference.abs() <= limit {
                    Outcome::Holds
                } else {
                    Outcome::Fails(format!("more than {} off", number(limit)))
                };
                (relative(difference, own), outcome)
            }
            (None, Some(_), _) => (String::new(), Outcome::Fails("not reported".to_owned())),
            _ => (
                String::new(),
                Outcome::Fails("the server does not say".to_owned()),
            ),
        };
        self.push(what, (shown(reported), shown(own)), difference, outcome);
    }

    /// Two numbers that are shown beside each other, and judged by nobody.
    pub(crate) fn beside(
        &mut self,
        what: impl Into<String>,
        reported: Option<f64>,
        own: Option<f64>,
    ) {
        let difference = match (reported, own) {
            (Some(reported), Some(own)) => relative(reported - own, own),
            _ => String::new(),
        };
        self.push(
            what,
            (shown(reported), shown(own)),
            difference,
            Outcome::Shown,
        );
    }

    /// Words that must hold.
    pub(crate) fn told(
        &mut self,
        what: impl Into<String>,
        (reported, own): (impl Into<String>, impl Into<String>),
        holds: Result<(), String>,
    ) {
        let outcome = holds.map_or_else(|why| Outcome::Fails(excerpt(&why)), |()| Outcome::Holds);
        let (reported, own) = (excerpt(&reported.into()), excerpt(&own.into()));
        self.push(what, (reported, own), String::new(), outcome);
    }

    /// All that were asked for must be complete.
    pub(crate) fn complete(&mut self, what: &str, measured: &Measured, asked: u64) {
        let (complete, issued) = (measured.complete(), measured.issued());
        let shown = match (complete, issued) {
            (Some(complete), Some(issued)) => format!("{complete}/{issued}"),
            _ => "nothing".to_owned(),
        };
        let holds = if complete == Some(asked) && issued == Some(asked) {
            Ok(())
        } else {
            Err(measured.why())
        };
        self.told(
            format!("{what}: complete"),
            (shown, format!("{asked}/{asked}")),
            holds,
        );
    }

    /// The verdict, which must have none of these reasons.
    pub(crate) fn verdict_without(&mut self, what: &str, measured: &Measured, codes: &[&str]) {
        let found: Vec<&str> = codes
            .iter()
            .copied()
            .filter(|code| measured.has(code))
            .collect();
        let holds = if measured.grade().is_none() {
            Err(measured.why())
        } else if found.is_empty() {
            Ok(())
        } else {
            Err(format!("it says {}", found.join(", ")))
        };
        let wanted = format!("no {}", codes.join(", "));
        self.told(
            format!("{what}: verdict"),
            (measured.verdict(), wanted),
            holds,
        );
    }

    /// The verdict, which must have one of these reasons.
    pub(crate) fn verdict_with(&mut self, what: &str, measured: &Measured, codes: &[&str]) {
        let told = codes.iter().find_map(|code| measured.reason(code));
        let holds = match told {
            Some(_) => Ok(()),
            None => Err("no such reason".to_owned()),
        };
        let shown = told.map_or_else(|| measured.verdict(), str::to_owned);
        let wanted = codes.join(" or ");
        self.told(format!("{what}: reason"), (shown, wanted), holds);
    }

    /// The verdict, which must be valid.
    pub(crate) fn verdict_valid(&mut self, what: &str, measured: &Measured) {
        let holds = match measured.grade() {
            Some("valid") => Ok(()),
            Some(_) => Err(measured.why()),
            None => Err("no result".to_owned()),
        };
        self.told(
            format!("{what}: verdict"),
            (measured.verdict(), "valid"),
            holds,
        );
    }

    /// A part that could not be measured.
    pub(crate) fn not_run(&mut self, error: &anyhow::Error) {
        let words = format!("{error:#}");
        let first = words.lines().next().unwrap_or_default().to_owned();
        self.push(
            "not run",
            (String::new(), String::new()),
            String::new(),
            Outcome::Fails(first),
        );
    }

    fn push(
        &mut self,
        what: impl Into<String>,
        (reported, own): (String, String),
        difference: String,
        outcome: Outcome,
    ) {
        let row = Row {
            what: what.into(),
            reported,
            own,
            difference,
            outcome,
        };
        eprintln!("{}", markdown(self.peer, &row).trim_end());
        self.rows.push(row);
    }

    pub(crate) fn markdown(&self) -> String {
        self.rows
            .iter()
            .map(|row| markdown(self.peer, row))
            .collect()
    }
}

fn markdown(peer: &str, row: &Row) -> String {
    let outcome = match &row.outcome {
        Outcome::Holds => "holds",
        Outcome::Fails(why) => &format!("**fails**: {why}"),
        Outcome::Shown => "",
    };
    let cells = [
        peer,
        &row.what,
        &row.reported,
        &row.own,
        &row.difference,
        outcome,
    ];
    let mut line = String::new();
    for cell in cells {
        let _infallible = write!(line, "| {} ", cell.replace('|', "\\|").replace('\n', " "));
    }
    line + "|\n"
}

/// A sentence of a reason may be long; the result file has the whole of it.
fn excerpt(text: &str) -> String {
    const CHARS: usize = 160;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "absent".to_owned(), number)
}

/// Three digits that count, and whole numbers whole.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn relative(difference: f64, own: f64) -> String {
    let sign = if difference < 0.0 { "−" } else { "+" };
    let by = number(difference.abs());
    if own == 0.0 {
        return format!("{sign}{by}");
    }
    format!(
        "{sign}{by} ({sign}{:.1} %)",
        100.0 * (difference / own).abs()
    )
}

#[cfg(test)]
mod tests {
    use super::{Table, Within};

    const WITHIN: Within = Within {
        share: 0.05,
        floor: 0.5,
    };

    #[test]
    fn a_number_holds_within_the_larger_of_share_and_floor() {
        let mut table = Table::new("x");
        table.near("a", (Some(52.5), Some(50.0)), WITHIN);
        table.near("b", (Some(1.5), Some(1.0)), WITHIN);
        assert_eq!(table.failures(), 0);
        table.near("c", (Some(52.6), Some(50.0)), WITHIN);
        table.near("d", (None, Some(50.0)), WITHIN);
        table.near("e", (Some(50.0), None), WITHIN);
        assert_eq!(table.failures(), 3);
        assert!(
            table
                .markdown()
                .contains("| x | c | 52.6 | 50 | +2.60 (+5.2 %) | **fails**: more than 2.50 off |"),
            "{}",
            table.markdown()
        );
    }

    #[test]
    fn what_did_not_run_is_a_failure_in_one_line() {
        let mut table = Table::new("x");
        table.not_run(&anyhow::anyhow!("no network\nsecond line"));
        assert_eq!(table.failures(), 1);
        assert_eq!(
            table.markdown(),
            "| x | not run |  |  |  | **fails**: no network |\n"
        );
    }
}
