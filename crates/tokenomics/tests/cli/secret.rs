//! A key goes to the server and to nothing that the program writes.

use crate::shell::{Shell, provider, words};
use mock::MockConfig;

const KEY: &str = "sk-very-secret";

#[test]
fn a_key_is_sent_and_appears_in_no_output() {
    // Outside of the folder that is searched.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{KEY}\n")).unwrap();
    let file = file.path().to_str().unwrap();
    for (flags, environment, format) in [
        (format!("--api-key {KEY}"), "", "parquet"),
        (format!("--api-key-file {file}"), "", "jsonl"),
        (String::new(), KEY, "jsonl"),
    ] {
        let shell = Shell::new().set("OPENAI_API_KEY", environment);
        let (_server, url) = provider(MockConfig {
            api_key: Some(KEY.to_owned()),
            ..MockConfig::default()
        });
        let command = format!(
            r#"chat --api_base {url} {flags} --header "X-Key: {KEY}" --batch-sizes 2 --num-runs 1
               --max-tokens 2 --records {format} --results-file run.json"#
        );
        let (ran, results) = shell.measure(&command, "run.json");
        let answered = &results["results"]["2"]["reliability"]["success_rate"];
        assert_eq!(answered, 1.0, "{flags:?}");
        assert!(
            !ran.stdout.contains(KEY) && !ran.stderr.contains(KEY),
            "{flags:?}"
        );
        let page = format!("report run.records.{format} --output-format html -o run.html");
        shell.run(&words(&page));
        assert!(shell.read("run.html").contains("How it was measured"));
        no_file_holds_the_key(&shell);
    }
}

#[test]
fn a_key_that_is_refused_appears_in_no_output() {
    let shell = Shell::new();
    let (_server, url) = provider(MockConfig {
        api_key: Some("another".to_owned()),
        ..MockConfig::default()
    });
    let listing = shell.run(&["chat", "--api_base", &url, "--api-key", KEY]);
    assert_eq!(listing.code, Some(1));
    assert!(listing.stderr.contains("status 401"), "{}", listing.stderr);
    let running = shell.run(&["chat", "--api_base", &url, "--api-key", KEY, "--model", "m"]);
    assert_eq!(running.code, Some(4));
    for ran in [listing, running] {
        assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY));
    }
    no_file_holds_the_key(&shell);
}

#[test]
fn the_built_in_server_gets_no_key_of_the_environment() {
    let shell = Shell::new().set("OPENAI_API_KEY", KEY);
    let ran = shell.run(&["chat", "--dry-run"]);
    assert!(!ran.stdout.contains(KEY));
}

fn no_file_holds_the_key(shell: &Shell) {
    let files = shell.files();
    assert!(!files.is_empty());
    for name in files {
        let bytes = std::fs::read(shell.path(&name)).unwrap();
        let found = bytes
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes());
        assert!(!found, "{name}");
    }
}
