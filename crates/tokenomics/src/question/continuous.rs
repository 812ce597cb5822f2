//! `--fixed-vs-continuous`: one server as fixed batches, and then under continuous arrival with as many requests in
//! flight.

use super::answer_file::AnswerFile;
use super::numbers::{Kept, kept};
use crate::args::OutputFormat;
use crate::config::{Config, Load, Point};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Planned, Session};
use crate::output::{self, OutputConfig, say, write_atomically};
use stats::Summary;
use std::collections::BTreeSet;
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
    let file = AnswerFile::claim(&config.output, "fixed-vs-continuous", false)?;
    file.check_parts(&config.output, ["fixed", "continuous"].map(str::to_owned))?;
    let session = Session::open(config, &config.server, interruption)?;
    let (fixed_file, continuous_file) = (file.part("fixed"), file.part("continuous"));
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
        (&fixed_file.display().to_string(), verdicts.0),
        (&continuous_file.display().to_string(), verdicts.1),
    );
    let output = &config.output;
    let printed = output.file.as_deref();
    match output.format {
        OutputFormat::Quiet => {}
        OutputFormat::Json => output::deliver(&json, printed)?,
        OutputFormat::Text | OutputFormat::Csv | OutputFormat::Markdown => {
            let style = output::style_for(printed);
            let text = report::continuous_text(&rows, verdicts.0, verdicts.1, style);
            output::deliver(&text, printed)?;
        }
    }
    write_atomically(&file.path, json.as_bytes())?;
    if !output.is_quiet() {
        say(&format!("Written: {}", file.path.display()));
    }
    Ok(worse(&fixed, &continuous))
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
