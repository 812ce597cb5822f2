//! All that chats and embeddings differ in.

use super::again::AskAgain;
use super::server::Server;
use crate::builtin::BuiltIn;
use crate::config::{Load, Task};
use crate::failure::Failure;
use load::{PromptMaker, Template};
use serde_json::Value;
use std::time::Duration;
use trace::{Asked, ClassInfo};
use workload::{PromptSource, PromptTokenizer};

/// Settings as the result file names them.
pub(super) type Settings = Vec<(&'static str, Value)>;

/// What requests are, how they are sent, and how that is told.
pub(super) trait Kind {
    /// As files are named after it.
    fn verb(&self) -> &'static str;
    /// Where requests go, below the API's base URL.
    fn path(&self) -> &'static str;
    /// Starts what is measured where no server is named.
    fn built_in(&self) -> fn(&str) -> Result<BuiltIn, Failure>;
    /// Whether texts become vectors or scores, and none are generated.
    fn pools(&self) -> bool;
    /// Whether answers come piece by piece.
    fn streams(&self) -> bool;
    /// Where prompts come from, drawn from that seed: what [`crate::config::Point::source`] counts.
    fn sources(&self, seed: u64) -> Result<Vec<PromptSource>, Failure>;
    /// The limit on each answer, where the requests have none of their own.
    fn max_tokens(&self) -> Option<u32>;
    /// Renders requests for that model.
    fn template(&self, model: &str) -> Template;
    /// Makes the prompts that plans only name.
    fn prompts(&self, sources: &[PromptSource]) -> Option<PromptMaker>;
    /// By which answers are counted again.
    fn tokenizer(&self) -> Option<&dyn PromptTokenizer>;
    /// What every request asks for.
    fn asked(&self, model: &str) -> Option<Asked>;
    /// Of a mix.
    fn classes(&self) -> &[ClassInfo];
    /// Whether prompts have beginnings that the server is meant to know.
    fn shares_prompts(&self) -> bool;
    /// Tokens that the model's chat template adds to every prompt, where a tokenizer told.
    fn template_tokens(&self) -> Option<u64>;
    /// What is asked for once more after the last run of each point, within that time.
    fn again(&self, server: &Server, within: Duration) -> Option<AskAgain>;
    /// What is sent, and how fast.
    fn settings(&self, load: &Load) -> Settings;
    /// How it is asked for.
    fn request_settings(&self) -> Settings;
    /// The same for people, before anything is sent.
    fn words(&self) -> Vec<String>;
}

impl Task {
    pub(super) fn kind(&self) -> &dyn Kind {
        match self {
            Self::Generation(config) => &**config,
            Self::Pooling(config) => &**config,
        }
    }
}
