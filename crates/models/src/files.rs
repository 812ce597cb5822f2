//! Files of a model's folder, read within limits.

use crate::ModelsError;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A file of settings. The longest of real models, with a chat template inside, has some 2 MB.
pub(crate) const SETTINGS_BYTES_MAX: usize = 16 << 20;

/// Opens a file whose bytes lie somewhere: to open a pipe would wait for whoever writes to it.
pub(crate) fn open(path: &Path) -> Result<File, ModelsError> {
    let wrong = |error| ModelsError::read(path, error);
    if !std::fs::metadata(path).map_err(wrong)?.is_file() {
        return Err(ModelsError::file(path, "is no regular file"));
    }
    File::open(path).map_err(wrong)
}

/// The bytes of a file that has at most so many.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, ModelsError> {
    let wrong = |error| ModelsError::read(path, error);
    let file = open(path)?;
    let length = file.metadata().map_err(wrong)?.len();
    let mut bytes = Vec::new();
    // It may grow while it is read.
    let most = bytes_max as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() > bytes_max {
        return Err(ModelsError::file(
            path,
            format!("has {length} bytes; at most {bytes_max} are read"),
        ));
    }
    Ok(bytes)
}
