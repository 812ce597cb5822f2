//! Records are kept for the summary, and written as the run goes, so that a run that is killed
//! keeps what it had.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically, write_with};
use crate::output::place::Place;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{JsonlWriter, StoreError};
use trace::{Outcome, Record, RunFacts, RunHeader, RunId};

/// A part is written when it holds so many records and events.
const PART_VALUES: usize = 65_536;

/// Whatever waits is written after this long,
const WRITE_EVERY: Duration = Duration::from_secs(2);

/// and what comes first after this long: a run that is killed soon has something to show too.
const FIRST_WRITE: Duration = Duration::from_millis(300);

/// How often somebody looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Takes records on one thread and facts on another.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<Kept>>);

struct Kept {
    header: RunHeader,
    records: Vec<Record>,
    facts: Vec<RunFacts>,
    sink: Sink,
    /// What went wrong with the sink, told at the end: the run itself goes on.
    failed: Option<Failure>,
}

/// Where the records go.
pub(crate) enum Sink {
    /// Nowhere.
    None,
    /// Lines, as they come.
    Jsonl(Box<Lines>),
    /// A folder of small whole files, joined into one at the end.
    Parquet(Parts),
}

/// A JSON Lines file that grows, under a name of its own until it is whole.
pub(crate) struct Lines {
    path: PathBuf,
    partial: PathBuf,
    writer: JsonlWriter<BufWriter<File>>,
    /// When it was last; never before the first records.
    flushed: Option<Instant>,
    begun: Instant,
}

/// The parts of a Parquet file to be.
pub(crate) struct Parts {
    path: PathBuf,
    folder: PathBuf,
    written: Vec<PathBuf>,
    records_before: usize,
    /// Records and events that came since the last part.
    values_waiting: usize,
    facts_before: usize,
    begun: Instant,
}

impl Sink {
    /// Opens the file, or makes the folder.
    pub(crate) fn open(
        format: RecordsFormat,
        paths: &Paths,
        header: &RunHeader,
    ) -> Result<Self, Failure> {
        match format {
            RecordsFormat::None => Ok(Sink::None),
            RecordsFormat::Jsonl => {
                let path = paths.records("jsonl");
                let partial = unfinished(&path, RecordsFormat::Jsonl);
                refuse_left(&partial)?;
                let file =
                    File::create(&partial).map_err(|error| cannot_write(&partial, &error))?;
                let mut writer = JsonlWriter::new(BufWriter::new(file), header)
                    .map_err(|error| cannot_write(&partial, &error))?;
                writer
                    .flush()
                    .map_err(|error| cannot_write(&partial, &error))?;
                Ok(Sink::Jsonl(Box::new(Lines {
                    path,
                    partial,
                    writer,
                    flushed: None,
                    begun: Instant::now(),
                })))
            }
            RecordsFormat::Parquet => {
                let path = paths.records("parquet");
                let folder = unfinished(&path, RecordsFormat::Parquet);
                refuse_left(&folder)?;
                fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
                Ok(Sink::Parquet(Parts {
                    path,
                    folder,
                    written: Vec::new(),
                    records_before: 0,
                    values_waiting: 0,
                    facts_before: 0,
                    begun: Instant::now(),
                }))
            }
        }
    }
}

/// Where records are until they are whole. What a killed run leaves there `report` reads.
pub(crate) fn unfinished(records: &Path, format: RecordsFormat) -> PathBuf {
    records.with_added_extension(match format {
        RecordsFormat::Parquet => "parts",
        RecordsFormat::Jsonl | RecordsFormat::None => "partial",
    })
}

/// Whether records are there, of a folder of parts or of lines.
pub(crate) fn has_records(unfinished: &Path) -> bool {
    if let Ok(parts) = unfinished.read_dir() {
        // A part that is not whole has another name.
        let is_part = |path: PathBuf| path.extension().is_some_and(|name| name == "parquet");
        return parts.flatten().any(|entry| is_part(entry.path()));
    }
    let Ok(file) = File::open(unfinished) else {
        return false;
    };
    // The first line is the header.
    BufReader::new(file).lines().take(2).flatten().count() == 2
}

