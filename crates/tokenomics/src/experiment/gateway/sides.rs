//! The two ways to the provider, and clients of both.

use super::config::GatewayConfig;
use super::start::Lab;
use super::way::{Kind, Side, Way};
use crate::asking::hi;
use crate::config::Secrets;
use crate::failure::Failure;
use crate::output::Recorder;
use load::{Client, TcpConnector};
use trace::{Pacing, Plan, Record};

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
