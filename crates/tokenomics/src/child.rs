//! Children of ours: started behind a guard, known to listen themselves, and asked why they ended.

use crate::config::Secrets;
use crate::failure::Failure;
use crate::output::say;
use process::{Child, ChildSpec, Guard, Listener, Log};
use std::time::{Duration, Instant};

/// Between two looks at a child that starts.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Between two words to who waits: a large model takes minutes to load.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// A child that answers with errors for so long will not stop doing so.
const ANSWERS_WRONGLY: Duration = Duration::from_secs(5);

/// As much of a log's last line is shown.
const LAST_MAX: usize = 100;

/// Lines of a log that an error shows.
const TAIL: usize = 15;

/// A child that shall listen on a port.
pub(crate) struct Watched {
    child: Child,
    port: u16,
    /// The flag that chooses the port, for errors.
    port_flag: &'static str,
    secrets: Secrets,
}

/// What came of asking a child.
pub(crate) enum Probe {
    /// It answers as it must.
    Ready,
    /// Nobody answers.
    Silent,
    /// It answers wrongly, in these words.
    Wrong(String),
}

impl Watched {
    /// Starts it, unless its port is taken. `on_end` is told when it has ended.
    pub(crate) fn start(
        spec: &ChildSpec,
        (port, port_flag): (u16, &'static str),
        log: Log<'_>,
        secrets: Secrets,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Failure> {
        if let Listener::Stranger(owner) = process::listener(port, &[]) {
            return Err(taken(port, port_flag, owner));
        }
        let guard = Guard {
            program: std::env::current_exe()
                .map_err(|error| Failure::failed(format!("cannot find this program: {error}")))?,
            args: vec!["guard".to_owned(), "--".to_owned()],
        };
        let child = Child::start(spec, &guard, log, on_end).map_err(Failure::failed)?;
        Ok(Watched {
            child,
            port,
            port_flag,
            secrets,
        })
    }

    /// Its processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.child.processes()
    }

    /// Asks it until it is ready, or until that is hopeless.
    pub(crate) async fn wait_until_ready(
        &self,
        timeout: Duration,
        mut ask: impl AsyncFnMut() -> Probe,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut wrong_since: Option<Instant> = None;
        let mut said = begun;
        let mut last = "it did not accept a connection".to_owned();
        loop {
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            let probe = match process::listener(self.port, &self.processes()) {
                Listener::Stranger(owner) => return Err(taken(self.port, self.port_flag, owner)),
                Listener::Nobody => Probe::Silent,
                Listener::Ours => ask().await,
            };
            match probe {
                Probe::Ready => return Ok(()),
                Probe::Silent => {}
                Probe::Wrong(words) => {
                    last = format!("its last answer was {}", self.secrets.redact(&words));
                    let since = *wrong_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > ANSWERS_WRONGLY {
                        return Err(self.not_ready(&last));
                    }
                }
            }
            if begun.elapsed() > timeout {
                let waited = timeout.as_secs_f64();
                return Err(self.not_ready(&format!("after {waited} s {last}")));
            }
            if said.elapsed() > SAY_EVERY {
                said = Instant::now();
                self.say_waiting(begun.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn say_waiting(&self, waited: Duration) {
        let name = self.child.name();
        let seconds = waited.as_secs();
        let tail = self.secrets.redact(&self.child.log_tail(1));
        // A progress bar writes over itself.
        let last = tail.trim().rsplit('\r').next().unwrap_or_default();
        let last = report::escape::terminal(last);
        let last: String = last.chars().take(LAST_MAX).collect();
        say(&if last.is_empty() {
            format!("Waiting for {name}, {seconds} s so far.")
        } else {
            format!("Waiting for {name}, {seconds} s so far; its log: {last}")
        });
    }

    /// Why it can no longer be used: its process has ended.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let ended = self.child.ended()?;
        Some(self.with_log(&format!(
            "{} {ended} while it was needed",
            self.child.name()
        )))
    }

    fn not_ready(&self, why: &str) -> Failure {
        self.with_log(&format!("{} is not ready: {why}", self.child.name()))
    }

    /// A sentence, and the end of the child's log.
    fn with_log(&self, sentence: &str) -> Failure {
        let tail = self.secrets.redact(&self.child.log_tail(TAIL));
        let log = self.child.log().display();
        if tail.is_empty() {
            return Failure::failed(format!(
                "{sentence}; it has written nothing to its log, {log}"
            ));
        }
        Failure::failed(format!("{sentence}; the end of its log, {log}:")).with_excerpt(&tail)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.child.stop();
        let left: Vec<String> = self.child.left().iter().map(u32::to_string).collect();
        if !left.is_empty() {
            say(&format!(
                "{} left processes that could not be ended: {}; end them yourself, or run where PID namespaces can be made",
                self.child.name(),
                left.join(", ")
            ));
        }
    }
}

fn taken(port: u16, flag: &str, owner: Option<(u32, String)>) -> Failure {
    let by = match owner {
        Some((process, name)) => format!("{name} (process {process})"),
        None => "another process".to_owned(),
    };
    Failure::failed(format!(
        "port {port} is taken by {by}, which would be asked in its place; stop it, or choose another {flag}"
    ))
}
