//! What one chart shows.

use crate::{Axis, MeanAndStd, MedianAndP99, ResultFile, ResultPoint};
use stats::Grade;

/// One chart: a quantity against the position of the points, a series per file.
pub(super) struct Panel {
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    /// Every position that some file measured, sorted, with its label.
    pub(super) positions: Vec<(f64, String)>,
    /// By file, each sorted by position. Empty where a file did not measure it.
    pub(super) series: Vec<Vec<Mark>>,
}

impl Panel {
    /// The highest value or band; 0 where none is positive.
    pub(super) fn highest(&self) -> f64 {
        let marks = self.series.iter().flatten();
        marks
            .map(|mark| mark.high.max(mark.value))
            .fold(0.0, f64::max)
    }
}

/// What the line and the band of a panel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The mean, and a standard deviation to both sides.
    MeanAndStd,
    /// The median, and from there to the 99th percentile, which has a line of its own.
    MedianAndP99,
}

/// A measured value and the band around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    pub(super) position: f64,
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Its point's verdict is that it must not be used.
    pub(super) invalid: bool,
    /// Whether the sample carries the value, and the high end where that is a percentile.
    pub(super) carried: [bool; 2],
}

/// The panels for which at least one file has a value.
pub(super) fn panels(files: &[(String, ResultFile)]) -> Vec<Panel> {
    let bursts = files.iter().all(|(_, file)| file.axis == Axis::BatchSize);
    let whole = if bursts {
        "Batch throughput (tokens/s)"
    } else {
        "Total throughput (tokens/s)"
    };
    [
        panel(files, whole, Kind::MeanAndStd, |point| {
            point.batch_tokens_per_second.map(mean_and_std)
        }),
        panel(
            files,
            "Throughput per request (tokens/s)",
            Kind::MeanAndStd,
            |point| point.request_tokens_per_second.map(mean_and_std),
        ),
        panel(
            files,
            "Time to first token (ms)",
            Kind::MedianAndP99,
            |point| point.ttft.map(median_and_p99),
        ),
        panel(
            files,
            "Time per output token (ms)",
            Kind::MedianAndP99,
            |point| point.tpot.map(median_and_p99),
        ),
    ]
    .into_iter()
    .filter(|panel| !panel.positions.is_empty())
    .collect()
}

fn panel(
    files: &[(String, ResultFile)],
    title: &'static str,
    kind: Kind,
    values: impl Fn(&ResultPoint) -> Option<([f64; 3], [bool; 2])>,
) -> Panel {
    let mut positions: Vec<(f64, String)> = Vec::new();
    let mut series = Vec::new();
    for (_, file) in files {
        let mut marks = Vec::new();
        for point in &file.points {
            let Some(([low, value, high], carried)) = values(point) else {
                continue;
            };
            let mark = Mark {
                position: point.position,
                value,
                low,
                high,
                invalid: point.grade == Some(Grade::Invalid),
                carried,
            };
            if [mark.position, value, low, high]
                .iter()
                .all(|number| number.is_finite())
            {
                positions.push((point.position, point.key.clone()));
                marks.push(mark);
            }
        }
        series.push(marks);
    }
    positions.sort_by(|a, b| a.0.total_cmp(&b.0));
    positions.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    Panel {
        title,
        kind,
        positions,
        series,
    }
}

/// A rate is never negative, whatever its spread.
fn mean_and_std(MeanAndStd { mean, std }: MeanAndStd) -> ([f64; 3], [bool; 2]) {
    ([(mean - std).max(0.0), mean, mean + std], [true; 2])
}

fn median_and_p99(sample: MedianAndP99) -> ([f64; 3], [bool; 2]) {
    let MedianAndP99 { p50, p99, .. } = sample;
    ([p50, p50, p99], [sample.p50_carried, sample.p99_carried])
}

/// What the marks of the panels have that needs explaining.
pub(super) fn notes(panels: &[Panel]) -> Vec<String> {
    let marks = || {
        panels
            .iter()
            .flat_map(|panel| panel.series.iter().flatten())
    };
    let mut notes: Vec<String> = Vec::new();
    if marks().any(|mark| mark.carried.contains(&false)) {
        notes.push(
            "~ pale: too few independent samples for a 95 % interval of this percentile".to_owned(),
        );
    }
    if marks().any(|mark| mark.invalid) {
        notes.push("× crossed out: this point's measurement is invalid".to_owned());
    }
    notes
}
