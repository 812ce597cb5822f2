//! Plans through the client, to records.

use load::{
    Client, ClientOptions, Clock, Connector, Deadlines, HeaderMap, PromptMaker, RunSpan, Template,
};
use openai::{
    Endpoint, PoolingOptions, PoolingTask, PoolingTemplate, RequestOptions, RequestTemplate,
    VectorEncoding,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::LocalSet;
use trace::{
    Pacing, Plan, PointInfo, Record, RunFacts, RunHeader, RunId, SCHEMA_VERSION, SavedRun,
    StampSource,
};

/// What every client of a test is known by: see [`trace::request_id`].
pub const INVOCATION: u64 = 0x0123_4567_89ab_cdef;

const A_MINUTE: Duration = Duration::from_mins(1);

/// How the client is set up; the default asks for streams and waits for a minute at most.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The source of every stamp.
    pub clock: Clock,
    /// Whether streams are asked for.
    pub stream: bool,
    /// Whether vectors are asked for, and no text.
    pub vectors: bool,
    /// How long each part of a request may take.
    pub deadlines: Deadlines,
    /// Sent with every request.
    pub headers: HeaderMap,
    /// Connections that are opened before each run.
    pub prepared: usize,
    /// When the user stops the first run.
    pub stop_after: Option<Duration>,
    /// Makes the prompts that plans only name.
    pub prompts: Option<PromptMaker>,
    /// Of so many requests the answer's text is kept.
    pub answers_kept: u32,
    /// Whether connections are used again.
    pub keep_alive: bool,
}

impl Setup {
    /// The default, on that clock.
    pub fn on(clock: Clock) -> Self {
        Setup {
            clock,
            stream: true,
            vectors: false,
            deadlines: Deadlines {
                connect: A_MINUTE,
                first_token: A_MINUTE,
                stall: A_MINUTE,
                total: A_MINUTE,
            },
            headers: HeaderMap::new(),
            prepared: 0,
            stop_after: None,
            prompts: None,
            answers_kept: 0,
            keep_alive: true,
        }
    }
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// In the order of their ids.
    pub records: Vec<Record>,
    /// When it began and ended.
    pub span: RunSpan,
    /// Who took the stamps.
    pub stamps: StampSource,
}

impl Run {
    /// The run as its file would hold it, for the statistics.
    pub fn saved(&self, pacing: Pacing) -> SavedRun {
        let run = self
            .records
            .first()
            .map_or_else(RunId::default, |record| record.run);
        SavedRun {
            header: RunHeader {
                schema_version: SCHEMA_VERSION,
                invocation: INVOCATION,
                metadata: serde_json::Map::new(),
                points: vec![PointInfo {
                    key: "1".to_owned(),
                    pacing,
                }],
                slo: None,
                classes: Vec::new(),
                asked: None,
                subject: None,
            },
            facts: vec![RunFacts {
                interrupted: self.span.interrupted,
                ..RunFacts::new(
                    run,
                    self.span.start,
                    self.span.end,
                    self.span.planned,
                    self.stamps,
                )
            }],
            records: self.records.clone(),
        }
    }
}

/// Runs one plan.
///
/// # Panics
/// The client cannot be set up, or no connection can be prepared where some are asked for.
pub async fn run_plan<C: Connector + 'static>(connector: C, plan: &Plan, setup: &Setup) -> Run {
    let mut runs = run_plans(connector, &[(RunId::default(), plan)], 0, setup).await;
    runs.remove(0)
}

/// Runs plans one after the other on one client; ids are counted from `first_id`.
///
/// # Panics
/// As [`run_plan`] does.
pub async fn run_plans<C: Connector + 'static>(
    connector: C,
    plans: &[(RunId, &Plan)],
    first_id: u64,
    setup: &Setup,
) -> Vec<Run> {
    let tasks = LocalSet::new();
    tasks
        .run_until(run_all(connector, plans, first_id, setup))
        .await
}

async fn run_all<C: Connector + 'static>(
    connector: C,
    plans: &[(RunId, &Plan)],
    mut next_id: u64,
    setup: &Setup,
) -> Vec<Run> {
    let kept: Arc<Mutex<Vec<Record>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let on_record = Box::new(move |record| keep.lock().unwrap().push(record));
    let client = Client::new(connector, client_options(setup), on_record).unwrap();
    let (stopping, stop) = watch::channel(false);
    if let Some(after) = setup.stop_after {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(after).await;
            let _ = stopping.send(true);
        });
    }
    let mut runs = Vec::new();
    for &(run, plan) in plans {
        client.prepare(setup.prepared).await.unwrap();
        let span = client.run(plan, run, next_id, stop.clone()).await.unwrap();
        let mut records = std::mem::take(&mut *kept.lock().unwrap());
        records.sort_by_key(|record| record.id);
        next_id += records.len() as u64;
        runs.push(Run {
            records,
            span,
            stamps: client.stamp_source(),
        });
    }
    runs
}

/// The client's options as [`run_plan`] has them.
pub fn client_options(setup: &Setup) -> ClientOptions {
    let template = if setup.vectors {
        Template::Pooling(PoolingTemplate::new(&PoolingOptions {
            task: PoolingTask::Embed,
            model: "m".to_owned(),
            encoding: VectorEncoding::Float,
            dimensions: None,
            extra_body: serde_json::Map::new(),
        }))
    } else {
        Template::Generation(generation(setup))
    };
    ClientOptions {
        path: if setup.vectors {
            "/v1/embeddings"
        } else {
            "/v1/chat/completions"
        }
        .to_owned(),
        headers: setup.headers.clone(),
        template,
        prompts: setup.prompts.clone(),
        answers_kept: setup.answers_kept,
        deadlines: setup.deadlines,
        clock: setup.clock,
        keep_alive: setup.keep_alive,
        invocation: INVOCATION,
    }
}

fn generation(setup: &Setup) -> RequestTemplate {
    RequestTemplate::new(&RequestOptions {
        endpoint: Endpoint::ChatCompletions,
        model: "m".to_owned(),
        stream: setup.stream,
        temperature: None,
        n: 1,
        ignore_eos: false,
        seed: None,
        extra_body: serde_json::Map::new(),
    })
}
