//! Fetches one file, and goes on where it was cut off.

use crate::client::Client;
use crate::listing::INCOMPLETE;
use crate::{HubError, Repo};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName};
use ureq::http::{Response, StatusCode};
use ureq::{Body, BodyReader};

/// How far the download of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name in the repository.
    pub file: &'a str,
    /// Bytes that have arrived, earlier attempts included.
    pub done_bytes: u64,
    /// Bytes of the whole, where the server says so.
    pub total_bytes: Option<u64>,
}

/// One file of a repository, on its way to `target`.
pub(crate) struct Download<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repo: &'a Repo,
    pub(crate) commit: &'a str,
    pub(crate) name: &'a str,
    pub(crate) target: &'a Path,
}

/// What the server sends: bytes from `start` on, of `total`.
struct Incoming {
    start: u64,
    total: Option<u64>,
    body: BodyReader<'static>,
}

impl Download<'_> {
    /// Fetches the file, from where an earlier attempt stopped; a commit never changes, so neither does it.
    ///
    /// The name of the target appears when all is there. Of two processes that fetch the same file, the second
    /// waits for the first.
    pub(crate) fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), HubError> {
        let folder = self.target.parent().unwrap_or(self.target);
        fs::create_dir_all(folder).map_err(HubError::io(folder))?;
        let path = incomplete(self.target);
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(HubError::io(&path))?;
        match file.lock() {
            // A few network file systems have no locks; a cache there must do without.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            other => other.map_err(HubError::io(&path))?,
        }
        if self.target.is_file() {
            return Ok(());
        }
        let have = file.metadata().map_err(HubError::io(&path))?.len();
        let incoming = self.open(have)?;
        file.set_len(incoming.start).map_err(HubError::io(&path))?;
        file.seek(SeekFrom::End(0)).map_err(HubError::io(&path))?;
        self.receive(incoming, &mut file, &path, progress)?;
        file.sync_all().map_err(HubError::io(&path))?;
        fs::rename(&path, self.target).map_err(HubError::io(self.target))
    }

    /// Asks for what is missing; for all of it where the server does not give just that.
    fn open(&self, have: u64) -> Result<Incoming, HubError> {
        if have > 0 {
            let response = self.get(Some(have))?;
            match response.status() {
                StatusCode::OK => return Ok(whole(response)),
                StatusCode::PARTIAL_CONTENT => {
                    if let Some((start, total)) = content_range(&response)
                        && start == have
                    {
                        let body = response.into_body().into_reader();
                        return Ok(Incoming { start, total, body });
                    }
                }
                _ => {}
            }
        }
        self.get(None).map(whole)
    }

    fn get(&self, from: Option<u64>) -> Result<Response<Body>, HubError> {
        let path = self.repo.file_path(self.commit, self.name);
        self.client.get(self.repo, &path, self.name, from)
    }

    fn receive(
        &self,
        mut incoming: Incoming,
        file: &mut File,
        path: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), HubError> {
        let mut done = incoming.start;
        let total = incoming.total;
        let mut buffer = vec![0; 1 << 16];
        let cause = loop {
            progress(Progress {
                file: self.name,
                done_bytes: done,
                total_bytes: total,
            });
            match incoming.body.read(&mut buffer) {
                Ok(0) if total.is_none_or(|total| total == done) => return Ok(()),
                Ok(0) => {
                    break "the server sent another number of bytes than it announced".to_owned();
                }
                Ok(count) => {
                    let bytes = &buffer[..count];
                    file.write_all(bytes).map_err(HubError::io(path))?;
                    done += count as u64;
                }
                Err(error) => break error.to_string(),
            }
        };
        Err(HubError::Interrupted {
            file: self.name.escape_debug().to_string(),
            received: done,
            expected: total.map_or_else(|| "unknown".to_owned(), |total| total.to_string()),
            cause,
        })
    }
}

fn incomplete(target: &Path) -> PathBuf {
    let mut path = OsString::from(target);
    path.push(INCOMPLETE);
    PathBuf::from(path)
}

fn whole(response: Response<Body>) -> Incoming {
    Incoming {
        start: 0,
        total: header(&response, &CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        body: response.into_body().into_reader(),
    }
}

/// `bytes <start>-<end>/<total>`, the total being `*` where it is not known.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = header(response, &CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, total.parse().ok()))
}

fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
