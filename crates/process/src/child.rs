//! A child process behind its guard.

use crate::guard::IN_GOOD_ORDER;
use crate::{ChildSpec, ProcessError, descendants};
use nix::sys::signal::Signal;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The program that guards children: it calls [`crate::guard`] with what follows `args`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// This program.
    pub program: PathBuf,
    /// What makes it a guard; the log, the grace in milliseconds, the folder, the child's program and its
    /// arguments follow.
    pub args: Vec<String>,
}

/// Where a child's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log<'a> {
    /// Into a file that is empty then.
    New(&'a Path),
    /// Behind what is there from an earlier start.
    Continued(&'a Path),
}

impl<'a> Log<'a> {
    /// The file.
    pub const fn path(self) -> &'a Path {
        match self {
            Log::New(path) | Log::Continued(path) => path,
        }
    }

    fn prepare(self) -> io::Result<()> {
        match self {
            Log::New(path) => File::create(path).map(drop),
            // The guard makes it where it is not there.
            Log::Continued(_) => Ok(()),
        }
    }
}

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, or after it was asked to.
    Exited(Option<i32>),
    /// By a signal.
    Killed(i32),
    /// Its guard is gone, and with it the knowledge.
    Unknown,
}

/// What a guard said last.
#[derive(Clone, Debug)]
struct End {
    ended: Ended,
    /// Processes that could not be ended.
    left: Vec<u32>,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Exited(Some(code)) => write!(f, "ended with exit code {code}"),
            Ended::Killed(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {number}"),
            },
            Ended::Exited(None) | Ended::Unknown => f.write_str("ended"),
        }
    }
}

/// A child that runs behind its guard. It is stopped when this is dropped, and when this process ends in any way.
pub struct Child {
    name: String,
    log: PathBuf,
    guard: std::process::Child,
    /// The guard ends the child when this closes.
    leash: Option<ChildStdin>,
    fate: Fate,
    /// Knows the fate when it ends.
    listening: Option<JoinHandle<()>>,
}

/// How it ended, once it has.
type Fate = Arc<Mutex<Option<End>>>;

impl Child {
    /// Writes its files and starts it. `on_end` is called, on a thread of its own, when it has ended, within some
    /// 10 ms. Its output goes to `log`.
    ///
    /// # Errors
    /// A file cannot be written, there is no such program, or the system refuses to start it.
    pub fn start(
        spec: &ChildSpec,
        guard: &Guard,
        log: Log<'_>,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Self, ProcessError> {
        for (path, text) in &spec.files {
            write_private(path, text).map_err(|source| ProcessError::Write {
                path: path.clone(),
                source,
            })?;
        }
        log.prepare().map_err(|source| ProcessError::Write {
            path: log.path().to_owned(),
            source,
        })?;
        let log = log.path();
        let guard_failed = |source| ProcessError::Guard {
            name: spec.name.clone(),
            source,
        };
        let mut guard = command(spec, guard, log).spawn().map_err(guard_failed)?;
        let leash = guard.stdin.take();
        let told = guard.stdout.take().ok_or(io::ErrorKind::BrokenPipe);
        let mut told = BufReader::new(told.map_err(|kind| guard_failed(kind.into()))?);
        let mut first = String::new();
        told.read_line(&mut first).map_err(guard_failed)?;
        if let Err(error) = started(spec, first.trim_end()) {
            let _ended = guard.wait();
            return Err(error);
        }
        let fate = Fate::default();
        let known = Arc::clone(&fate);
        let listening = std::thread::spawn(move || {
            let mut last = String::new();
            let _ended = told.read_line(&mut last);
            let mut fate = known.lock().unwrap_or_else(PoisonError::into_inner);
            *fate = Some(end(last.trim_end()));
            drop(fate);
            on_end();
        });
        Ok(Child {
            name: spec.name.clone(),
            log: log.to_owned(),
            guard,
            leash,
            fate,
            listening: Some(listening),
        })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        let fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
        fate.as_ref().map(|end| end.ended.clone())
    }

    /// What it had started and could not be ended with it; nothing as long as it runs.
    pub fn left(&self) -> Vec<u32> {
        let fate = self.fate.lock().unwrap_or_else(PoisonError::into_inner);
        fate.as_ref().map_or_else(Vec::new, |end| end.left.clone())
    }

    /// Its processes: itself and all that it has started, those among them that have lost their parent.
    pub fn processes(&self) -> Vec<u32> {
        descendants(self.guard.id())
    }

    /// The last lines of its output, at most `lines` and 8 KiB of them.
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines).unwrap_or_default()
    }

    /// Where its output is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Ends it and all that it has started, and waits for that.
    pub fn stop(&mut self) {
        // Held until it has ended: who kills us meanwhile, or presses ctrl-C once more, leaves no child with time.
        let mut leash = self.leash.take();
        if let Some(leash) = &mut leash {
            let _gone = leash.write_all(&[IN_GOOD_ORDER]);
        }
        let _ended = self.guard.wait();
        drop(leash);
        if let Some(listening) = self.listening.take() {
            let _told = listening.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

fn command(spec: &ChildSpec, guard: &Guard, log: &Path) -> Command {
    let mut command = Command::new(&guard.program);
    command
        .args(&guard.args)
        .arg(log)
        .arg(spec.grace.as_millis().to_string())
        .arg(spec.folder.as_deref().unwrap_or(Path::new(".")))
        .arg(&spec.program)
        .args(&spec.args)
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Ctrl-C on the terminal is for us; we tell the guard.
        .process_group(0);
    command
}

/// Why there is no child, where there is none.
fn started(spec: &ChildSpec, line: &str) -> Result<(), ProcessError> {
    let (name, program) = (spec.name.clone(), spec.program.clone());
    match line.split_once(' ') {
        _ if line == "started" => Ok(()),
        _ if line == "missing" => Err(ProcessError::NoProgram { name, program }),
        Some(("refused", why)) => Err(ProcessError::Start {
            name,
            program,
            why: why.to_owned(),
        }),
        _ => Err(ProcessError::Start {
            name,
            program,
            why: "its guard ended".to_owned(),
        }),
    }
}

/// `exited 0`, `killed 9` or `killed 9 left 12 13`.
fn end(line: &str) -> End {
    let (how, left) = line.split_once(" left ").unwrap_or((line, ""));
    let left = left.split(' ').filter_map(|process| process.parse().ok());
    End {
        ended: ended(how),
        left: left.collect(),
    }
}

fn ended(line: &str) -> Ended {
    match line.split_once(' ') {
        Some(("exited", code)) => Ended::Exited(code.parse().ok()),
        Some(("killed", signal)) => signal.parse().map_or(Ended::Unknown, Ended::Killed),
        _ if line == "exited" => Ended::Exited(None),
        _ => Ended::Unknown,
    }
}

fn log_tail(log: &Path, lines: usize) -> io::Result<String> {
    const BYTES: u64 = 8192;
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}
