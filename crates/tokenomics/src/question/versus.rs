//! `--versus`: servers compared on the same requests, by turns where they run beside each other.

use super::answer_file::AnswerFile;
use super::side::Side;
use crate::args::OutputFormat;
use crate::config::{Config, ServerConfig, VersusQuestion};
use crate::failure::{Exit, Failure};
use crate::measurement::{Interruption, Measured, Planned, Session};
use crate::output::{self, OutputConfig, say, write_atomically};
use report::Versus;
use stats::{Block, CompareOptions, Comparison, Grade, Judgement, Summary};

/// The servers that are compared, and what each is to answer.
struct Contest<'a> {
    config: &'a Config,
    asked: &'a VersusQuestion,
    /// The base first.
    servers: Vec<&'a ServerConfig>,
    interruption: &'a Interruption,
}

/// What came of it, in the order of the servers.
struct Outcome {
    /// As many blocks of each, unless one has none.
    sides: Vec<Side>,
    by_turns: bool,
    /// Why a server answered no more.
    lost: Option<Failure>,
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
    let kept = OutputConfig {
        plot: false,
        ..config.output.clone()
    };
    file.check_parts(
        &kept,
        (0..contest.servers.len()).map(|number| contest.part(number)),
    )?;
    let outcome = match contest.open_all()? {
        Some(sessions) => contest.by_turns(&sessions),
        None => contest.one_after_the_other(),
    };
    let exit = if outcome.blocks() == 0 {
        contest.keep(&file, &outcome)?;
        Exit::Interrupted
    } else {
        contest.conclude(&file, &outcome)?
    };
    let is_whole = outcome.blocks() == asked.blocks as usize;
    match outcome.lost {
        Some(failure) => Err(failure),
        None if is_whole => Ok(exit),
        None => Ok(Exit::Interrupted),
    }
}

impl Outcome {
    /// What was answered until the user stopped it, or a server was `lost`, if that happened.
    fn of(mut sides: Vec<Side>, servers: usize, by_turns: bool, lost: Option<Failure>) -> Self {
        sides.resize_with(servers, Side::default);
        let mut outcome = Self {
            sides,
            by_turns,
            lost,
        };
        let all_have = outcome.blocks();
        if all_have > 0 {
            for side in &mut outcome.sides {
                side.blocks.truncate(all_have);
            }
        }
        outcome
    }

    /// Blocks that all have.
    fn blocks(&self) -> usize {
        let blocks = self.sides.iter().map(|side| side.blocks.len());
        blocks.min().unwrap_or(0)
    }
}

impl<'a> Contest<'a> {
    /// Sessions with all servers beside each other; `None` where those that are started here do not fit.
    fn open_all(&self) -> Result<Option<Vec<Session<'a>>>, Failure> {
        let mut sessions = Vec::new();
        for &server in &self.servers {
            let opened = sessions.len();
            let beside_another = self.servers[..opened]
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
                    self.try_alone(&self.servers[opened..])?;
                    self.say("The servers start one after the other, and are measured so.");
                    return Ok(None);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(sessions))
    }

    /// Before anything is measured: what does not start alone either would have been measured for nothing.
    fn try_alone(&self, servers: &[&'a ServerConfig]) -> Result<(), Failure> {
        for &server in servers {
            Session::open(self.config, server, self.interruption)?;
        }
        Ok(())
    }

    /// Each block on one right after the other.
    fn by_turns(&self, sessions: &[Session<'_>]) -> Outcome {
        let count = sessions.len();
        let mut sides: Vec<Side> = sessions.iter().map(|_| Side::default()).collect();
        let mut lost = None;
        'blocks: for number in 0..self.asked.blocks {
            // So that none always comes first.
            for turn in 0..count {
                let turn = (turn + number as usize) % count;
                match self.block(&sessions[turn], number) {
                    Ok(Some(measured)) => sides[turn].blocks.push(measured),
                    not_whole => {
                        lost = not_whole.err();
                        break 'blocks;
                    }
                }
            }
            let blocks = self.asked.blocks;
            self.say(&format!("Block {} of {blocks} is over.", number + 1));
        }
        Outcome::of(sides, count, true, lost)
    }

    /// All blocks on one, and then on the next.
    fn one_after_the_other(&self) -> Outcome {
        let mut sides = Vec::new();
        let mut lost = None;
        for &server in &self.servers {
            let mut side = Side::default();
            let whole = self.all_blocks(server, &mut side);
            let blocks = side.blocks.len();
            sides.push(side);
            if !matches!(whole, Ok(true)) {
                lost = whole.err();
                break;
            }
            self.say(&format!("{} has answered {blocks} blocks.", server.name()));
        }
        Outcome::of(sides, self.servers.len(), false, lost)
    }

    /// On one server; whether the user let it.
    fn all_blocks(&self, server: &'a ServerConfig, side: &mut Side) -> Result<bool, Failure> {
        let session = Session::open(self.config, server, self.interruption)?;
        for number in 0..self.asked.blocks {
            let Some(measured) = self.block(&session, number)? else {
                return Ok(false);
            };
            side.blocks.push(measured);
        }
        Ok(true)
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

    /// What the file of that server is called.
    fn part(&self, number: usize) -> String {
        match (number, self.servers.len()) {
            (0, _) => "base".to_owned(),
            (_, 2) => "new".to_owned(),
            (number, _) => format!("new-{number}"),
        }
    }

    /// All blocks of a server, with files of its own beside the answer.
    fn save(&self, file: &AnswerFile, side: &Side, number: usize) -> Result<Summary, Failure> {
        side.save(&self.config.output, &file.part(&self.part(number)))
    }

    /// Where one has answered no block: the blocks of the others.
    fn keep(&self, file: &AnswerFile, outcome: &Outcome) -> Result<(), Failure> {
        self.say("Not every server has answered a block: there is nothing to compare.");
        for (number, side) in outcome.sides.iter().enumerate() {
            if !side.blocks.is_empty() {
                self.save(file, side, number)?;
                let part = file.part(&self.part(number));
                self.say(&format!("Written: {}", part.display()));
            }
        }
        Ok(())
    }

    fn conclude(&self, file: &AnswerFile, outcome: &Outcome) -> Result<Exit, Failure> {
        let output = &self.config.output;
        let sides = &outcome.sides;
        let saved = sides.iter().enumerate();
        let saved = saved.map(|(number, side)| self.save(file, side, number));
        let all = saved.collect::<Result<Vec<Summary>, Failure>>()?;
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
