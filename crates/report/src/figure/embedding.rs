//! An embedding benchmark in four panels: vectors and tokens per second and the time of a batch, a line per length of
//! texts, and vectors per second of every load and length as a map.

use super::canvas::Canvas;
use super::header::Header;
use super::labels::Rect;
use super::page::{HEIGHTS, MARGIN, WIDTH, slots};
use super::palette::{self, size};
use super::panel::{self, Kind, Mark, Panel};
use super::{chart, header};
use crate::number::significant;
use crate::{EmbeddingFile, EmbeddingPoint, MeanAndStd, ReportError, escape};
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;
use stats::Grade;

/// The figure of one file, 1600 wide. Equal files give equal bytes.
///
/// # Errors
/// No point has a value, or the drawing libraries refuse.
pub fn embedding_svg(file: &EmbeddingFile) -> Result<String, ReportError> {
    let panels = panels(file);
    if panels.iter().all(|panel| panel.positions.is_empty()) {
        return Err(ReportError::NothingToDraw { files: 1 });
    }
    let mut out = String::new();
    let canvas = Canvas::new(&mut out, (WIDTH, HEIGHTS[1]))?;
    let top = heading(file, &panels).draw(&canvas, f64::from(WIDTH), MARGIN)?;
    let area = Rect {
        left: MARGIN,
        top: top + 34.0,
        right: f64::from(WIDTH) - MARGIN,
        bottom: f64::from(HEIGHTS[1]) - MARGIN / 2.0,
    };
    let axis = file.axis.label();
    let indent = panels.iter().map(chart::tick_width).fold(0.0, f64::max) + chart::TICK_GAP;
    let slots: Vec<Rect> = slots(area, 4).collect();
    for (panel, slot) in panels.iter().zip(&slots) {
        chart::draw(&canvas, panel, *slot, indent, axis)?;
    }
    map(&canvas, file, &panels[0].positions, slots[3], axis)?;
    canvas.finish()?;
    Ok(out)
}

fn heading(file: &EmbeddingFile, panels: &[Panel]) -> Header {
    let title = header::named(&[&file.model, &file.description]);
    let grade = file.grade.filter(|&grade| grade != Grade::Valid);
    let warning = |grade| {
        let word = crate::style::word(grade);
        (grade, format!("measurement {word}: see result file"))
    };
    Header {
        title: escape::terminal(&title),
        warnings: grade.map(warning).into_iter().collect(),
        labels: file
            .series
            .iter()
            .map(|series| series.length.clone())
            .collect(),
        notes: panel::notes(panels),
    }
}

fn panels(file: &EmbeddingFile) -> [Panel; 3] {
    let panel = |title, value: fn(&EmbeddingPoint) -> Option<MeanAndStd>, factor: f64| {
        let mut positions: Vec<(f64, String)> = Vec::new();
        let mut series = Vec::new();
        for of_length in &file.series {
            let marks = of_length.points.iter().filter_map(|point| {
                let MeanAndStd { mean, std } = value(point)?;
                let mark = Mark {
                    position: point.position,
                    value: mean * factor,
                    low: (mean - std).max(0.0) * factor,
                    high: (mean + std) * factor,
                    invalid: point.grade == Some(Grade::Invalid),
                    carried: [true; 2],
                };
                (mark.value.is_finite() && mark.high.is_finite()).then_some(mark)
            });
            let marks: Vec<Mark> = marks.collect();
            positions.extend(
                marks
                    .iter()
                    .map(|mark| (mark.position, mark.position.to_string())),
            );
            series.push(marks);
        }
        positions.sort_by(|a, b| a.0.total_cmp(&b.0));
        positions.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        Panel {
            title,
            kind: Kind::MeanAndStd,
            positions,
            series,
        }
    };
    [
        panel(
            "Embeddings per second",
            |point| point.embeddings_per_second,
            1.0,
        ),
        panel("Tokens per second", |point| point.tokens_per_second, 1.0),
        panel("Batch time (ms)", |point| point.batch_seconds, 1e3),
    ]
}

/// Room for a panel's title, for its axis, and for the names of its rows at most.
const TITLE: f64 = 56.0;
const FOOT: f64 = 84.0;
const NAMES: f64 = 190.0;

