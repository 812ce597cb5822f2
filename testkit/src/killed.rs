//! A measurement into files that are there already, killed at a moment of its life, and what can be read afterwards.

use serde_json::Value;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Requests of the run whose files are there already.
const OLD: u64 = 8;

/// Requests of the run that is killed.
const NEW: u64 = 240;

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_micros(50);

/// Longer than any of the runs takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// The form of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines that grow in one file.
    Jsonl,
    /// Parts in a folder, joined at the end.
    Parquet,
}

/// When it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after its start.
    After(Duration),
    /// When its unfinished records appear.
    Appears,
    /// When they change.
    Grows,
    /// When the whole records are about to be, or have just been, put in the place of the old ones.
    Records,
    /// The same of the results.
    Results,
    /// When the new results are in the place of the old ones.
    Replaced,
}

/// Which run the files that have a name of their own are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Results and records are those that were there.
    Old,
    /// The records are new, beside the old results: `report` makes the new ones of them.
    NewRecords,
    /// Both are new.
    New,
}

/// What else was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing, or nothing with a record in it.
    Nothing,
    /// Records under the name of what is unfinished, so many of them.
    Records(u64),
}

/// What one kill came to.
#[derive(Clone, Debug)]
pub struct Kill {
    /// Which files are there; absent where one cannot be read, or they do not belong together.
    pub whole: Option<Whole>,
    /// What was left unfinished.
    pub left: Left,
    /// It had ended before it was killed.
    pub too_late: bool,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

/// Where kills take place.
pub struct Killing<'k> {
    /// `tokenomics`.
    pub program: &'k Path,
    /// A folder that is empty.
    pub folder: &'k Path,
    /// The server that is measured.
    pub api_base: &'k str,
    /// The form of the records.
    pub format: Format,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    const fn unfinished(self) -> &'static str {
        match self {
            Self::Jsonl => "r.records.jsonl.partial",
            Self::Parquet => "r.records.parquet.parts",
        }
    }
}

