//! The shape of an encoder, and what sentence-transformers' files say of its vectors.

use crate::ModelsError;
use crate::config::{CONTEXT_MAX, LAYERS_MAX, SIZE_MAX, Source};
use crate::files::{self, SETTINGS_BYTES_MAX};
use serde_json::Value;
use std::path::{Component, Path};

/// How the rows of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The row of the first token, `[CLS]`.
    FirstToken,
}

/// To how many numbers a vector may be cut (Kusupati et al., 2022).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matryoshka {
    /// Any number.
    Any,
    /// These.
    Listed(Vec<usize>),
}

/// The shape of an encoder. Every number is in a range in which the others make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// Tokens.
    pub vocab: usize,
    /// Values of a token between layers, and of a text's vector.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Heads.
    pub heads: usize,
    /// Values inside a feed-forward layer.
    pub intermediate: usize,
    /// Learned positions.
    pub positions: usize,
    /// Token types.
    pub token_types: usize,
    /// Keeps norms from dividing by zero.
    pub norm_eps: f32,
    /// Tokens of a text, at most; no more than positions.
    pub text_tokens_max: usize,
    /// How a text's rows become one vector.
    pub pooling: Pooling,
    /// Whether a vector has the length 1.
    pub normalize: bool,
    /// Whether a vector may be cut; `None` where the model was not trained for it.
    pub matryoshka: Option<Matryoshka>,
}

/// What comes after each other in a folder of sentence-transformers. Real ones have three or four.
const MODULES_MAX: usize = 16;
/// Lengths to which a vector may be cut. Real lists have some ten.
const CUTS_MAX: usize = 1_024;

/// A file of a folder as JSON; `None` where there is none.
fn json_of(folder: &Path, name: &str) -> Result<Option<Value>, ModelsError> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, SETTINGS_BYTES_MAX)?;
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| ModelsError::file(&path, format!("is no JSON: {error}")))?;
    Ok(Some(value))
}

impl EncoderConfig {
    /// Whether a `model_type` is that of an encoder, be it one that cannot be computed.
    pub(crate) fn is_family(model_type: &str) -> bool {
        const FAMILIES: [&str; 12] = [
            "bert",
            "roberta",
            "xlm-roberta",
            "distilbert",
            "mpnet",
            "albert",
            "electra",
            "camembert",
            "deberta",
            "deberta-v2",
            "nomic_bert",
            "modernbert",
        ];
        FAMILIES.contains(&model_type)
    }

    /// Whether a folder's `config.json` is that of an encoder. What cannot be read is none: who loads it says why.
    pub(crate) fn is_in(folder: &Path) -> bool {
        let config = json_of(folder, "config.json").ok().flatten();
        let kind = config.as_ref().and_then(|config| config.get("model_type"));
        kind.and_then(Value::as_str).is_some_and(Self::is_family)
    }

    /// From a folder with `config.json` and, where there are any, the files that sentence-transformers writes beside it.
    pub fn from_folder(folder: &Path) -> Result<Self, ModelsError> {
        let path = folder.join("config.json");
        let json = json_of(folder, "config.json")?
            .ok_or_else(|| ModelsError::file(folder, "has no config.json"))?;
        let mut config = Self::from_json(&path, &json)?;
        config.read_modules(folder)?;
        config.read_length(folder)?;
        Ok(config)
    }

