//! Chats and completions: what is generated, streamed or whole.

use super::again::AskAgain;
use super::asked::asked_of_all;
use super::server::Server;
use super::task::{Kind, Settings};
use crate::builtin::BuiltIn;
use crate::config::{GenerationConfig, Load};
use crate::failure::Failure;
use load::{PromptMaker, Template};
use openai::{RequestOptions, RequestTemplate};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use trace::{Asked, ClassInfo, Pacing};
use workload::{PromptSource, PromptTokenizer};

impl Kind for GenerationConfig {
    fn verb(&self) -> &'static str {
        "chat"
    }

    fn path(&self) -> &'static str {
        self.endpoint.path()
    }

    fn built_in(&self) -> fn(&str) -> Result<BuiltIn, Failure> {
        BuiltIn::start
    }

    fn pools(&self) -> bool {
        false
    }

    fn streams(&self) -> bool {
        self.request.stream
    }

    fn sources(&self, seed: u64) -> Result<Vec<PromptSource>, Failure> {
        let known = &self.traffic.traffic;
        let traffic = if seed == known.seed() {
            Arc::clone(known)
        } else {
            known.with_seed(seed).map_err(Failure::usage)?.into()
        };
        Ok(vec![PromptSource::Chat(traffic)])
    }

    fn max_tokens(&self) -> Option<u32> {
        self.request.max_tokens
    }

    fn template(&self, model: &str) -> Template {
        let request = &self.request;
        Template::Generation(RequestTemplate::with_fields(
            &RequestOptions {
                endpoint: self.endpoint,
                model: model.to_owned(),
                stream: request.stream,
                temperature: request.temperature,
                n: request.choices,
                ignore_eos: request.ignore_eos,
                seed: None,
                extra_body: request.patch.clone(),
            },
            request.fields.clone(),
        ))
    }

    fn prompts(&self, sources: &[PromptSource]) -> Option<PromptMaker> {
        let source = sources.first()?.clone();
        Some(PromptMaker::new(move |planned| {
            source
                .prompt(planned)
                .map_err(|error| error.to_string().trim_end_matches('.').to_owned())
        }))
    }

    fn tokenizer(&self) -> Option<&dyn PromptTokenizer> {
        self.traffic.traffic.tokenizer().map(|known| &**known)
    }

    fn asked(&self, model: &str) -> Option<Asked> {
        Some(asked_of_all(self, model))
    }

    fn classes(&self) -> &[ClassInfo] {
        &self.traffic.classes
    }

    fn shares_prompts(&self) -> bool {
        self.traffic.shares_prompts()
    }

    fn template_tokens(&self) -> Option<u64> {
        let (_, template) = self.traffic.tokenizer.as_ref()?;
        template.map(|tokens| tokens as u64)
    }

    fn again(&self, _: &Server, _: Duration) -> Option<AskAgain> {
        None
    }

    fn settings(&self, load: &Load) -> Settings {
        let of_point = |pacing: Pacing| match pacing {
            Pacing::Burst { size } => json!(size),
            Pacing::Closed { concurrency } => json!(concurrency),
            Pacing::Open { arrival, .. } => json!(arrival),
        };
        let points = load.points.iter().map(|point| of_point(point.info.pacing));
        let (kind, key) = match load.points[0].info.pacing {
            Pacing::Burst { .. } => ("burst", "batch_sizes"),
            Pacing::Closed { .. } => ("closed", "max_concurrency"),
            Pacing::Open { .. } => ("open", "request_rates"),
        };
        vec![
            ("dataset_key", json!(self.traffic.dataset)),
            ("scenario", json!(self.traffic.scenario)),
            ("tokenizer", self.traffic.tokenizer_value()),
            ("conversations", self.traffic.session_value()),
            ("variants", self.traffic.variants.clone()),
            ("load", json!(kind)),
            (key, Value::Array(points.collect())),
        ]
    }

    fn request_settings(&self) -> Settings {
        let request = &self.request;
        vec![
            ("max_tokens", json!(request.max_tokens)),
            ("temperature", json!(request.temperature)),
            ("n", json!(request.choices)),
            ("ignore_eos", json!(request.ignore_eos)),
            ("stream", json!(request.stream)),
            ("extra_body", Value::Object(request.extra_body())),
        ]
    }

    fn words(&self) -> Vec<String> {
        let request = &self.request;
        let kind = if request.stream { "streamed" } else { "whole" };
        let limit = match request.max_tokens {
            Some(limit) if !self.traffic.has_lengths() => format!(", at most {limit} tokens"),
            _ => String::new(),
        };
        vec![
            format!("Prompts:   {}", self.traffic.words()),
            format!("Responses: {kind}{limit}, n = {}", request.choices),
        ]
    }
}
