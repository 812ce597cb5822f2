//! The mock and the gateway, started and known to answer.

use super::config::{GatewayConfig, Provider};
use super::sides::Way;
use crate::args::OutputFormat;
use crate::child::{Probe, Watched};
use crate::config::Secrets;
use crate::experiment::ask::outcome_in_words;
use crate::failure::Failure;
use crate::output::say;
use load::Target;
use mock::MockHandle;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
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
        if config.args.no_start_proxy {
            check_once(config, &way).await?;
            return Ok(RunningGateway { child: None, way });
        }
        let spec = config.gateway.spec(&settings).map_err(Failure::usage)?;
        if config.output.format != OutputFormat::Quiet {
            say(&format!("Starting {}", spec.command_line()));
        }
        let port = (config.args.proxy_port, "--proxy-port");
        let child = Watched::start(&spec, port, log, secrets(config), move || {
            // Nobody listens before the first run and after the last one.
            let _heard = ended.send(true);
        })?;
        let ask = async || match way.ask(config).await {
            Ok(asked) if asked.outcome.is_complete() => Probe::Ready,
            Ok(asked) => Probe::Wrong(outcome_in_words(&asked)),
            Err(_) => Probe::Silent,
        };
        child.wait_until_ready(config.start_timeout, ask).await?;
        Ok(RunningGateway {
            child: Some(child),
            way,
        })
    }

    /// Why it can no longer be measured: its process has ended.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.child.as_ref()?.failure()
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
