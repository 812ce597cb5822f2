//! Saved records, found and read.

use crate::args::RecordsFormat;
use crate::failure::Failure;
use crate::input::{memory_left, read};
use crate::output::{Paths, has_records, say, unfinished};
use bytes::Bytes;
use report::{CapacityFile, ForeignResult, ResultFile};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use store::SavedFile;

/// Reads the records at `path`: a file, the folder of parts that a killed run left, or those beside
/// a result file.
pub(crate) fn read_records(path: &Path) -> Result<SavedFile, Failure> {
    if path.is_dir() {
        return read_parts(path);
    }
    if !path.exists()
        && let Some(left) = left_beside(path)
    {
        return Err(Failure::usage(format!(
            "{} is not there: its run was killed, and left {}; give that",
            path.display(),
            left.display()
        )));
    }
    let mut path = path.to_owned();
    let mut bytes = read("the records", &path)?;
    refuse_foreign(&bytes, path.as_path())?;
    if ResultFile::parse(&bytes).is_ok() {
        path = beside(&path)?;
        bytes = read("the records", &path)?;
    }
    store::read(Bytes::from(bytes), memory_left())
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Refuses what only looks like a result file: that of another tool, of a search for a capacity, or of a comparison.
pub(crate) fn refuse_foreign(bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let path = path.display();
    let refused = if let Some(foreign) = ForeignResult::parse(bytes) {
        format!(
            "{path} is a file of {}, which holds no records; `tokenomics report` shows what it says, and `tokenomics chat` \
             measures",
            foreign.tool
        )
    } else if CapacityFile::is_one(bytes) {
        format!("{path} is the file of a search for a capacity, which only `tokenomics plot` reads")
    } else if is_comparison(bytes) {
        format!(
            "{path} is the file of a comparison, which nothing reads back; give the files of what was compared"
        )
    } else {
        return Ok(());
    };
    Err(Failure::usage(refused))
}

fn is_comparison(bytes: &[u8]) -> bool {
    let file: Option<Value> = serde_json::from_slice(bytes).ok();
    let has = |file: &Value, name: &str| file.get(name).is_some();
    file.is_some_and(|file| {
        has(&file, "judgement") && has(&file, "points") || has(&file, "comparisons")
    })
}

/// Whether these are records of ours: Parquet, or lines of which the first is the header.
pub(crate) fn is_records(bytes: &[u8]) -> bool {
    let first = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    match store::Format::detect(bytes) {
        Some(store::Format::Parquet) => true,
        Some(store::Format::Jsonl) => first.starts_with(b"{\"header\""),
        None => false,
    }
}

/// The records that were written with a result file.
fn beside(results: &Path) -> Result<PathBuf, Failure> {
    let paths = Paths::of_results(results);
    let known = ["parquet", "jsonl"].map(|extension| paths.records(extension));
    let found = known.iter().find(|path| path.is_file());
    if let Some(left) = left_beside(results) {
        say(&format!(
            "A later run was killed, and left {}, which `tokenomics report` reads too.",
            left.display()
        ));
    }
    found.cloned().ok_or_else(|| {
        Failure::usage(format!(
            "{} is a result file, which holds no records, and {} is not there; give the records, \
             or measure without --records none",
            results.display(),
            known[0].display()
        ))
    })
}

/// What a killed run left that would have written this result file.
fn left_beside(results: &Path) -> Option<PathBuf> {
    let paths = Paths::of_results(results);
    let formats = [RecordsFormat::Parquet, RecordsFormat::Jsonl].into_iter();
    let mut places = formats.filter_map(|format| Some((format.extension()?, format)));
    places.find_map(|(extension, format)| {
        let left = unfinished(&paths.records(extension), format);
        has_records(&left).then_some(left)
    })
}

fn read_parts(folder: &Path) -> Result<SavedFile, Failure> {
    let refuse =
        |error: &dyn std::error::Error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| refuse(&error))? {
        let path = entry.map_err(|error| refuse(&error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let mut parts = paths.iter().map(|path| {
        read("the records", path)
            .map(Bytes::from)
            .map_err(|error| std::io::Error::other(error.to_string()))
    });
    let run = store::read_parts(&mut parts, memory_left()).map_err(|error| refuse(&error))?;
    Ok(SavedFile {
        run,
        truncated: false,
    })
}
