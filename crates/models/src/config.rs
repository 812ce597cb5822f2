//! The shape of a network: from a `config.json` of Hugging Face's, or from a GGUF file's keys.

use crate::ModelsError;
use crate::encoder::EncoderConfig;
use crate::weights::Metadata;
use kernels::Pairing;
use serde_json::Value;
use std::path::Path;

/// Families of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Learned positions, layer norm, GELU.
    Gpt2,
    /// Rotary positions, RMS norm, `SwiGLU`, grouped queries.
    Llama,
}

/// Rotary positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// One for each pair of a head's values.
    pub inverse_frequencies: Vec<f32>,
    /// Which values make a pair. GGUF files of the Llama family have the rows of q and k in another order than Hugging
    /// Face's, so that pairs lie side by side.
    pub pairing: Pairing,
}

/// The shape of a network. Every number is in a range in which the others make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which family.
    pub architecture: Architecture,
    /// Tokens.
    pub vocab: usize,
    /// Values of a token between layers.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Values inside a feed-forward layer.
    pub intermediate: usize,
    /// Positions of a sequence.
    pub context_tokens: usize,
    /// Keeps norms from dividing by zero.
    pub norm_eps: f32,
    /// Absent where positions are learned.
    pub rope: Option<Rope>,
    /// Where a text may end.
    pub eos: Vec<u32>,
    /// Whether the last layer's matrix is the embedding's; absent where the file does not say, and its tensors do.
    pub tied: Option<bool>,
}

/// Sizes beyond any model that a CPU computes.
pub(crate) const SIZE_MAX: u64 = 1 << 20;
pub(crate) const CONTEXT_MAX: u64 = 1 << 24;
pub(crate) const LAYERS_MAX: u64 = 1024;
/// Rows of matrices are padded to a vector's length: of narrower ones most of the memory would be padding.
const WIDTH_MIN: usize = 8;

/// Where numbers come from, and what to call it in an error.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) integer: &'a dyn Fn(&str) -> Option<Option<u64>>,
    pub(crate) float: &'a dyn Fn(&str) -> Option<Option<f64>>,
}

impl Source<'_> {
    pub(crate) fn wrong(&self, what: impl Into<String>) -> ModelsError {
        ModelsError::file(self.path, what)
    }

    /// `None` where the key is absent.
    pub(crate) fn optional(&self, key: &str, most: u64) -> Result<Option<usize>, ModelsError> {
        match (self.integer)(key) {
            None => Ok(None),
            Some(Some(value)) if (1..=most).contains(&value) => Ok(usize::try_from(value).ok()),
            Some(Some(value)) => {
                Err(self.wrong(format!("`{key}` must be between 1 and {most}, got {value}")))
            }
            Some(None) => Err(self.wrong(format!(
                "`{key}` must be a whole number between 1 and {most}"
            ))),
        }
    }

    pub(crate) fn size(&self, key: &str, most: u64) -> Result<usize, ModelsError> {
        self.optional(key, most)?
            .ok_or_else(|| self.wrong(format!("has no `{key}`, which its architecture needs")))
    }

    pub(crate) fn float_in(
        &self,
        key: &str,
        default: f64,
        least: f64,
        most: f64,
    ) -> Result<f64, ModelsError> {
        match (self.float)(key) {
            None => Ok(default),
            Some(Some(value)) if value >= least && value <= most => Ok(value),
            _ => Err(self.wrong(format!(
                "`{key}` must be a number between {least} and {most}"
            ))),
        }
    }
}

