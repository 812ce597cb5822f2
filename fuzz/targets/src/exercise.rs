//! What the ordinary tests do with a reader: its corpus, and mutations of it.

use crate::Mutations;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The inputs in a folder, by name.
///
/// # Panics
/// The folder cannot be read, or has none.
pub fn corpus(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no input", folder.display());
    let read = |path: PathBuf| (path.clone(), fs::read(&path).unwrap());
    paths.into_iter().map(read).collect()
}

/// Runs a reader over every file of `folder`, and over so many mutations of them. An input on which it panics is
/// written to `failures`.
///
/// # Panics
/// With the path of that input.
pub fn exercise(name: &str, run: impl Fn(&[u8]), mutations: usize, folder: &Path, failures: &Path) {
    let (paths, inputs): (Vec<PathBuf>, Vec<Vec<u8>>) = corpus(folder).into_iter().unzip();
    let holds = |bytes: &[u8]| catch_unwind(AssertUnwindSafe(|| run(bytes))).is_ok();
    for (path, bytes) in paths.iter().zip(&inputs) {
        assert!(holds(bytes), "`{name}` does not hold on {}", path.display());
    }
    for (number, bytes) in Mutations::new(&inputs, name).take(mutations).enumerate() {
        if !holds(&bytes) {
            let path = failures.join(format!("{name}-{number}"));
            fs::write(&path, &bytes).unwrap();
            panic!("`{name}` does not hold on {}", path.display());
        }
    }
}