/// Embeddings per second: a row per length, a column per load, the darker the more.
fn map(
    canvas: &Canvas,
    file: &EmbeddingFile,
    columns: &[(f64, String)],
    slot: Rect,
    axis: &str,
) -> Result<(), ReportError> {
    let title = (slot.left, slot.top + size::PANEL / 2.0);
    canvas.text(
        "Embeddings per second, by length",
        title,
        size::PANEL,
        palette::TEXT,
        HPos::Left,
    )?;
    let names: Vec<String> = file
        .series
        .iter()
        .map(|series| Canvas::clip(&escape::terminal(&series.length), size::TICK, NAMES))
        .collect();
    let widths = names.iter().map(|name| Canvas::width(name, size::TICK));
    let left = slot.left + widths.fold(0.0, f64::max) + chart::TICK_GAP;
    let (top, bottom) = (slot.top + TITLE, slot.bottom - FOOT);
    let width = (slot.right - left) / columns.len().max(1) as f64;
    let height = (bottom - top) / file.series.len().max(1) as f64;
    let rates = || file.series.iter().flat_map(|series| &series.points);
    let highest = rates()
        .filter_map(|point| point.embeddings_per_second)
        .map(|rate| rate.mean)
        .fold(0.0, f64::max);
    for (row, series) in file.series.iter().enumerate() {
        let y = top + height * row as f64;
        let at = (left - chart::TICK_GAP, y + height / 2.0);
        canvas.text(&names[row], at, size::TICK, palette::MUTED, HPos::Right)?;
        for (column, (position, _)) in columns.iter().enumerate() {
            let mut points = series.points.iter();
            let point = points.find(|point| point.position.total_cmp(position).is_eq());
            let Some(rate) = point.and_then(|point| point.embeddings_per_second) else {
                continue;
            };
            let x = left + width * column as f64;
            let cell = Rect {
                left: x + 2.0,
                top: y + 2.0,
                right: x + width - 2.0,
                bottom: y + height - 2.0,
            };
            draw_cell(canvas, cell, rate.mean, highest)?;
        }
    }
    let mut free_from = f64::MIN;
    for (column, (_, label)) in columns.iter().enumerate() {
        let x = left + width * (column as f64 + 0.5);
        let half = Canvas::width(label, size::TICK) / 2.0;
        if x - half >= free_from {
            canvas.text(
                label,
                (x, bottom + 24.0),
                size::TICK,
                palette::MUTED,
                HPos::Center,
            )?;
            free_from = x + half + 8.0;
        }
    }
    let middle = (f64::midpoint(left, slot.right), slot.bottom - 20.0);
    canvas.text(axis, middle, size::TICK, palette::MUTED, HPos::Center)
}

/// A cell from almost white to dark blue, with its value where it fits.
fn draw_cell(canvas: &Canvas, cell: Rect, value: f64, highest: f64) -> Result<(), ReportError> {
    let share = if highest > 0.0 {
        (value / highest).clamp(0.0, 1.0)
    } else {
        0.0
    };
    canvas.fill(cell, shade(share))?;
    let label = significant(value);
    if Canvas::width(&label, size::VALUE) > cell.width() - 6.0 {
        return Ok(());
    }
    let ink = if share > 0.5 {
        RGBColor(255, 255, 255)
    } else {
        palette::TEXT
    };
    let middle = (
        f64::midpoint(cell.left, cell.right),
        f64::midpoint(cell.top, cell.bottom),
    );
    canvas.text(&label, middle, size::VALUE, ink, HPos::Center)
}

/// Between the two ends of one hue, so that it also reads without colour.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between two bytes"
)]
fn shade(share: f64) -> RGBColor {
    let mix = |from: f64, to: f64| (from + (to - from) * share).round() as u8;
    RGBColor(mix(235.0, 8.0), mix(243.0, 69.0), mix(251.0, 148.0))
}

#[cfg(test)]
mod tests {
    use super::embedding_svg;
    use crate::EmbeddingFile;
    use crate::figure::png;

    const FILE: &str = r#"{
        "metadata": {"model": "m", "description": "four GPUs"},
        "verdict": {"grade": "suspect"},
        "results": {
            "batch_1_seq_short": {
                "timings": {"batch_total_seconds": {"mean": 0.5, "std": 0.1}},
                "throughput": {"batch_embeddings_per_second": {"mean": 16, "std": 1}}
            },
            "batch_8_seq_200": {"throughput": {"batch_embeddings_per_second": {"mean": 4321, "std": 1}}}
        }
    }"#;

    #[test]
    fn the_figure_says_what_it_shows() {
        let file = EmbeddingFile::parse(FILE.as_bytes()).unwrap();
        let figure = embedding_svg(&file).unwrap();
        for text in [
            "m – four GPUs",
            "measurement suspect",
            "200 words",
            "Embeddings per second",
            "Tokens per second",
            "Batch time (ms)",
            "by length",
            ">\n4,321\n<",
        ] {
            assert!(figure.contains(text), "{text}");
        }
        assert_eq!(png(&figure).unwrap()[..8], *b"\x89PNG\r\n\x1a\n");
    }

    #[test]
    fn a_file_without_values_has_no_figure() {
        let empty = r#"{"metadata": {}, "results": {"batch_1_seq_short": {}}}"#;
        let file = EmbeddingFile::parse(empty.as_bytes()).unwrap();
        assert!(embedding_svg(&file).is_err());
    }
}
