//! What was typed. What it means is settled in [`crate::config`]; nothing here looks at the system.

mod certify;
mod chat;
mod dataset;
mod embedding;
mod engine;
mod exchange;
mod export;
mod file;
mod gate;
mod gateway;
mod habits;
mod launch;
mod load;
mod mock;
#[cfg(test)]
mod mutations;
mod question;
mod report;
mod results;
mod scenario;
mod scheduler;
mod server;
mod sessions;
mod texts;
mod variants;
mod workload;

pub(crate) use certify::{CalibrateArgs, CertificateFormat};
pub(crate) use chat::ChatArgs;
pub(crate) use dataset::{DatasetArgs, DatasetKey};
pub(crate) use embedding::EmbeddingArgs;
pub(crate) use engine::{DTypeArg, EngineArgs, ServeArgs};
pub(crate) use exchange::ExchangeArgs;
pub(crate) use export::{ExportArgs, ExportFormat};
pub(crate) use file::with_config_file;
pub(crate) use gate::{AssertArgs, CompareArgs, Effect};
pub(crate) use gateway::{GatewayArgs, GuardArgs};
pub(crate) use habits::explained;
pub(crate) use launch::{LaunchArgs, LaunchLine};
pub(crate) use load::LoadArgs;
pub(crate) use mock::{MockArgs, RoleChunkArg};
pub(crate) use question::{CapacityArgs, QuestionArgs};
pub(crate) use report::{OutputFormat, PlotArgs, ReportArgs, ReportFormat};
pub(crate) use results::{RecordsFormat, ResultArgs};
pub(crate) use scenario::{ScenarioPhase, with_scenario};
pub(crate) use scheduler::{ModeArg, SchedulerArgs};
pub(crate) use server::ServerArgs;
pub(crate) use sessions::SessionArgs;
pub(crate) use texts::TextArgs;
pub(crate) use variants::VariantArgs;
pub(crate) use workload::{ArrivalArgs, WorkloadArgs};

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Measures how fast large language models are served, with numbers that can be believed.
#[derive(Debug, Parser)]
#[command(
    name = "tokenomics",
    version,
    propagate_version = true,
    args_override_self = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Benchmark a chat server: batches, a held concurrency, or an arrival rate
    Chat(Box<ChatArgs>),
    /// Benchmark an embedding server: vectors and tokens per second, over batch sizes and text lengths
    Embedding(Box<EmbeddingArgs>),
    /// Measure what a gateway adds, against the built-in mock provider
    Gateway(Box<GatewayArgs>),
    /// Benchmark the built-in engine's scheduler in this process, without HTTP
    Scheduler(Box<SchedulerArgs>),
    /// Run the built-in engine as an OpenAI-compatible server
    Serve(Box<ServeArgs>),
    /// Run the mock provider: an OpenAI-compatible server with exact timing
    Mock(Box<MockArgs>),
    /// Draw what was measured as PNG or SVG: points beside each other, or over time
    Plot(PlotArgs),
    /// Recompute every number from saved records; one offline HTML page
    Report(ReportArgs),
    /// Compare two measurements of one workload: better, worse, the same, or can't tell
    Compare(CompareArgs),
    /// Measure this client itself: what it reports against what a known provider sent
    Calibrate(CalibrateArgs),
    /// Start a known server, wait until it answers, and stop it with ctrl-C
    Launch(Box<LaunchArgs>),
    /// Guard a child process: what measurements start, not people
    #[command(hide = true)]
    Guard(GuardArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// The folder to write them into
        directory: PathBuf,
    },
}

/// Spells flags with dashes: `--batch_sizes` and `--batch-sizes` are one flag.
pub(crate) fn with_dashes(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut verbatim = false;
    arguments
        .map(|argument| {
            verbatim |= argument == "--";
            match argument.to_str() {
                Some(text) if !verbatim && text.starts_with("--") => {
                    let (name, value) = match text.split_once('=') {
                        Some((name, value)) => (name, Some(value)),
                        None => (text, None),
                    };
                    let name = name.replace('_', "-");
                    match value {
                        Some(value) => format!("{name}={value}").into(),
                        None => name.into(),
                    }
                }
                _ => argument,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Args, with_dashes};
    use clap::{CommandFactory, Parser};
    use std::path::Path;

    fn dashed(arguments: &[&str]) -> Vec<String> {
        with_dashes(arguments.iter().map(Into::into))
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect()
    }

    #[test]
    fn flags_take_underscores_and_dashes_alike_and_values_stay_as_they_are() {
        assert_eq!(
            dashed(&["chat", "--batch_sizes=1,2", "--api_base", "http://a_b/v_1"]),
            ["chat", "--batch-sizes=1,2", "--api-base", "http://a_b/v_1"]
        );
        assert_eq!(dashed(&["--", "--as_is"]), ["--", "--as_is"]);
    }

    /// Commands of this program in the blocks of a document that are for a shell, with lines that go on joined.
    fn commands(document: &str) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let (mut in_shell, mut goes_on) = (false, false);
        for line in document.lines() {
            if let Some(language) = line.strip_prefix("```") {
                (in_shell, goes_on) = (language == "bash", false);
            } else if in_shell {
                let (part, more) = match line.strip_suffix('\\') {
                    Some(part) => (part, true),
                    None => (line, false),
                };
                match all.last_mut().filter(|_| goes_on) {
                    Some(command) => command.push_str(part.trim_start()),
                    None => all.push(part.to_owned()),
                }
                goes_on = more;
            }
        }
        all.retain(|command| command.starts_with("tokenomics "));
        all
    }

    /// Without what the shell takes for a comment.
    fn without_comment(command: &str) -> &str {
        let mut quote = None;
        let mut before = ' ';
        for (place, letter) in command.char_indices() {
            match (quote, letter) {
                (None, '#') if before == ' ' => return &command[..place],
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), letter) if open == letter => quote = None,
                _ => {}
            }
            before = letter;
        }
        command
    }

    #[test]
    fn every_command_of_the_documents_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let documents = std::fs::read_dir(root.join("docs")).unwrap();
        let documents = documents.map(|entry| entry.unwrap().path());
        let documents = documents.filter(|path| path.extension().is_some_and(|name| name == "md"));
        let mut count = 0;
        for document in documents.chain([root.join("README.md")]) {
            for command in commands(&std::fs::read_to_string(&document).unwrap()) {
                // What is behind it is the shell's.
                let own = without_comment(&command).split(" > ").next().unwrap();
                let words = crate::config::words("", own).unwrap();
                let words = with_dashes(words.into_iter().map(Into::into));
                let parsed = Args::try_parse_from(&words);
                if let Err(error) = parsed {
                    panic!("{}: {command}\n{error}", document.display());
                }
                count += 1;
            }
        }
        assert!(count > 60, "{count}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
