//! `tokenomics chat --versus`: two servers, measured by turns with the same requests.

use super::chat::{Measured, Role, measure_once};
use crate::args::{ChatArgs, OutputFormat, RecordsFormat};
use crate::config::OutputConfig;
use crate::failure::{Exit, Failure};
use crate::output::{self, Paths, Recorder, Sink, say, write_atomically};
use stats::{Block, CompareOptions, Comparison, Grade, Judgement, Summary};
use std::path::{Path, PathBuf};

/// Blocks that each server answers where nobody says how many.
const BLOCKS: u32 = 10;

/// What one server did, block by block.
#[derive(Default)]
struct Side {
    blocks: Vec<Measured>,
}

/// Measures both by turns, each block on one right after the other, and compares them.
pub(crate) fn versus(args: &ChatArgs, other: &str) -> Result<Exit, Failure> {
    let blocks = args.num_runs.unwrap_or(BLOCKS);
    if (blocks as usize) < stats::BLOCKS_MIN {
        return Err(Failure::usage(format!(
            "--versus needs at least {} blocks to tell chance from change, got --num-runs {blocks}; leave it out for \
             {BLOCKS}",
            stats::BLOCKS_MIN
        )));
    }
    let (mut base, mut new) = (Side::default(), Side::default());
    for number in 0..blocks {
        // By turns, so that neither always comes first.
        let first_is_base = number % 2 == 0;
        for is_base in [first_is_base, !first_is_base] {
            let Some(measured) = measure_once(block(args, other, number, is_base), Role::Part)?
            else {
                // A dry run shows the first block; the others are like it.
                return Ok(Exit::Done);
            };
            if measured.exit == Exit::Interrupted {
                return Ok(Exit::Interrupted);
            }
            let side = if is_base { &mut base } else { &mut new };
            side.blocks.push(measured);
        }
        if args.output_format != OutputFormat::Quiet {
            say(&format!("Block {} of {blocks} is over.", number + 1));
        }
    }
    conclude(args, other, &base, &new)
}

/// The arguments of one block on one of the two servers.
fn block(args: &ChatArgs, other: &str, number: u32, is_base: bool) -> ChatArgs {
    let mut block = args.clone();
    block.versus = None;
    block.num_runs = Some(1);
    // The same requests for both, and other ones in the next block.
    block.seed = args.seed.wrapping_add(u64::from(number));
    block.output = None;
    if !is_base {
        block.api_base = Some(other.to_owned());
    }
    block
}

fn conclude(args: &ChatArgs, other: &str, base: &Side, new: &Side) -> Result<Exit, Failure> {
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let stem = args
        .results_file
        .clone()
        .unwrap_or_else(|| Path::new("results").join(format!("versus-{moment}.json")));
    let base_all = base.save(args, &named(&stem, "base"))?;
    let new_all = new.save(args, &named(&stem, "new"))?;
    let pairs = base.blocks.iter().zip(&new.blocks);
    let blocks: Vec<Block> = pairs
        .map(|(base, new)| Block {
            base: base.summary.clone(),
            new: new.summary.clone(),
        })
        .collect();
    let options = CompareOptions {
        metrics: None,
        min_effect: args.min_effect.0,
    };
    let comparison = stats::compare_blocks(&base_all, &new_all, &blocks, &options);
    let quiet = args.output_format == OutputFormat::Quiet;
    let obstacles = stats::obstacles(&base_all, &new_all);
    if !quiet && !obstacles.is_empty() {
        say(&format!("warning: {}.", obstacles.join("; ")));
    }
    print(args, &comparison)?;
    output::to_job_page(&report::comparison_markdown(&comparison))?;
    write_atomically(&stem, report::comparison_json(&comparison).as_bytes())?;
    if !quiet {
        let api_base = args.api_base.as_deref().unwrap_or_default();
        say(&format!(
            "Base is {api_base}, new is {other}. Each change is the geometric mean of new ÷ base over the blocks."
        ));
        say(&format!("Written: {}", stem.display()));
    }
    let grades = [base_all.verdict.grade, new_all.verdict.grade];
    Ok(match comparison.judgement {
        _ if grades.contains(&Grade::Invalid) => Exit::Invalid,
        Judgement::Worse => Exit::Missed,
        Judgement::Better | Judgement::Same | Judgement::CannotTell => Exit::Done,
    })
}

fn print(args: &ChatArgs, comparison: &Comparison) -> Result<(), Failure> {
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

/// `x.json` to `x-base.json`.
fn named(stem: &Path, side: &str) -> PathBuf {
    let name = stem.file_stem().unwrap_or_default().to_string_lossy();
    stem.with_file_name(format!("{name}-{side}.json"))
}

impl Side {
    /// All blocks as the runs of one measurement, with files of its own.
    fn save(&self, args: &ChatArgs, results: &Path) -> Result<Summary, Failure> {
        let Some(first) = self.blocks.first() else {
            return Err(Failure::failed("no block was measured"));
        };
        let output = OutputConfig {
            results_file: Some(results.to_owned()),
            records: args.records,
            plot: false,
            format: OutputFormat::Quiet,
            prints: false,
            keeps: true,
            file: None,
            assertions: Vec::new(),
            exports: Vec::new(),
            precision: Vec::new(),
        };
        let paths = Paths::of_results(results);
        let _claim = paths.claim(&output)?;
        let mut header = first.recorder.with(|header, _, _| header.clone());
        header
            .metadata
            .insert("num_runs".to_owned(), self.blocks.len().into());
        let sink = match args.records {
            RecordsFormat::None => Sink::None,
            format => Sink::open(format, &paths, &header)?,
        };
        let all = Recorder::new(header, sink)?;
        let mut next_id = 0;
        for (number, block) in (0..).zip(&self.blocks) {
            block.recorder.with(|_, facts, records| {
                let first_id = next_id;
                for record in records {
                    let mut record = record.clone();
                    record.run.run = number;
                    record.id += first_id;
                    next_id = next_id.max(record.id + 1);
                    all.record(record);
                }
                for facts in facts {
                    let mut facts = facts.clone();
                    facts.run.run = number;
                    all.facts(facts);
                }
            });
        }
        let summary = all.with(stats::summarize);
        output::save(&output, &paths, &all, &summary)?;
        Ok(summary)
    }
}
