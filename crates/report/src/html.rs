//! One page that needs nothing else: no network, no script, no font of the system.

use crate::grid::{Cell, Grid};
use crate::style::{Ink, grade_ink, mark, word};
use crate::table::point_words::{complete_of_issued, load};
use crate::table::{classes, conversations, detail, facts, notes, overview};
use crate::{ReportError, assertions, certificate, definitions, escape, figure, number};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use epaint_default_fonts::UBUNTU_LIGHT;
use minijinja::{AutoEscape, Environment, Value, context};
use stats::{PointSummary, Reason, Summary, Timeline};

const PAGE: &str = include_str!("html/page.html");

/// The page of a measurement, with its figures. `timeline` is absent where there are no records.
///
/// Every text passes [`escape::terminal`], so that what cannot be seen is shown, and the template's own
/// escaping, so that nothing becomes markup.
///
/// # Errors
/// A figure cannot be drawn.
pub fn html(summary: &Summary, timeline: Option<&Timeline>) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let page = environment
        .template_from_str(PAGE)
        .map_err(ReportError::page)?;
    let verdict = &summary.verdict;
    let context = context! {
        title => title(summary),
        font => STANDARD.encode(UBUNTU_LIGHT),
        verdict => context! {
            words => format!("{} {}", mark(verdict.grade), word(verdict.grade)),
            class => class(grade_ink(verdict.grade)),
        },
        reasons => verdict.reasons.iter().map(reason).collect::<Vec<_>>(),
        assertions => grid(&assertions::grid(&summary.assertions)),
        precision => grid(&assertions::precision_grid(&summary.precision)),
        overview => grid(&overview::grid(&summary.points)),
        notes => notes(summary),
        throughput => throughput(summary)?,
        timeline => timeline.map(|timeline| figure::timeline_svg(timeline, summary)).transpose()?,
        points => summary.points.iter().map(point).collect::<Vec<_>>(),
        certificate => summary.certificate.as_ref().map(|measured| context! {
            words => certificate::grade(measured).1,
            class => class(certificate::grade(measured).0),
            load => certificate::load(measured),
            grid => grid(&certificate::grid(measured)),
            resolution => certificate::resolution(measured),
        }),
        metadata => metadata(summary),
        definitions => definitions::DEFINITIONS.to_vec(),
    };
    page.render(context).map_err(ReportError::page)
}

fn title(summary: &Summary) -> Vec<String> {
    let parts = ["model", "description"].into_iter();
    let parts = parts.filter_map(|key| summary.metadata.get(key)?.as_str());
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(escape::terminal).collect()
}

