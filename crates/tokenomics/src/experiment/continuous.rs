//! `tokenomics chat --fixed-vs-continuous`: one server as fixed batches, and then under continuous
//! arrival with as many requests in flight.

use super::chat::{Measured, Role, measure_once};
use crate::args::{ChatArgs, OutputFormat};
use crate::failure::{Exit, Failure};
use crate::output::{self, say, write_atomically};
use stats::Summary;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Both runs, each with files of its own, and what they say together.
pub(crate) fn fixed_vs_continuous(args: &ChatArgs) -> Result<Exit, Failure> {
    if !matches!(
        args.output_format,
        OutputFormat::Text | OutputFormat::Json | OutputFormat::Quiet
    ) {
        return Err(Failure::usage(
            "--fixed-vs-continuous prints text or json; the files of both runs can be had in the other formats \
             with `tokenomics report`",
        ));
    }
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let stem = args
        .results_file
        .clone()
        .unwrap_or_else(|| Path::new("results").join(format!("fixed-vs-continuous-{moment}.json")));
    let (fixed_file, continuous_file) = (named(&stem, "fixed"), named(&stem, "continuous"));
    let Some(fixed) = measure_once(half(args, &fixed_file), Role::Half)? else {
        // A dry run shows the fixed batches; the other half follows from what they measure.
        return Ok(Exit::Done);
    };
    if fixed.exit == Exit::Interrupted {
        return Ok(Exit::Interrupted);
    }
    let levels = levels(&fixed.summary)?;
    say(&format!(
        "The batches had {levels} requests in flight on average; now so many are held."
    ));
    let mut flowing = half(args, &continuous_file);
    flowing.batch_sizes = None;
    flowing.max_concurrency = Some(levels);
    let Some(continuous) = measure_once(flowing, Role::Half)? else {
        return Ok(Exit::Done);
    };
    let rows = stats::fixed_vs_continuous(&fixed.summary, &continuous.summary);
    let verdicts = (&fixed.summary.verdict, &continuous.summary.verdict);
    let json = report::continuous_json(
        &rows,
        (&shown(&fixed_file), verdicts.0),
        (&shown(&continuous_file), verdicts.1),
    );
    let text = match args.output_format {
        OutputFormat::Json => json.clone(),
        _ => report::continuous_text(&rows, verdicts.0, verdicts.1, output::stdout_style()),
    };
    match &args.output {
        _ if args.output_format == OutputFormat::Quiet => {}
        Some(path) => write_atomically(path, text.as_bytes())?,
        None => output::print(&text)?,
    }
    write_atomically(&stem, json.as_bytes())?;
    if args.output_format != OutputFormat::Quiet {
        say(&format!("Written: {}", stem.display()));
    }
    Ok(worse(&fixed, &continuous))
}

/// The arguments of one of the two runs.
fn half(args: &ChatArgs, results_file: &Path) -> ChatArgs {
    ChatArgs {
        results_file: Some(results_file.to_owned()),
        output: None,
        fixed_vs_continuous: false,
        ..args.clone()
    }
}

/// `x.json` to `x-fixed.json`.
fn named(stem: &Path, half: &str) -> PathBuf {
    let name = stem.file_stem().unwrap_or_default().to_string_lossy();
    stem.with_file_name(format!("{name}-{half}.json"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Every mean number in flight once.
fn levels(fixed: &Summary) -> Result<String, Failure> {
    let levels: BTreeSet<u32> = fixed
        .points
        .iter()
        .filter_map(stats::mean_concurrency)
        .collect();
    if levels.is_empty() {
        return Err(Failure::failed(
            "no batch was answered, so that there is nothing to compare with",
        ));
    }
    let levels: Vec<String> = levels.iter().map(u32::to_string).collect();
    Ok(levels.join(","))
}

/// The exit code of both together.
fn worse(fixed: &Measured, continuous: &Measured) -> Exit {
    match fixed.exit {
        Exit::Done => continuous.exit,
        other => other,
    }
}
