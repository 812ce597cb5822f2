//! Records are kept for the summary, and written as the run goes, so that a run that is killed
//! keeps what it had.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::output::files::{Paths, write_atomically, write_with};
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{JsonlWriter, StoreError};
use trace::{Record, RunFacts, RunHeader};

/// A part is written when it holds so many records and events, or is so old.
const PART_VALUES: usize = 65_536;
const PART_AGE: Duration = Duration::from_secs(2);

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
    Jsonl {
        path: PathBuf,
        writer: Box<JsonlWriter<BufWriter<File>>>,
        flushed: Instant,
    },
    /// A folder of small whole files, joined into one at the end.
    Parquet(Parts),
}

/// The parts of a Parquet file to be.
pub(crate) struct Parts {
    path: PathBuf,
    folder: PathBuf,
    written: Vec<PathBuf>,
    records_before: usize,
    /// Records and events that came since the last part.
    waiting: usize,
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
                let file = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
                let writer = JsonlWriter::new(BufWriter::new(file), header)
                    .map_err(|error| cannot_write(&path, &error))?;
                Ok(Sink::Jsonl {
                    path,
                    writer: Box::new(writer),
                    flushed: Instant::now(),
                })
            }
            RecordsFormat::Parquet => {
                let path = paths.records("parquet");
                let folder = path.with_added_extension("parts");
                let make = || {
                    if folder.exists() {
                        fs::remove_dir_all(&folder)?;
                    }
                    fs::create_dir_all(&folder)
                };
                make().map_err(|error| cannot_write(&folder, &error))?;
                Ok(Sink::Parquet(Parts {
                    path,
                    folder,
                    written: Vec::new(),
                    records_before: 0,
                    waiting: 0,
                    facts_before: 0,
                    begun: Instant::now(),
                }))
            }
        }
    }
}

fn cannot_write(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

impl Recorder {
    pub(crate) fn new(header: RunHeader, sink: Sink) -> Self {
        Recorder(Arc::new(Mutex::new(Kept {
            header,
            records: Vec::new(),
            facts: Vec::new(),
            sink,
            failed: None,
        })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves the records as they are; they are worth keeping.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, record: Record) {
        let mut kept = self.kept();
        kept.records.push(record);
        kept.write(false);
    }

    pub(crate) fn facts(&self, facts: RunFacts) {
        let mut kept = self.kept();
        if let Sink::Jsonl { path, writer, .. } = &mut kept.sink
            && let Err(error) = writer.facts(&facts)
        {
            let failure = cannot_write(path, &error);
            kept.fail(failure);
        }
        kept.facts.push(facts);
        kept.write(true);
    }

    /// Looks at everything so far.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&RunHeader, &[RunFacts], &[Record]) -> R) -> R {
        let kept = self.kept();
        look(&kept.header, &kept.facts, &kept.records)
    }

    /// Completes the file; its path, where there is one.
    pub(crate) fn finish(&self) -> Result<Option<PathBuf>, Failure> {
        let mut kept = self.kept();
        kept.write(true);
        if let Some(failure) = kept.failed.take() {
            return Err(failure);
        }
        match std::mem::replace(&mut kept.sink, Sink::None) {
            Sink::None => Ok(None),
            Sink::Jsonl { path, writer, .. } => {
                writer
                    .finish()
                    .map_err(|error| cannot_write(&path, &error))?;
                Ok(Some(path))
            }
            Sink::Parquet(parts) => parts.join().map(Some),
        }
    }
}

impl Kept {
    /// Writes what has come since, if it is enough, or in any case where `now`.
    fn write(&mut self, now: bool) {
        let outcome = match &mut self.sink {
            Sink::None => Ok(()),
            Sink::Jsonl {
                path,
                writer,
                flushed,
            } => write_line(writer, self.records.last().filter(|_| !now), now, flushed)
                .map_err(|error| cannot_write(path, &error)),
            Sink::Parquet(parts) => parts.write(&self.header, &self.facts, &self.records, now),
        };
        if let Err(failure) = outcome {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.sink = Sink::None;
        self.failed.get_or_insert(failure);
    }
}

fn write_line(
    writer: &mut JsonlWriter<BufWriter<File>>,
    record: Option<&Record>,
    now: bool,
    flushed: &mut Instant,
) -> Result<(), StoreError> {
    if let Some(record) = record {
        writer.record(record)?;
    }
    if now || flushed.elapsed() >= PART_AGE {
        *flushed = Instant::now();
        writer.flush()?;
    }
    Ok(())
}

impl Parts {
    fn write(
        &mut self,
        header: &RunHeader,
        facts: &[RunFacts],
        records: &[Record],
        now: bool,
    ) -> Result<(), Failure> {
        let new_records = &records[self.records_before..];
        self.waiting += records.last().map_or(0, |record| 1 + record.events.len());
        let new_facts = &facts[self.facts_before..];
        let due = now || self.waiting >= PART_VALUES || self.begun.elapsed() >= PART_AGE;
        if !due || (new_records.is_empty() && new_facts.is_empty()) {
            return Ok(());
        }
        let path = self
            .folder
            .join(format!("{:06}.parquet", self.written.len()));
        let part = store::encode_part(header, new_facts, new_records)
            .map_err(|error| cannot_write(&path, &error))?;
        write_atomically(&path, &part)?;
        self.written.push(path);
        self.records_before = records.len();
        self.waiting = 0;
        self.facts_before = facts.len();
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
