//! The program against faults: of the server, of the machine, of whoever starts it.

mod certificate;
mod engine;
mod files;
mod gateway;
mod launch;
mod outputs;
mod ports;
mod process;
mod questions;
mod server;
mod signals;
mod starvation;

use mock::{MockConfig, MockHandle, spawn};
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Tokens after 5 ms, and then every millisecond.
fn quick() -> MockConfig {
    MockConfig {
        ttft: Duration::from_millis(5).into(),
        itl: Duration::from_millis(1).into(),
        ..MockConfig::default()
    }
}

/// A mock provider in this process, and its truth log as it is written.
struct Provider {
    mock: MockHandle,
    log: Receiver<Vec<u8>>,
}

impl Provider {
    fn start(config: MockConfig) -> Self {
        let (sender, log) = channel();
        let truth: Box<dyn Write + Send> = Box::new(Log(sender));
        let mock = spawn("127.0.0.1:0".parse().unwrap(), config, Some(truth)).unwrap();
        Provider { mock, log }
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.mock.addr())
    }

    /// Stops it; the completion requests that it saw.
    fn requests(self) -> usize {
        self.mock.stop().unwrap();
        let log: Vec<u8> = self.log.into_iter().flatten().collect();
        mock::read_truth(&log[..]).unwrap().len()
    }
}

struct Log(Sender<Vec<u8>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until a run has written so many parts of its records; how many it has then. The first
/// one comes with the end of a run, or after two seconds.
fn wait_for_parts(folder: &Path, parts: usize) -> usize {
    process::wait_until("parts are written", || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let whole =
            entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "parquet"));
        Some(whole.count()).filter(|&written| written >= parts)
    })
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// How the requests of the point `key` ended: planned, issued, complete, failed, cancelled.
fn counts(results: &Value, key: &str) -> [u64; 5] {
    let reliability = &results["results"][key]["reliability"];
    ["planned", "issued", "complete", "failed", "cancelled"]
        .map(|name| reliability[name].as_u64().unwrap())
}

fn reason_codes(results: &Value) -> Vec<&str> {
    let reasons = results["verdict"]["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}
