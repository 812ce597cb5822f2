//! What the screen shows of a summary, and of each point as it finishes.

pub(crate) mod classes;
mod connections;
pub(crate) mod conversations;
pub(crate) mod detail;
pub(crate) mod facts;
mod line;
pub(crate) mod overview;
pub(crate) mod point_words;
pub(crate) mod pooled;
mod queue;

pub use self::line::point_line;

use self::point_words::{complete_of_issued, is_estimated, load};
use crate::certificate::certificate_lines;
use crate::style::{Ink, Style, grade_ink, mark, word};
use crate::width::{TEXT_COLUMNS, clip, wrap};
use crate::{assertions, escape, number};
use serde_json::{Map, Value};
use stats::{PointSummary, Reason, Summary, Verdict};

/// The screen's report: an overview with a row per point, then a block per point, then the verdict
/// on the whole where there are several. At most 100 columns wide; ends with a line break.
pub fn text(summary: &Summary, style: Style) -> String {
    let mut lines = vec![String::new()];
    if let Some(title) = title(&summary.metadata) {
        lines.extend([
            format!("  {}", style.paint(Ink::Bold, &title)),
            String::new(),
        ]);
    }
    let assertions = assertions::grid(&summary.assertions);
    let precision = assertions::precision_grid(&summary.precision);
    for told in [assertions, precision] {
        if !told.is_empty() {
            lines.extend(told.lines(style));
            lines.push(String::new());
        }
    }
    lines.extend(overview::grid(&summary.points).lines(style));
    for point in &summary.points {
        lines.extend([String::new(), String::new()]);
        lines.extend(block(point, style));
    }
    lines.extend(footnotes(summary, style));
    if let Some(certificate) = &summary.certificate {
        lines.push(String::new());
        lines.extend(certificate_lines(certificate, style));
    }
    let general: Vec<_> = summary
        .verdict
        .reasons
        .iter()
        .filter(|reason| reason.point.is_none())
        .collect();
    if summary.points.len() != 1 || !general.is_empty() {
        lines.push(String::new());
        let scope = format!(
            " over {}",
            number::plural(summary.points.len() as u64, "point")
        );
        lines.extend(verdict(&summary.verdict, &scope, &general, style));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn block(point: &PointSummary, style: Style) -> Vec<String> {
    let runs = number::plural(u64::from(point.runs), "run");
    let heading = format!(
        "  {} {}",
        style.paint(Ink::Bold, &load(point)),
        style.paint(
            Ink::Dim,
            &format!("· {runs} · {} complete", complete_of_issued(point))
        ),
    );
    let mut lines = vec![heading, String::new()];
    for grid in [detail::grid(point), classes::grid(point)]
        .into_iter()
        .flatten()
    {
        lines.extend(grid.lines(style));
        lines.push(String::new());
    }
    let conversations = conversations::lines(point, style);
    if !conversations.is_empty() {
        lines.extend(conversations);
        lines.push(String::new());
    }
    lines.extend(facts::lines(point, style));
    let reasons: Vec<_> = point.verdict.reasons.iter().collect();
    lines.extend(verdict(&point.verdict, "", &reasons, style));
    lines.extend(looked_into(&point.verdict.facts, style));
    lines
}

/// `✗ invalid`, and each reason under it.
pub(crate) fn verdict(
    verdict: &Verdict,
    scope: &str,
    reasons: &[&Reason],
    style: Style,
) -> Vec<String> {
    let grade = format!("{} {}{scope}", mark(verdict.grade), word(verdict.grade));
    let mut lines = vec![format!(
        "  {}",
        style.paint(grade_ink(verdict.grade), &grade)
    )];
    for reason in reasons {
        let sentence = escape::terminal(&reason.sentence);
        for (index, line) in wrap(&sentence, TEXT_COLUMNS - 6).into_iter().enumerate() {
            let lead = if index == 0 { mark(reason.grade) } else { " " };
            lines.push(format!(
                "    {} {line}",
                style.paint(grade_ink(reason.grade), lead)
            ));
        }
    }
    lines
}

/// What was unusual, and changes the numbers by too little to speak against them.
fn looked_into(facts: &[Reason], style: Style) -> Vec<String> {
    let lines = facts.iter().flat_map(|fact| {
        let sentence = escape::terminal(&fact.sentence);
        let lines = wrap(&sentence, TEXT_COLUMNS - 6).into_iter().enumerate();
        lines.map(|(index, line)| {
            let lead = if index == 0 { "·" } else { " " };
            format!("    {}", style.paint(Ink::Dim, &format!("{lead} {line}")))
        })
    });
    lines.collect()
}

fn footnotes(summary: &Summary, style: Style) -> Vec<String> {
    let notes = notes(summary);
    if notes.is_empty() {
        return notes;
    }
    let notes = notes
        .iter()
        .map(|note| format!("  {}", style.paint(Ink::Dim, note)));
    std::iter::once(String::new()).chain(notes).collect()
}

/// What the marks in the tables mean, of those that there are.
pub(crate) fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    if summary.points.iter().any(detail::has_uncertain) {
        notes.push(
            "~  too few independent samples for a 95 % interval of this percentile".to_owned(),
        );
    }
    if summary.points.iter().any(detail::has_dependent) {
        notes
            .push("n eff  so many independent samples would tell as much of the median".to_owned());
    }
    if summary.points.iter().any(is_estimated) {
        notes.push("≈  rests on output tokens estimated from token events".to_owned());
    }
    notes
}

fn title(metadata: &Map<String, Value>) -> Option<String> {
    let parts: Vec<_> = ["model", "description"]
        .iter()
        .filter_map(|key| metadata.get(*key)?.as_str())
        .filter(|part| !part.is_empty())
        .map(escape::terminal)
        .collect();
    (!parts.is_empty()).then(|| clip(&parts.join(" · "), TEXT_COLUMNS - 4))
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::width::columns;
    use crate::{Style, example};

    const PLAIN: Style = Style { color: false };

    #[test]
    fn the_screen_of_a_sweep_over_batch_sizes() {
        insta::assert_snapshot!(text(&example::summary(), PLAIN));
    }

    #[test]
    fn the_screen_of_an_invalid_open_loop() {
        insta::assert_snapshot!(text(&example::open_loop(), PLAIN));
    }

    #[test]
    fn the_screen_of_a_run_in_which_nothing_succeeded() {
        insta::assert_snapshot!(text(&example::nothing_succeeded(), PLAIN));
    }

    #[test]
    fn what_changes_the_numbers_by_too_little_is_shown_and_speaks_against_nothing() {
        let mut summary = example::summary();
        let sentence = "Timers woke late. ttft.p99 can be off by 0.31 ms (0.4 %, limit 2.0 %).";
        let fact = stats::Reason::new(stats::Grade::Valid, "timer_late", Some("8"), sentence);
        summary.points[1].verdict = stats::Verdict::of(vec![fact]);
        let shown = text(&summary, PLAIN);
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.starts_with("    · Timers woke late."));
        assert_eq!(lines[at.expect("the fact") - 1], "  ✓ valid");
    }

    #[test]
    fn no_line_is_wider_than_a_hundred_columns() {
        let mut wide = example::summary();
        wide.metadata["description"] = "very ".repeat(60).into();
        wide.points[2].reliability.failures[0].example = Some("long ".repeat(60));
        for summary in [wide, example::open_loop(), example::nothing_succeeded()] {
            for line in text(&summary, PLAIN).lines() {
                assert!(columns(line) <= 100, "{} columns: {line}", columns(line));
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let colored = text(&example::summary(), Style { color: true });
        assert!(
            colored.contains("\u{1b}[2m~880.4\u{1b}[0m"),
            "an uncertain percentile is dim"
        );
    }

    #[test]
    fn a_server_cannot_move_the_cursor() {
        let shown = text(&example::summary(), PLAIN);
        assert!(shown.contains("\\u{1b}[2J"));
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'));
    }
}