/// Points side by side; nothing where there is one, which is a table's row and no line.
fn throughput(summary: &Summary) -> Result<Option<String>, ReportError> {
    if summary.points.len() < 2 {
        return Ok(None);
    }
    match figure::results_svg(crate::results_json(summary).as_bytes()) {
        Ok(svg) => Ok(Some(svg)),
        // Names that are no numbers stand on no axis, and what failed has no line.
        Err(ReportError::Key { .. } | ReportError::NothingToDraw { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn point(point: &PointSummary) -> Value {
    let grade = point.verdict.grade;
    let turns = point.conversations.as_ref();
    let turns = turns.map_or(0, |conversations| conversations.turns.len());
    let tables = [
        detail::grid(point),
        classes::grid(point),
        conversations::grid(point, turns),
    ];
    let facts = facts::facts(point);
    let talks = point.conversations.as_ref();
    let talks = talks.map(|talks| ("conversations", conversations::words(talks)));
    context! {
        name => load(point),
        runs => number::plural(u64::from(point.runs), "run"),
        complete => complete_of_issued(point),
        verdict => context! {
            words => format!("{} {}", mark(grade), word(grade)),
            class => class(grade_ink(grade)),
        },
        reasons => point.verdict.reasons.iter().chain(&point.verdict.facts).map(reason).collect::<Vec<_>>(),
        tables => tables.iter().flatten().map(grid).collect::<Vec<_>>(),
        facts => facts.chain(talks).collect::<Vec<_>>(),
    }
}

fn reason(reason: &Reason) -> Value {
    context! {
        class => class(grade_ink(reason.grade)),
        mark => mark(reason.grade),
        code => &reason.code,
        point => reason.point.as_deref().map(escape::terminal),
        sentence => escape::terminal(&reason.sentence),
    }
}

/// The configuration as the result file has it.
fn metadata(summary: &Summary) -> Vec<(String, String)> {
    let entries = summary
        .metadata
        .iter()
        .filter(|(_, value)| !value.is_null());
    let shown = entries.map(|(key, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        (escape::terminal(key), escape::terminal(&text))
    });
    shown.collect()
}

fn grid(grid: &Grid) -> Value {
    let (titles, rows) = grid.parts();
    let titles: Vec<Vec<Value>> = titles.iter().map(|row| title_row(row)).collect();
    let row = |row: &Vec<Cell>| row.iter().map(cell).collect();
    let rows: Vec<Vec<Value>> = rows.iter().map(row).collect();
    context! { titles, rows }
}

/// A title over several columns stands over the last of them, and is told how many they are.
fn title_row(row: &[Cell]) -> Vec<Value> {
    let mut columns = 0;
    let titles = row.iter().filter_map(|cell| {
        columns += 1;
        let title = context! { text => cell.text(), columns };
        let is_whole = !cell.belongs_to_next();
        if is_whole {
            columns = 0;
        }
        is_whole.then_some(title)
    });
    titles.collect()
}

fn cell(cell: &Cell) -> Value {
    context! { text => cell.text(), note => cell.note(), class => class(cell.ink()) }
}

const fn class(ink: Ink) -> &'static str {
    match ink {
        Ink::Plain => "",
        Ink::Bold => "bold",
        Ink::Dim => "dim",
        Ink::Green => "good",
        Ink::Yellow => "doubt",
        Ink::Red => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::html;
    use crate::example;

    #[test]
    fn the_page_has_the_verdict_the_tables_with_intervals_and_the_figures() {
        let mut summary = example::summary();
        summary.assert(&["64:ttft.p50<90ms".parse().unwrap()]);
        let page = html(&summary, None).unwrap();
        for text in [
            "<!doctype html>",
            "distill-llama-8b",
            "! suspect",
            "batch size 64",
            "64:ttft.p50&lt;90ms",
            "<svg",
            "Batch throughput",
            "too few independent samples",
            "chunk_gap",
        ] {
            assert!(page.contains(text), "{text}");
        }
        let noted = "401.7 <span class=\"note\">[";
        assert!(page.contains(noted), "an interval stands beside its value");
    }

    #[test]
    fn the_page_of_records_shows_them_over_time() {
        let summary = example::summary();
        let timeline = stats::Timeline {
            seconds: 1.0,
            bin_seconds: 0.5,
            streams: true,
            tokens: true,
            disturbed: Vec::new(),
            runs: Vec::new(),
        };
        let page = html(&summary, Some(&timeline)).unwrap();
        assert!(page.contains("Over time") && page.contains("Output tokens per second"));
        assert!(!html(&summary, None).unwrap().contains("Over time"));
    }

    #[test]
    fn the_page_asks_nobody_for_anything() {
        let page = html(&example::open_loop(), None).unwrap();
        let outside = ["src=", "href=", "@import", "<script", "url(http", "//cdn"];
        for needle in outside {
            assert!(!page.contains(needle), "{needle}");
        }
    }

    #[test]
    fn no_text_of_a_server_becomes_markup() {
        let mut summary = example::summary();
        let hostile = format!("<script>alert(1)</script>{}", example::HOSTILE);
        summary.metadata["model"] = hostile.clone().into();
        summary.metadata["description"] = hostile.clone().into();
        summary.points[0].reliability.failures = vec![stats::FailureCount {
            kind: hostile.clone(),
            count: 1,
            example: Some(hostile.clone()),
        }];
        summary.points[0].point.key = hostile;
        let page = html(&summary, None).unwrap();
        assert!(!page.contains("<script") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;script&gt;"));
    }
}
