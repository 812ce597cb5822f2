//! The server that is measured where none is named.

use crate::failure::Failure;
use engine::{Encoder, Model, SchedulerConfig};
use load::Target;
use models::{DType, LoadOptions, Loaded, ModelSpec};
use serve::{ServeConfig, ServeHandle};
use std::net::{Ipv4Addr, SocketAddr};

/// A built-in server on a free loopback port; it stops when this is dropped.
pub(crate) struct BuiltIn {
    server: ServeHandle,
}

impl BuiltIn {
    /// Starts the model that writes texts.
    pub(crate) fn start() -> Result<Self, Failure> {
        Self::start_model(Self::MODEL)
    }

    /// Starts the model that turns texts into vectors.
    pub(crate) fn start_encoder() -> Result<Self, Failure> {
        Self::start_model(Self::ENCODER)
    }

    fn start_model(name: &str) -> Result<Self, Failure> {
        let options = LoadOptions {
            dtype: DType::Auto,
            // The others are the client's: both are measured on one machine.
            threads: 1,
            kv_blocks: Some(8192),
            kv_bytes: 0,
            context_tokens: None,
        };
        let spec = ModelSpec::parse(name).map_err(Failure::failed)?;
        let loaded = models::load_any(&spec, &options).map_err(Failure::failed)?;
        let (blocks, context_tokens) = match &loaded {
            Loaded::Generator(model) => (model.model.blocks(), model.model.context_tokens()),
            Loaded::Encoder(encoder) => (0, encoder.encoder.text_tokens_max()),
        };
        let scheduler = SchedulerConfig {
            blocks,
            sequences_max: 256,
            step_tokens_max: 2048,
            queue_max: 65_536,
            context_tokens,
            // Prompts begin alike, with the chat's template, and known beginnings would cost nothing.
            prefix_cache: false,
        };
        let config = ServeConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            model_name: name.to_owned(),
            scheduler,
            ..ServeConfig::default()
        };
        let server = serve::spawn_loaded(config, loaded).map_err(Failure::failed)?;
        Ok(BuiltIn { server })
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&format!("http://{}/v1", self.server.addr())).map_err(Failure::failed)
    }

    /// The model that turns texts into vectors.
    pub(crate) const ENCODER: &str = "random:tiny-bert";

    /// What that is.
    pub(crate) const ENCODER_WORDS: &str =
        "the built-in engine with random:tiny-bert, a tiny encoder of random weights";

    /// The model that writes texts.
    pub(crate) const MODEL: &str = "random:tiny";

    /// What it is, for the person who did not ask for it.
    pub(crate) const WORDS: &str =
        "the built-in engine with random:tiny, a tiny model of random weights";
}
