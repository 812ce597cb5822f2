//! The folder of one repository in the cache.

use crate::listing::{Choose, INCOMPLETE, Listing, is_commit};
use crate::{HubError, Repo};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of one repository in the cache.
#[derive(Debug)]
pub(crate) struct RepoCache<'a> {
    repo: &'a Repo,
    folder: PathBuf,
}

impl<'a> RepoCache<'a> {
    pub(crate) fn new(cache: &Path, repo: &'a Repo) -> Self {
        Self {
            repo,
            folder: cache.join(repo.folder()),
        }
    }

    /// The files asked for, where all of them are there.
    ///
    /// What all of them are is in the listing that this crate keeps. `huggingface_hub` keeps none: of its
    /// snapshots, the files that are there count as all.
    pub(crate) fn files(&self, choose: Choose<'_>) -> Result<Option<Vec<PathBuf>>, HubError> {
        let Some(commit) = read(&self.branch())? else {
            return Ok(None);
        };
        let commit = commit.trim();
        if !is_commit(commit) {
            return Ok(None);
        }
        let names = if let Some(json) = read(&self.listing(commit))? {
            // One that cannot be read is fetched again.
            let Ok(listing) = Listing::parse(json.as_bytes(), self.repo, "the cache") else {
                return Ok(None);
            };
            choose(&listing.names())
        } else {
            let names = self.names(commit)?;
            choose(&names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let files: Vec<PathBuf> = names.iter().map(|name| self.file(commit, name)).collect();
        let whole = !files.is_empty() && files.iter().all(|file| file.is_file());
        Ok(whole.then_some(files))
    }

    /// Where a file is, or will be.
    pub(crate) fn file(&self, commit: &str, name: &str) -> PathBuf {
        self.snapshot(commit).join(name)
    }

    /// Makes a listing known. Called before its files are fetched, so that a part of them is not taken for all.
    pub(crate) fn keep_listing(&self, listing: &Listing) -> Result<(), HubError> {
        let path = self.listing(&listing.commit);
        let json = serde_json::to_vec(listing).map_err(|error| HubError::Io {
            path: path.clone(),
            source: error.into(),
        })?;
        write(&path, &json)
    }

    /// Makes a commit the one that the branch is at. Called when its files are there.
    pub(crate) fn keep_commit(&self, commit: &str) -> Result<(), HubError> {
        write(&self.branch(), commit.as_bytes())
    }

    fn branch(&self) -> PathBuf {
        self.folder.join("refs").join(self.repo.revision())
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    fn listing(&self, commit: &str) -> PathBuf {
        self.folder.join("listings").join(commit)
    }

    /// The names of the files in a snapshot, sorted.
    fn names(&self, commit: &str) -> Result<Vec<String>, HubError> {
        let snapshot = self.snapshot(commit);
        let mut names = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(prefix) = folders.pop() {
            let folder = snapshot.join(&prefix);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(HubError::io(&folder))?,
            };
            for entry in entries {
                let entry = entry.map_err(HubError::io(&folder))?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let name = format!("{prefix}{name}");
                // Of the entry itself: files may be links into `blobs`, but a link to a folder might go in circles.
                let kind = entry.file_type().map_err(HubError::io(&folder))?;
                if kind.is_dir() {
                    folders.push(format!("{name}/"));
                } else if !name.ends_with(INCOMPLETE) {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

fn read(path: &Path) -> Result<Option<String>, HubError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(HubError::io(path)(error)),
    }
}

/// Writes a small file so that a reader sees the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::io(folder))?;
    let mut temporary = OsString::from(path);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, bytes).map_err(HubError::io(&temporary))?;
    fs::rename(&temporary, path).map_err(HubError::io(path))
}
