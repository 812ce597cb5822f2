//! Files of flags that somebody wrote or damaged, over `tests/configurations` and mutations of it.

use super::{Args, explained, with_config_file, with_scenario};
use clap::Parser;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

fn exercise(name: &str, mutations: usize, run: impl Fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configurations");
    // Kept only where an input in it is to be seen.
    let failures = tempfile::tempdir().unwrap().keep();
    let text = |bytes: &[u8]| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            run(text);
        }
    };
    targets::exercise(name, text, mutations, &folder, &failures);
    std::fs::remove_dir_all(failures).unwrap();
}

fn typed(line: &[&str]) -> Vec<OsString> {
    line.iter().map(Into::into).collect()
}

#[test]
fn any_file_of_flags_is_flags_or_is_refused_by_its_name() {
    exercise("config", 2_000, |file| {
        let line = typed(&["tokenomics", "chat", "--config=run.toml", "--seed=3"]);
        match with_config_file(line.clone(), |_| Ok(file.to_owned())) {
            Ok(flags) => assert!(flags.starts_with(&line[..2]) && flags.ends_with(&line[2..])),
            Err(failure) => assert!(failure.to_string().contains("run.toml"), "{failure}"),
        }
    });
}

#[test]
fn any_scenario_is_flags_and_phases_or_is_refused_by_its_name() {
    let year = Duration::from_hours(366 * 24);
    exercise("scenario", 500, |file| {
        let line = typed(&["tokenomics", "mock", "--scenario=s.toml"]);
        match with_scenario(line.clone(), |_| Ok(file.to_owned())) {
            Ok((flags, phases)) => {
                assert!(flags.starts_with(&line[..2]) && flags.ends_with(&line[2..]));
                assert!(phases.iter().all(|phase| phase.from <= year));
            }
            Err(failure) => assert!(failure.to_string().contains("s.toml"), "{failure}"),
        }
    });
}

#[test]
fn whatever_stands_behind_flags_is_taken_or_refused_with_words() {
    exercise("flags", 150, |file| {
        let line = typed(&["tokenomics", "chat", "--config=run.toml"]);
        let Ok(flags) = with_config_file(line, |_| Ok(file.to_owned())) else {
            return;
        };
        if let Err(error) = Args::try_parse_from(&flags) {
            let words = explained(&error, &flags).map_or(error.to_string(), |why| why.to_string());
            assert!(!words.trim().is_empty());
        }
    });
}
