//! Files in the formats of others, and the page of a CI job.

use crate::args::ExportFormat;
use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically};
use crate::output::say;
use report::Direction;
use stats::{Judge, Summary};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use trace::{Record, RunHeader};

/// The variable that names the file of a job's page.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Writes every format that was asked for, beside the results; the names of what was written.
pub(crate) fn export(
    formats: &[ExportFormat],
    paths: &Paths,
    summary: &Summary,
    header: &RunHeader,
    records: &[Record],
) -> Result<Vec<String>, Failure> {
    let mut written = Vec::new();
    // What cannot be believed is in no file of others either.
    let settled = || -> Vec<Record> {
        let judge = Judge::new(header);
        let settle = |record| judge.settle(record).into_owned();
        records.iter().map(settle).collect()
    };
    for format in formats {
        let (files, missing) = match format {
            ExportFormat::Vllm => {
                let records = settled();
                let of_point = |number| report::vllm(summary, number, &records);
                (per_point(summary, "vllm", of_point), "no run was measured")
            }
            ExportFormat::Aiperf => {
                let records = settled();
                let of_point = |number| report::aiperf(summary, number, &records);
                (
                    per_point(summary, "aiperf", of_point),
                    "no run was measured",
                )
            }
            ExportFormat::GithubBenchmark => (benchmark(summary), "the measurement is invalid"),
            ExportFormat::Openmetrics => {
                (vec![("prom".to_owned(), report::openmetrics(summary))], "")
            }
            ExportFormat::Junit => (vec![("junit.xml".to_owned(), report::junit(summary))], ""),
        };
        if files.is_empty() {
            say(&format!("Not exported as {format:?}: {missing}."));
        }
        for (extension, text) in files {
            let path = paths.beside(&extension);
            write_atomically(&path, text.as_bytes())?;
            written.push(path.display().to_string());
        }
    }
    Ok(written)
}

/// `x.vllm.json`, or `x.8.vllm.json` and so on where there are several points.
fn per_point(
    summary: &Summary,
    name: &str,
    of_point: impl Fn(usize) -> Option<String>,
) -> Vec<(String, String)> {
    let alone = summary.points.len() == 1;
    let file = |(number, point): (usize, &stats::PointSummary)| {
        let key = &point.point.key;
        let safe = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let key: String = key
            .chars()
            .map(|letter| if safe(letter) { letter } else { '_' })
            .collect();
        let extension = if alone {
            format!("{name}.json")
        } else {
            format!("{key}.{name}.json")
        };
        Some((extension, of_point(number)?))
    };
    summary.points.iter().enumerate().filter_map(file).collect()
}

fn benchmark(summary: &Summary) -> Vec<(String, String)> {
    let files = [
        ("smaller-is-better.json", Direction::Smaller),
        ("bigger-is-better.json", Direction::Bigger),
    ];
    let written = files.into_iter().filter_map(|(extension, direction)| {
        Some((
            extension.to_owned(),
            report::github_benchmark(summary, direction)?,
        ))
    });
    written.collect()
}

/// Adds Markdown to the page of the CI job that this runs in, where it runs in one.
pub(crate) fn to_job_page(markdown: &str) -> Result<(), Failure> {
    let page = std::env::var_os(STEP_SUMMARY).filter(|page| !page.is_empty());
    let Some(page) = page else {
        return Ok(());
    };
    let path = Path::new(&page);
    let open = OpenOptions::new().create(true).append(true).open(path);
    let written = open.and_then(|mut file| writeln!(file, "{markdown}"));
    written.map_err(|error| {
        Failure::failed(format!(
            "cannot write {STEP_SUMMARY} {}: {error}; unset the variable to go without",
            path.display()
        ))
    })
}
