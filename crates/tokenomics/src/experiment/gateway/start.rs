//! The mock and the gateway, started and known to answer.

use super::config::{GatewayConfig, Provider};
use super::sides::Way;
use crate::config::Secrets;
use crate::failure::Failure;
use crate::output::say;
use load::Target;
use mock::MockHandle;
use process::{Child, Guard, Listener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use trace::{Outcome, Record};

/// Between two looks at a gateway that starts.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A gateway that answers with errors for so long will not stop doing so.
const ANSWERS_WRONGLY: Duration = Duration::from_secs(5);

/// Lines of a log that an error shows.
const TAIL: usize = 15;

/// The provider behind the gateway; the mock stops when this is dropped.
pub(super) struct RunningProvider {
    pub(super) target: Target,
    pub(super) mock: Option<MockHandle>,
}

impl RunningProvider {
    /// Starts the mock where none runs, and makes sure that the provider answers.
    pub(super) async fn start(config: &GatewayConfig) -> Result<Self, Failure> {
        let provider = match &config.provider {
            Provider::Running(target) => RunningProvider {
                target: target.clone(),
                mock: None,
            },
            Provider::Mock(address, mock) => {
                let handle = mock::spawn(*address, (**mock).clone(), None).map_err(|error| {
                    Failure::failed(format!(
                        "{error}; choose another --provider-port, or 0 for any"
                    ))
                })?;
                let url = format!("http://{}/v1", handle.addr());
                RunningProvider {
                    target: Target::parse(&url).map_err(Failure::failed)?,
                    mock: Some(handle),
                }
            }
        };
        let asked = Way::direct(provider.target.clone()).ask(config).await?;
        if !asked.outcome.is_complete() {
            return Err(Failure::failed(format!(
                "the provider at {} does not answer a chat request: {}",
                provider.target.url(),
                words(&asked)
            )));
        }
        Ok(provider)
    }
}

/// A folder that is removed with what is in it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(invocation: u64) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("tokenomics-gateway-{invocation}"));
        std::fs::create_dir_all(&path)
            .map_err(|error| Failure::failed(format!("cannot make {}: {error}", path.display())))?;
        Ok(Scratch(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

/// The gateway under test.
pub(super) struct RunningGateway {
    pub(super) child: Option<Child>,
    pub(super) way: Way,
    secrets: Secrets,
}

impl RunningGateway {
    /// Starts it, unless it runs already, and waits until it has answered one request as it must. `ended` is told when
    /// its process ends.
    pub(super) async fn start(
        config: &GatewayConfig,
        provider: &Target,
        scratch: &Path,
        log: &Path,
        ended: watch::Sender<bool>,
    ) -> Result<Self, Failure> {
        let settings = config.settings(scratch, provider);
        let way = Way::through(config, config.gateway.headers(&settings));
        let secrets = Secrets::of([config.api_key.clone()]);
        if config.args.no_start_proxy {
            let gateway = RunningGateway {
                child: None,
                way,
                secrets,
            };
            gateway.check_once(config).await?;
            return Ok(gateway);
        }
        let port = config.args.proxy_port;
        if let Listener::Stranger(owner) = process::listener(port, &[]) {
            return Err(taken(port, owner));
        }
        let spec = config.gateway.spec(&settings).map_err(Failure::usage)?;
        if config.output.format != crate::args::OutputFormat::Quiet {
            say(&format!("Starting {}", spec.command_line()));
        }
        let guard = Guard {
            program: std::env::current_exe()
                .map_err(|error| Failure::failed(format!("cannot find this program: {error}")))?,
            args: vec!["guard".to_owned(), "--".to_owned()],
        };
        let child = Child::start(&spec, &guard, log, move || {
            // Nobody listens before the first run and after the last one.
            let _heard = ended.send(true);
        })
        .map_err(Failure::failed)?;
        let gateway = RunningGateway {
            child: Some(child),
            way,
            secrets,
        };
        gateway.wait_until_ready(config).await?;
        Ok(gateway)
    }

    async fn check_once(&self, config: &GatewayConfig) -> Result<(), Failure> {
        let asked = self.way.ask(config).await?;
        if asked.outcome.is_complete() {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "the gateway at {} does not answer a chat request: {}",
            self.way.target.url(),
            self.secrets.redact(&words(&asked))
        )))
    }

    async fn wait_until_ready(&self, config: &GatewayConfig) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut wrong_since: Option<Instant> = None;
        let mut last = "it did not accept a connection".to_owned();
        loop {
            if let Some(failure) = self.failure() {
                return Err(failure);
            }
            match self.listener(config.args.proxy_port) {
                Listener::Stranger(owner) => return Err(taken(config.args.proxy_port, owner)),
                Listener::Nobody => {}
                Listener::Ours => {
                    if let Ok(asked) = self.way.ask(config).await {
                        if asked.outcome.is_complete() {
                            return Ok(());
                        }
                        last = format!(
                            "its last answer was {}",
                            self.secrets.redact(&words(&asked))
                        );
                        let since = *wrong_since.get_or_insert_with(Instant::now);
                        if since.elapsed() > ANSWERS_WRONGLY {
                            return Err(self.not_ready(&last));
                        }
                    }
                }
            }
            if begun.elapsed() > config.start_timeout {
                let waited = config.start_timeout.as_secs_f64();
                return Err(self.not_ready(&format!("after {waited} s {last}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn listener(&self, port: u16) -> Listener {
        let ours = self
            .child
            .as_ref()
            .map(Child::processes)
            .unwrap_or_default();
        process::listener(port, &ours)
    }

    /// Why it can no longer be measured: its process has ended.
    pub(super) fn failure(&self) -> Option<Failure> {
        let child = self.child.as_ref()?;
        let ended = child.ended()?;
        let name = child.name();
        Some(self.with_log(&format!("{name} {ended} while it was needed")))
    }

    fn not_ready(&self, why: &str) -> Failure {
        let name = self.child.as_ref().map_or("the gateway", Child::name);
        self.with_log(&format!("{name} is not ready: {why}"))
    }

    /// A sentence, and the end of the gateway's log.
    fn with_log(&self, sentence: &str) -> Failure {
        let Some(child) = &self.child else {
            return Failure::failed(sentence);
        };
        let tail = self.secrets.redact(&child.log_tail(TAIL));
        let log = child.log().display();
        if tail.is_empty() {
            return Failure::failed(format!(
                "{sentence}; it has written nothing to its log, {log}"
            ));
        }
        Failure::failed(format!("{sentence}; the end of its log, {log}:")).with_excerpt(&tail)
    }
}

fn taken(port: u16, owner: Option<(u32, String)>) -> Failure {
    let by = match owner {
        Some((process, name)) => format!("{name} (process {process})"),
        None => "another process".to_owned(),
    };
    Failure::failed(format!(
        "port {port} is taken by {by}, which would be measured in the gateway's place; stop it, choose another \
         --proxy-port, or measure it with --no-start-proxy"
    ))
}

/// What became of a request, in a few words.
fn words(record: &Record) -> String {
    let detail = record.detail.as_deref().unwrap_or("no words");
    match (&record.outcome, record.status) {
        (Outcome::Http, Some(status)) => format!("status {status}: {detail}"),
        (outcome, _) => format!("{}: {detail}", outcome.name()),
    }
}
