//! The two ways to the provider, and how they are asked.

use crate::asking::{Asking, hi};
use crate::config::Secrets;
use crate::experiment::gateway::config::{GatewayConfig, PROVIDER_KEY};
use crate::experiment::gateway::start::Lab;
use crate::failure::Failure;
use crate::output::Recorder;
use load::{Client, HeaderMap, Target, TcpConnector, TlsOptions};
use trace::{Pacing, Plan, Record};

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
        self.asking(config, kind, invocation)?.client(on_record)
    }

    /// One whole request on a connection of its own; `Err` where there is no connection.
    pub(super) async fn ask(&self, config: &GatewayConfig) -> Result<Record, Failure> {
        self.asking(config, Kind::Whole, 0)?.once().await
    }

    fn asking<'a>(
        &'a self,
        config: &'a GatewayConfig,
        kind: Kind,
        invocation: u64,
    ) -> Result<Asking<'a>, Failure> {
        let connect = config.deadlines.connect;
        let connector = TcpConnector::probe(&self.target, &TlsOptions::default(), connect);
        Ok(Asking {
            target: &self.target,
            connector: connector.map_err(Failure::failed)?,
            headers: self.headers(kind)?,
            model: &config.args.model,
            stream: kind == Kind::Stream,
            deadlines: config.deadlines,
            keep_alive: !config.args.no_keep_alive,
            invocation,
        })
    }
}

/// Clients of both sides, for both kinds.
pub(super) struct Sides {
    clients: [[Client<TcpConnector>; 2]; 2],
}

impl Sides {
    /// With connections and threads of their own.
    pub(super) fn open(
        config: &GatewayConfig,
        lab: &Lab<'_>,
        invocation: u64,
        recorder: &Recorder,
    ) -> Result<Self, Failure> {
        let client = |way: &Way, kind| {
            let recorder = recorder.clone();
            let secrets = Secrets::of([config.api_key.clone()]);
            let on_record = Box::new(move |mut record: Record| {
                // A gateway may repeat the key that it refuses.
                secrets.redact_record(&mut record);
                recorder.record(record);
            });
            way.client(config, kind, invocation, on_record)
        };
        let of = |way: &Way| -> Result<_, Failure> {
            Ok([client(way, Kind::Whole)?, client(way, Kind::Stream)?])
        };
        Ok(Sides {
            clients: [
                of(&Way::direct(lab.provider.target.clone()))?,
                of(&lab.gateway.way)?,
            ],
        })
    }

    pub(super) fn client(&self, side: Side, kind: Kind) -> &Client<TcpConnector> {
        &self.clients[side as usize][kind as usize]
    }
}

/// So many requests, all alike: what is measured is the way, not the answer.
pub(super) fn plan(config: &GatewayConfig, kind: Kind, requests: usize, pacing: Pacing) -> Plan {
    let max_tokens = match kind {
        Kind::Whole => 1,
        Kind::Stream => config.args.provider_stream_content_chunks,
    };
    hi(requests, max_tokens, pacing, config.args.seed)
}
