//! Prompts that are made, and rendered, before their time comes.

use crate::decode::counted;
use crate::template::Template;
use crate::{Clock, LoadError};
use openai::TextCounts;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use trace::{Message, Plan, PlannedRequest, Prompt, Stop, TextFacts};

type Make = dyn Fn(&PlannedRequest) -> Result<Prompt, String> + Send + Sync;

/// Makes the prompts that plans only name ([`Prompt::Card`]).
#[derive(Clone)]
pub struct PromptMaker(Arc<Make>);

impl PromptMaker {
    /// `make` is called on any thread; its errors are sentences without a full stop.
    pub fn new(
        make: impl Fn(&PlannedRequest) -> Result<Prompt, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }
}

impl fmt::Debug for PromptMaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PromptMaker")
    }
}

/// Rendered requests that may wait: enough for seconds of any load, and no matter to memory.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body, ready to be sent.
pub(crate) struct Prepared {
    pub(crate) body: Vec<u8>,
    /// Texts that are to be answered.
    pub(crate) inputs: u32,
    /// What is known of their text.
    pub(crate) text: TextFacts,
    /// What a conversation begins with; empty where nothing follows.
    pub(crate) messages: Vec<Message>,
}

/// Gives the bodies of a plan's requests in their order.
pub(crate) enum Ahead<'a> {
    /// What is there is rendered when it is asked for: that takes a microsecond.
    Inline {
        template: &'a Template,
        maker: Option<&'a PromptMaker>,
    },
    /// What has to be made first is made on a thread of its own, as far ahead as memory allows.
    Thread {
        bodies: UnboundedReceiver<Result<Prepared, String>>,
        /// Becomes true when memory is full or the plan made.
        lead: watch::Receiver<bool>,
        room: Arc<Room>,
    },
}

impl<'a> Ahead<'a> {
    /// Starts to make what has to be made. On a virtual clock everything is made when it is asked
    /// for: a thread outside the runtime knows no paused time.
    pub(crate) fn start(
        clock: Clock,
        plan: &Plan,
        template: &'a Template,
        maker: Option<&'a PromptMaker>,
    ) -> Result<Self, LoadError> {
        let is_card = |planned: &PlannedRequest| matches!(planned.prompt, Prompt::Card { .. });
        if clock.is_virtual() || !plan.requests.iter().any(is_card) {
            return Ok(Self::Inline { template, maker });
        }
        let (sender, bodies) = unbounded_channel();
        let (enough, lead) = watch::channel(false);
        let room = Arc::new(Room::default());
        let work = Work {
            requests: plan.requests.clone(),
            again: starts_over(plan),
            template: template.clone(),
            maker: maker.cloned(),
            room: Arc::clone(&room),
        };
        std::thread::Builder::new()
            .name("prompts".into())
            .spawn(move || work.go(&sender, &enough))
            .map_err(|error| LoadError::Start {
                what: "the thread that makes prompts",
                cause: error.to_string(),
            })?;
        Ok(Self::Thread { bodies, lead, room })
    }

    /// Waits until as much is made as may wait.
    pub(crate) async fn take_lead(&mut self) {
        if let Self::Thread { lead, .. } = self {
            // The thread ends after it has said so.
            let _ = lead.wait_for(|enough| *enough).await;
        }
    }

    /// The body of the next request, which is `planned`.
    pub(crate) async fn next(&mut self, planned: &PlannedRequest) -> Result<Prepared, LoadError> {
        let prepared = match self {
            Self::Inline { template, maker } => prepare(template, *maker, planned),
            Self::Thread { bodies, room, .. } => {
                let body = bodies.recv().await;
                if let Some(Ok(prepared)) = &body {
                    room.leave(prepared.body.len());
                }
                body.unwrap_or_else(|| Err("the thread that makes prompts ended early".to_owned()))
            }
        };
        prepared.map_err(|why| LoadError::Prompt {
            id: planned.id,
            why,
        })
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        if let Self::Thread { room, .. } = self {
            room.close();
        }
    }
}

/// The requests of a plan in order; a closed loop with a deadline starts over when they run out.
pub(crate) fn planned_requests(plan: &Plan) -> Box<dyn Iterator<Item = &PlannedRequest> + '_> {
    if starts_over(plan) {
        Box::new(plan.requests.iter().cycle())
    } else {
        Box::new(plan.requests.iter())
    }
}

fn starts_over(plan: &Plan) -> bool {
    matches!(plan.stop, Stop::Deadline { .. }) && !matches!(plan.pacing, trace::Pacing::Open { .. })
}

/// What the thread does.
struct Work {
    requests: Vec<PlannedRequest>,
    again: bool,
    template: Template,
    maker: Option<PromptMaker>,
    room: Arc<Room>,
}

impl Work {
    fn go(&self, sender: &UnboundedSender<Result<Prepared, String>>, enough: &watch::Sender<bool>) {
        crate::leave_time_to_receiving();
        let laps = if self.again { usize::MAX } else { 1 };
        let mut requests = (0..laps).flat_map(|_| &self.requests);
        let _ = requests.try_for_each(|planned| {
            if self.room.is_full() {
                enough.send_replace(true);
            }
            if !self.room.wait() {
                return Err(());
            }
            let prepared = prepare(&self.template, self.maker.as_ref(), planned);
            self.room
                .enter(prepared.as_ref().map_or(0, |made| made.body.len()));
            let failed = prepared.is_err();
            sender.send(prepared).map_err(drop)?;
            if failed { Err(()) } else { Ok(()) }
        });
        enough.send_replace(true);
    }
}

