//! What is written to: no file, a link, or a file of another run that is still going on, or was killed.

use crate::process::{Process, run, tokenomics, wait_until};
use crate::{Provider, counts, quick, read_json, wait_for_parts};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::{TempDir, tempdir};
use testkit::{Format, Killing, Left, Moment, Whole, slow_tests};

fn chat(folder: &Path, provider: &Provider, flags: &str) -> Command {
    let url = provider.url();
    let mut command = tokenomics(folder, &["chat", "--api-base", &url, "--model", "mock"]);
    command.args("--warmup-runs 0 --no-plot --max-tokens 4".split(' '));
    command.args(flags.split_whitespace());
    command
}

const SMALL: &str = "--max-concurrency 2 --num-prompts 8";

#[test]
fn fault_54_what_is_no_file_takes_what_is_written_and_stays() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let provider = Provider::start(quick());
    let pipe = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(pipe.success());

    // Records would lie beside it: that is said before anything is asked.
    let flags = format!("{SMALL} --results-file pipe");
    let refused = run(chat(folder.path(), &provider, &flags));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--records none"), "{refused:?}");

    let reader = Command::new("cat")
        .arg("pipe")
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let flags = format!("{SMALL} --results-file pipe --records none");
    let measured = run(chat(folder.path(), &provider, &flags));
    assert!(matches!(measured.code, Some(0 | 4)), "{measured:?}");
    let read = reader.wait_with_output().unwrap().stdout;
    let results: serde_json::Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(counts(&results, "2"), [8, 8, 8, 0, 0]);
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(provider.requests(), 8);
}

#[test]
fn fault_54_a_link_is_followed_and_standard_output_is_what_it_is() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let provider = Provider::start(quick());
    fs::create_dir(at("there")).unwrap();
    symlink("there/real.json", at("link.json")).unwrap();
    let flags = format!("{SMALL} --results-file link.json");
    run(chat(folder.path(), &provider, &flags));
    assert!(fs::symlink_metadata(at("link.json")).unwrap().is_symlink());
    assert_eq!(
        counts(&read_json(&at("there/real.json")), "2"),
        [8, 8, 8, 0, 0]
    );

    let report = |words: &str| {
        run(tokenomics(
            folder.path(),
            &words.split(' ').collect::<Vec<_>>(),
        ))
    };
    let plain = report("report link.records.parquet");
    assert_eq!(
        report("report link.records.parquet -o /dev/stdout").stdout,
        plain.stdout
    );
    let nothing = report("report link.records.parquet -o /dev/null");
    assert_eq!((nothing.code, nothing.stdout.as_str()), (plain.code, ""));
    let null = fs::metadata("/dev/null").unwrap().file_type();
    assert!(null.is_char_device());
}

#[test]
fn fault_55_a_second_run_into_the_files_of_another_is_refused_before_it_asks_anything() {
    let folder = tempdir().unwrap();
    let (first_provider, second_provider) = (Provider::start(quick()), Provider::start(quick()));
    let long = "--max-concurrency 2 --num-prompts 100000 --results-file r.json";
    let first = Process::start(chat(folder.path(), &first_provider, long));
    wait_for_parts(&folder.path().join("r.records.parquet.parts"), 1);
    let flags = format!("{SMALL} --results-file r.json");
    let second = run(chat(folder.path(), &second_provider, &flags));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second.stderr.contains("another run is writing r.json"),
        "{second:?}"
    );
    assert_eq!(second_provider.requests(), 0);
    first.signal(Signal::SIGINT);
    assert_eq!(first.end().code, Some(130));
    let names = hidden(&folder);
    assert!(names.is_empty(), "{names:?}");
    let report = run(tokenomics(folder.path(), &["report", "r.json"]));
    assert!(matches!(report.code, Some(0 | 4)), "{report:?}");
}

