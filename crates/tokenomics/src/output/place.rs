//! Where a path that was typed leads: to a file, or to a device, a pipe or a socket, which takes bytes and is not replaced.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Links that lead to links: as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// What is at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file, or nothing yet, by the name that no link stands for.
    File(PathBuf),
    /// Something that takes bytes as they come.
    Stream(PathBuf),
}

impl Place {
    /// Follows links. Folders and disks are refused.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut at = path.to_owned();
        for _ in 0..LINKS_MAX {
            let kind = match fs::symlink_metadata(&at) {
                Ok(there) => there.file_type(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::File(at)),
                Err(error) => return Err(error),
            };
            if kind.is_file() {
                return Ok(Self::File(at));
            }
            if kind.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if kind.is_block_device() {
                return Err(io::Error::other("it is a disk"));
            }
            // A link to what a process has open says no name, and what it has open is written to as it is.
            if !kind.is_symlink() || is_open_already(&at) {
                return Ok(Self::Stream(at));
            }
            at = folder(&at).join(fs::read_link(&at)?);
        }
        Err(io::Error::other("its links lead nowhere"))
    }

    /// Opens what takes bytes. Our own standard streams are taken as they are, so that what was printed before stays.
    pub(crate) fn open_stream(path: &Path) -> io::Result<File> {
        let own = |name: &str| {
            let open = fs::canonicalize(folder(path)).is_ok_and(|at| at == own_streams());
            open && path.file_name().is_some_and(|number| number == name)
        };
        let descriptor = if own("1") {
            io::stdout().as_fd().try_clone_to_owned()?
        } else if own("2") {
            io::stderr().as_fd().try_clone_to_owned()?
        } else {
            return OpenOptions::new().write(true).open(path);
        };
        Ok(File::from(descriptor))
    }
}

/// `/proc/N/fd/…`, by whatever name.
fn is_open_already(path: &Path) -> bool {
    let at = fs::canonicalize(folder(path)).unwrap_or_default();
    at.starts_with("/proc") && at.ends_with("fd")
}

fn own_streams() -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd", std::process::id()))
}

/// The folder that a path is in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn a_link_is_followed_to_the_file_that_it_stands_for_there_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink(at("c"), at("b")).unwrap();
        assert_eq!(Place::of(&at("a")).unwrap(), Place::File(at("c")));
        std::fs::write(at("c"), "old").unwrap();
        assert_eq!(Place::of(&at("a")).unwrap(), Place::File(at("c")));
        symlink(at("loop"), at("loop")).unwrap();
        assert!(Place::of(&at("loop")).is_err());
        assert!(Place::of(folder.path()).is_err());
    }

    #[test]
    fn devices_and_standard_streams_take_bytes_as_they_come() {
        for path in ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/2"] {
            let place = Place::of(Path::new(path)).unwrap();
            assert!(matches!(place, Place::Stream(_)), "{path}: {place:?}");
        }
    }
}
