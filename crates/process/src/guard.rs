//! What stands between us and a child, and ends it with us.
//!
//! Where the system lets it, the guard starts itself again as the first process of a PID namespace, and that one starts
//! the child: when the first process ends, for whatever reason, the kernel ends every other one of the namespace,
//! whatever it ignores, has left, or starts meanwhile. Elsewhere the guard looks for what is left, stops it so that it
//! can start nothing more, and kills it, until nothing is left or that has taken too long, which it says.

mod namespace;
mod rest;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a guard looks whether its child has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Who was killed cannot say how long its child may take.
const GRACE_OF_THE_DEAD: Duration = Duration::from_millis(500);

/// What the one who started us writes where the child may have its time. It keeps hold of the leash meanwhile.
pub(crate) const IN_GOOD_ORDER: u8 = b'.';

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
/// when it has ended: `exited CODE` or `killed SIGNAL`, and `left PROCESS …` behind that where some could not be ended.
///
/// The program that calls this calls it again, from the same arguments, in a process that this starts.
///
/// # Errors
/// The log cannot be opened, or `say` not be written to.
pub fn guard(
    order: &GuardOrder,
    parent: impl Read + Send + 'static,
    mut say: impl Write,
) -> io::Result<()> {
    if namespace::is_first_process() {
        return namespace::run(order, parent, say);
    }
    // Whoever leaves the group and loses its parent becomes ours.
    let _unsupported = nix::sys::prctl::set_child_subreaper(true);
    match namespace::first_process() {
        Some(first) => first.relay(parent, say),
        None => watch(order, parent, &mut say),
    }
}

/// The same without a namespace.
fn watch(
    order: &GuardOrder,
    parent: impl Read + Send + 'static,
    mut say: impl Write,
) -> io::Result<()> {
    let Some(mut child) = begin(order, &mut say)? else {
        return Ok(());
    };
    let leash = Leash::of(parent);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Some(word) = leash.wait(LOOK_EVERY) {
            break end(&mut child, word, order.grace, &leash)?;
        }
    };
    signal_group(child.id(), Signal::SIGKILL);
    let left = rest::end_all();
    let words = words(status.code(), status.signal());
    // Nobody may be there any more to be told.
    let _gone = match left.as_slice() {
        [] => writeln!(say, "{words}"),
        some => {
            let some: Vec<String> = some.iter().map(u32::to_string).collect();
            writeln!(say, "{words} left {}", some.join(" "))
        }
    };
    Ok(())
}

/// Starts the child and says so; `None` where it said why there is none.
fn begin(order: &GuardOrder, say: &mut impl Write) -> io::Result<Option<Child>> {
    let child = match start(order) {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return writeln!(say, "missing").map(|()| None);
        }
        Err(error) => return writeln!(say, "refused {error}").map(|()| None),
    };
    writeln!(say, "started")?;
    say.flush()?;
    Ok(Some(child))
}

/// What the one who started us has to say of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// The child is to end, and has its time.
    End,
    /// There is nobody any more who waits for it.
    Gone,
}

impl Word {
    /// Until when the child may take, from now on.
    fn deadline(self, grace: Duration) -> Instant {
        Instant::now()
            + match self {
                Word::End => grace,
                Word::Gone => grace.min(GRACE_OF_THE_DEAD),
            }
    }
}

/// The pipe from the one who started us. It stays open while the child has its time: who ends meanwhile takes that back.
struct Leash(Receiver<Word>);

impl Leash {
    fn of(mut parent: impl Read + Send + 'static) -> Self {
        let (sender, words) = channel();
        thread::spawn(move || {
            let mut said = [0; 16];
            // `Gone` is told by the end of this thread, at which nobody has to listen any more.
            loop {
                match parent.read(&mut said) {
                    Ok(0) => break,
                    Ok(count) if said[..count].contains(&IN_GOOD_ORDER) => {
                        let _ended_before = sender.send(Word::End);
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        Self(words)
    }

    /// What is said first.
    fn first(&self) -> Word {
        self.0.recv().unwrap_or(Word::Gone)
    }

    /// Waits for an end as long as the child may take after that word, and less where nobody waits any more.
    fn wait_out<T>(
        &self,
        mut word: Word,
        grace: Duration,
        mut ended: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        let mut deadline = word.deadline(grace);
        while Instant::now() < deadline {
            if let Some(end) = ended()? {
                return Ok(Some(end));
            }
            if word == Word::Gone {
                thread::sleep(LOOK_EVERY);
            } else if self.wait(LOOK_EVERY) == Some(Word::Gone) {
                word = Word::Gone;
                deadline = deadline.min(word.deadline(grace));
            }
        }
        Ok(None)
    }

    /// What is said within that time.
    fn wait(&self, within: Duration) -> Option<Word> {
        match self.0.recv_timeout(within) {
            Ok(word) => Some(word),
            Err(RecvTimeoutError::Disconnected) => Some(Word::Gone),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }
}

fn start(order: &GuardOrder) -> io::Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&order.log)?;
    let mut command = Command::new(&order.program);
    command
        .args(&order.args)
        .env_remove(namespace::FIRST_PROCESS)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir(&order.folder)
        .process_group(0);
    command.spawn()
}

/// Asks the group to end, and makes it where it does not.
fn end(child: &mut Child, word: Word, grace: Duration, leash: &Leash) -> io::Result<ExitStatus> {
    signal_group(child.id(), Signal::SIGTERM);
    if let Some(status) = leash.wait_out(word, grace, || child.try_wait())? {
        return Ok(status);
    }
    signal_group(child.id(), Signal::SIGKILL);
    child.wait()
}

fn signal_group(leader: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(leader) {
        let _gone = killpg(Pid::from_raw(id), signal);
    }
}

fn words(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => format!("killed {signal}"),
        (None, None) => "exited".to_owned(),
    }
}