impl ModelConfig {
    /// From the text of `config.json`; `path` is for errors.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self, ModelsError> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| ModelsError::file(path, format!("is no JSON: {error}")))?;
        // A null says nothing.
        let get = |key: &str| value.get(key).filter(|value| !value.is_null());
        let source = Source {
            path,
            integer: &|key| get(key).map(Value::as_u64),
            float: &|key| get(key).map(Value::as_f64),
        };
        let kind = get("model_type").and_then(Value::as_str).unwrap_or("none");
        let mut config = match kind {
            "gpt2" => {
                let hidden = source.size("n_embd", SIZE_MAX)?;
                let heads = source.size("n_head", SIZE_MAX)?;
                let activation = get("activation_function")
                    .and_then(Value::as_str)
                    .unwrap_or("gelu_new");
                if activation != "gelu_new" && activation != "gelu_pytorch_tanh" {
                    return Err(source.wrong(format!(
                        "`activation_function` must be gelu_new, got {activation}"
                    )));
                }
                ModelConfig {
                    architecture: Architecture::Gpt2,
                    vocab: source.size("vocab_size", 1 << 24)?,
                    hidden,
                    layers: source.size("n_layer", LAYERS_MAX)?,
                    heads,
                    kv_heads: heads,
                    head_dim: hidden / heads.max(1),
                    intermediate: source.optional("n_inner", SIZE_MAX)?.unwrap_or(4 * hidden),
                    context_tokens: source.size("n_positions", CONTEXT_MAX)?,
                    norm_eps: epsilon(&source, "layer_norm_epsilon")?,
                    rope: None,
                    eos: Vec::new(),
                    // Transformers' default for it.
                    tied: Some(true),
                }
            }
            "llama" => Self::llama_json(&source, &value)?,
            encoder if EncoderConfig::is_family(encoder) => {
                return Err(source.wrong(format!(
                    "`model_type` is `{encoder}`, an encoder, which turns texts into vectors and writes none; \
                     `tokenomics serve` computes embeddings with it"
                )));
            }
            other => {
                return Err(source.wrong(format!(
                    "`model_type` is `{other}`; gpt2 and llama can be computed, and bert for embeddings"
                )));
            }
        };
        config.eos = tokens(get("eos_token_id"));
        config.tied = get("tie_word_embeddings")
            .and_then(Value::as_bool)
            .or(config.tied);
        config.check(path)
    }

    fn llama_json(source: &Source<'_>, value: &Value) -> Result<Self, ModelsError> {
        let hidden = source.size("hidden_size", SIZE_MAX)?;
        let heads = source.size("num_attention_heads", SIZE_MAX)?;
        let head_dim = source
            .optional("head_dim", SIZE_MAX)?
            .unwrap_or(hidden / heads);
        for key in ["attention_bias", "mlp_bias"] {
            if value.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(source.wrong(format!("`{key}` is true, which cannot be computed yet")));
            }
        }
        let activation = value
            .get("hidden_act")
            .and_then(Value::as_str)
            .unwrap_or("silu");
        if activation != "silu" {
            return Err(source.wrong(format!("`hidden_act` must be silu, got {activation}")));
        }
        // Newer files hold both in `rope_parameters`.
        let parameters = value
            .get("rope_parameters")
            .filter(|value| value.is_object());
        let theta = match parameters.and_then(|rope| rope.get("rope_theta")?.as_f64()) {
            Some(theta) if (1.0..=1e12).contains(&theta) => theta,
            _ => source.float_in("rope_theta", 10_000.0, 1.0, 1e12)?,
        };
        let scaling = parameters.or_else(|| value.get("rope_scaling"));
        let mut frequencies = frequencies(head_dim, theta);
        if let Some(scaling) = scaling.filter(|value| value.is_object()) {
            scale(&mut frequencies, scaling).map_err(|what| source.wrong(what))?;
        }
        Ok(ModelConfig {
            architecture: Architecture::Llama,
            vocab: source.size("vocab_size", 1 << 24)?,
            hidden,
            layers: source.size("num_hidden_layers", LAYERS_MAX)?,
            heads,
            kv_heads: source
                .optional("num_key_value_heads", SIZE_MAX)?
                .unwrap_or(heads),
            head_dim,
            intermediate: source.size("intermediate_size", SIZE_MAX)?,
            context_tokens: source.size("max_position_embeddings", CONTEXT_MAX)?,
            norm_eps: epsilon(source, "rms_norm_eps")?,
            rope: Some(Rope {
                inverse_frequencies: frequencies,
                pairing: Pairing::Half,
            }),
            eos: Vec::new(),
            tied: None,
        })
    }

    /// From a GGUF file's keys; `vocab` is the number of rows of its embedding.
    pub fn from_gguf(path: &Path, metadata: &Metadata, vocab: usize) -> Result<Self, ModelsError> {
        let family = metadata
            .text("general.architecture")
            .unwrap_or("none")
            .to_owned();
        let key = |name: &str| format!("{family}.{name}");
        let source = Source {
            path,
            integer: &|key| metadata.0.contains_key(key).then(|| metadata.integer(key)),
            float: &|key| metadata.0.contains_key(key).then(|| metadata.float(key)),
        };
        let (architecture, eps) = match family.as_str() {
            "gpt2" => (Architecture::Gpt2, "attention.layer_norm_epsilon"),
            "llama" => (Architecture::Llama, "attention.layer_norm_rms_epsilon"),
            other => {
                return Err(source.wrong(format!(
                    "`general.architecture` is `{other}`; gpt2 and llama can be computed"
                )));
            }
        };
        let hidden = source.size(&key("embedding_length"), SIZE_MAX)?;
        let heads = source.size(&key("attention.head_count"), SIZE_MAX)?;
        let dim = source.optional(&key("attention.key_length"), SIZE_MAX)?;
        let head_dim = dim.unwrap_or(hidden / heads);
        let rope = if architecture == Architecture::Llama {
            let turned = source.optional(&key("rope.dimension_count"), SIZE_MAX)?;
            if turned.is_some_and(|turned| turned != head_dim) {
                return Err(
                    source.wrong("turns only a part of each head, which cannot be computed yet")
                );
            }
            let scaling = metadata.text(&key("rope.scaling.type")).unwrap_or("none");
            if scaling != "none" {
                return Err(source.wrong(format!(
                    "has rope scaling `{scaling}`; none can be computed from GGUF"
                )));
            }
            let theta = source.float_in(&key("rope.freq_base"), 10_000.0, 1.0, 1e12)?;
            Some(Rope {
                inverse_frequencies: frequencies(head_dim, theta),
                pairing: Pairing::Adjacent,
            })
        } else {
            None
        };
        let config = ModelConfig {
            architecture,
            vocab,
            hidden,
            layers: source.size(&key("block_count"), LAYERS_MAX)?,
            heads,
            kv_heads: source
                .optional(&key("attention.head_count_kv"), SIZE_MAX)?
                .unwrap_or(heads),
            head_dim,
            intermediate: source.size(&key("feed_forward_length"), SIZE_MAX)?,
            context_tokens: source.size(&key("context_length"), CONTEXT_MAX)?,
            norm_eps: epsilon(&source, &key(eps))?,
            rope,
            eos: source
                .token("tokenizer.ggml.eos_token_id")
                .into_iter()
                .collect(),
            tied: None,
        };
        config.check(path)
    }

    /// Numbers that must fit each other.
    fn check(self, path: &Path) -> Result<Self, ModelsError> {
        let wrong = |what: String| Err(ModelsError::file(path, what));
        if !self.heads.is_multiple_of(self.kv_heads) {
            return wrong(format!(
                "has {} query heads on {} KV heads, which is no whole number each",
                self.heads, self.kv_heads
            ));
        }
        let least = self.hidden.min(self.intermediate);
        if least < WIDTH_MIN {
            return wrong(format!(
                "has rows of {least} values, and rows are padded; at least {WIDTH_MIN} can be computed"
            ));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return wrong(format!(
                "has heads of {} values; an even number can be computed",
                self.head_dim
            ));
        }
        if self.architecture == Architecture::Gpt2 && !self.hidden.is_multiple_of(self.heads) {
            return wrong(format!(
                "has {} values for {} heads, which is no whole number each",
                self.hidden, self.heads
            ));
        }
        Ok(self)
    }
}

