//! What a model has beside its network: text to tokens and back, and chats to prompts.

use super::specials::{Specials, ends_of_folder, ends_of_gguf};
use super::{ModelSpec, gguf_of};
use crate::config::tokens;
use crate::encoder::EncoderConfig;
use crate::files::{self, SETTINGS_BYTES_MAX};
use crate::weights::{Metadata, open_gguf};
use crate::{ChatTemplate, ModelsError, Tokenizer};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Tokens at which a text ends, each of which every token that is made is held against. Real models have five.
const ENDS_MAX: usize = 1_024;

/// A model's way with texts, without its network.
pub struct ModelText {
    /// Text to tokens and back.
    pub tokenizer: Arc<Tokenizer>,
    /// Chats to prompts, where the model has a template.
    pub template: Option<ChatTemplate>,
    /// Tokens that end a text.
    pub eos: Vec<u32>,
}

impl ModelText {
    /// Of a model, no weight of which is read: a `.gguf` file, or a folder with one or with the files
    /// of a model in safetensors. A `tokenizer.json` alone, or a folder that has no more, does as well.
    pub fn open(spec: &ModelSpec) -> Result<Self, ModelsError> {
        match spec {
            ModelSpec::RandomTiny | ModelSpec::RandomGpt2 => Ok(Self::of_random(Vec::new())),
            ModelSpec::RandomTinyBert => Self::of_encoder(Tokenizer::bytes()),
            ModelSpec::Path(path) if path.extension().is_some_and(|name| name == "json") => {
                let tokenizer = Tokenizer::from_file(path)?;
                Ok(Self {
                    tokenizer: Arc::new(tokenizer.with_ends_of_text(None, None)?),
                    template: None,
                    eos: Vec::new(),
                })
            }
            ModelSpec::Path(path) if EncoderConfig::is_in(path) => {
                Self::of_encoder(tokenizer_of(path)?)
            }
            ModelSpec::Path(path) if has_tokenizer(path) => Self::of_folder(path),
            ModelSpec::Path(path) => match gguf_of(path)? {
                Some(file) => Self::of_gguf(&open_gguf(&file)?.metadata),
                None => Self::of_folder(path),
            },
        }
    }

    /// The same of a model that turns texts into vectors: with the tokens that its file says come around a text.
    pub fn open_encoder(spec: &ModelSpec) -> Result<Self, ModelsError> {
        match spec {
            ModelSpec::Path(path) if path.extension().is_some_and(|name| name == "json") => {
                Self::of_encoder(Tokenizer::from_file(path)?)
            }
            ModelSpec::Path(path) if path.is_dir() && has_tokenizer(path) => {
                Self::of_encoder(tokenizer_of(path)?)
            }
            _ => Self::open(spec),
        }
    }

    /// Bytes, and the template of the random models.
    pub(super) fn of_random(eos: Vec<u32>) -> Self {
        Self {
            tokenizer: Arc::new(Tokenizer::bytes()),
            template: Some(ChatTemplate::chatml()),
            eos,
        }
    }

    /// An encoder's, which puts tokens around each text.
    pub(super) fn of_encoder(tokenizer: Tokenizer) -> Result<Self, ModelsError> {
        Ok(Self {
            tokenizer: Arc::new(tokenizer.with_ends()?),
            template: None,
            eos: Vec::new(),
        })
    }

    pub(super) fn of_gguf(metadata: &Metadata) -> Result<Self, ModelsError> {
        let tokenizer = Tokenizer::from_gguf(metadata)?;
        let specials = Specials::of_gguf(metadata, &tokenizer);
        let template = metadata
            .text("tokenizer.chat_template")
            .map(|source| ChatTemplate::parse(source, &specials.pairs()));
        Ok(Self {
            template: template.transpose()?,
            eos: ends_of_gguf(metadata, &tokenizer),
            tokenizer: Arc::new(tokenizer),
        })
    }

    pub(super) fn of_folder(folder: &Path) -> Result<Self, ModelsError> {
        let settings = json_of(folder, "tokenizer_config.json");
        let config = json_of(folder, "config.json");
        let generation = json_of(folder, "generation_config.json");
        // Older files keep the names of special tokens apart.
        let older = json_of(folder, "special_tokens_map.json");
        let specials = Specials::of_settings(&[&settings, &older]);
        let tokenizer = tokenizer_of(folder)?;
        let bos = tokens(config.get("bos_token_id")).first().copied();
        let bos = specials.id("bos_token", &tokenizer).or(bos);
        let eos = specials.id("eos_token", &tokenizer);
        let template = template_of(folder, &settings)?
            .map(|source| ChatTemplate::parse(&source, &specials.pairs()));
        let ends = ends_of_folder(&[&config, &generation], eos);
        if ends.len() > ENDS_MAX {
            return Err(ModelsError::file(
                folder,
                format!(
                    "names {} tokens as `eos_token_id`; at most {ENDS_MAX} end a text",
                    ends.len()
                ),
            ));
        }
        Ok(Self {
            template: template.transpose()?,
            tokenizer: Arc::new(tokenizer.with_ends_of_text(
                bos.filter(|_| is_set(&settings, "add_bos_token")),
                eos.filter(|_| is_set(&settings, "add_eos_token")),
            )?),
            eos: ends,
        })
    }
}

fn is_set(settings: &Value, key: &str) -> bool {
    settings.get(key).and_then(Value::as_bool) == Some(true)
}

/// A file of the folder; nothing where it is not there or is no JSON.
fn json_of(folder: &Path, name: &str) -> Value {
    let bytes = files::read(&folder.join(name), SETTINGS_BYTES_MAX).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn has_tokenizer(folder: &Path) -> bool {
    folder.join("tokenizer.json").exists() || folder.join("vocab.json").exists()
}

pub(super) fn tokenizer_of(folder: &Path) -> Result<Tokenizer, ModelsError> {
    let whole = folder.join("tokenizer.json");
    if whole.exists() {
        return Tokenizer::from_file(&whole);
    }
    let (vocab, merges) = (folder.join("vocab.json"), folder.join("merges.txt"));
    if vocab.exists() && merges.exists() {
        return Tokenizer::from_vocab_merges(&vocab, &merges);
    }
    Err(ModelsError::file(
        folder,
        "has neither a tokenizer.json nor vocab.json and merges.txt; copy them beside the weights",
    ))
}

/// A file of its own, or within the tokenizer's or the processor's configuration: one, or several with names.
fn template_of(folder: &Path, tokenizer_config: &Value) -> Result<Option<String>, ModelsError> {
    for name in [
        "chat_template.jinja",
        "additional_chat_templates/default.jinja",
    ] {
        let path = folder.join(name);
        if path.exists() {
            let source = String::from_utf8(files::read(&path, SETTINGS_BYTES_MAX)?);
            let source = source.map_err(|_| ModelsError::file(&path, "is not text"))?;
            return Ok(Some(source));
        }
    }
    let processors = json_of(folder, "chat_template.json");
    Ok([tokenizer_config, &processors]
        .iter()
        .find_map(|json| template_in(json.get("chat_template")?)))
}

/// Several have names, in a list of pairs or in an object; the default one is for chats.
fn template_in(value: &Value) -> Option<String> {
    let source = match value {
        Value::String(_) => Some(value),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default");
            default.or(named.first())?.get("template")
        }
        Value::Object(named) => named.get("default").or_else(|| named.values().next()),
        _ => None,
    };
    source?.as_str().map(str::to_owned)
}
