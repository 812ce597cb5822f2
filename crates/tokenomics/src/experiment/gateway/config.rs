//! What was asked of a gateway benchmark, checked.

use crate::args::{GatewayArgs, OutputFormat};
use crate::config::{refuse_control_characters, words};
use crate::failure::Failure;
use crate::input::read;
use crate::output::OutputConfig;
use load::{Deadlines, Target};
use mock::MockConfig;
use process::preset::{Gateway, GatewaySettings};
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use trace::Arrival;

/// The key that the mock is asked with: it takes any.
pub(crate) const PROVIDER_KEY: &str = "fake-provider-key";

/// A gateway benchmark, resolved.
pub(crate) struct GatewayConfig {
    pub(crate) args: GatewayArgs,
    pub(crate) gateway: Gateway,
    /// The words of `--proxy-command`.
    pub(crate) command: Option<Vec<String>>,
    pub(crate) config_template: Option<String>,
    /// The provider that runs already, or the mock to start.
    pub(crate) provider: Provider,
    pub(crate) through: Target,
    pub(crate) api_key: String,
    pub(crate) arrival: Option<Arrival>,
    pub(crate) deadlines: Deadlines,
    pub(crate) start_timeout: Duration,
    pub(crate) added: Duration,
    pub(crate) output: OutputConfig,
}

/// What is behind the gateway.
pub(crate) enum Provider {
    Running(Target),
    Mock(SocketAddr, Box<MockConfig>),
}

impl GatewayConfig {
    pub(crate) fn resolve(args: GatewayArgs) -> Result<Self, Failure> {
        refuse_control_characters("--label", Some(&args.label))?;
        for (flag, value) in [
            ("--requests", args.requests),
            ("--stream-requests", args.stream_requests),
            ("--concurrency", args.concurrency as usize),
            ("--stream-concurrency", args.stream_concurrency as usize),
            ("--repeats", args.repeats as usize),
            ("--starts", args.starts as usize),
            (
                "--provider-stream-content-chunks",
                args.provider_stream_content_chunks as usize,
            ),
        ] {
            if value == 0 {
                return Err(Failure::usage(format!(
                    "{flag} must be at least 1, got `0`"
                )));
            }
        }
        if !matches!(
            args.output_format,
            OutputFormat::Text | OutputFormat::Json | OutputFormat::Quiet
        ) {
            return Err(Failure::usage(
                "--output-format must be text, json or quiet here",
            ));
        }
        let gateway = args.gateway.preset();
        let command = match &args.proxy_command {
            None => None,
            Some(text) => Some(words("--proxy-command", text)?),
        };
        let config_template = match &args.proxy_config_template {
            None => None,
            Some(path) => Some(text_file(path)?),
        };
        let provider = provider(&args)?;
        let through = format!("http://{}:{}/v1", args.proxy_host, args.proxy_port);
        let total = seconds("--timeout", args.timeout, 0.001)?;
        let arrival = match args.rate {
            None => None,
            Some(rate) => {
                seconds("--rate-seconds", args.rate_seconds, 1.0)?;
                Some(workload::arrival_for(rate, 1.0).map_err(Failure::usage)?)
            }
        };
        Ok(GatewayConfig {
            gateway,
            command,
            config_template,
            provider,
            through: Target::parse(&through).map_err(Failure::usage)?,
            api_key: api_key(&args)?,
            arrival,
            deadlines: Deadlines {
                connect: total.min(Duration::from_secs(10)),
                first_token: total,
                stall: total,
                total,
            },
            start_timeout: seconds("--proxy-start-timeout", args.proxy_start_timeout, 0.1)?,
            added: seconds("--added-seconds", args.added_seconds, 0.0)?,
            output: OutputConfig {
                assertions: Vec::new(),
                exports: Vec::new(),
                results_file: args.output_json.clone(),
                records: args.records,
                plot: false,
                format: args.output_format,
                file: None,
            },
            args,
        })
    }

    /// Whether the gateway is ours to start, and to start anew.
    pub(crate) const fn starts_gateway(&self) -> bool {
        !self.args.no_start_proxy
    }

    /// How often all that is ours is started: where nothing but capacity is asked for, once.
    pub(crate) fn starts(&self) -> u32 {
        if self.added.is_zero() && self.arrival.is_none() {
            1
        } else {
            self.args.starts
        }
    }

    /// For a preset. `provider` has no path.
    pub(crate) fn settings(&self, scratch: &Path, provider: &Target) -> GatewaySettings {
        let provider = Target {
            base_path: String::new(),
            ..provider.clone()
        };
        GatewaySettings {
            scratch: scratch.to_owned(),
            folder: self.args.litellm_dir.clone(),
            command: self.command.clone(),
            config_template: self.config_template.clone(),
            host: self.args.proxy_host.clone(),
            port: self.args.proxy_port,
            provider: provider.url(),
            model: self.args.model.clone(),
            api_key: self.api_key.clone(),
        }
    }
}

fn provider(args: &GatewayArgs) -> Result<Provider, Failure> {
    if let Some(url) = &args.provider_url {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v1").unwrap_or(url);
        let target = Target::parse(&format!("{url}/v1")).map_err(Failure::usage)?;
        return Ok(Provider::Running(target));
    }
    let millis = |flag, value: f64| seconds(flag, value / 1e3, 0.0);
    let config = MockConfig {
        ttft: millis(
            "--provider-first-token-delay-ms",
            args.provider_first_token_delay_ms,
        )?
        .into(),
        itl: millis("--provider-gap-ms", args.provider_gap_ms)?.into(),
        tokens: args.provider_stream_content_chunks,
        model: args.model.clone(),
        ..MockConfig::default()
    };
    let address = SocketAddr::new(args.provider_host, args.provider_port);
    Ok(Provider::Mock(address, Box::new(config)))
}

/// `LiteLLM` refuses to start with its own benchmark's `sk-1234`; a gateway that runs may have it.
fn api_key(args: &GatewayArgs) -> Result<String, Failure> {
    let key = match &args.api_key {
        Some(key) => key.clone(),
        None if args.no_start_proxy => "sk-1234".to_owned(),
        None => {
            let bytes = random_bytes().map_err(|error| {
                Failure::failed(format!(
                    "cannot make a key: {error}; give one with --api-key"
                ))
            })?;
            format!("sk-{:032x}", u128::from_be_bytes(bytes))
        }
    };
    // It is written into configurations of several languages.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if key.is_empty() || !key.chars().all(plain) {
        return Err(Failure::usage(
            "--api-key must be letters, digits, `-`, `_` and `.`, because it is written into the gateway's configuration",
        ));
    }
    Ok(key)
}

fn random_bytes() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn seconds(flag: &str, value: f64, least: f64) -> Result<Duration, Failure> {
    /// A day.
    const MOST: f64 = 86_400.0;
    if (least..=MOST).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be between {least} and {MOST} seconds, got `{value}`"
        )))
    }
}

fn text_file(path: &Path) -> Result<String, Failure> {
    let bytes = read("--proxy-config-template", path)?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::usage(format!(
            "--proxy-config-template {} is not text",
            path.display()
        ))
    })
}
