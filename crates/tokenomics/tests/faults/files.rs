//! Places that cannot be written to, and disks that are full.

use crate::process::{run, tokenomics, tokenomics_after};
use crate::{Provider, quick};
use std::fs;
use tempfile::tempdir;

#[test]
fn fault_36_a_disk_full_at_writing_leaves_the_old_file_and_names_the_path() {
    let folder = tempdir().unwrap();
    let results = folder.path().join("r.json");
    for records in ["none", "jsonl", "parquet"] {
        let provider = Provider::start(quick());
        fs::write(&results, "old").unwrap();
        let measure = [
            "chat",
            "--api-base",
            &provider.url(),
            "--batch-sizes",
            "2",
            "--max-tokens",
            "4",
            "--results-file",
            "r.json",
            "--records",
            records,
            "--no-plot",
        ];
        // Files may have a block at most; a longer write fails, as it does on a full disk.
        let quota = "trap '' XFSZ && ulimit -f 1";
        let ended = run(tokenomics_after(quota, folder.path(), &measure));
        assert_eq!(ended.code, Some(1), "{records}: {ended:?}");
        assert!(ended.stderr.contains("cannot write r."), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&results).unwrap(), "old");
        let leftovers = fs::read_dir(folder.path()).unwrap().flatten();
        let names: Vec<_> = leftovers.map(|entry| entry.file_name()).collect();
        assert!(
            names
                .iter()
                .all(|name| !name.to_string_lossy().starts_with('.')),
            "{names:?}"
        );
    }
}

/// Measures with those flags; what is said, after nothing was asked of the server.
fn refused(prepare: impl FnOnce(&std::path::Path), flags: &[&str]) -> String {
    let folder = tempdir().unwrap();
    prepare(folder.path());
    let provider = Provider::start(quick());
    let url = provider.url();
    let mut arguments = vec![
        "chat",
        "--api-base",
        &url,
        "--model",
        "mock",
        "--batch-sizes",
        "2",
    ];
    arguments.extend(flags);
    let ended = run(tokenomics(folder.path(), &arguments));
    assert_eq!(ended.code, Some(1), "{flags:?}: {ended:?}");
    assert_eq!(provider.requests(), 0, "{flags:?}");
    ended.stderr
}

#[test]
fn fault_37_a_result_path_that_cannot_be_written_is_refused_before_the_first_request() {
    let said = refused(
        |folder| fs::create_dir(folder.join("r.json")).unwrap(),
        &["--results-file", "r.json"],
    );
    assert!(said.contains("cannot write r.json"), "{said}");
    let said = refused(
        |folder| fs::write(folder.join("file"), "").unwrap(),
        &["--results-file", "file/r.json"],
    );
    assert!(said.contains("file/r.json"), "{said}");
}

#[test]
fn fault_37_an_output_path_that_cannot_be_written_is_refused_before_the_first_request() {
    let said = refused(
        |folder| fs::write(folder.join("file"), "").unwrap(),
        &["--results-file", "r.json", "-o", "file/out.txt"],
    );
    assert!(said.contains("file/out.txt"), "{said}");
}

#[test]
fn fault_37_records_that_cannot_be_written_are_refused_before_the_first_request() {
    for (format, name) in [
        ("jsonl", "r.records.jsonl"),
        ("parquet", "r.records.parquet"),
    ] {
        let said = refused(
            |folder| fs::create_dir(folder.join(name)).unwrap(),
            &["--results-file", "r.json", "--records", format],
        );
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn fault_37_a_plot_that_cannot_be_written_is_refused_before_the_first_request() {
    let said = refused(
        |folder| fs::create_dir(folder.join("r.png")).unwrap(),
        &["--results-file", "r.json"],
    );
    assert!(said.contains("r.png"), "{said}");
}
