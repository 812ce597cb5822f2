//! Texts that become vectors or scores.

use super::again::AskAgain;
use super::server::Server;
use super::task::{Kind, Settings};
use crate::builtin::BuiltIn;
use crate::config::{Load, PoolingConfig};
use crate::failure::Failure;
use load::{PromptMaker, Template};
use openai::{PoolingOptions, PoolingTemplate};
use serde_json::{Value, json};
use std::time::Duration;
use trace::{Asked, ClassInfo};
use workload::{PromptSource, PromptTokenizer};

impl PoolingConfig {
    fn renders(&self, model: &str) -> PoolingTemplate {
        PoolingTemplate::new(&PoolingOptions {
            task: self.task,
            model: model.to_owned(),
            encoding: self.encoding,
            dimensions: self.dimensions,
            extra_body: self.extra_body.clone(),
        })
    }
}

impl Kind for PoolingConfig {
    fn verb(&self) -> &'static str {
        "embedding"
    }

    fn path(&self) -> &'static str {
        self.task.path()
    }

    fn built_in(&self) -> fn(&str) -> Result<BuiltIn, Failure> {
        BuiltIn::start_encoder
    }

    fn pools(&self) -> bool {
        true
    }

    fn streams(&self) -> bool {
        false
    }

    fn sources(&self, _: u64) -> Result<Vec<PromptSource>, Failure> {
        let sources = self.sources.iter().map(|named| named.source.clone());
        Ok(sources.collect())
    }

    fn max_tokens(&self) -> Option<u32> {
        None
    }

    fn template(&self, model: &str) -> Template {
        Template::Pooling(self.renders(model))
    }

    /// Plans hold their texts.
    fn prompts(&self, _: &[PromptSource]) -> Option<PromptMaker> {
        None
    }

    fn tokenizer(&self) -> Option<&dyn PromptTokenizer> {
        None
    }

    fn asked(&self, _: &str) -> Option<Asked> {
        None
    }

    fn classes(&self) -> &[ClassInfo] {
        &[]
    }

    fn shares_prompts(&self) -> bool {
        false
    }

    fn template_tokens(&self) -> Option<u64> {
        None
    }

    fn again(&self, server: &Server, within: Duration) -> Option<AskAgain> {
        Some(AskAgain {
            connector: server.connector.clone(),
            path: format!("{}{}", server.target.base_path, self.path()),
            headers: server.headers.clone(),
            template: self.renders(&server.model),
            within,
        })
    }

    fn settings(&self, load: &Load) -> Settings {
        let points = load.points.iter().map(|point| point.info.key.as_str());
        vec![
            ("dataset_path", self.texts.dataset_value()),
            ("tokenizer", self.texts.tokenizer_value()),
            ("points", json!(points.collect::<Vec<_>>())),
        ]
    }

    fn request_settings(&self) -> Settings {
        vec![
            ("encoding_format", json!(self.encoding.name())),
            ("dimensions", json!(self.dimensions)),
            ("extra_body", Value::Object(self.extra_body.clone())),
        ]
    }

    fn words(&self) -> Vec<String> {
        vec![
            format!("Texts:     {}", self.texts.words()),
            format!("Vectors:   as {}", self.encoding.name()),
        ]
    }
}
