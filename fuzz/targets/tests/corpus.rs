//! Every target over its corpus, and over mutations of it that are always the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use targets::{TARGETS, corpus, exercise};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_target_holds_on_its_corpus_and_on_mutations_of_it() {
    let next = AtomicUsize::new(0);
    let failures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let work = || {
        let mut failed = Vec::new();
        while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let folder = fuzz().join("corpus").join(target.name);
            let run = || exercise(target.name, target.run, target.mutations, &folder, failures);
            if let Err(panic) = std::panic::catch_unwind(run) {
                failed.push(*panic.downcast::<String>().unwrap());
            }
        }
        failed
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let failed = working.into_iter().map(|thread| thread.join().unwrap());
        failed.flatten().collect()
    });
    assert_eq!(failed, [""; 0]);
}

#[test]
fn a_target_that_does_not_hold_fails_with_the_path_of_its_input() {
    let folder = fuzz().join("corpus/sse");
    let failures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mutated = |bytes: &[u8]| assert!(corpus(&folder).iter().any(|(_, known)| known == bytes));
    let failed = std::panic::catch_unwind(|| exercise("wrong", mutated, 100, &folder, failures));
    let words = *failed.unwrap_err().downcast::<String>().unwrap();
    let path = words.strip_prefix("`wrong` does not hold on ").unwrap();
    assert!(!fs::read(path).unwrap().is_empty());
    let never = |_: &[u8]| panic!("nothing holds");
    let failed = std::panic::catch_unwind(|| exercise("wrong", never, 0, &folder, failures));
    let words = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(words.contains("corpus/sse"), "{words}");
}

#[test]
fn mutations_are_always_the_same_and_differ_from_what_they_come_from() {
    let inputs = [
        b"data: {\"a\":1}\n\n".to_vec(),
        b"data: [DONE]\n\n".to_vec(),
    ];
    let drawn = || targets::Mutations::new(&inputs, "a").take(1_000);
    let all: BTreeSet<Vec<u8>> = drawn().collect();
    assert!(all.len() > 800, "{} of them", all.len());
    assert!(drawn().eq(drawn()));
    assert!(!drawn().eq(targets::Mutations::new(&inputs, "b").take(1_000)));
}

/// Names of what lies in a folder, without extensions.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

#[test]
fn every_target_is_a_program_of_libfuzzer_and_has_a_small_corpus() {
    let known: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(known.len(), TARGETS.len());
    assert_eq!(names("src/bin"), known);
    assert_eq!(names("corpus"), known);
    for target in TARGETS {
        let inputs = corpus(&fuzz().join("corpus").join(target.name));
        assert!(
            inputs.len() <= 40,
            "{}: {} files",
            target.name,
            inputs.len()
        );
        for (path, bytes) in inputs {
            // The columns of records in Parquet take 13 kB without a row.
            assert!(bytes.len() <= 14 << 10, "{}", path.display());
        }
    }
}
