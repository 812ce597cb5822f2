//! The right of one run to its files.

use super::files::Paths;
use super::place::folder;
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

/// Removes `.NAME.PROCESS.partial` of all of the run's names: whoever wrote them is gone.
fn clear(paths: &Paths) {
    let begin = format!(".{}", paths.stem_name());
    let entries = fs::read_dir(folder(&paths.results));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let rest = name.strip_prefix(&begin).unwrap_or_default();
        if rest.starts_with('.') && rest.ends_with(".partial") {
            let _gone = fs::remove_file(entry.path());
        }
    }
}
