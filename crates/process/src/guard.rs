use crate::system::descendants;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a guard looks whether its child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a guard is told to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardOrder {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Where its output goes; appended.
    pub log: PathBuf,
    /// From `SIGTERM` to `SIGKILL`.
    pub grace: Duration,
}

/// Starts a child, and ends it and all that it started when `parent` is at its end.
///
/// `say` gets one line when it runs, `started`, or `missing` or `refused WORDS` where it does not, and another one
/// when it has ended: `exited CODE` or `killed SIGNAL`.
///
/// # Errors
/// The log cannot be opened, or `say` not be written to.
pub fn guard(
    order: &GuardOrder,
    mut parent: impl Read + Send + 'static,
    mut say: impl Write,
) -> io::Result<()> {
    // Whoever leaves the group and loses its parent becomes ours.
    let _unsupported = nix::sys::prctl::set_child_subreaper(true);
    let mut child = match start(order) {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return writeln!(say, "missing"),
        Err(error) => return writeln!(say, "refused {error}"),
    };
    writeln!(say, "started")?;
    say.flush()?;
    let (sender, parent_gone) = channel();
    thread::spawn(move || {
        let _end = io::copy(&mut parent, &mut io::sink());
        let _ended_before = sender.send(());
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        match parent_gone.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break end(&mut child, order.grace)?,
        }
    };
    end_the_rest(&child);
    // Nobody may be there any more to be told.
    let _gone = writeln!(say, "{}", words(status));
    Ok(())
}

fn start(order: &GuardOrder) -> io::Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&order.log)?;
    let mut command = Command::new(&order.program);
    command
        .args(&order.args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir(&order.folder)
        .process_group(0);
    command.spawn()
}

/// Asks the group to end, and makes it where it does not.
fn end(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    signal_group(child, Signal::SIGTERM);
    let begun = Instant::now();
    while begun.elapsed() < grace {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK_EVERY);
    }
    signal_group(child, Signal::SIGKILL);
    child.wait()
}

/// Its group, and who left it: all have had their time.
fn end_the_rest(child: &Child) {
    signal_group(child, Signal::SIGKILL);
    // A process can start another one while we look.
    for _ in 0..10 {
        let left = descendants(std::process::id());
        if left.is_empty() {
            return;
        }
        for id in left.into_iter().filter_map(|id| i32::try_from(id).ok()) {
            let _gone = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn signal_group(child: &Child, signal: Signal) {
    if let Ok(id) = i32::try_from(child.id()) {
        let _gone = killpg(Pid::from_raw(id), signal);
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => format!("killed {signal}"),
        (None, None) => "exited".to_owned(),
    }
}
