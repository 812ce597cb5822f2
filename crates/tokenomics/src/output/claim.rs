//! The right of one run to its files.

use super::config::OutputConfig;
use super::files::{Paths, cannot_write};
use super::place::{Place, folder};
use crate::failure::Failure;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Nobody else writes the files of a run while this lives, or the process that holds it, however that ends.
#[derive(Debug)]
pub(crate) struct Claim {
    lock: PathBuf,
    _held: File,
}

impl Claim {
    /// Takes it, and clears away what a killed run left half written under its hidden names.
    pub(crate) fn take(paths: &Paths) -> Result<Self, Failure> {
        let lock = paths.hidden("lock");
        let cannot = |error: io::Error| {
            Failure::failed(format!(
                "cannot write {}: {error}; choose another place for it",
                lock.display()
            ))
        };
        // Whoever held it before may have removed the file that we opened.
        loop {
            let file = File::create(&lock).map_err(cannot)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::failed(format!(
                        "another run is writing {}; wait for it, or choose another --results-file",
                        paths.results.display()
                    )));
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
            if is_at(&file, &lock) {
                clear(paths);
                return Ok(Claim { lock, _held: file });
            }
        }
    }
}

impl Paths {
    /// Makes sure, before anything is measured, that everything can be written, and that nobody else writes it.
    pub(crate) fn claim(&self, output: &OutputConfig) -> Result<Option<Claim>, Failure> {
        self.check(output)?;
        let place =
            Place::of(&self.results).map_err(|error| cannot_write(&self.results, &error))?;
        match place {
            Place::File(_) => Claim::take(self).map(Some),
            Place::Stream(_) if output.plot || output.records.extension().is_some() => {
                // Not every verb has the flag of what it never draws.
                let plot = if output.plot { " --no-plot" } else { "" };
                Err(Failure::usage(format!(
                    "{} is no file that others of a run could lie beside; add --records none{plot}",
                    self.results.display()
                )))
            }
            Place::Stream(_) => Ok(None),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is held: nobody else's is removed.
        let _gone = fs::remove_file(&self.lock);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let same = || Some(file.metadata().ok()?.ino() == fs::metadata(path).ok()?.ino());
    same().unwrap_or(false)
}

/// Removes `.NAME.PROCESS.partial` of all of the run's names whose process is gone: a run beside ours may have a name that
/// begins like ours.
fn clear(paths: &Paths) {
    let begin = format!(".{}.", paths.stem_name());
    let entries = fs::read_dir(folder(&paths.results));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(&begin));
        let Some(rest) = name.and_then(|rest| rest.strip_suffix(".partial")) else {
            continue;
        };
        let writer = rest.rsplit('.').next().unwrap_or_default();
        let is_gone = || !Path::new("/proc").join(writer).exists();
        if writer.parse::<u32>().is_ok() && is_gone() {
            let _gone = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Claim;
    use crate::output::files::Paths;

    #[test]
    fn what_a_dead_run_left_half_written_is_cleared_away_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let living = format!(".x.v2.json.{}.partial", std::process::id());
        for name in [
            ".x.json.4294967295.partial",
            &living,
            ".y.json.4294967295.partial",
        ] {
            std::fs::write(at(name), "half").unwrap();
        }
        let claim = Claim::take(&Paths::of_results(&at("x.json"))).unwrap();
        assert!(!at(".x.json.4294967295.partial").exists());
        assert!(at(&living).exists() && at(".y.json.4294967295.partial").exists());
        drop(claim);
        assert!(!at(".x.lock").exists());
    }
}