impl Source<'_> {
    fn token(&self, key: &str) -> Option<u32> {
        (self.integer)(key)
            .flatten()
            .and_then(|id| u32::try_from(id).ok())
    }
}

/// One id or several.
pub(crate) fn tokens(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "networks compute in 32 bits"
)]
fn epsilon(source: &Source<'_>, key: &str) -> Result<f32, ModelsError> {
    Ok(source.float_in(key, 1e-5, 0.0, 1.0)? as f32)
}

/// `theta^(−2i/head_dim)` (Su et al., 2021).
#[allow(
    clippy::cast_possible_truncation,
    reason = "networks compute in 32 bits"
)]
fn frequencies(head_dim: usize, theta: f64) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|pair| (1.0 / theta.powf((2 * pair) as f64 / head_dim as f64)) as f32)
        .collect()
}

/// Stretches positions: `linear` divides all frequencies; `llama3` only the low ones, with a transition.
#[allow(
    clippy::cast_possible_truncation,
    reason = "networks compute in 32 bits"
)]
fn scale(frequencies: &mut [f32], scaling: &Value) -> Result<(), String> {
    let kind = ["rope_type", "type"]
        .iter()
        .find_map(|key| scaling.get(*key)?.as_str());
    let number = |key: &str| match scaling.get(key).and_then(Value::as_f64) {
        // What is smaller is 0 in 32 bits, and nothing can be divided by it.
        Some(value) if value > 1e-9 && value < 1e9 => Ok(value),
        _ => Err(format!("rope scaling needs a `{key}` between 1e-9 and 1e9")),
    };
    match kind.unwrap_or("default") {
        "default" => Ok(()),
        "linear" => {
            let factor = number("factor")? as f32;
            for frequency in frequencies {
                *frequency /= factor;
            }
            Ok(())
        }
        "llama3" => {
            let (factor, low) = (number("factor")?, number("low_freq_factor")?);
            let (high, original) = (
                number("high_freq_factor")?,
                number("original_max_position_embeddings")?,
            );
            if high <= low {
                return Err(format!(
                    "rope scaling: `high_freq_factor` must be above `low_freq_factor`, got {high} and {low}"
                ));
            }
            for frequency in frequencies {
                let turns = original * f64::from(*frequency) / std::f64::consts::TAU;
                let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                let exact = f64::from(*frequency);
                *frequency = ((1.0 - smooth) * exact / factor + smooth * exact) as f32;
            }
            Ok(())
        }
        other => Err(format!(
            "has rope scaling `{other}`; default, linear and llama3 can be computed"
        )),
    }
}
