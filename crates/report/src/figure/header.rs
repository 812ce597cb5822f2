//! Title, legend and notes above the panels.

use super::canvas::Canvas;
use super::palette::{self, size};
use super::panel::{self, Panel};
use crate::{ReportError, ResultFile, escape};
use plotters::style::text_anchor::HPos;
use stats::Grade;

const LINE: f64 = 38.0;
/// From one legend entry to the next.
const GAP: f64 = 44.0;
/// From an entry's marker to its text.
const INDENT: f64 = 22.0;

/// What stands above the panels.
pub(super) struct Header {
    pub(super) title: String,
    /// What is not valid, with its grade.
    pub(super) warnings: Vec<(Grade, String)>,
    /// Names of the series; none where there is only one.
    pub(super) labels: Vec<String>,
    /// What marks in the panels mean.
    pub(super) notes: Vec<String>,
}

impl Header {
    /// The header of a figure with a series per file.
    pub(super) fn of_files(files: &[(String, ResultFile)], panels: &[Panel]) -> Self {
        let grades = [Grade::Invalid, Grade::Suspect].into_iter();
        let warnings = grades.filter_map(|grade| Some((grade, warning(files, grade)?)));
        let disturbed = disturbed(files).map(|words| (Grade::Suspect, words));
        let warnings = warnings.chain(disturbed);
        let labels = files.iter().map(|(label, _)| label.clone());
        Self {
            title: title(files),
            warnings: warnings.collect(),
            labels: labels.filter(|_| files.len() > 1).collect(),
            notes: panel::notes(panels),
        }
    }

    /// Gives the height at which the panels may begin.
    pub(super) fn draw(
        &self,
        canvas: &Canvas,
        width: f64,
        margin: f64,
    ) -> Result<f64, ReportError> {
        let room = width - 2.0 * margin;
        let mut y = margin + size::TITLE / 2.0;
        let title = Canvas::clip(&self.title, size::TITLE, room);
        canvas.text(&title, (margin, y), size::TITLE, palette::TEXT, HPos::Left)?;
        for (grade, warning) in &self.warnings {
            let color = match grade {
                Grade::Invalid => palette::INVALID,
                Grade::Valid | Grade::Suspect => palette::SUSPECT,
            };
            y += LINE;
            let warning = Canvas::clip(warning, size::LEGEND, room);
            canvas.text(&warning, (margin, y), size::LEGEND, color, HPos::Left)?;
        }
        if !self.labels.is_empty() {
            y = legend(canvas, &self.labels, y + LINE, margin, width - margin)?;
        }
        if !self.notes.is_empty() {
            y += LINE;
            let notes = Canvas::clip(&self.notes.join(" · "), size::TICK, room);
            canvas.text(&notes, (margin, y), size::TICK, palette::MUTED, HPos::Left)?;
        }
        Ok(y + LINE / 2.0)
    }
}

/// Each series' marker and label, in as many lines as they need; gives the last line's height.
fn legend(
    canvas: &Canvas,
    labels: &[String],
    mut y: f64,
    left: f64,
    right: f64,
) -> Result<f64, ReportError> {
    let mut x = left;
    for (index, label) in labels.iter().enumerate() {
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
        named(&[&file.model, &file.description])
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

/// Those of the parts that there are.
pub(super) fn named(parts: &[&Option<String>]) -> String {
    let parts = parts.iter().filter_map(|part| part.as_deref());
    parts.collect::<Vec<_>>().join(" – ")
}

/// `in 3 of 60 s at 64, 2 of 60 s at 128 this machine disturbed the client`; `None` where no second was.
fn disturbed(files: &[(String, ResultFile)]) -> Option<String> {
    let points = files.iter().flat_map(|(_, file)| &file.points);
    let parts = points.filter_map(|point| {
        let (seconds, of) = point.disturbed.filter(|(seconds, _)| *seconds > 0)?;
        Some(format!(
            "{seconds} of {of} s at {}",
            escape::terminal(&point.key)
        ))
    });
    let parts: Vec<String> = parts.collect();
    let listed = parts.join(", ");
    (!parts.is_empty()).then(|| format!("in {listed} this machine disturbed the client"))
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