pub(crate) fn prepare(
    template: &Template,
    maker: Option<&PromptMaker>,
    planned: &PlannedRequest,
) -> Result<Prepared, String> {
    let made = made(maker, planned)?;
    let prompt = made.as_ref().unwrap_or(&planned.prompt);
    let messages = match prompt {
        Prompt::Chat { messages } if !planned.turns.is_empty() => messages.to_vec(),
        _ => Vec::new(),
    };
    Ok(Prepared {
        body: template.render(prompt, planned),
        inputs: prompt.inputs(),
        text: text_facts(prompt),
        messages,
    })
}

/// What is known of a prompt's text, all its parts together.
fn text_facts(prompt: &Prompt) -> TextFacts {
    let mut counts = TextCounts::default();
    prompt.parts().for_each(|part| counts.add(part));
    counted(counts)
}

/// The prompt of a card; `None` where the plan holds the prompt itself.
pub(crate) fn made(
    maker: Option<&PromptMaker>,
    planned: &PlannedRequest,
) -> Result<Option<Prompt>, String> {
    match (&planned.prompt, maker) {
        (Prompt::Card { .. }, Some(maker)) => (maker.0)(planned).map(Some),
        (Prompt::Card { number }, None) => {
            Err(format!("nothing makes prompt {number} of this plan"))
        }
        _ => Ok(None),
    }
}

/// How many bytes wait.
#[derive(Default)]
pub(crate) struct Room {
    state: Mutex<RoomState>,
    changed: Condvar,
}

#[derive(Default)]
struct RoomState {
    bytes: usize,
    closed: bool,
}

impl Room {
    fn state(&self) -> MutexGuard<'_, RoomState> {
        // Nothing in here can be left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.state().bytes >= WAITING_BYTES_MAX
    }

    fn enter(&self, bytes: usize) {
        self.state().bytes += bytes;
    }

    fn leave(&self, bytes: usize) {
        self.state().bytes -= bytes;
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Waits until there is room; `false` where nobody wants more.
    fn wait(&self) -> bool {
        let full = |state: &mut RoomState| state.bytes >= WAITING_BYTES_MAX && !state.closed;
        let state = self.changed.wait_while(self.state(), full);
        !state.unwrap_or_else(PoisonError::into_inner).closed
    }
}

#[cfg(test)]
mod tests {
    use super::{Ahead, PromptMaker, WAITING_BYTES_MAX};
    use crate::{Clock, Template};
    use openai::{Endpoint, RequestOptions, RequestTemplate};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use trace::{Nanos, Pacing, Plan, PlannedRequest, Prompt, SCHEMA_VERSION, Stop};

    fn template() -> Template {
        Template::Generation(RequestTemplate::new(&RequestOptions {
            endpoint: Endpoint::ChatCompletions,
            model: "m".to_owned(),
            stream: true,
            temperature: None,
            n: 1,
            ignore_eos: false,
            seed: None,
            extra_body: std::iter::empty().collect(),
        }))
    }

    fn cards(count: u64, stop: Stop) -> Plan {
        let card = |number| PlannedRequest::new(number, Prompt::Card { number });
        Plan {
            schema_version: SCHEMA_VERSION,
            seed: 0,
            pacing: Pacing::Closed { concurrency: 1 },
            stop,
            requests: (0..count).map(card).collect(),
        }
    }

    /// Prompts of so many bytes that begin with their number, and how many were made.
    fn maker(bytes: usize) -> (PromptMaker, Arc<AtomicU64>) {
        let made = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&made);
        let maker = PromptMaker::new(move |planned| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Prompt::user(format!(
                "card {} {}",
                planned.id,
                "x".repeat(bytes)
            )))
        });
        (maker, made)
    }

    async fn numbers(ahead: &mut Ahead<'_>, plan: &Plan, count: usize) -> Vec<bool> {
        let mut right = Vec::new();
        for planned in super::planned_requests(plan).take(count) {
            let body = ahead.next(planned).await.unwrap().body;
            let text = format!("card {} ", planned.id);
            right.push(String::from_utf8(body).unwrap().contains(&text));
        }
        right
    }

    #[tokio::test]
    async fn prompts_come_in_the_order_of_the_plan_and_again_where_it_starts_over() {
        let (template, (maker, _)) = (template(), maker(10));
        let deadline = Stop::Deadline {
            after: Nanos::from_millis(1),
        };
        let plan = cards(3, deadline);
        let mut ahead = Ahead::start(Clock::Monotonic, &plan, &template, Some(&maker)).unwrap();
        assert_eq!(numbers(&mut ahead, &plan, 10).await, [true; 10]);
    }

    #[tokio::test]
    async fn no_more_is_made_ahead_than_memory_allows() {
        let mebibyte = 1 << 20;
        let (template, (maker, made)) = (template(), maker(mebibyte));
        let plan = cards(200, Stop::AllRequests);
        let mut ahead = Ahead::start(Clock::Monotonic, &plan, &template, Some(&maker)).unwrap();
        ahead.take_lead().await;
        let most = (WAITING_BYTES_MAX / mebibyte + 1) as u64;
        assert!((1..=most).contains(&made.load(Ordering::SeqCst)));
        assert_eq!(numbers(&mut ahead, &plan, 200).await, [true; 200]);
        assert_eq!(made.load(Ordering::SeqCst), 200);
    }

    #[tokio::test]
    async fn a_prompt_that_cannot_be_made_is_an_error_that_names_it() {
        let template = template();
        let maker = PromptMaker::new(|_| Err("the vocabulary knows no such text".to_owned()));
        let plan = cards(5, Stop::AllRequests);
        for maker in [Some(&maker), None] {
            let mut ahead = Ahead::start(Clock::Monotonic, &plan, &template, maker).unwrap();
            let error = ahead.next(&plan.requests[0]).await.err().unwrap();
            assert!(error.to_string().contains("request 0"), "{error}");
        }
    }
}
