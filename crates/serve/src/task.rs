//! What the server's model does, and how its thread is reached.

use crate::answer::Submission;
use crate::order::Command;
use crate::prepare::Capacity;
use crate::vector_answer::VectorSubmission;
use openai::{ApiError, EmbeddingLimits};
use std::sync::mpsc::Sender;

/// What the server's model does, and how its engine thread is reached.
pub(crate) enum Task {
    /// It writes texts.
    Generate(Generator),
    /// It turns texts into vectors.
    Embed(Embedder),
}

/// The way to a model that writes texts.
pub(crate) struct Generator {
    pub(crate) capacity: Capacity,
    pub(crate) commands: Sender<Command<Submission>>,
    pub(crate) pieces_max: usize,
}

/// The way to an encoder.
pub(crate) struct Embedder {
    pub(crate) limits: EmbeddingLimits,
    pub(crate) commands: Sender<Command<VectorSubmission>>,
}

/// Which comparison of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Score,
    Rerank,
}

/// Paths that every model has.
const COMMON: &str = "/v1/models, /tokenize, /detokenize, /health, /health/ready and /metrics";

impl Task {
    /// What it does, and where.
    const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Task::Generate(_) => (
                "writes texts and makes no vectors",
                "/v1/chat/completions and /v1/completions",
            ),
            Task::Embed(_) => (
                "is an encoder, which turns texts into vectors and writes none",
                "/v1/embeddings, /v1/score and /v1/rerank",
            ),
        }
    }

    /// The refusal of what models of the other kind do.
    pub(crate) fn elsewhere(&self) -> ApiError {
        let (does, paths) = self.words();
        ApiError {
            param: Some("model".to_owned()),
            ..ApiError::refused(
                404,
                format!("the model {does}; it is served at {paths}"),
                "wrong_endpoint",
            )
        }
    }

    /// The refusal of a path that no model has.
    pub(crate) fn no_such_path(&self) -> ApiError {
        let paths = self.words().1.replace(" and ", ", ");
        ApiError::refused(
            404,
            format!("there is no such path; there are {paths}, {COMMON}"),
            "not_found",
        )
    }
}
