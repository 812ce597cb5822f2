//! The model's tokenizer on the client's side: prompts of a given length are made with it, and the
//! server's counts are checked against it.

use models::{ChatMessage, ModelText};
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
            (Prompt::Chat { messages }, Endpoint::ChatCompletions) => self.chat(messages),
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
        content: message.text.as_ref().to_owned(),
    }
}

/// An error as a part of a sentence.
fn sentence(error: &models::TextError) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}
