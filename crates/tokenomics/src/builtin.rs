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
    name: String,
}

impl BuiltIn {
    /// Starts a model that writes texts.
    pub(crate) fn start(model: &str) -> Result<Self, Failure> {
        match load(model)? {
            Loaded::Encoder(_) => Err(Failure::usage(format!(
                "--model {model} turns texts into vectors and writes none; measure it with `tokenomics embedding`"
            ))),
            loaded @ Loaded::Generator(_) => Self::serve(model, loaded),
        }
    }

    /// Starts a model that turns texts into vectors.
    pub(crate) fn start_encoder(model: &str) -> Result<Self, Failure> {
        match load(model)? {
            Loaded::Generator(_) => Err(Failure::usage(format!(
                "--model {model} writes texts and has no vectors; measure it with `tokenomics chat`"
            ))),
            loaded @ Loaded::Encoder(_) => Self::serve(model, loaded),
        }
    }

    fn serve(model: &str, loaded: Loaded) -> Result<Self, Failure> {
        let (blocks, context_tokens, own_name) = match &loaded {
            Loaded::Generator(model) => (
                model.model.blocks(),
                model.model.context_tokens(),
                &model.name,
            ),
            Loaded::Encoder(encoder) => (0, encoder.encoder.text_tokens_max(), &encoder.name),
        };
        let name = if is_random(model) { model } else { own_name };
        let name = name.to_owned();
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
            model_name: name.clone(),
            scheduler,
            ..ServeConfig::default()
        };
        let server = serve::spawn_loaded(config, loaded).map_err(Failure::failed)?;
        Ok(BuiltIn { server, name })
    }

    /// The model's name in its API.
    pub(crate) fn model(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&format!("http://{}/v1", self.server.addr())).map_err(Failure::failed)
    }

    /// The model that turns texts into vectors.
    pub(crate) const ENCODER: &str = "random:tiny-bert";

    /// The model that writes texts.
    pub(crate) const MODEL: &str = "random:tiny";

    /// What is measured, for the person who did not ask for it.
    pub(crate) fn words(model: &str) -> String {
        let what = match model {
            Self::MODEL => ", a tiny model of random weights",
            Self::ENCODER => ", a tiny encoder of random weights",
            _ => "",
        };
        format!("the built-in engine with {model}{what}")
    }
}

/// Memory for keys and values of a model of any size: what `serve` takes where nobody says otherwise.
const KV_BYTES: usize = 512 << 20;

fn load(model: &str) -> Result<Loaded, Failure> {
    let options = LoadOptions {
        dtype: DType::Auto,
        // The others are the client's: both are measured on one machine.
        threads: 1,
        // Random models are small enough for as many sequences as anybody sends.
        kv_blocks: is_random(model).then_some(8192),
        kv_bytes: KV_BYTES,
        kv_bytes_max: process::memory().unwrap_or(u64::MAX),
        context_tokens: None,
    };
    let spec = ModelSpec::parse(model).map_err(Failure::usage)?;
    models::load_any(&spec, &options).map_err(Failure::usage)
}

fn is_random(model: &str) -> bool {
    model.starts_with("random:")
}
