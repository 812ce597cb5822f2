//! From a name or a path to a model that is ready to compute.

mod build;
mod encoder;
mod source;
mod specials;
mod text;

pub use encoder::LoadedEncoder;
pub use text::ModelText;

use crate::config::ModelConfig;
use crate::encoder::EncoderConfig;
use crate::files::{self, SETTINGS_BYTES_MAX};
use crate::network::Buffers;
use crate::weights::{open_gguf, open_safetensors, split_of};
use crate::{ChatTemplate, CpuModel, ModelsError, Tokenizer, random};
use build::{Builder, Names};
use kernels::{Kernels, KvCache, KvType};
use source::Source;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSpec {
    /// A few hundred thousand random weights.
    RandomTiny,
    /// GPT-2's smallest shape with random weights.
    RandomGpt2,
    /// A small encoder with random weights.
    RandomTinyBert,
    /// A `.gguf` file, or a folder.
    Path(PathBuf),
}

impl ModelSpec {
    /// `random:tiny`, `random:gpt2`, `random:tiny-bert`, or a path.
    pub fn parse(text: &str) -> Result<Self, ModelsError> {
        match text.strip_prefix("random:") {
            Some("tiny") => Ok(Self::RandomTiny),
            Some("gpt2") => Ok(Self::RandomGpt2),
            Some("tiny-bert") => Ok(Self::RandomTinyBert),
            Some(other) => Err(ModelsError::Spec(format!(
                "there is no built-in model random:{other}; there are random:tiny, random:gpt2 and random:tiny-bert"
            ))),
            None if Path::new(text).exists() => Ok(Self::Path(PathBuf::from(text))),
            None => Err(ModelsError::Spec(format!(
                "there is no file or folder {text}; --hf-model-id takes a model of the hub, and random:tiny or \
                 random:gpt2 need no file"
            ))),
        }
    }
}

/// The numbers that weights are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// A GGUF's as they are, safetensors in 32 bits, random ones in 8 bits.
    Auto,
    /// 32-bit floating point.
    F32,
    /// 8 bits, in blocks of 32 with one scale.
    Int8,
    /// 4 bits, in blocks of 32 with a scale and a minimum.
    Int4,
}

/// How a model is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The numbers of the weights.
    pub dtype: DType,
    /// Threads that compute, at least 1.
    pub threads: usize,
    /// Blocks of the KV cache; `None` takes as many as `kv_bytes` hold.
    pub kv_blocks: Option<usize>,
    /// Memory of the KV cache.
    pub kv_bytes: usize,
    /// The most that it may take, however its size is said.
    pub kv_bytes_max: u64,
    /// Positions of a sequence; `None` takes the model's.
    pub context_tokens: Option<usize>,
}

/// A model with everything that belongs to it.
pub struct LoadedModel {
    /// What computes.
    pub model: CpuModel,
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Chats to prompts, where the model has a template.
    pub template: Option<ChatTemplate>,
    /// The file's or folder's name.
    pub name: String,
    /// Tokens that end a text.
    pub eos: Vec<u32>,
    /// What was loaded.
    pub facts: ModelFacts,
}

/// What was loaded, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// Weights.
    pub parameters: usize,
    /// `f32`, `int8`, `int4` or `as in the file`.
    pub dtype: &'static str,
    /// The vector instructions in use.
    pub isa: String,
    /// Threads that compute.
    pub threads: usize,
    /// Memory of the weights.
    pub weight_bytes: usize,
    /// Memory of a KV block of 16 tokens, in all layers.
    pub kv_block_bytes: usize,
}

/// A model that writes texts, or one that turns them into vectors.
pub enum Loaded {
    /// It writes.
    Generator(Box<LoadedModel>),
    /// It turns into vectors.
    Encoder(Box<LoadedEncoder>),
}

/// Loads a model of either kind.
pub fn load_any(spec: &ModelSpec, options: &LoadOptions) -> Result<Loaded, ModelsError> {
    let encoder = match spec {
        ModelSpec::RandomTinyBert => Some(encoder::load_random(options)?),
        ModelSpec::Path(path) if EncoderConfig::is_in(path) => {
            Some(encoder::load_folder(path, options)?)
        }
        _ => None,
    };
    match encoder {
        Some(encoder) => Ok(Loaded::Encoder(Box::new(encoder))),
        None => Ok(Loaded::Generator(Box::new(load(spec, options)?))),
    }
}

/// Loads a model that writes texts.
pub fn load(spec: &ModelSpec, options: &LoadOptions) -> Result<LoadedModel, ModelsError> {
    match spec {
        ModelSpec::RandomTiny => load_random("random:tiny", random::tiny(), 0.1, options),
        ModelSpec::RandomGpt2 => load_random("random:gpt2", random::gpt2(), 0.02, options),
        ModelSpec::RandomTinyBert => Err(ModelsError::Spec(
            "random:tiny-bert is an encoder, which turns texts into vectors and writes none; `tokenomics serve` \
             computes embeddings with it"
                .to_owned(),
        )),
        ModelSpec::Path(path) => match gguf_of(path)? {
            Some(file) => load_gguf(&file, options),
            None => load_folder(path, options),
        },
    }
}

fn load_random(
    name: &str,
    config: ModelConfig,
    deviation: f32,
    options: &LoadOptions,
) -> Result<LoadedModel, ModelsError> {
    let mut options = options.clone();
    if options.dtype == DType::Auto {
        options.dtype = DType::Int8;
    }
    let text = ModelText::of_random(config.eos.clone());
    let source = Source::random(deviation);
    finish(
        name.to_owned(),
        config,
        source,
        Names::HuggingFace(""),
        text,
        &options,
    )
}