fn refuse_left(unfinished: &Path) -> Result<(), Failure> {
    if !has_records(unfinished) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} holds what a run that was killed left; read it with `tokenomics report`, then remove it, or choose another \
         --results-file",
        unfinished.display()
    )))
}

fn cannot_write(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

impl Recorder {
    /// Starts to keep, and to write what has waited long enough though nothing follows it.
    pub(crate) fn new(header: RunHeader, sink: Sink) -> Result<Self, Failure> {
        let has_sink = !matches!(sink, Sink::None);
        let kept = Arc::new(Mutex::new(Kept {
            header,
            records: Vec::new(),
            facts: Vec::new(),
            sink,
            failed: None,
        }));
        let recorder = Recorder(kept);
        if has_sink {
            recorder.write_in_time()?;
        }
        Ok(recorder)
    }

    /// Writes what has waited long enough, from a thread of its own, as long as somebody keeps the records.
    fn write_in_time(&self) -> Result<(), Failure> {
        let weak = Arc::downgrade(&self.0);
        let write = move || {
            load::leave_time_to_receiving();
            while let Some(kept) = weak.upgrade() {
                Recorder(kept).kept().write(Kept::write_waiting);
                std::thread::sleep(LOOK_EVERY);
            }
        };
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(write)
            .map_err(|error| Failure::failed(format!("cannot start the recorder: {error}")))?;
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the records as they are; they are worth keeping.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, record: Record) {
        let mut kept = self.kept();
        kept.records.push(record);
        kept.write(Kept::write_record);
    }

    pub(crate) fn facts(&self, facts: RunFacts) {
        let mut kept = self.kept();
        kept.facts.push(facts);
        kept.write(Kept::write_facts);
    }

    /// Forgets what was cancelled of a run that is written nowhere; how many records of it are left.
    pub(crate) fn forget_cancelled(&self, run: RunId) -> u64 {
        let mut kept = self.kept();
        let records = &mut kept.records;
        records.retain(|record| record.run != run || record.outcome != Outcome::Cancelled);
        records.iter().filter(|record| record.run == run).count() as u64
    }

    /// Looks at everything so far.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&RunHeader, &[RunFacts], &[Record]) -> R) -> R {
        let kept = self.kept();
        look(&kept.header, &kept.facts, &kept.records)
    }

    /// Completes the file; its path, where there is one.
    pub(crate) fn finish(&self) -> Result<Option<PathBuf>, Failure> {
        let mut kept = self.kept();
        if let Some(failure) = kept.failed.take() {
            return Err(failure);
        }
        match std::mem::replace(&mut kept.sink, Sink::None) {
            Sink::None => Ok(None),
            Sink::Jsonl(lines) => lines.finish().map(Some),
            Sink::Parquet(parts) => parts.join().map(Some),
        }
    }
}

impl Kept {
    /// Lets `write` see to the sink. After a failure there is none, and the run itself goes on.
    fn write(&mut self, write: fn(&mut Self) -> Result<(), Failure>) {
        if let Err(failure) = write(self) {
            self.sink = Sink::None;
            self.failed.get_or_insert(failure);
        }
    }

    /// The latest record, now or with others soon.
    fn write_record(&mut self) -> Result<(), Failure> {
        let Some(record) = self.records.last() else {
            return Ok(());
        };
        match &mut self.sink {
            Sink::None => Ok(()),
            Sink::Jsonl(lines) => lines.write(|writer| writer.record(record), false),
            Sink::Parquet(parts) => {
                parts.values_waiting += 1 + record.events.len();
                if parts.values_waiting < PART_VALUES && !parts.is_due() {
                    return Ok(());
                }
                parts.write(&self.header, &self.facts, &self.records)
            }
        }
    }

