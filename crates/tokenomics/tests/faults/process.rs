//! Child processes that never outlive a test.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than anything here takes: only what hangs meets it.
const PATIENCE: Duration = Duration::from_mins(2);

/// `tokenomics` with `arguments`, to be started in `folder`.
pub(crate) fn tokenomics(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenomics"));
    command.args(arguments);
    tame(command, folder)
}

/// The same, started by a shell that has run `preparation` before.
pub(crate) fn tokenomics_after(preparation: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{preparation} && exec \"$0\" \"$@\"");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_tokenomics")])
        .args(arguments);
    tame(command, folder)
}

/// Nothing of the environment but a wish for backtraces, which must not be granted.
pub(crate) fn tame(mut command: Command, folder: &Path) -> Command {
    command
        .current_dir(folder)
        .env_remove("OPENAI_API_KEY")
        .env("RUST_BACKTRACE", "1")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A process that runs; it is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Receiver<String>,
    said: String,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Absent where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stdout.read_to_string(&mut text);
            text
        });
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, stderr) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Process {
            child,
            stdout: Some(stdout),
            stderr,
            said: String::new(),
        }
    }

    /// Waits until it says a line with `words` in it.
    pub(crate) fn wait_for_line(&mut self, words: &str) -> String {
        loop {
            let Ok(line) = self.stderr.recv_timeout(PATIENCE) else {
                panic!("it never said `{words}`, but: {}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Waits until it listens to ctrl-C: before that, the system ends it.
    pub(crate) fn wait_for_interrupt_handler(&self) {
        let status = format!("/proc/{}/status", self.child.id());
        wait_until("ctrl-C is listened to", || {
            let text = std::fs::read_to_string(&status).unwrap();
            let caught = text
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & 1 << (Signal::SIGINT as u32 - 1) != 0).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(id, signal).unwrap();
    }

    /// Waits until it has ended by itself, or by a signal that it was given.
    pub(crate) fn end(mut self) -> Ended {
        let status = wait_until("the process ends", || self.child.try_wait().unwrap());
        self.said
            .extend(self.stderr.iter().flat_map(|line| [line, "\n".to_owned()]));
        let ended = Ended {
            code: status.code(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: std::mem::take(&mut self.said),
        };
        for word in ["backtrace", "panicked", "RUST_"] {
            assert!(!ended.stderr.contains(word), "{ended:?}");
        }
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// From start to end.
pub(crate) fn run(command: Command) -> Ended {
    Process::start(command).end()
}

/// Looks until there is something to see.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
