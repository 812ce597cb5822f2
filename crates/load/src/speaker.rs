//! Prompts to the bytes of requests.

use crate::ahead::PromptMaker;
use crate::template::Template;
use trace::{Message, PlannedRequest, Prompt, Role};

/// Makes the bytes of requests, on whatever thread.
pub(crate) struct Speaker {
    /// Every request's head, up to what differs.
    pub(crate) head: Vec<u8>,
    pub(crate) invocation: u64,
    pub(crate) template: Template,
    pub(crate) prompts: Option<PromptMaker>,
}

impl Speaker {
    /// A whole request, as bytes.
    pub(crate) fn with_head(&self, body: &[u8], id: u64) -> Vec<u8> {
        let id = trace::request_id(self.invocation, id);
        let length = body.len();
        let differs = format!("x-request-id: {id}\r\ncontent-length: {length}\r\n\r\n");
        [self.head.as_slice(), differs.as_bytes(), body].concat()
    }

    /// The next turn of a conversation: what was said with what is said now, and the request.
    /// Errors are sentences without a full stop.
    pub(crate) fn go_on(
        &self,
        mut said: Vec<Message>,
        planned: &PlannedRequest,
        id: u64,
    ) -> Result<(Vec<Message>, Vec<u8>), String> {
        let made = crate::ahead::made(self.prompts.as_ref(), planned)?;
        let prompt = made.as_ref().unwrap_or(&planned.prompt);
        // Results of tools are there already, each with its call.
        if let Prompt::Chat { messages } = prompt {
            let new = messages.iter();
            let new = new.filter(|message| !matches!(message.role, Role::System | Role::Tool));
            said.extend(new.cloned());
        }
        let whole = Prompt::Chat {
            messages: said.as_slice().into(),
        };
        let body = self.template.render(&whole, planned);
        let bytes = self.with_head(&body, id);
        Ok((said, bytes))
    }
}
