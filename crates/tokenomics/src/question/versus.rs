//! `--versus`: servers compared on the same requests, by turns where they run beside each other.

use crate::args::{OutputFormat, RecordsFormat};
use crate::config::{Config, Load, ServerConfig, VersusQuestion};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Measured, Planned, Session};
use crate::output::{self, OutputConfig, Paths, Recorder, Sink, say, write_atomically};
use report::Versus;
use stats::{Block, CompareOptions, Comparison, Grade, Judgement, Summary};
use std::path::{Path, PathBuf};

/// What one server did, block by block.
#[derive(Default)]
struct Side {
    blocks: Vec<Measured>,
}

/// The servers that are compared, and what each is to answer.
struct Contest<'a> {
    config: &'a Config,
    /// The base first.
    servers: Vec<&'a ServerConfig>,
    load: Load,
    blocks: u32,
    interruption: &'a Interruption,
}

/// Measures all of them, and compares each with the first.
pub(super) fn versus(
    config: &Config,
    asked: &VersusQuestion,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let contest = Contest {
        config,
        servers: std::iter::once(&config.server)
            .chain(&asked.others)
            .collect(),
        load: Load {
            runs: 1,
            ..config.load.clone()
        },
        blocks: asked.blocks,
        interruption,
    };
    let together = contest.open_all()?;
    let by_turns = together.is_some();
    let sides = match together {
        Some(sessions) => contest.by_turns(&sessions)?,
        None => contest.one_after_the_other()?,
    };
    match sides {
        None => Ok(Exit::Interrupted),
        Some(sides) => conclude(config, asked, &sides, by_turns),
    }
}

