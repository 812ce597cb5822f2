//! The two ways to the provider, and how they are asked.

use crate::config::Secrets;
use crate::experiment::gateway::config::{GatewayConfig, PROVIDER_KEY};
use crate::failure::Failure;
use crate::output::Recorder;
use load::{Client, ClientOptions, Clock, HeaderMap, Target, TcpConnector, TlsOptions};
use openai::{Endpoint, RequestOptions, RequestTemplate};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use trace::{Pacing, Plan, PlannedRequest, Prompt, Record, RunId, SCHEMA_VERSION, Stop};

/// Which way a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Direct,
    Through,
}

/// Whole answers or streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Stream,
}

/// How a side is reached.
pub(super) struct Way {
    pub(super) target: Target,
    key: String,
    headers: Vec<(String, String)>,
}

impl Way {
    pub(super) fn direct(target: Target) -> Self {
        Way {
            target,
            key: PROVIDER_KEY.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(super) fn through(config: &GatewayConfig, headers: Vec<(String, String)>) -> Self {
        Way {
            target: config.through.clone(),
            key: config.api_key.clone(),
            headers,
        }
    }

    fn headers(&self, kind: Kind) -> Result<HeaderMap, Failure> {
        let stream = kind == Kind::Stream;
        load::request_headers(&self.target, stream, Some(&self.key), &self.headers)
            .map_err(Failure::usage)
    }

    /// A client of this side.
    ///
    /// # Errors
    /// Nobody accepts a connection there.
    pub(super) fn client(
        &self,
        config: &GatewayConfig,
        kind: Kind,
        invocation: u64,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Result<Client<TcpConnector>, Failure> {
        let connector = TcpConnector::probe(
            &self.target,
            &TlsOptions::default(),
            config.deadlines.connect,
        )
        .map_err(Failure::failed)?;
        let endpoint = Endpoint::ChatCompletions;
        let template = RequestTemplate::new(&RequestOptions {
            endpoint,
            model: config.args.model.clone(),
            stream: kind == Kind::Stream,
            temperature: None,
            n: 1,
            ignore_eos: false,
            seed: None,
            extra_body: serde_json::Map::new(),
        });
        let options = ClientOptions {
            path: format!("{}{}", self.target.base_path, endpoint.path()),
            headers: self.headers(kind)?,
            invocation,
            stream: template.stream(),
            choices: template.n(),
            template,
            deadlines: config.deadlines,
            clock: Clock::Monotonic,
        };
        Client::new(connector, options, on_record).map_err(Failure::failed)
    }

    /// One whole request on a connection of its own; `Err` where there is no connection.
    pub(super) async fn ask(&self, config: &GatewayConfig) -> Result<Record, Failure> {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let on_record = Box::new(move |record| {
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
        });
        let client = self.client(config, Kind::Whole, 0, on_record)?;
        let (_running, stop) = watch::channel(false);
        let plan = plan(config, Kind::Whole, 1, Pacing::Closed { concurrency: 1 });
        client
            .run(&plan, RunId::default(), 0, stop)
            .await
            .map_err(Failure::failed)?;
        drop(client);
        let record = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        record.ok_or_else(|| Failure::failed("a request left no record"))
    }
}

/// Clients of both sides, for both kinds.
pub(super) struct Sides {
    clients: [[Client<TcpConnector>; 2]; 2],
}

impl Sides {
    pub(super) fn open(
        config: &GatewayConfig,
        ways: [&Way; 2],
        invocation: u64,
        recorder: &Recorder,
    ) -> Result<Self, Failure> {
        let client = |way: &Way, kind| {
            let recorder = recorder.clone();
            let secrets = Secrets::of([config.api_key.clone()]);
            let on_record = Box::new(move |mut record: Record| {
                // A gateway may repeat the key that it refuses.
                record.detail = record.detail.map(|words| secrets.redact(&words));
                recorder.record(record);
            });
            way.client(config, kind, invocation, on_record)
        };
        let of = |way: &Way| -> Result<_, Failure> {
            Ok([client(way, Kind::Whole)?, client(way, Kind::Stream)?])
        };
        Ok(Sides {
            clients: [of(ways[0])?, of(ways[1])?],
        })
    }

    pub(super) fn client(&self, side: Side, kind: Kind) -> &Client<TcpConnector> {
        &self.clients[side as usize][kind as usize]
    }
}

/// So many requests, all alike: what is measured is the way, not the answer.
pub(super) fn plan(config: &GatewayConfig, kind: Kind, requests: usize, pacing: Pacing) -> Plan {
    let prompt = Prompt {
        system: None,
        user: "hi".into(),
    };
    let max_tokens = match kind {
        Kind::Whole => 1,
        Kind::Stream => config.args.provider_stream_content_chunks,
    };
    let request = |id| PlannedRequest {
        id,
        due: trace::Nanos::ZERO,
        prompt: prompt.clone(),
        max_tokens: Some(max_tokens),
    };
    Plan {
        schema_version: SCHEMA_VERSION,
        seed: config.args.seed,
        pacing,
        stop: Stop::AllRequests,
        requests: (0..requests as u64).map(request).collect(),
    }
}
