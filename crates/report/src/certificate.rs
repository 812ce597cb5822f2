//! What the instrument adds, for people.

use crate::escape;
use crate::grid::{Cell, Grid};
use crate::number;
use crate::style::{Ink, Style};
use crate::width::wrap;
use stats::{Certificate, CertificateGrade, InstrumentError};

/// The table for a terminal; ends with a line break.
pub fn certificate_text(certificate: &Certificate, style: Style) -> String {
    let mut lines = vec![String::new()];
    lines.extend(certificate_lines(certificate, style));
    lines.push(String::new());
    let told = wrap(&resolution(certificate), crate::width::TEXT_COLUMNS - 2);
    lines.extend(told.into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.join("\n")
}

/// The certificate as a file.
pub fn certificate_json(certificate: &Certificate) -> String {
    escape::json(&serde_json::json!(certificate))
}

/// A heading, and a row per metric.
pub(crate) fn certificate_lines(certificate: &Certificate, style: Style) -> Vec<String> {
    let (ink, words) = grade(certificate);
    let head = style.paint(ink, words);
    let mut lines = vec![format!("  {head}   {}", load(certificate)), String::new()];
    let grid = grid(certificate);
    lines.extend(grid.lines(style).map(|line| line.trim_end().to_owned()));
    if let Some(error) = certificate.rate_error {
        lines.push(format!(
            "  tokens per second are off by {:+.2} %",
            error * 100.0
        ));
    }
    lines
}

/// The instrument's grade in words.
pub(crate) const fn grade(certificate: &Certificate) -> (Ink, &'static str) {
    match certificate.grade {
        CertificateGrade::Good => (Ink::Green, "✓ instrument good"),
        CertificateGrade::Poor => (Ink::Yellow, "! instrument poor"),
        CertificateGrade::Useless => (Ink::Red, "✗ instrument useless"),
    }
}

/// At what load, and what was compared.
pub(crate) fn load(certificate: &Certificate) -> String {
    format!(
        "{} streams · {} events/s · {} requests compared with what was sent, {} lost",
        certificate.streams,
        number::significant(certificate.events_per_second),
        certificate.requests,
        certificate.lost
    )
}

/// A row per metric.
pub(crate) fn grid(certificate: &Certificate) -> Grid {
    let mut grid = Grid::titled([[
        "error in ms",
        "truth p50",
        "bias",
        "spread",
        "worst",
        "% of p50",
    ]]);
    let rows = [
        ("TTFT", &certificate.ttft),
        ("gap", &certificate.gap),
        ("e2e", &certificate.e2e),
    ];
    for (name, error) in rows {
        if let Some(error) = error {
            grid.push(row(name, error).map(Cell::new).into());
        }
    }
    grid
}

fn row(name: &str, error: &InstrumentError) -> [String; 6] {
    let signed = |value: f64| format!("{value:+.4}");
    [
        name.to_owned(),
        number::significant(error.truth_p50),
        signed(error.bias),
        format!("{:.4}", error.spread),
        format!("{:.4}", error.worst),
        format!("{:.2}", error.share() * 100.0),
    ]
}

/// What cannot be told apart.
pub(crate) fn resolution(certificate: &Certificate) -> String {
    let of = |error: &Option<InstrumentError>| {
        error.as_ref().map_or_else(
            || crate::number::ABSENT.to_owned(),
            |error| format!("{:.3} ms", error.resolves),
        )
    };
    format!(
        "Spread: 95 of 100 errors are that near to the bias. At this load single first tokens are resolved to {}, gaps \
         to {}, whole answers to {}; what is smaller cannot be seen.",
        of(&certificate.ttft),
        of(&certificate.gap),
        of(&certificate.e2e)
    )
}
