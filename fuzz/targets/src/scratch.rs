//! Bytes as a file, for readers that take a path.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

thread_local! {
    /// One folder for all inputs of a thread: to make one takes longer than to read most of them.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Writes `bytes` as the file `name` of a folder that has nothing else of use, and hands that folder over.
pub(crate) fn with_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a temporary folder"));
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a temporary file");
        let result = read(folder.path());
        fs::remove_file(&path).expect("a temporary file");
        result
    })
}