    /// What has waited long enough.
    fn write_waiting(&mut self) -> Result<(), Failure> {
        match &mut self.sink {
            Sink::None => Ok(()),
            Sink::Jsonl(lines) => lines.write(|_| Ok(()), false),
            Sink::Parquet(parts) => {
                if parts.values_waiting == 0 || !parts.is_due() {
                    return Ok(());
                }
                parts.write(&self.header, &self.facts, &self.records)
            }
        }
    }

    /// The facts of a run that is over, and all of its records that wait.
    fn write_facts(&mut self) -> Result<(), Failure> {
        let Some(facts) = self.facts.last() else {
            return Ok(());
        };
        match &mut self.sink {
            Sink::None => Ok(()),
            Sink::Jsonl(lines) => lines.write(|writer| writer.facts(facts), true),
            Sink::Parquet(parts) => parts.write(&self.header, &self.facts, &self.records),
        }
    }
}

impl Lines {
    fn write(
        &mut self,
        line: impl FnOnce(&mut JsonlWriter<BufWriter<File>>) -> Result<(), StoreError>,
        flush: bool,
    ) -> Result<(), Failure> {
        let write = || {
            line(&mut self.writer)?;
            let is_due = match self.flushed {
                None => self.begun.elapsed() >= FIRST_WRITE,
                Some(last) => last.elapsed() >= WRITE_EVERY,
            };
            if flush || is_due {
                self.flushed = Some(Instant::now());
                self.writer.flush()?;
            }
            Ok(())
        };
        write().map_err(|error: StoreError| cannot_write(&self.partial, &error))
    }

    /// Gives the whole file its name, in the place of what was there.
    fn finish(self) -> Result<PathBuf, Failure> {
        let Lines {
            path,
            partial,
            writer,
            ..
        } = self;
        writer
            .finish()
            .map_err(|error| cannot_write(&partial, &error))?;
        let put = || {
            File::open(&partial)?.sync_all()?;
            match Place::of(&path)? {
                Place::File(path) => fs::rename(&partial, path),
                Place::Stream(_) => Err(io::ErrorKind::CrossesDevices.into()),
            }
        };
        match put() {
            // A link leads to another disk, or to what takes bytes: there they are copied.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                write_with(&path, |file| {
                    io::copy(&mut File::open(&partial)?, file).map(drop)
                })?;
                fs::remove_file(&partial)
            }
            put => put,
        }
        .map_err(|error| cannot_write(&path, &error))?;
        Ok(path)
    }
}

impl Parts {
    /// Whether what waits has waited long enough.
    fn is_due(&self) -> bool {
        let after = if self.written.is_empty() {
            FIRST_WRITE
        } else {
            WRITE_EVERY
        };
        self.begun.elapsed() >= after
    }

    /// Makes a part of what has come since the last one.
    fn write(
        &mut self,
        header: &RunHeader,
        facts: &[RunFacts],
        records: &[Record],
    ) -> Result<(), Failure> {
        let path = self
            .folder
            .join(format!("{:06}.parquet", self.written.len()));
        let new_facts = &facts[self.facts_before..];
        let new_records = &records[self.records_before..];
        let part = store::encode_part(header, new_facts, new_records)
            .map_err(|error| cannot_write(&path, &error))?;
        write_atomically(&path, &part)?;
        self.written.push(path);
        self.records_before = records.len();
        self.facts_before = facts.len();
        self.values_waiting = 0;
        self.begun = Instant::now();
        Ok(())
    }

    /// One file of them all; the folder is removed only when that is there.
    fn join(self) -> Result<PathBuf, Failure> {
        let mut parts = self
            .written
            .iter()
            .map(|path| fs::read(path).map(Bytes::from));
        write_with(&self.path, |file| {
            store::merge_parts(&mut parts, file).map_err(io::Error::other)
        })?;
        let _ = fs::remove_dir_all(&self.folder);
        Ok(self.path)
    }
}