impl<'a> Contest<'a> {
    /// Sessions with all servers beside each other; `None` where those that are started here do not fit.
    fn open_all(&self) -> Result<Option<Vec<Session<'a>>>, Failure> {
        let mut sessions = Vec::new();
        for &server in &self.servers {
            let beside_another = self.servers[..sessions.len()]
                .iter()
                .any(|server| server.launch.is_some());
            match Session::open(self.config, server, self.interruption) {
                Ok(session) => sessions.push(session),
                Err(failure) if server.launch.is_some() && beside_another => {
                    if failure.exit == Exit::Interrupted {
                        return Err(failure);
                    }
                    self.say(&format!(
                        "{} does not start beside the others ({failure}): they are measured one after the other.",
                        server.name()
                    ));
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(sessions))
    }

    /// Each block on one right after the other; `None` where the user stopped it.
    fn by_turns(&self, sessions: &[Session<'_>]) -> Result<Option<Vec<Side>>, Failure> {
        let mut sides: Vec<Side> = sessions.iter().map(|_| Side::default()).collect();
        for number in 0..self.blocks {
            // So that none always comes first.
            for turn in 0..sessions.len() {
                let turn = (turn + number as usize) % sessions.len();
                let Some(measured) = self.block(&sessions[turn], number)? else {
                    return Ok(None);
                };
                sides[turn].blocks.push(measured);
            }
            self.say(&format!("Block {} of {} is over.", number + 1, self.blocks));
        }
        Ok(Some(sides))
    }

    /// All blocks on one, and then on the next; `None` where the user stopped it.
    fn one_after_the_other(&self) -> Result<Option<Vec<Side>>, Failure> {
        let mut sides = Vec::new();
        for &server in &self.servers {
            let session = Session::open(self.config, server, self.interruption)?;
            let mut side = Side::default();
            for number in 0..self.blocks {
                let Some(measured) = self.block(&session, number)? else {
                    return Ok(None);
                };
                side.blocks.push(measured);
            }
            self.say(&format!(
                "{} has answered {} blocks.",
                server.name(),
                self.blocks
            ));
            sides.push(side);
        }
        Ok(Some(sides))
    }

    /// The same requests for all, and other ones in the next block.
    fn block(&self, session: &Session<'_>, number: u32) -> Result<Option<Measured>, Failure> {
        let seed = self.config.seed.wrapping_add(u64::from(number));
        let planned = Planned::of(&self.config.task, self.load.clone(), seed)?;
        session.run(planned, None)?.whole()
    }

    fn say(&self, line: &str) {
        if !self.config.output.is_quiet() {
            say(line);
        }
    }
}

fn conclude(
    config: &Config,
    asked: &VersusQuestion,
    sides: &[Side],
    by_turns: bool,
) -> Result<Exit, Failure> {
    let output = &config.output;
    let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let unnamed = || Path::new("results").join(format!("versus-{moment}.json"));
    let stem = output.results_file.clone().unwrap_or_else(unnamed);
    let all = saved(output, &stem, sides)?;
    let mut others = Vec::new();
    for (number, other) in asked.others.iter().enumerate() {
        let compared = compared(asked, sides, &all, number + 1);
        let obstacles = stats::obstacles(&all[0], &all[number + 1]);
        if !output.is_quiet() && !obstacles.is_empty() {
            say(&format!(
                "warning: {}: {}.",
                other.name(),
                obstacles.join("; ")
            ));
        }
        others.push((other.name(), compared));
    }
    let base = config.server.name();
    let versus = Versus {
        base: &base,
        others: &others,
        by_turns,
    };
    print(output, &versus)?;
    output::to_job_page(&versus.markdown())?;
    write_atomically(&stem, versus.json().as_bytes())?;
    if !output.is_quiet() {
        say(&format!(
            "Base is {base}, new is {}. {}Each change is the geometric mean of new ÷ base over the blocks.",
            asked
                .others
                .iter()
                .map(ServerConfig::name)
                .collect::<Vec<_>>()
                .join(", "),
            if by_turns {
                "They were measured by turns. "
            } else {
                "They were measured one after the other, so that what changed on the machine in between is in the change. "
            }
        ));
        say(&format!("Written: {}", stem.display()));
    }
    let worse = |(_, comparison): &(String, Comparison)| comparison.judgement == Judgement::Worse;
    Ok(
        if all
            .iter()
            .any(|summary| summary.verdict.grade == Grade::Invalid)
        {
            Exit::Invalid
        } else if others.iter().any(worse) {
            Exit::Missed
        } else {
            Exit::Done
        },
    )
}

/// All blocks of each server, with files of their own beside the answer.
fn saved(output: &OutputConfig, stem: &Path, sides: &[Side]) -> Result<Vec<Summary>, Failure> {
    let saved = sides.iter().enumerate().map(|(number, side)| {
        let name = match (number, sides.len()) {
            (0, _) => "base".to_owned(),
            (_, 2) => "new".to_owned(),
            (number, _) => format!("new-{number}"),
        };
        side.save(output, &named(stem, &name))
    });
    saved.collect()
}

/// The server of that number, compared with the first one. `all` are all blocks of each.
fn compared(asked: &VersusQuestion, sides: &[Side], all: &[Summary], number: usize) -> Comparison {
    let pairs = sides[0].blocks.iter().zip(&sides[number].blocks);
    let blocks: Vec<Block> = pairs
        .map(|(base, new)| Block {
            base: base.summary.clone(),
            new: new.summary.clone(),
        })
        .collect();
    let options = CompareOptions {
        metrics: None,
        min_effect: asked.min_effect,
        together: asked.others.len(),
    };
    stats::compare_blocks(&all[0], &all[number], &blocks, &options)
}

fn print(output: &OutputConfig, versus: &Versus<'_>) -> Result<(), Failure> {
    let file = output.file.as_deref();
    let text = match output.format {
        OutputFormat::Text => versus.text(output::style_for(file)),
        OutputFormat::Json => versus.json(),
        OutputFormat::Csv => versus.csv(),
        OutputFormat::Markdown => versus.markdown(),
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
    fn save(&self, output: &OutputConfig, results: &Path) -> Result<Summary, Failure> {
        let Some(first) = self.blocks.first() else {
            return Err(Failure::failed("no block was measured"));
        };
        let output = OutputConfig {
            results_file: Some(results.to_owned()),
            plot: false,
            file: None,
            exports: Vec::new(),
            ..output.clone()
        };
        let paths = Paths::of_results(results);
        let _claim = paths.claim(&output)?;
        let mut header = first.recorder.with(|header, _, _| header.clone());
        header
            .metadata
            .insert("num_runs".to_owned(), self.blocks.len().into());
        let sink = match output.records {
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
