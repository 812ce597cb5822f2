//! A guard that is the first process of a PID namespace.

use super::{GuardOrder, Leash, begin, signal_group, words};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Set in the environment of the process that is to be the first of its namespace.
pub(super) const FIRST_PROCESS: &str = "TOKENOMICS_FIRST_PROCESS";

/// What that process says where it cannot be it.
const UNSUPPORTED: &str = "unsupported";

/// From `SIGKILL` to the end of the namespace, whatever the kernel is busy with.
const KILLED_WITHIN: Duration = Duration::from_millis(200);

/// The first process of a namespace, as the guard outside of it sees it.
pub(super) struct FirstProcess {
    child: Child,
    told: BufReader<ChildStdout>,
    /// The line that it said first.
    first: String,
}

/// Whether this process was started to be the first of its namespace.
pub(super) fn is_first_process() -> bool {
    std::env::var_os(FIRST_PROCESS).is_some()
}

/// Starts it; `None` where this system or this user may not.
pub(super) fn first_process() -> Option<FirstProcess> {
    let outside = File::open("/proc/self/ns/pid").ok()?;
    unshare(CloneFlags::CLONE_NEWPID).ok()?;
    // What is started from here on is in the new namespace, until that is taken back: no thread of ours could be.
    let first = again();
    setns(outside, CloneFlags::CLONE_NEWPID).ok()?;
    first
}

fn again() -> Option<FirstProcess> {
    let mut child = Command::new(std::env::current_exe().ok()?)
        .args(std::env::args_os().skip(1))
        .env(FIRST_PROCESS, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut told = BufReader::new(child.stdout.take()?);
    let mut first = String::new();
    let said = told.read_line(&mut first);
    if said.is_err() || first.trim_end() == UNSUPPORTED || first.is_empty() {
        let _gone = child.kill();
        let _ended = child.wait();
        return None;
    }
    Some(FirstProcess { child, told, first })
}

impl FirstProcess {
    /// Hands on what the one says to the other, until the namespace has ended.
    pub(super) fn relay(
        mut self,
        mut parent: impl Read + Send + 'static,
        mut say: impl Write,
    ) -> io::Result<()> {
        if let Some(mut leash) = self.child.stdin.take() {
            // It ends with the parent, and lets the leash go then.
            thread::spawn(move || io::copy(&mut parent, &mut leash));
        }
        say.write_all(self.first.as_bytes())?;
        say.flush()?;
        let mut last = String::new();
        let _ended = self.told.read_line(&mut last);
        // Every process of the namespace has ended when its first one has.
        let _ended = self.child.wait();
        let last = match last.trim_end() {
            "" => "killed 9",
            last => last,
        };
        // Nobody may be there any more to be told.
        let _gone = writeln!(say, "{last}");
        Ok(())
    }
}

/// Starts the child as [`guard`](super::guard) does, from within. Everything of the namespace ends with this process.
pub(super) fn run(
    order: &GuardOrder,
    parent: impl Read + Send + 'static,
    mut say: impl Write,
) -> io::Result<()> {
    // The guard outside ends: so do we.
    let _unsupported = set_pdeathsig(Signal::SIGKILL);
    if own_proc().is_err() {
        return writeln!(say, "{UNSUPPORTED}");
    }
    let Some(child) = begin(order, &mut say)? else {
        return Ok(());
    };
    let (leader, own_grace) = (child.id(), order.grace);
    let leash = Leash::of(parent);
    thread::spawn(move || {
        let word = leash.first();
        signal_group(leader, Signal::SIGTERM);
        // Where it ends within its time, this process does, and with it this thread.
        let _its_time = leash.wait_out(word, own_grace, || Ok(None::<()>));
        signal_group(leader, Signal::SIGKILL);
        thread::sleep(KILLED_WITHIN);
        std::process::exit(0);
    });
    let _gone = writeln!(say, "{}", wait_for(leader));
    say.flush()
}

/// A view of processes that has the numbers of this namespace: programs look themselves up by theirs.
fn own_proc() -> nix::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none)
}

/// Waits until that child has ended, and meanwhile for all who have lost their parents; how it ended, in words.
fn wait_for(leader: u32) -> String {
    loop {
        let (ended, code, signal) = match waitpid(None::<Pid>, None) {
            Ok(WaitStatus::Exited(ended, code)) => (ended, Some(code), None),
            Ok(WaitStatus::Signaled(ended, signal, _)) => (ended, None, Some(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(_) => return words(None, None),
        };
        if u32::try_from(ended.as_raw()) == Ok(leader) {
            return words(code, signal);
        }
    }
}
