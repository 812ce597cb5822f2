//! The AIME problems, from a hub of our own.

use crate::shell::{Shell, provider};
use mock::MockConfig;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

pub(crate) const SEED_PROBLEMS: &str = "ID,Year,Problem Number,Question,Answer,Part\n\
                                        1983-1,1983,1,\"Find $x$, if $x + 1 = 2$.\",1,\n\
                                        1983-2,1983,2,Find $y$.,2,\n";

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub that has the AIME data set and nothing else, and its address. It ends with the process.
pub(crate) fn serving(problems: &'static str) -> (JoinHandle<()>, String) {
    hub(move |path| answer(path, problems).map(String::into_bytes))
}

/// A hub that answers paths, and its address. It ends with the process.
pub(crate) fn hub(
    answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static,
) -> (JoinHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let asked = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = answer(asked.split(' ').nth(1).unwrap_or_default());
            let status = if body.is_some() { 200 } else { 404 };
            let body = body.unwrap_or_default();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // A client that has seen enough may be gone.
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    };
    (thread::spawn(serve), endpoint)
}

fn answer(path: &str, problems: &str) -> Option<String> {
    let data_set = "gneubig/aime-1983-2024";
    if path == format!("/api/datasets/{data_set}/revision/main") {
        let files = r#"[{"rfilename": "README.md"}, {"rfilename": "AIME_Dataset_1983_2024.csv"}]"#;
        return Some(format!(r#"{{"sha": "{COMMIT}", "siblings": {files}}}"#));
    }
    let file = format!("/datasets/{data_set}/resolve/{COMMIT}/AIME_Dataset_1983_2024.csv");
    (path == file).then(|| problems.to_owned())
}

#[test]
fn aime_problems_come_from_the_hub_once_and_from_its_cache_then() {
    let (_hub, endpoint) = serving(SEED_PROBLEMS);
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    let (_server, url) = provider(MockConfig::default());
    let command = format!(
        "chat --api-base {url} --dataset_key aime \
         --batch-sizes 2 --max-tokens 2 --results-file run.json"
    );
    let (ran, results) = shell.measure(&command, "run.json");
    assert!(
        ran.stderr.contains("Fetching AIME_Dataset_1983_2024.csv"),
        "{}",
        ran.stderr
    );
    assert_eq!(results["metadata"]["dataset_key"], "aime");

    let offline = Shell::new()
        .set("HF_HOME", shell.path("hf").display().to_string())
        .set("HF_HUB_OFFLINE", "1");
    let ran = offline.run(&["chat", "--dataset_key", "aime", "--dry-run"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn without_a_network_the_way_out_is_named() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let shell = Shell::new().set("HF_ENDPOINT", nobody).set("HF_HOME", "hf");
    let ran = shell.run(&["chat", "--dataset_key", "aime"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr
            .starts_with("error: cannot get the AIME problems: http://127.0.0.1:")
    );
    assert!(
        ran.stderr.contains("--dataset-key math needs no network"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn a_data_set_that_changed_its_columns_says_which_there_are() {
    let (_hub, endpoint) = serving("ID,Text\n1,Find it.\n");
    let shell = Shell::new()
        .set("HF_ENDPOINT", endpoint)
        .set("HF_HOME", "hf");
    let ran = shell.run(&["chat", "--dataset_key", "aime", "--dry-run"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("`ID`, `Text`"), "{}", ran.stderr);
}
