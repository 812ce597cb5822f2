//! Files that flags name: read to a limit, and never to an end that there is not.

pub(crate) mod json_size;

use crate::failure::Failure;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Reads a file that a flag names; a pipe too, and nothing that has no end. A description in JSON whose values would take
/// more memory than there is is refused before it is parsed.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read {flag} {}: {error}; check the path",
            path.display()
        ))
    })
}

/// Memory for what is made of a file: what is left, but for an eighth of it.
pub(crate) fn memory_left() -> u64 {
    let left = process::memory_left().unwrap_or(u64::MAX);
    left - left / 8
}

/// The same, for who has words of its own for what went wrong.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let most = READ_MAX.min(process::memory().unwrap_or(u64::MAX) / 4);
    // Bytes that grow are in memory twice for a moment.
    let most = most.min(memory_left() / 2);
    let bytes = read_at_most(path, most)?;
    json_size::check(&bytes, memory_left()).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The same, as text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bounded(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// No file that a benchmark reads is larger.
const READ_MAX: u64 = 16 << 30;

/// Whoever types into a terminal types less, and another device of characters has no end, or nothing.
const DEVICE_READ_MAX: u64 = 1 << 20;

fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let found = file.metadata()?;
    let is_device = found.file_type().is_char_device();
    let most = if is_device {
        most.min(DEVICE_READ_MAX)
    } else {
        most
    };
    let what = if is_device {
        "it is a device, and"
    } else {
        "it"
    };
    let too_long = || io::Error::other(format!("{what} has more than {} MiB", most >> 20));
    if found.len() > most {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    // Of a file whose length is known no byte is copied twice.
    bytes
        .try_reserve_exact(usize::try_from(found.len()).unwrap_or(0))
        .map_err(|_| too_long())?;
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::read_at_most;
    use std::path::Path;

    #[test]
    fn bad_input_51_a_file_without_end_is_read_to_a_limit_and_refused() {
        let error = read_at_most(Path::new("/dev/zero"), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is a device, and has more than 1 MiB");
        assert!(
            read_at_most(Path::new("/dev/null"), 3 << 20)
                .unwrap()
                .is_empty()
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len((3 << 20) + 1).unwrap();
        let error = read_at_most(file.path(), 3 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 3 MiB");
    }
}
