use super::canvas::Canvas;
use super::palette::{self, size};
use crate::{ReportError, ResultFile, escape};
use plotters::style::text_anchor::HPos;
use stats::Grade;

const LINE: f64 = 38.0;
/// From one legend entry to the next.
const GAP: f64 = 44.0;
/// From an entry's marker to its text.
const INDENT: f64 = 22.0;

/// Title, verdict where it is not valid, and a legend where there are several files. Gives the
/// height at which the panels may begin.
pub(super) fn draw(
    canvas: &Canvas,
    files: &[(String, ResultFile)],
    width: f64,
    margin: f64,
) -> Result<f64, ReportError> {
    let room = width - 2.0 * margin;
    let mut y = margin + size::TITLE / 2.0;
    let title = Canvas::clip(&title(files), size::TITLE, room);
    canvas.text(&title, (margin, y), size::TITLE, palette::TEXT, HPos::Left)?;
    for (grade, color) in [
        (Grade::Invalid, palette::INVALID),
        (Grade::Suspect, palette::SUSPECT),
    ] {
        if let Some(warning) = warning(files, grade) {
            y += LINE;
            let warning = Canvas::clip(&warning, size::LEGEND, room);
            canvas.text(&warning, (margin, y), size::LEGEND, color, HPos::Left)?;
        }
    }
    if files.len() > 1 {
        y = legend(canvas, files, y + LINE, margin, width - margin)?;
    }
    Ok(y + LINE / 2.0)
}

/// Each file's marker and label, in as many lines as they need; gives the last line's height.
fn legend(
    canvas: &Canvas,
    files: &[(String, ResultFile)],
    mut y: f64,
    left: f64,
    right: f64,
) -> Result<f64, ReportError> {
    let mut x = left;
    for (index, (label, _)) in files.iter().enumerate() {
        let label = Canvas::clip(&escape::terminal(label), size::LEGEND, (right - left) / 2.0);
        let width = INDENT + Canvas::width(&label, size::LEGEND);
        if x > left && x + width > right {
            x = left;
            y += LINE;
        }
        let look = palette::look(index);
        canvas.marker((x + 8.0, y), 8.0, look, false)?;
        canvas.text(
            &label,
            (x + INDENT, y),
            size::LEGEND,
            look.color,
            HPos::Left,
        )?;
        x += width + GAP;
    }
    Ok(y)
}

/// Model and description of a single file; the models of several.
fn title(files: &[(String, ResultFile)]) -> String {
    let title = if let [(_, file)] = files {
        let parts: Vec<_> = [&file.model, &file.description]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        parts.join(" – ")
    } else {
        let mut models: Vec<_> = files
            .iter()
            .filter_map(|(_, file)| file.model.as_deref())
            .collect();
        models.dedup();
        models.join(" / ")
    };
    if title.is_empty() {
        "Throughput".to_owned()
    } else {
        escape::terminal(&title)
    }
}

/// Which of the files have that verdict.
fn warning(files: &[(String, ResultFile)], grade: Grade) -> Option<String> {
    let of_grade = files.iter().filter(|(_, file)| file.grade == Some(grade));
    let labels: Vec<_> = of_grade.map(|(label, _)| escape::terminal(label)).collect();
    let word = crate::style::word(grade);
    match (labels.len(), files.len()) {
        (0, _) => None,
        (_, 1) => Some(format!("measurement {word}: see result file")),
        _ => Some(format!(
            "measurement {word}: see result file of {}",
            labels.join(", ")
        )),
    }
}