    fn from_json(path: &Path, json: &Value) -> Result<Self, ModelsError> {
        // A null says nothing.
        let get = |key: &str| json.get(key).filter(|value| !value.is_null());
        let source = Source {
            path,
            integer: &|key| get(key).map(Value::as_u64),
            float: &|key| get(key).map(Value::as_f64),
        };
        let text = |key: &str, default: &'static str| get(key).map_or(Some(default), Value::as_str);
        for (key, default, only) in [
            ("model_type", "none", "bert"),
            ("hidden_act", "gelu", "gelu"),
            ("position_embedding_type", "absolute", "absolute"),
        ] {
            let value = text(key, default).unwrap_or("no text");
            if value != only {
                return Err(source.wrong(format!(
                    "`{key}` is `{value}`; of encoders, those with `{only}` can be computed"
                )));
            }
        }
        if get("is_decoder").and_then(Value::as_bool) == Some(true) {
            return Err(source.wrong("`is_decoder` is true, which cannot be computed"));
        }
        let hidden = source.size("hidden_size", SIZE_MAX)?;
        let heads = source.size("num_attention_heads", SIZE_MAX)?;
        if !hidden.is_multiple_of(heads) {
            return Err(source.wrong(format!(
                "has {hidden} values for {heads} heads, which is no whole number each"
            )));
        }
        let positions = source.size("max_position_embeddings", CONTEXT_MAX)?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "networks compute in 32 bits"
        )]
        let norm_eps = source.float_in("layer_norm_eps", 1e-12, 0.0, 1.0)? as f32;
        Ok(EncoderConfig {
            vocab: source.size("vocab_size", 1 << 24)?,
            hidden,
            layers: source.size("num_hidden_layers", LAYERS_MAX)?,
            heads,
            intermediate: source.size("intermediate_size", SIZE_MAX)?,
            positions,
            token_types: source.optional("type_vocab_size", SIZE_MAX)?.unwrap_or(2),
            norm_eps,
            text_tokens_max: positions,
            pooling: Pooling::Mean,
            normalize: true,
            matryoshka: matryoshka(&source, json, hidden)?,
        })
    }

    /// What comes after the network: pooling, and the norm. Without a list of modules, the mean and length 1.
    fn read_modules(&mut self, folder: &Path) -> Result<(), ModelsError> {
        let Some(modules) = json_of(folder, "modules.json")? else {
            return self.read_pooling(folder, "1_Pooling");
        };
        let wrong = |what: String| ModelsError::file(&folder.join("modules.json"), what);
        let modules = modules
            .as_array()
            .ok_or_else(|| wrong("is no list of modules".to_owned()))?;
        if modules.len() > MODULES_MAX {
            return Err(wrong(format!(
                "has {} modules; at most {MODULES_MAX} are read",
                modules.len()
            )));
        }
        self.normalize = false;
        for module in modules {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("type").rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => self.read_pooling(folder, text("path"))?,
                "Normalize" => self.normalize = true,
                _ => {
                    return Err(wrong(format!(
                        "has the module `{}`; Transformer, Pooling and Normalize can be computed",
                        text("type")
                    )));
                }
            }
        }
        Ok(())
    }

    fn read_pooling(&mut self, folder: &Path, within: &str) -> Result<(), ModelsError> {
        let plain = Path::new(within)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            return Err(ModelsError::file(
                &folder.join("modules.json"),
                format!("names the folder `{within}`; nothing outside the model's is opened"),
            ));
        }
        let name = format!("{within}/config.json");
        let Some(pooling) = json_of(folder, &name)? else {
            return Ok(());
        };
        let mode = |key: &str| pooling.get(key).and_then(Value::as_bool) == Some(true);
        // Older files have a switch for each way, newer ones a name.
        let old = pooling
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key);
        let on = old.filter_map(|key| {
            let way = key.strip_prefix("pooling_mode_")?;
            mode(key).then_some(way)
        });
        let named = pooling.get("pooling_mode").and_then(Value::as_str);
        let ways: Vec<&str> = on.chain(named).collect();
        self.pooling = match ways.as_slice() {
            ["mean_tokens" | "mean"] => Pooling::Mean,
            ["cls_token" | "cls"] => Pooling::FirstToken,
            other => {
                return Err(ModelsError::file(
                    &folder.join(name),
                    format!("pools by {other:?}; one of mean_tokens and cls_token can be computed"),
                ));
            }
        };
        Ok(())
    }

    /// The length that the model was trained for, which is often shorter than its positions.
    fn read_length(&mut self, folder: &Path) -> Result<(), ModelsError> {
        const NAME: &str = "sentence_bert_config.json";
        let Some(json) = json_of(folder, NAME)? else {
            return Ok(());
        };
        let path = folder.join(NAME);
        if json.get("do_lower_case").and_then(Value::as_bool) == Some(true) {
            return Err(ModelsError::file(
                &path,
                "`do_lower_case` is true, which only the tokenizer's own normalizer can do",
            ));
        }
        let get = |key: &str| json.get(key).filter(|value| !value.is_null());
        let source = Source {
            path: &path,
            integer: &|key| get(key).map(Value::as_u64),
            float: &|key| get(key).map(Value::as_f64),
        };
        if let Some(most) = source.optional("max_seq_length", CONTEXT_MAX)? {
            self.text_tokens_max = most.min(self.positions);
        }
        Ok(())
    }
}

/// By the keys that vLLM reads.
fn matryoshka(
    source: &Source<'_>,
    json: &Value,
    hidden: usize,
) -> Result<Option<Matryoshka>, ModelsError> {
    if let Some(Value::Array(sizes)) = json.get("matryoshka_dimensions") {
        let size = |value: &Value| {
            let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
            size.filter(|size| (1..=hidden).contains(size))
        };
        let sizes: Option<Vec<usize>> = sizes.iter().take(CUTS_MAX + 1).map(size).collect();
        let sizes = sizes.filter(|sizes| sizes.len() <= CUTS_MAX);
        return sizes
            .map(|sizes| Some(Matryoshka::Listed(sizes)))
            .ok_or_else(|| {
                source.wrong(format!(
                    "`matryoshka_dimensions` must be whole numbers between 1 and {hidden}, at most {CUTS_MAX} of them"
                ))
            });
    }
    let any = json.get("is_matryoshka").and_then(Value::as_bool) == Some(true);
    Ok(any.then_some(Matryoshka::Any))
}
