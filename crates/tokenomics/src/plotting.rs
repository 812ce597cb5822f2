//! `tokenomics plot`: what was measured, as an image.

use crate::args::PlotArgs;
use crate::failure::{Exit, Failure};
use crate::input::read;
use crate::output::{self, ImageFormat, say};
use crate::records::{is_records, read_records, refuse_foreign};
use report::{CapacityFile, ReportError, ResultFile, figure};
use stats::Timeline;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Result files overlaid, or one file in the figure that fits it.
pub(crate) fn plot(args: &PlotArgs) -> Result<Exit, Failure> {
    let format = ImageFormat::of(&args.image)?;
    let svg = match &args.files[..] {
        [path] if path.is_dir() => over_time(path)?,
        [path] => alone(path)?,
        paths => overlaid(paths)?,
    };
    output::write_figure(&svg, format, &args.image)?;
    say(&format!("Written: {}", args.image.display()));
    Ok(Exit::Done)
}

/// A figure of a file, or what is wrong: with the file, or with the drawing.
fn drawn(path: &Path, svg: Result<String, ReportError>) -> Result<String, Failure> {
    svg.map_err(|error| match error {
        ReportError::NothingToDraw { .. } | ReportError::Figure { .. } => Failure::failed(error),
        error => Failure::usage(format!("{}: {error}", path.display())),
    })
}

fn alone(path: &Path) -> Result<String, Failure> {
    let bytes = read("the result file", path)?;
    if is_records(&bytes) {
        return over_time(path);
    }
    if CapacityFile::is_one(&bytes) {
        let file = CapacityFile::parse(&bytes);
        return drawn(path, file.and_then(|file| figure::capacity_svg(&file)));
    }
    refuse_foreign(&bytes, path)?;
    drawn(path, figure::results_svg(&bytes))
}

fn over_time(path: &Path) -> Result<String, Failure> {
    let saved = read_records(path)?.run;
    let timeline = Timeline::of(&saved).ok_or_else(|| {
        Failure::usage(format!(
            "{} holds no request, so that there is nothing to draw over time",
            path.display()
        ))
    })?;
    let summary = stats::summarize_saved(&saved);
    figure::timeline_svg(&timeline, &summary).map_err(Failure::failed)
}

fn overlaid(paths: &[PathBuf]) -> Result<String, Failure> {
    let mut files = Vec::new();
    for (path, label) in paths.iter().zip(labels(paths)) {
        let bytes = read("the result file", path)?;
        if is_records(&bytes) || CapacityFile::is_one(&bytes) {
            return Err(Failure::usage(format!(
                "{} is drawn alone, as records and searches for a capacity are; only result files are overlaid",
                path.display()
            )));
        }
        refuse_foreign(&bytes, path)?;
        let file = ResultFile::parse(&bytes)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
        files.push((label, file));
    }
    if files
        .windows(2)
        .any(|pair| pair[0].1.axis != pair[1].1.axis)
    {
        return Err(Failure::usage(
            "these files have different loads (batch sizes, concurrency, rates), which share no \
             axis; plot each kind for itself",
        ));
    }
    figure::svg(&files).map_err(Failure::failed)
}

/// The files' names; their paths, where two have the same name.
fn labels(files: &[PathBuf]) -> Vec<String> {
    let name = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let names: HashSet<String> = files.iter().map(name).collect();
    if names.len() == files.len() {
        files.iter().map(name).collect()
    } else {
        files
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }
}
