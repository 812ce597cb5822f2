use mock::{MockConfig, MockHandle};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// One measurement at a time: two on one machine would measure each other.
static MEASURING: Mutex<()> = Mutex::new(());

/// Reasons against a measurement that a busy machine or a debug build gives, and no fault of what is
/// tested here.
const BUSY_MACHINE: [&str; 9] = [
    "client_lag",
    "client_starved",
    "concurrency_not_reached",
    "cpu_stolen",
    "cpu_throttled",
    "load_not_delivered",
    "processors_shared",
    "receiver_saturated",
    "timer_late",
];

/// An empty folder to work in, and an environment with nothing in it but what is set here.
pub(crate) struct Shell {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        Shell {
            folder,
            environment: vec![("HOME", home)],
        }
    }

    pub(crate) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The paths of all files in the folder and below, relative to it and sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(self.folder.path()).unwrap();
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// Runs a command that measures nothing.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_tokenomics"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .output()
            .unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that measures, while no other one does.
    pub(crate) fn run_alone(&self, arguments: &[&str]) -> Ran {
        let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
        self.run(arguments)
    }

    /// Runs a command that measures and leaves `results`, whose verdict the exit code must tell: 0
    /// where the measurement can be used, and 4 where this machine was too busy for one.
    pub(crate) fn measure(&self, line: &str, results: &str) -> (Ran, Value) {
        self.measure_with(&words(line), results)
    }

    /// The same of arguments that have blanks in them.
    pub(crate) fn measure_with(&self, arguments: &[&str], results: &str) -> (Ran, Value) {
        let ran = self.run_alone(arguments);
        assert!(
            matches!(ran.code, Some(0 | 4)),
            "{:?}: {}",
            ran.code,
            ran.stderr
        );
        let file = self.json(results);
        let verdict = &file["verdict"];
        let invalid = verdict["grade"] == "invalid";
        assert_eq!(ran.code, Some(if invalid { 4 } else { 0 }), "{verdict}");
        for reason in verdict["reasons"].as_array().unwrap() {
            let code = reason["code"].as_str().unwrap();
            assert!(
                reason["grade"] != "invalid" || BUSY_MACHINE.contains(&code),
                "{reason}"
            );
        }
        (ran, file)
    }

    /// What a terminal shows of these commands, exit codes included.
    pub(crate) fn transcript<'a>(
        &self,
        commands: impl IntoIterator<Item = &'a [&'a str]>,
    ) -> String {
        let mut text = String::new();
        for arguments in commands {
            let typed: Vec<String> = arguments.iter().map(|argument| typed(argument)).collect();
            let ran = self.run(arguments);
            write!(
                text,
                "$ tokenomics {}\n{}{}",
                typed.join(" "),
                ran.stdout,
                ran.stderr
            )
            .unwrap();
            writeln!(text, "exit code {}\n", ran.code.unwrap()).unwrap();
        }
        text.trim_end().to_owned()
    }
}

/// The words of a line, as a shell would split it; quotes keep words together.
pub(crate) fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (number, piece) in line.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(piece);
        } else {
            words.extend(piece.split_whitespace());
        }
    }
    words
}

/// An argument as it would be typed, with what cannot be seen made visible.
fn typed(argument: &str) -> String {
    if argument.is_empty() || argument.contains(|c: char| c.is_whitespace() || c.is_control()) {
        format!("'{}'", argument.escape_debug())
    } else {
        argument.to_owned()
    }
}

/// A provider that answers at once and then every 2 ms, and its base URL.
pub(crate) fn provider(config: MockConfig) -> (MockHandle, String) {
    let config = MockConfig {
        ttft: Duration::from_millis(5).into(),
        itl: Duration::from_millis(2).into(),
        ..config
    };
    let server = mock::spawn(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config, None).unwrap();
    let url = format!("http://{}/v1", server.addr());
    (server, url)
}
