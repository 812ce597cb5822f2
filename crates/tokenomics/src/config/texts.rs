//! What the texts of an embedding benchmark are: a kind of texts for each series of points.

use super::lists::list;
use crate::args::TextArgs;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::tokenizer::ClientTokenizer;
use crate::{model, prompts};
use openai::{Endpoint, PoolingTask};
use serde_json::{Value, json};
use std::sync::Arc;
use trace::Prompt;
use workload::{PromptTokenizer, TOKENS_MAX, TextLength, TextSource};

/// The texts, and what the result file says of them.
#[derive(Clone)]
pub(crate) struct TextConfig {
    /// Each with the end of its points' names: `seq_200`, `tok_128`, `seq_dataset`.
    pub(crate) kinds: Vec<(String, TextSource)>,
    /// Texts in each request.
    pub(crate) per_request: Vec<u32>,
    /// What counts them, where there is something.
    pub(crate) tokenizer: Option<TextTokenizer>,
    /// Where they come from, where that is a file.
    dataset: Option<String>,
}

/// A tokenizer with its name.
#[derive(Clone)]
pub(crate) struct TextTokenizer {
    pub(crate) name: String,
    pub(crate) counter: Arc<dyn PromptTokenizer>,
    /// The tokens that are put around each text.
    pub(crate) ends: usize,
}

impl TextConfig {
    pub(crate) fn resolve(
        args: &TextArgs,
        task: PoolingTask,
        built_in: Option<&str>,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        if task.has_query() && (args.tokenizer.is_some() || args.input_tokens.is_some()) {
            return Err(Failure::usage(format!(
                "--tokenizer and --input-tokens are for /embeddings: servers put a query and a text together in ways \
                 of their own, so that the tokens of {} cannot be counted before; leave them out",
                task.path()
            )));
        }
        let tokenizer = tokenizer(args.tokenizer.as_deref(), built_in, task, environment)?;
        let kinds = match (&args.dataset_path, &args.input_tokens) {
            (Some(path), _) => {
                let rows = prompts::texts(
                    "--dataset-path",
                    path,
                    args.dataset_column.as_deref(),
                    environment,
                )?;
                vec![("seq_dataset".to_owned(), TextSource::Rows(rows.into()))]
            }
            (None, Some(typed)) => lengths_in_tokens(typed, tokenizer.as_ref())?,
            (None, None) => lengths(&args.sequence_lengths)?,
        };
        Ok(Self {
            kinds,
            per_request: list("--inputs-per-request", &args.inputs_per_request)?,
            tokenizer,
            dataset: args
                .dataset_path
                .as_ref()
                .map(|path| path.display().to_string()),
        })
    }

    /// In a line, for people.
    pub(crate) fn words(&self) -> String {
        let names = || -> Vec<&str> { self.kinds.iter().map(|(name, _)| &**name).collect() };
        let built_in = || format!("built-in prose: {}", names().join(", "));
        let kinds = self.dataset.clone().unwrap_or_else(built_in);
        let counted = self.tokenizer.as_ref().map_or_else(String::new, |by| {
            format!(
                "; counted by the tokenizer of {}, with {} tokens around each text",
                by.name, by.ends
            )
        });
        format!("{kinds}{counted}")
    }

    /// The file of the texts, for the result file.
    pub(crate) fn dataset_value(&self) -> Value {
        json!(self.dataset)
    }

    /// The tokenizer, for the result file.
    pub(crate) fn tokenizer_value(&self) -> Value {
        self.tokenizer.as_ref().map_or(
            Value::Null,
            |by| json!({ "name": by.name, "end_tokens": by.ends }),
        )
    }
}

/// The one that was named, or that of the built-in server, which is there anyway.
fn tokenizer(
    named: Option<&str>,
    built_in: Option<&str>,
    task: PoolingTask,
    environment: Environment<'_>,
) -> Result<Option<TextTokenizer>, Failure> {
    let built_in = built_in.filter(|_| !task.has_query());
    let Some(name) = named.or(built_in) else {
        return Ok(None);
    };
    let text = model::encoder_text(name, environment)?;
    // Texts are no chats: the endpoint does not matter to them.
    let counter = ClientTokenizer::new(text, Endpoint::Completions);
    let nothing = Prompt::Texts {
        query: None,
        texts: ["".into()].into(),
    };
    let ends = counter
        .prompt_tokens(&nothing)
        .map_err(|why| Failure::usage(format!("--tokenizer {name}: {why}")))?;
    Ok(Some(TextTokenizer {
        name: name.to_owned(),
        counter: Arc::new(counter),
        ends,
    }))
}

fn lengths_in_tokens(
    typed: &str,
    tokenizer: Option<&TextTokenizer>,
) -> Result<Vec<(String, TextSource)>, Failure> {
    let Some(TextTokenizer { name, ends, .. }) = tokenizer else {
        return Err(Failure::usage(
            "--input-tokens needs the model's tokenizer: name it with --tokenizer, a folder, a tokenizer.json, a \
             .gguf file or an id on the hub; --sequence-lengths takes lengths in words, which need none",
        ));
    };
    let lengths = list("--input-tokens", typed)?;
    let of_length = |tokens: u32| {
        if tokens as usize <= *ends {
            return Err(Failure::usage(format!(
                "--input-tokens must be above {ends}, the tokens that {name} puts around each text, got `{tokens}`"
            )));
        }
        if tokens > TOKENS_MAX {
            return Err(Failure::usage(format!(
                "--input-tokens must be at most {TOKENS_MAX}, got `{tokens}`"
            )));
        }
        Ok((format!("tok_{tokens}"), TextSource::Tokens(tokens)))
    };
    lengths.into_iter().map(of_length).collect()
}

fn lengths(text: &str) -> Result<Vec<(String, TextSource)>, Failure> {
    let mut lengths: Vec<(String, TextSource)> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let length: TextLength = item
            .parse()
            .map_err(|error| Failure::usage(format!("--sequence-lengths: {error}")))?;
        let name = format!("seq_{length}");
        if lengths.iter().any(|(known, _)| *known == name) {
            return Err(Failure::usage(format!(
                "--sequence-lengths names {item} twice"
            )));
        }
        lengths.push((name, TextSource::Length(length)));
    }
    Ok(lengths)
}
