//! The server that is measured where none is named.

use crate::failure::Failure;
use engine::{Model, SchedulerConfig};
use load::Target;
use models::{DType, LoadOptions, ModelSpec};
use serve::{ServeConfig, ServeHandle};
use std::net::{Ipv4Addr, SocketAddr};

/// A built-in server on a free loopback port; it stops when this is dropped.
pub(crate) struct BuiltIn {
    server: ServeHandle,
}

impl BuiltIn {
    /// Starts it.
    pub(crate) fn start() -> Result<Self, Failure> {
        let options = LoadOptions {
            dtype: DType::Auto,
            // The others are the client's: both are measured on one machine.
            threads: 1,
            kv_blocks: Some(8192),
            kv_bytes: 0,
            context_tokens: None,
        };
        let spec = ModelSpec::parse(Self::MODEL).map_err(Failure::failed)?;
        let model = models::load(&spec, &options).map_err(Failure::failed)?;
        let scheduler = SchedulerConfig {
            blocks: model.model.blocks(),
            sequences_max: 256,
            step_tokens_max: 2048,
            queue_max: 65_536,
            context_tokens: model.model.context_tokens(),
            // Prompts begin alike, with the chat's template, and known beginnings would cost nothing.
            prefix_cache: false,
        };
        let config = ServeConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            model_name: Self::MODEL.to_owned(),
            scheduler,
            ..ServeConfig::default()
        };
        let server = serve::spawn(config, model).map_err(Failure::failed)?;
        Ok(BuiltIn { server })
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&format!("http://{}/v1", self.server.addr())).map_err(Failure::failed)
    }

    /// The only model that it has.
    pub(crate) const MODEL: &str = "random:tiny";

    /// What it is, for the person who did not ask for it.
    pub(crate) const WORDS: &str =
        "the built-in engine with random:tiny, a tiny model of random weights";
}