impl Killing<'_> {
    /// Measures, measures once more, kills that at the moment and reads what is there.
    ///
    /// # Errors
    /// The program cannot be started, or the first measurement left nothing.
    pub fn kill(&self, moment: Moment) -> io::Result<Kill> {
        self.measure(OLD)?.wait()?;
        let old = self.planned_in_results()?;
        if old != OLD {
            return Err(io::Error::other(format!(
                "the first run has {old} requests"
            )));
        }
        let before = Seen::of(self);
        let mut child = self.measure(NEW)?;
        let begun = Instant::now();
        let mut too_late = false;
        while !before.is_over(self, moment, begun) {
            if child.try_wait()?.is_some() {
                too_late = true;
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        child.kill()?;
        child.wait()?;
        Ok(self.look(too_late))
    }

    fn measure(&self, requests: u64) -> io::Result<Child> {
        let mut command = Command::new(self.program);
        command
            .current_dir(self.folder)
            .args(["chat", "--api-base", self.api_base, "--model", "mock"])
            .args([
                "--max-concurrency",
                "4",
                "--max-tokens",
                "4",
                "--warmup-runs",
                "0",
            ])
            .args(["--num-prompts", &requests.to_string(), "--no-plot"])
            .args(["--results-file", "r.json", "--records", self.format.name()])
            .env_remove("OPENAI_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn records(&self) -> String {
        format!("r.records.{}", self.format.name())
    }

    fn planned_in_results(&self) -> io::Result<u64> {
        let bytes = fs::read(self.at("r.json"))?;
        let results: Value = serde_json::from_slice(&bytes)?;
        Ok(count(&results, "planned"))
    }

    /// What `report` says of a file: planned and complete requests, and its words.
    fn report(&self, file: &str) -> Result<(u64, u64, String), String> {
        let mut command = Command::new(self.program);
        command
            .current_dir(self.folder)
            .args(["report", file, "--output-format", "json"])
            .stdin(Stdio::null());
        let output = command.output().map_err(|error| error.to_string())?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if !matches!(output.status.code(), Some(0 | 4)) {
            return Err(format!("{file} cannot be read: {words}"));
        }
        let results: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("what report says of {file} is no JSON: {error}"))?;
        let (planned, complete) = (count(&results, "planned"), count(&results, "complete"));
        Ok((planned, complete, words))
    }

    fn look(&self, too_late: bool) -> Kill {
        let mut faults = Vec::new();
        let whole = self.whole().map_err(|fault| faults.push(fault)).ok();
        let left = self.left().unwrap_or_else(|fault| {
            faults.push(fault);
            Left::Nothing
        });
        if !self.is_free() {
            faults.push("its lock is held".to_owned());
        }
        Kill {
            whole,
            left,
            too_late,
            faults,
        }
    }

    fn whole(&self) -> Result<Whole, String> {
        let results = self
            .planned_in_results()
            .map_err(|error| format!("r.json cannot be read: {error}"))?;
        let (planned, complete, _) = self.report(&self.records())?;
        if planned != complete {
            return Err(format!("the records hold {complete} of {planned} requests"));
        }
        let (through_results, ..) = self.report("r.json")?;
        if through_results != planned {
            return Err(format!(
                "report makes {through_results} requests of {planned}"
            ));
        }
        match (results, planned) {
            (OLD, OLD) => Ok(Whole::Old),
            (OLD, NEW) => Ok(Whole::NewRecords),
            (NEW, NEW) => Ok(Whole::New),
            (results, records) => Err(format!(
                "results of {results} requests lie beside records of {records}"
            )),
        }
    }

    /// Whatever of the unfinished records is there must be read, and named by whoever asks for the results.
    fn left(&self) -> Result<Left, String> {
        let name = self.format.unfinished();
        let path = self.at(name);
        let holds = match self.format {
            Format::Jsonl => fs::read(&path).is_ok_and(|text| lines(&text) >= 2),
            Format::Parquet => parts(&path) > 0,
        };
        if !holds {
            return Ok(Left::Nothing);
        }
        let (planned, complete, _) = self.report(name)?;
        // What was planned is known at the end of a run.
        if complete == 0 || complete > planned || planned > NEW {
            return Err(format!("{name} holds {complete} of {planned} requests"));
        }
        let (.., words) = self.report("r.json")?;
        if !words.contains(name) {
            return Err(format!("nobody is told of {name}"));
        }
        Ok(Left::Records(complete))
    }

    fn is_free(&self) -> bool {
        let lock = self.at(".r.lock");
        !lock.exists() || File::open(lock).is_ok_and(|lock| lock.try_lock().is_ok())
    }
}

/// The files of a run as they were before the next one.
struct Seen {
    records: Option<SystemTime>,
    results: Option<SystemTime>,
}

impl Seen {
    fn of(killing: &Killing<'_>) -> Self {
        Seen {
            records: changed(&killing.at(&killing.records())),
            results: changed(&killing.at("r.json")),
        }
    }

    fn is_over(&self, killing: &Killing<'_>, moment: Moment, begun: Instant) -> bool {
        let unfinished = killing.at(killing.format.unfinished());
        if begun.elapsed() > PATIENCE {
            return true;
        }
        match moment {
            Moment::After(span) => begun.elapsed() >= span,
            Moment::Appears => unfinished.exists(),
            Moment::Grows => match killing.format {
                Format::Jsonl => fs::read(&unfinished).is_ok_and(|text| lines(&text) >= 2),
                // A part that is written has a hidden name before.
                Format::Parquet => {
                    fs::read_dir(&unfinished).is_ok_and(|mut entries| entries.next().is_some())
                }
            },
            Moment::Records => {
                let begun = is_written(killing.folder, &format!(".{}.", killing.records()));
                begun || changed(&killing.at(&killing.records())) != self.records
            }
            Moment::Results => {
                let begun = is_written(killing.folder, ".r.json.");
                begun || changed(&killing.at("r.json")) != self.results
            }
            Moment::Replaced => changed(&killing.at("r.json")) != self.results,
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// Whether a file is written under a hidden name that begins so. A run looks first whether it can write, in the same
/// way, so that an empty one is none.
fn is_written(folder: &Path, begin: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(begin))
        .any(|entry| entry.metadata().is_ok_and(|file| file.len() > 0))
}

fn lines(text: &[u8]) -> usize {
    text.split(|&byte| byte == b'\n').count() - 1
}

fn parts(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_part = |path: PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "parquet")
    };
    entries.filter(|entry| is_part(entry.path())).count()
}

/// A count of the reliability of all points.
fn count(results: &Value, name: &str) -> u64 {
    let points = results["results"].as_object().into_iter().flatten();
    points
        .filter_map(|(_, point)| point["reliability"][name].as_u64())
        .sum()
}
