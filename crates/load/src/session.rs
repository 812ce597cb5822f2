//! A conversation: one exchange after the other, each with everything that was said before.

use crate::connector::Connector;
use crate::exchange::exchange;
use crate::packet::Said;
use crate::shared::Shared;
use crate::speaker::Speaker;
use crate::template::Outgoing;
use crate::{Clock, LoadError};
use openai::Answer;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;
use trace::{FollowUp, Message, Nanos, PlannedRequest, Prompt, Role, Turn};

/// What became of the follow-ups of a run.
#[derive(Default)]
pub(crate) struct Turns {
    /// Sent.
    pub(crate) sent: Cell<u64>,
    /// Never sent, because the turn before had no whole answer.
    pub(crate) cut: Cell<u64>,
    /// Never wanted: the result of a tool that the model did not call, or due after the run's end.
    pub(crate) unwanted: Cell<u64>,
    /// A prompt that could not be made.
    pub(crate) unmade: RefCell<Option<LoadError>>,
}

/// A conversation that goes on by itself once its first turn is released.
pub(crate) struct Conversation<C: Connector> {
    pub(crate) shared: Rc<Shared<C>>,
    pub(crate) speaker: Arc<Speaker>,
    pub(crate) turns: Rc<Turns>,
    pub(crate) planned: PlannedRequest,
    /// What the first turn says.
    pub(crate) messages: Vec<Message>,
    /// No turn begins after it.
    pub(crate) deadline: Option<Nanos>,
}

impl<C: Connector> Conversation<C> {
    /// Sends the first turn and then each of the others when its time has come. Ids go on from that
    /// of the first.
    pub(crate) async fn hold(mut self, mut outgoing: Outgoing) {
        let (first, run, class) = (outgoing.id, outgoing.run, outgoing.class);
        let inputs = outgoing.inputs;
        let turn = |number| {
            Some(Turn {
                session: first,
                number,
            })
        };
        outgoing.turn = turn(0);
        let follow_ups = Arc::clone(&self.planned.turns);
        for (number, follow_up) in (1..).zip(follow_ups.iter()) {
            let left = follow_ups.len() as u64 + 1 - u64::from(number);
            let Some(said) = self.exchange(outgoing).await else {
                return count(&self.turns.cut, left);
            };
            let Some(answer) = said.answer else {
                return count(&self.turns.cut, left);
            };
            let due = said.done + follow_up.think;
            if self.deadline.is_some_and(|deadline| due >= deadline) {
                return count(&self.turns.unwanted, left);
            }
            if !self.hear(&answer, follow_up) {
                return count(&self.turns.unwanted, left);
            }
            let id = first + u64::from(number);
            let bytes = match self.say(follow_up, id).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.turns.unmade.borrow_mut().get_or_insert(error);
                    return count(&self.turns.cut, left);
                }
            };
            self.shared.clock.sleep_until(due).await;
            count(&self.turns.sent, 1);
            outgoing = Outgoing {
                bytes,
                run,
                id,
                due: Some(due),
                inputs,
                // What the answers before have in tokens is the server's to say.
                planned_tokens: None,
                prompt_text: None,
                max_tokens: self
                    .speaker
                    .template
                    .limit(&self.planned, follow_up.max_tokens),
                class,
                turn: turn(number),
                listener: None,
            };
        }
        // Nobody goes on with the last answer.
        exchange(self.shared, outgoing).await;
    }

    /// `None` where nothing tells what came of it.
    async fn exchange(&self, mut outgoing: Outgoing) -> Option<Said> {
        let (listener, said) = oneshot::channel();
        outgoing.listener = Some(listener);
        exchange(Rc::clone(&self.shared), outgoing).await;
        // The next turn waits for it.
        self.shared.outbox.flush();
        said.await.ok()
    }

    /// Adds what was answered; `false` where the next turn has no place after it.
    fn hear(&mut self, answer: &Answer, next: &FollowUp) -> bool {
        let is_result = match &next.prompt {
            Prompt::Chat { messages } => messages.iter().any(|said| said.role == Role::Tool),
            Prompt::Card { .. } | Prompt::Texts { .. } => false,
        };
        if is_result && answer.tool_calls.is_empty() {
            return false;
        }
        self.messages.push(Message {
            // Who does not bring the results that it asked for must not repeat the calls.
            fields: answer.message_fields().filter(|_| is_result).map(Arc::new),
            ..Message::new(Role::Assistant, answer.text.as_str())
        });
        if is_result && let Prompt::Chat { messages } = &next.prompt {
            // A result for each call.
            for id in answer.call_ids() {
                self.messages.extend(messages.iter().map(|said| {
                    Message {
                        fields: Some(Arc::new(
                            [("tool_call_id".to_owned(), id.into())]
                                .into_iter()
                                .collect(),
                        )),
                        ..said.clone()
                    }
                }));
            }
        }
        true
    }

    /// The bytes of the next turn; what it says is added to what was said. Made off the receiving
    /// thread, because histories are long.
    async fn say(&mut self, follow_up: &FollowUp, id: u64) -> Result<Vec<u8>, LoadError> {
        let planned = PlannedRequest {
            prompt: follow_up.prompt.clone(),
            max_tokens: follow_up.max_tokens,
            input_tokens: follow_up.input_tokens,
            class: self.planned.class,
            changes: self.planned.changes.clone(),
            ..PlannedRequest::new(id, follow_up.prompt.clone())
        };
        let messages = std::mem::take(&mut self.messages);
        let speaker = Arc::clone(&self.speaker);
        let make = move || speaker.go_on(messages, &planned, id);
        let next = match self.shared.clock {
            Clock::Virtual { .. } => make(),
            Clock::Monotonic => tokio::task::spawn_blocking(make)
                .await
                .unwrap_or_else(|_| Err("the thread that makes prompts ended early".to_owned())),
        };
        let (messages, bytes) = next.map_err(|why| LoadError::Prompt { id, why })?;
        self.messages = messages;
        Ok(bytes)
    }
}

fn count(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}
