//! `--versus`: servers compared on the same requests, by turns where they run beside each other.

use super::answer_file::AnswerFile;
use crate::args::{OutputFormat, RecordsFormat};
use crate::config::{Config, ServerConfig, VersusQuestion};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Measured, Planned, Session};
use crate::output::{self, OutputConfig, Paths, Recorder, Sink, say, write_atomically};
use report::Versus;
use stats::{Block, CompareOptions, Comparison, Grade, Judgement, Summary};
use std::path::Path;

/// What one server did, block by block.
#[derive(Default)]
struct Side {
    blocks: Vec<Measured>,
}

/// The servers that are compared, and what each is to answer.
struct Contest<'a> {
    config: &'a Config,
    asked: &'a VersusQuestion,
    /// The base first.
    servers: Vec<&'a ServerConfig>,
    interruption: &'a Interruption,
}

/// What came of it: as many blocks of each, in the order of the servers.
struct Outcome {
    sides: Vec<Side>,
    by_turns: bool,
}

/// Measures all of them, and compares each with the first.
pub(super) fn versus(
    config: &Config,
    asked: &VersusQuestion,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let file = AnswerFile::claim(&config.output, "versus", false)?;
    let contest = Contest {
        config,
        asked,
        servers: std::iter::once(&config.server)
            .chain(&asked.others)
            .collect(),
        interruption,
    };
    let outcome = match contest.open_all()? {
        Some(sessions) => contest.by_turns(&sessions)?,
        None => contest.one_after_the_other()?,
    };
    let is_stopped = outcome.blocks() < asked.blocks as usize;
    if outcome.blocks() == 0 {
        contest
            .say("Stopped before each server had answered a block: there is nothing to compare.");
        return Ok(Exit::Interrupted);
    }
    let exit = contest.conclude(&file, &outcome)?;
    Ok(if is_stopped { Exit::Interrupted } else { exit })
}

impl Outcome {
    /// What was answered until the user stopped it, if that happened: blocks that all have.
    fn of(mut sides: Vec<Side>, servers: usize, by_turns: bool) -> Self {
        sides.resize_with(servers, Side::default);
        let all_have = sides.iter().map(|side| side.blocks.len()).min();
        for side in &mut sides {
            side.blocks.truncate(all_have.unwrap_or(0));
        }
        Self { sides, by_turns }
    }

    fn blocks(&self) -> usize {
        self.sides[0].blocks.len()
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
                Err(failure)
                    if server.launch.is_some()
                        && beside_another
                        && failure.exit != Exit::Interrupted =>
                {
                    self.say(&format!(
                        "{} does not start beside the others ({failure}); it is tried alone.",
                        server.name()
                    ));
                    drop(sessions);
                    // Before anything is measured: what does not start alone either would have been measured for nothing.
                    drop(Session::open(self.config, server, self.interruption)?);
                    self.say("It does: the servers are measured one after the other.");
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(sessions))
    }

    /// Each block on one right after the other.
    fn by_turns(&self, sessions: &[Session<'_>]) -> Result<Outcome, Failure> {
        let count = sessions.len();
        let mut sides: Vec<Side> = sessions.iter().map(|_| Side::default()).collect();
        'blocks: for number in 0..self.asked.blocks {
            // So that none always comes first.
            for turn in 0..count {
                let turn = (turn + number as usize) % count;
                let Some(measured) = self.block(&sessions[turn], number)? else {
                    break 'blocks;
                };
                sides[turn].blocks.push(measured);
            }
            let blocks = self.asked.blocks;
            self.say(&format!("Block {} of {blocks} is over.", number + 1));
        }
        Ok(Outcome::of(sides, count, true))
    }

    /// All blocks on one, and then on the next.
    fn one_after_the_other(&self) -> Result<Outcome, Failure> {
        let mut sides = Vec::new();
        'servers: for &server in &self.servers {
            let session = Session::open(self.config, server, self.interruption)?;
            let mut side = Side::default();
            for number in 0..self.asked.blocks {
                let Some(measured) = self.block(&session, number)? else {
                    sides.push(side);
                    break 'servers;
                };
                side.blocks.push(measured);
            }
            let blocks = side.blocks.len();
            self.say(&format!("{} has answered {blocks} blocks.", server.name()));
            sides.push(side);
        }
        Ok(Outcome::of(sides, self.servers.len(), false))
    }

    /// The same requests for all, and other ones in the next block; `None` where the user stopped it.
    fn block(&self, session: &Session<'_>, number: u32) -> Result<Option<Measured>, Failure> {
        let seed = self.config.seed.wrapping_add(u64::from(number));
        let planned = Planned::of(&self.config.task, self.config.load.clone(), seed)?;
        session.run(planned, None)?.whole()
    }

    fn say(&self, line: &str) {
        if !self.config.output.is_quiet() {
            say(line);
        }
    }

    fn conclude(&self, file: &AnswerFile, outcome: &Outcome) -> Result<Exit, Failure> {
        let output = &self.config.output;
        let sides = &outcome.sides;
        let all = saved(output, file, sides)?;
        let mut others = Vec::new();
        for (number, other) in (1..).zip(&self.asked.others) {
            let obstacles = stats::obstacles(&all[0], &all[number]);
            if !obstacles.is_empty() {
                let obstacles = obstacles.join("; ");
                self.say(&format!("warning: {}: {obstacles}.", other.name()));
            }
            let compared = compared(self.asked, sides, &all, number);
            others.push((other.name(), compared));
        }
        let base = self.config.server.name();
        let versus = Versus {
            base: &base,
            others: &others,
            by_turns: outcome.by_turns,
        };
        print(output, &versus)?;
        output::to_job_page(&versus.markdown())?;
        write_atomically(&file.path, versus.json().as_bytes())?;
        let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
        let order = if outcome.by_turns {
            "by turns"
        } else {
            "one after the other"
        };
        self.say(&format!(
            "Base is {base}, new is {}. They were measured {order}. Each change is the geometric mean of new ÷ base over {} \
             blocks.",
            names.join(", "),
            outcome.blocks()
        ));
        self.say(&format!("Written: {}", file.path.display()));
        let invalid = |summary: &Summary| summary.verdict.grade == Grade::Invalid;
        let worse =
            |(_, comparison): &(String, Comparison)| comparison.judgement == Judgement::Worse;
        Ok(if all.iter().any(invalid) {
            Exit::Invalid
        } else if others.iter().any(worse) {
            Exit::Missed
        } else {
            Exit::Done
        })
    }
}

/// All blocks of each server, with files of their own beside the answer.
fn saved(
    output: &OutputConfig,
    file: &AnswerFile,
    sides: &[Side],
) -> Result<Vec<Summary>, Failure> {
    let saved = sides.iter().enumerate().map(|(number, side)| {
        let name = match (number, sides.len()) {
            (0, _) => "base".to_owned(),
            (_, 2) => "new".to_owned(),
            (number, _) => format!("new-{number}"),
        };
        side.save(output, &file.part(&name))
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
