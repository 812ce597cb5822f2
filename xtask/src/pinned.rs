//! The programs under test, each on a processor of its own.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// The client's processor and the server's.
pub(crate) const CLIENT_CPU: &str = "0";
pub(crate) const SERVER_CPU: &str = "1";

/// The release build of `tokenomics`, built if need be.
pub(crate) fn tokenomics() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "tokenomics"])
        .status()?;
    if !status.success() {
        bail!("building tokenomics failed");
    }
    let mut path = std::env::current_exe()?;
    path.set_file_name("tokenomics");
    Ok(path)
}

/// A command on one processor.
pub(crate) fn on_cpu(cpu: &str, program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cpu]).arg(program);
    command
}

/// Keeps all processors awake until it is dropped, as the kernel lets who may: a processor that sleeps takes longer to
/// wake the longer it slept.
pub(crate) struct Awake {
    _held: std::fs::File,
}

impl Awake {
    pub(crate) fn hold() -> Result<Self> {
        const DEVICE: &str = "/dev/cpu_dma_latency";
        let file = std::fs::OpenOptions::new().write(true).open(DEVICE);
        let mut file = file.with_context(|| format!("--awake needs to write to {DEVICE}"))?;
        // The latency that waking up may take, in microseconds; it holds for as long as the file is open.
        file.write_all(&0_i32.to_ne_bytes())?;
        Ok(Awake { _held: file })
    }
}

/// A mock provider that runs until this is dropped.
pub(crate) struct Mock {
    child: Child,
    /// `host:port`.
    pub(crate) address: String,
    last: Option<JoinHandle<Option<String>>>,
}

impl Mock {
    /// Starts one on the server's processor, with these flags.
    pub(crate) fn start(flags: &[&str]) -> Result<Self> {
        let mut child = on_cpu(SERVER_CPU, &tokenomics()?)
            .args(["mock", "--port", "0"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("the mock's standard error")?;
        let mut lines = BufReader::new(stderr).lines();
        let line = lines.next().context("the mock said nothing")??;
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next())
            .with_context(|| format!("the mock said: {line}"))?
            .to_owned();
        let last = std::thread::spawn(move || lines.map_while(Result::ok).last());
        Ok(Mock {
            child,
            address,
            last: Some(last),
        })
    }

    /// Stops it and waits until its truth log is complete; the last line that it says.
    pub(crate) fn stop(mut self) -> Result<String> {
        self.interrupt()?;
        self.child.wait()?;
        let last = self.last.take().and_then(|last| last.join().ok()).flatten();
        last.context("the mock said nothing at its end")
    }

    fn interrupt(&self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(kill(pid, Signal::SIGINT)?)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one finished child took.
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) stdout: String,
}

/// Runs a command to its end. Only one may run at a time: the system accounts for children
/// together.
pub(crate) fn cost(command: &mut Command) -> Result<Cost> {
    let before = children_cpu()?;
    let output = command.stderr(Stdio::piped()).output()?;
    // An invalid measurement (4) is still one: at full speed the receiver is saturated on purpose.
    if !matches!(output.status.code(), Some(0 | 4)) {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(Cost {
        cpu: children_cpu()?.saturating_sub(before),
        stdout: String::from_utf8(output.stdout)?,
    })
}

fn children_cpu() -> Result<Duration> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let total = usage.user_time() + usage.system_time();
    let micros = total.tv_sec() * 1_000_000 + total.tv_usec();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}
