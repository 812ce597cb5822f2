//! The text of a request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The text of a request. Shared, because a data set with fewer rows than requests repeats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// What text is generated from.
    Chat {
        /// At least one, in the order in which they were said.
        messages: Arc<[Message]>,
    },
    /// What is turned into vectors, or compared with a query.
    Texts {
        /// What the texts are compared with, where scores and not vectors are asked for.
        query: Option<Arc<str>>,
        /// At least one.
        texts: Arc<[Arc<str>]>,
    },
    /// Not made yet: it follows from this number, the request's class and its lengths, and is made
    /// shortly before it is sent.
    Card {
        /// Which of the endless series of the plan's seed.
        number: u64,
    },
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What stands before a conversation.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
    /// What a tool gave back.
    Tool,
}

impl Role {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: Arc<str>,
    /// URLs of images, `data:` URLs among them, which stand before the text.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub images: Arc<[Arc<str>]>,
    /// Fields of the message beside role and content, such as `tool_calls` and `tool_call_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Arc<Map<String, Value>>>,
}

impl Message {
    /// A message that is text alone.
    pub fn new(role: Role, text: impl Into<Arc<str>>) -> Self {
        Self {
            role,
            text: text.into(),
            images: Arc::default(),
            fields: None,
        }
    }
}

impl Prompt {
    /// A user's message alone.
    pub fn user(text: impl Into<Arc<str>>) -> Self {
        Self::chat(None, text)
    }

    /// A user's message after a system message, if there is one.
    pub fn chat(system: Option<Arc<str>>, user: impl Into<Arc<str>>) -> Self {
        let system = system.map(|text| Message::new(Role::System, text));
        let user = Message::new(Role::User, user);
        Prompt::Chat {
            messages: system.into_iter().chain([user]).collect(),
        }
    }

    /// The same, with images before the text of the last message, those that are there already first.
    /// Only chats have messages.
    #[must_use]
    pub fn with_images(self, urls: &[Arc<str>]) -> Self {
        let Prompt::Chat { messages } = &self else {
            return self;
        };
        if urls.is_empty() {
            return self;
        }
        let mut messages = messages.to_vec();
        if let Some(last) = messages.last_mut() {
            last.images = last.images.iter().chain(urls).cloned().collect();
        }
        Prompt::Chat {
            messages: messages.into(),
        }
    }

    /// Texts or documents, each of which is answered by a vector or a score; a chat is one.
    pub fn inputs(&self) -> u32 {
        match self {
            Prompt::Chat { .. } | Prompt::Card { .. } => 1,
            Prompt::Texts { texts, .. } => u32::try_from(texts.len()).unwrap_or(u32::MAX),
        }
    }

    /// Its texts in order, system message and query first; none where it is not made yet.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let (messages, query, texts): (&[Message], _, &[Arc<str>]) = match self {
            Prompt::Chat { messages } => (messages, &None, &[]),
            Prompt::Texts { query, texts } => (&[], query, texts),
            Prompt::Card { .. } => (&[], &None, &[]),
        };
        let said = messages.iter().map(|message| &*message.text);
        said.chain(query.iter().chain(texts).map(|text| &**text))
    }
}
