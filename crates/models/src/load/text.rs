//! What a model has beside its network: text to tokens and back, and chats to prompts.

use super::{ModelSpec, gguf_of};
use crate::config::tokens;
use crate::encoder::EncoderConfig;
use crate::weights::{Metadata, open_gguf};
use crate::{ChatTemplate, ModelsError, Tokenizer};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

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
                Self::of_parts(Tokenizer::from_file(path)?, &Value::Null, None, None)
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
        let special = |key: &str| {
            let id = metadata.integer(&format!("tokenizer.ggml.{key}_token_id"));
            id.and_then(|id| u32::try_from(id).ok())
        };
        let name_of = |id: Option<u32>| {
            id.and_then(|id| tokenizer.id_to_token(id))
                .unwrap_or_default()
        };
        let template = metadata.text("tokenizer.chat_template").map(|source| {
            ChatTemplate::parse(source, &name_of(special("bos")), &name_of(special("eos")))
        });
        let mut eos: Vec<u32> = special("eos").into_iter().collect();
        // Models for chats end their turns with another token than texts.
        for name in ["<|im_end|>", "<|eot_id|>", "<|end_of_turn|>"] {
            eos.extend(tokenizer.token_to_id(name).filter(|id| !eos.contains(id)));
        }
        Ok(Self {
            template: template.transpose()?,
            tokenizer: Arc::new(tokenizer),
            eos,
        })
    }

    pub(super) fn of_folder(folder: &Path) -> Result<Self, ModelsError> {
        let settings = json_of(folder, "tokenizer_config.json");
        let source = template_of(folder, &settings);
        let config = json_of(folder, "config.json");
        let bos = tokens(config.get("bos_token_id")).first().copied();
        let mut text = Self::of_parts(tokenizer_of(folder)?, &settings, source, bos)?;
        for json in [config, json_of(folder, "generation_config.json")] {
            let ids = tokens(json.get("eos_token_id"));
            let new: Vec<u32> = ids
                .into_iter()
                .filter(|id| !text.eos.contains(id))
                .collect();
            text.eos.extend(new);
        }
        Ok(text)
    }

    /// `settings` are those of a `tokenizer_config.json`, `bos_id` the token of a file that names it by
    /// its id alone.
    fn of_parts(
        tokenizer: Tokenizer,
        settings: &Value,
        template: Option<String>,
        bos_id: Option<u32>,
    ) -> Result<Self, ModelsError> {
        let special = |key: &str| {
            let value = settings.get(key);
            let name =
                value.and_then(|value| value.as_str().or_else(|| value.get("content")?.as_str()));
            name.unwrap_or_default().to_owned()
        };
        let (bos, eos) = (special("bos_token"), special("eos_token"));
        let adds_bos = settings.get("add_bos_token").and_then(Value::as_bool) == Some(true);
        let before = bos_id.or_else(|| tokenizer.token_to_id(&bos));
        let before = before.filter(|_| adds_bos);
        let template = template.map(|source| ChatTemplate::parse(&source, &bos, &eos));
        Ok(Self {
            tokenizer: Arc::new(tokenizer.with_bos(before)),
            template: template.transpose()?,
            eos: Vec::new(),
        })
    }
}

/// A file of the folder; nothing where it is not there or is no JSON.
fn json_of(folder: &Path, name: &str) -> Value {
    let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
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

/// A file of its own, or within the tokenizer's configuration: one, or several with names.
fn template_of(folder: &Path, tokenizer_config: &Value) -> Option<String> {
    if let Ok(source) = std::fs::read_to_string(folder.join("chat_template.jinja")) {
        return Some(source);
    }
    match tokenizer_config.get("chat_template")? {
        Value::String(source) => Some(source.clone()),
        Value::Array(named) => {
            let default = named
                .iter()
                .find(|entry| entry["name"] == "default")
                .or(named.first());
            default
                .and_then(|entry| entry["template"].as_str())
                .map(str::to_owned)
        }
        _ => None,
    }
}
