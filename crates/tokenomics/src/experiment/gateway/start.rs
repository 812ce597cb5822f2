//! The mock and the gateway, started and known to answer.

use super::config::{GatewayConfig, Provider};
use super::way::Way;
use crate::args::OutputFormat;
use crate::asking::outcome_in_words;
use crate::child::{Probe, Watched};
use crate::config::Secrets;
use crate::failure::Failure;
use crate::output::say;
use load::Target;
use mock::MockHandle;
use process::Log;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

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
                outcome_in_words(&asked)
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
        // Only for us, and nobody else's from before: a key lies there.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
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
    /// Absent where it ran already.
    pub(super) child: Option<Watched>,
    pub(super) way: Way,
    /// Whether its end is nothing to be told of: it is not ready yet, which is waited for, or it is we who end it.
    may_end: Arc<AtomicBool>,
}

impl RunningGateway {
    /// Starts it, unless it runs already, and waits until it has answered one request as it must. `ended` is told when
    /// its process ends and we did not end it.
    async fn start(
        config: &GatewayConfig,
        provider: &Target,
        scratch: &Path,
        log: Log<'_>,
        ended: watch::Sender<bool>,
    ) -> Result<Self, Failure> {
        let settings = config.settings(scratch, provider);
        let way = Way::through(config, config.gateway.headers(&settings));
        let may_end = Arc::new(AtomicBool::new(true));
        if config.args.no_start_proxy {
            check_once(config, &way).await?;
            return Ok(RunningGateway {
                child: None,
                way,
                may_end,
            });
        }
        let spec = config.gateway.spec(&settings).map_err(Failure::usage)?;
        if config.output.format != OutputFormat::Quiet && matches!(log, Log::New(_)) {
            say(&format!("Starting {}", spec.command_line()));
        }
        let port = (config.args.proxy_port, "--proxy-port");
        let expected = Arc::clone(&may_end);
        let child = Watched::start(&spec, port, log, secrets(config), move || {
            if !expected.load(Ordering::Relaxed) {
                // Nobody listens before the first run and after the last one.
                let _heard = ended.send(true);
            }
        })?;
        let ask = async || match way.ask(config).await {
            Ok(asked) if asked.outcome.is_complete() => Probe::Ready,
            Ok(asked) => Probe::Wrong(outcome_in_words(&asked)),
            Err(_) => Probe::Silent,
        };
        child.wait_until_ready(config.start_timeout, ask).await?;
        may_end.store(false, Ordering::Relaxed);
        // It may have ended right before.
        if let Some(failure) = child.failure() {
            return Err(failure);
        }
        Ok(RunningGateway {
            child: Some(child),
            way,
            may_end,
        })
    }

    /// Why it can no longer be measured: its process has ended.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.child.as_ref()?.failure()
    }

    /// Ends it, where we started it.
    fn stop(&mut self) {
        self.may_end.store(true, Ordering::Relaxed);
        self.child = None;
    }
}

/// Everything of a start that is not the client: the mock and the gateway.
pub(super) struct Lab<'a> {
    // The gateway ends before what it needs is taken away.
    pub(super) gateway: RunningGateway,
    pub(super) provider: RunningProvider,
    scratch: Scratch,
    config: &'a GatewayConfig,
    log: PathBuf,
    ended: watch::Sender<bool>,
}

impl<'a> Lab<'a> {
    /// The first start.
    pub(super) async fn open(
        config: &'a GatewayConfig,
        scratch: Scratch,
        log: PathBuf,
        ended: watch::Sender<bool>,
    ) -> Result<Self, Failure> {
        let provider = RunningProvider::start(config).await?;
        let target = &provider.target;
        let gateway = RunningGateway::start(
            config,
            target,
            scratch.path(),
            Log::New(&log),
            ended.clone(),
        );
        let gateway = gateway.await?;
        Ok(Lab {
            gateway,
            provider,
            scratch,
            config,
            log,
            ended,
        })
    }

    /// Starts anew what is ours. A gateway that ran before us stays as it is, and so does the mock behind it, because
    /// it would lose its connections; a provider of somebody else's stays in any case.
    pub(super) async fn renew(&mut self) -> Result<(), Failure> {
        if !self.config.starts_gateway() {
            return Ok(());
        }
        if let Some(failure) = self.gateway.failure() {
            return Err(failure);
        }
        self.gateway.stop();
        self.provider.mock = None;
        self.provider = RunningProvider::start(self.config).await?;
        let log = Log::Continued(&self.log);
        let (target, scratch) = (&self.provider.target, self.scratch.path());
        let ended = self.ended.clone();
        self.gateway = RunningGateway::start(self.config, target, scratch, log, ended).await?;
        Ok(())
    }
}

fn secrets(config: &GatewayConfig) -> Secrets {
    Secrets::of([config.api_key.clone()])
}

async fn check_once(config: &GatewayConfig, way: &Way) -> Result<(), Failure> {
    let asked = way.ask(config).await?;
    if asked.outcome.is_complete() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the gateway at {} does not answer a chat request: {}",
        way.target.url(),
        secrets(config).redact(&outcome_in_words(&asked))
    )))
}
