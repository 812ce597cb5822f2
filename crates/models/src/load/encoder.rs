//! From a name or a folder to an encoder that is ready to compute.

use super::build::{Builder, Names};
use super::source::Source;
use super::text::tokenizer_of;
use super::{DType, LoadOptions, ModelFacts, ModelText, dtype_name, file_name};
use crate::encoder::{CpuEncoder, EncoderConfig, EncoderLayer, EncoderNetwork, LayerNorm};
use crate::network::Linear;
use crate::weights::open_safetensors;
use crate::{ModelsError, Tokenizer, random};
use kernels::Kernels;
use std::path::Path;
use std::sync::Arc;

/// An encoder with everything that belongs to it.
pub struct LoadedEncoder {
    /// What computes.
    pub encoder: CpuEncoder,
    /// Text to tokens and back; it knows the tokens around a text.
    pub tokenizer: Arc<Tokenizer>,
    /// The folder's name.
    pub name: String,
    /// What was loaded; an encoder keeps no keys and values, so its KV block has 0 bytes.
    pub facts: ModelFacts,
}

pub(super) fn load_random(options: &LoadOptions) -> Result<LoadedEncoder, ModelsError> {
    let mut options = options.clone();
    if options.dtype == DType::Auto {
        options.dtype = DType::Int8;
    }
    finish(
        "random:tiny-bert".to_owned(),
        random::tiny_bert(),
        Source::random(0.1),
        "",
        Tokenizer::bytes(),
        &options,
    )
}

pub(super) fn load_folder(
    folder: &Path,
    options: &LoadOptions,
) -> Result<LoadedEncoder, ModelsError> {
    let config = EncoderConfig::from_folder(folder)?;
    let weights = open_safetensors(folder)?;
    // A network that was trained with a head on top is saved behind a prefix.
    let has_prefix = weights.names().any(|name| name.starts_with("bert."));
    let prefix = if has_prefix { "bert." } else { "" };
    finish(
        file_name(folder),
        config,
        Source::file(weights),
        prefix,
        tokenizer_of(folder)?,
        options,
    )
}

fn finish(
    name: String,
    mut config: EncoderConfig,
    source: Source,
    prefix: &str,
    tokenizer: Tokenizer,
    options: &LoadOptions,
) -> Result<LoadedEncoder, ModelsError> {
    let path = source.path();
    let tokenizer = ModelText::of_encoder(tokenizer)?.tokenizer;
    if tokenizer.vocab_size() > config.vocab {
        return Err(ModelsError::file(
            &path,
            format!(
                "the tokenizer has {} tokens and the network {}; they do not belong together",
                tokenizer.vocab_size(),
                config.vocab
            ),
        ));
    }
    let least = tokenizer.end_tokens() + 1;
    let most = config.text_tokens_max;
    config.text_tokens_max = options.context_tokens.unwrap_or(most);
    if config.text_tokens_max < least || config.text_tokens_max > most {
        return Err(ModelsError::Spec(format!(
            "the context must be between {least} and {most} tokens, which is the model's, got {}",
            config.text_tokens_max
        )));
    }
    let exact =
        options.dtype == DType::F32 || (options.dtype == DType::Auto && !source.is_quantised());
    let kernels = Kernels::new(options.threads);
    let mut builder = Builder::new(&kernels, source, Names::HuggingFace(""), options.dtype);
    let network = network(&mut builder, config, prefix)?;
    let facts = ModelFacts {
        parameters: builder.parameters,
        weight_bytes: builder.bytes,
        dtype: dtype_name(options.dtype, exact),
        isa: kernels.isa().to_string(),
        threads: kernels.threads(),
        kv_block_bytes: 0,
    };
    Ok(LoadedEncoder {
        encoder: CpuEncoder::new(kernels, network),
        tokenizer,
        name,
        facts,
    })
}

/// Everything, in the order of the forward pass.
fn network(
    builder: &mut Builder<'_>,
    config: EncoderConfig,
    prefix: &str,
) -> Result<EncoderNetwork, ModelsError> {
    let hidden = config.hidden;
    let embeddings = format!("{prefix}embeddings");
    let mut table = |name: &str, rows: usize| {
        builder.named_values(
            &format!("{embeddings}.{name}_embeddings.weight"),
            &[rows, hidden],
        )
    };
    let words = table("word", config.vocab)?;
    let mut positions = table("position", config.positions)?;
    let types = table("token_type", config.token_types)?;
    for row in positions.chunks_exact_mut(hidden) {
        row.iter_mut().zip(&types).for_each(|(x, kind)| *x += kind);
    }
    let embedding_norm = norm(builder, &format!("{embeddings}.LayerNorm"), hidden)?;
    let layers = (0..config.layers)
        .map(|index| layer(builder, &config, &format!("{prefix}encoder.layer.{index}")));
    let layers = layers.collect::<Result<_, _>>()?;
    Ok(EncoderNetwork {
        config,
        words,
        positions,
        embedding_norm,
        layers,
    })
}

fn layer(
    builder: &mut Builder<'_>,
    config: &EncoderConfig,
    at: &str,
) -> Result<EncoderLayer, ModelsError> {
    let (hidden, inner) = (config.hidden, config.intermediate);
    let parts = ["query", "key", "value"].map(|part| format!("{at}.attention.self.{part}"));
    Ok(EncoderLayer {
        qkv: linear(builder, &parts, hidden, hidden)?,
        output: linear(
            builder,
            &[format!("{at}.attention.output.dense")],
            hidden,
            hidden,
        )?,
        attention_norm: norm(builder, &format!("{at}.attention.output.LayerNorm"), hidden)?,
        up: linear(
            builder,
            &[format!("{at}.intermediate.dense")],
            inner,
            hidden,
        )?,
        down: linear(builder, &[format!("{at}.output.dense")], hidden, inner)?,
        feed_forward_norm: norm(builder, &format!("{at}.output.LayerNorm"), hidden)?,
    })
}

/// One matrix of the rows of all parts, each with so many outputs.
fn linear(
    builder: &mut Builder<'_>,
    parts: &[String],
    outputs: usize,
    inputs: usize,
) -> Result<Linear, ModelsError> {
    let mut tensors = Vec::new();
    let mut bias = Vec::new();
    for part in parts {
        tensors.push(builder.named(&format!("{part}.weight"), &[outputs, inputs])?);
        bias.extend(builder.named_values(&format!("{part}.bias"), &[outputs])?);
    }
    Ok(Linear {
        matrix: builder.pack(tensors),
        bias: Some(bias),
    })
}

fn norm(builder: &mut Builder<'_>, name: &str, width: usize) -> Result<LayerNorm, ModelsError> {
    Ok(LayerNorm {
        weight: builder.named_values(&format!("{name}.weight"), &[width])?,
        bias: builder.named_values(&format!("{name}.bias"), &[width])?,
    })
}
