//! Renders bodies, and says how answers are read.

use crate::packet::Listener;
use openai::{ChatMessage, PoolingTask, PoolingTemplate, RequestTemplate};
use trace::{Message, PlannedRequest, PlannedTokens, Prompt, Role, RunId, TextFacts, Turn};

/// Renders the body of each request, and says how its answer is read.
#[derive(Clone, Debug)]
pub enum Template {
    /// Text is generated: streamed or whole.
    Generation(RequestTemplate),
    /// Texts become vectors or scores.
    Pooling(PoolingTemplate),
}

/// How answers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As generated text, in so many choices.
    Generation { choices: u32 },
    /// As vectors or scores.
    Pooling(PoolingTask),
}

/// One request, ready to be written, and what its record keeps of the plan.
pub(crate) struct Outgoing {
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
    pub(crate) run: RunId,
    pub(crate) id: u64,
    /// When the plan wants it sent, where it says.
    pub(crate) due: Option<trace::Nanos>,
    /// Texts that are to be answered.
    pub(crate) inputs: u32,
    pub(crate) planned_tokens: Option<PlannedTokens>,
    /// What is known of the text of the prompt.
    pub(crate) prompt_text: Option<TextFacts>,
    /// The limit on generated tokens that the body has, where it has one.
    pub(crate) max_tokens: Option<u32>,
    pub(crate) class: u32,
    pub(crate) turn: Option<Turn>,
    /// Who waits for what the answer says.
    pub(crate) listener: Option<Listener>,
}

impl Template {
    /// Whether streams are asked for.
    pub const fn stream(&self) -> bool {
        match self {
            Self::Generation(template) => template.stream(),
            Self::Pooling(_) => false,
        }
    }

    pub(crate) const fn reading(&self) -> Reading {
        match self {
            Self::Generation(template) => Reading::Generation {
                choices: template.n(),
            },
            Self::Pooling(template) => Reading::Pooling(template.task()),
        }
    }

    /// The limit on generated tokens that the body of such a turn of the request has, where it has one.
    pub(crate) fn limit(&self, planned: &PlannedRequest, max_tokens: Option<u32>) -> Option<u32> {
        match self {
            Self::Generation(template) => template.limit(max_tokens, planned.changes.as_deref()),
            Self::Pooling(_) => None,
        }
    }

    /// The JSON body of a request. Texts for a server that generates are one prompt; a chat for one that embeds is the
    /// user's last message.
    pub(crate) fn render(&self, prompt: &Prompt, planned: &PlannedRequest) -> Vec<u8> {
        let limit = planned.max_tokens;
        let changes = planned.changes.as_deref();
        match (self, prompt) {
            (Self::Generation(template), Prompt::Chat { messages }) => {
                template.render(messages.iter().map(chat_message), limit, changes)
            }
            (Self::Generation(template), _) => {
                let texts: Vec<&str> = prompt.parts().collect();
                let text = texts.join("\n\n");
                let message = Message::new(Role::User, text);
                template.render(std::iter::once(chat_message(&message)), limit, changes)
            }
            (Self::Pooling(template), Prompt::Texts { query, texts }) => {
                template.render(query.as_deref(), texts.iter().map(|text| &**text))
            }
            (Self::Pooling(template), _) => {
                template.render(None, prompt.parts().last().into_iter())
            }
        }
    }
}

fn chat_message(message: &Message) -> ChatMessage<'_> {
    ChatMessage {
        role: message.role.name(),
        text: &message.text,
        images: &message.images,
        fields: message.fields.as_deref(),
    }
}
