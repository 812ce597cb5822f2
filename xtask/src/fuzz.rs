//! Every reader of foreign bytes under libFuzzer: `fuzz/targets` says what holds, this builds the programs once, shares
//! the time between them and says what came of it.

mod outcome;

use anyhow::{Context, Result, bail, ensure};
use outcome::{Outcome, table};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use targets::TARGETS;

/// How long, and what.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzArgs {
    /// Wall-clock minutes for all targets together, after the build
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    minutes: f64,
    /// Only these targets
    #[arg(long, value_delimiter = ',', value_name = "TARGET,…")]
    target: Vec<String>,
    /// Folder of the build, of inputs that reached new code, and of findings; kept for the next time
    #[arg(long, default_value = "target/fuzz")]
    folder: PathBuf,
}

/// An input that takes longer or more is a finding.
const SECONDS_MAX: u32 = 2;
const MEMORY_MIB_MAX: u32 = 2_048;
/// Longer inputs reach no code that shorter ones do not.
const BYTES_MAX: u32 = 16 << 10;

pub(crate) fn run(args: &FuzzArgs) -> Result<()> {
    ensure!(
        args.minutes.is_finite() && args.minutes > 0.0,
        "--minutes must be above 0, got {}",
        args.minutes
    );
    let names = chosen(&args.target)?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let fuzz = repository.join("fuzz").canonicalize()?;
    fs::create_dir_all(&args.folder)?;
    let folder = args.folder.canonicalize()?;
    check_tools()?;
    let programs = build(&fuzz, &folder.join("build"), &names)?;
    let scratch = tempfile::tempdir()?;
    let cores = std::thread::available_parallelism()?.get();
    let turns = names.len().div_ceil(cores);
    let seconds = (args.minutes * 60.0 / turns as f64).ceil();
    println!(
        "{} targets, {seconds} s each, {cores} at a time",
        names.len()
    );
    let outcomes = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(&name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let place = Place {
                name,
                program: programs.join(name),
                seeds: fuzz.join("corpus").join(name),
                folder: &folder,
                scratch: scratch.path(),
            };
            let outcome = place.run(seconds).with_context(|| name.to_owned())?;
            outcomes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(outcome);
        }
        Ok(())
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let worked = thread.join();
            worked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })?;
    let mut outcomes = outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.name);
    print!("{}", table(&outcomes));
    let found = outcomes
        .iter()
        .filter_map(|outcome| outcome.words(&programs));
    let found: Vec<String> = found.collect();
    if !found.is_empty() {
        bail!("findings: {}\n{}", found.len(), found.join("\n"));
    }
    Ok(())
}

/// The targets that were asked for, or all.
fn chosen(asked: &[String]) -> Result<Vec<&'static str>> {
    let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    if let Some(unknown) = asked.iter().find(|name| !all.contains(&name.as_str())) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    let wanted = |name: &&str| asked.is_empty() || asked.iter().any(|one| one == name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Cargo of the nightly toolchain, whatever this was started by.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).args(arguments);
    command
}

fn check_tools() -> Result<()> {
    let runs = |arguments: &[&str]| {
        let mut command = nightly(arguments);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ensure!(
        runs(&["rustc", "--version"]),
        "libFuzzer needs Rust's nightly toolchain, which is not here: `rustup toolchain install nightly --profile minimal`"
    );
    ensure!(
        runs(&["cargo", "fuzz", "--version"]),
        "cargo-fuzz is not here: `cargo install cargo-fuzz`"
    );
    Ok(())
}

/// Builds the programs; the folder that they are in.
fn build(fuzz: &Path, target: &Path, names: &[&str]) -> Result<PathBuf> {
    let with = |sanitizer: &[&str]| -> Result<bool> {
        let mut command = nightly(&["cargo", "fuzz", "build", "--fuzz-dir"]);
        command
            .arg(fuzz)
            .arg("--target-dir")
            .arg(target)
            .args(sanitizer);
        if let [only] = names {
            command.arg(only);
        }
        let status = command.current_dir(fuzz).status();
        Ok(status.context("cargo fuzz build")?.success())
    };
    if !with(&[])? {
        println!("It does not build with the address sanitizer; without:");
        ensure!(with(&["--sanitizer", "none"])?, "the targets do not build");
    }
    let version = nightly(&["rustc", "--version", "--verbose"]).output()?;
    let version = String::from_utf8(version.stdout)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(target
        .join(host.context("rustc names no host")?)
        .join("release"))
}

/// Everything that a target's run needs.
struct Place<'a> {
    name: &'static str,
    program: PathBuf,
    /// Inputs of the repository, which are only read.
    seeds: PathBuf,
    folder: &'a Path,
    /// For files of a moment: a program that ends by a finding leaves them.
    scratch: &'a Path,
}

impl Place<'_> {
    fn run(&self, seconds: f64) -> Result<Outcome> {
        let made = self.folder.join("corpus").join(self.name);
        let findings = self.folder.join("findings").join(self.name);
        fs::create_dir_all(&made)?;
        fs::create_dir_all(&findings)?;
        let log = self.folder.join(format!("{}.log", self.name));
        // The exit code says no more than the log: a finding ends the program.
        let _status = Command::new(&self.program)
            .args([&made, &self.seeds])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={SECONDS_MAX}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={BYTES_MAX}"))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg("-print_final_stats=1")
            .env("TMPDIR", self.scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .status()
            .with_context(|| self.program.display().to_string())?;
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        let outcome = Outcome::of(self.name, &text);
        ensure!(
            outcome.inputs > 0,
            "it ran nothing; {} says why",
            log.display()
        );
        println!("{}", outcome.line());
        Ok(outcome)
    }
}
