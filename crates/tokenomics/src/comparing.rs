//! `tokenomics compare`: two measurements of one workload, and a gate for what a change did.

use crate::args::{CompareArgs, OutputFormat};
use crate::failure::{Exit, Failure};
use crate::output::{self, say};
use crate::records::read_records;
use stats::{CompareOptions, Comparison, Grade, Judgement, Summary};
use std::path::Path;

/// Compares, prints, and fails where something has become worse.
pub(crate) fn compare(args: &CompareArgs) -> Result<Exit, Failure> {
    let quiet = args.output_format == OutputFormat::Quiet;
    let base = summary(&args.base, quiet)?;
    let new = summary(&args.new, quiet)?;
    for (path, summary) in [(&args.base, &base), (&args.new, &new)] {
        if summary.verdict.grade == Grade::Suspect && !quiet {
            let reasons = summary.verdict.reasons.iter();
            let mut codes: Vec<&str> = reasons.map(|reason| reason.code.as_str()).collect();
            codes.sort_unstable();
            codes.dedup();
            say(&format!(
                "warning: {} is suspect ({}); `tokenomics report` says why.",
                path.display(),
                codes.join(", ")
            ));
        }
    }
    let obstacles = stats::obstacles(&base, &new);
    if !obstacles.is_empty() {
        let all = obstacles.join("; ");
        if !args.force {
            return Err(Failure::usage(format!(
                "{} and {} cannot be compared: {all}. Measure both alike, or add --force",
                args.base.display(),
                args.new.display()
            )));
        }
        if !quiet {
            say(&format!("warning: compared by --force, though {all}."));
        }
    }
    let comparison = stats::compare(
        &base,
        &new,
        &CompareOptions {
            metrics: (!args.metrics.is_empty()).then(|| args.metrics.clone()),
            min_effect: args.min_effect.0,
            together: 1,
        },
    );
    if comparison.points.is_empty() {
        return Err(Failure::usage(format!(
            "{} and {} have no point in common, so there is nothing to compare",
            args.base.display(),
            args.new.display()
        )));
    }
    print(&comparison, args)?;
    output::to_job_page(&report::comparison_markdown(&comparison))?;
    Ok(match comparison.judgement {
        Judgement::Worse => Exit::Missed,
        Judgement::Better | Judgement::Same | Judgement::CannotTell => Exit::Done,
    })
}

fn summary(path: &Path, quiet: bool) -> Result<Summary, Failure> {
    let saved = read_records(path)?;
    if saved.truncated && !quiet {
        say(&format!(
            "The last line of {} is cut off, as a killed run leaves it; one record is lost.",
            path.display()
        ));
    }
    Ok(stats::summarize_saved(&saved.run))
}

fn print(comparison: &Comparison, args: &CompareArgs) -> Result<(), Failure> {
    let file = args.output.as_deref();
    let text = match args.output_format {
        OutputFormat::Text => report::comparison_text(comparison, output::style_for(file)),
        OutputFormat::Json => report::comparison_json(comparison),
        OutputFormat::Csv => report::comparison_csv(comparison),
        OutputFormat::Markdown => report::comparison_markdown(comparison),
        OutputFormat::Quiet => return Ok(()),
    };
    output::deliver(&text, file)
}