/// The file itself, or the only one of a folder.
fn gguf_of(path: &Path) -> Result<Option<PathBuf>, ModelsError> {
    let is_gguf = |path: &Path| {
        path.extension()
            .is_some_and(|extension| extension == "gguf")
    };
    if path.is_file() {
        if is_gguf(path) {
            return Ok(Some(path.to_owned()));
        }
        return Err(ModelsError::file(
            path,
            "is no .gguf file; give the folder of a model in safetensors",
        ));
    }
    if path.join("config.json").exists() {
        return Ok(None);
    }
    let entries = std::fs::read_dir(path).map_err(|error| ModelsError::read(path, error))?;
    let found = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = found.filter(|path| is_gguf(path)).collect();
    // The parts of one model count as one, which its first part stands for.
    found.retain(|path| split_of(path).is_none_or(|split| split.number == 1));
    match found.len() {
        0 => Err(ModelsError::file(
            path,
            "has neither a config.json nor a .gguf file",
        )),
        1 => Ok(found.pop()),
        several => Err(ModelsError::file(
            path,
            format!("has {several} .gguf files; name one of them"),
        )),
    }
}

fn load_gguf(path: &Path, options: &LoadOptions) -> Result<LoadedModel, ModelsError> {
    let file = open_gguf(path)?;
    let vocab = file
        .weights
        .shape("token_embd.weight")
        .and_then(<[usize]>::first)
        .copied();
    let vocab =
        vocab.ok_or_else(|| ModelsError::file(path, "has no tensor `token_embd.weight`"))?;
    let config = ModelConfig::from_gguf(path, &file.metadata, vocab)?;
    let text = ModelText::of_gguf(&file.metadata)?;
    finish(
        file_name(path),
        config,
        Source::file(file.weights),
        Names::Gguf,
        text,
        options,
    )
}

fn load_folder(folder: &Path, options: &LoadOptions) -> Result<LoadedModel, ModelsError> {
    let config_path = folder.join("config.json");
    let json = files::read(&config_path, SETTINGS_BYTES_MAX)?;
    let config = ModelConfig::from_json(&config_path, &json)?;
    let weights = open_safetensors(folder)?;
    let text = ModelText::of_folder(folder)?;
    let names = Names::in_file(&weights);
    finish(
        file_name(folder),
        config,
        Source::file(weights),
        names,
        text,
        options,
    )
}

fn file_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if whole.is_file() {
        whole.file_stem()
    } else {
        whole.file_name()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// What the weights are computed in, for people; `exact` where that is 32 bits.
const fn dtype_name(dtype: DType, exact: bool) -> &'static str {
    match (dtype, exact) {
        (DType::Int8, _) => "int8",
        (DType::Int4, _) => "int4",
        (_, true) => "f32",
        _ => "the file's types",
    }
}

fn context_tokens(options: &LoadOptions, config: &ModelConfig) -> Result<usize, ModelsError> {
    match options.context_tokens {
        None => Ok(config.context_tokens),
        Some(asked) if (1..=config.context_tokens).contains(&asked) => Ok(asked),
        Some(asked) => Err(ModelsError::Spec(format!(
            "the context must be between 1 and {} tokens, which is the model's, got {asked}",
            config.context_tokens
        ))),
    }
}

fn finish(
    name: String,
    config: ModelConfig,
    source: Source,
    names: Names,
    text: ModelText,
    options: &LoadOptions,
) -> Result<LoadedModel, ModelsError> {
    let kernels = Kernels::new(options.threads);
    let path = source.path();
    let exact =
        options.dtype == DType::F32 || (options.dtype == DType::Auto && !source.is_quantised());
    let kind = if exact { KvType::F32 } else { KvType::F16 };
    let kv_block_bytes =
        KvCache::block_bytes(config.layers, config.kv_heads, config.head_dim, kind);
    let blocks = options
        .kv_blocks
        .unwrap_or(options.kv_bytes / kv_block_bytes);
    if blocks == 0
        || blocks
            .checked_mul(kv_block_bytes)
            .is_none_or(|bytes| bytes as u64 > options.kv_bytes_max)
    {
        return Err(ModelsError::Spec(format!(
            "a KV cache of {blocks} blocks of {kv_block_bytes} bytes cannot be; give it between one block and {} MiB",
            options.kv_bytes_max >> 20
        )));
    }
    // A sequence has no more positions than the cache has room for, and so has the table of rotations.
    let context_tokens = context_tokens(options, &config)?.min(blocks * engine::BLOCK_TOKENS);
    if text.tokenizer.vocab_size() > config.vocab {
        return Err(ModelsError::file(
            &path,
            format!(
                "the tokenizer has {} tokens and the network {}; they do not belong together",
                text.tokenizer.vocab_size(),
                config.vocab
            ),
        ));
    }
    let dtype = dtype_name(options.dtype, exact);
    let mut builder = Builder::new(&kernels, source, names, options.dtype);
    let network = builder.network(config, context_tokens)?;
    // Only now: what the configuration says has been held against the weights that there are.
    let config = &network.config;
    let cache = KvCache::new(
        config.layers,
        blocks,
        config.kv_heads,
        config.head_dim,
        kind,
    );
    let facts = ModelFacts {
        parameters: builder.parameters,
        weight_bytes: builder.bytes,
        dtype,
        isa: kernels.isa().to_string(),
        threads: kernels.threads(),
        kv_block_bytes,
    };
    Ok(LoadedModel {
        model: CpuModel {
            kernels,
            network,
            cache,
            context_tokens,
            buffers: Buffers::default(),
            wanted: Vec::new(),
        },
        tokenizer: text.tokenizer,
        template: text.template,
        name,
        eos: text.eos,
        facts,
    })
}
