//! A client that does not get the processor it needs.

use crate::process::{run, tokenomics};
use crate::read_json;
use crate::server::mock_process;
use std::process::{Child, Command};
use tempfile::tempdir;

/// Processes that keep processors busy until this is dropped.
struct Burners(Vec<Child>);

impl Burners {
    fn light(count: usize) -> Self {
        let burner = |_| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "while :; do :; done"]).spawn().unwrap()
        };
        Burners((0..count).map(burner).collect())
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for burner in &mut self.0 {
            let _ = burner.kill();
            let _ = burner.wait();
        }
    }
}

#[test]
fn fault_29_cpu_burners_beside_us_make_the_verdict_say_so() {
    if !testkit::slow_tests() {
        return;
    }
    let folder = tempdir().unwrap();
    // Two for each processor, so that none is left alone.
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let burners = Burners::light(4.max(2 * processors));
    // A server whose own timing is known, so that whatever is late is late for the burners; a process of its own, so that
    // they are none of its work.
    let (_mock, url) = mock_process(folder.path(), &["--ttft-ms", "50", "--itl-ms", "10"]);
    let measure = [
        "chat",
        "--api-base",
        &url,
        "--max-concurrency",
        "256",
        "--num-prompts",
        "1024",
        "--max-tokens",
        "64",
        "--results-file",
        "r.json",
        "--no-plot",
    ];
    let ended = run(tokenomics(folder.path(), &measure));
    drop(burners);
    let results = read_json(&folder.path().join("r.json"));
    let verdict = &results["verdict"];
    let reasons = verdict["reasons"].as_array().unwrap();
    assert!(
        reasons
            .iter()
            .any(|reason| reason["code"] == "processors_shared"),
        "{verdict}"
    );
    assert_eq!(verdict["grade"], "invalid", "{verdict}");
    assert_eq!(ended.code, Some(4), "{ended:?}");
}
