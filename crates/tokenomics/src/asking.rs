//! Clients of chat servers that ask the same thing again and again, and one request alone.

use crate::failure::Failure;
use load::{Client, ClientOptions, Clock, Deadlines, HeaderMap, Target, TcpConnector, Template};
use openai::{Endpoint, RequestOptions, RequestTemplate};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use trace::{Outcome, Pacing, Plan, PlannedRequest, Prompt, Record, RunId, SCHEMA_VERSION, Stop};

/// Whom to ask, and what for.
pub(crate) struct Asking<'a> {
    pub(crate) target: &'a Target,
    pub(crate) connector: TcpConnector,
    pub(crate) headers: HeaderMap,
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    pub(crate) deadlines: Deadlines,
    pub(crate) keep_alive: bool,
    pub(crate) invocation: u64,
}

impl Asking<'_> {
    /// A client of that server.
    pub(crate) fn client(
        self,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Result<Client<TcpConnector>, Failure> {
        let endpoint = Endpoint::ChatCompletions;
        let template = RequestTemplate::new(&RequestOptions {
            endpoint,
            model: self.model.to_owned(),
            stream: self.stream,
            temperature: None,
            n: 1,
            ignore_eos: false,
            seed: None,
            extra_body: serde_json::Map::new(),
        });
        let options = ClientOptions {
            path: format!("{}{}", self.target.base_path, endpoint.path()),
            headers: self.headers,
            invocation: self.invocation,
            template: Template::Generation(template),
            prompts: None,
            answers_kept: 0,
            deadlines: self.deadlines,
            clock: Clock::Monotonic,
            keep_alive: self.keep_alive,
        };
        Client::new(self.connector, options, on_record).map_err(Failure::failed)
    }

    /// What comes back for one request.
    pub(crate) async fn once(self) -> Result<Record, Failure> {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let client = self.client(Box::new(move |record| {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        }))?;
        let (_running, stop) = watch::channel(false);
        let plan = hi(1, 1, Pacing::Closed { concurrency: 1 }, 0);
        client
            .run(&plan, RunId::default(), 0, stop)
            .await
            .map_err(Failure::failed)?;
        drop(client);
        let record = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        record.ok_or_else(|| Failure::failed("a request left no record"))
    }
}

/// So many requests, all alike.
pub(crate) fn hi(requests: usize, max_tokens: u32, pacing: Pacing, seed: u64) -> Plan {
    let prompt = Prompt::user("hi");
    let request = |id| PlannedRequest {
        max_tokens: Some(max_tokens),
        ..PlannedRequest::new(id, prompt.clone())
    };
    Plan {
        schema_version: SCHEMA_VERSION,
        seed,
        pacing,
        stop: Stop::AllRequests,
        requests: (0..requests as u64).map(request).collect(),
    }
}

/// What became of a request, in a few words.
pub(crate) fn outcome_in_words(record: &Record) -> String {
    let detail = record.detail.as_deref().unwrap_or("no words");
    match (&record.outcome, record.status) {
        (Outcome::Http, Some(status)) => format!("status {status}: {detail}"),
        (outcome, _) => format!("{}: {detail}", outcome.name()),
    }
}
