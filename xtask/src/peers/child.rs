//! Children that end with us, however we end: each is started by a guard, which is this program again.

use super::http;
use anyhow::{Context, Result, bail};
use clap::Args;
use process::{Child, ChildSpec, Ended, Guard, GuardOrder, Log};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Lines of a log that an error shows.
const TAIL: usize = 20;

/// Between two questions to a server that starts.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a server may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// What a guard is told: the log, the grace, the folder, the program and its arguments.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    log: PathBuf,
    grace_ms: u64,
    folder: PathBuf,
    program: String,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn guard(args: &GuardArgs) -> Result<()> {
    let order = GuardOrder {
        program: args.program.clone(),
        args: args.args.clone(),
        folder: args.folder.clone(),
        log: args.log.clone(),
        grace: Duration::from_millis(args.grace_ms),
    };
    Ok(process::guard(&order, std::io::stdin(), std::io::stdout())?)
}

/// What to start: the name is what people call it.
pub(crate) fn spec(name: &str, program: &Path, args: &[&str]) -> ChildSpec {
    ChildSpec {
        name: name.to_owned(),
        program: program.display().to_string(),
        args: args.iter().map(|&word| word.to_owned()).collect(),
        environment: Vec::new(),
        folder: None,
        files: Vec::new(),
        grace: GRACE,
    }
}

fn start(spec: &ChildSpec, log: &Path, on_end: impl FnOnce() + Send + 'static) -> Result<Child> {
    let guard = Guard {
        program: std::env::current_exe().context("cannot find this program")?,
        args: vec!["guard".to_owned(), "--".to_owned()],
    };
    Ok(Child::start(spec, &guard, Log::New(log), on_end)?)
}

/// How a program ended, and what it printed.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) words: String,
}

/// Runs a program to its end.
pub(crate) fn run(spec: &ChildSpec, log: &Path) -> Result<Finished> {
    let (sender, ended) = channel();
    let child = start(spec, log, move || {
        let _nobody_waits = sender.send(());
    })?;
    ended.recv()?;
    let code = match child.ended() {
        Some(Ended::Exited(code)) => code,
        _ => None,
    };
    let words = std::fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(Finished {
        code,
        words: String::from_utf8_lossy(&words).into_owned(),
    })
}

/// Runs a program that must succeed.
pub(crate) fn succeed(spec: &ChildSpec, log: &Path) -> Result<String> {
    let finished = run(spec, log)?;
    if finished.code == Some(0) {
        return Ok(finished.words);
    }
    let lines: Vec<&str> = finished.words.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    bail!(
        "{} failed ({}); the end of {}:\n{tail}",
        spec.name,
        spec.command_line(),
        log.display()
    )
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
}

impl Server {
    /// Starts it and waits until it answers `path` with 200.
    pub(crate) fn start(
        spec: &ChildSpec,
        port: u16,
        path: &str,
        patience: Duration,
        log: &Path,
    ) -> Result<Self> {
        let child = start(spec, log, || {})?;
        let url = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        loop {
            if let Some(ended) = child.ended() {
                bail!(
                    "{} {ended} before it answered; the end of {}:\n{}",
                    spec.name,
                    log.display(),
                    child.log_tail(TAIL)
                );
            }
            if http::get(&format!("{url}{path}")).is_ok_and(|answer| answer.status == 200) {
                return Ok(Server { child, url });
            }
            if begun.elapsed() > patience {
                bail!(
                    "{} does not answer {path} after {} s; the end of {}:\n{}",
                    spec.name,
                    patience.as_secs(),
                    log.display(),
                    child.log_tail(TAIL)
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The base URL of its API.
    pub(crate) fn api(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// All that it printed.
    pub(crate) fn log(&self) -> Result<String> {
        let bytes = std::fs::read(self.child.log())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
