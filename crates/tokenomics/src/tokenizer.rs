//! The model's tokenizer on the client's side: prompts of a given length are made with it, and the
//! server's counts are checked against it.

use models::{ChatContent, ChatMessage, ModelText};
use openai::Endpoint;
use std::fmt;
use trace::{Message, Prompt};
use workload::{PromptTokenizer, Tokenizer};

/// Counts as a server counts that has the same model.
pub(crate) struct ClientTokenizer {
    text: ModelText,
    /// How chats are sent; texts are counted as they are.
    endpoint: Endpoint,
}

impl ClientTokenizer {
    pub(crate) fn new(text: ModelText, endpoint: Endpoint) -> Self {
        Self { text, endpoint }
    }

    fn chat(&self, messages: &[Message]) -> Result<usize, String> {
        let template = self.text.template.as_ref().ok_or_else(|| {
            "it has no chat template, by which a chat's tokens are counted; --endpoint /completions \
             needs none"
                .to_owned()
        })?;
        let messages: Vec<ChatMessage> = messages.iter().map(chat_message).collect();
        let rendered = template
            .render(&messages, true)
            .map_err(|error| sentence(&error))?;
        let tokens = self.text.tokenizer.encode(&rendered, true);
        Ok(tokens.map_err(|error| sentence(&error))?.len())
    }

    fn raw(&self, text: &str) -> Result<usize, String> {
        let tokens = self.text.tokenizer.encode_prompt(text);
        Ok(tokens.map_err(|error| sentence(&error))?.len())
    }
}

impl Tokenizer for ClientTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.text
            .tokenizer
            .encode(text, false)
            .map_err(|error| sentence(&error))
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        Ok(self.text.tokenizer.decode(tokens))
    }
}

impl PromptTokenizer for ClientTokenizer {
    fn prompt_tokens(&self, prompt: &Prompt) -> Result<usize, String> {
        match (prompt, self.endpoint) {
            (Prompt::Chat { messages }, Endpoint::ChatCompletions | Endpoint::Responses) => {
                self.chat(messages)
            }
            (Prompt::Chat { messages }, Endpoint::Completions) => self.raw(
                &openai::completion_prompt(messages.iter().map(|said| &*said.text)),
            ),
            (Prompt::Texts { .. }, _) => prompt.parts().map(|text| self.raw(text)).sum(),
            (Prompt::Card { .. }, _) => Err("the prompt is not made yet".to_owned()),
        }
    }
}

impl fmt::Debug for ClientTokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.text.tokenizer.vocab_size();
        write!(formatter, "ClientTokenizer({tokens} tokens)")
    }
}

fn chat_message(message: &Message) -> ChatMessage {
    ChatMessage {
        role: message.role.name().to_owned(),
        content: ChatContent::Text(message.text.as_ref().to_owned()),
    }
}

/// An error as a part of a sentence.
fn sentence(error: &models::TextError) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::ClientTokenizer;
    use models::{ModelSpec, ModelText};
    use openai::Endpoint;
    use std::path::PathBuf;
    use std::sync::Arc;
    use trace::{Pacing, Plan, Prompt, RunId, Stop};
    use workload::{
        ChatSource, Content, PromptSource, PromptTokenizer, Traffic, TrafficClass, WorkloadConfig,
        build_plan,
    };

    fn counter(spec: &ModelSpec, endpoint: Endpoint) -> Arc<dyn PromptTokenizer> {
        Arc::new(ClientTokenizer::new(
            ModelText::open(spec).unwrap(),
            endpoint,
        ))
    }

    fn drawn(
        counter: &Arc<dyn PromptTokenizer>,
        content: Content,
        count: usize,
    ) -> (Traffic, Plan) {
        let class = TrafficClass {
            source: ChatSource::Content(content),
            system: None,
            // From prompts of hardly a word to prompts of pages.
            lengths: Some("L(160,200)/(20,10)".parse().unwrap()),
            max_tokens: None,
        };
        let traffic = || Traffic::new(7, vec![class.clone()], None, Some(Arc::clone(counter)));
        let config = WorkloadConfig {
            source: PromptSource::Chat(traffic().unwrap().into()),
            pacing: Pacing::Closed { concurrency: 1 },
            stop: Stop::AllRequests,
            requests: count,
            max_tokens: None,
            seed: 7,
        };
        let run = RunId::default();
        let plan = build_plan(&config, run, 0).unwrap();
        (traffic().unwrap(), plan)
    }

    /// Every prompt has the length that was drawn for it.
    fn check(counter: &Arc<dyn PromptTokenizer>, content: Content, count: usize) {
        let (traffic, plan) = drawn(counter, content, count);
        assert_eq!(plan.requests.len(), count);
        for planned in &plan.requests {
            let prompt = traffic.prompt(planned).unwrap();
            let tokens = u32::try_from(counter.prompt_tokens(&prompt).unwrap()).unwrap();
            assert_eq!(
                Some(tokens),
                planned.input_tokens.map(|tokens| tokens.count)
            );
        }
    }

    #[test]
    fn prompts_for_the_built_in_model_have_the_length_that_was_drawn() {
        for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
            check(
                &counter(&ModelSpec::RandomTiny, endpoint),
                Content::Math,
                60,
            );
        }
    }

    #[test]
    fn prompts_for_real_models_have_the_length_that_was_drawn() {
        let slow = std::env::var_os("RUN_SLOW_TESTS").is_some();
        let known = [
            ("TOKENOMICS_SMOLLM2", Endpoint::ChatCompletions),
            ("TOKENOMICS_GPT2", Endpoint::Completions),
            ("TOKENOMICS_MINILM", Endpoint::Completions),
        ];
        for (variable, endpoint) in known {
            let Some(path) = std::env::var_os(variable).filter(|_| slow) else {
                continue;
            };
            let counter = counter(&ModelSpec::Path(PathBuf::from(path)), endpoint);
            for (content, count) in [
                (Content::Prose, 400),
                (Content::Code, 300),
                (Content::Math, 300),
            ] {
                check(&counter, content, count);
            }
        }
    }

    #[test]
    fn a_chat_cannot_be_counted_without_a_template() {
        let encoder = counter(&ModelSpec::RandomTinyBert, Endpoint::ChatCompletions);
        let refused = encoder.prompt_tokens(&Prompt::user("hi")).unwrap_err();
        assert!(refused.contains("--endpoint /completions"), "{refused}");
    }
}
