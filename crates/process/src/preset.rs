//! Known gateways and servers: pure functions from what is asked to what is started.

mod caddy;
mod custom;
mod haproxy;
mod litellm;
mod nginx;
mod portkey;
mod server;
mod sglang_router;

pub use server::{Server, ServerSettings};

use crate::ChildSpec;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// How long a gateway may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// And a server of a model, which has memory of a device to give back.
const GRACE_OF_SERVERS: Duration = Duration::from_secs(20);

/// The gateways that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// `LiteLLM`'s proxy.
    LiteLlm,
    /// nginx as a reverse proxy.
    Nginx,
    /// `HAProxy`.
    Haproxy,
    /// Caddy.
    Caddy,
    /// `SGLang`'s router.
    SglangRouter,
    /// Portkey's gateway.
    Portkey,
    /// Another one: its command and the template of its configuration are given.
    Custom,
}

/// What a gateway is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// A folder for its files, which exists.
    pub scratch: PathBuf,
    /// Where it runs; where we run, if absent.
    pub folder: Option<PathBuf>,
    /// The words that start it, in place of the usual ones.
    pub command: Option<Vec<String>>,
    /// The template of its configuration, for [`Gateway::Custom`].
    pub config_template: Option<String>,
    /// Where it shall listen.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The provider behind it, without a path: `http://127.0.0.1:8099`.
    pub provider: String,
    /// The model that requests name.
    pub model: String,
    /// The key that it shall ask for.
    pub api_key: String,
}

impl GatewaySettings {
    /// Host and port of the provider, as configurations of plain proxies want them.
    fn provider_address(&self) -> &str {
        let rest = self
            .provider
            .split_once("://")
            .map_or(self.provider.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The words that were given, or these.
    fn words(&self, usual: &[&str]) -> (String, Vec<String>) {
        let mut words = match &self.command {
            Some(words) if !words.is_empty() => words.clone(),
            _ => usual.iter().map(|word| (*word).to_owned()).collect(),
        };
        let program = words.remove(0);
        (program, words)
    }
}

/// Why something cannot be described.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PresetError {
    /// A gateway of the user's own needs its command.
    #[error(
        "--gateway custom needs the command that starts it: --proxy-command 'my-gateway --config {{config}}'"
    )]
    NoCommand,
    /// A server that has no such thing.
    #[error("{server} cannot do {flag}; leave it out, or give the server's own flags behind --")]
    CannotDo {
        /// The server.
        server: &'static str,
        /// What it cannot do.
        flag: &'static str,
    },
    /// A placeholder that means nothing.
    #[error(
        "`{{{name}}}` means nothing in --proxy-command and --proxy-config-template; there are {{config}}, {{host}}, \
         {{port}}, {{provider_url}}, {{model}} and {{api_key}}"
    )]
    Placeholder {
        /// The name.
        name: String,
    },
    /// The configuration is asked for, and there is no template.
    #[error(
        "--proxy-command has {{config}}, and there is no --proxy-config-template to write it from"
    )]
    NoTemplate,
    /// A key on a command line can be read by everybody on the machine.
    #[error(
        "{{api_key}} must not be in --proxy-command, which everybody on the machine can read; use --proxy-config-template"
    )]
    KeyInCommand,
}

impl Gateway {
    /// As `--gateway` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Gateway::LiteLlm => "litellm",
            Gateway::Nginx => "nginx",
            Gateway::Haproxy => "haproxy",
            Gateway::Caddy => "caddy",
            Gateway::SglangRouter => "sglang-router",
            Gateway::Portkey => "portkey",
            Gateway::Custom => "custom",
        }
    }

    /// What to start.
    ///
    /// # Errors
    /// Only [`Gateway::Custom`] can be described wrongly.
    pub fn spec(self, settings: &GatewaySettings) -> Result<ChildSpec, PresetError> {
        Ok(match self {
            Gateway::LiteLlm => litellm::spec(settings),
            Gateway::Nginx => nginx::spec(settings),
            Gateway::Haproxy => haproxy::spec(settings),
            Gateway::Caddy => caddy::spec(settings),
            Gateway::SglangRouter => sglang_router::spec(settings),
            Gateway::Portkey => portkey::spec(settings),
            Gateway::Custom => return custom::spec(settings),
        })
    }

    /// Headers that requests through it need beside the key.
    pub fn headers(self, settings: &GatewaySettings) -> Vec<(String, String)> {
        match self {
            Gateway::Portkey => portkey::headers(settings),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