/// Names that nobody is to see.
fn hidden(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn fault_56_a_run_that_is_killed_leaves_what_was_there_and_what_it_had() {
    for (format, left) in [
        ("jsonl", "r.records.jsonl.partial"),
        ("parquet", "r.records.parquet.parts"),
    ] {
        let folder = tempdir().unwrap();
        let provider = Provider::start(quick());
        let flags = format!("{SMALL} --results-file r.json --records {format}");
        run(chat(folder.path(), &provider, &flags));
        let complete = |file: &str| {
            let ended = run(tokenomics(
                folder.path(),
                &["report", file, "--output-format", "json"],
            ));
            assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
            let results: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            (counts(&results, "2")[2], ended.stderr)
        };
        assert_eq!(complete("r.json").0, 8);

        let long = format!(
            "--max-concurrency 2 --num-prompts 100000 --results-file r.json --records {format}"
        );
        let killed = Process::start(chat(folder.path(), &provider, &long));
        let place = folder.path().join(left);
        if format == "parquet" {
            wait_for_parts(&place, 1);
        }
        wait_until("something is written", || {
            let text = fs::read_to_string(&place);
            (place.is_dir() || text.is_ok_and(|text| text.lines().count() > 2)).then_some(())
        });
        killed.signal(Signal::SIGKILL);
        assert_eq!(killed.end().code, None);
        // The old is as it was, and what is left is named and read.
        let (old, said) = complete("r.json");
        assert_eq!(old, 8);
        assert!(said.contains(left), "{said}");
        assert!(complete(left).0 > 0);
        let again = run(chat(folder.path(), &provider, &flags));
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(again.stderr.contains("that was killed"), "{again:?}");
    }
}

#[test]
fn fault_60_whenever_a_run_is_killed_the_old_is_whole_or_the_new_can_be_read() {
    if !slow_tests() {
        return;
    }
    let provider = Provider::start(quick());
    let url = provider.url();
    let soon = Moment::After(std::time::Duration::from_millis(150));
    for (format, moment) in [
        (Format::Jsonl, soon),
        (Format::Parquet, soon),
        (Format::Jsonl, Moment::Grows),
        (Format::Parquet, Moment::Grows),
        (Format::Jsonl, Moment::Replaced),
        (Format::Parquet, Moment::Records),
    ] {
        let folder = tempdir().unwrap();
        let killing = Killing {
            program: Path::new(env!("CARGO_BIN_EXE_tokenomics")),
            folder: folder.path(),
            api_base: &url,
            format,
        };
        let kill = killing.kill(moment).unwrap();
        assert!(kill.faults.is_empty(), "{format:?} {moment:?}: {kill:?}");
        assert!(!kill.too_late, "{format:?} {moment:?}: {kill:?}");
        if moment == soon {
            assert_eq!(kill.whole, Some(Whole::Old), "{format:?}: {kill:?}");
        } else if (format, moment) == (Format::Jsonl, Moment::Grows) {
            assert!(matches!(kill.left, Left::Records(_)), "{kill:?}");
        } else if moment == Moment::Replaced {
            assert_eq!(kill.whole, Some(Whole::New), "{format:?}: {kill:?}");
        }
    }
}

#[test]
fn fault_61_a_part_that_was_half_written_when_its_run_was_killed_is_nothing_to_keep() {
    let folder = tempdir().unwrap();
    let provider = Provider::start(quick());
    let parts = folder.path().join("r.records.parquet.parts");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join(".000000.parquet.4294967295.partial"), "PAR1").unwrap();
    let flags = format!("{SMALL} --results-file r.json");
    let measured = run(chat(folder.path(), &provider, &flags));
    assert!(matches!(measured.code, Some(0 | 4)), "{measured:?}");
    assert!(!parts.exists());
    let results = read_json(&folder.path().join("r.json"));
    assert_eq!(counts(&results, "2"), [8, 8, 8, 0, 0]);
}

const SCHEDULER: &str = "scheduler --model random:tiny --num-requests 2 --max-new-tokens 4 --warmup-runs 0 \
     --repeat-runs 1 --records none --results-file";

/// A folder on another disk than that of temporary files, where this machine has one.
fn another_disk() -> TempDir {
    let memory = tempfile::Builder::new().tempdir_in("/dev/shm");
    memory.unwrap_or_else(|_| tempdir().unwrap())
}

#[test]
fn fault_62_what_every_verb_writes_goes_through_links_and_into_pipes() {
    let (folder, elsewhere) = (tempdir().unwrap(), another_disk());
    let at = |name: &str| folder.path().join(name);
    let provider = Provider::start(quick());
    // Lines lie beside the link until they are whole.
    symlink(elsewhere.path().join("lines"), at("r.records.jsonl")).unwrap();
    let flags = format!("{SMALL} --results-file r.json --records jsonl");
    let measured = run(chat(folder.path(), &provider, &flags));
    assert!(matches!(measured.code, Some(0 | 4)), "{measured:?}");
    assert!(
        fs::symlink_metadata(at("r.records.jsonl"))
            .unwrap()
            .is_symlink()
    );
    assert!(!at("r.records.jsonl.partial").exists());
    assert!(fs::metadata(elsewhere.path().join("lines")).unwrap().len() > 0);

    let url = provider.url();
    let embed = format!(
        "embedding --api-base {url} --model mock --batch-sizes 2 --sequence-lengths 5 --num-runs 2 --warmup-runs 0 \
         --records none --no-plot --results-file"
    );
    let write = [
        ("report r.json -o", "txt"),
        ("report r.json --output-format html -o", "html"),
        ("report r.json --output-format csv -o", "csv"),
        ("compare r.json r.json --force -o", "txt"),
        ("plot r.json", "svg"),
        ("plot r.json", "png"),
        (SCHEDULER, "json"),
        (&embed, "json"),
    ];
    for (number, (words, extension)) in write.into_iter().enumerate() {
        let (link, real) = (
            format!("link{number}.{extension}"),
            elsewhere.path().join(format!("{number}.{extension}")),
        );
        symlink(&real, at(&link)).unwrap();
        let arguments = |output: &str| -> Vec<String> {
            let words = words.split_whitespace().map(str::to_owned);
            words.chain([output.to_owned()]).collect()
        };
        let start = |output: &str| {
            let arguments = arguments(output);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(tokenomics(folder.path(), &arguments))
        };
        let ended = start(&link);
        assert!(matches!(ended.code, Some(0 | 3 | 4)), "{words}: {ended:?}");
        assert!(fs::metadata(&real).unwrap().len() > 0, "{words}");
        assert!(
            fs::symlink_metadata(at(&link)).unwrap().is_symlink(),
            "{words}"
        );

        let pipe = format!("pipe{number}.{extension}");
        let made = Command::new("mkfifo").arg(at(&pipe)).status().unwrap();
        assert!(made.success());
        let place = at(&pipe);
        let reader = std::thread::spawn(move || fs::read(place));
        let ended = start(&pipe);
        assert!(matches!(ended.code, Some(0 | 3 | 4)), "{words}: {ended:?}");
        let piped = reader.join().unwrap().unwrap();
        assert!(!piped.is_empty(), "{words}");
        let kind = fs::metadata(at(&pipe)).unwrap().file_type();
        assert!(kind.is_fifo(), "{words}");
    }
}
