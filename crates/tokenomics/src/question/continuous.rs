//! `--fixed-vs-continuous`: one server as fixed batches, and then under continuous arrival with as many requests in
//! flight.

use super::numbers::{Kept, kept};
use crate::args::OutputFormat;
use crate::config::{Config, Load, Point};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Planned, Session};
use crate::output::{self, OutputConfig, say, write_atomically};
use stats::Summary;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use trace::Stop;

/// Refuses formats that there are none of.
pub(super) fn check(output: &OutputConfig) -> Result<(), Failure> {
    match output.format {
        OutputFormat::Csv | OutputFormat::Markdown => Err(Failure::usage(
            "--fixed-vs-continuous prints text or json; the files of both runs can be had in the other formats \
             with `tokenomics report`",
        )),
        OutputFormat::Text | OutputFormat::Json | OutputFormat::Quiet => Ok(()),
    }
}

/// Both measurements, each with files of its own, and what they say together. `batches` is the plan of the first, and the
/// second has so many `runs` of each level.
pub(super) fn fixed_vs_continuous(
    config: &Config,
    batches: Planned,
    runs: u32,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let session = Session::open(config, &config.server, interruption)?;
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let unnamed = || Path::new("results").join(format!("fixed-vs-continuous-{moment}.json"));
    let stem = config.output.results_file.clone().unwrap_or_else(unnamed);
    let (fixed_file, continuous_file) = (named(&stem, "fixed"), named(&stem, "continuous"));
    let fixed = kept(config, &session, batches, Some(&fixed_file), false)?;
    if fixed.exit == Exit::Interrupted {
        return Ok(Exit::Interrupted);
    }
    let levels = levels(&fixed.summary)?;
    let words: Vec<String> = levels.iter().map(u32::to_string).collect();
    say(&format!(
        "The batches had {} requests in flight on average; now so many are held.",
        words.join(",")
    ));
    let held = |level| Point::closed(level, None, Stop::AllRequests);
    let load = Load {
        points: levels.into_iter().map(held).collect(),
        runs,
        ..config.load.clone()
    };
    let flowing = Planned::of(&config.task, config.task.over(load), config.seed)?;
    let continuous = kept(config, &session, flowing, Some(&continuous_file), false)?;
    let rows = stats::fixed_vs_continuous(&fixed.summary, &continuous.summary);
    let verdicts = (&fixed.summary.verdict, &continuous.summary.verdict);
    let json = report::continuous_json(
        &rows,
        (&shown(&fixed_file), verdicts.0),
        (&shown(&continuous_file), verdicts.1),
    );
    let output = &config.output;
    let file = output.file.as_deref();
    match output.format {
        OutputFormat::Quiet => {}
        OutputFormat::Json => output::deliver(&json, file)?,
        OutputFormat::Text | OutputFormat::Csv | OutputFormat::Markdown => {
            let style = output::style_for(file);
            let text = report::continuous_text(&rows, verdicts.0, verdicts.1, style);
            output::deliver(&text, file)?;
        }
    }
    write_atomically(&stem, json.as_bytes())?;
    if !output.is_quiet() {
        say(&format!("Written: {}", stem.display()));
    }
    Ok(worse(&fixed, &continuous))
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
fn levels(fixed: &Summary) -> Result<BTreeSet<u32>, Failure> {
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
    Ok(levels)
}

/// The exit code of both together.
fn worse(fixed: &Kept, continuous: &Kept) -> Exit {
    match fixed.exit {
        Exit::Done => continuous.exit,
        other => other,
    }
}
